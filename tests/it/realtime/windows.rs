//! The example of a window: the first few documents in an order, kept full.

use serde_json::json;

use super::{Example, change, create, delete};
use crate::harness::{ROOT, Server};

#[tokio::test]
async fn node_keeps_the_best_three() {
    let mut server = Server::start();
    let client = server.client();
    for (id, total) in [("a", 10), ("b", 20), ("c", 30), ("d", 40)] {
        create(&client, json!({"_id": id, "total": total})).await;
    }
    let example = Example::start(&server, ROOT, "top.mjs", &[]);
    let last =
        |line: &'static str| move |lines: &[String]| lines.last().is_some_and(|last| last == line);
    example.program.wait("the best three", last("d=40 c=30 b=20")).await;
    change(&client, "b", json!({"total": 35})).await;
    example.program.wait("one that changes within it", last("d=40 b=35 c=30")).await;
    create(&client, json!({"_id": "e", "total": 38})).await;
    example.program.wait("one that enters a full window", last("d=40 e=38 b=35")).await;
    delete(&client, "d").await;
    example.program.wait("one that fills a gap", last("e=38 b=35 c=30")).await;
    server.kill();
    server.restart();
    change(&client, "a", json!({"total": 50})).await;
    example.program.wait("a change after a restart", last("a=50 e=38 b=35")).await;
    change(&client, "a", json!({"total": 1})).await;
    example.program.wait("one that sinks out of it", last("e=38 b=35 c=30")).await;
    // At each position that it showed, the window was full.
    for line in example.program.lines() {
        assert_eq!(line.split(' ').count(), 3, "{line}");
    }
}
