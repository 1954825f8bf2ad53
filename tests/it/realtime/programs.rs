//! The examples for a shell, Node and Python that need nothing but streams.

use serde_json::json;

use super::{Example, change, create, delete, logged};
use crate::harness::{ROOT, Server};

#[tokio::test]
async fn curl_shows_the_frames() {
    let server = Server::start();
    let client = server.client();
    let first = create(&client, json!({"_id": "a1", "total": 42})).await;
    let second = change(&client, "a1", json!({"total": 43})).await;
    let example = Example::start(&server, ROOT, "follow.sh", &[]);
    let third = delete(&client, "a1").await;
    example.program.wait("three frames", |lines| ids(lines) == [first, second, third]).await;
    let lines = example.program.lines();
    assert_eq!(lines[0], "retry: 1000");
    let kinds: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(kinds, ["document.created", "document.updated", "document.deleted"]);
}

#[tokio::test]
async fn curl_shows_less_of_it() {
    let server = Server::start();
    let client = server.client();
    create(&client, json!({"_id": "small", "total": 1, "text": "-"})).await;
    create(&client, json!({"_id": "great", "total": 100, "text": "-"})).await;
    // Of several events only the newest, and not the one that never matched.
    let newest = change(&client, "great", json!({"total": 200})).await;
    let example = Example::start(&server, ROOT, "less.sh", &[]);
    example.program.wait("one frame", |lines| ids(lines) == [newest]).await;
    // While it follows, every event; also the one that takes the document out of the filter.
    let live = [
        change(&client, "great", json!({"total": 150})).await,
        change(&client, "great", json!({"total": 5})).await,
    ];
    example.program.wait("the next ones", |lines| ids(lines) == [newest, live[0], live[1]]).await;
    let lines = example.program.lines();
    let data = lines.iter().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let event: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(event["document"], json!({"_id": "great", "total": 200}));
    assert_eq!(event["changed"], json!(["total"]));
}

/// The positions of frames.
fn ids(lines: &[String]) -> Vec<u64> {
    lines.iter().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect()
}

async fn follows_and_goes_on(name: &str) {
    let mut server = Server::start();
    let client = server.client();
    create(&client, json!({"_id": "a1", "text": "\u{2028}\u{85}\u{c}\r\n\"ä\" \u{1f600}"})).await;
    let second = create(&client, json!({"_id": "a2"})).await;
    let all = Example::start(&server, ROOT, name, &[]);
    let later = Example::start(&server, ROOT, name, &[&second.to_string()]);
    change(&client, "a1", json!({"total": 1})).await;
    let expected = logged(&client, "orders", 0).await;
    all.program.wait("three events", |lines| lines == expected).await;
    server.kill();
    server.restart();
    delete(&client, "a2").await;
    let expected = logged(&client, "orders", 0).await;
    all.program.wait("the fourth, after a restart", |lines| lines == expected).await;
    later.program.wait("those after a position", |lines| lines == &expected[2..]).await;
}

#[tokio::test]
async fn node_follows_events_and_goes_on() {
    follows_and_goes_on("follow.mjs").await;
}

#[tokio::test]
async fn python_follows_events_and_goes_on() {
    follows_and_goes_on("follow.py").await;
}

#[tokio::test]
async fn whoever_is_refused_is_told_and_stops() {
    let server = Server::start();
    for name in ["follow.mjs", "follow.py"] {
        let example = Example::start(&server, "hw_wrong", name, &[]);
        crate::harness::eventually("a refusal", async || {
            example.program.errors().contains("401").then_some(())
        })
        .await;
        assert_eq!(example.program.lines(), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn python_keeps_a_live_query() {
    let mut server = Server::start();
    let client = server.client();
    create(&client, json!({"_id": "a", "status": "open", "total": 5})).await;
    let ready = create(&client, json!({"_id": "b", "status": "paid", "total": 7})).await;
    let example = Example::start(&server, ROOT, "live.py", &[]);
    let mut expected = vec![format!("{ready} 1 5")];
    example.program.wait("the snapshot", |lines| lines == expected).await;
    expected.push(format!("{} 2 12", change(&client, "b", json!({"status": "open"})).await));
    expected.push(format!("{} 2 13", change(&client, "a", json!({"total": 6})).await));
    example.program.wait("what enters and changes", |lines| lines == expected).await;
    server.kill();
    server.restart();
    expected.push(format!("{} 1 6", delete(&client, "b").await));
    expected.push(format!("{} 0 0", change(&client, "a", json!({"status": "paid"})).await));
    create(&client, json!({"_id": "c", "status": "paid", "total": 1})).await;
    expected.push(format!(
        "{} 1 9",
        create(&client, json!({"_id": "d", "status": "open", "total": 9})).await
    ));
    example.program.wait("what leaves, after a restart", |lines| lines == expected).await;
}
