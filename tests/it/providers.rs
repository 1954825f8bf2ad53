//! Tokens of other issuers over HTTP: key sets that are fetched, secrets, users that they make, and attacks on them (S3).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use crate::harness::{Answer, Client, Receiver, Reply, Server};

const ORDERS: &str = "/v1/collections/orders/documents";
const PROVIDER: &str = "/v1/auth/providers/theirs";
const RSA: &str = include_str!("../../api/src/auth/external/testdata/rsa.pem");
const RSA_PUBLIC: &str = include_str!("../../api/src/auth/external/testdata/rsa.pub.pem");
const SECRET: &str = "a secret of the other server";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_pem(RSA.as_bytes()).unwrap()
}

fn sign_as(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message =
        format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
    format!("{message}.{}", crypto::sign(message.as_bytes(), key, algorithm).unwrap())
}

fn sign(claims: &Value) -> String {
    sign_as(&json!({"alg": "RS256", "kid": "k1"}), claims, &rsa(), Algorithm::RS256)
}

fn claims() -> Value {
    json!({"iss": "https://issuer", "aud": "app", "sub": "s1", "exp": now() + 600})
}

fn with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        match value.is_null() {
            true => drop(claims.as_object_mut().unwrap().remove(name)),
            false => claims[name] = value.clone(),
        }
    }
    claims
}

async fn get(nobody: &Client, path: &str, token: &str) -> Answer {
    nobody
        .send(nobody.request("GET", path).header("authorization", format!("Bearer {token}")))
        .await
}

async fn refused(nobody: &Client, token: &str, reason: &str) {
    let answer = get(nobody, ORDERS, token).await.expect(401);
    assert!(answer.text.contains(reason), "{reason}: {}", answer.text);
}

/// A server with a role `clerk`, and its clients.
async fn server() -> (Server, Client, Client) {
    let server = Server::start();
    let (root, nobody) = (server.client(), server.client().without_key());
    let clerk = json!({"collections": {"orders": {"read": true}}});
    root.put("/v1/roles/clerk", &clerk).await.expect(201);
    (server, root, nobody)
}

fn by_key() -> Value {
    json!({
        "algorithms": ["RS256"], "public_key": RSA_PUBLIC, "issuer": "https://issuer",
        "audience": ["app", "other"], "default_roles": ["clerk"],
    })
}

