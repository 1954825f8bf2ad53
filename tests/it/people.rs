//! People: signing up, logging in, going on, logging out; passwords, keys and cookies of users (S4, S5).

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Server, eventually};

const NOTES: &str = "/v1/collections/notes/documents";
const PASSWORD: &str = "a password of some length";
const ANN: &str = "ann@example.com";

/// A server where anybody may come in, and a client that is nobody.
fn open() -> (Server, Client, Client) {
    let server = Server::with(&[
        ("HEADWATER_AUTH__SIGN_UP", "open"),
        ("HEADWATER_AUTH__ANONYMOUS", "true"),
        ("HEADWATER_AUTH__DEFAULT_ROLES", "member"),
        ("HEADWATER_AUTH__ANONYMOUS_ROLES", "guest"),
    ]);
    let (root, nobody) = (server.client(), server.client().without_key());
    (server, root, nobody)
}

async fn log_in(nobody: &Client, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    nobody.post("/v1/sessions", &body).await
}

/// Sends a request with a token.
async fn with(
    nobody: &Client,
    token: &Value,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let token = format!("Bearer {}", token.as_str().unwrap());
    let request = nobody.request(method, path).header("authorization", token);
    match body {
        Some(body) => nobody.send(request.json(&body)).await,
        None => nobody.send(request).await,
    }
}

async fn refresh(nobody: &Client, token: &Value) -> Answer {
    nobody.post("/v1/sessions/refresh", &json!({"refresh_token": token})).await
}

#[tokio::test]
async fn signing_up_is_closed_unless_it_is_opened() {
    let server = Server::start();
    let nobody = server.client().without_key();
    let body = json!({"email": ANN, "password": PASSWORD});
    nobody.post("/v1/users", &body).await.expect(401);
    nobody.send(nobody.request("POST", "/v1/sessions/anonymous")).await.expect(403);
    server.client().post("/v1/users", &body).await.expect(201);
    drop(server);
    let (_server, root, nobody) = open();
    root.put("/v1/roles/boss", &json!({"admin": true})).await.expect(201);
    for member in
        [json!({"roles": ["boss"]}), json!({"data": {"a": 1}}), json!({"disabled": false})]
    {
        let mut body = body.clone();
        for (name, value) in member.as_object().unwrap() {
            body[name] = value.clone();
        }
        let refused = nobody.post("/v1/users", &body).await;
        assert!([400, 403].contains(&refused.status), "{body}: {}", refused.text);
    }
    let made = nobody.post("/v1/users", &body).await.expect(201);
    assert!(!made.text.contains(PASSWORD) && !made.text.contains("argon2"), "{}", made.text);
    // The same address in other letters is taken.
    let again = json!({"email": "Ann@Example.com", "password": PASSWORD});
    assert_eq!(nobody.post("/v1/users", &again).await.refused(409), "email_taken");
    for bad in [
        json!({"email": "b@c.d"}),
        json!({"email": "b@c.d", "password": "short"}),
        json!({
            "email": "no address", "password": PASSWORD,
        }),
    ] {
        nobody.post("/v1/users", &bad).await.expect(400);
    }
}

#[tokio::test]
async fn s4_a_wrong_password_and_an_unknown_address_are_refused_alike() {
    let (_server, root, nobody) = open();
    nobody.post("/v1/users", &json!({"email": ANN, "password": PASSWORD})).await.expect(201);
    root.post("/v1/users", &json!({"email": "none@example.com"})).await.expect(201);
    let off = json!({"email": "off@example.com", "password": PASSWORD, "disabled": true});
    root.post("/v1/users", &off).await.expect(201);
    let mut said = Vec::new();
    for (email, password) in [
        (ANN, "a wrong password"),
        ("nobody@example.com", PASSWORD),
        ("none@example.com", PASSWORD),
        ("off@example.com", PASSWORD),
    ] {
        let refused = log_in(&nobody, email, password).await.expect(401);
        assert!(refused.headers.get("set-cookie").is_none());
        let error = &refused.body["error"];
        said.push((error["code"].clone(), error["message"].clone(), error["details"].clone()));
    }
    assert!(said.windows(2).all(|two| two[0] == two[1]), "{said:?}");
    log_in(&nobody, ANN, PASSWORD).await.expect(201);
}

