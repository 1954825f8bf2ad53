//! Schemas of collections: compiled, shown, and kept by every write.

use serde_json::{Value, json};

use crate::harness::{Client, Server};

const PEOPLE: &str = "/v1/collections/people";
const DOCUMENTS: &str = "/v1/collections/people/documents";

fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "minLength": 2},
            "age": {"type": "integer", "minimum": 0},
            "address": {"type": "object", "properties": {"zip": {"type": "string"}}},
        },
        "additionalProperties": false,
    })
}

async fn violations(client: &Client, document: Value) -> Vec<(String, String)> {
    let refused = client.post(DOCUMENTS, &document).await.expect(422);
    assert_eq!(refused.body["error"]["code"], "schema_violation");
    let list = refused.body["error"]["details"]["violations"].as_array().unwrap().clone();
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    list.iter()
        .map(|one| {
            assert!(one["message"].is_string());
            (text(one, "path"), text(one, "keyword"))
        })
        .collect()
}

#[tokio::test]
async fn every_violation_is_listed_with_its_path() {
    let server = Server::start();
    let client = server.client();
    let made = client.put(PEOPLE, &json!({"schema": schema()})).await.expect(201);
    assert_eq!(made.body["schema"], schema());
    assert_eq!(client.get(PEOPLE).await.expect(200).body["schema"], schema());
    client.post(DOCUMENTS, &json!({"_id": "a", "name": "Ann", "age": 3})).await.expect(201);
    let wrong = json!({"name": "x", "age": -1, "address": {"zip": 5}, "wings": 2});
    let mut found = violations(&client, wrong).await;
    found.sort();
    let found: Vec<(&str, &str)> = found.iter().map(|(p, k)| (p.as_str(), k.as_str())).collect();
    assert!(found.contains(&("name", "minLength")), "{found:?}");
    assert!(found.contains(&("age", "minimum")), "{found:?}");
    assert!(found.contains(&("address.zip", "type")), "{found:?}");
    assert!(found.iter().any(|(_, keyword)| *keyword == "additionalProperties"), "{found:?}");
    assert!(!violations(&client, json!({})).await.is_empty());
}

#[tokio::test]
async fn every_way_of_writing_keeps_to_the_schema() {
    let server = Server::start();
    let client = server.client();
    client.put(PEOPLE, &json!({"schema": schema()})).await.expect(201);
    client.post(DOCUMENTS, &json!({"_id": "a", "name": "Ann"})).await.expect(201);
    let a = format!("{DOCUMENTS}/a");
    client.put(&a, &json!({"name": 5})).await.expect(422);
    client.patch(&a, &json!({"age": "old"})).await.expect(422);
    client.patch(&a, &json!({"$unset": {"name": ""}})).await.expect(422);
    let update = json!({"filter": {}, "update": {"$set": {"age": -3}}, "multi": true});
    client.post("/v1/collections/people/update", &update).await.expect(422);
    let upsert = json!({"filter": {"_id": "b"}, "update": {"$set": {"age": 3}}, "upsert": true});
    client.post("/v1/collections/people/update", &upsert).await.expect(422);
    let operations = json!({"operations": [
        {"op": "create", "collection": "people", "document": {"name": "Bob"}},
        {"op": "create", "collection": "people", "document": {"name": 1}},
    ]});
    let refused = client.post("/v1/transactions", &operations).await.expect(422);
    assert_eq!(refused.body["error"]["details"]["operation"], 1);
    assert_eq!(client.get(PEOPLE).await.expect(200).body["count"], 1);
    assert_eq!(client.get(&a).await.expect(200).body, json!({"_id": "a", "name": "Ann"}));
}

#[tokio::test]
async fn a_schema_that_does_not_compile_is_refused() {
    let server = Server::start();
    let client = server.client();
    for wrong in [
        json!({"schema": {"type": "strng"}}),
        json!({"schema": {"properties": {"a": {"minimum": "x"}}}}),
        json!({"schema": {"properties": {"a": {"fly": true}}}}),
        json!({"schema": []}),
    ] {
        let refused = client.put(PEOPLE, &wrong).await;
        assert_eq!(refused.status, 400, "{wrong}: {}", refused.text);
    }
    client.get(PEOPLE).await.expect(404);
    let later = json!({"options": {"a": 1}});
    assert_eq!(client.put(PEOPLE, &later).await.refused(400), "unsupported");
}

#[tokio::test]
async fn a_new_schema_holds_from_then_on_and_across_a_restart() {
    let mut server = Server::start();
    let client = server.client();
    client.post(DOCUMENTS, &json!({"_id": "old", "n": 1})).await.expect(201);
    client.put(PEOPLE, &json!({"schema": {"required": ["name"]}})).await.expect(200);
    client.get(&format!("{DOCUMENTS}/old")).await.expect(200);
    client.post(DOCUMENTS, &json!({"n": 2})).await.expect(422);
    server.kill();
    server.restart();
    client.post(DOCUMENTS, &json!({"n": 2})).await.expect(422);
    client.put(PEOPLE, &json!({})).await.expect(200);
    client.post(DOCUMENTS, &json!({"n": 2})).await.expect(201);
    assert_eq!(client.get(PEOPLE).await.expect(200).body["schema"], Value::Null);
}
