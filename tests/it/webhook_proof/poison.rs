//! A document whose deliveries fail for ever gets updates without end, and others' deliveries flow (R18).

use serde_json::json;

use super::receiver::{Behaviour, Receiver};
use super::{ORDERS, register};
use crate::endurance::is_long;
use crate::harness::{Client, Server, eventually};

/// Updates of the document between two looks at the others.
const STEP: usize = 50;

async fn update(client: &Client) {
    let path = format!("{ORDERS}/poison");
    let updates = (0..STEP).map(|_| client.patch(&path, &json!({"$inc": {"n": 1}})));
    for update in futures_util::future::join_all(updates).await {
        update.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_others_flow_past_a_poison_document_however_much_waits_behind_it() {
    let updates = if is_long() { 12_000 } else { 300 };
    // It is never given up while the test runs.
    let server = Server::with(&[("HEADWATER_WEBHOOKS__RETRY_SCHEDULE", "0s,10ms,50ms,1h")]);
    let client = server.client();
    let receiver = Receiver::start(|request| {
        let poison = request.json()["id"] == "poison";
        Behaviour::status(if poison { 500 } else { 204 })
    });
    let webhook = register(&client, &receiver.url("/hook"), json!({})).await;
    client.post(ORDERS, &json!({"_id": "poison", "n": 0})).await.expect(201);
    for done in 1..=updates / STEP {
        update(&client).await;
        client.post(ORDERS, &json!({"_id": done})).await.expect(201);
        client.patch(&format!("{ORDERS}/{done}"), &json!({"n": 1})).await.expect(200);
        let what = format!("the other documents, beside {} of the poison", done * STEP);
        eventually(&what, async || (receiver.taken("/hook") >= 2 * done).then_some(())).await;
    }
    let requests = receiver.requests();
    let versions = requests.iter().filter(|one| one.json()["id"] == "poison");
    let behind = versions.filter(|one| one.json()["version"] != 1).count();
    assert_eq!(behind, 0, "nothing comes before what is not settled");
    let read = client.get(&webhook).await.expect(200).body;
    assert_eq!((&read["failing"], &read["dead"]), (&json!(1), &json!(0)));
}
