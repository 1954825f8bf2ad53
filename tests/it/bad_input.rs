//! Bad input: refused by name, with the status of the contract, and applied never.

use serde_json::{Value, json};

use crate::harness::{Answer, Client, ROOT, Server};

const ORDERS: &str = "/v1/collections/orders/documents";

fn details(answer: &Answer) -> &Value {
    &answer.body["error"]["details"]
}

async fn post(client: &Client, body: impl Into<String>) -> Answer {
    client.post_text(ORDERS, "application/json", body).await
}

#[tokio::test]
async fn malformed_json_is_told_by_line_and_column() {
    let server = Server::start();
    let answer = post(&server.client(), "{\"a\": 1,\n  \"b\": }").await.expect(400);
    assert_eq!((&details(&answer)["line"], &details(&answer)["column"]), (&json!(2), &json!(8)));
    for body in ["", "{", "[1,]", "{\"a\":1}x", "nul", "\u{feff}{}", "{\"a\":1,\"a\":2}"] {
        post(&server.client(), body).await.expect(400);
    }
}

#[tokio::test]
async fn what_goes_over_a_limit_is_refused_by_the_limits_name() {
    let server = Server::start();
    let client = server.client();
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    post(&client, nested(99)).await.expect(201);
    for (body, limit) in [
        (nested(100), "limits.nesting"),
        (nested(100_000), "limits.nesting"),
        (format!("{{\"{}\":1}}", "k".repeat(1025)), "limits.member_name_bytes"),
        (format!("{{\"_id\":\"{}\"}}", "k".repeat(1025)), "limits.id_bytes"),
    ] {
        let answer = post(&client, body).await.expect(400);
        assert_eq!(answer.body["error"]["code"], "limit_exceeded");
        assert_eq!(details(&answer)["limit"], limit, "{}", answer.text);
    }
    post(&client, format!("{{\"{}\":1}}", "k".repeat(1024))).await.expect(201);
}

#[tokio::test]
async fn a_body_over_16_mib_is_413_and_the_server_goes_on() {
    let server = Server::start();
    let client = server.client();
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(16 << 20));
    let answer = post(&client, large).await.expect(413);
    assert_eq!(answer.body["error"]["code"], "limit_exceeded");
    assert_eq!(details(&answer)["limit"], "limits.body_bytes");
    post(&client, "{}").await.expect(201);
}

#[tokio::test]
async fn names_of_collections_are_checked() {
    let server = Server::start();
    let client = server.client();
    let long = "a".repeat(121);
    for name in ["a%20b", "%C3%A9", "a%2fb", long.as_str()] {
        let path = format!("/v1/collections/{name}/documents");
        assert_eq!(client.post(&path, &json!({})).await.status, 400, "{name}");
    }
    // Clients fold dot segments away, so these go out by hand.
    for name in [".", "..", "%2e", "%2E%2e"] {
        let path = format!("/v1/collections/{name}/documents");
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nx-apikey: {ROOT}\r\n");
        let rest =
            "content-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        let answer = server.converse(&format!("{head}{rest}"));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{name}: {answer}");
    }
    let path = format!("/v1/collections/{}/documents", "a".repeat(120));
    client.post(&path, &json!({})).await.expect(201);
    for name in ["_mine", "_credentials", "_webhooks"] {
        let path = format!("/v1/collections/{name}/documents");
        client.post(&path, &json!({})).await.expect(403);
    }
}

#[tokio::test]
async fn only_json_is_read() {
    let server = Server::start();
    let client = server.client();
    for wrong in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        client.post_text(ORDERS, wrong, "{}").await.expect(415);
    }
    client.post_text(ORDERS, "application/json; charset=utf-8", "{}").await.expect(201);
    let request = client.request("POST", ORDERS).header("content-encoding", "gzip");
    client.send(request.json(&json!({}))).await.expect(415);
}

#[tokio::test]
async fn ids_and_documents_of_the_wrong_shape_are_refused() {
    let server = Server::start();
    let client = server.client();
    for body in ["\"text\"", "7", "null", "[1]", "[[]]", "{\"_id\":[1]}"] {
        post(&client, body).await.expect(400);
    }
    assert_eq!(client.get("/v1/collections").await.expect(200).list("collections").len(), 0);
    post(&client, "{\"_id\":{\"part\":1}}").await.expect(201);
    post(&client, "{\"_id\":null}").await.expect(201);
}

#[tokio::test]
async fn what_is_not_supported_yet_is_refused_by_name() {
    let server = Server::start();
    let client = server.client();
    let definition = json!({"options": {"a": 1}});
    let answer = client.put("/v1/collections/orders", &definition).await;
    assert_eq!(answer.refused(400), "unsupported");
    let unknown = client.post("/v1/collections/orders/query", &json!({"fliter": {}})).await;
    assert_eq!(unknown.refused(400), "unknown_member");
}

#[tokio::test]
async fn unknown_routes_and_methods_are_refused_with_a_body() {
    let server = Server::start();
    let client = server.client();
    client.get("/v1/nothing").await.expect(404);
    client.get("/nothing").await.expect(404);
    let method = client.delete("/v1/collections").await.expect(405);
    assert!(method.header("allow").contains("GET"));
}
