//! `/auth`: who a caller is, tokens that the server signs, refresh tokens; and what users may who come with a token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::provider::{PROVIDER, id_token, now, provider};
use super::{Scene, issued, key, logged_in};
use crate::harness::{Answer, Client, Server};

const RSA_PUBLIC: &str = include_str!("../../../api/src/auth/external/testdata/rsa.pub.pem");

/// A scene with a provider, and with a user whose roles read people and write notes.
async fn scene() -> (Scene, Client) {
    let scene = Scene::new().await;
    let root = &scene.root;
    root.put(PROVIDER, &provider()).await.expect(201);
    let write = json!({"create": true, "update": true, "delete": true, "read": true});
    let writer = json!({"collections": {"people": {"read": true}, "notes": write}});
    root.put("/v1/roles/writer", &writer).await.expect(201);
    let ann = json!({
        "email": "ann@example.com", "roles": ["writer"],
        "data": {"team": "red", "roles": ["forged"], "realtime": {"sub": ["POST:notes"]}},
    });
    root.post("/v1/users", &ann).await.expect(201);
    let nobody = root.without_key();
    (scene, nobody)
}

async fn bearer(nobody: &Client, method: &str, path: &str, token: &str) -> Answer {
    let request = nobody.request(method, path).bearer_auth(token);
    match method {
        "GET" | "DELETE" => nobody.send(request).await,
        _ => nobody.send(request.json(&json!({"a": 1}))).await,
    }
}

#[tokio::test]
async fn a_user_with_a_token_may_what_its_roles_say() {
    let (scene, nobody) = scene().await;
    let token = id_token(&json!({}));
    bearer(&nobody, "GET", "/rest/people", &token).await.expect(200);
    bearer(&nobody, "POST", "/rest/people", &token).await.expect(403);
    bearer(&nobody, "GET", "/rest/secrets", &token).await.expect(403);
    let made = bearer(&nobody, "POST", "/rest/notes", &token).await.expect(201).body;
    assert_eq!(made["_createdby"], "ann@example.com");
    let path = format!("/rest/notes/{}", super::id(&made));
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        bearer(&nobody, method, &path, &token).await.expect(200);
    }
    bearer(&nobody, "DELETE", "/rest/notes/*?q={}", &token).await.expect(403);
    nobody.get(&format!("/rest/people?jwt={token}")).await.expect(200);
    // Somebody whom nobody knows here may nothing, unless the provider makes users.
    let other = id_token(&json!({"sub": "auth0|2", "email": "eve@example.com"}));
    bearer(&nobody, "GET", "/rest/people", &other).await.expect(403);
    bearer(&nobody, "GET", "/auth/userinfo", &other).await.expect(404);
    let mut makes = provider();
    makes["create_users"] = json!(true);
    makes["default_roles"] = json!(["writer"]);
    scene.root.put(PROVIDER, &makes).await.expect(200);
    bearer(&nobody, "GET", "/rest/people", &other).await.expect(200);
    let known = bearer(&nobody, "GET", "/auth/userinfo", &other).await.expect(200);
    assert_eq!(known.body["email"], "eve@example.com");
}

