//! Refusals: JSON with a `message`, whatever is wrong.

use serde_json::{Value, json};

use super::{Scene, asked, key};
use crate::harness::Server;
use crate::harness::wire::{Wire, request};

#[tokio::test]
async fn every_refusal_is_json_with_a_message() {
    let scene = Scene::new().await;
    let root = &scene.root;
    let limited = key(root, json!({"grant": {"collections": {"people": ["read"]}}})).await;
    let rows = [
        ("GET", "/rest/nothing", 404, "NotFound"),
        ("GET", "/rest/nothing/5f1f77bcf86cd79943901122", 404, "NotFound"),
        ("GET", "/rest/people/5f1f77bcf86cd79943901122", 404, "NotFound"),
        ("GET", "/rest/people/not-an-id", 404, "NotFound"),
        ("PUT", "/rest/people/5f1f77bcf86cd79943901122", 404, "NotFound"),
        ("DELETE", "/rest/people/5f1f77bcf86cd79943901122", 404, "NotFound"),
        ("DELETE", "/rest/nothing/*", 404, "NotFound"),
        ("POST", "/rest/people/5f1f77bcf86cd79943901122", 405, "MethodNotAllowed"),
        ("DELETE", "/rest/people", 405, "MethodNotAllowed"),
        ("GET", "/rest", 404, "NotFound"),
        ("GET", "/rest/people/a/b/c/d", 404, "NotFound"),
        ("GET", "/rest/people.xml", 406, "NotAcceptable"),
        ("GET", "/rest/people?max=x", 400, "BadRequest"),
        ("GET", "/rest/people?sort=a&dir=up", 400, "BadRequest"),
        ("GET", "/rest/people?q=%7B", 400, "BadRequest"),
        ("GET", "/rest/people?h=5", 400, "BadRequest"),
        ("GET", "/rest/_users", 403, "Forbidden"),
        ("POST", "/rest/people", 400, "BadRequest"),
    ];
    for (method, path, status, name) in rows {
        // The client looks at the members of every refusal.
        let client = if path == "/rest/_users" { &limited } else { root };
        let refused = client.send(client.request(method, path)).await.expect(status);
        assert_eq!(refused.body["name"], name, "{method} {path}");
    }
    let refused = root.post_text("/rest/people", "application/json", "{\"a\":").await.expect(400);
    assert!(refused.body["message"].as_str().unwrap().contains("JSON"));
    root.post_text("/rest/people", "multipart/form-data; boundary=x", "--x").await.expect(406);
}

