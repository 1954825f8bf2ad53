//! Typed fields of collections: converted, checked, filled in and kept unique by every way of writing.

mod rights;
mod unique;

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Server, eventually, headwater, text};

const PEOPLE: &str = "/v1/collections/people";
const DOCUMENTS: &str = "/v1/collections/people/documents";

/// Defines the collection by its fields alone.
async fn define(client: &Client, fields: Value, status: u16) -> Answer {
    client.put(PEOPLE, &json!({"fields": fields})).await.expect(status)
}

/// The rules that a refusal says were broken: `path keyword`.
fn broken(refused: Answer) -> Vec<String> {
    let refused = refused.expect(422);
    assert_eq!(refused.body["error"]["code"], "schema_violation");
    let list = refused.body["error"]["details"]["violations"].as_array().unwrap();
    let member = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    list.iter()
        .map(|one| {
            assert!(one["message"].as_str().unwrap().contains(one["path"].as_str().unwrap()));
            format!("{} {}", member(one, "path"), member(one, "keyword"))
        })
        .collect()
}

/// The field that a unique violation names.
fn doubled(refused: Answer) -> String {
    let refused = refused.expect(409);
    assert_eq!(refused.body["error"]["code"], "unique_violation", "{}", refused.text);
    refused.body["error"]["details"]["field"].as_str().unwrap().to_owned()
}

fn every_type() -> Value {
    json!({
        "name": {"type": "text", "required": true, "pattern": "^[A-Z]"},
        "age": {"type": "number"},
        "born": {"type": "date"},
        "seen": {"type": "datetime"},
        "active": {"type": "boolean"},
        "extra": {"type": "json"},
        "email": {"type": "email"},
        "home": {"type": "url"},
        "phone": {"type": "phone"},
        "friends": {"type": "lookup", "collection": "people"},
        "notes": {"type": "child", "collection": "notes"},
        "photo": {"type": "image"},
        "papers": {"type": "file"},
        "state": {"type": "text", "default": "new"},
    })
}

#[tokio::test]
async fn what_a_form_sends_is_stored_as_its_fields_say() {
    let server = Server::start();
    let client = server.client();
    let fields = every_type();
    let made = define(&client, fields.clone(), 201).await;
    assert_eq!(made.body["fields"], fields, "shown as given");
    assert_eq!(client.get(PEOPLE).await.expect(200).body["fields"], fields);
    let form = json!({
        "_id": "ann", "name": "Ann", "age": "41", "born": "1985-02-03", "seen": "2026-03-10T10:00",
        "active": "true", "extra": "{\"a\":[1,2]}", "email": "ann@example.com", "home": "https://example.com/",
        "phone": "+49 30 1234", "friends": {"_id": "bob", "name": "Bob"}, "notes": [{"x": 1}],
        "photo": "0011", "papers": ["22", "33"], "free": "41",
    });
    let stored = json!({
        "_id": "ann", "name": "Ann", "age": 41, "born": "1985-02-03T00:00:00.000Z",
        "seen": "2026-03-10T10:00:00.000Z", "active": true, "extra": {"a": [1, 2]}, "email": "ann@example.com",
        "home": "https://example.com/", "phone": "+49 30 1234", "friends": ["bob"], "photo": ["0011"],
        "papers": ["22", "33"], "free": "41", "state": "new",
    });
    let created = client.post(DOCUMENTS, &form).await.expect(201);
    assert_eq!(created.body["documents"][0], stored);
    assert_eq!(client.get(&format!("{DOCUMENTS}/ann")).await.expect(200).body, stored);
    let events = client.get("/v1/events?collections=people").await.expect(200);
    assert_eq!(events.list("events")[0]["document"], stored, "the event carries what is stored");
    let filter = r#"{"born":{"$lt":{"$date":"1990-01-01T00:00:00Z"}},"age":{"$gt":40}}"#;
    let found = client.get(&format!("{DOCUMENTS}?filter={filter}")).await.expect(200);
    assert_eq!(found.list("documents").len(), 1);
    // What was read can be written again, and is no change.
    let before = events.body["last"].as_u64().unwrap();
    client.put(&format!("{DOCUMENTS}/ann"), &stored).await.expect(200);
    let again = client.get("/v1/events?collections=people").await.expect(200);
    assert_eq!(again.body["last"].as_u64().unwrap(), before);
}