#[tokio::test]
async fn a_token_that_does_not_stand_is_403_and_one_that_has_expired_401() {
    let (scene, nobody) = scene().await;
    let good = id_token(&json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    let forged = format!("{}.{}.{}", parts[0], parts[1], BASE64.encode([7; 32]));
    let expired = id_token(&json!({"exp": now() - 600}));
    let ill: [&str; 8] = [
        &expired,
        &id_token(&json!({"exp": "soon"})),
        &id_token(&json!({"aud": "client2"})),
        &id_token(&json!({"iss": "https://other.example/"})),
        &forged,
        "a.b.c",
        "..",
        &format!("{}.{}.", parts[0], parts[1]),
    ];
    for token in ill {
        for path in ["/rest/people", "/auth/userinfo"] {
            let refused = bearer(&nobody, "GET", path, token).await;
            let wanted = if token == expired { 401 } else { 403 };
            assert_eq!(refused.status, wanted, "{path} {token}: {}", refused.text);
            let refused = nobody.get(&format!("{path}?jwt={token}")).await;
            assert_eq!(refused.status, wanted, "{path} {token}: {}", refused.text);
        }
        let native = bearer(&nobody, "GET", "/v1/users/me", token).await;
        assert_eq!(native.status, 401, "{token}");
    }
    nobody.get("/rest/people?jwt=nonsense").await.expect(403);
    bearer(&nobody, "GET", "/rest/people", "597a2c3d4e5f60718293a4b5").await.expect(403);
    nobody.get("/rest/people?apikey=nonsense").await.expect(403);
    nobody.get("/auth/userinfo").await.expect(401);
    // Who is shut out stays so with every token.
    bearer(&nobody, "GET", "/rest/people", &good).await.expect(200);
    let users = scene.root.get("/v1/users").await.expect(200).body;
    let path = format!("/v1/users/{}", users["users"][0]["id"].as_str().unwrap());
    scene.root.patch(&path, &json!({"disabled": true})).await.expect(200);
    bearer(&nobody, "GET", "/rest/people", &good).await.expect(403);
}

#[tokio::test]
async fn a_caller_is_told_who_it_is() {
    let (scene, nobody) = scene().await;
    let told = bearer(&nobody, "GET", "/auth/userinfo", &id_token(&json!({}))).await.expect(200);
    let user = &told.body;
    super::id(user);
    assert_eq!((&user["email"], &user["team"]), (&json!("ann@example.com"), &json!("red")));
    assert_eq!(user["roles"], json!(["writer"]), "data do not stand in for it");
    assert_eq!(user["realtime"], json!({"sub": ["POST:notes"]}));
    for time in ["_created", "_changed"] {
        assert!(user[time].as_str().unwrap().ends_with('Z'), "{time}");
    }
    assert!(user.get("password").is_none() && user.get("identities").is_none());
    // A session of this server, and a key of the user.
    let ben = logged_in(&scene.root, "ben@example.com", &["writer"]).await;
    let own = ben.get("/auth/userinfo").await.expect(200).body;
    assert_eq!(own["email"], "ben@example.com");
    let key = ben.post("/v1/users/me/keys", &json!({})).await.expect(201);
    let by_key = scene.root.with_key(key.body["key"].as_str().unwrap());
    assert_eq!(by_key.get("/auth/userinfo").await.expect(200).body["_id"], own["_id"]);
    // Behind other keys there is nobody.
    scene.root.get("/auth/userinfo").await.expect(404);
}

#[tokio::test]
async fn tokens_are_signed_for_full_access() {
    let (scene, nobody) = scene().await;
    let ask = json!({
        "secret": "settings.jwt.auth0", "algorithm": "HS512", "subject": "app|7",
        "expiresIn": "2 days", "payload": {"email": "ann@example.com", "plan": {"n": 3}},
    });
    let given = scene.root.post("/auth/jwt", &ask).await.expect(200);
    let (token, next) = pair(&given);
    assert!(next.len() == 64 && next.bytes().all(|b| b.is_ascii_hexdigit()), "{next}");
    let claims: Vec<Vec<u8>> =
        token.split('.').take(2).map(|part| BASE64.decode(part).unwrap()).collect();
    let header: Value = serde_json::from_slice(&claims[0]).unwrap();
    let claims: Value = serde_json::from_slice(&claims[1]).unwrap();
    assert_eq!(header, json!({"alg": "HS512", "typ": "JWT"}));
    assert_eq!(claims["iss"], "https://app.eu.auth0.example/");
    assert_eq!((&claims["aud"], &claims["sub"]), (&json!("client1"), &json!("app|7")));
    assert_eq!(claims["plan"], json!({"n": 3}));
    let lives = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert!(lives == 172_800 && claims["jti"].is_string(), "{claims}");
    bearer(&nobody, "GET", "/rest/people", &token).await.expect(200);
    let me = bearer(&nobody, "GET", "/auth/userinfo", &token).await.expect(200);
    assert_eq!(me.body["email"], "ann@example.com");
    // A provider may have a dot in its name.
    let dotted = json!({"algorithms": ["HS256"], "secret": "the secret of the dotted one"});
    scene.root.put("/v1/auth/providers/a.b", &dotted).await.expect(201);
    let by_name = scene.root.post("/auth/jwt", &json!({"secret": "a.b"})).await.expect(200);
    let (_, dotted) = pair(&by_name);
    refresh(&nobody, &dotted).await.expect(200);
    // Whoever may less has none signed.
    let all = json!({"grant": {"collections": {"*": ["*"]}}});
    let key = key(&scene.root, all).await;
    key.post("/auth/jwt", &ask).await.expect(403);
    bearer(&nobody, "POST", "/auth/jwt", &token).await.expect(403);
    nobody.post("/auth/jwt", &ask).await.expect(401);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_for_a_token_is_named() {
    let (scene, nobody) = scene().await;
    let rsa = json!({"algorithms": ["RS256"], "public_key": RSA_PUBLIC});
    scene.root.put("/v1/auth/providers/rsa", &rsa).await.expect(201);
    let mut demands = provider();
    demands["required_claims"] = json!({"plan": "gold"});
    scene.root.put("/v1/auth/providers/demands", &demands).await.expect(201);
    for (body, member) in [
        (json!({}), "secret"),
        (json!({"secret": 1}), "secret"),
        (json!({"secret": "nowhere"}), "secret"),
        (json!({"secret": "rsa"}), "secret"),
        (json!({"secret": "rsa", "algorithm": "RS256"}), "secret"),
        (json!({"secret": "auth0", "algorithm": "RS256"}), "algorithm"),
        (json!({"secret": "auth0", "algorithm": "none"}), "algorithm"),
        (json!({"secret": "auth0", "issuer": "https://me"}), "issuer"),
        (json!({"secret": "auth0", "audience": "client2"}), "payload"),
        (json!({"secret": "auth0", "expiresIn": "120"}), "expiresIn"),
        (json!({"secret": "auth0", "payload": [1]}), "payload"),
        (json!({"secret": "auth0", "payload": {"exp": 1}}), "payload.exp"),
        (json!({"secret": "auth0", "payload": {"nbf": now() + 900}}), "payload"),
        (json!({"secret": "auth0", "payload": {"big": "x".repeat(9000)}}), "payload"),
        (json!({"secret": "demands"}), "payload"),
        (json!({"secret": "auth0", "colour": 1}), "colour"),
    ] {
        let refused = scene.root.post("/auth/jwt", &body).await;
        let message = refused.body["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(refused.status, 400, "{message}");
        assert!(message.contains(&format!("`{member}`")), "{member}: {message}");
    }
    for (body, member) in [
        (json!({}), "refresh"),
        (json!({"refresh": 1}), "refresh"),
        (json!({"code": "x"}), "code"),
        (json!({"token": "x"}), "token"),
    ] {
        let refused = nobody.post("/auth/token", &body).await.expect(400);
        let message = refused.body["message"].as_str().unwrap();
        assert!(message.contains(&format!("`{member}`")), "{member}: {message}");
    }
    for text in ["", "[]", "7", "{", "\"x\""] {
        let send = |client: &Client, path: &str| {
            let request = client.request("POST", path).header("content-type", "application/json");
            client.send(request.body(text.to_owned()))
        };
        send(&scene.root, "/auth/jwt").await.expect(400);
        send(&nobody, "/auth/token").await.expect(400);
    }
}

fn pair(answer: &Answer) -> (String, String) {
    let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
    (text("jwt"), text("refresh"))
}

async fn refresh(nobody: &Client, token: &str) -> Answer {
    nobody.post("/auth/token", &json!({"refresh": token})).await
}

#[tokio::test]
async fn a_refresh_token_works_once_through_restarts() {
    let mut server = Server::start();
    let root = server.client();
    root.put(PROVIDER, &provider()).await.expect(201);
    root.post("/v1/users", &json!({"email": "ann@example.com"})).await.expect(201);
    let ask = json!({"secret": "auth0", "payload": {"email": "ann@example.com"}});
    let (first, old) = pair(&root.post("/auth/jwt", &ask).await.expect(200));
    server.kill();
    server.restart();
    let (root, nobody) = (server.client(), server.client().without_key());
    let (second, new) = pair(&refresh(&nobody, &old).await.expect(200));
    assert!(first != second && old != new);
    bearer(&nobody, "GET", "/auth/userinfo", &second).await.expect(200);
    // What a guess has right helps nobody, and changes nothing.
    let guess = format!("{}{}", &new[..24], "0".repeat(40));
    refresh(&nobody, &guess).await.expect(403);
    refresh(&nobody, "nonsense").await.expect(403);
    refresh(&nobody, &"0".repeat(64)).await.expect(403);
    let (_, newest) = pair(&refresh(&nobody, &new).await.expect(200));
    // One that was used before gives a copy away: no more tokens come of any.
    refresh(&nobody, &old).await.expect(403);
    refresh(&nobody, &newest).await.expect(403);
    // It is no token of a session, and a session's is none of these.
    let native = nobody.post("/v1/sessions/refresh", &json!({"refresh_token": newest})).await;
    native.expect(401);
    let log = root.get("/v1/collections/_audit/documents?limit=1000").await.expect(200);
    for action in ["session.created", "provider.changed"] {
        assert!(log.text.contains(action), "{action} is in the audit trail");
    }
    for secret in [&old, &new, &newest] {
        let kept = root.get("/v1/events?from=earliest&limit=1000").await.expect(200);
        assert!(!kept.text.contains(&**secret), "a refresh token is kept in clear");
    }
}

#[tokio::test]
async fn refresh_tokens_end_with_what_they_rest_on() {
    let (scene, nobody) = scene().await;
    let root = &scene.root;
    let ask = json!({"secret": "auth0", "payload": {"email": "ann@example.com"}});
    let full = json!({"grant": {"admin": true}});
    let issued = issued(root, full.clone()).await;
    let other = root.with_key(&issued.key);
    // The key that asked.
    let (_, of_key) = pair(&other.post("/auth/jwt", &ask).await.expect(200));
    let (_, of_key) = pair(&refresh(&nobody, &of_key).await.expect(200));
    let path = issued.path;
    root.patch(&path, &json!({"grant": {"collections": {"*": ["*"]}}})).await.expect(200);
    refresh(&nobody, &of_key).await.expect(403);
    root.patch(&path, &full).await.expect(200);
    let (_, of_key) = pair(&refresh(&nobody, &of_key).await.expect(200));
    root.delete(&path).await.expect(200);
    refresh(&nobody, &of_key).await.expect(403);
    // The session that it is in the list of sessions.
    let (_, listed) = pair(&root.post("/auth/jwt", &ask).await.expect(200));
    let sessions = root.get("/v1/sessions").await.expect(200);
    let own = sessions
        .list("sessions")
        .iter()
        .find(|one| listed.starts_with(one["id"].as_str().unwrap()));
    let own = own.unwrap();
    assert_eq!(own["provider"], "auth0");
    assert!(own["user"].is_string(), "{own}");
    root.delete(&format!("/v1/sessions/{}", &listed[..24])).await.expect(200);
    refresh(&nobody, &listed).await.expect(403);
    // The user.
    let (_, of_user) = pair(&root.post("/auth/jwt", &ask).await.expect(200));
    let path = format!("/v1/users/{}", own["user"].as_str().unwrap());
    root.delete(&path).await.expect(200);
    refresh(&nobody, &of_user).await.expect(403);
    // The provider.
    let stranger = json!({"secret": "auth0", "payload": {"email": "eve@example.com"}});
    let (_, of_provider) = pair(&root.post("/auth/jwt", &stranger).await.expect(200));
    root.delete(PROVIDER).await.expect(200);
    refresh(&nobody, &of_provider).await.expect(403);
    root.put(PROVIDER, &provider()).await.expect(201);
    // Another one of the same name is another one.
    refresh(&nobody, &of_provider).await.expect(403);
    let (_, again) = pair(&root.post("/auth/jwt", &stranger).await.expect(200));
    root.put(PROVIDER, &provider()).await.expect(200);
    refresh(&nobody, &again).await.expect(403);
}