#[tokio::test]
async fn s4_guesses_at_an_account_are_throttled() {
    let server = Server::with(&[("HEADWATER_AUTH__FAILURES_PER_ACCOUNT", "3")]);
    let (root, nobody) = (server.client(), server.client().without_key());
    for email in [ANN, "ben@example.com"] {
        root.post("/v1/users", &json!({"email": email, "password": PASSWORD})).await.expect(201);
    }
    for email in [ANN, "ANN@example.com", ANN] {
        log_in(&nobody, email, "a wrong password").await.expect(401);
    }
    // The right one is no way to learn that it is right.
    for password in [PASSWORD, "a wrong password"] {
        let held = log_in(&nobody, ANN, password).await.expect(429);
        let wait: u64 = held.header("retry-after").parse().unwrap();
        assert!((1..=900).contains(&wait), "{wait}");
    }
    // An unknown account is throttled alike.
    for _ in 0..3 {
        log_in(&nobody, "unknown@example.com", PASSWORD).await.expect(401);
    }
    log_in(&nobody, "unknown@example.com", PASSWORD).await.expect(429);
    log_in(&nobody, "ben@example.com", PASSWORD).await.expect(201);
}

#[tokio::test]
async fn s4_a_refresh_token_works_once_and_its_reuse_ends_the_session() {
    let (_server, root, nobody) = open();
    root.post("/v1/users", &json!({"email": ANN, "password": PASSWORD})).await.expect(201);
    let begun = log_in(&nobody, ANN, PASSWORD).await.expect(201).body;
    let next = refresh(&nobody, &begun["refresh_token"]).await.expect(200).body;
    assert_ne!(next["refresh_token"], begun["refresh_token"]);
    with(&nobody, &next["access_token"], "GET", "/v1/users/me", None).await.expect(200);
    let third = refresh(&nobody, &next["refresh_token"]).await.expect(200).body;
    // A client that lost an answer may ask again for ten seconds; a stolen one comes late, and whoever has the newest
    // loses it, too.
    eventually("the end of the grace", async || {
        let again = refresh(&nobody, &begun["refresh_token"]).await;
        (again.status == 401).then_some(())
    })
    .await;
    refresh(&nobody, &third["refresh_token"]).await.expect(401);
    for token in [&begun["access_token"], &third["access_token"]] {
        with(&nobody, token, "GET", "/v1/users/me", None).await.expect(401);
    }
    for wrong in [json!("nonsense"), begun["access_token"].clone(), json!("")] {
        refresh(&nobody, &wrong).await.expect(401);
    }
    nobody.post("/v1/sessions/refresh", &json!({})).await.expect(400);
    // At once from two tabs: both go on, with tokens of their own.
    let begun = log_in(&nobody, ANN, PASSWORD).await.expect(201).body;
    let token = &begun["refresh_token"];
    let (one, two) = tokio::join!(refresh(&nobody, token), refresh(&nobody, token));
    let (one, two) = (one.expect(200).body, two.expect(200).body);
    assert_ne!(one["refresh_token"], two["refresh_token"]);
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let (_server, root, nobody) = open();
    for email in [ANN, "ben@example.com"] {
        root.post("/v1/users", &json!({"email": email, "password": PASSWORD})).await.expect(201);
    }
    let mut mine = Vec::new();
    for _ in 0..3 {
        mine.push(log_in(&nobody, ANN, PASSWORD).await.expect(201).body);
    }
    let ben = log_in(&nobody, "ben@example.com", PASSWORD).await.expect(201).body;
    let token = &mine[0]["access_token"];
    let page = with(&nobody, token, "GET", "/v1/sessions", None).await.expect(200);
    let all = page.list("sessions");
    assert_eq!(all.len(), 3);
    assert_eq!(all.iter().filter(|one| one["current"] == true).count(), 1);
    for secret in ["refresh", "cookie", "hash"] {
        assert!(!page.text.contains(&format!("\"{secret}\"")), "{}", page.text);
    }
    let bens = with(&nobody, &ben["access_token"], "GET", "/v1/sessions", None).await.expect(200);
    let id = bens.list("sessions")[0]["id"].as_str().unwrap();
    // Another's is not there.
    let path = format!("/v1/sessions/{id}");
    with(&nobody, token, "DELETE", &path, None).await.expect(404);
    let user = ben["user"]["id"].as_str().unwrap();
    let path = format!("/v1/sessions?user={user}");
    with(&nobody, token, "GET", &path, None).await.expect(403);
    let other = all.iter().find(|one| one["current"] == false).unwrap()["id"].as_str().unwrap();
    with(&nobody, token, "DELETE", &format!("/v1/sessions/{other}"), None).await.expect(200);
    let ended = with(&nobody, token, "DELETE", "/v1/sessions/current", None).await.expect(200);
    assert!(ended.header("set-cookie").contains("Max-Age=0"), "{:?}", ended.headers);
    let mut alive = 0;
    for session in &mine {
        let me = with(&nobody, &session["access_token"], "GET", "/v1/users/me", None).await;
        let on = refresh(&nobody, &session["refresh_token"]).await;
        assert_eq!(me.status == 200, on.status == 200);
        alive += usize::from(me.status == 200);
    }
    assert_eq!(alive, 1);
    with(&nobody, &ben["access_token"], "GET", "/v1/users/me", None).await.expect(200);
}

