//! Replays: the past again, under the same ids.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Client, Received, Receiver, Reply, Server, eventually};
use crate::webhooks::register;

const ORDERS: &str = "/v1/collections/orders/documents";

/// Waits for a replay's end.
async fn finished(client: &Client, started: &Value) -> Value {
    let path = format!("/v1/admin/replay/{}", started["replay"].as_str().unwrap());
    eventually("the end of the replay", async || {
        let state = client.get(&path).await.expect(200).body;
        (state["status"] != "running").then_some(state)
    })
    .await
}

fn ids(received: &[Received]) -> BTreeMap<u64, String> {
    received.iter().map(|one| (one.position(), one.id().to_owned())).collect()
}

async fn written(client: &Client, receiver: &Receiver, count: usize) -> Vec<u64> {
    let mut positions = Vec::new();
    for _ in 0..count {
        positions.push(client.post(ORDERS, &json!({})).await.expect(201).position());
    }
    receiver.wait(count).await;
    positions
}

#[tokio::test]
async fn r19_a_replay_is_counted_first_and_sends_the_same_events_under_the_same_ids() {
    let server = Server::start();
    let client = server.client();
    let receiver = Receiver::start();
    let (webhook, answer) = register(&client, &receiver, json!({})).await;
    let id = &answer.body["id"];
    let positions = written(&client, &receiver, 6).await;
    let before = ids(&receiver.received());
    receiver.clear();
    let dry = json!({"webhook": id, "from": 0, "dry_run": true});
    let counted = client.post("/v1/admin/replay", &dry).await.expect(200);
    assert_eq!(counted.body, json!({"matched": 6, "first": positions[0], "last": positions[5]}));
    assert!(receiver.received().is_empty(), "a dry run sends nothing");
    let all = json!({"webhook": id, "from": 0});
    let started = client.post("/v1/admin/replay", &all).await.expect(202);
    assert_eq!(started.body["matched"], 6);
    let end = finished(&client, &started.body).await;
    assert_eq!((&end["status"], &end["succeeded"]), (&json!("done"), &json!(6)));
    assert_eq!(ids(&receiver.received()), before);
    receiver.clear();
    let range = json!({"from": positions[1], "to": positions[3]});
    let started = client.post(&format!("{webhook}/replay"), &range).await.expect(202);
    finished(&client, &started.body).await;
    let again: Vec<u64> = ids(&receiver.received()).into_keys().collect();
    assert_eq!(again, positions[2..=3], "after `from`, up to and including `to`");
}

#[tokio::test]
async fn r19_a_replay_from_a_time_has_what_happened_at_it_or_after() {
    let server = Server::start();
    let client = server.client();
    let receiver = Receiver::start();
    let (webhook, _) = register(&client, &receiver, json!({})).await;
    let positions = written(&client, &receiver, 1).await;
    let time = receiver.received()[0].json()["time"].clone();
    let dry = json!({"from": time, "dry_run": true});
    let counted = client.post(&format!("{webhook}/replay"), &dry).await.expect(200);
    assert_eq!(counted.body, json!({"matched": 1, "first": positions[0], "last": positions[0]}));
}

#[tokio::test]
async fn r19_a_replay_of_the_dead_sends_those_alone() {
    let server = Server::start();
    let client = server.client();
    let receiver =
        Receiver::answering(|one| Reply::status(if one.json()["id"] == "bad" { 500 } else { 204 }));
    let (webhook, _) = register(&client, &receiver, json!({})).await;
    client.post(ORDERS, &json!([{"_id": "good"}, {"_id": "bad"}])).await.expect(201);
    eventually("a dead delivery", async || {
        let path = format!("{webhook}/deliveries?status=dead");
        client.get(&path).await.expect(200).list("deliveries").first().cloned()
    })
    .await;
    receiver.answer_status(204);
    receiver.clear();
    let dead = json!({"from": 0, "statuses": ["dead"]});
    let started = client.post(&format!("{webhook}/replay"), &dead).await.expect(202);
    assert_eq!(started.body["matched"], 1);
    finished(&client, &started.body).await;
    let received = receiver.received();
    assert_eq!(received.iter().map(|one| one.json()["id"].clone()).collect::<Vec<_>>(), ["bad"]);
}