#[tokio::test]
async fn malformed_queries_are_refused_with_parameter_and_place() {
    let scene = Scene::new().await;
    let rows = [
        ("q", r#"{"a":}"#, "q: malformed JSON: expected value at byte 5"),
        ("h", r#"{"$max" 5}"#, "h: malformed JSON: expected `:` at byte 8"),
        ("q", r#"["a"]"#, "q: must be a JSON object"),
        ("q", r#"{"a":{"$bt":[1]}}"#, "q: $bt"),
        ("q", r#"{"a":{"$wrong":1}}"#, "q: there is no operator `$wrong`"),
        ("q", r#"{"a":{"$gt":{"$date":"soon"}}}"#, "q: `soon` is not a date"),
        ("h", r#"{"$max":-1}"#, "h: $max"),
        ("h", r#"{"$orderby":{"a":"down"}}"#, "h: "),
        ("h", r#"{"$fields":{"a":1,"b":0}}"#, "h: "),
        ("q[Year]", "2015", "q: `q[Year]` is no parameter"),
    ];
    for (name, text, wanted) in rows {
        let refused = scene.list(&[(name, text)]).await.expect(400);
        let message = refused.body["message"].as_str().unwrap();
        assert!(message.contains(wanted), "{text}: {message}");
    }
}

#[tokio::test]
async fn typed_fields_convert_and_are_listed_when_broken() {
    let server = Server::start();
    let root = server.client();
    let fields = json!({"fields": {
        "email": {"type": "email", "required": true, "unique": true},
        "zip": {"type": "text", "pattern": "^[0-9]{4}$"},
        "n": {"type": "number"},
        "at": {"type": "datetime"},
    }});
    root.put("/v1/collections/people", &fields).await.expect(201);
    let form = "application/x-www-form-urlencoded";
    let sent = "email=a%40b.no&n=5&at=2024-03-10T11:00:00Z";
    let made = root.post_text("/rest/people", form, sent).await.expect(201).body;
    assert_eq!(made["n"], 5, "{made}");
    for q in [
        r#"{"n":{"$gt":4}}"#,
        r#"{"at":{"$gt":"2024-03-10"}}"#,
        r#"{"at":{"$lt":{"$date":"2024-03-11"}}}"#,
    ] {
        let found = root.get(&asked("/rest/people", &[("q", q)])).await.expect(200).body;
        assert_eq!(found.as_array().unwrap().len(), 1, "{q}");
    }
    let rows = [
        (json!({}), "email", "REQUIRED"),
        (json!({"email": "c@d.no", "n": "x"}), "n", "TYPE"),
        (json!({"email": "c@d.no", "zip": "x"}), "zip", "REGEX"),
        (json!({"email": "a@b.no"}), "email", "UNIQUE"),
    ];
    for (sent, field, code) in rows {
        let refused = root.post("/rest/people", &sent).await.expect(400);
        let entry = &refused.body["list"][0];
        assert_eq!(
            (&entry["field"], &entry["message"][1]),
            (&json!(field), &json!(code)),
            "{sent}"
        );
    }
}

#[tokio::test]
async fn broken_rules_of_a_collection_are_listed() {
    let server = Server::start();
    let root = server.client();
    let schema = json!({"schema": {
        "required": ["email"],
        "properties": {
            "email": {"type": "string", "pattern": "@"},
            "age": {"type": "number"},
        },
    }});
    root.put("/v1/collections/people", &schema).await.expect(201);
    let index = json!({"keys": {"email": 1}, "unique": true});
    root.put("/v1/collections/people/indexes/by_email", &index).await.expect(201);
    root.post("/rest/people", &json!({"email": "a@b"})).await.expect(201);
    let rows = [
        (json!({}), json!([["email", "REQUIRED"]])),
        (json!({"email": "none"}), json!([["email", "REGEX"]])),
        (json!({"email": "b@c", "age": "x"}), json!([["age", "TYPE"]])),
        (json!({"email": "a@b"}), json!([["email", "UNIQUE"]])),
    ];
    for (sent, wanted) in rows {
        let refused = root.post("/rest/people", &sent).await.expect(400);
        assert_eq!(refused.body["message"], "ValidationError");
        assert_eq!(refused.body["name"], "ValidationError");
        let shown = |entry: &Value| json!([entry["field"], entry["message"][1]]);
        let list = refused.body["list"].as_array().unwrap();
        let found: Vec<Value> = list.iter().map(shown).collect();
        assert_eq!(json!(found), wanted, "{}", refused.text);
    }
}

#[tokio::test]
async fn what_the_parser_refuses_has_a_status_alone() {
    let server = Server::start();
    let root = server.client();
    root.post("/rest/people", &json!({"name": "Joe B"})).await.expect(201);
    let blank = r#"/rest/people?q={"name":"Joe B"}"#;
    let long = format!("/rest/people?q={}", "x".repeat(65_534));
    // With host and key.
    let lines = |count: usize| "x-more: 1\r\n".repeat(count - 2);
    let rows = [
        (request("GET", blank, "1.1", ""), 400),
        (request("GET", &long, "1.1", ""), 414),
        (request("GET", "/rest/people", "1.1", &lines(101)), 431),
        (request("POST", "/rest/people", "1.1", "transfer-encoding: gzip\r\n"), 400),
        (request("POST", "/rest/people", "1.1", "content-length: 2\r\ncontent-length: 3\r\n"), 400),
    ];
    for (sent, status) in rows {
        let mut wire = Wire::open(&server).await;
        wire.send(&sent).await;
        let head = wire.until("\r\n\r\n").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{sent:.80}: {head}");
        assert!(head.contains("content-length: 0\r\n"), "{sent:.80}: {head}");
        wire.end().await;
    }
    let let_in = [blank.replace(' ', "%20"), blank.replace(' ', "+")];
    for sent in let_in.iter().map(|target| request("GET", target, "1.1", &lines(100))) {
        let mut wire = Wire::open(&server).await;
        wire.send(&sent).await;
        let head = wire.until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{sent:.80}: {head}");
        wire.until("\"name\":\"Joe B\"").await;
    }
}