#[tokio::test]
async fn s4_a_new_password_ends_what_the_old_one_began() {
    let (_server, root, nobody) = open();
    root.post("/v1/users", &json!({"email": ANN, "password": PASSWORD})).await.expect(201);
    let here = log_in(&nobody, ANN, PASSWORD).await.expect(201).body;
    let there = log_in(&nobody, ANN, PASSWORD).await.expect(201).body;
    let path = "/v1/users/me/password";
    let change = |old: &str, new: &str| Some(json!({"old": old, "new": new}));
    let token = &here["access_token"];
    with(&nobody, token, "POST", path, change("a wrong one", "another password")).await.expect(403);
    with(&nobody, token, "POST", path, change(PASSWORD, "short")).await.expect(400);
    with(&nobody, token, "POST", path, change(PASSWORD, "another password")).await.expect(200);
    with(&nobody, token, "GET", "/v1/users/me", None).await.expect(200);
    with(&nobody, &there["access_token"], "GET", "/v1/users/me", None).await.expect(401);
    refresh(&nobody, &there["refresh_token"]).await.expect(401);
    log_in(&nobody, ANN, PASSWORD).await.expect(401);
    log_in(&nobody, ANN, "another password").await.expect(201);
}

#[tokio::test]
async fn s4_a_reset_works_once() {
    let (_server, root, nobody) = open();
    root.post("/v1/users", &json!({"email": ANN, "password": PASSWORD})).await.expect(201);
    let session = log_in(&nobody, ANN, PASSWORD).await.expect(201).body;
    let path = "/v1/users/reset";
    let known = nobody.post(path, &json!({"email": ANN})).await.expect(202);
    let unknown = nobody.post(path, &json!({"email": "x@example.com"})).await.expect(202);
    assert_eq!(known.body, unknown.body, "whether somebody is there is not told");
    let own = with(&nobody, &session["access_token"], "POST", path, Some(json!({"email": ANN})));
    assert!(own.await.expect(202).body.get("token").is_none());
    let told = root.post(path, &json!({"email": ANN})).await.expect(202).body["token"].clone();
    let second = root.post(path, &json!({"email": ANN})).await.expect(202).body["token"].clone();
    let confirm = async |token: &Value, password: &str| {
        let body = json!({"token": token, "password": password});
        nobody.post("/v1/users/reset/confirm", &body).await
    };
    confirm(&told, "short").await.expect(400);
    confirm(&session["access_token"], "a stolen password").await.expect(400);
    let mut forged = told.as_str().unwrap().to_owned();
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'B' } else { 'A' });
    // The last letter may hold bits that mean nothing: one before it does not.
    let at = forged.len() - 10;
    let other = if &forged[at..=at] == "A" { "B" } else { "A" };
    forged.replace_range(at..=at, other);
    confirm(&json!(forged), "a stolen password").await.expect(400);
    confirm(&told, "a fresh password").await.expect(200);
    for token in [&told, &second] {
        let again = confirm(token, "a stolen password").await;
        assert_eq!(again.refused(400), "invalid_reset_token");
    }
    with(&nobody, &session["access_token"], "GET", "/v1/users/me", None).await.expect(401);
    refresh(&nobody, &session["refresh_token"]).await.expect(401);
    log_in(&nobody, ANN, PASSWORD).await.expect(401);
    log_in(&nobody, ANN, "a fresh password").await.expect(201);
}

