//! Webhooks: registered, delivered, retried, disabled.

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Received, Receiver, Reply, Server, eventually};

const ORDERS: &str = "/v1/collections/orders/documents";

/// Registers a webhook; its path, and the answer.
pub(crate) async fn register(
    client: &Client,
    receiver: &Receiver,
    more: Value,
) -> (String, Answer) {
    let mut body = json!({"url": receiver.url("/hook"), "collections": ["orders"]});
    let members = body.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    let answer = client.post("/v1/webhooks", &body).await.expect(201);
    (format!("/v1/webhooks/{}", answer.body["id"].as_str().unwrap()), answer)
}

/// Waits until the webhook has nothing left to do.
async fn settled(client: &Client, webhook: &str) -> Value {
    eventually("a settled webhook", async || {
        let read = client.get(webhook).await.expect(200).body;
        (read["outstanding"] == 0 && read["lag_events"] == 0).then_some(read)
    })
    .await
}

async fn deliveries(client: &Client, webhook: &str, status: &str) -> Vec<Value> {
    let path = format!("{webhook}/deliveries?status={status}");
    client.get(&path).await.expect(200).list("deliveries").clone()
}

#[tokio::test]
async fn a_webhook_receives_the_event_as_the_stream_has_it() {
    let server = Server::start();
    let client = server.client();
    let receiver = Receiver::start();
    let (webhook, answer) = register(&client, &receiver, json!({"headers": {"x-mine": "1"}})).await;
    assert!(answer.body["secret"].as_str().unwrap().starts_with("whsec_"));
    let read = client.get(&webhook).await.expect(200);
    assert!(read.body.get("secret").is_none(), "the secret is shown once");
    assert_eq!((&read.body["state"], &read.body["active"]), (&json!("active"), &json!(true)));
    client.post(ORDERS, &json!({"_id": "a"})).await.expect(201);
    client.post("/v1/collections/other/documents", &json!({})).await.expect(201);
    client.delete(&format!("{ORDERS}/a")).await.expect(200);
    let received = receiver.wait(2).await;
    let events = client.get("/v1/events?collections=orders").await.expect(200);
    for (one, event) in received.iter().zip(events.list("events")) {
        assert_eq!(&one.json(), event);
        assert_eq!((one.method.as_str(), one.path.as_str()), ("POST", "/hook"));
        assert_eq!(one.header("content-type"), "application/json");
        assert_eq!(one.header("x-mine"), "1");
    }
    let read = settled(&client, &webhook).await;
    assert_eq!(read["attempts"], json!({"succeeded": 2, "failed": 0}));
    let succeeded = deliveries(&client, &webhook, "succeeded").await;
    assert_eq!(succeeded.len(), 2);
    assert_eq!(succeeded[0]["attempts"][0]["status_code"], 204);
}

#[tokio::test]
async fn r16_every_attempt_of_an_event_has_its_id_and_bytes() {
    let server = Server::start();
    let client = server.client();
    let mut attempts = 0;
    let receiver = Receiver::answering(move |_| {
        attempts += 1;
        Reply::status(if attempts < 3 { 500 } else { 200 })
    });
    register(&client, &receiver, json!({})).await;
    client.post(ORDERS, &json!({"_id": "a", "text": "ä"})).await.expect(201);
    let received = receiver.wait(3).await;
    for one in &received {
        assert_eq!((one.id(), &one.body), (received[0].id(), &received[0].body));
        assert!(!one.id().contains('.') && !one.id().is_empty(), "{}", one.id());
        one.header("webhook-timestamp").parse::<u64>().unwrap();
        assert!(!one.header("webhook-signature").contains("  "), "one space between signatures");
    }
}

