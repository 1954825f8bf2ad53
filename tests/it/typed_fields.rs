//! Typed fields of collections: converted, checked, filled in and kept unique by every way of writing.

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
        "age": "old", "born": "yesterday", "seen": 5, "active": "maybe", "extra": "{", "email": "ann", "home": "x",
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
async fn a_unique_field_has_one_winner_and_any_number_without_a_value() {
    let server = Server::start();
    let client = server.client();
    let fields = json!({"email": {"type": "email", "unique": true}, "first name": {"type": "number", "unique": true}});
    define(&client, fields, 201).await;
    let indexes = client.get(PEOPLE).await.expect(200).body["indexes"].clone();
    assert_eq!(indexes["field_email"]["state"], "ready", "{indexes}");
    assert_eq!(indexes["field_first.20name"]["field"], "first name", "{indexes}");
    let racing: Vec<_> = (0..24)
        .map(|n| {
            let client = server.client();
            let document = json!({"email": format!("a{}@b.c", n % 3), "n": n});
            tokio::spawn(async move { client.post(DOCUMENTS, &document).await })
        })
        .collect();
    let mut won = 0;
    for race in racing {
        let answer = race.await.unwrap();
        if answer.status == 201 {
            won += 1;
        } else {
            assert_eq!(doubled(answer), "email");
        }
    }
    assert_eq!(won, 3);
    let empty = json!([{}, {}, {"email": null}, {"email": null}, {"email": ""}, {"email": ""}]);
    client.post(DOCUMENTS, &empty).await.expect(201);
    client.post(DOCUMENTS, &json!([{"first name": ""}, {"first name": ""}])).await.expect(201);
    client.post(DOCUMENTS, &json!({"_id": "x", "first name": 5})).await.expect(201);
    let as_text = client.post(DOCUMENTS, &json!({"first name": "5"})).await;
    assert_eq!(doubled(as_text), "first name", "compared once converted");
    let refused = client.patch(&format!("{DOCUMENTS}/x"), &json!({"email": "a1@b.c"})).await;
    assert_eq!(doubled(refused), "email");
    let explained = json!({"filter": {"email": "a1@b.c"}, "explain": true});
    let plan = client.post(&format!("{PEOPLE}/query"), &explained).await.expect(200).body;
    assert_eq!(plan["plan"]["index"], "field_email", "{plan}");
}

