//! `headwater bench webhook`: each of its measurements at a small size against a real server.

use serde_json::{Value, json};

use crate::harness::{Client, Server, headwater};

/// Runs the workload with these options; its report, after which no webhook is left.
async fn bench(server: &Server, options: &[&str]) -> Value {
    let few = ["bench", "webhook", "--json", "--concurrency", "4", "--seconds", "1"];
    let report = server.run(&[&few[..], options].concat()).json();
    assert_eq!(report["errors"], 0, "{report}");
    none_is_left(&server.client()).await;
    report
}

async fn none_is_left(client: &Client) {
    let left = client.get("/v1/webhooks").await.expect(200);
    assert_eq!(left.list("webhooks"), &[] as &[Value], "webhooks of the bench are left");
}

async fn documents(server: &Server) -> Value {
    server.client().get("/v1/collections/bench").await.expect(200).body["count"].clone()
}

fn figures(report: &Value, names: &[&str]) {
    for name in names {
        assert!(report[name].as_u64().is_some_and(|figure| figure > 0), "{name}: {report}");
    }
}

#[tokio::test]
async fn every_document_comes_to_every_receiver() {
    let server = Server::start();
    let report = bench(&server, &["--receivers", "3", "--rate", "50"]).await;
    assert_eq!(report["operations"], 3 * 50, "{report}");
    assert_eq!(documents(&server).await, 50);
    let report = bench(&server, &[]).await;
    figures(&report, &["operations", "write_p99_us", "p99_us"]);
}

#[tokio::test]
async fn a_replay_brings_what_was_there_before_the_webhook() {
    let server = Server::start();
    let earlier = json!([{"earlier": 1}, {"earlier": 2}]);
    server.client().post("/v1/collections/bench/documents", &earlier).await.expect(201);
    let report = bench(&server, &["--replay", "--documents", "700"]).await;
    // Whole requests of 500.
    assert_eq!(report["operations"], 1000, "{report}");
    assert_eq!(documents(&server).await, 1002);
}

#[tokio::test]
async fn a_backlog_grows_and_goes_out_again() {
    let server = Server::start();
    let report = bench(&server, &["--backlog", "--documents", "300"]).await;
    assert_eq!((&report["operations"], &report["backlog"]), (&json!(300), &json!(300)));
    figures(
        &report,
        &[
            "server_bytes_before",
            "server_bytes_backlog",
            "server_bytes_most_while_draining",
            "server_bytes_after",
        ],
    );
}

#[tokio::test]
async fn receivers_are_measured_alone_and_beside_dead_ones() {
    let server = Server::start();
    let options = ["--receivers", "2", "--dead", "4", "--rounds", "2", "--rate", "50"];
    let report = bench(&server, &options).await;
    // Two rounds of a second for two receivers; as many alone as beside.
    let both = (&report["operations"], &report["deliveries_alone"]);
    assert_eq!(both, (&json!(200), &json!(200)), "{report}");
    figures(&report, &["p99_alone_us", "p99_beside_dead_us", "p99_percent_of_alone"]);
    figures(&report, &["attempts_at_dead"]);
}

#[tokio::test]
async fn creates_are_measured_alone_and_beside_dead_receivers() {
    let server = Server::start();
    let report = bench(&server, &["--creates", "--dead", "3"]).await;
    let rates = ["creates_per_second_alone", "creates_per_second_beside_dead", "percent_of_alone"];
    figures(&report, &rates);
    figures(&report, &["operations", "attempts_at_dead"]);
    let both = documents(&server).await.as_u64().unwrap();
    assert!(both > report["operations"].as_u64().unwrap(), "{both}: {report}");
}

#[tokio::test]
async fn webhooks_are_removed_after_an_error_too() {
    let server = Server::start();
    // This key may register and ask for a replay, but not read what became of it.
    let grant = json!({"collections": {"*": ["read", "create", "subscribe", "settings"]}});
    let issued = server.client().post("/v1/credentials", &json!({"grant": grant})).await;
    let key = issued.expect(201).body["key"].as_str().unwrap().to_owned();
    let url = server.url();
    let settings = [("HEADWATER_URL", url.as_str()), ("HEADWATER_KEY", &key)];
    let replay = ["bench", "webhook", "--replay", "--documents", "20", "--concurrency", "2"];
    let refusal = headwater(&replay, &settings, "").refusal();
    assert!(refusal.contains("403"), "{refusal}");
    let acts = server.client().get("/v1/collections/_audit/documents").await.expect(200);
    assert!(acts.body.to_string().contains("webhook.created"), "{}", acts.body);
    none_is_left(&server.client()).await;
}

#[tokio::test]
async fn receivers_that_may_not_be_reached_are_an_error() {
    let server = Server::with(&[("HEADWATER_WEBHOOKS__ALLOW_NETWORKS", "")]);
    let bench = ["bench", "webhook", "--creates", "--dead", "2", "--seconds", "1"];
    let refusal = server.run(&bench).refusal();
    assert!(refusal.contains("webhooks.allow_networks"), "{refusal}");
    none_is_left(&server.client()).await;
}

#[test]
fn what_does_not_go_together_is_refused_by_name() {
    let cases: [(&[&str], &str); 12] = [
        (&["create", "--replay"], "--replay is for the workload webhook alone"),
        (&["fanout", "--dead", "3"], "--dead is for the workload webhook alone"),
        (&["webhook", "--documents", "5"], "--documents goes with --replay or --backlog"),
        (&["webhook", "--replay", "--documents", "0"], "--documents is 0"),
        (&["webhook", "--filter", "{}"], "--filter is not for"),
        (&["webhook", "--own-filters"], "--own-filters is not for"),
        (&["webhook", "--replay", "--backlog"], "--backlog"),
        (&["webhook", "--replay", "--dead", "3"], "--dead"),
        (&["webhook", "--backlog", "--rate", "3"], "--rate"),
        (&["webhook", "--creates"], "--dead"),
        (&["webhook", "--creates", "--dead", "3", "--receivers", "2"], "--receivers"),
        (&["webhook", "--rounds", "3"], "--dead"),
    ];
    for (options, words) in cases {
        let refusal = headwater(&[&["bench"], options].concat(), &[], "").refusal();
        assert!(refusal.contains(words), "{options:?}: {refusal}");
    }
}
