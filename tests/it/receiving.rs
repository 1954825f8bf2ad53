//! The programs of `docs/webhooks.md`, run as they stand against the real server.
//!
//! A block of code in the document has its file's name in its first line.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Client, Packages, Program, ROOT, Receiver, Server, eventually};
use crate::webhooks::register;

const ORDERS: &str = "/v1/collections/orders/documents";

/// The blocks of code of the document, by the names in their first lines.
fn examples() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/webhooks.md");
    let document = std::fs::read_to_string(path).unwrap();
    let blocks = document.split("\n```").enumerate().filter(|(number, _)| number % 2 == 1);
    let examples = blocks.map(|(_, block)| {
        let (_, text) = block.split_once('\n').unwrap();
        let name = text.lines().next().unwrap().trim_start_matches(['#', '/', ' ']);
        (name.to_owned(), format!("{text}\n"))
    });
    examples.collect()
}

/// A program of the document, ready to run in a directory of its own.
fn program(name: &str) -> (Command, TempDir) {
    let packages = Packages::installed();
    let directory = packages.directory();
    let path = directory.path().join(name);
    let (_, text) = examples().into_iter().find(|(known, _)| known == name).unwrap();
    std::fs::write(&path, text).unwrap();
    let mut command = packages.command(&path);
    command.current_dir(directory.path());
    (command, directory)
}

/// Runs a shell example to its end; its output.
fn run(server: &Server, name: &str, variable: &str, value: &str) -> String {
    let (mut command, _directory) = program(name);
    let with = command.env("HEADWATER_URL", server.url()).env("HEADWATER_KEY", ROOT);
    let output = with.env(variable, value).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{name}: {text} {}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn every_example_of_the_document_is_run_by_a_test() {
    let names: Vec<String> = examples().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["register.sh", "receive.py", "receive.mjs", "replay.sh"]);
}

#[tokio::test]
async fn the_shell_registers_and_replays() {
    let server = Server::start();
    let client = server.client();
    let receiver = Receiver::start();
    let answer = run(&server, "register.sh", "RECEIVER_URL", &receiver.url("/hook"));
    let answer: Value = serde_json::from_str(&answer).unwrap();
    client.post(ORDERS, &json!({"_id": 1, "total": 5, "status": "open"})).await.expect(201);
    let order = json!({"_id": 2, "total": 500, "status": "open", "text": "-"});
    client.post(ORDERS, &order).await.expect(201);
    let first = receiver.wait(1).await.remove(0);
    let shown = json!({"_id": 2, "total": 500, "status": "open"});
    assert_eq!(first.json()["document"], shown);
    let answers = run(&server, "replay.sh", "WEBHOOK", answer["id"].as_str().unwrap());
    let answers: Vec<Value> =
        answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&answers[0]["matched"], &answers[1]["matched"]), (&json!(1), &json!(1)));
    let again = receiver.wait(2).await.remove(1);
    assert_eq!((again.id(), &again.body), (first.id(), &first.body));
}

/// The receiver handles each event once, whatever comes again, and nothing that is not signed.
async fn receives(name: &str) {
    const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";
    let server = Server::start();
    let client = server.client();
    let (mut command, _directory) = program(name);
    let receiving = Program::start({
        command.env("WEBHOOK_SECRET", SECRET).env("PORT", "0");
        command
    });
    let port = eventually("the receiver's port", async || {
        let first = receiving.lines().first().cloned()?;
        first.strip_prefix("listening ")?.parse::<u16>().ok()
    })
    .await;
    let url = format!("http://127.0.0.1:{port}/hook");
    let unused = Receiver::start();
    let given = json!({"url": url, "secret": SECRET});
    let (webhook, _) = register(&client, &unused, given).await;
    let first = client.post(ORDERS, &json!({"_id": "a"})).await.expect(201).position();
    let second = client.post(ORDERS, &json!({"_id": "ä"})).await.expect(201).position();
    let expected = [format!("{first} document.created a"), format!("{second} document.created ä")];
    let handled = |lines: &[String]| {
        let mut handled = lines[1..].to_vec();
        handled.sort();
        handled == expected
    };
    receiving.wait("both events", handled).await;
    replayed(&client, &webhook).await;
    // Of another secret nothing is taken.
    let (forged, _) = register(&client, &unused, json!({"url": url, "from": 0})).await;
    let test = client.post(&format!("{forged}/test"), &json!({})).await.expect(200);
    assert_eq!(test.body["status_code"], 400);
    assert!(handled(&receiving.lines()), "once each: {:?}", receiving.lines());
}

/// Sends both events again, and waits until the receiver has taken them.
async fn replayed(client: &Client, webhook: &str) {
    let started = client.post(&format!("{webhook}/replay"), &json!({"from": 0})).await.expect(202);
    let path = format!("/v1/admin/replay/{}", started.body["replay"].as_str().unwrap());
    eventually("the replay's end", async || {
        let state = client.get(&path).await.expect(200).body;
        (state["status"] == "done" && state["succeeded"] == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn python_receives_each_event_once() {
    receives("receive.py").await;
}

#[tokio::test]
async fn node_receives_each_event_once() {
    receives("receive.mjs").await;
}
