//! What a small right must not be enough for: holding up the server, or doing and reading what it does not cover.

use std::fmt::Write as _;

use futures_util::StreamExt;
use serde_json::{Value, json};

use super::{asked, id};
use crate::harness::{Client, Server};

async fn key(root: &Client, body: Value) -> (Client, Value) {
    let issued = root.post("/v1/credentials", &body).await.expect(201).body;
    (root.without_key().with_key(issued["key"].as_str().unwrap()), issued["id"].clone())
}

async fn put(root: &Client, missing: &str, body: String) {
    let request = root.request("PUT", missing).header("content-type", "application/json");
    root.send(request.body(body)).await.expect(404);
}

/// An object of many members, as text.
fn wide(first: char, members: usize) -> String {
    let mut text = String::from("{");
    for n in 0..members {
        let comma = if n > 0 { "," } else { "" };
        write!(text, "{comma}\"{first}{n}\":1").unwrap();
    }
    text + "}"
}

#[tokio::test]
async fn bodies_of_many_members_cost_what_they_are_long() {
    let server = Server::start();
    let root = server.client();
    let made = root.post("/rest/wide", &json!({"x": 1})).await.expect(201).body;
    let missing = "/rest/wide/5f1f77bcf86cd799439011aa";
    // A cost that grows with the square would be hours.
    let plain = wide('a', 600_000);
    put(&root, missing, plain.clone()).await;
    let both = format!("{},\"$set\":{}}}", &plain[..plain.len() - 1], wide('b', 9_000));
    put(&root, missing, both).await;
    let header = (0..10_001).map(|n| format!("c{n}")).collect::<Vec<_>>().join(",");
    let refused = root.post_text("/rest/wide", "text/csv", header + "\n1\n").await.expect(400);
    assert!(refused.text.contains("more than 10000 columns"), "{}", refused.text);
    assert_eq!(root.get("/rest/wide").await.expect(200).body[0]["_id"], made["_id"]);
}

#[tokio::test]
async fn flat_forms_of_deep_documents_are_bounded_before_they_are_made() {
    let server = Server::with(&[("HEADWATER_LIMITS__QUERY_RESULT_BYTES", "1000000")]);
    let root = server.client();
    let leaves: serde_json::Map<String, Value> =
        (0..500).map(|n| (format!("leaf{n}"), json!(n))).collect();
    let mut deep = Value::Object(leaves);
    for _ in 0..50 {
        deep = json!({"n".repeat(900): deep});
    }
    let made = root.post("/rest/deep", &deep).await.expect(201).body;
    let path = format!("/rest/deep/{}", id(&made));
    root.get(&path).await.expect(200);
    let refused = root.get(&format!("{path}?flatten=true")).await.expect(400);
    assert!(refused.text.contains("limits.query_result_bytes"), "{}", refused.text);
    let id = "5f1f77bcf86cd799439011ab";
    let twice = json!({"_id": id, "a.b": 1, "a": {"b": 2, "c": 3}});
    root.post("/v1/collections/deep/documents", &twice).await.expect(201);
    let flat = root.get(&format!("/rest/deep/{id}?flatten=true")).await.expect(200);
    assert_eq!(flat.text.matches("\"a.b\"").count(), 1, "{}", flat.text);
}

#[tokio::test]
async fn a_key_by_paths_does_not_switch_checks_off() {
    let server = Server::start();
    let root = server.client();
    let fields = json!({"fields": {"email": {"type": "email", "required": true}}});
    root.put("/v1/collections/people", &fields).await.expect(201);
    let path = "/rest/people?validate=false";
    for grant in [
        json!({"paths": ["/people/**"], "methods": ["POST"]}),
        json!({"acls": ["index"]}),
        json!({"collections": {"people": ["create"]}}),
    ] {
        let (web, _) = key(&root, json!({"grant": grant})).await;
        let refused = web.post(path, &json!({"email": 17})).await.expect(400);
        assert_eq!(refused.body["name"], "ValidationError", "{grant}");
    }
    root.post(path, &json!({"email": 17})).await.expect(201);
}

#[tokio::test]
async fn an_export_ends_with_the_rights_that_it_began_with() {
    let server = Server::start();
    let root = server.client();
    let filler = "x".repeat(2000);
    for _ in 0..10 {
        let part: Vec<Value> = (0..1000).map(|n| json!({"n": n, "filler": filler})).collect();
        root.post("/rest/many", &json!(part)).await.expect(201);
    }
    let grant = json!({"collections": {"many": ["read"]}});
    let (reader, credential) = key(&root, json!({"grant": grant})).await;
    let answer = reader.request("GET", "/rest/many.ndjson").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut body = answer.bytes_stream();
    body.next().await.unwrap().unwrap();
    let narrowed =
        json!({"grant": {"collections": {"many": ["read"]}, "fields": {"exclude": ["n"]}}});
    let path = format!("/v1/credentials/{}", credential.as_str().unwrap());
    root.patch(&path, &narrowed).await.expect(200);
    let mut is_broken = false;
    while let Some(part) = body.next().await {
        is_broken |= part.is_err();
    }
    assert!(is_broken, "all of it came");
}

