//! The main job, end to end: post, stream, webhook, kill, resume, replay.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Packages, Received, Receiver, Server, eventually};
use crate::webhooks::register;

const ORDERS: &str = "/v1/collections/orders/documents";

/// The ids under which each position was delivered.
fn ids(received: &[Received]) -> BTreeMap<u64, String> {
    let mut ids = BTreeMap::new();
    for one in received {
        let id = ids.entry(one.position()).or_insert_with(|| one.id().to_owned());
        assert_eq!(id, one.id(), "a double carries the same id");
    }
    ids
}

#[tokio::test]
async fn r1_r12_r15_r19_nothing_acknowledged_is_lost_and_everything_is_sent_again() {
    let mut server = Server::start();
    let client = server.client();
    let receiver = Receiver::start();
    let (_, registered) = register(&client, &receiver, json!({})).await;
    let mut stream = client.stream("/v1/events?collections=orders", &[]).await;

    // Posted: at once in the stream and at the receiver, signed.
    let document = json!({"_id": "first", "customer": "Ann", "total": 42});
    let first = client.post(ORDERS, &document).await.expect(201).position();
    let frame = stream.next().await.unwrap();
    assert_eq!((frame.position(), &frame.data["document"]), (first, &document));
    let delivered = receiver.wait(1).await.remove(0);
    assert_eq!(delivered.json(), frame.data);
    let signed = json!({"secret": registered.body["secret"], "headers": delivered.headers,
        "body": delivered.body});
    let accepted = Packages::installed().python("verify.py", &[signed]);
    assert_eq!(accepted, [json!(["standardwebhooks", "svix"])]);

    // Killed in the middle of many writers.
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let client = client.clone();
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for n in 0.. {
                    let id = format!("{writer}-{n}");
                    match client.try_post(ORDERS, &json!({"_id": id})).await {
                        Some(answer) => acknowledged.push((id, answer.expect(201).position())),
                        None => break,
                    }
                }
                acknowledged
            })
        })
        .collect();
    let mut seen: Vec<u64> = stream.take(100).await.iter().map(|one| one.position()).collect();
    server.kill();
    seen.extend(stream.rest().await.iter().map(|one| one.position()));
    let mut acknowledged: Vec<(String, u64)> = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    server.restart();

    // Nothing acknowledged is lost, and the order has no hole.
    for (id, _) in &acknowledged {
        client.get(&format!("{ORDERS}/{id}")).await.expect(200);
    }
    let last = client.post(ORDERS, &json!({"_id": "last"})).await.expect(201).position();
    let log = every_event(&client).await;
    assert_eq!(
        log.iter().map(|one| one["position"].as_u64().unwrap()).collect::<Vec<_>>(),
        (1..=last).collect::<Vec<_>>()
    );
    for (id, position) in &acknowledged {
        assert_eq!(&log[*position as usize - 1]["id"], id);
    }

    // The subscriber goes on after the last event it saw: no gap, no double.
    let id = seen.last().unwrap().to_string();
    let path = "/v1/events?collections=orders";
    let mut stream = client.stream(path, &[("last-event-id", &id)]).await;
    while seen.last() != Some(&last) {
        seen.push(stream.next().await.unwrap().position());
    }
    seen.insert(0, first);
    let orders = log.iter().filter(|event| event["collection"] == "orders");
    let orders: Vec<u64> = orders.map(|event| event["position"].as_u64().unwrap()).collect();
    assert_eq!(seen, orders);

    // Everything reaches the receiver, and all of it again under the same ids.
    let before = eventually("all deliveries", async || {
        let ids = ids(&receiver.received());
        (ids.len() == orders.len()).then_some(ids)
    })
    .await;
    // Doubles of attempts that the kill cut off may still be under way.
    let webhook = format!("/v1/webhooks/{}", registered.body["id"].as_str().unwrap());
    eventually("a settled webhook", async || {
        let read = client.get(&webhook).await.expect(200).body;
        (read["outstanding"] == 0).then_some(())
    })
    .await;
    receiver.clear();
    let replay = json!({"webhook": registered.body["id"], "from": 0});
    let started = client.post("/v1/admin/replay", &replay).await.expect(202);
    assert_eq!(started.body["matched"], orders.len());
    let again = eventually("the replay", async || {
        let received = receiver.received();
        (received.len() == orders.len()).then_some(received)
    })
    .await;
    assert_eq!(ids(&again), before);
}

async fn every_event(client: &crate::harness::Client) -> Vec<Value> {
    let (mut events, mut from) = (Vec::new(), 0);
    loop {
        let page = client.get(&format!("/v1/events?from={from}&limit=1000")).await.expect(200);
        events.extend(page.list("events").iter().cloned());
        from = page.body["next"].as_u64().unwrap();
        if from == page.body["last"].as_u64().unwrap() {
            return events;
        }
    }
}
