//! Users and sessions over the face.

use std::sync::Arc;

use headwater_engine::value::{Raw, Value as Owned, key, object_id};
use headwater_engine::write::{Command, DocumentId, Operation};
use http::StatusCode;
use serde_json::{Value, json};

use super::support::{Answer, Face};

const PASSWORD: &str = "correct horse battery";

async fn make(face: &Face, email: &str) -> String {
    let body = json!({"email": email, "password": PASSWORD});
    let made = face.post("/v1/users", &body.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["id"].as_str().unwrap().to_owned()
}

/// A request with no credential.
async fn open(face: &Face, method: &str, path: &str, body: Value) -> Answer {
    face.ask_with(method, path, &body.to_string(), &[]).await
}

async fn log_in(face: &Face, email: &str, password: &str) -> Answer {
    open(face, "POST", "/v1/sessions", json!({"email": email, "password": password})).await
}

async fn begin(face: &Face, email: &str) -> Value {
    let begun = log_in(face, email, PASSWORD).await;
    assert_eq!(begun.status, 201, "{}", begun.body);
    begun.body
}

/// A request with a user's access token.
async fn by(face: &Face, begun: &Value, method: &str, path: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {}", begun["access_token"].as_str().unwrap());
    face.ask_with(method, path, body, &[("authorization", &bearer)]).await
}

async fn refresh(face: &Face, token: &Value) -> Answer {
    open(face, "POST", "/v1/sessions/refresh", json!({"refresh_token": token})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_made_listed_changed_and_removed() {
    let face = Face::new();
    let id = make(&face, " Ann@Example.org ").await;
    let shown = face.get(&format!("/v1/users/{id}")).await.body;
    assert_eq!(shown["email"], "Ann@Example.org");
    assert_eq!(shown["has_password"], true);
    assert!(!shown.to_string().contains("argon2"), "{shown}");
    let taken = json!({"email": "ann@example.ORG"}).to_string();
    let again = face.post("/v1/users", &taken).await;
    assert_eq!((again.status, again.code()), (StatusCode::CONFLICT, "email_taken"));
    let other = make(&face, "bob@example.org").await;
    let first = face.get("/v1/users?limit=1").await.body;
    assert_eq!(first["users"].as_array().unwrap().len(), 1);
    let next = format!("/v1/users?limit=1&cursor={}", first["next"].as_str().unwrap());
    let second = face.get(&next).await.body;
    assert_eq!((&second["users"][0]["id"], &second["next"]), (&json!(other), &Value::Null));
    let path = format!("/v1/users/{other}");
    let change = face.ask("PATCH", &path, &taken).await;
    assert_eq!(change.code(), "email_taken");
    let change = r#"{"email":"b@example.org","data":{"team":"a"},"disabled":true}"#;
    let changed = face.ask("PATCH", &path, change).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(changed.body["data"]["team"], "a");
    make(&face, "bob@example.org").await;
    assert_eq!(face.ask("DELETE", &path, "").await.status, 200);
    assert_eq!(face.get(&path).await.code(), "user_not_found");
    assert_eq!(face.ask("DELETE", &path, "").await.code(), "user_not_found");
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_users_are_refused_by_member() {
    let face = Face::new();
    let cases = [
        (json!({"email": "no address"}), "invalid_parameter"),
        (json!({"email": {"$ne": 1}}), "invalid_parameter"),
        (json!({"password": "short"}), "invalid_password"),
        (json!({"password": {"$ne": 1}}), "invalid_parameter"),
        (json!({"data": []}), "invalid_parameter"),
        (json!({"roles": ["nobody"]}), "unknown_role"),
        (json!({"roles": "admin"}), "invalid_parameter"),
        (json!({"admin": true}), "unknown_member"),
        (json!({"_id": 1}), "unknown_member"),
    ];
    for (body, code) in cases {
        let refused = face.post("/v1/users", &body.to_string()).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (400, code), "{body}");
    }
    let closed = open(&face, "POST", "/v1/users", json!({"email": "a@b"})).await;
    assert_eq!(closed.status, 401);
    let closed = open(&face, "POST", "/v1/sessions/anonymous", json!({})).await;
    assert_eq!(closed.code(), "anonymous_closed");
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_in_takes_the_password() {
    let face = Face::new();
    make(&face, "ann@example.org").await;
    let begun = log_in(&face, "ANN@example.org", PASSWORD).await;
    assert_eq!(begun.status, 201, "{}", begun.body);
    let cookie = begun.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-hw_session=hws_"), "{cookie}");
    assert!(cookie.contains("; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age="), "{cookie}");
    assert_eq!(begun.body["user"]["email"], "ann@example.org");
    for (email, password) in [("ann@example.org", "wrong password"), ("eve@example.org", PASSWORD)]
    {
        let refused = log_in(&face, email, password).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (401, "invalid_login"));
        assert!(!refused.headers.contains_key("set-cookie"));
    }
    let sessions = face.get("/v1/sessions").await.body;
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
    let text = sessions.to_string();
    assert!(!text.contains("refresh\"") && !text.contains("cookie") && !text.contains("family"));
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_throttled_by_account() {
    let face = Face::new();
    make(&face, "ann@example.org").await;
    for _ in 0..10 {
        assert_eq!(log_in(&face, "Ann@example.org", "wrong password").await.status, 401);
    }
    let refused = log_in(&face, "ann@example.org", PASSWORD).await;
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    make(&face, "bob@example.org").await;
    begin(&face, "bob@example.org").await;
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_tokens_rotate_and_end_with_their_session() {
    let face = Face::new();
    make(&face, "ann@example.org").await;
    let begun = begin(&face, "ann@example.org").await;
    let second = refresh(&face, &begun["refresh_token"]).await;
    assert_eq!(second.status, 200, "{}", second.body);
    assert_ne!(second.body["refresh_token"], begun["refresh_token"]);
    for wrong in [json!("hwr_x"), begun["access_token"].clone()] {
        assert_eq!(refresh(&face, &wrong).await.code(), "invalid_refresh_token");
    }
    let sessions = face.get("/v1/sessions").await.body;
    let id = sessions["sessions"][0]["id"].as_str().unwrap();
    assert_eq!(face.ask("DELETE", &format!("/v1/sessions/{id}"), "").await.status, 200);
    let over = refresh(&face, &second.body["refresh_token"]).await;
    assert_eq!((over.status.as_u16(), over.code()), (401, "invalid_refresh_token"));
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_token_works_once_and_ends_sessions() {
    let face = Face::new();
    make(&face, "ann@example.org").await;
    let begun = begin(&face, "ann@example.org").await;
    let known = open(&face, "POST", "/v1/users/reset", json!({"email": "ann@example.org"})).await;
    let unknown = open(&face, "POST", "/v1/users/reset", json!({"email": "eve@example.org"})).await;
    assert_eq!((known.status, &known.body), (StatusCode::ACCEPTED, &json!({})));
    assert_eq!((unknown.status, &unknown.body), (StatusCode::ACCEPTED, &json!({})));
    let ask = r#"{"email":"ANN@example.org"}"#;
    let token = face.post("/v1/users/reset", ask).await.body["token"].clone();
    let confirm = json!({"token": token, "password": "another password"});
    let path = "/v1/users/reset/confirm";
    assert_eq!(open(&face, "POST", path, confirm.clone()).await.status, 200);
    assert_eq!(open(&face, "POST", path, confirm).await.code(), "invalid_reset_token");
    let forged = json!({"token": begun["access_token"], "password": "another password"});
    assert_eq!(open(&face, "POST", path, forged).await.code(), "invalid_reset_token");
    assert_eq!(log_in(&face, "ann@example.org", PASSWORD).await.status, 401);
    assert_eq!(log_in(&face, "ann@example.org", "another password").await.status, 201);
    assert_eq!(refresh(&face, &begun["refresh_token"]).await.status, 401);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_or_removed_user_has_no_sessions() {
    let face = Face::new();
    let id = make(&face, "ann@example.org").await;
    let path = format!("/v1/users/{id}");
    let begun = begin(&face, "ann@example.org").await;
    assert_eq!(face.ask("PATCH", &path, r#"{"disabled":true}"#).await.status, 200);
    assert_eq!(refresh(&face, &begun["refresh_token"]).await.status, 401);
    assert_eq!(log_in(&face, "ann@example.org", PASSWORD).await.code(), "invalid_login");
    assert_eq!(face.ask("PATCH", &path, r#"{"disabled":false}"#).await.status, 200);
    begin(&face, "ann@example.org").await;
    assert_eq!(face.ask("DELETE", &path, "").await.status, 200);
    assert_eq!(face.get("/v1/sessions").await.body["sessions"], json!([]));
    face.stop().await;
}

/// Needs the directory that knows access tokens.
#[tokio::test(flavor = "multi_thread")]
async fn users_reach_themselves_alone() {
    let face = Face::new();
    let id = make(&face, "ann@example.org").await;
    let other = make(&face, "bob@example.org").await;
    let ann = begin(&face, "ann@example.org").await;
    let bob = begin(&face, "bob@example.org").await;
    assert_eq!(by(&face, &ann, "GET", "/v1/users/me", "").await.body["id"], json!(id));
    let path = format!("/v1/users/{other}");
    assert_eq!(by(&face, &ann, "GET", &path, "").await.status, 403);
    assert_eq!(by(&face, &ann, "GET", "/v1/users", "").await.status, 403);
    for member in [
        r#"{"data":{"x":1}}"#,
        r#"{"roles":[]}"#,
        r#"{"disabled":false}"#,
        r#"{"email":"c@example.org"}"#,
        r#"{"password":"another password"}"#,
    ] {
        assert_eq!(by(&face, &ann, "PATCH", "/v1/users/me", member).await.status, 403, "{member}");
    }
    let own = by(&face, &ann, "PATCH", "/v1/users/me", r#"{"profile":{"nick":"a"}}"#).await;
    assert_eq!(own.body["profile"]["nick"], "a", "{}", own.body);
    let mine = by(&face, &ann, "GET", "/v1/sessions", "").await.body;
    assert_eq!(mine["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(mine["sessions"][0]["current"], true);
    let theirs = by(&face, &bob, "GET", "/v1/sessions", "").await.body;
    let theirs = format!("/v1/sessions/{}", theirs["sessions"][0]["id"].as_str().unwrap());
    assert_eq!(by(&face, &ann, "DELETE", &theirs, "").await.code(), "session_not_found");
    assert_eq!(by(&face, &bob, "GET", "/v1/users/me", "").await.status, 200);
    face.stop().await;
}

/// Needs the directory that knows access tokens.
#[tokio::test(flavor = "multi_thread")]
async fn another_password_ends_the_other_sessions() {
    let face = Face::new();
    make(&face, "ann@example.org").await;
    let (first, second) =
        (begin(&face, "ann@example.org").await, begin(&face, "ann@example.org").await);
    let path = "/v1/users/me/password";
    let wrong = json!({"old": "wrong password", "new": "another password"}).to_string();
    assert_eq!(by(&face, &first, "POST", path, &wrong).await.code(), "invalid_password");
    let right = json!({"old": PASSWORD, "new": "another password"}).to_string();
    assert_eq!(by(&face, &first, "POST", path, &right).await.status, 200);
    assert_eq!(by(&face, &first, "GET", "/v1/users/me", "").await.status, 200);
    assert_eq!(by(&face, &second, "GET", "/v1/users/me", "").await.status, 401);
    let out = by(&face, &first, "DELETE", "/v1/sessions/current", "").await;
    assert_eq!(out.status, 200);
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(by(&face, &first, "GET", "/v1/users/me", "").await.status, 401);
    face.stop().await;
}

/// The document of a session, as it is stored.
fn stored_session(face: &Face, id: &str) -> Vec<u8> {
    let snapshot = face.engine.snapshot();
    let number = snapshot.collections().number("_sessions").unwrap();
    let row = snapshot.get(number, &document_id(object_id::parse(id).unwrap()).key).unwrap();
    row.unwrap().body().as_bytes().to_vec()
}

fn document_id(id: [u8; 12]) -> DocumentId {
    let raw = Owned::ObjectId(id).to_bytes();
    let id_key = key::encode(Raw::trusted(&raw));
    DocumentId { raw: raw.into(), key: id_key.into() }
}

/// Puts sessions into the collection, as if nobody had ended them.
async fn put_sessions(face: &Face, sessions: Vec<([u8; 12], Vec<u8>)>) {
    let create = |(id, body): ([u8; 12], Vec<u8>)| Operation::Create {
        collection: Arc::from("_sessions"),
        id: document_id(id),
        body: body.into(),
    };
    let operations = sessions.into_iter().map(create).collect();
    let command = Command { operations, actor: Arc::from("test"), ..Command::default() };
    face.engine.write(command).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_an_older_password_are_over_whatever_is_left_of_them() {
    let face = Face::new();
    make(&face, "ann@example.org").await;
    let (first, second) =
        (begin(&face, "ann@example.org").await, begin(&face, "ann@example.org").await);
    let all = by(&face, &second, "GET", "/v1/sessions", "").await.body;
    let all = all["sessions"].as_array().unwrap();
    let id = all.iter().find(|one| one["current"] == true).unwrap()["id"].as_str().unwrap();
    let survivor = stored_session(&face, id);
    // More of them than are removed at once.
    for round in 1..=3 {
        let copies = (0..800_u16).map(|number| {
            let mut id = [round; 12];
            id[10..].copy_from_slice(&number.to_be_bytes());
            let Owned::Object(mut body) = Raw::trusted(&survivor).to_value() else { panic!() };
            body.insert("_id", Owned::ObjectId(id));
            (id, body.to_bytes())
        });
        put_sessions(&face, copies.collect()).await;
    }
    let path = "/v1/users/me/password";
    let change = json!({"old": PASSWORD, "new": "another password"}).to_string();
    assert_eq!(by(&face, &first, "POST", path, &change).await.status, 200);
    let left = by(&face, &first, "GET", "/v1/sessions?limit=1000", "").await.body;
    assert_eq!(left["sessions"].as_array().unwrap().len(), 1, "its own alone");
    assert_eq!(refresh(&face, &first["refresh_token"]).await.status, 200, "it goes on");
    // One that escaped the removal, as a refresh at the same moment may make it.
    put_sessions(&face, vec![(object_id::parse(id).unwrap(), survivor)]).await;
    assert_eq!(by(&face, &second, "GET", "/v1/users/me", "").await.status, 401);
    let over = refresh(&face, &second["refresh_token"]).await;
    assert_eq!((over.status.as_u16(), over.code()), (401, "invalid_refresh_token"));
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_was_disabled_comes_back_without_its_old_sessions() {
    let face = Face::new();
    let id = make(&face, "ann@example.org").await;
    let begun = begin(&face, "ann@example.org").await;
    let sessions = face.get("/v1/sessions").await.body;
    let session = sessions["sessions"][0]["id"].as_str().unwrap();
    let survivor = stored_session(&face, session);
    let path = format!("/v1/users/{id}");
    for change in [r#"{"disabled":true}"#, r#"{"disabled":false}"#] {
        assert_eq!(face.ask("PATCH", &path, change).await.status, 200);
    }
    put_sessions(&face, vec![(object_id::parse(session).unwrap(), survivor)]).await;
    assert_eq!(by(&face, &begun, "GET", "/v1/users/me", "").await.status, 401);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_a_user_has_no_say_in_the_account() {
    let face = Face::new();
    let id = make(&face, "ann@example.org").await;
    let begun = begin(&face, "ann@example.org").await;
    let issued = by(&face, &begun, "POST", "/v1/users/me/keys", "{}").await;
    assert_eq!(issued.status, 201, "{}", issued.body);
    let key = [("x-apikey", issued.body["key"].as_str().unwrap())];
    let change = json!({"old": PASSWORD, "new": "another password"}).to_string();
    let own = format!("/v1/users/{id}");
    let mine = format!("/v1/sessions?user={id}");
    for (method, path, body) in [
        ("GET", "/v1/users/me", ""),
        ("GET", &own, ""),
        ("PATCH", "/v1/users/me", r#"{"profile":{"a":1}}"#),
        ("PATCH", &own, r#"{"profile":{"a":1}}"#),
        ("POST", "/v1/users/me/password", &change),
        ("GET", "/v1/sessions", ""),
        ("GET", &mine, ""),
        ("DELETE", "/v1/sessions/507f1f77bcf86cd799439011", ""),
    ] {
        let refused = face.ask_with(method, path, body, &key).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code()),
            (403, "login_needed"),
            "{method} {path}"
        );
        let status = by(&face, &begun, method, path, body).await.status;
        assert_ne!(status, 403, "{method} {path}");
    }
    face.stop().await;
}