#[tokio::test]
async fn s3_the_table_of_attacks() {
    let (_server, root, nobody) = server().await;
    root.put(PROVIDER, &by_key()).await.expect(201);
    get(&nobody, ORDERS, &sign(&claims())).await.expect(200);
    let unsigned = |alg: &str| {
        let header = BASE64.encode(json!({"alg": alg}).to_string());
        format!("{header}.{}.", BASE64.encode(claims().to_string()))
    };
    for alg in ["none", "None", "NONE", ""] {
        refused(&nobody, &unsigned(alg), "algorithm is not accepted").await;
    }
    let public = EncodingKey::from_secret(RSA_PUBLIC.as_bytes());
    let confused = sign_as(&json!({"alg": "HS256"}), &claims(), &public, Algorithm::HS256);
    refused(&nobody, &confused, "algorithm is not accepted").await;
    let wrong = sign_as(&json!({"alg": "RS256"}), &claims(), &public, Algorithm::HS256);
    refused(&nobody, &wrong, "signature is wrong").await;
    for (member, value) in [
        ("jwk", json!({"kty": "RSA"})),
        ("jku", json!("https://evil/keys")),
        ("x5u", json!("https://evil/cert")),
        ("x5c", json!(["MII"])),
        ("crit", json!(["exp"])),
    ] {
        let mut header = json!({"alg": "RS256"});
        header[member] = value;
        let token = sign_as(&header, &claims(), &rsa(), Algorithm::RS256);
        refused(&nobody, &token, "header names keys or extensions").await;
    }
    for (changes, reason) in [
        (json!({"exp": now() - 61}), "has expired"),
        (json!({"exp": null}), "no `exp`"),
        (json!({"exp": (now() + 600).to_string()}), "`exp` is no number"),
        (json!({"nbf": now() + 300}), "not yet valid"),
        (json!({"nbf": "0"}), "`nbf` is no number"),
        (json!({"aud": "stranger"}), "another audience"),
        (json!({"aud": null}), "no audience"),
        (json!({"iss": "https://evil"}), "unknown"),
        (json!({"iss": null}), "unknown"),
        (json!({"iss": "headwater"}), ""),
    ] {
        refused(&nobody, &sign(&with(changes)), reason).await;
    }
    let long = sign(&with(json!({"pad": "x".repeat(8000)})));
    refused(&nobody, &long, "longer than 8 KiB").await;
    let good = sign(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let other = BASE64.encode(with(json!({"sub": "admin"})).to_string());
    refused(&nobody, &format!("{}.{other}.{}", parts[0], parts[2]), "signature is wrong").await;
    refused(&nobody, &format!("{}.{}.", parts[0], parts[1]), "signature is wrong").await;
    refused(&nobody, &format!("{good}.x"), "").await;
    // What was refused is nowhere repeated.
    let answer = get(&nobody, ORDERS, &sign(&with(json!({"exp": now() - 600})))).await;
    assert!(!answer.text.contains("https://issuer"), "{}", answer.text);
}

#[tokio::test]
async fn s3_a_key_set_is_fetched_and_its_keys_are_found_by_name() {
    let (_server, root, nobody) = server().await;
    let mut jwk = Jwk::from_encoding_key(&rsa(), Algorithm::RS256).unwrap();
    jwk.common.key_id = Some("k1".to_owned());
    let set = json!({"keys": [jwk]}).to_string();
    let issuer = Receiver::answering(move |_| Reply {
        status: 200,
        headers: vec![("content-type", "application/json".to_owned())],
        body: set.clone(),
    });
    let mut provider = by_key();
    provider.as_object_mut().unwrap().remove("public_key");
    provider["jwks_url"] = json!(issuer.url("/keys"));
    root.put(PROVIDER, &provider).await.expect(201);
    get(&nobody, ORDERS, &sign(&claims())).await.expect(200);
    for _ in 0..5 {
        get(&nobody, ORDERS, &sign(&claims())).await.expect(200);
    }
    assert_eq!(issuer.received().len(), 1, "it is kept");
    for kid in ["k2", "../../../../dev/null", "k1\u{0}", "' or 1=1"] {
        let header = json!({"alg": "RS256", "kid": kid});
        let token = sign_as(&header, &claims(), &rsa(), Algorithm::RS256);
        refused(&nobody, &token, "names no key of its issuer").await;
    }
    assert!(issuer.received().len() <= 2, "unknown names make no storm of requests");
    let symmetric = EncodingKey::from_secret(RSA_PUBLIC.as_bytes());
    let header = json!({"alg": "HS256", "kid": "k1"});
    let token = sign_as(&header, &claims(), &symmetric, Algorithm::HS256);
    refused(&nobody, &token, "algorithm is not accepted").await;
}

#[tokio::test]
async fn s3_a_secret_is_sealed_and_ends_with_its_provider() {
    let (_server, root, nobody) = server().await;
    let provider = json!({
        "algorithms": ["HS256"], "secret": SECRET, "issuer": "https://issuer",
        "default_roles": ["clerk"],
    });
    let put = root.put(PROVIDER, &provider).await.expect(201);
    let shown = root.get(PROVIDER).await.expect(200);
    let stored = root.get("/v1/collections/_providers/documents").await.expect(200);
    let events = root.get("/v1/events").await.expect(200);
    for answer in [put, shown, stored, events] {
        assert!(!answer.text.contains(SECRET), "{}", answer.text);
    }
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = sign_as(&json!({"alg": "HS256"}), &claims(), &key, Algorithm::HS256);
    get(&nobody, ORDERS, &token).await.expect(200);
    let stronger = sign_as(&json!({"alg": "HS512"}), &claims(), &key, Algorithm::HS512);
    refused(&nobody, &stronger, "algorithm is not accepted").await;
    let header = format!("Bearer {token}");
    let events = "/v1/events?collections=orders";
    let mut stream = nobody.stream(events, &[("authorization", &header)]).await;
    root.delete(PROVIDER).await.expect(200);
    let rest = tokio::time::timeout(std::time::Duration::from_secs(1), stream.rest()).await;
    let rest = rest.expect("the stream goes on without its provider");
    assert_eq!(rest.last().unwrap().data, json!({"reason": "credential_revoked"}));
    get(&nobody, ORDERS, &token).await.expect(401);
}

#[tokio::test]
async fn s3_tokens_make_users_and_bring_roles_where_that_is_wanted() {
    let (_server, root, nobody) = server().await;
    root.put("/v1/roles/boss", &json!({"admin": true})).await.expect(201);
    let mut provider = by_key();
    provider["user_fields"] = json!({"email": "email", "team": "org.team"});
    root.put(PROVIDER, &provider).await.expect(201);
    let told = json!({"email": "new@example.com", "org": {"team": "red"}, "roles": ["boss"]});
    let token = sign(&with(told));
    // Without `create_users` nobody is made, and without `roles_claim` roles are not believed.
    get(&nobody, ORDERS, &token).await.expect(200);
    get(&nobody, "/v1/users", &token).await.expect(403);
    assert_eq!(root.get("/v1/users").await.expect(200).list("users").len(), 0);
    provider["create_users"] = json!(true);
    root.put(PROVIDER, &provider).await.expect(200);
    let both = tokio::join!(get(&nobody, ORDERS, &token), get(&nobody, ORDERS, &token));
    assert_eq!((both.0.status, both.1.status), (200, 200));
    let users = root.get("/v1/users").await.expect(200);
    let users = users.list("users");
    assert_eq!(users.len(), 1, "{users:?}");
    assert_eq!(users[0]["email"], "new@example.com");
    assert_eq!(users[0]["data"], json!({"team": "red"}));
    let me = get(&nobody, "/v1/users/me", &token).await.expect(200);
    assert_eq!(me.body["id"], users[0]["id"]);
    // Found again by its identity, and told what is new.
    let moved = json!({"email": "other@example.com", "org": {"team": "blue"}});
    let me = get(&nobody, "/v1/users/me", &sign(&with(moved))).await.expect(200);
    assert_eq!((&me.body["id"], &me.body["data"]["team"]), (&users[0]["id"], &json!("blue")));
    // Disabled here, it is out, whatever its issuer says.
    let path = format!("/v1/users/{}", users[0]["id"].as_str().unwrap());
    root.patch(&path, &json!({"disabled": true})).await.expect(200);
    refused(&nobody, &token, "disabled").await;
    root.patch(&path, &json!({"disabled": false})).await.expect(200);
    provider["roles_claim"] = json!("roles");
    root.put(PROVIDER, &provider).await.expect(200);
    get(&nobody, "/v1/users", &token).await.expect(200);
    let unknown = sign(&with(json!({"roles": ["nothing"]})));
    get(&nobody, ORDERS, &unknown).await.expect(403);
    // An address that its issuer has not seen proven is nobody's.
    let victim = json!({"email": "ann@example.com", "password": "a password of some length"});
    root.post("/v1/users", &victim).await.expect(201);
    let claim = json!({"sub": "s2", "email": "ann@example.com", "email_verified": false});
    let me = get(&nobody, "/v1/users/me", &sign(&with(claim))).await;
    assert_ne!(me.body["email"], "ann@example.com", "{}", me.text);
}

#[tokio::test]
async fn s3_tokens_of_others_cannot_be_mistaken_for_ours() {
    let (_server, root, nobody) = server().await;
    let mut provider = by_key();
    provider["issuer"] = json!("headwater");
    root.put(PROVIDER, &provider).await.expect(400);
    provider.as_object_mut().unwrap().remove("issuer");
    root.put(PROVIDER, &provider).await.expect(201);
    for purpose in ["access", "grant", "reset"] {
        let forged = json!({"iss": "headwater", "use": purpose, "sub": "root", "cid": "root"});
        let answer = get(&nobody, "/v1/users", &sign(&with(forged))).await;
        assert_eq!(answer.status, 401, "{purpose}: {}", answer.text);
    }
}
