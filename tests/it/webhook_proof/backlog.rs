//! A backlog that was written while a webhook was paused: all of it comes, in order per document, each event once (R15).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::account::position;
use super::receiver::{Behaviour, Receiver};
use super::{ORDERS, events, register, settled};
use crate::endurance::is_long;
use crate::harness::Server;

/// Fewer than deliveries at a time, so that several events of each document would be under way if they could.
const DOCUMENTS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_a_kept_backlog_comes_in_order_each_event_once() {
    let backlog = if is_long() { 20_000 } else { 2000 };
    let server = Server::start();
    let client = server.client();
    // Some answers take longer than others.
    let receiver = Receiver::start(|one| Behaviour::slow(Duration::from_millis(one.at % 4)));
    let webhook = register(&client, &receiver.url("/hook"), json!({"timeout_ms": 60_000})).await;
    client.patch(&webhook, &json!({"active": false})).await.expect(200);
    let documents: Vec<_> = (0..DOCUMENTS).map(|n| json!({"_id": n, "n": 0})).collect();
    client.post(ORDERS, &json!(documents)).await.expect(201);
    let all = json!({"filter": {}, "update": {"$inc": {"n": 1}}, "multi": true});
    for _ in 1..backlog / DOCUMENTS {
        client.post("/v1/collections/orders/update", &all).await.expect(200);
    }
    assert_eq!(receiver.count(), 0, "it is paused");
    client.patch(&webhook, &json!({"active": true, "backlog": "keep"})).await.expect(200);
    let read = settled(&client, &webhook).await;
    let mut expected: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for event in events(&client).await {
        expected.entry(event["id"].to_string()).or_default().push(position(&event));
    }
    let mut received: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut settled_at: BTreeMap<String, u64> = BTreeMap::new();
    for request in receiver.requests() {
        let event = request.json();
        let document = event["id"].to_string();
        received.entry(document.clone()).or_default().push(position(&event));
        let before = settled_at.insert(document, request.taken_at.unwrap());
        assert!(before.is_none_or(|before| before < request.at), "the one before is not settled");
    }
    assert_eq!(received, expected);
    assert_eq!(read["attempts"], json!({"succeeded": backlog, "failed": 0}));
}