#[tokio::test]
async fn s2_rules_by_user_hold_end_to_end() {
    let (_server, root, nobody) = open();
    let own = json!({"owner": "%%user.id"});
    let member = json!({"collections": {"notes": {
        "read": own, "create": own, "update": own, "delete": own,
    }}});
    root.put("/v1/roles/member", &member).await.expect(201);
    let guest = json!({"collections": {"notes": {"read": {"public": true}}}});
    root.put("/v1/roles/guest", &guest).await.expect(201);
    let (mut ids, mut tokens) = (Vec::new(), Vec::new());
    for email in [ANN, "ben@example.com"] {
        let body = json!({"email": email, "password": PASSWORD});
        let made = nobody.post("/v1/users", &body).await.expect(201).body;
        ids.push(made["id"].as_str().unwrap().to_owned());
        let begun = log_in(&nobody, email, PASSWORD).await.expect(201).body;
        tokens.push(begun["access_token"].clone());
    }
    for (place, token) in tokens.iter().enumerate() {
        let note = json!({"_id": format!("n{place}"), "owner": ids[place], "public": place == 0});
        with(&nobody, token, "POST", NOTES, Some(note)).await.expect(201);
        let stolen = json!({"owner": ids[1 - place]});
        with(&nobody, token, "POST", NOTES, Some(stolen)).await.expect(403);
    }
    for (place, token) in tokens.iter().enumerate() {
        let page = with(&nobody, token, "GET", NOTES, None).await.expect(200);
        let shown = page.list("documents");
        assert_eq!(shown.len(), 1, "{}", page.text);
        assert_eq!(shown[0]["owner"], ids[place]);
        let other = format!("{NOTES}/n{}", 1 - place);
        for (method, body) in [("GET", None), ("PATCH", Some(json!({"x": 1}))), ("DELETE", None)] {
            with(&nobody, token, method, &other, body).await.expect(404);
        }
        let mine = format!("{NOTES}/n{place}");
        let away = json!({"owner": ids[1 - place]});
        with(&nobody, token, "PATCH", &mine, Some(away)).await.expect(403);
    }
    // Users write their own profile, and neither their roles nor what rules see.
    let me = "/v1/users/me";
    with(&nobody, &tokens[0], "PATCH", me, Some(json!({"profile": {"a": 1}}))).await.expect(200);
    for body in [
        json!({"roles": ["boss"]}),
        json!({"data": {"id": ids[1]}}),
        json!({"email": "ben@example.com"}),
        json!({"profile": {}, "disabled": true}),
    ] {
        with(&nobody, &tokens[0], "PATCH", me, Some(body)).await.expect(403);
    }
    let ben = format!("/v1/users/{}", ids[1]);
    with(&nobody, &tokens[0], "PATCH", &ben, Some(json!({"profile": {}}))).await.expect(403);
    let begun = nobody.send(nobody.request("POST", "/v1/sessions/anonymous")).await.expect(201);
    let page = with(&nobody, &begun.body["access_token"], "GET", NOTES, None).await.expect(200);
    assert_eq!(page.list("documents").len(), 1, "{}", page.text);
    assert_eq!(page.list("documents")[0]["_id"], "n0");
    let write = json!({"owner": "x", "public": true});
    with(&nobody, &begun.body["access_token"], "POST", NOTES, Some(write)).await.expect(403);
}

#[tokio::test]
async fn s2_keys_of_a_user_are_no_more_than_the_user_and_die_with_it() {
    let (_server, root, nobody) = open();
    let member = json!({"collections": {"notes": {"read": true, "create": true}}});
    root.put("/v1/roles/member", &member).await.expect(201);
    root.put("/v1/roles/boss", &json!({"admin": true})).await.expect(201);
    let body = json!({"email": ANN, "password": PASSWORD});
    let user = root.post("/v1/users", &body).await.expect(201).body;
    let token = log_in(&nobody, ANN, PASSWORD).await.expect(201).body["access_token"].clone();
    let path = "/v1/users/me/keys";
    let issue = async |body: Value| with(&nobody, &token, "POST", path, Some(body)).await;
    let whole = issue(json!({"label": "whole"})).await.expect(201).body;
    let grant = json!({"collections": {"notes": ["read"]}});
    let narrow = issue(json!({"grant": grant})).await.expect(201).body;
    for greedy in [json!({"roles": ["boss"]}), json!({"admin": true})] {
        let asked = issue(json!({"grant": greedy})).await;
        if asked.status == 201 {
            let key = nobody.with_key(asked.body["key"].as_str().unwrap());
            key.get("/v1/users").await.expect(403);
            key.get("/v1/collections/others/documents").await.expect(403);
        }
    }
    let grant = json!({"collections": {"*": ["*"]}});
    let wide = issue(json!({"grant": grant})).await.expect(201).body;
    let wide = nobody.with_key(wide["key"].as_str().unwrap());
    wide.post(NOTES, &json!({"_id": "w"})).await.expect(201);
    wide.delete(&format!("{NOTES}/w")).await.expect(403);
    wide.get("/v1/collections/others/documents").await.expect(403);
    let whole_key = nobody.with_key(whole["key"].as_str().unwrap());
    let narrow_key = nobody.with_key(narrow["key"].as_str().unwrap());
    whole_key.post(NOTES, &json!({})).await.expect(201);
    whole_key.get("/v1/collections/others/documents").await.expect(403);
    narrow_key.get(NOTES).await.expect(200);
    narrow_key.post(NOTES, &json!({})).await.expect(403);
    // A key makes no keys and ends no sessions of others.
    whole_key.post(path, &json!({})).await.expect(403);
    let gone = format!("{path}/{}", narrow["id"].as_str().unwrap());
    with(&nobody, &token, "DELETE", &gone, None).await.expect(200);
    narrow_key.get(NOTES).await.expect(401);
    let user = format!("/v1/users/{}", user["id"].as_str().unwrap());
    root.patch(&user, &json!({"disabled": true})).await.expect(200);
    assert_eq!(whole_key.get(NOTES).await.refused(401), "user_disabled");
    root.patch(&user, &json!({"disabled": false})).await.expect(200);
    whole_key.get(NOTES).await.expect(200);
    root.delete(&user).await.expect(200);
    whole_key.get(NOTES).await.expect(401);
    with(&nobody, &token, "GET", "/v1/users/me", None).await.expect(401);
}

