//! Kinds of credentials, tokens, roles, providers, named values. What a grant allows is another matter: here a known
//! credential is one that is not answered 401.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use crate::support::{Answer, Face, ROOT};

const OPEN: &str = "/v1/collections";

fn code(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.code())
}

fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{username}:{password}")))
}

/// A request with a credential in one header.
async fn with(face: &Face, name: &str, value: &str) -> Answer {
    face.ask_with("GET", OPEN, "", &[(name, value)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_a_password_works_until_it_is_revoked() {
    let face = Face::new();
    let made = face
        .post("/v1/credentials", r#"{"kind":"basic","label":"till","description":"counter 3"}"#)
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    let text = |name: &str| made.body[name].as_str().unwrap().to_owned();
    let (id, username, password) = (text("id"), text("username"), text("password"));
    assert_eq!((username.len(), password.len()), (9, 36));
    assert!(made.body.get("key").is_none());
    assert_eq!(with(&face, "authorization", &basic(&username, &password)).await.status, 200);
    for (name, word) in [(&*username, "x"), ("nobody", &*password), (&*username, "")] {
        assert_eq!(code(&with(&face, "authorization", &basic(name, word)).await).0, 401);
    }
    assert_eq!(with(&face, "x-apikey", &password).await.status, 401, "a password is no key");

    let shown = face.get(&format!("/v1/credentials/{id}")).await;
    assert_eq!(shown.body["username"], json!(username));
    assert_eq!(
        (&shown.body["kind"], &shown.body["description"]),
        (&json!("basic"), &json!("counter 3"))
    );
    let stored = face.get("/v1/collections/_credentials/documents").await;
    for place in [&shown.body, &stored.body] {
        assert!(!place.to_string().contains(&password));
    }
    let rotated = face.post(&format!("/v1/credentials/{id}/rotate?grace_seconds=60"), "").await;
    let next = rotated.body["password"].as_str().unwrap().to_owned();
    assert_eq!(rotated.body["username"], json!(username));
    for word in [&password, &next] {
        assert_eq!(with(&face, "authorization", &basic(&username, word)).await.status, 200);
    }
    face.post(&format!("/v1/credentials/{id}/rotate"), "").await;
    assert_eq!(with(&face, "authorization", &basic(&username, &next)).await.status, 401);

    let face = face.restart().await;
    let rotated = face.post(&format!("/v1/credentials/{id}/rotate"), "").await;
    let last = rotated.body["password"].as_str().unwrap().to_owned();
    assert_eq!(with(&face, "authorization", &basic(&username, &last)).await.status, 200);
    face.ask("DELETE", &format!("/v1/credentials/{id}"), "").await;
    assert_eq!(with(&face, "authorization", &basic(&username, &last)).await.status, 401);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_became_of_a_key() {
    let face = Face::new();
    let (id, key) = face.issue(r#"{"label":"a"}"#).await;
    assert_eq!(with(&face, "x-apikey", &key).await.status, 200);
    let unknown = with(&face, "x-apikey", "hw_nobody").await;
    assert_eq!(code(&unknown), (401, "unauthorized"));
    face.ask("PATCH", &format!("/v1/credentials/{id}"), r#"{"ttl_seconds":0}"#).await;
    assert_eq!(code(&with(&face, "x-apikey", &key).await), (401, "credential_expired"));
    face.ask("PATCH", &format!("/v1/credentials/{id}"), r#"{"expires_at":null}"#).await;
    assert_eq!(with(&face, "x-apikey", &key).await.status, 200);
    let rotated = face.post(&format!("/v1/credentials/{id}/rotate"), "").await;
    let second = rotated.body["key"].as_str().unwrap().to_owned();
    assert_eq!(code(&with(&face, "x-apikey", &key).await), (401, "credential_revoked"));
    face.ask("DELETE", &format!("/v1/credentials/{id}"), "").await;
    assert_eq!(code(&with(&face, "x-apikey", &second).await), (401, "credential_revoked"));
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_place_of_a_credential_is_read_and_they_must_agree() {
    let face = Face::new();
    for query in ["apikey", "jwt"] {
        let path = format!("{OPEN}?{query}={ROOT}");
        assert_eq!(face.ask_with("GET", &path, "", &[]).await.status, 200, "{query}");
    }
    let session = "__Host-hw_session=x";
    for headers in [
        [("x-apikey", ROOT), ("authorization", "Bearer other")],
        [("x-apikey", ROOT), ("cookie", session)],
        [("authorization", "Basic YTpi"), ("cookie", session)],
    ] {
        let refused = face.ask_with("GET", OPEN, "", &headers).await;
        assert_eq!(code(&refused), (400, "conflicting_credentials"), "{headers:?}");
    }
    let malformed = with(&face, "authorization", "Basic !!").await;
    assert_eq!(malformed.status, 401);
    assert!(malformed.body["error"]["message"].as_str().unwrap().contains("base64"));
    assert_eq!(with(&face, "cookie", session).await.status, 401);
    assert_eq!(with(&face, "x-apikey", &"k".repeat(8193)).await.status, 401);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_credentials_are_refused_by_name() {
    let face = Face::new();
    let cases = [
        (json!({"kind": "magic"}), "kind"),
        (json!({"kind": "web"}), "origins"),
        (json!({"kind": "web", "grant": {"origins": []}}), "origins"),
        (json!({"kind": "web", "user": "u"}), "user"),
        (json!({"user": 7}), "user"),
        (json!({"label": 7}), "label"),
        (json!({"description": "x".repeat(4097)}), "description"),
        (json!({"grant": 7}), "grant"),
        (json!({"expires_at": "tomorrow"}), "expires_at"),
        (json!({"ttl_seconds": -1}), "ttl_seconds"),
        (json!({"ttl_seconds": 1, "expires_at": null}), "ttl_seconds"),
        (json!({"colour": "red"}), "colour"),
    ];
    for (body, name) in cases {
        let refused = face.post("/v1/credentials", &body.to_string()).await;
        assert_eq!(refused.status, 400, "{body}");
        assert!(refused.body["error"]["details"].to_string().contains(name), "{}", refused.body);
    }
    let gone = face.post("/v1/credentials", r#"{"user":"507f1f77bcf86cd799439011"}"#).await;
    assert_eq!(code(&gone), (404, "user_not_found"));

    let web = r#"{"kind":"web","grant":{"origins":["https://shop.example"]}}"#;
    let web = face.post("/v1/credentials", web).await;
    assert_eq!(web.status, 201, "{}", web.body);
    let path = format!("/v1/credentials/{}", web.body["id"].as_str().unwrap());
    for (body, name) in
        [(r#"{"kind":"key"}"#, "kind"), (r#"{"user":"u"}"#, "user"), (r#"{"grant":{}}"#, "origins")]
    {
        let refused = face.ask("PATCH", &path, body).await;
        assert_eq!(refused.status, 400, "{body}");
        assert!(refused.body["error"]["details"].to_string().contains(name), "{}", refused.body);
    }
    let changed = face.ask("PATCH", &path, r#"{"label":"n","description":"d"}"#).await;
    assert_eq!((&changed.body["label"], &changed.body["kind"]), (&json!("n"), &json!("web")));
    assert_eq!(changed.body["grant"]["origins"], json!(["https://shop.example"]));
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_keys_need_a_user() {
    let face = Face::new();
    for (method, path) in [
        ("GET", "/v1/users/me/keys"),
        ("POST", "/v1/users/me/keys"),
        ("DELETE", "/v1/users/me/keys/507f1f77bcf86cd799439011"),
    ] {
        let refused = face.ask(method, path, "").await;
        assert_eq!(code(&refused), (403, "login_needed"), "{method} {path}");
    }
    let (id, key) = face.issue("{}").await;
    let theirs = "/v1/users/507f1f77bcf86cd799439011/keys";
    assert_eq!(code(&face.ask_with("GET", theirs, "", &[("x-apikey", &key)]).await).0, 403);
    assert_eq!(face.get(theirs).await.body["keys"], json!([]));
    assert_eq!(code(&face.post(theirs, "{}").await), (404, "user_not_found"));
    let others = face.ask("DELETE", &format!("{theirs}/{id}"), "").await;
    assert_eq!(code(&others), (404, "credential_not_found"), "it is no key of that user");
    assert_eq!(face.ask("POST", theirs, r#"{"kind":"web"}"#).await.status, 400);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_asked_for_in_bounds() {
    let face = Face::new();
    let made = face.post("/v1/tokens", r#"{"ttl_seconds":60}"#).await;
    assert_eq!(made.status, 200, "{}", made.body);
    assert!(made.body["token"].is_string() && made.body["expires_at"].is_string());
    assert_eq!(face.post("/v1/tokens", "").await.status, 200);
    for (body, name) in [
        (r#"{"ttl_seconds":0}"#, "ttl_seconds"),
        (r#"{"ttl_seconds":86401}"#, "ttl_seconds"),
        (r#"{"ttl_seconds":"1"}"#, "ttl_seconds"),
        (r#"{"grant":{}}"#, "grant"),
    ] {
        let refused = face.post("/v1/tokens", body).await;
        assert_eq!(refused.status, 400, "{body}");
        assert!(refused.body["error"]["details"].to_string().contains(name), "{}", refused.body);
    }
    assert_eq!(face.ask_with("POST", "/v1/tokens", "", &[]).await.status, 401);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn named_documents_are_made_replaced_listed_and_removed() {
    let face = Face::new();
    let role = json!({"collections": {"orders": {"read": true}}});
    let provider =
        json!({"algorithms": ["HS256"], "secret": "a secret of the provider", "issuer": "i"});
    let families = [
        ("roles", "/v1/roles", role, "role_not_found"),
        ("providers", "/v1/auth/providers", provider, "provider_not_found"),
        ("values", "/v1/values", json!({"value": [1, {"a": 2}]}), "value_not_found"),
    ];
    for (plural, all, body, missing) in families {
        let one = format!("{all}/clerk");
        let text = body.to_string();
        assert_eq!(code(&face.get(&one).await), (404, missing));
        let conditional = [("x-apikey", ROOT), ("if-match", "*")];
        assert_eq!(face.ask_with("PUT", &one, &text, &conditional).await.status, 404);

        let once = [("x-apikey", ROOT), ("idempotency-key", plural)];
        let made = face.ask_with("PUT", &one, &text, &once).await;
        assert_eq!(made.status, 201, "{}", made.body);
        assert_eq!(made.headers["etag"], "\"1\"");
        let again = face.ask_with("PUT", &one, &text, &once).await;
        assert!(again.headers.contains_key("idempotency-replayed"), "{}", again.body);
        assert_eq!(again.body, made.body);
        let shown = face.get(&one).await;
        assert_eq!((shown.status.as_u16(), &shown.body), (200, &made.body));
        assert_eq!(shown.body["name"], "clerk");
        for (member, value) in body.as_object().unwrap() {
            match &**member {
                "secret" => assert!(shown.body.get("secret").is_none()),
                _ => assert_eq!(&shown.body[member], value, "{plural}"),
            }
        }

        let stale = [("x-apikey", ROOT), ("if-match", "\"7\"")];
        assert_eq!(face.ask_with("PUT", &one, &text, &stale).await.status, 412);
        face.ask("PUT", &format!("{all}/a.b-C_1"), &text).await;
        assert_eq!(face.ask("PUT", &format!("{all}/z"), &text).await.status, 201);
        let page = face.get(&format!("{all}?limit=2")).await;
        let names = |answer: &Answer| -> Vec<String> {
            let entries = answer.body[plural].as_array().unwrap().clone();
            entries.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&page), ["a.b-C_1", "clerk"]);
        let next = page.body["next"].as_str().unwrap();
        let page = face.get(&format!("{all}?limit=2&cursor={next}")).await;
        assert_eq!((names(&page), &page.body["next"]), (vec!["z".to_owned()], &json!(null)));

        for name in ["a%20b", "%C3%A9", &"x".repeat(121)] {
            let refused = face.ask("PUT", &format!("{all}/{name}"), &text).await;
            assert_eq!(code(&refused), (400, "invalid_name"), "{name}");
        }
        let (_, key) = face.issue("{}").await;
        let mine = [("x-apikey", &*key)];
        for (method, path) in [("GET", all), ("GET", &one), ("PUT", &one), ("DELETE", &one)] {
            let refused = face.ask_with(method, path, &text, &mine).await;
            assert_eq!(refused.status, 403, "{method} {path}");
        }
        assert_eq!(face.ask("DELETE", &one, "").await.body["deleted"], 1);
        assert_eq!(code(&face.get(&one).await), (404, missing));
        assert_eq!(face.ask("DELETE", &one, "").await.status, 404);
    }
    let stored = face.get("/v1/collections/_providers/documents").await;
    assert!(!stored.body.to_string().contains("enc:v1:"), "not even as it is sealed");
    assert!(!stored.body.to_string().contains("a secret of the provider"));
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn named_values_are_one_value() {
    let face = Face::new();
    for (body, name) in [("{}", "value"), (r#"{"value":1,"unit":"m"}"#, "unit")] {
        let refused = face.ask("PUT", "/v1/values/x", body).await;
        assert_eq!(refused.status, 400, "{body}");
        assert_eq!(refused.body["error"]["details"]["member"], name);
    }
    assert_eq!(face.ask("PUT", "/v1/values/x", r#"{"_id":"y","value":1}"#).await.status, 400);
    for value in ["null", "0", r#""text""#, "[]", "{}"] {
        let body = format!("{{\"value\":{value}}}");
        let put = face.ask("PUT", "/v1/values/x", &body).await;
        assert!(put.status.is_success(), "{value}");
        assert_eq!(face.get("/v1/values/x").await.body["value"].to_string(), value);
    }
    let settings = face.get("/v1/collections/_settings/documents").await;
    assert_eq!(settings.body["documents"][0]["_id"], "value:x");
    face.stop().await;
}
