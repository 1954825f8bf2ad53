//! An identity provider: tokens that it signs with a secret, as Auth0 does with HS256.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use crate::harness::Client;

/// Where its settings are.
pub(super) const PROVIDER: &str = "/v1/auth/providers/auth0";
const SECRET: &str = "the client secret of the application";

pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Its settings.
pub(super) fn provider() -> Value {
    json!({
        "algorithms": ["HS256", "HS512"], "secret": SECRET, "audience": "client1",
        "issuer": "https://app.eu.auth0.example/", "user_fields": {"email": "email"},
    })
}

/// An ID token of ann@example.com, with some claims changed.
pub(super) fn id_token(changes: &Value) -> String {
    let mut claims = json!({
        "iss": "https://app.eu.auth0.example/", "aud": "client1", "sub": "auth0|1",
        "email": "ann@example.com", "iat": now() - 5, "exp": now() + 600,
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    signed(&claims, SECRET)
}

/// Claims as a token that is signed with a secret.
pub(super) fn signed(claims: &Value, secret: &str) -> String {
    let header = BASE64.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let message = format!("{header}.{}", BASE64.encode(claims.to_string()));
    let key = EncodingKey::from_secret(secret.as_bytes());
    format!("{message}.{}", crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap())
}

/// The token of a user who comes by the provider: a role with rights on collections, and the record's `realtime`.
pub(super) async fn token(root: &Client, collections: Value, realtime: Value) -> String {
    root.put(PROVIDER, &provider()).await.expect(201);
    root.put("/v1/roles/rider", &json!({"collections": collections})).await.expect(201);
    let ann = json!({
        "email": "ann@example.com", "roles": ["rider"], "data": {"realtime": realtime},
    });
    root.post("/v1/users", &ann).await.expect(201);
    id_token(&json!({}))
}