#[tokio::test]
async fn every_rule_that_is_broken_is_listed_with_those_of_the_schema() {
    let server = Server::start();
    let client = server.client();
    let definition =
        json!({"fields": every_type(), "schema": {"properties": {"free": {"maximum": 9}}}});
    client.put(PEOPLE, &definition).await.expect(201);
    let wrong = json!({
        "age": "old", "born": "yesterday", "seen": true, "active": "maybe", "extra": "{", "email": "ann", "home": "x",
        "phone": "call", "friends": [null], "photo": 7, "papers": [""], "state": 3, "free": 10,
    });
    let expected = [
        "name required",
        "age type",
        "born type",
        "seen type",
        "active type",
        "extra type",
        "email type",
        "home type",
        "phone type",
        "friends type",
        "photo type",
        "papers type",
        "state type",
        "free maximum",
    ];
    assert_eq!(broken(client.post(DOCUMENTS, &wrong).await), expected);
    assert_eq!(broken(client.post(DOCUMENTS, &json!({"name": "ann"})).await), ["name pattern"]);
    for empty in [json!({}), json!({"name": null}), json!({"name": ""})] {
        assert_eq!(broken(client.post(DOCUMENTS, &empty).await), ["name required"]);
    }
    // The schema sees what is converted.
    let schema = json!({"properties": {"age": {"type": "integer", "maximum": 100}}});
    client.put(PEOPLE, &json!({"fields": every_type(), "schema": schema})).await.expect(200);
    client.post(DOCUMENTS, &json!({"name": "Ann", "age": "41"})).await.expect(201);
    assert_eq!(
        broken(client.post(DOCUMENTS, &json!({"name": "Ann", "age": "141"})).await),
        ["age maximum"]
    );
}

#[tokio::test]
async fn every_way_of_writing_converts_and_checks() {
    let server = Server::start();
    let client = server.client();
    define(&client, every_type(), 201).await;
    client.post(DOCUMENTS, &json!({"_id": "a", "name": "Ann", "age": 1})).await.expect(201);
    let a = format!("{DOCUMENTS}/a");
    assert_eq!(broken(client.put(&a, &json!({"age": 2})).await), ["name required"]);
    let replaced = client.put(&a, &json!({"name": "Ann", "age": "2"})).await.expect(200).body;
    assert_eq!(
        replaced,
        json!({"_id": "a", "name": "Ann", "age": 2}),
        "no default on a replacement"
    );
    assert_eq!(broken(client.patch(&a, &json!({"name": null})).await), ["name required"]);
    assert_eq!(client.patch(&a, &json!({"age": "3"})).await.expect(200).body["age"], 3);
    assert_eq!(client.patch(&a, &json!({"$inc": {"age": 2}})).await.expect(200).body["age"], 5);
    assert_eq!(broken(client.patch(&a, &json!({"$set": {"age": "x"}})).await), ["age type"]);
    assert_eq!(broken(client.patch(&a, &json!({"$unset": {"name": ""}})).await), ["name required"]);
    let pushed = client.patch(&a, &json!({"$push": {"friends": {"_id": "b"}}})).await.expect(200);
    assert_eq!(pushed.body["friends"], json!(["b"]));
    let update = |update: Value| json!({"filter": {}, "update": update, "multi": true});
    let path = format!("{PEOPLE}/update");
    client
        .post(&path, &update(json!({"$set": {"age": "7", "seen": "2026-03-10"}})))
        .await
        .expect(200);
    let now = client.get(&a).await.expect(200).body;
    assert_eq!((&now["age"], &now["seen"]), (&json!(7), &json!("2026-03-10T00:00:00.000Z")));
    assert_eq!(
        broken(client.post(&path, &update(json!({"$set": {"email": "x"}}))).await),
        ["email type"]
    );
    let upsert = json!({"filter": {"_id": "u"}, "update": {"$set": {"name": "Uma", "age": "9"}}, "upsert": true});
    client.post(&path, &upsert).await.expect(200);
    let made = client.get(&format!("{DOCUMENTS}/u")).await.expect(200).body;
    assert_eq!((&made["age"], &made["state"]), (&json!(9), &json!("new")));
    let put = client.put(&format!("{DOCUMENTS}/p?upsert=true"), &json!({"name": "Pia"})).await;
    assert_eq!(put.expect(201).body["state"], "new");
    let many = json!([{"name": "Bob"}, {"name": "Cid", "age": "5"}, {"age": "x"}]);
    let refused = client.post(DOCUMENTS, &many).await.expect(422);
    assert_eq!(refused.body["error"]["details"]["operation"], 2);
    assert_eq!(broken(refused), ["name required", "age type"]);
    let operations = json!({"operations": [
        {"op": "create", "collection": "people", "document": {"_id": "t", "name": "Tom", "age": "1"}},
        {"op": "update", "collection": "people", "id": "t", "update": {"age": "2"}},
        {"op": "replace", "collection": "people", "id": "a", "document": {"name": "Ann", "age": "zero"}},
    ]});
    let refused = client.post("/v1/transactions", &operations).await.expect(422);
    assert_eq!(refused.body["error"]["details"]["operation"], 2);
    assert_eq!(client.get(PEOPLE).await.expect(200).body["count"], 3);
    let operations = json!({"operations": operations["operations"].as_array().unwrap()[..2]});
    client.post("/v1/transactions", &operations).await.expect(200);
    assert_eq!(client.get(&format!("{DOCUMENTS}/t")).await.expect(200).body["age"], 2);
}