#[tokio::test]
async fn a_running_replay_is_cancelled() {
    let server = Server::start();
    let client = server.client();
    let receiver = Receiver::start();
    let (webhook, _) = register(&client, &receiver, json!({})).await;
    written(&client, &receiver, 5).await;
    let slow = json!({"from": 0, "rate_per_second": 1});
    let started = client.post(&format!("{webhook}/replay"), &slow).await.expect(202);
    let second = client.post(&format!("{webhook}/replay"), &slow).await;
    assert_eq!(second.refused(409), "replay_running");
    let path = format!("/v1/admin/replay/{}", started.body["replay"].as_str().unwrap());
    assert_eq!(client.delete(&path).await.expect(200).body["status"], "cancelled");
    let end = finished(&client, &started.body).await;
    assert_eq!(end["status"], "cancelled");
    assert!(end["sent"].as_u64().unwrap() < 5);
}

#[tokio::test]
async fn a_replay_of_nothing_known_is_refused() {
    let server = Server::start();
    let client = server.client();
    client.post("/v1/admin/replay", &json!({"webhook": "none", "from": 0})).await.expect(404);
    client.post("/v1/admin/replay", &json!({"from": 0})).await.expect(400);
    client.get("/v1/admin/replay/none").await.expect(404);
    let receiver = Receiver::start();
    let (webhook, _) = register(&client, &receiver, json!({})).await;
    client.post(&format!("{webhook}/replay"), &json!({"from": "x"})).await.expect(400);
    client.post(&format!("{webhook}/replay"), &json!({"from": 0, "bogus": 1})).await.expect(400);
}

#[tokio::test]
async fn r19_a_replay_by_a_filter_looks_at_states_before_and_after_as_the_owner_sees_them() {
    let server = Server::start();
    let root = server.client();
    let receiver = Receiver::start();
    let grant = json!({
        "collections": {"orders": ["read", "settings"]}, "read_filter": {"secret": {"$ne": true}}, "fields": {"exclude": ["cost"]},
    });
    let issued = root.post("/v1/credentials", &json!({"grant": grant})).await.expect(201);
    let owner = root.with_key(issued.body["key"].as_str().unwrap());
    let (webhook, answer) = register(&owner, &receiver, json!({})).await;
    let one = |id: &str, status: &str| json!({"_id": id, "status": status, "cost": 7});
    let first = root.post(ORDERS, &one("a", "open")).await.expect(201).position();
    root.post(ORDERS, &one("b", "paid")).await.expect(201);
    let mut unseen = one("c", "open");
    unseen["secret"] = json!(true);
    root.post(ORDERS, &unseen).await.expect(201);
    let left = root.patch(&format!("{ORDERS}/a"), &json!({"status": "paid"})).await.expect(200);
    root.patch(&format!("{ORDERS}/a"), &json!({"n": 1})).await.expect(200);
    receiver.wait(4).await;
    let before = ids(&receiver.received());
    receiver.clear();
    let path = format!("{webhook}/replay");
    let asked = json!({"from": 0, "filter": {"status": "open"}, "dry_run": true});
    let counted = owner.post(&path, &asked).await.expect(200);
    let expected = [first, left.position()];
    assert_eq!(counted.body, json!({"matched": 2, "first": expected[0], "last": expected[1]}));
    assert!(receiver.received().is_empty(), "a dry run sends nothing");
    // Nothing is found out about what is hidden from the owner, whoever asks.
    let asked =
        json!({"webhook": answer.body["id"], "from": 0, "filter": {"cost": 7}, "dry_run": true});
    let counted = root.post("/v1/admin/replay", &asked).await.expect(200);
    assert_eq!(counted.body["matched"], 0);
    let asked = json!({"webhook": answer.body["id"], "from": 0, "filter": {"status": "open"}});
    let started = root.post("/v1/admin/replay", &asked).await.expect(202);
    let end = finished(&root, &started.body).await;
    assert_eq!((&end["status"], &end["succeeded"]), (&json!("done"), &json!(2)));
    let again = ids(&receiver.received());
    assert_eq!(again.keys().copied().collect::<Vec<_>>(), expected);
    assert!(again.iter().all(|(position, id)| before[position] == *id));
}

