//! The command line against a running server and a stopped directory.

use serde_json::{Value, json};

use crate::harness::{ROOT, Server, ended, headwater, text};

const COUNTRIES: &str = r#"{"3166-1": [
    {"alpha_2": "IS", "name": "Iceland"}, {"alpha_2": "AD", "name": "Andorra, \"the\" valley"}]}"#;

#[tokio::test]
async fn import_takes_an_array_in_a_member_and_its_own_ids() {
    let server = Server::start();
    let file = server.file("countries.json");
    std::fs::write(&file, COUNTRIES).unwrap();
    let import =
        ["import", "--collection", "countries", "--select", "3166-1", "--id-field", "alpha_2"];
    let imported = server.run(&[&import[..], &["--json", text(&file)]].concat()).json();
    assert_eq!(imported["imported"], 2);
    let read = server.client().get("/v1/collections/countries/documents/IS").await.expect(200);
    assert_eq!(read.body, json!({"_id": "IS", "alpha_2": "IS", "name": "Iceland"}));
    let again = server.run(&[&import[..], &["--json", text(&file)]].concat()).json();
    assert_eq!((&again["imported"], &again["repeated"]), (&json!(0), &json!(2)));
}

#[tokio::test]
async fn what_is_exported_in_any_format_is_imported_again() {
    let server = Server::start();
    let client = server.client();
    // More than a page of the server.
    let many: Vec<Value> =
        (0..2500).map(|n| json!({"_id": n, "name": format!("ä,\"{n}\"\n")})).collect();
    client.post("/v1/collections/a/documents", &json!(many)).await.expect(201);
    let client = &client;
    for format in ["json", "jsonl", "csv"] {
        let file = server.file(&format!("a.{format}"));
        let export = ["export", "--collection", "a", "--format", format, "--output", text(&file)];
        let exported = server.run(&export);
        assert!(exported.stderr.contains("2500"), "{}", exported.stderr);
        assert_eq!(exported.output(), "", "stdout is for data");
        let copy = format!("from-{format}");
        server.run(&["import", "--collection", &copy, text(&file)]).output();
        let read = client.get(&format!("/v1/collections/{copy}")).await.expect(200);
        assert_eq!(read.body["count"], 2500, "{format}");
        let one = format!("/v1/collections/{copy}/documents/1234");
        assert_eq!(client.get(&one).await.expect(200).body["name"], "ä,\"1234\"\n", "{format}");
    }
    let lines = server.run(&["export", "--collection", "a", "--format", "jsonl"]).json_lines();
    assert_eq!(lines, many);
}

#[tokio::test]
async fn import_reads_stdin_and_names_the_faulty_document() {
    let server = Server::start();
    let url = server.url();
    let settings = [("HEADWATER_URL", url.as_str()), ("HEADWATER_KEY", ROOT)];
    let import = ["import", "--collection", "a", "--format", "jsonl", "-"];
    let done = headwater(&import, &settings, "{\"_id\":1}\n{\"_id\":2}\n").output();
    assert!(done.contains("imported 2"), "{done}");
    let refusal = headwater(&import, &settings, "{\"_id\":3}\n{\"_id\":\n").refusal();
    assert!(refusal.contains("document 2"), "{refusal}");
    let refusal = headwater(&["import", "-c", "a", "/none.json"], &settings, "").refusal();
    assert!(refusal.contains("/none.json"), "{refusal}");
}