#[tokio::test]
async fn a_hidden_lookup_is_as_if_it_were_not_there() {
    let server = Server::start();
    let root = server.client();
    root.put("/v1/collections/firms", &json!({})).await.expect(201);
    let fields = json!({"fields": {"firm": {"type": "lookup", "collection": "firms"}}});
    root.put("/v1/collections/people", &fields).await.expect(201);
    root.post("/rest/people", &json!({"name": "Jo"})).await.expect(201);
    let grant = json!({"collections": {"*": ["read", "search"]}, "fields": {"exclude": ["firm"]}});
    let (reader, _) = key(&root, json!({"grant": grant})).await;
    for field in ["firm", "none"] {
        let sorted = asked("/rest/people", &[("sort", &format!("{field}.name"))]);
        reader.get(&sorted).await.expect(200);
        let query = format!(r#"{{"{field}.name":"x"}}"#);
        let found = reader.get(&asked("/rest/people", &[("q", &query)])).await.expect(200);
        assert_eq!(found.body, json!([]), "{field}");
    }
    root.get(&asked("/rest/people", &[("sort", "firm.name")])).await.expect(400);
}

#[tokio::test]
async fn a_deletion_without_a_query_deletes_nothing() {
    let server = Server::start();
    let root = server.client();
    root.post("/rest/people", &json!([{"n": 1}, {"n": 2}, {"n": 3}])).await.expect(201);
    for q in ["undefined", "null", "[]", "\"\"", "true"] {
        let refused = root.delete(&asked("/rest/people/*", &[("q", q)])).await.expect(400);
        assert!(refused.text.contains("q: must be a JSON object"), "{q}: {}", refused.text);
    }
    for (name, value) in [("max", "1"), ("skip", "1"), ("h", r#"{"$max":1}"#)] {
        let path = asked("/rest/people/*", &[("q", "{}"), (name, value)]);
        root.delete(&path).await.expect(400);
    }
    root.delete(&asked("/rest/people/*", &[("q", r#"{"$distinct":"n"}"#)])).await.expect(400);
    assert_eq!(root.get("/rest/people").await.expect(200).body.as_array().unwrap().len(), 3);
    let path = asked("/rest/people/*", &[("q", r#"{"n":{"$gt":1}}"#), ("h", "undefined")]);
    let deleted = root.delete(&path).await.expect(200).body;
    assert_eq!(deleted["result"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_key_in_pages_changes_no_rules() {
    let server = Server::start();
    let root = server.client();
    let fields = json!({"fields": {"name": {"type": "text", "required": true}}});
    root.put("/v1/collections/people", &fields).await.expect(201);
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    let grant = json!({"paths": ["/**"], "methods": methods, "origins": ["*"]});
    let (web, _) = key(&root, json!({"kind": "web", "grant": grant})).await;
    web.post("/rest/people", &json!({"name": "Jo"})).await.expect(201);
    web.put("/v1/collections/people", &json!({"fields": {}})).await.expect(403);
    web.delete("/v1/collections/people").await.expect(403);
    let hook = json!({"url": "http://example.com/", "collections": ["people"]});
    web.post("/v1/webhooks", &hook).await.expect(403);
    web.put("/rest/_meta", &json!({"name": "people", "fields": []})).await.expect(403);
    web.post("/rest/people", &json!({})).await.expect(400);
}

#[tokio::test]
async fn a_slash_too_many_is_none() {
    let server = Server::start();
    let root = server.client();
    let made = root.post("/rest/people/", &json!({"n": 1})).await.expect(201).body;
    for path in ["/rest/people/", "//rest/people", "/rest/people.json/"] {
        assert_eq!(root.get(path).await.expect(200).body[0]["n"], 1, "{path}");
    }
    root.put(&format!("/rest/people/{}/", id(&made)), &json!({"n": 2})).await.expect(200);
    // A key's paths are asked about the path that is meant.
    let grant = json!({"paths": ["/people"], "methods": ["GET"]});
    let (reader, _) = key(&root, json!({"grant": grant})).await;
    reader.get("//rest/people/").await.expect(200);
    reader.get("//rest/others/").await.expect(403);
    for path in ["/media/x", "/mail", "/views/x", "/auth/nope", "/assets/js/nope.js"] {
        let refused = root.get(path).await.expect(404);
        assert_eq!(refused.body["name"], "NotFound", "{path}");
        assert!(refused.body["message"].is_string(), "{path}");
    }
}

#[tokio::test]
async fn paths_in_updates_lead_where_they_say() {
    let server = Server::start();
    let root = server.client();
    let made = json!({"address": {"city": "A", "zip": "1"}, "n": 1});
    let made = root.post("/rest/people", &made).await.expect(201).body;
    let path = format!("/rest/people/{}", id(&made));
    let body = json!({"address.city": "B", "n": 2, "$set": {"address.street": "S"}});
    let changed = root.put(&path, &body).await.expect(200).body;
    assert_eq!(changed["address"], json!({"city": "B", "zip": "1", "street": "S"}));
    assert_eq!((&changed["n"], changed.get("address.city")), (&json!(2), None));
    let found = asked("/rest/people", &[("q", r#"{"address.city":"B"}"#)]);
    assert_eq!(root.get(&found).await.expect(200).body.as_array().unwrap().len(), 1);
    let refused = root.patch(&path, &json!({"$rename": {"n": "_created"}})).await.expect(400);
    assert!(refused.text.contains("`_created` is a system field"), "{}", refused.text);
    let refused = root.post("/rest/people", &json!({"$x": 1})).await.expect(400);
    assert!(refused.text.contains("`$x` is no name of a field"), "{}", refused.text);
    let sheet = "address.city,address.zip\nC,3\n";
    let made = root.post_text("/rest/people", "text/csv", sheet).await.expect(201).body;
    assert_eq!(made[0]["address"]["city"], "C");
    let refused = root.post_text("/rest/people", "text/csv", "a,$x\n1,2\n").await.expect(400);
    assert!(refused.text.contains("`$x` is no name of a field"), "{}", refused.text);
}

#[tokio::test]
async fn what_forms_and_sheets_say_is_understood() {
    let server = Server::start();
    let root = server.client();
    let fields = json!({"fields": {
        "active": {"type": "boolean"}, "seen": {"type": "datetime"},
        "firm": {"type": "lookup", "collection": "firms"}, "code": {"type": "text", "unique": true},
    }});
    root.put("/v1/collections/people", &fields).await.expect(201);
    for (given, wanted) in
        [(json!("on"), true), (json!("TRUE"), true), (json!(0), false), (json!("False"), false)]
    {
        let made = root.post("/rest/people", &json!({"active": given})).await.expect(201).body;
        assert_eq!(made["active"], wanted, "{given}");
    }
    let form =
        root.request("POST", "/rest/people").body("active=false&active=on&seen=1700000000000");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let made = root.send(form).await.expect(201).body;
    assert_eq!(
        (&made["active"], &made["seen"]),
        (&json!(true), &json!("2023-11-14T22:13:20.000Z"))
    );
    root.delete(&format!("/rest/people/{}", id(&made))).await.expect(200);
    let sheet = "active,code\nTRUE,a\n";
    let made = root.post_text("/rest/people", "text/csv", sheet).await.expect(201).body;
    assert_eq!(made[0]["active"], true);
    let dated = json!({"seen": 1_700_000_000_000_u64, "firm": ""});
    let made = root.post("/rest/people", &dated).await.expect(201).body;
    assert_eq!(made["seen"], "2023-11-14T22:13:20.000Z");
    assert_eq!(made["firm"], json!([]), "programs look into it");
    let path = format!("/rest/people/{}", id(&made));
    let other = "5f1f77bcf86cd799439011aa";
    let none = root.get(&asked("/rest/people", &[("q", r#"{"firm":null}"#)])).await.expect(200);
    assert_eq!(none.body.as_array().unwrap().len(), 6, "missing or empty");
    let pushed = root.patch(&path, &json!({"$push": {"firm": other}})).await.expect(200).body;
    assert_eq!(pushed["firm"], json!([{"_id": other}]), "nothing is an empty list");
    let later = json!({"$max": {"seen": "2024-01-01"}});
    let later = root.patch(&path, &later).await.expect(200).body;
    assert_eq!(later["seen"], "2024-01-01T00:00:00.000Z");
    root.patch(&path, &json!({"seen": 1_700_000_000_000_u64})).await.expect(200);
    for (q, wanted) in [
        (r#"{"seen":1700000000000}"#, 1),
        (r#"{"seen":{"$gt":1700000000000}}"#, 0),
        (r#"{"active":"on"}"#, 3),
        (r#"{"active":{"$in":[0,"false"]}}"#, 2),
        (r#"{"firm":{"$ne":null}}"#, 1),
        (r#"{"firm":{"$in":[null,"5f1f77bcf86cd799439011aa"]},"seen":{"$exists":true}}"#, 1),
        (r#"{"firm":null}"#, 5),
        (r#"{"other":{"active":1}}"#, 0),
    ] {
        let found = root.get(&asked("/rest/people", &[("q", q)])).await.expect(200).body;
        assert_eq!(found.as_array().unwrap().len(), wanted, "{q}");
    }
    let taken = root.post("/rest/people", &json!({"code": "a"})).await.expect(400).body;
    assert_eq!(taken["list"][0]["message"], json!(["already exists", "UNIQUE"]));
    let request = root
        .request("POST", "/rest/people")
        .header("content-type", "multipart/form-data; boundary=x");
    let refused = root.send(request.body("--x--")).await.expect(406);
    assert!(refused.text.contains("application/x-www-form-urlencoded"), "{}", refused.text);
}
