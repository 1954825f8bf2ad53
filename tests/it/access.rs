//! Credentials: how they are given, what they open, how they end.

use serde_json::{Value, json};

use crate::harness::{Client, ROOT, Server, eventually};

const ORDERS: &str = "/v1/collections/orders/documents";

/// Issues a key; a client with it, and its path.
async fn issue(client: &Client, body: Value) -> (Client, String) {
    let issued = client.post("/v1/credentials", &body).await.expect(201);
    let key = issued.body["key"].as_str().unwrap();
    assert!(key.starts_with("hw_"), "{key}");
    let id = issued.body["id"].as_str().unwrap();
    (client.with_key(key), format!("/v1/credentials/{id}"))
}

#[tokio::test]
async fn a_key_is_accepted_in_every_place_of_the_contract() {
    let server = Server::start();
    let client = server.client().without_key();
    let bearer = format!("Bearer {ROOT}");
    for (name, value) in [
        ("x-apikey", ROOT),
        ("x-api-key", ROOT),
        ("api-key", ROOT),
        ("apiKey", ROOT),
        ("authorization", &bearer),
        ("authorization", ROOT),
    ] {
        let request = client.request("GET", "/v1/collections").header(name, value);
        client.send(request).await.expect(200);
    }
    client.get(&format!("/v1/collections?apikey={ROOT}")).await.expect(200);
    let twice = client.request("GET", &format!("/v1/collections?apikey={ROOT}"));
    client.send(twice.header("x-apikey", ROOT)).await.expect(200);
}

#[tokio::test]
async fn no_credential_and_a_wrong_one_are_401_and_differing_ones_400() {
    let server = Server::start();
    let client = server.client().without_key();
    client.get("/v1/collections").await.expect(401);
    client.with_key("hw_wrong").get("/v1/collections").await.expect(401);
    let differing = client.request("GET", &format!("/v1/collections?apikey={ROOT}"));
    let differing = client.send(differing.header("x-apikey", "other")).await;
    assert_eq!(differing.refused(400), "conflicting_credentials");
    let request = client.request("GET", "/v1/collections");
    client.send(request.header("authorization", "Basic bmFtZTpwYXNz")).await.expect(401);
    for open in ["/healthz", "/readyz", "/v1/openapi.json"] {
        client.get(open).await.expect(200);
    }
    client.get("/metrics").await.expect(401);
}

#[tokio::test]
async fn a_key_opens_what_its_grant_names_and_nothing_else() {
    let server = Server::start();
    let root = server.client();
    root.post(ORDERS, &json!({"_id": "a"})).await.expect(201);
    root.post("/v1/collections/other/documents", &json!({"_id": "a"})).await.expect(201);
    let grant = json!({"collections": {"orders": ["read", "create"], "*": ["read"]}});
    let (key, _) = issue(&root, json!({"label": "till", "grant": grant})).await;
    let a = format!("{ORDERS}/a");
    key.get(&a).await.expect(200);
    key.post(ORDERS, &json!({"_id": "b"})).await.expect(201);
    key.patch(&a, &json!({"n": 1})).await.expect(403);
    key.delete(&a).await.expect(403);
    key.get("/v1/collections/other/documents/a").await.expect(200);
    key.post("/v1/collections/other/documents", &json!({})).await.expect(403);
    key.get("/v1/events?collections=orders").await.expect(403);
    key.delete("/v1/collections/orders").await.expect(403);
    key.get("/v1/collections/_credentials/documents").await.expect(403);
    for path in ["/v1/credentials", "/v1/admin/stats", "/metrics", "/v1/webhooks"] {
        let status = key.get(path).await.status;
        assert!(status == 403 || path == "/v1/webhooks", "{path}: {status}");
    }
    let (nothing, _) = issue(&root, json!({"grant": {}})).await;
    nothing.get(&a).await.expect(403);
}

