//! The client that RestDB generates for JavaScript, played strictly by `tests/clients/restdb/generated_client.mjs`: its
//! operations, and every status with which the face refuses.

use serde_json::{Value, json};

use super::issued;
use crate::harness::{Client, Packages, ROOT, Server};

/// Runs one task of the client.
fn play(server: &Server, task: &str, rows: &Value) {
    let asked = json!({"url": server.url(), "key": ROOT, "task": task, "rows": rows});
    let told = Packages::installed().plain("restdb/generated_client.mjs", &[asked]);
    assert_eq!(told, [json!("done")]);
}

fn row(method: &str, path: &str, status: u16, more: Value) -> Value {
    let mut row = json!({"method": method, "path": path, "status": status});
    if let Value::Object(more) = more {
        row.as_object_mut().unwrap().extend(more);
    }
    row
}

/// Refusals that a full key meets.
fn wrong_requests() -> Vec<Value> {
    let bike = "/rest/motorbikes/557eb5ed345a1b27000005e7";
    let body = |text: &str| json!({"body": text});
    vec![
        row("GET", "/rest/motorbikes?q={\"a\":}", 400, Value::Null),
        row("GET", "/rest/motorbikes?q={\"a\":{\"$wrong\":1}}", 400, Value::Null),
        row("GET", "/rest/motorbikes?h={\"$max\":-1}", 400, Value::Null),
        row("POST", "/rest/motorbikes", 400, body("{\"a\":")),
        row("POST", "/rest/motorbikes", 400, body("5")),
        row("POST", "/rest/motorbikes", 400, body("[1]")),
        row("POST", "/rest/motorbikes", 400, Value::Null),
        row("PUT", bike, 400, body("{\"$inc\":{\"Model\":1}}")),
        row("PUT", bike, 400, body("{\"$wrong\":{\"a\":1}}")),
        row("DELETE", "/rest/motorbikes/*", 400, Value::Null),
        row("GET", "/rest/nothing", 404, Value::Null),
        row("GET", "/rest/motorbikes/5f1f77bcf86cd79943901122", 404, Value::Null),
        row("PUT", "/rest/motorbikes/undefined", 404, body("{\"a\":1}")),
        row("GET", "/rest", 404, Value::Null),
        row("GET", "/rest/a/b/c/d/e", 404, Value::Null),
        row("POST", bike, 405, body("{}")),
        row("POST", bike, 405, json!({"body": "{}", "headers": {"x-http-method-override": "GET"}})),
        row("PUT", "/rest/motorbikes", 405, body("{}")),
        row("GET", "/rest/motorbikes.xml", 406, Value::Null),
        row("GET", "/rest/motorbikes?format=xml", 406, Value::Null),
        row("POST", "/rest/motorbikes", 406, with_kind("multipart/form-data; boundary=x", "--x--")),
        row("POST", "/rest/motorbikes", 413, json!({"fill": 2 << 20})),
        row(
            "GET",
            "/rest/motorbikes",
            431,
            json!({"headers": {"x-long": "x".repeat(15_000),
            "x-longer": "x".repeat(15_000)}}),
        ),
    ]
}

fn with_kind(kind: &str, body: &str) -> Value {
    json!({"headers": {"content-type": kind}, "body": body})
}

/// Documents that break rules of the collection.
fn broken_documents() -> Vec<Value> {
    let broken = |body: &str, field: &str, code: &str| {
        row("POST", "/rest/users", 400, json!({"body": body, "list": [[field, code]]}))
    };
    vec![
        broken("{}", "email", "REQUIRED"),
        broken(r#"{"email":"a@b.no"}"#, "email", "UNIQUE"),
        broken(r#"{"email":"c@d.no","n":"x"}"#, "n", "TYPE"),
        broken(r#"{"email":"c@d.no","zip":"x"}"#, "zip", "REGEX"),
        broken(r#"{"_id":"557eb5ed345a1b2700000001","email":"c@d.no"}"#, "_id", "UNIQUE"),
    ]
}

/// Refusals for want of a right. The last key is used up by its first request.
async fn wrong_credentials(root: &Client) -> Vec<Value> {
    let limited = json!({"grant": {"collections": {"motorbikes": ["read", "delete"]}}});
    let limited = json!(issued(root, limited).await.key);
    let revoked = issued(root, json!({"grant": {"collections": {"*": ["*"]}}})).await;
    root.delete(&revoked.path).await.expect(200);
    let rate = json!({"collections": {"*": ["*"]}, "rate_limit": {"per_ip_per_hour": 1}});
    let rate = json!(issued(root, json!({"grant": rate})).await.key);
    let all = |key: &Value| json!({"headers": {"x-apikey": key}});
    let far = json!({"headers": {"x-apikey": rate, "x-forwarded-for": "203.0.113.1"}});
    vec![
        row("GET", "/rest/motorbikes", 401, all(&Value::Null)),
        row("GET", "/rest/motorbikes", 403, all(&json!("597a2c3d4e5f60718293a4b5"))),
        row("GET", "/rest/motorbikes", 403, all(&json!(revoked.key))),
        row("GET", "/rest/parts", 403, all(&limited)),
        row(
            "POST",
            "/rest/motorbikes",
            403,
            json!({"headers": {"x-apikey": limited}, "body": "{}"}),
        ),
        row("DELETE", "/rest/motorbikes/*?q={}", 403, all(&limited)),
        row("GET", "/rest/nothing", 404, far.clone()),
        row("GET", "/rest/motorbikes", 429, far),
    ]
}

#[test]
fn its_operations_keep_its_rules() {
    play(&Server::start(), "documents", &Value::Null);
}

#[tokio::test]
async fn every_refusal_keeps_its_rules() {
    let server = Server::with(&[
        ("HEADWATER_SERVER__TRUSTED_PROXIES", "127.0.0.1"),
        ("HEADWATER_LIMITS__BODY_BYTES", "1MiB"),
    ]);
    let root = server.client();
    super::recorded::prepare(&root).await;
    let fields = json!({"fields": {
        "email": {"type": "email", "required": true, "unique": true},
        "zip": {"type": "text", "pattern": "^[0-9]{4}$"},
        "n": {"type": "number"},
    }});
    root.put("/v1/collections/users", &fields).await.expect(201);
    let known = json!({"_id": "557eb5ed345a1b2700000001", "email": "a@b.no"});
    root.post("/rest/users", &known).await.expect(201);
    let mut rows = wrong_requests();
    rows.extend(broken_documents());
    rows.extend(wrong_credentials(&root).await);
    play(&server, "refusals", &json!(rows));
}