#[tokio::test]
async fn r19_a_replay_by_statuses_sends_what_stands_so() {
    let server = Server::with(&[("HEADWATER_WEBHOOKS__RETRY_SCHEDULE", "0s,1h,1h")]);
    let client = server.client();
    let receiver =
        Receiver::answering(|one| Reply::status(if one.json()["id"] == "bad" { 500 } else { 204 }));
    let (webhook, _) = register(&client, &receiver, json!({})).await;
    client.post(ORDERS, &json!([{"_id": "good"}, {"_id": "bad"}])).await.expect(201);
    client.patch(&format!("{ORDERS}/bad"), &json!({"n": 1})).await.expect(200);
    eventually("one failing and one behind it", async || {
        let read = client.get(&webhook).await.expect(200).body;
        (read["failing"] == 1 && read["parked"] == 1 && read["outstanding"] == 2).then_some(())
    })
    .await;
    receiver.answer_status(204);
    receiver.clear();
    let path = format!("{webhook}/replay");
    let matched = async |statuses: Value, filter: Value| {
        let asked = json!({"from": 0, "statuses": statuses, "filter": filter, "dry_run": true});
        client.post(&path, &asked).await.expect(200).body["matched"].clone()
    };
    assert_eq!(matched(json!(["dead"]), json!({})).await, 0);
    assert_eq!(matched(json!(["pending"]), json!({})).await, 1);
    assert_eq!(matched(json!(["failing"]), json!({})).await, 1);
    assert_eq!(matched(json!(["pending", "failing"]), json!({"n": 1})).await, 1);
    assert_eq!(matched(json!(["pending", "failing"]), json!({"n": 2})).await, 0);
    for wrong in [json!(["succeeded"]), json!(["eaten"]), json!("dead")] {
        let refused = client.post(&path, &json!({"from": 0, "statuses": wrong})).await.expect(400);
        assert!(refused.text.contains("statuses"), "{}", refused.text);
    }
    let refused = client.post(&path, &json!({"from": 0, "filter": {"a": {"$nope": 1}}})).await;
    assert!(refused.expect(400).text.contains("filter"));
    let started =
        client.post(&path, &json!({"from": 0, "statuses": ["failing"]})).await.expect(202);
    let end = finished(&client, &started.body).await;
    assert_eq!((&end["status"], &end["succeeded"]), (&json!("done"), &json!(1)));
    let received = receiver.wait(2).await;
    let versions: Vec<Value> = received.iter().map(|one| one.json()["version"].clone()).collect();
    assert_eq!(versions, [1, 2], "at once, and what stood behind it flows on");
}

#[tokio::test]
async fn r19_a_dry_run_lists_as_many_as_it_is_asked_for() {
    let server = Server::start();
    let client = server.client();
    let receiver = Receiver::start();
    let (webhook, _) = register(&client, &receiver, json!({})).await;
    let positions = written(&client, &receiver, 3).await;
    let dry = json!({"from": 0, "dry_run": true, "limit": 2});
    let counted = client.post(&format!("{webhook}/replay"), &dry).await.expect(200).body;
    let event = client.get("/v1/events?collections=orders&limit=1").await.expect(200);
    let event = &event.list("events")[0];
    assert_eq!((&counted["matched"], counted["events"].as_array().unwrap().len()), (&json!(3), 2));
    for member in ["position", "time", "kind", "collection", "id"] {
        assert_eq!(counted["events"][0][member], event[member], "{member}");
    }
    assert_eq!(counted["events"][1]["position"], positions[1]);
}

