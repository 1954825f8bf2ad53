//! `/realtime` as the vendor's document and its generated client use it: curl's samples, a page's `EventSource`.

use serde_json::{Value, json};

use super::pattern::is_time;
use super::recorded::{Recorded, Reply, prepare};
use super::stage::{Stage, web_key};
use crate::harness::wire::Wire;
use crate::harness::{Program, ROOT, Server};

#[tokio::test]
async fn recorded_subscriptions_begin_with_a_ping() {
    let server = Server::start();
    prepare(&server.client()).await;
    for name in ["subscribe", "subscribe-parameter"] {
        let request = Recorded::read("curl-realtime", name);
        let mut wire = Wire::open(&server).await;
        wire.send(&request.bytes).await;
        let reply = Reply::head(&mut wire).await;
        assert_eq!(request.expected["status"], reply.status, "{name}: {}", reply.head);
        let kind = reply.header("content-type").to_ascii_lowercase();
        assert!(
            [
                "text/event-stream",
                "text/event-stream;charset=utf-8",
                "text/event-stream; charset=utf-8"
            ]
            .contains(&kind.as_str()),
            "{kind}"
        );
        let first = wire.until("event: ping\n").await;
        assert!(!first.contains("\ndata: "), "{first:?}");
        let data = wire.until("\n\n").await;
        let date = data.strip_prefix("data: ").unwrap().trim_end();
        assert!(is_time(date), "{date}");
    }
}

#[tokio::test]
async fn a_recorded_publication_is_answered() {
    let server = Server::start();
    let request = Recorded::read("curl-realtime", "publish");
    let mut wire = Wire::open(&server).await;
    wire.send(&request.bytes).await;
    let reply = Reply::read(&mut wire).await;
    assert_eq!(request.wrong(&reply), None);
}

#[tokio::test]
async fn s0_curl_subscribes_and_publishes() {
    let mut stage = Stage::secure().await;
    stage.with_tls();
    let program = Program::start(stage.command("s0-realtime-subscribe.sh", ROOT));
    let has = |lines: &[String], start: &str| lines.iter().any(|line| line.starts_with(start));
    program.wait("a ping", |lines| has(lines, "event: ping")).await;
    assert!(program.lines()[0].ends_with(" 200 OK") || program.lines()[0].ends_with(" 200 "));
    let printed = stage.run("s0-realtime-publish.sh", ROOT);
    assert!(printed.lines().next().unwrap().contains(" 200"), "{printed}");
    program.wait("the event", |lines| has(lines, "event: publish")).await;
    // The generated client compares the event of the JSON itself with the name that it listens to.
    let wanted = (json!("answer"), json!({"name": 42}));
    program
        .wait("its data", |lines| {
            let data = lines.iter().filter_map(|line| line.strip_prefix("data: "));
            let mut all = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
            all.any(|one| (&one["event"], &one["data"]) == (&wanted.0, &wanted.1))
        })
        .await;
}

#[tokio::test]
async fn s0_a_page_follows_by_its_eventsource() {
    let stage = Stage::plain().await;
    let page = stage.page("s0-eventsource.html", &web_key(&stage.root, json!({})).await);
    let has = |found: &Value, start: &str| {
        let items = found["items"].as_array();
        items.is_some_and(|all| {
            all.iter().any(|one| one["text"].as_str().unwrap().starts_with(start))
        })
    };
    page.wait("a ping", |found| has(found, "ping")).await;
    let made =
        stage.root.post("/rest/motorbikes", &json!({"Model": "Mito"})).await.expect(201).body;
    let path = format!("/rest/motorbikes/{}", made["_id"].as_str().unwrap());
    stage.root.patch(&path, &json!({"Year": 1990})).await.expect(200);
    stage.root.delete(&path).await.expect(200);
    for name in ["post ", "put ", "delete "] {
        page.wait(name, |found| has(found, name)).await;
    }
    let lines = page.lines();
    let data = |name: &str| -> Value {
        let line = lines.iter().find_map(|line| line.strip_prefix(name)).unwrap();
        serde_json::from_str(line).unwrap()
    };
    assert_eq!(data("post ")["data"]["Model"], "Mito");
    assert_eq!(data("put ")["data"], made["_id"]);
    assert_eq!(data("delete ")["data"], json!([made["_id"]]));
    assert!(!lines.iter().any(|line| line.starts_with("a wrong ping")), "{lines:?}");
}