#[tokio::test]
async fn tail_prints_events_as_json_lines_and_follows() {
    let server = Server::start();
    let client = server.client();
    client.post("/v1/collections/a/documents", &json!([{"_id": 1}, {"_id": 2}])).await.expect(201);
    client.post("/v1/collections/b/documents", &json!({"_id": 3})).await.expect(201);
    let all = server.run(&["tail", "--from", "0"]).json_lines();
    let positions: Vec<&Value> = all.iter().map(|event| &event["position"]).collect();
    assert_eq!(positions, [1, 2, 3, 4, 5]);
    let some = server.run(&["tail", "--from", "2", "--collections", "a"]).json_lines();
    assert_eq!(some.iter().map(|event| &event["id"]).collect::<Vec<_>>(), [2]);

    let (url, key) = (server.url(), ["--key", ROOT]);
    let follow = ["tail", "--from", "0", "--collections", "b", "--follow", "--url", &url];
    let (mut child, lines) = server.spawn_client(&[&follow[..], &key].concat());
    let event = |line: String| serde_json::from_str::<Value>(&line).unwrap()["id"].clone();
    assert_eq!(event(lines.recv().unwrap()), 3);
    client.post("/v1/collections/b/documents", &json!({"_id": 4})).await.expect(201);
    assert_eq!(event(lines.recv().unwrap()), 4);
    child.kill().unwrap();
    ended(&mut child);
}

#[tokio::test]
async fn key_create_prints_the_key_alone_and_revoke_ends_it() {
    let server = Server::start();
    let grant = "orders=read,create;*=read";
    let key =
        server.run(&["key", "create", "--label", "till", "--collections", grant, "--ttl", "30d"]);
    let key = key.output();
    let client = server.client().with_key(key.trim_end());
    assert!(key.starts_with("hw_") && key.lines().count() == 1, "{key}");
    client.post("/v1/collections/orders/documents", &json!({})).await.expect(201);
    client.post("/v1/collections/other/documents", &json!({})).await.expect(403);
    let listed = server.run(&["key", "list", "--json"]).json_lines();
    assert_eq!((listed.len(), &listed[0]["label"]), (1, &json!("till")));
    assert!(server.run(&["key", "list"]).output().contains("till"));
    server.run(&["key", "revoke", listed[0]["id"].as_str().unwrap()]).output();
    client.get("/v1/collections/orders/documents").await.expect(401);
    let admin = server.run(&["key", "create", "--admin"]).output();
    server.client().with_key(admin.trim_end()).get("/v1/credentials").await.expect(200);
}

#[tokio::test]
async fn r10_a_backup_taken_online_restores_to_a_consistent_prefix_with_a_new_epoch() {
    let mut server = Server::start();
    let client = server.client();
    for n in 0..30 {
        client.post("/v1/collections/a/documents", &json!({"_id": n})).await.expect(201);
    }
    let epoch = client.get("/v1/events").await.expect(200).body["epoch"].clone();
    let file = server.file("backup");
    let result = server.run(&["backup", "--output", text(&file), "--json"]).json();
    let position = result["position"].as_u64().unwrap();
    // The entry of the audit trail about the backup may be in it.
    assert!((31..=32).contains(&position), "{position}");
    client.post("/v1/collections/a/documents", &json!({"_id": "after"})).await.expect(201);

    let mut restored = Server::prepared(&[]);
    let data = restored.data();
    let restore = ["restore", "--data", text(&data), "--input", text(&file)];
    headwater(&restore, &[], "").output();
    assert!(!headwater(&restore, &[], "").refusal().is_empty(), "not over what is there");
    headwater(&["verify", "--data", text(&data)], &[], "").output();
    restored.restart();
    let copy = restored.client();
    assert_eq!(copy.get("/v1/collections/a").await.expect(200).body["count"], 30);
    copy.get("/v1/collections/a/documents/after").await.expect(404);
    let next = copy.post("/v1/collections/a/documents", &json!({"_id": "other"})).await.expect(201);
    assert_eq!(next.position(), position + 1);
    let page = copy.get("/v1/events").await.expect(200);
    assert_ne!(page.body["epoch"], epoch, "what goes on is another history");
    let bare = (position + 1).to_string();
    let gone = copy.refused_stream("/v1/events", &[("last-event-id", &bare)]).await;
    assert_eq!(gone.refused(410), "epoch_changed", "r12: a browser is not fooled");
    let mut stream = copy.stream(&format!("/v1/events?collections=a&from={position}"), &[]).await;
    let id = stream.next().await.unwrap().id.unwrap();
    assert_eq!(id, format!("{bare}@{}", page.body["epoch"].as_str().unwrap()));
    copy.refused_stream("/v1/events?from=0", &[("last-event-id", "1@0")]).await.expect(410);
    server.stop();
}

