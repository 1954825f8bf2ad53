//! Who may enter, and how a credential comes later.

use serde_json::json;

use super::{ORDERS, WS, connect, create};
use crate::harness::{ROOT, Server, Socket};

const PASSWORD: &str = "a password of some length";

#[tokio::test]
async fn a_credential_comes_in_the_handshake_or_is_refused_there() {
    let server = Server::start();
    let url = server.url();
    let bearer = format!("Bearer {ROOT}");
    for (path, headers) in [
        (WS.to_owned(), vec![("x-apikey", ROOT)]),
        (WS.to_owned(), vec![("authorization", bearer.as_str())]),
        (format!("{WS}?apikey={ROOT}"), vec![]),
        (format!("{WS}?jwt={ROOT}"), vec![]),
    ] {
        let mut socket = Socket::open(&url, &path, &headers).await.unwrap();
        socket.subscribe("a", json!({})).await;
    }
    let refused = async |path: &str, headers: &[(&str, &str)]| {
        let (status, body) = Socket::open(&url, path, headers).await.err().unwrap();
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let wrong = refused(WS, &[("x-apikey", "hw_wrong")]).await;
    assert_eq!(wrong, (401, "unauthorized".to_owned()));
    assert_eq!(refused(&format!("{WS}?jwt=a.b.c"), &[]).await.0, 401);
    let both = refused(&format!("{WS}?apikey=other"), &[("x-apikey", ROOT)]).await;
    assert_eq!(both, (400, "conflicting_credentials".to_owned()));
    // What is no handshake is told so, with the shape of every refusal.
    let client = server.client();
    assert_eq!(client.get(WS).await.refused(400), "invalid_handshake");
    assert_eq!(client.without_key().get(WS).await.refused(400), "invalid_handshake");
    client.with_key("hw_wrong").get(WS).await.expect(401);
}

#[tokio::test]
async fn s5_a_foreign_page_opens_nothing_with_a_visitors_cookie() {
    let server = Server::start();
    let root = server.client();
    let body = json!({"email": "ann@example.com", "password": PASSWORD, "roles": ["clerk"]});
    root.put("/v1/roles/clerk", &json!({"collections": {"orders": {"read": true}}})).await;
    root.post("/v1/users", &body).await.expect(201);
    let login = json!({"email": "ann@example.com", "password": PASSWORD});
    let begun = root.without_key().post("/v1/sessions", &login).await.expect(201);
    let cookie = begun.header("set-cookie").split(';').next().unwrap().to_owned();
    let url = server.url();
    for origin in ["https://evil.example", "null"] {
        let headers = [("cookie", cookie.as_str()), ("origin", origin)];
        let (status, body) = Socket::open(&url, WS, &headers).await.err().unwrap();
        assert_eq!((status, &body["error"]["code"]), (403, &json!("origin_forbidden")));
    }
    for headers in [vec![("origin", url.as_str())], vec![]] {
        let headers = [headers, vec![("cookie", cookie.as_str())]].concat();
        let mut socket = Socket::open(&url, WS, &headers).await.unwrap();
        socket.subscribe("a", json!({"collections": ["orders"]})).await;
    }
}

#[tokio::test]
async fn a_credential_may_come_in_a_message() {
    let server = Server::start();
    let mut socket = Socket::open(&server.url(), WS, &[]).await.unwrap();
    let subscribe = json!({"op": "subscribe", "ref": "a", "type": "events"});
    assert_eq!(socket.ask(json!({"op": "ping"})).await, json!({"op": "pong"}));
    assert_eq!(socket.refused(subscribe.clone()).await, "unauthorized");
    let unsubscribe = json!({"op": "unsubscribe", "ref": "a"});
    assert_eq!(socket.refused(unsubscribe).await, "unauthorized");
    let resume =
        json!({"op": "resume", "subscriptions": [{"ref": "a", "type": "events", "from": 0}]});
    assert_eq!(socket.refused(resume).await, "unauthorized");
    assert_eq!(socket.refused(json!({"op": "auth", "token": "hw_wrong"})).await, "unauthorized");
    assert_eq!(socket.refused(json!({"op": "auth", "token": "a.b.c"})).await, "unauthorized");
    assert_eq!(socket.refused(subscribe).await, "unauthorized");
    socket.send(&json!({"op": "auth", "token": ROOT})).await;
    socket.subscribe("a", json!({})).await;
    let position = create(&server.client(), "orders", json!({})).await;
    let last = loop {
        let frame = &socket.take_of("a", 1).await[0];
        // Refusals are in the audit trail, which full access sees.
        if frame.data["collection"] == "orders" {
            break frame.position();
        }
    };
    assert_eq!(last, position);
}

#[tokio::test]
async fn one_that_does_not_say_who_it_is_is_not_kept() {
    let server = Server::with(&[("HEADWATER_LIMITS__HEADER_TIMEOUT_MS", "300")]);
    let mut silent = Socket::open(&server.url(), WS, &[]).await.unwrap();
    let mut wrong = Socket::open(&server.url(), WS, &[]).await.unwrap();
    assert_eq!(wrong.refused(json!({"op": "auth", "token": "x"})).await, "unauthorized");
    let mut known = Socket::open(&server.url(), WS, &[]).await.unwrap();
    known.send(&json!({"op": "auth", "token": ROOT})).await;
    assert_eq!(silent.ending().await, 1008);
    assert_eq!(wrong.ending().await, 1008);
    assert_eq!(known.ask(json!({"op": "ping"})).await, json!({"op": "pong"}));
}

#[tokio::test]
async fn a_grant_without_streams_does_not_enter() {
    let server = Server::start();
    let root = server.client();
    for grant in [json!({"acls": ["get"]}), json!({"admin": true, "paths": ["/v1/events"]})] {
        let issued = root.post("/v1/credentials", &json!({"grant": grant})).await.expect(201);
        let key = issued.body["key"].as_str().unwrap();
        let headers = [("x-apikey", key)];
        let (status, _) = Socket::open(&server.url(), WS, &headers).await.err().unwrap();
        assert_eq!(status, 403, "{grant}");
        let mut socket = Socket::open(&server.url(), WS, &[]).await.unwrap();
        assert_ne!(socket.refused(json!({"op": "auth", "token": key})).await, "unauthorized");
        let subscribe = json!({"op": "subscribe", "ref": "a", "type": "events"});
        assert_eq!(socket.refused(subscribe).await, "unauthorized");
    }
}

#[tokio::test]
async fn a_fresh_token_carries_subscriptions_beyond_the_end_of_the_old_one() {
    let server = Server::start();
    let root = server.client();
    let grant = json!({"collections": {"orders": ["read", "subscribe"]}});
    let issued = root.post("/v1/credentials", &json!({"grant": grant})).await.expect(201);
    let as_key = root.with_key(issued.body["key"].as_str().unwrap());
    let token = async |seconds: u64| {
        let made = as_key.post("/v1/tokens", &json!({"ttl_seconds": seconds})).await.expect(200);
        made.body["token"].as_str().unwrap().to_owned()
    };
    let path = format!("{WS}?jwt={}", token(2).await);
    let (mut renewed, mut left) = (
        Socket::open(&server.url(), &path, &[]).await.unwrap(),
        Socket::open(&server.url(), &path, &[]).await.unwrap(),
    );
    for socket in [&mut renewed, &mut left] {
        socket.subscribe("a", json!({"collections": ["orders"]})).await;
        socket.subscribe("live", json!({"type": "live", "collection": "orders"})).await;
    }
    renewed.send(&json!({"op": "auth", "token": token(600).await})).await;
    // Another's token changes nothing.
    let other = json!({"op": "auth", "token": ROOT});
    assert_eq!(renewed.refused(other).await, "actor_changed");
    let closed = left.next_of("a").await.unwrap();
    assert_eq!(closed["reason"], "credential_expired");
    let subscribe = json!({"op": "subscribe", "ref": "b", "type": "events"});
    assert_eq!(left.refused(subscribe).await, "credential_expired");
    let position = root.post(ORDERS, &json!({})).await.expect(201).position();
    assert_eq!(renewed.take_of("a", 1).await[0].position(), position);
    loop {
        let frame = &renewed.take_of("live", 1).await[0];
        assert_ne!(frame.event, "closed");
        if frame.event == "enter" {
            break;
        }
    }
    renewed.subscribe("b", json!({"collections": ["orders"]})).await;
    // One whose token has ended goes on with a fresh one.
    left.send(&json!({"op": "auth", "token": token(600).await})).await;
    left.subscribe("b", json!({"collections": ["orders"]})).await;
}

#[tokio::test]
async fn a_revoked_credential_subscribes_to_nothing_more() {
    let server = Server::start();
    let root = server.client();
    let grant = json!({"collections": {"orders": ["read", "subscribe"]}});
    let issued = root.post("/v1/credentials", &json!({"grant": grant})).await.expect(201);
    let key = issued.body["key"].as_str().unwrap();
    let mut socket = Socket::open(&server.url(), WS, &[("x-apikey", key)]).await.unwrap();
    let others = json!({"op": "subscribe", "ref": "o", "type": "events", "collections": ["users"]});
    assert_eq!(socket.refused(others).await, "forbidden");
    let path = format!("/v1/credentials/{}", issued.body["id"].as_str().unwrap());
    let narrow = json!({"collections": {"orders": ["read"]}});
    root.patch(&path, &json!({"grant": narrow})).await.expect(200);
    let orders =
        json!({"op": "subscribe", "ref": "a", "type": "events", "collections": ["orders"]});
    assert_eq!(socket.refused(orders.clone()).await, "forbidden");
    root.delete(&path).await.expect(200);
    assert_eq!(socket.refused(orders).await, "credential_revoked");
}

#[tokio::test]
async fn requests_of_a_key_are_counted_in_messages_too() {
    let server = Server::start();
    let grant =
        json!({"collections": {"orders": ["subscribe"]}, "rate_limit": {"per_ip_per_hour": 4}});
    let issued = server.client().post("/v1/credentials", &json!({"grant": grant})).await;
    let key = issued.expect(201).body["key"].as_str().unwrap().to_owned();
    // The handshake is the first.
    let mut socket = Socket::open(&server.url(), WS, &[("x-apikey", &key)]).await.unwrap();
    for reference in ["a", "b", "c"] {
        socket.subscribe(reference, json!({"collections": ["orders"]})).await;
        assert_eq!(socket.ask(json!({"op": "ping"})).await, json!({"op": "pong"}));
    }
    let more = json!({"op": "subscribe", "ref": "d", "type": "events", "collections": ["orders"]});
    assert_eq!(socket.refused(more).await, "too_many_requests");
    assert_eq!(socket.ask(json!({"op": "ping"})).await, json!({"op": "pong"}));
    drop(connect(&server).await);
}

#[tokio::test]
async fn one_whose_credential_has_ended_is_not_kept() {
    let server = Server::start();
    let root = server.client();
    let grant = json!({"collections": {"orders": ["subscribe"]}});
    let issued = root.post("/v1/credentials", &json!({"grant": grant})).await.expect(201).body;
    let caller = root.with_key(issued["key"].as_str().unwrap());
    let mut socket = caller.socket().await;
    socket.subscribe("a", json!({"collections": ["orders"]})).await;
    root.delete(&format!("/v1/credentials/{}", issued["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(socket.next_of("a").await.unwrap()["reason"], "credential_revoked");
    assert_eq!(socket.ending().await, 1008);
}
