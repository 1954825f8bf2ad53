//! The promises of webhooks, proven on the real binary: nothing is lost over kills and misbehaving receivers, documents
//! keep their order, and nobody waits for a receiver that does not answer. With `HEADWATER_LONG` the counts are those
//! that the promises name.

mod account;
mod backlog;
mod dead;
mod kills;
mod poison;
mod receiver;
mod recovery;
mod writers;

use std::time::Instant;

use serde_json::{Value, json};

use crate::harness::{Client, PATIENCE};

const ORDERS: &str = "/v1/collections/orders/documents";

/// Registers a webhook for the orders; its path.
async fn register(client: &Client, url: &str, more: Value) -> String {
    let mut body = json!({"url": url, "collections": ["orders"]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = client.post("/v1/webhooks", &body).await.expect(201);
    format!("/v1/webhooks/{}", answer.body["id"].as_str().unwrap())
}

/// Waits until a webhook has nothing left to do, as long as it goes on at all.
async fn settled(client: &Client, webhook: &str) -> Value {
    let mut seen = Value::Null;
    let begun = Instant::now();
    let mut since = begun;
    loop {
        let read = client.get(webhook).await.expect(200).body;
        if read["outstanding"] == 0 && read["lag_events"] == 0 {
            return read;
        }
        let now = json!([read["lag_events"], read["attempts"], read["dead"]]);
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "{webhook} does not go on: {read}");
        assert!(begun.elapsed() < PATIENCE * 20, "{webhook} does not come to an end: {read}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Every event of the orders, in order.
async fn events(client: &Client) -> Vec<Value> {
    let mut all = Vec::new();
    let mut from = 0;
    loop {
        let path = format!("/v1/events?collections=orders&limit=1000&from={from}");
        let page = client.get(&path).await.expect(200);
        all.extend(page.list("events").iter().cloned());
        let next = page.body["next"].as_u64().unwrap();
        if page.body["last"].as_u64().unwrap() <= next {
            return all;
        }
        from = next;
    }
}
