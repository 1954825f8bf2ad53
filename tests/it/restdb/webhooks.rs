//! Webhooks in RestDB.io's form.

use serde_json::{Value, json};

use super::{id, key, logged_in};
use crate::harness::{Client, Received, Receiver, Reply, Server};

/// Registers a webhook in the form for articles; its path.
async fn register(client: &Client, receiver: &Receiver, more: Value) -> String {
    let mut body =
        json!({"url": receiver.url("/hook"), "collections": ["articles"], "format": "restdb"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = client.post("/v1/webhooks", &body).await.expect(201);
    assert_eq!(answer.body["format"], body["format"]);
    format!("/v1/webhooks/{}", answer.body["id"].as_str().unwrap())
}

/// A delivery's document, after its envelope was compared with what RestDB.io sends.
fn document(one: &Received, method: &str) -> Value {
    let body = one.json();
    let document = body["0"].clone();
    let event = json!({
        "db": "headwater", "collection": "articles", "method": method, "payload": [document],
    });
    assert_eq!(body, json!({"0": document, "event": event}));
    assert_eq!(one.header("content-type"), "application/json");
    document
}

#[tokio::test]
async fn each_change_of_an_article_is_told_with_its_system_fields() {
    let server = Server::start();
    let root = server.client();
    let receiver = Receiver::start();
    register(&root, &receiver, json!({})).await;
    let two = json!([{"title": "ä \"1\"", "_version": 99}, {"title": "two"}]);
    let stored = root.post("/rest/articles", &two).await.expect(201).body;
    let path = format!("/rest/articles/{}", id(&stored[0]));
    let put = root.put(&path, &json!({"title": "three"})).await.expect(200).body;
    root.patch(&path, &json!({"tag": 4})).await.expect(200);
    root.delete(&path).await.expect(200);
    let received = receiver.wait(5).await;
    let of = |wanted: &Value| {
        let is_of = |one: &&Received| {
            let first = &one.json()["0"];
            first == wanted || first["_id"] == *wanted
        };
        received.iter().filter(is_of).collect::<Vec<_>>()
    };
    let first = of(&stored[0]["_id"]);
    let created = document(first[0], "POST");
    let mut wanted = stored[0].clone();
    wanted["_version"] = json!(1);
    assert_eq!(created, wanted);
    assert_eq!((&created["_createdby"], &created["_changedby"]), (&json!("api"), &json!("api")));
    let mut wanted = put;
    wanted["_version"] = json!(2);
    assert_eq!(document(first[1], "PUT"), wanted);
    let patched = document(first[2], "PUT");
    assert_eq!((&patched["tag"], &patched["_version"]), (&json!(4), &json!(3)));
    assert_eq!(patched["_created"], stored[0]["_created"]);
    assert_eq!(document(first[3], "DELETE"), stored[0]["_id"]);
    let second = of(&stored[1]["_id"]);
    assert_eq!(second.len(), 1, "each document of several has a delivery of its own");
}

#[tokio::test]
async fn users_are_told_by_their_addresses_and_retries_are_the_same() {
    let server = Server::start();
    let root = server.client();
    let mut tries = 0;
    let receiver = Receiver::answering(move |_| {
        tries += 1;
        Reply::status(if tries < 3 { 500 } else { 200 })
    });
    register(&root, &receiver, json!({"projection": {"title": 1}})).await;
    let role = json!({"collections": {"articles": {"create": true, "read": true}}});
    root.put("/v1/roles/writer", &role).await.expect(201);
    let ann = logged_in(&root, "ann@example.com", &["writer"]).await;
    ann.post("/rest/articles", &json!({"title": "one", "secret": 1})).await.expect(201);
    let received = receiver.wait(3).await;
    for one in &received {
        assert_eq!((one.id(), &one.body), (received[0].id(), &received[0].body));
    }
    let article = document(&received[0], "POST");
    assert_eq!(
        (&article["_createdby"], &article["title"]),
        (&json!("ann@example.com"), &json!("one"))
    );
    assert_eq!(article.get("secret"), None, "the projection holds in this form, too");
}

#[tokio::test]
async fn the_form_can_be_changed_and_an_unknown_one_is_refused() {
    let server = Server::start();
    let root = server.client();
    let receiver = Receiver::start();
    let webhook = register(&root, &receiver, json!({"format": "event"})).await;
    root.post("/rest/articles", &json!({"title": 1})).await.expect(201);
    assert_eq!(receiver.wait(1).await[0].json()["kind"], "document.created");
    let refused = root.patch(&webhook, &json!({"format": "xml"})).await.expect(400);
    assert!(
        refused.text.contains("`format` must be \\\"event\\\" or \\\"restdb\\\""),
        "{refused:?}"
    );
    let changed = root.patch(&webhook, &json!({"format": "restdb"})).await.expect(200);
    assert_eq!(changed.body["format"], "restdb");
    root.post("/rest/articles", &json!({"title": 2})).await.expect(201);
    let received = receiver.wait(2).await;
    assert_eq!(document(&received[1], "POST")["title"], 2);
    // Custom events have a form here, too.
    let kinds = json!({"kinds": ["event.published"]});
    root.patch(&webhook, &kinds).await.expect(200);
    root.post("/v1/events", &json!({"event": "answer", "data": {"n": 42}})).await.expect(201);
    let event = json!({"db": "headwater", "collection": "", "method": "PUBLISH",
        "event": "answer", "payload": [{"n": 42}]});
    assert_eq!(receiver.wait(3).await[2].json(), json!({"0": {"n": 42}, "event": event}));
}

#[tokio::test]
async fn a_document_that_leaves_the_owners_sight_is_told_as_deleted() {
    let server = Server::start();
    let root = server.client();
    let receiver = Receiver::start();
    let grant = json!({
        "collections": {"articles": ["read", "settings", "subscribe"]},
        "read_filter": {"public": true}, "fields": {"exclude": ["secret"]},
    });
    let owner = key(&root, json!({"grant": grant})).await;
    root.post("/rest/articles", &json!({"title": "hidden"})).await.expect(201);
    register(&owner, &receiver, json!({})).await;
    let article = json!({"public": true, "secret": 1});
    let stored = root.post("/rest/articles", &article).await.expect(201).body;
    let path = format!("/rest/articles/{}", id(&stored));
    root.put(&path, &json!({"public": false})).await.expect(200);
    let received = receiver.wait(2).await;
    let seen = document(&received[0], "POST");
    assert_eq!((&seen["public"], seen.get("secret")), (&json!(true), None));
    assert_eq!(document(&received[1], "DELETE"), stored["_id"]);
}
