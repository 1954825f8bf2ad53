//! The rules of the generated JavaScript client for realtime, played in Node against the server: with a key, and with the
//! token of a user.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{id, provider};
use crate::harness::{Client, Program, ROOT, Server};

/// The calls of listeners, in their order.
fn calls(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn has(lines: &[String], call: &str) -> bool {
    calls(lines).iter().any(|line| line["call"] == call)
}

/// The client, with the beginning of its query string; it has had its first ping.
async fn start(server: &Server, credential: &str) -> Program {
    let mut node = Command::new("node");
    node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/restdb/realtime.mjs"));
    node.args([&server.url(), credential, "100", "6000"]);
    let program = Program::start(node);
    program.wait("the first ping", |lines| has(lines, "PING")).await;
    program
}

/// A document comes, changes twice and goes, and a custom event is published.
async fn everything_is_told(root: &Client, program: &Program) {
    let made = root.post("/rest/chat", &json!({"text": "hi"})).await.expect(201).body;
    let path = format!("/rest/chat/{}", id(&made));
    root.put(&path, &json!({"text": "ho"})).await.expect(200);
    root.patch(&path, &json!({"text": "hm"})).await.expect(200);
    root.delete(&path).await.expect(200);
    let answer = json!({"event": "answer", "data": {"name": 42}});
    assert_eq!(root.post("/realtime", &answer).await.expect(200).body, answer);
    program.wait("the custom event", |lines| has(lines, "answer")).await;
    let told = calls(&program.lines());
    let names: Vec<&str> = told.iter().map(|line| line["call"].as_str().unwrap()).collect();
    let wanted =
        ["CONNECT", "PING", "POST", "watched", "PUT", "watched", "PUT", "DELETE", "answer"];
    assert_eq!(names, wanted);
    let data = |at: usize| {
        assert!(at == 8 || told[at]["data"]["collection"] == "chat", "{}", told[at]);
        &told[at]["data"]["data"]
    };
    assert_eq!(*data(2), made);
    assert_eq!((data(4), data(6)), (&made["_id"], &made["_id"]));
    assert_eq!((&told[3]["data"], &told[5]["data"]), (&made["_id"], &made["_id"]));
    assert_eq!((data(7), data(8)), (&json!([made["_id"]]), &json!({"name": 42})));
}

/// A server that gives no sign any more is left for a new connection.
async fn silence_is_left(server: &Server, root: &Client, program: &Program) {
    server.signal("STOP");
    program.wait("a new connection", |lines| has(lines, "OLD")).await;
    server.signal("CONT");
    let pings = |lines: &[String]| calls(lines).iter().filter(|one| one["call"] == "PING").count();
    program.wait("being connected again", |lines| pings(lines) == 2).await;
    assert!(has(&program.lines(), "RECONNECT"));
    root.post("/rest/chat", &json!({"text": "again"})).await.expect(201);
    let is_it = |one: &Value| one["data"]["data"]["text"] == "again";
    program.wait("the next document", |lines| calls(lines).iter().any(is_it)).await;
}

#[tokio::test]
async fn the_rules_of_the_generated_client_hold_for_a_key() {
    let server = Server::with(&[("HEADWATER_SERVER__HEARTBEAT_MS", "200")]);
    let root = server.client();
    let program = start(&server, &format!("apikey={ROOT}")).await;
    everything_is_told(&root, &program).await;
    silence_is_left(&server, &root, &program).await;
}

#[tokio::test]
async fn the_rules_of_the_generated_client_hold_for_a_token() {
    let server = Server::with(&[("HEADWATER_SERVER__HEARTBEAT_MS", "200")]);
    let root = server.client();
    let realtime = json!({"sub": ["*:chat", "answer"]});
    let token = provider::token(&root, json!({"chat": {"read": true}}), realtime).await;
    // As it does where it has no key for realtime: the token stands for it, too.
    let program = start(&server, &format!("jwt={token}&rt-apikey={token}")).await;
    root.post("/rest/others", &json!({"text": "of no concern"})).await.expect(201);
    everything_is_told(&root, &program).await;
    silence_is_left(&server, &root, &program).await;
}
