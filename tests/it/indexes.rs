//! Indexes: defined, built while writes go on, used, unique, dropped, expiring.

use serde_json::{Value, json};

use crate::harness::{Server, eventually};

const ORDERS: &str = "/v1/collections/orders/documents";
const INDEXES: &str = "/v1/collections/orders/indexes";
const COLLECTION: &str = "/v1/collections/orders";

#[tokio::test]
async fn an_index_is_defined_listed_read_and_dropped() {
    let server = Server::start();
    let client = server.client();
    client.post(ORDERS, &json!([{"_id": 1, "a": 1}, {"_id": 2, "a": 2}])).await.expect(201);
    let path = format!("{INDEXES}/by_b_a");
    let definition = json!({"keys": {"b": 1, "a": -1}, "partial_filter": {"a": {"$gt": 1}}});
    let made = client.put(&path, &definition).await.expect(201);
    let wanted = json!({
        "name": "by_b_a", "keys": {"b": 1, "a": -1}, "unique": false, "sparse": false,
        "partial_filter": {"a": {"$gt": 1}}, "expire_after_seconds": null,
        "state": "ready", "progress": 1.0,
    });
    assert_eq!(made.body, wanted);
    assert!(made.text.contains(r#""keys":{"b":1,"a":-1}"#), "the order of keys: {}", made.text);
    assert_eq!(client.put(&path, &definition).await.expect(200).body, wanted);
    assert_eq!(client.get(&path).await.expect(200).body, wanted);
    client.put(&path, &json!({"keys": {"a": 1}})).await.expect(201);
    client.put(&format!("{INDEXES}/another"), &json!({"keys": {"c": 1}})).await.expect(201);
    let list = client.get(INDEXES).await.expect(200);
    let names: Vec<&Value> = list.list("indexes").iter().map(|one| &one["name"]).collect();
    assert_eq!(
        (names, &list.body["next"]),
        (vec![&json!("another"), &json!("by_b_a")], &Value::Null)
    );
    let first = client.get(&format!("{INDEXES}?limit=1")).await.expect(200);
    let next = first.body["next"].as_str().unwrap();
    let second = client.get(&format!("{INDEXES}?limit=1&cursor={next}")).await.expect(200);
    assert_eq!(
        (&second.list("indexes")[0]["name"], &second.body["next"]),
        (&json!("by_b_a"), &Value::Null)
    );
    let read = client.get(COLLECTION).await.expect(200);
    assert_eq!(read.body["indexes"]["by_b_a"]["state"], "ready");
    let dropped = client.delete(&path).await.expect(200);
    assert_eq!(dropped.body, json!({"deleted": 1, "position": dropped.position()}));
    assert_eq!(client.delete(&path).await.refused(404), "index_not_found");
    assert_eq!(client.get(&path).await.refused(404), "index_not_found");
    client.get("/v1/collections/none/indexes").await.expect(200);
}

#[tokio::test]
async fn definitions_that_cannot_work_are_refused() {
    let server = Server::start();
    let client = server.client();
    let keys = json!({"keys": {"a": 1}});
    for name in ["_id", "a%20b"] {
        client.put(&format!("{INDEXES}/{name}"), &keys).await.expect(400);
    }
    for wrong in [
        json!({}),
        json!({"keys": {}}),
        json!({"keys": {"a": 2}}),
        json!({"keys": {"a": 1, "b": "text"}}),
        json!({"keys": {"a": 1}, "wings": 2}),
        json!({"keys": {"a": 1}, "partial_filter": {"b": {"$fly": 1}}}),
        json!({"keys": {"a": 1, "b": 1}, "expire_after_seconds": 1}),
    ] {
        client.put(&format!("{INDEXES}/wrong"), &wrong).await.expect(400);
    }
    client.get(COLLECTION).await.expect(404);
    let grant = json!({"collections": {"orders": ["read", "write"]}});
    let issued = client.post("/v1/credentials", &json!({"grant": grant})).await.expect(201);
    let key = client.with_key(issued.body["key"].as_str().unwrap());
    key.put(&format!("{INDEXES}/a"), &keys).await.expect(403);
    key.delete(&format!("{INDEXES}/a")).await.expect(403);
    key.get(INDEXES).await.expect(200);
}

#[tokio::test]
async fn a_unique_index_refuses_doubles() {
    let server = Server::start();
    let client = server.client();
    let unique = json!({"keys": {"email": 1}, "unique": true, "sparse": true});
    client.put(&format!("{INDEXES}/email"), &unique).await.expect(201);
    client
        .post(ORDERS, &json!([{"_id": 1, "email": "a@b.c"}, {"_id": 2}, {"_id": 3}]))
        .await
        .expect(201);
    let double = client.post(ORDERS, &json!({"email": "a@b.c"})).await.expect(409);
    assert_eq!(double.body["error"]["code"], "unique_violation");
    assert_eq!(double.body["error"]["details"]["index"], "email");
    assert!(double.text.contains("a@b.c"), "{}", double.text);
    let patched = client.patch(&format!("{ORDERS}/2"), &json!({"email": "a@b.c"})).await;
    assert_eq!(patched.refused(409), "unique_violation");
    let all = json!({"filter": {}, "update": {"$set": {"email": "same"}}, "multi": true});
    let all = client.post("/v1/collections/orders/update", &all).await;
    assert_eq!(all.refused(409), "unique_violation");
    client.delete(&format!("{ORDERS}/1")).await.expect(200);
    client.post(ORDERS, &json!({"email": "a@b.c"})).await.expect(201);
}

#[tokio::test]
async fn a_unique_index_over_doubles_is_not_made() {
    let server = Server::start();
    let client = server.client();
    client.post(ORDERS, &json!([{"n": 7}, {"n": 7}, {"n": 8}])).await.expect(201);
    let path = format!("{INDEXES}/by_n");
    let refused = client.put(&path, &json!({"keys": {"n": 1}, "unique": true})).await.expect(409);
    let error = &refused.body["error"];
    assert_eq!(
        (&error["code"], &error["details"]["index"]),
        (&json!("unique_violation"), &json!("by_n"))
    );
    assert!(error["details"]["value"].as_str().unwrap().contains("n = 7"), "{}", refused.text);
    client.get(&path).await.expect(404);
    client.post(ORDERS, &json!({"n": 7})).await.expect(201);
    client.put(&path, &json!({"keys": {"n": 1}})).await.expect(201);
}

#[tokio::test]
async fn an_index_is_built_while_writes_go_on() {
    let server = Server::start();
    let client = server.client();
    for part in 0..10 {
        let documents: Vec<Value> =
            (0..1000).map(|n| json!({"_id": part * 1000 + n, "n": n % 10})).collect();
        client.post(ORDERS, &json!(documents)).await.expect(201);
    }
    let (writer, mut written) = (client.clone(), 0_u64);
    let path = format!("{INDEXES}/by_n");
    let definition = json!({"keys": {"n": 1}});
    let building = client.put(&path, &definition);
    tokio::pin!(building);
    let answer = loop {
        tokio::select! {
            answer = &mut building => break answer.expect(201),
            answer = writer.post(ORDERS, &json!({"_id": format!("w{written}"), "n": 3})) => {
                answer.expect(201);
                written += 1;
            }
        }
    };
    assert!(["building", "ready"].contains(&answer.body["state"].as_str().unwrap()));
    eventually("the index is ready", || async {
        let index = client.get(&path).await.expect(200);
        (index.body["state"] == "ready").then_some(())
    })
    .await;
    let query = json!({"filter": {"n": 3}, "count": true, "limit": 1});
    let found = client.post("/v1/collections/orders/query", &query).await.expect(200);
    // The past is read without indexes.
    let then = json!({"filter": {"n": 3}, "count": true, "limit": 1, "at": found.position()});
    let then = client.post("/v1/collections/orders/query", &then).await.expect(200);
    assert_eq!(found.body["count"], then.body["count"]);
    assert!(found.body["count"].as_u64().unwrap() >= 1000 + written);
    let explain = json!({"filter": {"n": 3}, "explain": true});
    let plan = client.post("/v1/collections/orders/query", &explain).await.expect(200);
    assert_eq!(plan.body["plan"]["index"], "by_n");
}

#[tokio::test]
async fn indexes_outlive_a_kill() {
    let mut server = Server::start();
    let client = server.client();
    client
        .put(&format!("{INDEXES}/by_n"), &json!({"keys": {"n": 1}, "unique": true}))
        .await
        .expect(201);
    client.post(ORDERS, &json!({"n": 1})).await.expect(201);
    server.kill();
    server.restart();
    assert_eq!(client.post(ORDERS, &json!({"n": 1})).await.refused(409), "unique_violation");
    eventually("the index is ready", || async {
        let index = client.get(&format!("{INDEXES}/by_n")).await.expect(200);
        (index.body["state"] == "ready").then_some(())
    })
    .await;
}

#[tokio::test]
async fn words_are_found_through_a_text_index() {
    let server = Server::start();
    let client = server.client();
    let documents = json!([{"_id": 1, "title": "blue water"}, {"_id": 2, "title": "green grass"}]);
    client.post(ORDERS, &documents).await.expect(201);
    let query = json!({"filter": {"$text": {"$search": "water"}}});
    let path = "/v1/collections/orders/query";
    client.post(path, &query).await.expect(400);
    client.put(&format!("{INDEXES}/words"), &json!({"keys": {"title": "text"}})).await.expect(201);
    let found = client.post(path, &query).await.expect(200);
    assert_eq!(found.list("documents"), &[json!({"_id": 1, "title": "blue water"})]);
}