#[tokio::test]
async fn a_definition_is_refused_by_the_name_of_what_is_wrong() {
    let server = Server::start();
    let client = server.client();
    for (fields, field, member) in [
        (json!({"a": {"type": "strng"}}), "a", "type"),
        (json!({"a": {"type": "text", "fly": 1}}), "a", "fly"),
        (json!({"a": {"type": "text", "pattern": "("}}), "a", "pattern"),
        (json!({"a": {"type": "number", "default": "x"}}), "a", "default"),
        (json!({"a": {"type": "lookup"}}), "a", "collection"),
        (json!({"a.b": {"type": "text"}}), "a.b", ""),
    ] {
        let refused = client.put(PEOPLE, &json!({"fields": fields})).await.expect(400);
        let details = &refused.body["error"]["details"];
        assert_eq!(details["field"], field, "{}", refused.text);
        assert_eq!(details["member"].as_str().unwrap_or_default(), member, "{}", refused.text);
    }
    client.get(PEOPLE).await.expect(404);
    assert_eq!(client.put(PEOPLE, &json!({"options": {"a": 1}})).await.refused(400), "unsupported");
}

#[tokio::test]
async fn what_was_there_before_a_definition_is_checked_when_it_is_written() {
    let server = Server::start();
    let client = server.client();
    client.post(DOCUMENTS, &json!({"_id": "old", "age": "5", "name": 7})).await.expect(201);
    define(&client, json!({"age": {"type": "number"}, "name": {"type": "text"}}), 200).await;
    let old = format!("{DOCUMENTS}/old");
    assert_eq!(client.get(&old).await.expect(200).body["age"], "5");
    assert_eq!(broken(client.patch(&old, &json!({"free": 1})).await), ["name type"]);
    let written = client.patch(&old, &json!({"name": "Old"})).await.expect(200).body;
    assert_eq!(written, json!({"_id": "old", "age": 5, "name": "Old"}));
    define(&client, json!({"age": {"type": "text"}}), 200).await;
    assert_eq!(broken(client.patch(&old, &json!({"free": 1})).await), ["age type"]);
    client.put(PEOPLE, &json!({})).await.expect(200);
    client.patch(&old, &json!({"age": "any"})).await.expect(200);
    assert_eq!(client.get(PEOPLE).await.expect(200).body["fields"], json!({}));
    define(&client, json!({"age": {"type": "number", "unique": true}}), 200).await;
    client.delete(PEOPLE).await.expect(200);
    client.post(DOCUMENTS, &json!([{"age": "x"}, {"age": "x"}])).await.expect(201);
    assert_eq!(client.get(PEOPLE).await.expect(200).body["indexes"], json!({}));
}

#[tokio::test]
async fn fields_come_through_a_crash_and_a_rebuild() {
    let mut server = Server::start();
    let client = server.client();
    let fields = json!({"age": {"type": "number", "required": true, "unique": true}});
    define(&client, fields.clone(), 201).await;
    client.post(DOCUMENTS, &json!({"age": "5"})).await.expect(201);
    server.kill();
    server.restart();
    let client = server.client();
    let check = async || {
        assert_eq!(client.get(PEOPLE).await.expect(200).body["fields"], fields);
        assert_eq!(broken(client.post(DOCUMENTS, &json!({"age": "x"})).await), ["age type"]);
        assert_eq!(broken(client.post(DOCUMENTS, &json!({})).await), ["age required"]);
        assert_eq!(doubled(client.post(DOCUMENTS, &json!({"age": "5"})).await), "age");
    };
    check().await;
    let started = client.send(client.request("POST", "/v1/admin/rebuild")).await.expect(202);
    let path = format!("/v1/admin/jobs/{}", started.body["job"].as_str().unwrap());
    eventually("rebuild", async || {
        let job = client.get(&path).await.expect(200).body;
        (job["status"] == "done").then_some(())
    })
    .await;
    check().await;
    client.post(DOCUMENTS, &json!({"age": "6"})).await.expect(201);
}

#[tokio::test]
async fn fields_are_in_a_backup() {
    let server = Server::start();
    let client = server.client();
    let fields = json!({"age": {"type": "number", "unique": true}});
    define(&client, fields.clone(), 201).await;
    client.post(DOCUMENTS, &json!({"age": "5"})).await.expect(201);
    let path = server.file("fields.backup");
    server.run(&["backup", "--output", text(&path)]).output();
    let mut second = Server::prepared(&[]);
    let data = second.data();
    let restore = ["restore", "--data", text(&data), "--input", text(&path)];
    headwater(&restore, &[], "").output();
    second.restart();
    let client = second.client();
    assert_eq!(client.get(PEOPLE).await.expect(200).body["fields"], fields);
    assert_eq!(doubled(client.post(DOCUMENTS, &json!({"age": "5"})).await), "age");
}