#[tokio::test]
async fn a_changed_grant_is_in_force_with_the_answer() {
    let server = Server::start();
    let root = server.client();
    let (key, path) = issue(&root, json!({"grant": {"collections": {"orders": ["read"]}}})).await;
    key.post(ORDERS, &json!({})).await.expect(403);
    let grant = json!({"collections": {"orders": ["create"]}});
    let patched = root.patch(&path, &json!({"grant": grant, "label": "new"})).await.expect(200);
    assert_eq!((&patched.body["grant"], &patched.body["label"]), (&grant, &json!("new")));
    assert!(patched.body.get("key").is_none(), "the key is shown once");
    key.post(ORDERS, &json!({})).await.expect(201);
    key.get(ORDERS).await.expect(403);
}

#[tokio::test]
async fn a_revoked_key_is_refused_even_after_a_restart() {
    let mut server = Server::start();
    let root = server.client();
    let grant = json!({"collections": {"orders": ["read"]}});
    let (key, path) = issue(&root, json!({"grant": grant})).await;
    key.get(ORDERS).await.expect(200);
    root.delete(&path).await.expect(200);
    key.get(ORDERS).await.expect(401);
    root.delete(&path).await.expect(404);
    server.kill();
    server.restart();
    key.get(ORDERS).await.expect(401);
}

#[tokio::test]
async fn a_key_ends_with_its_time() {
    let server = Server::start();
    let root = server.client();
    let body = json!({"grant": {"collections": {"orders": ["read"]}}, "ttl_seconds": 1});
    let (key, _) = issue(&root, body).await;
    eventually("the end of the key", async || {
        let answer = key.get(ORDERS).await;
        (answer.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_rotated_key_is_replaced_at_once_or_after_the_grace() {
    let server = Server::start();
    let root = server.client();
    let grant = json!({"collections": {"orders": ["read"]}});
    let (old, path) = issue(&root, json!({"grant": grant})).await;
    let rotated = root.send(root.request("POST", &format!("{path}/rotate"))).await.expect(200);
    let new = root.with_key(rotated.body["key"].as_str().unwrap());
    old.get(ORDERS).await.expect(401);
    new.get(ORDERS).await.expect(200);
    let grace = format!("{path}/rotate?grace_seconds=60");
    let rotated = root.send(root.request("POST", &grace)).await.expect(200);
    new.get(ORDERS).await.expect(200);
    root.with_key(rotated.body["key"].as_str().unwrap()).get(ORDERS).await.expect(200);
}

#[tokio::test]
async fn a_malformed_grant_is_refused_by_the_name_of_its_fault() {
    let server = Server::start();
    let root = server.client();
    for (grant, named) in [
        (json!({"bogus": 1}), "bogus"),
        (json!({"collections": {"orders": ["fly"]}}), "fly"),
        (json!({"collections": {"a b": ["read"]}}), "a b"),
        (json!({"collections": ["read"]}), "collections"),
        (json!({"networks": ["10.0.0.0/99"], "collections": {"*": ["read"]}}), "networks"),
    ] {
        let refused = root.post("/v1/credentials", &json!({"grant": grant})).await.expect(400);
        assert!(refused.text.contains(named), "{named}: {}", refused.text);
    }
}

#[tokio::test]
async fn keys_are_stored_as_hashes_and_never_logged() {
    let mut server = Server::start();
    let root = server.client();
    let issued = root.post("/v1/credentials", &json!({"grant": {"admin": true}})).await.expect(201);
    let key = issued.body["key"].as_str().unwrap().to_owned();
    root.with_key(&key).get("/v1/collections").await.expect(200);
    root.get(&format!("/v1/nothing?apikey={ROOT}")).await.expect(404);
    server.stop();
    for secret in [key.as_str(), ROOT] {
        assert!(!server.log().contains(secret), "in the log");
        let mut directories = vec![server.data()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                    continue;
                }
                let bytes = std::fs::read(&path).unwrap();
                let found = memchr::memmem::find(&bytes, secret.as_bytes());
                assert!(found.is_none(), "a key in {}", path.display());
            }
        }
    }
}