#[tokio::test]
async fn s5_a_cookie_acts_for_the_servers_own_pages_alone() {
    let (server, root, nobody) = open();
    let member = json!({"collections": {"notes": {"read": true, "create": true}}});
    root.put("/v1/roles/member", &member).await.expect(201);
    root.post("/v1/users", &json!({"email": ANN, "password": PASSWORD})).await.expect(201);
    let begun = log_in(&nobody, ANN, PASSWORD).await.expect(201);
    let set = begun.header("set-cookie").to_owned();
    for flag in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "__Host-"] {
        assert!(set.contains(flag), "{set}");
    }
    let cookie = set.split(';').next().unwrap().to_owned();
    let own = server.url();
    let cases: [(&[(&str, &str)], u16); 9] = [
        (&[], 201),
        (&[("origin", &own)], 201),
        (&[("origin", "https://evil.example")], 403),
        (&[("origin", "null")], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-site")], 403),
        (&[("sec-fetch-site", "same-origin")], 201),
        (&[("referer", "https://evil.example/page")], 403),
        (&[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")], 403),
    ];
    for (headers, status) in cases {
        let mut request = nobody.request("POST", NOTES).header("cookie", &cookie);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = nobody.send(request.json(&json!({}))).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text);
    }
    // Reading is no forgery; what is read is the browser's to keep from other pages.
    let read = nobody.request("GET", NOTES).header("cookie", &cookie);
    let read = nobody.send(read.header("origin", "https://evil.example")).await.expect(200);
    assert_eq!(read.header("access-control-allow-origin"), "");
    // A cookie beside another credential is a conflict, and the cookie is no bearer.
    let both = nobody.request("GET", NOTES).header("cookie", &cookie).header("x-apikey", "hw_x");
    nobody.send(both).await.expect(400);
    let value = cookie.split_once('=').unwrap().1;
    with(&nobody, &json!(value), "GET", NOTES, None).await.expect(401);
    let end = nobody.request("DELETE", "/v1/sessions/current").header("cookie", &cookie);
    nobody.send(end).await.expect(200);
    let after = nobody.request("GET", NOTES).header("cookie", &cookie);
    nobody.send(after).await.expect(401);
}

#[tokio::test]
async fn s4_a_flood_of_logins_is_turned_away_and_reads_go_on() {
    let server = Server::with(&[
        ("HEADWATER_AUTH__PASSWORD_HASHES", "1"),
        ("HEADWATER_AUTH__PASSWORD_QUEUE", "4"),
    ]);
    let (root, nobody) = (server.client(), server.client().without_key());
    root.post(NOTES, &json!({"_id": "a"})).await.expect(201);
    for number in 0..50 {
        root.post("/v1/users", &json!({"email": format!("u{number}@example.com")}))
            .await
            .expect(201);
    }
    let logins: Vec<_> = (0..50)
        .map(|number| {
            let nobody = nobody.clone();
            tokio::spawn(async move {
                let email = format!("u{number}@example.com");
                log_in(&nobody, &email, "a wrong password").await.status
            })
        })
        .collect();
    for _ in 0..200 {
        root.get(&format!("{NOTES}/a")).await.expect(200);
    }
    let mut statuses = Vec::new();
    for login in logins {
        statuses.push(login.await.unwrap());
    }
    // That a 503 says when to come again is held by the client.
    assert!(statuses.iter().all(|status| [401, 503].contains(status)), "{statuses:?}");
    for status in [401, 503] {
        assert!(statuses.contains(&status), "{statuses:?}");
    }
    log_in(&nobody, "u1@example.com", "a wrong password").await.expect(401);
}