#[tokio::test]
async fn r15_a_delivery_that_never_succeeds_is_dead_visible_and_sent_again_by_hand() {
    let server = Server::start();
    let client = server.client();
    let receiver = Receiver::answering(|_| Reply::status(500));
    let (webhook, _) = register(&client, &receiver, json!({})).await;
    client.post(ORDERS, &json!({"_id": "a"})).await.expect(201);
    let dead =
        eventually("a dead delivery", async || deliveries(&client, &webhook, "dead").await.pop())
            .await;
    let attempts = dead["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 3, "as many as the schedule has: {dead}");
    assert!(attempts.iter().all(|attempt| attempt["status_code"] == 500));
    assert_eq!(dead["next_attempt"], Value::Null);
    receiver.answer_status(204);
    receiver.clear();
    let retry = format!("{webhook}/deliveries/{}/retry", dead["id"].as_str().unwrap());
    client.send(client.request("POST", &retry)).await.expect(202);
    assert_eq!(receiver.wait(1).await[0].position(), dead["position"].as_u64().unwrap());
    eventually("no dead delivery", async || {
        deliveries(&client, &webhook, "dead").await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn r15_what_is_outstanding_survives_a_kill_and_is_delivered_under_its_id() {
    let mut server = Server::with(&[(
        "HEADWATER_WEBHOOKS__RETRY_SCHEDULE",
        "0s,200ms,200ms,200ms,1s,1s,1s,1s,1s,1s,1s",
    )]);
    let client = server.client();
    let receiver = Receiver::answering(|_| Reply::status(503));
    let (webhook, _) = register(&client, &receiver, json!({})).await;
    let mut expected = Vec::new();
    for n in 0..20 {
        expected.push(client.post(ORDERS, &json!({"n": n})).await.expect(201).position());
    }
    let failed = receiver.wait(5).await;
    server.kill();
    receiver.answer_status(204);
    server.restart();
    let taken = eventually("all deliveries", async || {
        let taken = receiver.taken();
        (taken.len() >= 20).then_some(taken)
    })
    .await;
    let mut positions: Vec<u64> = taken.iter().map(Received::position).collect();
    positions.sort_unstable();
    assert_eq!(positions, expected, "everything, and once where the answer was seen");
    for one in &failed {
        let again = taken.iter().find(|other| other.position() == one.position()).unwrap();
        assert_eq!((again.id(), &again.body), (one.id(), &one.body));
    }
    settled(&client, &webhook).await;
}

#[tokio::test]
async fn r17_redirects_are_failures_and_not_followed() {
    let server = Server::start();
    let client = server.client();
    let target = Receiver::start();
    let location = target.url("/elsewhere");
    let receiver = Receiver::answering(move |_| Reply {
        status: 307,
        headers: vec![("location", location.clone())],
        body: String::new(),
    });
    register(&client, &receiver, json!({})).await;
    client.post(ORDERS, &json!({})).await.expect(201);
    receiver.wait(3).await;
    assert!(target.received().is_empty());
}

#[tokio::test]
async fn r17_410_disables_the_webhook_and_leaves_an_event() {
    let server = Server::start();
    let client = server.client();
    let receiver = Receiver::answering(|_| Reply::status(410));
    let (webhook, answer) = register(&client, &receiver, json!({})).await;
    client.post(ORDERS, &json!({})).await.expect(201);
    eventually("a disabled webhook", async || {
        let read = client.get(&webhook).await.expect(200).body;
        (read["state"] == "disabled" && read["active"] == false).then_some(())
    })
    .await;
    let event = eventually("the event", async || {
        let page = client.get("/v1/events?kinds=webhook.disabled").await.expect(200);
        page.list("events").first().cloned()
    })
    .await;
    assert_eq!(event["data"]["webhook"], answer.body["id"]);
    receiver.answer_status(204);
    receiver.clear();
    client.patch(&webhook, &json!({"active": true, "backlog": "keep"})).await.expect(200);
    receiver.wait(1).await;
}

#[tokio::test]
async fn r18_a_document_that_fails_holds_up_its_own_events_alone() {
    let server = Server::with(&[("HEADWATER_WEBHOOKS__RETRY_SCHEDULE", "0s,300ms,300ms")]);
    let client = server.client();
    let receiver =
        Receiver::answering(|one| Reply::status(if one.json()["id"] == "bad" { 500 } else { 204 }));
    register(&client, &receiver, json!({})).await;
    client.post(ORDERS, &json!({"_id": "bad", "n": 1})).await.expect(201);
    client.patch(&format!("{ORDERS}/bad"), &json!({"n": 2})).await.expect(200);
    for n in 0..5 {
        client.post(ORDERS, &json!({"_id": n})).await.expect(201);
    }
    eventually("the others", async || (receiver.taken().len() == 5).then_some(())).await;
    let first_of_bad = receiver.received().into_iter().filter(|one| one.json()["id"] == "bad");
    let versions: Vec<Value> = first_of_bad.map(|one| one.json()["version"].clone()).collect();
    assert!(versions.is_sorted_by_key(|version| version.as_u64()), "in order: {versions:?}");
    eventually("the second event of the bad document, after the first is dead", async || {
        receiver.received().iter().any(|one| one.json()["version"] == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_paused_webhook_keeps_or_skips_its_backlog_as_it_is_told() {
    let server = Server::start();
    let client = server.client();
    let receiver = Receiver::start();
    let (webhook, _) = register(&client, &receiver, json!({})).await;
    for (backlog, expected) in [("keep", vec!["kept"]), ("skip", vec![])] {
        client.patch(&webhook, &json!({"active": false})).await.expect(200);
        let missed = json!({"_id": if backlog == "keep" { "kept" } else { "skipped" }});
        client.post(ORDERS, &missed).await.expect(201);
        client.patch(&webhook, &json!({"active": true, "backlog": backlog})).await.expect(200);
        let marker = format!("after-{backlog}");
        client.post(ORDERS, &json!({"_id": marker})).await.expect(201);
        let mut ids = eventually("the marker", async || {
            let received = receiver.received();
            let ids: Vec<Value> = received.iter().map(|one| one.json()["id"].clone()).collect();
            (ids.contains(&json!(marker)) && ids.len() > expected.len()).then_some(ids)
        })
        .await;
        ids.retain(|id| *id != json!(marker));
        assert_eq!(ids, expected, "{backlog}");
        settled(&client, &webhook).await;
        receiver.clear();
    }
}

#[tokio::test]
async fn a_webhook_begins_where_from_says() {
    let server = Server::start();
    let client = server.client();
    client.post(ORDERS, &json!([{"_id": 1}, {"_id": 2}])).await.expect(201);
    let all = Receiver::start();
    let some = Receiver::start();
    register(&client, &all, json!({"from": "earliest"})).await;
    register(&client, &some, json!({"from": 2, "kinds": ["document.created"]})).await;
    assert_eq!(all.wait(2).await.iter().map(Received::position).sum::<u64>(), 2 + 3);
    assert_eq!(some.wait(1).await[0].position(), 3);
}

#[tokio::test]
async fn a_test_attempt_says_how_the_receiver_answered() {
    let server = Server::start();
    let client = server.client();
    let receiver = Receiver::answering(|_| Reply::status(418));
    let (webhook, _) = register(&client, &receiver, json!({})).await;
    let test = client.send(client.request("POST", &format!("{webhook}/test"))).await.expect(200);
    assert_eq!((&test.body["status_code"], &test.body["error"]), (&json!(418), &Value::Null));
    assert!(test.body["duration_ms"].is_number());
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_malformed_registration_is_refused_by_the_name_of_its_member() {
    let server = Server::start();
    let client = server.client();
    let good = json!({"url": "http://127.0.0.1:1/", "collections": ["orders"]});
    let kept = client.post("/v1/webhooks", &good).await.expect(201).body;
    let kept = format!("/v1/webhooks/{}", kept["id"].as_str().unwrap());
    let before = client.get(&kept).await.expect(200).body;
    for (member, value) in [
        ("url", json!("ftp://127.0.0.1/")),
        ("url", json!("not a url")),
        ("url", json!("http://user:password@127.0.0.1/")),
        ("url", json!("http://127.0.0.1:70000/")),
        ("url", Value::Null),
        ("collections", json!([])),
        ("collections", json!(["a b"])),
        ("collections", json!(["_users"])),
        ("kinds", json!(["document.eaten"])),
        ("filter", json!({"a": {"$nope": 1}})),
        ("filter", json!({"$or": []})),
        ("filter", json!({"a": {"$regex": "("}})),
        ("filter", json!([])),
        ("filter", json!("a")),
        ("projection", json!({"a": 1, "b": 0})),
        ("active", json!("yes")),
        ("secret", json!("whsec_short")),
        ("signatures", json!([])),
        ("signatures", json!(["v1", "v3"])),
        ("signatures", json!("v1a")),
        ("headers", json!({"webhook-signature": "v1,x"})),
        ("headers", json!({"Webhook-Id": "x"})),
        ("headers", json!({"WEBHOOK-TIMESTAMP": "1"})),
        ("headers", json!({"content-type": "text/plain"})),
        ("headers", json!({"Host": "elsewhere"})),
        ("headers", json!({"transfer-encoding": "chunked"})),
        ("headers", json!({"x": "a\r\nwebhook-id: b"})),
        ("headers", json!({"x": "1", "X": "2"})),
        ("headers", json!({"authorization": "***"})),
        ("headers", json!([])),
        ("format", json!("xml")),
        ("order", json!("any")),
        ("timeout_ms", json!(0)),
        ("concurrency", json!("many")),
        ("rate_per_second", json!(0.5)),
        ("bogus", json!(1)),
    ] {
        let mut body = good.clone();
        body[member] = value.clone();
        let refused = client.post("/v1/webhooks", &body).await.expect(400);
        assert_eq!(refused.body["error"]["details"]["field"], member, "{}", refused.text);
        let refused = client.patch(&kept, &json!({member: value})).await.expect(400);
        assert_eq!(refused.body["error"]["details"]["field"], member, "{}", refused.text);
    }
    for missing in ["url", "collections"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(missing);
        let refused = client.post("/v1/webhooks", &body).await.expect(400);
        assert_eq!(refused.body["error"]["details"]["field"], missing, "{}", refused.text);
    }
    assert_eq!(client.get(&kept).await.expect(200).body["url"], before["url"]);
    assert_eq!(client.get("/v1/webhooks").await.expect(200).list("webhooks").len(), 1);
    client.get("/v1/webhooks/none").await.expect(404);
    client.post("/v1/webhooks/none/test", &json!({})).await.expect(404);
}

#[tokio::test]
async fn with_strict_collections_only_those_that_are_there_can_be_followed() {
    let server = Server::with(&[("HEADWATER_COLLECTIONS__STRICT", "true")]);
    let client = server.client();
    client.put("/v1/collections/orders", &json!({})).await.expect(201);
    let receiver = Receiver::start();
    let (webhook, _) = register(&client, &receiver, json!({})).await;
    let wrong = json!({"url": receiver.url("/"), "collections": ["orders", "unknown"]});
    for refused in [
        client.post("/v1/webhooks", &wrong).await.expect(404),
        client.patch(&webhook, &json!({"collections": ["unknown"]})).await.expect(404),
    ] {
        assert_eq!(refused.body["error"]["code"], "collection_not_found");
        assert_eq!(refused.body["error"]["details"]["field"], "collections", "{}", refused.text);
        assert!(refused.text.contains("unknown"), "{}", refused.text);
    }
    client.delete("/v1/collections/orders").await.expect(200);
    client.patch(&webhook, &json!({"active": false})).await.expect(200);
}

#[tokio::test]
async fn a_deleted_webhook_is_gone() {
    let server = Server::start();
    let client = server.client();
    let receiver = Receiver::start();
    let (webhook, answer) = register(&client, &receiver, json!({})).await;
    let list = client.get("/v1/webhooks").await.expect(200);
    assert_eq!(list.list("webhooks")[0]["id"], answer.body["id"]);
    client.delete(&webhook).await.expect(200);
    client.get(&webhook).await.expect(404);
    client.delete(&webhook).await.expect(404);
    assert_eq!(client.get("/v1/webhooks").await.expect(200).list("webhooks").len(), 0);
}

#[tokio::test]
async fn a_projection_shows_part_of_what_the_owner_sees_and_never_more() {
    let server = Server::start();
    let root = server.client();
    let grant = json!({
        "collections": {"orders": ["read", "settings"]}, "read_filter": {"open": true}, "fields": {"exclude": ["cost", "to.phone"]},
    });
    let issued = root.post("/v1/credentials", &json!({"grant": grant})).await.expect(201);
    let owner = root.with_key(issued.body["key"].as_str().unwrap());
    let (shown, computed, left) = (Receiver::start(), Receiver::start(), Receiver::start());
    let some = json!({"projection": {"cost": 1, "to": 1, "n": 1}});
    let (webhook, answer) = register(&owner, &shown, some.clone()).await;
    assert_eq!(answer.body["projection"], some["projection"]);
    assert_eq!(owner.get(&webhook).await.expect(200).body["projection"], some["projection"]);
    let copied = json!({"projection": {"copy": "$cost", "phone": "$to.phone", "n": "$n"}});
    register(&owner, &computed, copied).await;
    register(&owner, &left, json!({"projection": {"n": 0}})).await;
    let order = json!({
        "_id": "a", "open": true, "n": 1, "cost": 9, "text": "-", "to": {"name": "x", "phone": "1"},
    });
    root.post(ORDERS, &order).await.expect(201);
    root.patch(&format!("{ORDERS}/a"), &json!({"n": 2, "cost": 10})).await.expect(200);
    root.delete(&format!("{ORDERS}/a")).await.expect(200);
    let received: Vec<Value> = shown.wait(3).await.iter().map(Received::json).collect();
    assert_eq!(received[0]["document"], json!({"_id": "a", "n": 1, "to": {"name": "x"}}));
    assert_eq!(received[1]["document"], json!({"_id": "a", "n": 2, "to": {"name": "x"}}));
    assert_eq!(received[1]["changed"], json!(["n"]));
    assert_eq!(received[2]["document"], Value::Null);
    let first = computed.wait(3).await[0].json();
    assert_eq!(
        first["document"],
        json!({"_id": "a", "n": 1}),
        "what is hidden is not there to copy"
    );
    let first = left.wait(3).await[0].json();
    let rest = json!({"_id": "a", "open": true, "text": "-", "to": {"name": "x"}});
    assert_eq!(first["document"], rest);
}

#[tokio::test]
async fn a_projection_goes_for_retries_replays_and_tests_as_it_stands_at_the_attempt() {
    let server = Server::with(&[("HEADWATER_WEBHOOKS__RETRY_SCHEDULE", "0s,1s,0s,0s")]);
    let client = server.client();
    let receiver = Receiver::answering(|_| Reply::status(500));
    let (webhook, _) = register(&client, &receiver, json!({"projection": {"a": 1}})).await;
    client.post(ORDERS, &json!({"_id": "x", "a": 1, "b": 2})).await.expect(201);
    let document = |received: &Received| received.json()["document"].clone();
    let first = receiver.wait(1).await.remove(0);
    assert_eq!(document(&first), json!({"_id": "x", "a": 1}));
    receiver.answer_status(204);
    receiver.clear();
    let read = client.patch(&webhook, &json!({"projection": {"b": 1}})).await.expect(200);
    assert_eq!(read.body["projection"], json!({"b": 1}));
    let delivery = first.position();
    let retry = format!("{webhook}/deliveries/{delivery}/retry");
    client.send(client.request("POST", &retry)).await.expect(202);
    let second = eventually("a delivery that was taken", async || receiver.taken().pop()).await;
    assert_eq!((second.id(), document(&second)), (first.id(), json!({"_id": "x", "b": 2})));
    settled(&client, &webhook).await;
    receiver.clear();
    client.post(&format!("{webhook}/replay"), &json!({"from": 0})).await.expect(202);
    let replayed = receiver.wait(1).await.remove(0);
    assert_eq!((replayed.id(), &replayed.body), (second.id(), &second.body));
    receiver.clear();
    client.patch(&webhook, &json!({"projection": {"message": 1}})).await.expect(200);
    client.send(client.request("POST", &format!("{webhook}/test"))).await.expect(200);
    let sample = receiver.wait(1).await.remove(0);
    let members = document(&sample);
    assert_eq!(members.as_object().unwrap().keys().collect::<Vec<_>>(), ["_id", "message"]);
    client.patch(&webhook, &json!({"projection": {"nothing": 1}})).await.expect(200);
    client.send(client.request("POST", &format!("{webhook}/test"))).await.expect(200);
    assert_eq!(document(&receiver.wait(2).await[1]), json!({"_id": "sample"}));
    for wrong in [json!({"a": 1, "b": 0}), json!(7), json!({"a.$": 1}), json!({"a": {"$nope": 1}})]
    {
        let refused = client.patch(&webhook, &json!({"projection": wrong})).await.expect(400);
        assert!(refused.text.contains("projection"), "{wrong}: {}", refused.text);
    }
    client.patch(&webhook, &json!({"projection": null})).await.expect(200);
    assert_eq!(client.get(&webhook).await.expect(200).body["projection"], json!({}));
}

#[tokio::test]
async fn a_body_that_was_made_before_a_patch_of_the_projection_is_made_again() {
    let server = Server::start();
    let client = server.client();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let receiver = Receiver::answering(move |_| {
        let _released = held.recv();
        Reply::status(204)
    });
    let (webhook, _) = register(&client, &receiver, json!({"projection": {"a": 1}})).await;
    client.post(ORDERS, &json!({"_id": "x", "a": 1, "b": 1})).await.expect(201);
    client.patch(&format!("{ORDERS}/x"), &json!({"b": 2})).await.expect(200);
    eventually("a second delivery behind the first", async || {
        let read = client.get(&webhook).await.expect(200).body;
        (read["parked"] == 1 && read["outstanding"] == 2).then_some(())
    })
    .await;
    client.patch(&webhook, &json!({"projection": {"b": 1}})).await.expect(200);
    drop(release);
    let received = receiver.wait(2).await;
    let documents: Vec<Value> = received.iter().map(|one| one.json()["document"].clone()).collect();
    assert_eq!(documents, [json!({"_id": "x", "a": 1}), json!({"_id": "x", "b": 2})]);
}

#[tokio::test]
async fn r17_a_receiver_that_asks_for_less_is_left_alone_and_says_how_far_it_is() {
    let server = Server::start();
    let client = server.client();
    let receiver = Receiver::answering(|_| Reply {
        status: 429,
        headers: vec![("retry-after", "1".to_owned())],
        body: String::new(),
    });
    let (webhook, _) = register(&client, &receiver, json!({})).await;
    client.post(ORDERS, &json!({"_id": 0})).await.expect(201);
    let quiet = eventually("a pause", async || {
        let read = client.get(&webhook).await.expect(200).body;
        (!read["quiet_until"].is_null()).then_some(read)
    })
    .await;
    assert_eq!((&quiet["outcomes"]["429"], &quiet["state"]), (&json!(1), &json!("failing")));
    let mut last = 0;
    for n in 1..6 {
        last = client.post(ORDERS, &json!({"_id": n})).await.expect(201).position();
    }
    assert_eq!(receiver.received().len(), 1, "another document is not attempted either");
    // The first that it takes is told that it has everything.
    receiver.clear();
    receiver.answer(move |_| Reply {
        status: 204,
        headers: vec![("headwater-commit", last.to_string())],
        body: String::new(),
    });
    let read = settled(&client, &webhook).await;
    assert_eq!(receiver.received().len(), 1, "the others were passed over");
    assert_eq!((&read["quiet_until"], &read["dead"]), (&Value::Null, &json!(0)));
    client.post(ORDERS, &json!({"_id": 9})).await.expect(201);
    assert_eq!(receiver.wait(2).await[1].json()["id"], 9);
}

#[tokio::test]
async fn figures_say_what_became_of_attempts_and_how_late_a_paused_webhook_is() {
    let server = Server::start();
    let client = server.client();
    let mut answers = 0;
    let receiver = Receiver::answering(move |_| {
        answers += 1;
        Reply::status([503, 404, 200][answers - 1])
    });
    let (webhook, answer) = register(&client, &receiver, json!({})).await;
    client.post(ORDERS, &json!({})).await.expect(201);
    let read = settled(&client, &webhook).await;
    let counted = |name: &str| read["outcomes"][name].as_u64().unwrap();
    assert_eq!((counted("5xx"), counted("4xx"), counted("2xx"), counted("3xx")), (1, 1, 1, 0));
    assert!(read["latency_ms"]["p99"].as_u64() >= read["latency_ms"]["p50"].as_u64());
    let delivery = &deliveries(&client, &webhook, "succeeded").await[0];
    let path = format!("{webhook}/deliveries/{}", delivery["id"].as_str().unwrap());
    assert_eq!(client.get(&path).await.expect(200).body, *delivery);
    client.get(&format!("{webhook}/deliveries/1")).await.expect(404);
    client.patch(&webhook, &json!({"active": false})).await.expect(200);
    let event = client.post(ORDERS, &json!({})).await.expect(201).position();
    let listed = client.get("/v1/webhooks").await.expect(200).list("webhooks")[0].clone();
    let oldest = listed["oldest_outstanding"].clone();
    let page = client.get(&format!("/v1/events?from={}&limit=1", event - 2)).await.expect(200);
    assert_eq!(oldest, page.list("events")[0]["time"], "of the first event that it has not seen");
    let metrics = client.get("/metrics").await.expect(200).text;
    let id = answer.body["id"].as_str().unwrap();
    for line in [
        format!(
            "headwater_webhook_attempts_total{{webhook=\"{id}\",outcome=\"failed\",reason=\"5xx\"}} 1"
        ),
        format!("headwater_webhook_attempt_seconds_count{{webhook=\"{id}\"}} 3"),
        format!("headwater_webhook_lag_seconds{{webhook=\"{id}\"}} "),
    ] {
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn dead_deliveries_are_dismissed_one_by_one_or_together() {
    let server = Server::with(&[("HEADWATER_WEBHOOKS__DEAD_MAX", "3")]);
    let client = server.client();
    let receiver = Receiver::answering(|_| Reply::status(500));
    let (webhook, _) = register(&client, &receiver, json!({})).await;
    for n in 0..3 {
        client.post(ORDERS, &json!({"_id": n})).await.expect(201);
    }
    let dead = eventually("three dead deliveries", async || {
        let dead = deliveries(&client, &webhook, "dead").await;
        (dead.len() == 3).then_some(dead)
    })
    .await;
    receiver.answer_status(204);
    receiver.clear();
    client.post(ORDERS, &json!({"_id": 3})).await.expect(201);
    let read = eventually("a webhook that says why it stands still", async || {
        let read = client.get(&webhook).await.expect(200).body;
        (read["stalled"] == "dead_max").then_some(read)
    })
    .await;
    assert_eq!((&read["dead"], &read["outstanding"]), (&json!(3), &json!(0)));
    assert!(receiver.received().is_empty());
    let one = format!("{webhook}/deliveries/{}", dead[0]["id"].as_str().unwrap());
    assert_eq!(client.delete(&one).await.expect(200).body["dismissed"], 1);
    client.delete(&one).await.expect(404);
    assert_eq!(receiver.wait(1).await[0].json()["id"], 3, "there is room again");
    client.delete(&format!("{webhook}/deliveries")).await.expect(400);
    let all = format!("{webhook}/deliveries?status=dead&before={}", dead[1]["position"]);
    assert_eq!(client.delete(&all).await.expect(200).body["dismissed"], 1);
    let left = deliveries(&client, &webhook, "dead").await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["position"], dead[1]["position"]);
}

#[tokio::test]
async fn a_repeated_rotation_is_not_made_twice_and_tests_come_one_at_a_time() {
    let server = Server::start();
    let client = server.client();
    let receiver = Receiver::start();
    let (webhook, answer) = register(&client, &receiver, json!({})).await;
    let rotate = async || {
        let request = client.request("POST", &format!("{webhook}/rotate-secret"));
        client.send(request.header("idempotency-key", "r1")).await.expect(200)
    };
    let first = rotate().await;
    let again = rotate().await;
    assert!(first.body["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(
        (&again.body["secret"], again.header("idempotency-replayed")),
        (&Value::Null, "true")
    );
    let read = client.get(&webhook).await.expect(200).body;
    assert!(read["retiring_until"].is_string(), "{read}");
    assert_eq!(read["owner"], answer.body["owner"]);
    // Whoever answers late holds up the next test, not the server.
    let late = Receiver::answering(|_| {
        std::thread::park_timeout(std::time::Duration::from_secs(2));
        Reply::status(204)
    });
    client.patch(&webhook, &json!({"url": late.url("/")})).await.expect(200);
    let test = || client.send(client.request("POST", &format!("{webhook}/test")));
    let (one, other) = tokio::join!(test(), test());
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}
