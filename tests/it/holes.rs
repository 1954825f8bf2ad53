//! Ways round a grant that were found by reading, each of them closed.

use serde_json::{Value, json};

use crate::harness::{Client, Server};

const PASSWORD: &str = "a long enough password";

async fn issue(root: &Client, grant: Value) -> Client {
    let issued = root.post("/v1/credentials", &json!({"grant": grant})).await.expect(201);
    root.with_key(issued.body["key"].as_str().unwrap())
}

#[tokio::test]
async fn a_webhook_of_another_is_not_deleted_by_its_id_in_other_letters() {
    let server = Server::start();
    let root = server.client();
    let body = json!({"url": "http://127.0.0.1:9/", "collections": ["theirs"], "active": false});
    let webhook = root.post("/v1/webhooks", &body).await.expect(201);
    let id = webhook.body["id"].as_str().unwrap();
    let mine = issue(&root, json!({"collections": {"mine": ["settings", "read"]}})).await;
    for id in [id.to_owned(), id.to_uppercase()] {
        let request = mine.request("DELETE", &format!("/v1/webhooks/{id}"));
        let refused = mine.send(request.header("idempotency-key", format!("k{id}"))).await;
        assert!([403, 404].contains(&refused.status), "{}", refused.text);
    }
    root.get(&format!("/v1/webhooks/{id}")).await.expect(200);
}

#[tokio::test]
async fn a_key_of_a_user_goes_no_further_than_the_user() {
    let server = Server::start();
    let root = server.client();
    let all = json!({"collections": {"*": {"read": true}}});
    root.put("/v1/roles/staff", &all).await.expect(201);
    let none = json!({"collections": {"*": {"read": false}}});
    root.put("/v1/roles/suspended", &none).await.expect(201);
    root.post("/v1/collections/orders/documents", &json!({"_id": "a"})).await.expect(201);
    let user = json!({"email": "ann@example.com", "password": PASSWORD,
                      "roles": ["suspended", "staff"]});
    root.post("/v1/users", &user).await.expect(201);
    let login = json!({"email": "ann@example.com", "password": PASSWORD});
    let begun = root.without_key().post("/v1/sessions", &login).await.expect(201);
    let session = root.with_key(begun.body["access_token"].as_str().unwrap());
    let order = "/v1/collections/orders/documents/a";
    session.get(order).await.expect(403);
    let publish = json!({"event": "e", "data": 1, "channel": "room"});
    session.post("/v1/events", &publish).await.expect(403);
    for grant in [
        json!({"roles": ["staff"]}),
        json!({"channels": {"*": ["publish", "subscribe"]}}),
        json!({"collections": {"*": ["*"]}}),
    ] {
        let made = session.post("/v1/users/me/keys", &json!({"grant": grant})).await.expect(201);
        let key = root.with_key(made.body["key"].as_str().unwrap());
        key.get(order).await.expect(403);
        key.post("/v1/events", &publish).await.expect(403);
        key.refused_stream("/v1/events?channel=room", &[]).await.expect(403);
    }
}

#[tokio::test]
async fn who_writes_without_reading_sets_and_loses_nothing_hidden() {
    let server = Server::start();
    let root = server.client();
    let path = "/v1/collections/orders/documents";
    root.post(path, &json!({"_id": "a", "status": "new", "n": 1})).await.expect(201);
    let fields = json!({"exclude": ["status"]});
    let grant = json!({"collections": {"orders": ["create", "update"]}, "fields": fields});
    let form = issue(&root, grant).await;
    form.post(path, &json!({"_id": "b", "status": "paid"})).await.expect(403);
    form.post(path, &json!({"_id": "b", "n": 1})).await.expect(201);
    let one = format!("{path}/a");
    form.put(&one, &json!({"n": 2})).await.expect(200);
    form.patch(&one, &json!({"$max": {"status": "zzz"}})).await.expect(403);
    let whole = root.get(&one).await.expect(200).body;
    assert_eq!(whole, json!({"_id": "a", "status": "new", "n": 2}));
}

#[tokio::test]
async fn neither_indexes_nor_schemas_tell_of_what_is_hidden() {
    let server = Server::start();
    let root = server.client();
    let staff = "/v1/collections/staff";
    let body = json!([{"_id": 1, "salary": 5, "n": 1}, {"_id": 2, "salary": 5, "n": 2}]);
    root.post(&format!("{staff}/documents"), &body).await.expect(201);
    let actions = ["read", "update", "settings"];
    let fields = json!({"exclude": ["salary"]});
    let grant = json!({"collections": {"staff": actions}, "fields": fields});
    let caller = issue(&root, grant).await;
    for definition in [
        json!({"keys": {"salary": 1}, "unique": true}),
        json!({"keys": {"salary": 1}}),
        json!({"keys": {"n": 1}, "partial_filter": {"salary": {"$gt": 4}}}),
        json!({"keys": {"x": 1}, "unique": true, "partial_filter": {"salary": 5}}),
    ] {
        caller.put(&format!("{staff}/indexes/i"), &definition).await.expect(403);
    }
    caller.put(&format!("{staff}/indexes/i"), &json!({"keys": {"n": 1}})).await.expect(201);
    let schema = json!({"schema": {"properties": {"salary": {"maximum": 4}}}});
    caller.put(staff, &schema).await.expect(403);
    root.put(staff, &schema).await.expect(200);
    let refused = caller.patch(&format!("{staff}/documents/1"), &json!({"n": 3})).await.expect(422);
    assert!(!refused.text.contains("salary"), "{}", refused.text);
}

#[tokio::test]
async fn a_pipeline_stays_within_the_paths_of_its_key() {
    let server = Server::start();
    let root = server.client();
    for name in ["orders", "payroll"] {
        let path = format!("/v1/collections/{name}/documents");
        root.post(&path, &json!({"_id": 1})).await.expect(201);
    }
    let key = issue(&root, json!({"paths": ["/v1/collections/orders/**"]})).await;
    let path = "/v1/collections/orders/aggregate";
    let to = |other: &str| json!({"pipeline": [{"$unionWith": {"coll": other}}]});
    key.post(path, &to("orders")).await.expect(200);
    key.post(path, &to("payroll")).await.expect(403);
}
