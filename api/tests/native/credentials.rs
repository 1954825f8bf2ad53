//! Credentials: issue, use, narrow, rotate, revoke.

use serde_json::json;

use crate::support::{Face, ROOT};

const ORDERS: &str = "/v1/collections/orders/documents";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_do_what_its_grant_says_and_no_more() {
    let face = Face::new();
    let grant = r#"{"label":"shop","grant":{"collections":{"orders":["create"],"*":["read"]}}}"#;
    let (id, key) = face.issue(grant).await;
    let with = |key: String| move |name: &'static str| vec![(name, key.clone())];
    for name in ["x-apikey", "x-api-key", "api-key", "apiKey", "authorization"] {
        let headers = with(key.clone())(name);
        let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        assert_eq!(face.ask_with("POST", ORDERS, "{}", &headers).await.status, 201, "{name}");
    }
    let mine = [("authorization", &*format!("Bearer {key}"))];
    assert_eq!(
        face.ask_with("GET", ORDERS, "", &mine).await.status,
        403,
        "its own entry replaces *"
    );
    assert_eq!(face.ask_with("GET", "/v1/collections/x/documents", "", &mine).await.status, 200);
    assert_eq!(face.ask_with("GET", "/v1/events", "", &mine).await.status, 403);
    assert_eq!(face.ask_with("GET", "/v1/credentials", "", &mine).await.status, 403);
    assert_eq!(face.ask_with("GET", "/metrics", "", &mine).await.status, 403);
    assert_eq!(face.ask_with("POST", "/v1/admin/verify", "", &mine).await.status, 403);
    let system = face.ask_with("GET", "/v1/collections/_credentials/documents", "", &mine).await;
    assert_eq!((system.status.as_u16(), system.code()), (403, "system_collection"));
    let transaction = r#"{"operations":[{"op":"delete","collection":"orders","id":1}]}"#;
    assert_eq!(face.ask_with("POST", "/v1/transactions", transaction, &mine).await.status, 403);
    let page = face.ask_with("GET", "/v1/collections", "", &mine).await;
    assert_eq!(page.body["collections"], json!([]));

    let shown = face.get(&format!("/v1/credentials/{id}")).await;
    assert_eq!(shown.body["label"], "shop");
    assert!(!shown.body.to_string().contains(&key));
    let documents = face.get("/v1/collections/_credentials/documents").await;
    assert_eq!(documents.status, 200);
    assert!(!documents.body.to_string().contains(&key));
    let history = format!("/v1/collections/_credentials/documents/{id}/history");
    for read in [&*history, "/v1/collections/_credentials/documents", "/v1/events?from=0"] {
        let shown = face.get(read).await.body.to_string();
        assert!(shown.contains("shop") && !shown.contains("\"hash\""), "{read}: {shown}");
    }
    assert_eq!(face.post("/v1/collections/_credentials/documents", "{}").await.status, 403);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_changed_rotated_and_revoked_at_once() {
    let face = Face::new();
    let (id, key) = face.issue(r#"{"grant":{"collections":{"*":["*"]}}}"#).await;
    let path = format!("/v1/credentials/{id}");
    let try_key = |key: String| {
        let face = &face;
        async move { face.ask_with("POST", ORDERS, "{}", &[("x-apikey", &key)]).await.status.as_u16() }
    };
    assert_eq!(try_key(key.clone()).await, 201);
    let narrowed = r#"{"grant":{"collections":{"*":["read"]}},"label":"narrow"}"#;
    assert_eq!(face.ask("PATCH", &path, narrowed).await.body["label"], "narrow");
    assert_eq!(try_key(key.clone()).await, 403);
    face.ask("PATCH", &path, r#"{"grant":{"collections":{"*":["write"]}}}"#).await;

    let rotated = face.post(&format!("{path}/rotate?grace_seconds=60"), "").await;
    let second = rotated.body["key"].as_str().unwrap().to_owned();
    assert_eq!((try_key(key.clone()).await, try_key(second.clone()).await), (201, 201));
    let rotated = face.post(&format!("{path}/rotate"), "").await;
    let third = rotated.body["key"].as_str().unwrap().to_owned();
    assert_eq!((try_key(key.clone()).await, try_key(second).await), (401, 401));
    let face_after = try_key(third.clone()).await;
    assert_eq!(face_after, 201);
    assert_eq!(face.ask("DELETE", &path, "").await.status, 200);
    assert_eq!(try_key(third).await, 401);
    assert_eq!(face.get(&path).await.status, 404);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_survive_a_restart() {
    let face = Face::new();
    let (_, key) = face.issue(r#"{"grant":{"admin":true}}"#).await;
    let face = face.restart().await;
    let answer = face.ask_with("GET", "/v1/admin/stats", "", &[("x-apikey", &key)]).await;
    assert_eq!(answer.status, 200);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_grant_does_not_know_is_refused_by_name() {
    let face = Face::new();
    for (grant, named) in [
        (json!({"x": 1}), "x"),
        (json!({"networks": ["10.0.0.0/99"]}), "10.0.0.0/99"),
        (json!({"methods": ["FLY"]}), "FLY"),
        (json!({"rate_limit": {"per_ip_per_hour": 0}}), "per_ip_per_hour"),
    ] {
        let refused = face.post("/v1/credentials", &json!({"grant": grant}).to_string()).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (400, "invalid_grant"), "{named}");
        assert!(refused.body.to_string().contains(named), "{}", refused.body);
    }
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_valid_credential_nothing_is_answered() {
    let face = Face::new();
    let nobody = face.ask_with("GET", ORDERS, "", &[]).await;
    assert_eq!((nobody.status.as_u16(), nobody.code()), (401, "unauthorized"));
    assert!(nobody.headers.contains_key("www-authenticate"));
    assert_eq!(face.ask_with("GET", ORDERS, "", &[("x-apikey", "no")]).await.status, 401);
    let two = [("x-apikey", ROOT), ("authorization", "Bearer other")];
    assert_eq!(face.ask_with("GET", ORDERS, "", &two).await.code(), "conflicting_credentials");
    let basic = face.ask_with("GET", ORDERS, "", &[("authorization", "Basic eDp5")]).await;
    assert_eq!(basic.status, 401);
    for open in ["/healthz", "/readyz", "/v1/openapi.json"] {
        assert_eq!(face.ask_with("GET", open, "", &[]).await.status, 200, "{open}");
    }
    assert_eq!(face.ask_with("GET", &format!("{ORDERS}?apikey={ROOT}"), "", &[]).await.status, 200);
    face.stop().await;
}