#[tokio::test]
async fn r19_who_manages_a_webhook_sees_and_cancels_its_replays_and_no_others() {
    let server = Server::start();
    let root = server.client();
    let (receiver, other) = (Receiver::start(), Receiver::start());
    let grant = json!({"collections": {"orders": ["read", "write", "settings"]}});
    let issued = root.post("/v1/credentials", &json!({"label": "o", "grant": grant})).await;
    let owner = root.with_key(issued.expect(201).body["key"].as_str().unwrap());
    let (webhook, _) = register(&owner, &receiver, json!({})).await;
    let (others, answer) = register(&root, &other, json!({})).await;
    // So many that it does not come to its end by itself.
    written(&owner, &receiver, 60).await;
    let slow = json!({"from": 0, "rate_per_second": 1});
    let started = owner.post(&format!("{webhook}/replay"), &slow).await.expect(202);
    let started = started.body["replay"].as_str().unwrap().to_owned();
    let path = format!("{webhook}/replay/{started}");
    let shown = owner.get(&path).await.expect(200).body;
    assert_eq!((&shown["status"], &shown["matched"]), (&json!("running"), &json!(60)));
    assert!(shown["started"].is_string() && shown["to"].is_number(), "{shown}");
    let listed = owner.get(&format!("{webhook}/replay")).await.expect(200);
    let ids: Vec<_> = listed.list("replays").iter().map(|replay| &replay["id"]).collect();
    assert_eq!(ids, [&shown["id"]]);
    owner.get("/v1/admin/replay").await.expect(403);
    owner.get(&format!("{others}/replay/{started}")).await.expect(403);
    root.get(&format!("{others}/replay/{started}")).await.expect(404);
    let source = json!({"source": answer.body["id"], "statuses": ["dead"]});
    owner.post(&format!("{webhook}/replay"), &source).await.expect(403);
    assert_eq!(owner.delete(&path).await.expect(200).body["status"], "cancelled");
    assert_eq!(root.get("/v1/admin/replay").await.expect(200).list("replays").len(), 1);
}

#[tokio::test]
async fn r19_the_command_replays_what_is_dead_and_single_deliveries() {
    let server = Server::start();
    let client = server.client();
    let receiver = Receiver::answering(|_| Reply::status(500));
    let (webhook, answer) = register(&client, &receiver, json!({})).await;
    let id = answer.body["id"].as_str().unwrap();
    for n in 0..3 {
        client.post(ORDERS, &json!({"_id": n})).await.expect(201);
    }
    eventually("three dead deliveries", async || {
        (client.get(&webhook).await.expect(200).body["dead"] == 3).then_some(())
    })
    .await;
    receiver.answer_status(204);
    receiver.clear();
    let dead = ["replay", "--webhook", id, "--status", "dead"];
    let plan = server.run(&[&dead[..], &["--dry-run"]].concat()).output();
    assert!(plan.starts_with("would send 3 events"), "{plan}");
    assert_eq!(plan.lines().count(), 4, "{plan}");
    let sent = server.run(&[&dead[..], &["--rate", "1000"]].concat()).output();
    assert!(sent.contains("done: 3 matched, 3 sent, 3 succeeded, 0 failed"), "{sent}");
    let one = receiver.received()[0].position().to_string();
    receiver.clear();
    let told = server.run(&["replay", "--webhook", id, "--delivery", &one, "--json"]).json();
    assert_eq!((&told["status"], &told["succeeded"]), (&json!("done"), &json!(1)));
    assert_eq!(receiver.wait(1).await[0].position().to_string(), one);
    // So many that it does not come to its end by itself.
    client.post(ORDERS, &json!(vec![json!({}); 60])).await.expect(201);
    let slow = ["replay", "--webhook", id, "--from", "0", "--rate", "1", "--detach"];
    let started = server.run(&slow).output();
    let listed = server.run(&["replay", "--webhook", id, "--list-replays"]).output();
    assert!(listed.contains(started.trim()) && listed.contains("running"), "{listed}");
    let cancel = ["replay", "--webhook", id, "--cancel", started.trim()];
    for _ in 0..2 {
        let ended = server.run(&cancel).output();
        assert!(ended.contains("is cancelled"), "{ended}");
    }
    let path = format!("/v1/admin/replay/{}", started.trim());
    assert_eq!(client.get(&path).await.expect(200).body["status"], "cancelled");
}
