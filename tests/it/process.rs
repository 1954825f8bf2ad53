//! The process: its start, its one directory, its end.

use serde_json::json;

use crate::harness::{Client, ROOT, Server, ended, eventually, headwater, signal, text};

const ORDERS: &str = "/v1/collections/orders/documents";

#[tokio::test]
async fn the_first_start_prints_a_key_with_full_access_once() {
    let server = Server::prepared(&[]);
    let arguments = ["--listen", "127.0.0.1:0"];
    let (mut child, lines) = server.spawn(&arguments);
    let key = lines.recv().unwrap();
    let key = key.strip_prefix("root key: ").unwrap();
    assert!(key.starts_with("hw_"), "{key}");
    let listening = lines.recv().unwrap();
    let url = listening.strip_prefix("listening on ").unwrap();
    Client::new(url, Some(key)).post(ORDERS, &json!({"_id": 1})).await.expect(201);
    signal(&child, "INT");
    assert_eq!(ended(&mut child).code(), Some(0), "SIGINT stops gracefully");
    assert!(lines.recv().is_err(), "stdout has nothing more");
    let (mut child, lines) = server.spawn(&arguments);
    let listening = lines.recv().unwrap();
    let url = listening.strip_prefix("listening on ").expect("the key is printed once");
    Client::new(url, Some(key)).get(&format!("{ORDERS}/1")).await.expect(200);
    signal(&child, "TERM");
    assert_eq!(ended(&mut child).code(), Some(0), "SIGTERM stops gracefully");
    assert!(!server.log().contains(key), "keys are never logged");
}

#[tokio::test]
async fn r9_a_second_process_on_the_same_directory_is_refused_by_name() {
    let server = Server::start();
    let data = server.data();
    let second = ["serve", "--listen", "127.0.0.1:0", "--data", text(&data)];
    let refusal = headwater(&second, &[], "").refusal();
    assert!(refusal.contains(text(&data)) && refusal.contains("in use"), "{refusal}");
    server.client().post(ORDERS, &json!({})).await.expect(201);
}

#[tokio::test]
async fn r9_sigterm_finishes_what_is_under_way_and_exits_0() {
    let mut server = Server::start();
    let client = server.client();
    let writer = tokio::spawn({
        let client = client.clone();
        async move {
            let mut acknowledged = Vec::new();
            while let Some(answer) = client.try_post(ORDERS, &json!({})).await {
                if answer.status != 201 {
                    break;
                }
                acknowledged.push(answer.list("documents")[0]["_id"].as_str().unwrap().to_owned());
            }
            acknowledged
        }
    });
    eventually("some writes", async || {
        let read = client.get("/v1/admin/stats").await.expect(200);
        (read.body["documents"].as_u64() > Some(10)).then_some(())
    })
    .await;
    assert_eq!(server.stop().code(), Some(0));
    let acknowledged = writer.await.unwrap();
    server.restart();
    for id in acknowledged {
        client.get(&format!("{ORDERS}/{id}")).await.expect(200);
    }
}

#[tokio::test]
async fn views_that_were_deleted_come_back_from_the_log() {
    let mut server = Server::start();
    let client = server.client();
    client.post(ORDERS, &json!([{"_id": 1}, {"_id": 2}])).await.expect(201);
    client.delete(&format!("{ORDERS}/1")).await.expect(200);
    let before = client.get(ORDERS).await.expect(200).text;
    server.stop();
    std::fs::remove_dir_all(server.data().join("views")).unwrap();
    server.restart();
    assert_eq!(client.get(ORDERS).await.expect(200).text, before);
    let names = std::fs::read_dir(server.data()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    for name in ["log", "head", "views", "deliveries", "lock"] {
        assert!(names.iter().any(|other| other == name), "{name} in {names:?}");
    }
}

#[tokio::test]
async fn settings_come_from_flags_then_environment_then_file() {
    let server = Server::prepared(&[]);
    let file = server.file("settings.toml");
    std::fs::write(&file, "[log]\ndurability = \"relaxed\"\n[limits]\nnesting = 5\n").unwrap();
    let (mut child, lines) = server.spawn(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--root-key",
        ROOT,
        "--config",
        text(&file),
    ]);
    let listening = lines.recv().unwrap();
    let client = Client::new(listening.strip_prefix("listening on ").unwrap(), Some(ROOT));
    assert_eq!(client.get("/healthz").await.expect(200).body["durability"], "relaxed");
    client.post(ORDERS, &json!({"a": [[[[[1]]]]]})).await.expect(400);
    signal(&child, "TERM");
    ended(&mut child);
    let bad = server.file("bad.toml");
    for (content, named) in
        [("[log]\nsegment_byte = 1\n", "segment_byte"), ("nonsense", "bad.toml")]
    {
        std::fs::write(&bad, content).unwrap();
        let data = server.file("unused");
        let arguments = ["serve", "--data", text(&data), "--config", text(&bad)];
        let refusal = headwater(&arguments, &[], "").refusal();
        assert!(refusal.contains(named), "{refusal}");
        assert!(!data.exists(), "nothing is made on disk");
    }
}

#[tokio::test]
async fn plain_http_on_an_open_address_must_be_allowed() {
    let server = Server::prepared(&[]);
    let data = server.data();
    let open = ["serve", "--listen", "0.0.0.0:0", "--data", text(&data)];
    let refusal = headwater(&open, &[], "").refusal();
    assert!(
        refusal.contains("allow-plain-http") || refusal.contains("allow_plain_http"),
        "{refusal}"
    );
    let (mut child, lines) =
        server.spawn(&["serve", "--listen", "0.0.0.0:0", "--root-key", ROOT, "--allow-plain-http"]);
    assert!(lines.recv().unwrap().starts_with("listening on http://0.0.0.0:"));
    signal(&child, "TERM");
    assert_eq!(ended(&mut child).code(), Some(0));
}

#[tokio::test]
async fn r6_a_damaged_log_is_refused_by_file_and_changed_never() {
    let mut server = Server::start();
    let client = server.client();
    for n in 0..20 {
        client.post(ORDERS, &json!({"_id": n, "text": "x".repeat(200)})).await.expect(201);
    }
    server.stop();
    let data = server.data();
    let segment = data.join("log/00000000000000000001.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = memchr::memmem::find(&bytes, b"xxxxxxxx").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    for arguments in [
        vec!["serve", "--listen", "127.0.0.1:0", "--data", text(&data)],
        vec!["verify", "--data", text(&data)],
    ] {
        let refusal = headwater(&arguments, &[], "").refusal();
        assert!(refusal.contains("00000000000000000001.log"), "{arguments:?}: {refusal}");
        assert_eq!(std::fs::read(&segment).unwrap(), bytes, "changed by {arguments:?}");
    }
}
