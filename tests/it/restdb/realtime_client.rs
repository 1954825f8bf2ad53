//! The rules of the generated JavaScript client, played in Node against the server.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::id;
use crate::harness::{Program, ROOT, Server};

/// The calls of listeners, in their order.
fn calls(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn has(lines: &[String], call: &str) -> bool {
    calls(lines).iter().any(|line| line["call"] == call)
}

#[tokio::test]
async fn the_rules_of_the_generated_client_hold() {
    let server = Server::with(&[("HEADWATER_SERVER__HEARTBEAT_MS", "200")]);
    let root = server.client();
    let mut node = Command::new("node");
    node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/restdb/realtime.mjs"));
    node.args([root.url(), ROOT, "100", "6000"]);
    let program = Program::start(node);
    program.wait("the first ping", |lines| has(lines, "PING")).await;
    let made = root.post("/rest/chat", &json!({"text": "hi"})).await.expect(201).body;
    program.wait("the document", |lines| has(lines, "POST")).await;
    let path = format!("/rest/chat/{}", id(&made));
    root.patch(&path, &json!({"text": "ho"})).await.expect(200);
    root.delete(&path).await.expect(200);
    root.post("/realtime", &json!({"event": "answer", "data": 42})).await.expect(200);
    program.wait("the custom event", |lines| has(lines, "answer")).await;
    let told = calls(&program.lines());
    let of = |call: &str| told.iter().find(|line| line["call"] == call).unwrap()["data"].clone();
    assert_eq!(
        (of("POST")["data"].clone(), of("POST")["collection"].clone()),
        (made.clone(), json!("chat"))
    );
    assert_eq!(of("PUT")["data"], made["_id"]);
    assert_eq!(of("watched"), true, "data.data is the _id");
    assert_eq!(of("DELETE")["data"], json!([made["_id"]]));
    assert_eq!((&of("answer")["event"], &of("answer")["data"]), (&json!("answer"), &json!(42)));
    // A server that gives no sign any more is left for a new connection.
    server.signal("STOP");
    program.wait("a new connection", |lines| has(lines, "OLD")).await;
    server.signal("CONT");
    program.wait("being connected again", |lines| has(lines, "RECONNECT")).await;
    let before = calls(&program.lines()).len();
    root.post("/rest/chat", &json!({"text": "again"})).await.expect(201);
    program
        .wait("the next document", |lines| {
            calls(lines)[before..].iter().any(|line| line["data"]["data"]["text"] == "again")
        })
        .await;
}