#[tokio::test]
async fn the_index_of_a_unique_field_goes_with_the_definition() {
    let server = Server::start();
    let client = server.client();
    client.post(DOCUMENTS, &json!([{"n": 1, "m": 1}, {"n": 1, "m": 2}])).await.expect(201);
    let unique = |name: &str| json!({name: {"type": "number", "unique": true}});
    let refused = client.put(PEOPLE, &json!({"fields": unique("n")})).await;
    assert_eq!(doubled(refused), "n");
    let described = client.get(PEOPLE).await.expect(200).body;
    assert_eq!((&described["fields"], &described["indexes"]), (&json!({}), &json!({})));
    define(&client, unique("m"), 200).await;
    assert_eq!(doubled(client.post(DOCUMENTS, &json!({"m": "2"})).await), "m");
    let index = format!("{PEOPLE}/indexes/field_m");
    assert_eq!(client.delete(&index).await.refused(409), "index_of_field");
    assert_eq!(client.put(&index, &json!({"keys": {"m": 1}})).await.refused(409), "index_of_field");
    define(&client, json!({"m": {"type": "number"}}), 200).await;
    client.get(&index).await.expect(404);
    client.post(DOCUMENTS, &json!({"m": 2})).await.expect(201);
    client.put(&format!("{PEOPLE}/indexes/field_k"), &json!({"keys": {"k": 1}})).await.expect(201);
    let refused = client.put(PEOPLE, &json!({"fields": unique("k")})).await;
    assert_eq!(refused.refused(409), "index_exists");
    let kept = client.get(&format!("{PEOPLE}/indexes/field_k")).await.expect(200).body;
    assert_eq!((&kept["unique"], &kept["field"]), (&json!(false), &Value::Null));
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
async fn rights_are_judged_on_what_is_converted() {
    let server = Server::start();
    let client = server.client();
    let fields = json!({
        "level": {"type": "number", "default": 1},
        "secret": {"type": "number", "unique": true},
        "born": {"type": "date"},
        "state": {"type": "text", "default": "new"},
    });
    define(&client, fields, 201).await;
    let grant = json!({
        "collections": {"people": ["*"]},
        "write_filter": {"level": {"$ne": 9}, "state": {"$exists": true}},
        "fields": {"exclude": ["secret"], "write": {"exclude": ["born", "state"]}},
    });
    let made =
        client.post("/v1/credentials", &json!({"label": "x", "kind": "key", "grant": grant})).await;
    let some = client.with_key(made.expect(201).body["key"].as_str().unwrap());
    some.post(DOCUMENTS, &json!({"_id": "a"})).await.expect(201);
    assert_eq!(some.post(DOCUMENTS, &json!({"level": 9})).await.refused(403), "document_forbidden");
    assert_eq!(
        some.post(DOCUMENTS, &json!({"level": "9"})).await.refused(403),
        "document_forbidden"
    );
    some.post(DOCUMENTS, &json!({"born": "2026-03-10"})).await.expect(403);
    let a = format!("{DOCUMENTS}/a");
    client.patch(&a, &json!({"born": "2026-03-10", "secret": "5"})).await.expect(200);
    let seen = some.get(&a).await.expect(200).body;
    assert!(seen.get("secret").is_none() && seen["born"] == "2026-03-10T00:00:00.000Z", "{seen}");
    let mut changed = seen.clone();
    changed["level"] = json!("3");
    assert_eq!(
        some.put(&a, &changed).await.expect(200).body["level"],
        3,
        "a date as it was read is no change"
    );
    assert_eq!(client.get(&a).await.expect(200).body["secret"], 5);
    client.patch(&a, &json!({"level": 9})).await.expect(200);
    let shown = some.get(PEOPLE).await.expect(200);
    assert!(!shown.text.contains("secret"), "{}", shown.text);
    // Who does not see a field is not told that it is the one which is there twice, or which is wrong.
    let state = json!({"type": "text", "default": "new"});
    let fields =
        json!({"secret": {"type": "number", "unique": true, "default": 5}, "state": state});
    define(&client, fields, 200).await;
    let refused = some.post(DOCUMENTS, &json!({})).await;
    assert!(!refused.text.contains("secret"), "{}", refused.text);
    assert_eq!(refused.refused(409), "unique_violation");
    define(&client, json!({"secret": {"type": "number", "required": true}, "state": state}), 200)
        .await;
    let refused = some.post(DOCUMENTS, &json!({})).await;
    assert!(!refused.text.contains("secret"), "{}", refused.text);
    assert_eq!(refused.refused(422), "schema_violation");
    let reader = json!({"collections": {"people": ["*"]}, "read_filter": {"level": 1}});
    let made = client
        .post("/v1/credentials", &json!({"label": "y", "kind": "key", "grant": reader}))
        .await;
    let some = client.with_key(made.expect(201).body["key"].as_str().unwrap());
    let unique = json!({"fields": {"level": {"type": "number", "unique": true}}});
    assert_eq!(some.put(PEOPLE, &unique).await.refused(403), "forbidden");
}

#[tokio::test]
async fn a_repeated_definition_brings_no_index_back() {
    let server = Server::start();
    let client = server.client();
    client.post(DOCUMENTS, &json!([{"m": 1}, {"m": 2}])).await.expect(201);
    let unique = json!({"fields": {"m": {"type": "number", "unique": true}}});
    let again = || {
        let request = client.request("PUT", PEOPLE).header("idempotency-key", "once").json(&unique);
        client.send(request)
    };
    again().await.expect(200);
    client.put(PEOPLE, &json!({})).await.expect(200);
    again().await.expect(200);
    assert_eq!(client.get(PEOPLE).await.expect(200).body["indexes"], json!({}));
    client.post(DOCUMENTS, &json!({"m": 1})).await.expect(201);
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
