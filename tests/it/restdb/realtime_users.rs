//! Who hears what as a user: roles, the record's `realtime`, and the token in the address.

use serde_json::{Value, json};

use super::realtime::{Realtime, end};
use super::{PASSWORD, issued, log_in};
use crate::harness::{Client, Server};

/// A user with a session; its id and its token.
async fn user(root: &Client, name: &str, data: Value) -> (String, String) {
    let email = format!("{name}@example.com");
    let body = json!({"email": email, "password": PASSWORD, "data": data, "roles": ["clerk"]});
    let made = root.post("/v1/users", &body).await.expect(201).body;
    let session = log_in(root, &email).await.body;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["id"]), text(&session["access_token"]))
}

async fn clerk(root: &Client) {
    let rights =
        json!({"read": {"owner": "%%user.email"}, "create": true, "fields": {"exclude": ["cost"]}});
    let role = json!({"collections": {"orders": rights}});
    root.put("/v1/roles/clerk", &role).await.expect(201);
}

async fn happen(root: &Client) {
    for owner in ["ann@example.com", "bob@example.com"] {
        let order = json!({"n": owner, "owner": owner, "cost": 1});
        root.post("/rest/orders", &order).await.expect(201);
    }
    root.post("/rest/chat", &json!({"n": 1})).await.expect(201);
    end(root).await;
}

#[tokio::test]
async fn a_user_hears_what_the_roles_show() {
    let server = Server::start();
    let root = server.client();
    clerk(&root).await;
    let (_, token) = user(&root, "ann", json!({})).await;
    let ann = root.with_key(&token);
    let mut stream = Realtime::open(&ann, "/realtime").await;
    let made = ann.post("/rest/orders", &json!({"n": 0, "owner": "ann@example.com"}));
    let made = made.await.expect(201).body;
    let first = stream.next().await.unwrap().json();
    assert_eq!(first["data"], made);
    assert_eq!(first["data"]["_createdby"], "ann@example.com");
    happen(&root).await;
    let next = stream.next().await.unwrap();
    assert_eq!(next.told(), "post orders ann@example.com");
    assert!(!next.data.contains("cost") && next.data.contains(r#""_createdby":"api""#));
    ann.post("/realtime", &json!({"event": "answer"})).await.expect(403);
}

#[tokio::test]
async fn the_record_narrows_documents_gives_custom_events_and_may_change() {
    let server = Server::start();
    let root = server.client();
    clerk(&root).await;
    let lists = json!({"realtime": {"sub": ["POST:chat", "end"], "pub": ["answer"]}});
    let (id, token) = user(&root, "ann", lists).await;
    let ann = root.with_key(&token);
    let mut stream = Realtime::open(&ann, "/realtime").await;
    happen(&root).await;
    // Listed, but no role lets her follow it.
    assert!(stream.until_end().await.is_empty());
    ann.post("/realtime", &json!({"event": "answer"})).await.expect(200);
    ann.post("/realtime", &json!({"event": "end"})).await.expect(403);
    ann.get("/rest/chat").await.expect(403);
    // What the roles show of documents is all that comes.
    let path = format!("/v1/users/{id}");
    let orders = json!({"data": {"realtime": {"sub": ["*:orders", "end"]}}});
    root.patch(&path, &orders).await.expect(200);
    happen(&root).await;
    assert_eq!(stream.until_end().await, ["post orders ann@example.com"]);
    root.patch(&path, &json!({"data": {"realtime": {"sub": []}}})).await.expect(200);
    while stream.any().await.is_some() {}
    ann.get("/realtime").await.expect(403);
}

#[tokio::test]
async fn a_token_in_the_address_wins_over_the_key_beside_it() {
    let server = Server::start();
    let root = server.client();
    clerk(&root).await;
    let (_, token) = user(&root, "ann", json!({"realtime": {"sub": ["end"]}})).await;
    let nobody = root.without_key();
    for beside in [token.as_str(), "hw_unknown"] {
        let path = format!("/realtime?jwt={token}&rt-apikey={beside}&lastEventId=&r=5");
        let mut stream = Realtime::open(&nobody, &path).await;
        happen(&root).await;
        assert!(stream.until_end().await.is_empty(), "{beside}");
    }
    // The key alone, where there is no token; and nowhere else.
    let secret = issued(&root, json!({"grant": {"realtime": ["end"]}})).await.key;
    Realtime::open(&nobody, &format!("/realtime?rt-apikey={secret}")).await;
    nobody.get("/realtime?rt-apikey=hw_unknown").await.expect(403);
    nobody.get(&format!("/rest/chat?rt-apikey={secret}")).await.expect(401);
    nobody.get(&format!("/v1/events?rt-apikey={secret}")).await.expect(401);
    assert!(!server.log().contains(&secret), "no key is logged");
}
