//! The examples of WebSockets: two subscriptions on one connection, over a restart.

use serde_json::{Value, json};

use super::{Example, change, create, delete, page, web_key};
use crate::harness::{Client, ROOT, Server, eventually};

/// The lines of one subscription.
fn of<'a>(lines: &'a [String], reference: &str) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.strip_prefix(reference)?.strip_prefix(' ')).collect()
}

/// The picture that the lines of the live query leave: ids and totals.
fn picture(lines: &[String]) -> Value {
    let (mut shown, mut coming) = (json!({}), json!({}));
    for line in of(lines, "open") {
        let (_, rest) = line.split_once(' ').unwrap();
        let (event, data) = rest.split_once(' ').unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        let id = data["id"].as_str().unwrap_or_default();
        match event {
            "snapshot" => {
                coming[data["document"]["_id"].as_str().unwrap()] =
                    data["document"]["total"].clone()
            }
            "ready" => shown = std::mem::replace(&mut coming, json!({})),
            "reset" => coming = json!({}),
            "enter" | "update" => shown[id] = data["document"]["total"].clone(),
            "leave" => drop(shown.as_object_mut().unwrap().remove(id)),
            other => panic!("what is {other}?"),
        }
    }
    shown
}

/// The events of both collections: position, kind and event.
async fn logged(client: &Client) -> Vec<Value> {
    let page = client.get("/v1/events?collections=orders,customers&limit=1000").await.expect(200);
    let told = |event: &Value| json!([event["position"], event["kind"], event]);
    page.list("events").iter().map(told).collect()
}

/// The same, as the first subscription told it.
fn events(lines: &[String]) -> Vec<Value> {
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let told = |line: &str| {
        let mut parts = line.splitn(3, ' ');
        let mut part = || parts.next().unwrap();
        json!([value(part()), part(), value(part())])
    };
    of(lines, "all").into_iter().map(told).collect()
}

/// Writes before and after a restart; what is printed must be what was logged, and the picture the query's result.
async fn follows_both(server: &mut Server, lines: &impl Fn() -> Vec<String>) {
    let client = server.client();
    let expect = async |what: &str, shown: Value| {
        let expected = logged(&client).await;
        eventually(what, async || {
            let lines = lines();
            (events(&lines) == expected && picture(&lines) == shown).then_some(())
        })
        .await;
    };
    expect("what was there before", json!({"a": 5})).await;
    client.post("/v1/collections/customers/documents", &json!({"_id": "ann"})).await.expect(201);
    change(&client, "b", json!({"status": "open"})).await;
    expect("what happens", json!({"a": 5, "b": 7})).await;
    server.kill();
    server.restart();
    delete(&client, "a").await;
    change(&client, "b", json!({"total": 8})).await;
    client.delete("/v1/collections/customers/documents/ann").await.expect(200);
    expect("what happens after a restart", json!({"b": 8})).await;
    assert!(server.stop().success());
    server.restart();
    change(&client, "b", json!({"total": 9})).await;
    expect("what happens after a stop", json!({"b": 9})).await;
    let lines = lines();
    let snapshots = of(&lines, "open").iter().filter(|line| line.contains(" ready ")).count();
    assert_eq!(snapshots, 1, "it goes on without another snapshot");
}

async fn prepared() -> Server {
    let server = Server::start();
    let client = server.client();
    create(&client, json!({"_id": "a", "status": "open", "total": 5})).await;
    create(&client, json!({"_id": "b", "status": "paid", "total": 7})).await;
    server
}

#[tokio::test]
async fn node_follows_both_on_one_socket() {
    let mut server = prepared().await;
    let example = Example::start(&server, ROOT, "many.mjs", &[]);
    follows_both(&mut server, &|| example.program.lines()).await;
}

#[tokio::test]
async fn python_follows_both_on_one_socket() {
    let mut server = prepared().await;
    let example = Example::start(&server, ROOT, "many.py", &[]);
    follows_both(&mut server, &|| example.program.lines()).await;
}

#[tokio::test]
async fn a_browser_follows_both_on_one_socket() {
    let mut server = prepared().await;
    let reading = json!({"collections": {"*": ["read", "subscribe"]}});
    let key = web_key(&server.client(), reading).await;
    let page = page(&server, &key, "many.html", "");
    let lines = || {
        let mut lines = page.lines();
        // That the server stops is said, too.
        lines.retain(|line| !line.ends_with(": stopping"));
        lines
    };
    follows_both(&mut server, &lines).await;
}
