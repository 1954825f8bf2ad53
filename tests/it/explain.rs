//! `/v1/admin/explain`: what became of an event, and why.

use serde_json::{Value, json};

use crate::harness::{Client, Receiver, Reply, Server, eventually};

const ORDERS: &str = "/v1/collections/orders/documents";

/// An answer with these members, and null in the others.
fn answer(outcome: &str, members: Value) -> Value {
    let mut body =
        json!({"outcome": outcome, "clause": null, "rule": null, "behind": null, "delivery": null});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

fn filtered(clause: &str) -> Value {
    answer("filtered", json!({"clause": clause}))
}

fn hidden(rule: &str) -> Value {
    answer("not_visible", json!({"rule": rule}))
}

fn delivered(position: u64) -> Value {
    answer("delivered", json!({"delivery": position.to_string()}))
}

async fn explain(root: &Client, position: u64, whom: &str) -> Value {
    root.get(&format!("/v1/admin/explain?position={position}&{whom}")).await.expect(200).body
}

/// Waits until an explanation is that one.
async fn becomes(root: &Client, position: u64, whom: &str, expected: &Value) {
    eventually("the explanation", async || {
        (explain(root, position, whom).await == *expected).then_some(())
    })
    .await;
}

/// Registers a webhook on everything, inactive or not; the parameter that names it.
async fn register(client: &Client, receiver: &Receiver, more: Value) -> String {
    let mut body = json!({"url": receiver.url("/hook"), "collections": ["*"]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = client.post("/v1/webhooks", &body).await.expect(201).body;
    format!("webhook={}", made["id"].as_str().unwrap())
}

async fn create(client: &Client, collection: &str, document: Value) -> u64 {
    let path = format!("/v1/collections/{collection}/documents");
    client.post(&path, &document).await.expect(201).position()
}

/// A credential: a client with its key, and its id.
async fn issue(root: &Client, grant: Value) -> (Client, String) {
    let issued = root.post("/v1/credentials", &json!({"grant": grant})).await.expect(201).body;
    (root.with_key(issued["key"].as_str().unwrap()), issued["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_failing_document_is_pending_what_is_behind_it_parked_and_later_dead() {
    let server = Server::with(&[("HEADWATER_WEBHOOKS__RETRY_SCHEDULE", "0s,1h")]);
    let root = server.client();
    let receiver =
        Receiver::answering(|one| Reply::status(if one.json()["id"] == "bad" { 500 } else { 204 }));
    let webhook = register(&root, &receiver, json!({})).await;
    let first = create(&root, "orders", json!({"_id": "bad"})).await;
    receiver.wait(1).await;
    let pending = answer("pending", json!({"delivery": first.to_string()}));
    becomes(&root, first, &webhook, &pending).await;
    let path = format!("/v1/webhooks/{}/deliveries", &webhook["webhook=".len()..]);
    eventually("a failed attempt", async || {
        let failing = root.get(&format!("{path}?status=failing")).await.expect(200);
        (!failing.list("deliveries").is_empty()).then_some(())
    })
    .await;
    let second = root.patch(&format!("{ORDERS}/bad"), &json!({"n": 2})).await.expect(200);
    let second = second.position();
    let other = create(&root, "orders", json!({"_id": "good"})).await;
    becomes(&root, other, &webhook, &delivered(other)).await;
    let parked = answer("parked", json!({"behind": first, "delivery": second.to_string()}));
    assert_eq!(explain(&root, second, &webhook).await, parked);
    assert_eq!(explain(&root, first, &webhook).await, pending, "it is tried again in an hour");
}

#[tokio::test]
async fn what_was_given_up_is_dead_and_what_went_through_is_delivered_after_a_restart_too() {
    let mut server = Server::start();
    let root = server.client();
    let receiver =
        Receiver::answering(|one| Reply::status(if one.json()["id"] == "bad" { 500 } else { 204 }));
    let webhook = register(&root, &receiver, json!({})).await;
    let bad = create(&root, "orders", json!({"_id": "bad"})).await;
    let good = create(&root, "orders", json!({"_id": "good"})).await;
    let dead = answer("dead", json!({"delivery": bad.to_string()}));
    becomes(&root, bad, &webhook, &dead).await;
    becomes(&root, good, &webhook, &delivered(good)).await;
    server.stop();
    server.restart();
    assert_eq!(explain(&root, bad, &webhook).await, dead);
    becomes(&root, good, &webhook, &delivered(good)).await;
}

#[tokio::test]
async fn what_a_registration_passes_over_is_filtered_and_the_clause_said() {
    let server = Server::start();
    let root = server.client();
    let receiver = Receiver::start();
    let webhook = register(
        &root,
        &receiver,
        json!({"collections": ["orders"], "kinds": ["document.created", "document.updated"],
            "filter": {"open": true, "$and": [{"total": {"$gte": 10}}, {"city": "Bern"}]}}),
    )
    .await;
    let fits = json!({"_id": "a", "open": true, "total": 10, "city": "Bern"});
    let wanted = create(&root, "orders", fits).await;
    let cheap = create(&root, "orders", json!({"_id": "b", "open": true, "total": 9})).await;
    let away = json!({"open": true, "total": 10, "city": "Basel"});
    let away = create(&root, "orders", away).await;
    let closed = create(&root, "orders", json!({"total": 1})).await;
    let left = root.patch(&format!("{ORDERS}/a"), &json!({"open": false})).await.expect(200);
    let deleted = root.delete(&format!("{ORDERS}/b")).await.expect(200).position();
    let elsewhere = create(&root, "others", json!({"open": true})).await;
    let published = json!({"event": "answer", "data": 1});
    let published = root.post("/v1/events", &published).await.expect(201).position();
    becomes(&root, wanted, &webhook, &delivered(wanted)).await;
    // It matched before.
    becomes(&root, left.position(), &webhook, &delivered(left.position())).await;
    let cases = [
        (cheap, r#"{"total":{"$gte":10}}"#),
        (away, r#"{"city":"Bern"}"#),
        (closed, r#"{"open":true}"#),
        (deleted, "kinds"),
        (elsewhere, "collections"),
        (published, "kinds"),
    ];
    for (position, clause) in cases {
        assert_eq!(explain(&root, position, &webhook).await, filtered(clause));
    }
    issue(&root, json!({"collections": {"orders": ["read"]}})).await;
    let system = root.get("/v1/events?collections=_credentials").await.expect(200);
    let system = system.list("events").last().unwrap()["position"].as_u64().unwrap();
    assert_eq!(explain(&root, system, &webhook).await, hidden("system"));
    assert_eq!(receiver.wait(2).await.len(), 2);
}

#[tokio::test]
async fn what_the_registering_key_may_not_see_is_not_visible_and_the_rule_said() {
    let server = Server::start();
    let root = server.client();
    let receiver = Receiver::start();
    let grant = json!({"collections": {"orders": ["read", "settings"], "others": ["read", "settings"]},
        "read_filter": {"owner": "ann"}, "fields": {"exclude": ["cost"]}});
    let (key, id) = issue(&root, grant).await;
    let scope = json!({"collections": ["orders", "others"]});
    let plain = register(&key, &receiver, scope).await;
    let asking = json!({"collections": ["orders"], "filter": {"cost": 5}});
    let asking = register(&key, &receiver, asking).await;
    let hers = create(&root, "orders", json!({"_id": "a", "owner": "ann", "cost": 5})).await;
    let his = create(&root, "orders", json!({"owner": "bob", "cost": 5})).await;
    let other = create(&root, "orders", json!({"owner": "ann", "cost": 6})).await;
    let gone = root.patch(&format!("{ORDERS}/a"), &json!({"owner": "bob"})).await.expect(200);
    becomes(&root, hers, &plain, &delivered(hers)).await;
    // As `document.hidden`.
    becomes(&root, gone.position(), &plain, &delivered(gone.position())).await;
    assert_eq!(explain(&root, his, &plain).await, hidden("read_filter"));
    assert_eq!(explain(&root, hers, &asking).await, hidden("fields"));
    assert_eq!(explain(&root, his, &asking).await, hidden("read_filter"));
    assert_eq!(explain(&root, other, &asking).await, filtered(r#"{"cost":5}"#));
    let narrower = json!({"grant": {"collections": {"orders": ["read", "settings"]}}});
    root.patch(&format!("/v1/credentials/{id}"), &narrower).await.expect(200);
    let elsewhere = create(&root, "others", json!({"owner": "ann"})).await;
    assert_eq!(explain(&root, elsewhere, &plain).await, hidden("collection"));
    root.delete(&format!("/v1/credentials/{id}")).await.expect(200);
    let after = create(&root, "orders", json!({"owner": "ann"})).await;
    assert_eq!(explain(&root, after, &plain).await, hidden("credential"));
}

#[tokio::test]
async fn what_lies_outside_a_webhooks_time_is_inactive() {
    let server = Server::start();
    let root = server.client();
    let receiver = Receiver::start();
    let inactive = |clause| answer("inactive", json!({"clause": clause}));
    let before = create(&root, "orders", json!({})).await;
    let webhook = register(&root, &receiver, json!({})).await;
    let path = format!("/v1/webhooks/{}", &webhook["webhook=".len()..]);
    assert_eq!(explain(&root, before, &webhook).await, inactive("from"));
    let told = create(&root, "orders", json!({})).await;
    becomes(&root, told, &webhook, &delivered(told)).await;
    root.patch(&path, &json!({"active": false})).await.expect(200);
    let missed = create(&root, "orders", json!({})).await;
    assert_eq!(explain(&root, missed, &webhook).await, inactive("active"));
    assert_eq!(explain(&root, told, &webhook).await, delivered(told), "that was before");
    root.patch(&path, &json!({"active": true, "backlog": "skip"})).await.expect(200);
    assert_eq!(explain(&root, missed, &webhook).await, inactive("backlog"));
    let again = create(&root, "orders", json!({})).await;
    becomes(&root, again, &webhook, &delivered(again)).await;
}

#[tokio::test]
async fn a_credential_is_told_what_its_stream_would_tell() {
    let server = Server::start();
    let root = server.client();
    let grant = json!({"collections": {"orders": ["subscribe"], "others": ["create"]},
        "read_filter": {"owner": "ann"}, "fields": {"exclude": ["cost"]}});
    let (key, id) = issue(&root, grant).await;
    let whom = format!("credential={id}");
    let told = answer("delivered", json!({}));
    let hers =
        create(&root, "orders", json!({"_id": "a", "owner": "ann", "n": 1, "cost": 5})).await;
    let his = create(&root, "orders", json!({"owner": "bob", "n": 1})).await;
    let elsewhere = create(&root, "others", json!({"owner": "ann"})).await;
    let published = json!({"event": "answer", "data": 1, "channel": "news"});
    let published = root.post("/v1/events", &published).await.expect(201).position();
    let page = key.get("/v1/events").await.expect(200);
    let seen: Vec<_> = page.list("events").iter().map(|one| one["position"].as_u64()).collect();
    assert_eq!(seen, [Some(hers)], "what the credential is told");
    assert_eq!(explain(&root, hers, &whom).await, told);
    assert_eq!(explain(&root, his, &whom).await, hidden("read_filter"));
    assert_eq!(explain(&root, elsewhere, &whom).await, hidden("collection"));
    assert_eq!(explain(&root, published, &whom).await, hidden("channel"));
    assert_eq!(explain(&root, 1, &whom).await, hidden("system"));
    let with = |filter| format!("{whom}&filter={filter}");
    assert_eq!(explain(&root, hers, &with(r#"{"n":1}"#)).await, told);
    assert_eq!(explain(&root, hers, &with(r#"{"n":2}"#)).await, filtered(r#"{"n":2}"#));
    assert_eq!(explain(&root, hers, &with(r#"{"cost":5}"#)).await, hidden("fields"));
    for position in [hers, his, elsewhere, published, 1] {
        assert_eq!(explain(&root, position, "credential=root").await, told);
    }
    let own = json!({"collections": {"orders": {"read": true, "private": true}}});
    root.put("/v1/roles/own", &own).await.expect(201);
    let (_, own) = issue(&root, json!({"roles": ["own"]})).await;
    let own = format!("credential={own}");
    assert_eq!(explain(&root, hers, &own).await, hidden("private"));
    let asked = format!(r#"{own}&filter={{"n":2}}"#);
    assert_eq!(explain(&root, hers, &asked).await, filtered(r#"{"n":2}"#));
    let closed = json!({"collections": {"orders": ["subscribe"]}, "acls": ["get"]});
    let (_, closed) = issue(&root, closed).await;
    assert_eq!(explain(&root, hers, &format!("credential={closed}")).await, hidden("acl"));
}

#[tokio::test]
async fn questions_that_cannot_be_answered_are_refused_by_name() {
    let server = Server::start();
    let root = server.client();
    let receiver = Receiver::start();
    let webhook = register(&root, &receiver, json!({})).await;
    let last = create(&root, "orders", json!({})).await;
    let refused = async |query: &str, status: u16| {
        root.get(&format!("/v1/admin/explain{query}")).await.refused(status)
    };
    for query in ["", "?webhook=x", "?position=x&webhook=x", "?position=-1&webhook=x"] {
        assert_eq!(refused(query, 400).await, "invalid_parameter", "{query}");
    }
    for query in ["", &format!("&{webhook}&credential=root"), &format!("&{webhook}&filter={{}}")] {
        let query = format!("?position={last}{query}");
        assert_eq!(refused(&query, 400).await, "invalid_parameter", "{query}");
    }
    let query = format!("?position={last}&{webhook}&kinds=x");
    assert_eq!(refused(&query, 400).await, "unknown_parameter");
    let query = format!("?position={last}&credential=root&filter={{\"$no\":1}}");
    refused(&query, 400).await;
    for whom in [webhook.as_str(), "credential=root"] {
        for position in [0, last + 100] {
            let query = format!("?position={position}&{whom}");
            assert_eq!(refused(&query, 404).await, "event_not_found", "{query}");
        }
    }
    let query = format!("?position={last}&webhook=unknown");
    assert_eq!(refused(&query, 404).await, "webhook_not_found");
    let query = format!("?position={last}&credential=unknown");
    assert_eq!(refused(&query, 404).await, "credential_not_found");
}