#[tokio::test]
async fn verify_rebuild_and_backup_work_on_a_stopped_directory_and_not_on_a_served_one() {
    let mut server = Server::start();
    let client = server.client();
    client.post("/v1/collections/a/documents", &json!([{"_id": 1}, {"_id": 2}])).await.expect(201);
    let (data, backup) = (server.data(), server.file("backup"));
    let commands = [
        vec!["verify", "--data", text(&data)],
        vec!["rebuild", "--data", text(&data)],
        vec!["backup", "--data", text(&data), "--output", text(&backup)],
    ];
    for command in &commands {
        assert!(headwater(command, &[], "").refusal().contains("in use"), "{command:?}");
    }
    let online = server.run(&["verify", "--json"]).json();
    assert_eq!(online["ok"], true);
    assert!(online["position"].as_u64().unwrap() >= 3, "{online}");
    server.run(&["rebuild"]).output();
    server.stop();
    for command in &commands {
        headwater(command, &[], "").output();
    }
    assert!(backup.exists());
    let none = server.file("none");
    assert!(headwater(&["verify", "--data", text(&none)], &[], "").refusal().contains("none"));
    server.restart();
    client.get("/v1/collections/a/documents/2").await.expect(200);
}

#[tokio::test]
async fn failures_say_why_on_stderr_and_exit_non_zero() {
    let server = Server::start();
    let url = server.url();
    for (key, address) in [("wrong", url.as_str()), (ROOT, "http://127.0.0.1:1")] {
        let settings = [("HEADWATER_URL", address), ("HEADWATER_KEY", key)];
        for arguments in [
            &["export", "--collection", "a"][..],
            &["tail"],
            &["key", "list"],
            &["verify"],
            &["replay", "--webhook", "none", "--from", "0"],
        ] {
            let refusal = headwater(arguments, &settings, "").refusal();
            assert!(refusal.starts_with("error: "), "{arguments:?}: {refusal}");
            assert!(!refusal.contains(ROOT), "{refusal}");
        }
    }
}

#[tokio::test]
async fn bench_prints_a_rate_and_percentiles() {
    let server = Server::start();
    let bench = ["bench", "create", "--concurrency", "4", "--seconds", "1", "--json"];
    let report = server.run(&bench).json();
    assert!(
        report["rate"].as_f64().or(report["rate_per_second"].as_f64()).unwrap() > 0.0,
        "{report}"
    );
    for percentile in ["p50", "p90", "p99", "max"] {
        assert!(report.to_string().contains(percentile), "{report}");
    }
}

#[tokio::test]
async fn bench_idle_tells_what_a_silent_stream_costs_and_that_all_are_told() {
    let server = Server::start();
    let bench = ["bench", "idle", "--concurrency", "50", "--seconds", "1", "--json"];
    let report = server.run(&bench).json();
    assert_eq!((&report["operations"], &report["errors"]), (&json!(50), &json!(0)), "{report}");
    for figure in ["bytes_per_stream", "bytes_per_stream_after_delivery", "server_bytes_idle"] {
        assert!(report[figure].is_u64(), "{figure}: {report}");
    }
}

#[tokio::test]
async fn bench_query_prepares_documents_and_an_index() {
    let server = Server::start();
    let bench = ["bench", "query", "--concurrency", "2", "--seconds", "1", "--documents", "1500"];
    let report = server.run(&[&bench[..], &["--json"]].concat()).json();
    assert_eq!(report["errors"], 0, "{report}");
    let query = json!({"filter": {"group": 1007}, "explain": true});
    let plan = server.client().post("/v1/collections/bench/query", &query).await.expect(200);
    assert_eq!(plan.body["plan"]["index"], "bench_group");
}
