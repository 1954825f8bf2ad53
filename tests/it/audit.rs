//! The audit trail: every act that governs has its entry with who, what and from where; and no secret is anywhere (S13).

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Client, ROOT, Receiver, Server, eventually, text};

const TRAIL: &str = "/v1/collections/_audit/documents";
const ORDERS: &str = "/v1/collections/orders";
const PASSWORD: &str = "plantedpassword-of-ann";

/// The trail, oldest first.
async fn trail(root: &Client) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = root.get(&format!("{TRAIL}?limit=1000{cursor}")).await.expect(200);
        all.extend(page.list("documents").iter().cloned());
        match page.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// The first entry of an act that has a member with a value.
async fn entry(root: &Client, action: &str, member: &str, value: &Value) -> Value {
    eventually(&format!("an entry {action} with {member} {value}"), async || {
        let all = trail(root).await;
        let is_it = |one: &&Value| one["action"] == action && one[member] == *value;
        all.iter().find(is_it).cloned()
    })
    .await
}

/// An entry of full access, whole.
async fn by_root(root: &Client, action: &str, target: Value) {
    let entry = entry(root, action, "target", &target).await;
    assert_eq!(entry["actor"], "root", "{entry}");
    assert_eq!(entry["address"], "127.0.0.1", "{entry}");
    assert_eq!(entry["outcome"], "done", "{entry}");
    assert!(entry["time"].as_str().unwrap().ends_with('Z'), "{entry}");
}

fn of(collection: &str, id: &Value) -> Value {
    json!({"collection": collection, "id": id})
}

#[tokio::test]
async fn s13_every_act_that_governs_is_in_the_trail() {
    let server = Server::start();
    let root = server.client();
    let key = root.post("/v1/credentials", &json!({"label": "till"})).await.expect(201).body;
    let path = format!("/v1/credentials/{}", key["id"].as_str().unwrap());
    root.patch(&path, &json!({"label": "other"})).await.expect(200);
    root.delete(&path).await.expect(200);
    for act in ["created", "changed", "deleted"] {
        let target = of("_credentials", &key["id"]);
        by_root(&root, &format!("credential.{act}"), target).await;
    }
    let clerk = json!({"collections": {"orders": {"read": true, "settings": true}}});
    let secret = "the secret of a provider";
    let provider = json!({"algorithms": ["HS256"], "secret": secret});
    for (family, collection, what, id, body) in [
        ("roles", "_roles", "role", "clerk", clerk),
        ("auth/providers", "_providers", "provider", "clerk", provider),
        ("values", "_settings", "value", "value:clerk", json!({"value": 1})),
    ] {
        let path = format!("/v1/{family}/clerk");
        root.put(&path, &body).await.expect(201);
        root.delete(&path).await.expect(200);
        root.put(&path, &body).await.expect(201);
        let all = trail(&root).await;
        let acts = all.iter().filter(|one| one["target"]["collection"] == collection);
        let acts: Vec<_> = acts.map(|one| one["action"].as_str().unwrap()).collect();
        assert!(acts.contains(&&*format!("{what}.deleted")), "{acts:?} {id}");
        assert_eq!(acts.len(), 3, "{acts:?}");
    }
    root.put(ORDERS, &json!({})).await.expect(201);
    by_root(&root, "collection.defined", json!({"collection": "orders"})).await;
    root.put(&format!("{ORDERS}/indexes/n"), &json!({"keys": {"n": 1}})).await.expect(201);
    by_root(&root, "index.defined", json!({"collection": "orders", "index": "n"})).await;
    root.delete(&format!("{ORDERS}/indexes/n")).await.expect(200);
    by_root(&root, "index.dropped", json!({"collection": "orders", "index": "n"})).await;
    root.post(&format!("{ORDERS}/documents"), &json!({"_id": "a"})).await.expect(201);

    let receiver = Receiver::start();
    let hook = json!({"url": receiver.url("/"), "collections": ["orders"]});
    let hook = root.post("/v1/webhooks", &hook).await.expect(201).body;
    let path = format!("/v1/webhooks/{}", hook["id"].as_str().unwrap());
    root.patch(&path, &json!({"active": false})).await.expect(200);
    root.patch(&path, &json!({"active": true})).await.expect(200);
    root.send(root.request("POST", &format!("{path}/rotate-secret"))).await.expect(200);
    let replay = root.post(&format!("{path}/replay"), &json!({"from": 0})).await.expect(202).body;
    root.delete(&path).await.expect(200);
    for act in ["created", "changed", "deleted"] {
        by_root(&root, &format!("webhook.{act}"), of("_webhooks", &hook["id"])).await;
    }
    by_root(&root, "webhook.secret_rotated", json!({"webhook": hook["id"]})).await;
    by_root(&root, "replay.started", json!({"replay": replay["replay"]})).await;

    for job in ["backup", "verify", "rebuild"] {
        let path = format!("/v1/admin/{job}");
        let started = root.send(root.request("POST", &path)).await.expect(202).body;
        by_root(&root, &format!("{job}.started"), json!({"job": started["job"]})).await;
        let path = format!("/v1/admin/jobs/{}", started["job"].as_str().unwrap());
        eventually("the end of the job", async || {
            let status = root.get(&path).await.expect(200).body["status"].clone();
            (status != "running" && status != "queued").then_some(())
        })
        .await;
        if job == "backup" {
            root.get(&format!("{path}/download")).await.expect(200);
            by_root(&root, "backup.downloaded", json!({"job": started["job"]})).await;
        }
    }
    let file = server.file("export");
    server.run(&["export", "--collection", "orders", "--output", text(&file)]).output();
    by_root(&root, "export", json!({"collection": "orders"})).await;
    let erasure = json!({"collection": "orders", "id": "a"});
    root.post("/v1/admin/erase", &erasure).await.expect(200);
    by_root(&root, "document.erased", json!({"collection": "orders"})).await;
    root.delete(ORDERS).await.expect(200);
    by_root(&root, "collection.dropped", json!({"collection": "orders"})).await;
}

#[tokio::test]
async fn s13_what_people_do_is_in_the_trail() {
    let server = Server::with(&[
        ("HEADWATER_AUTH__SIGN_UP", "open"),
        ("HEADWATER_AUTH__ANONYMOUS", "true"),
        ("HEADWATER_SERVER__TRUSTED_PROXIES", "127.0.0.1"),
    ]);
    let (root, nobody) = (server.client(), server.client().without_key());
    let send = async |method: &str, path: &str, token: Option<&Value>, body: Value| {
        let mut request = nobody.request(method, path).header("x-forwarded-for", "203.0.113.7");
        if let Some(token) = token {
            let token = format!("Bearer {}", token.as_str().unwrap());
            request = request.header("authorization", token);
        }
        nobody.send(request.json(&body)).await
    };
    let ann = json!({"email": "ann@example.com", "password": PASSWORD});
    let user = send("POST", "/v1/users", None, ann.clone()).await.expect(201).body;
    let id = &user["id"];
    let here = |entry: &Value| {
        assert_eq!(entry["actor"], *id, "{entry}");
        assert_eq!(entry["address"], "203.0.113.7", "{entry}");
    };
    here(&entry(&root, "user.signed_up", "user", id).await);
    let begun = send("POST", "/v1/sessions", None, ann.clone()).await.expect(201).body;
    here(&entry(&root, "login", "user", id).await);
    let token = &begun["access_token"];
    let wrong = json!({"email": "ann@example.com", "password": "wrong password"});
    send("POST", "/v1/sessions", None, wrong).await.expect(401);
    let failed = entry(&root, "refused", "outcome", &json!("invalid_login")).await;
    assert_eq!(failed["target"], json!({"request": "POST /v1/sessions"}));
    assert_eq!(failed["address"], "203.0.113.7");
    let change = json!({"old": PASSWORD, "new": "another password"});
    send("POST", "/v1/users/me/password", Some(token), change).await.expect(200);
    here(&entry(&root, "password.changed", "user", id).await);
    let key = send("POST", "/v1/users/me/keys", Some(token), json!({})).await.expect(201).body;
    let made = entry(&root, "credential.created", "target", &of("_credentials", &key["id"])).await;
    assert_eq!((&made["user"], &made["address"]), (id, &json!("203.0.113.7")), "{made}");
    send("DELETE", "/v1/sessions/current", Some(token), json!({})).await.expect(200);
    let ended = entry(&root, "session.deleted", "user", id).await;
    assert_eq!(ended["address"], "203.0.113.7", "{ended}");
    let reset = root.post("/v1/users/reset", &json!({"email": "ann@example.com"})).await;
    let reset = json!({"token": reset.expect(202).body["token"], "password": "a fresh password"});
    send("POST", "/v1/users/reset/confirm", None, reset).await.expect(200);
    let reset = entry(&root, "password.reset", "outcome", &json!("done")).await;
    assert_eq!(reset["address"], "203.0.113.7", "{reset}");
    let other = send("POST", "/v1/sessions/anonymous", None, json!({})).await.expect(201).body;
    entry(&root, "login.anonymous", "user", &other["user"]["id"]).await;
    let path = format!("/v1/users/{}", id.as_str().unwrap());
    root.delete(&path).await.expect(200);
    let gone = entry(&root, "user.deleted", "target", &of("_users", id)).await;
    assert_eq!(gone["actor"], "root", "{gone}");
}

#[tokio::test]
async fn s13_refusals_are_sampled_and_the_trail_is_for_full_access() {
    let server = Server::start();
    let root = server.client();
    let grant = json!({"collections": {"*": ["*"]}});
    let issued = root.post("/v1/credentials", &json!({"grant": grant})).await.expect(201).body;
    let key = root.with_key(issued["key"].as_str().unwrap());
    for _ in 0..100 {
        key.get("/v1/credentials").await.expect(403);
    }
    let refused = entry(&root, "refused", "actor", &issued["id"]).await;
    assert_eq!(refused["target"], json!({"request": "GET /v1/credentials"}), "{refused}");
    assert_eq!(refused["outcome"], "forbidden", "{refused}");
    for _ in 0..100 {
        root.with_key("hw_wrong").get("/v1/credentials").await.expect(401);
    }
    entry(&root, "refused", "outcome", &json!("unauthorized")).await;
    let all = trail(&root).await;
    let refusals = all.iter().filter(|one| one["action"] == "refused").count();
    assert_eq!(refusals, 2, "one for each caller and reason: {all:?}");
    // Nobody else reads it, and nobody at all writes it.
    for path in [TRAIL, "/v1/events?collections=_audit", "/v1/collections/_audit"] {
        key.get(path).await.expect(403);
    }
    let page = key.get("/v1/events").await.expect(200);
    assert!(!page.text.contains("_audit"), "{}", page.text);
    root.post(TRAIL, &json!({"action": "forged"})).await.expect(403);
    let id = all[0]["_id"].as_str().unwrap();
    root.delete(&format!("{TRAIL}/{id}")).await.expect(403);
    root.patch(&format!("{TRAIL}/{id}"), &json!({"actor": "other"})).await.expect(403);
    let filter = json!({"filter": {}, "multi": true});
    root.post("/v1/collections/_audit/delete", &filter).await.expect(403);
    root.delete("/v1/collections/_audit").await.expect(403);
}

/// Every file under a directory.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

#[tokio::test]
async fn s13_no_planted_secret_is_anywhere() {
    let mut server = Server::with(&[("RUST_LOG", "trace"), ("HEADWATER_AUTH__SIGN_UP", "open")]);
    let (root, nobody) = (server.client(), server.client().without_key());
    let mut secrets = vec![ROOT.to_owned(), PASSWORD.to_owned()];
    let mut answers = Vec::new();
    let mut keep = |value: &Value| secrets.push(value.as_str().unwrap().to_owned());
    let grant = json!({"collections": {"orders": ["*"]}});
    let key = root.post("/v1/credentials", &json!({"grant": grant})).await.expect(201).body;
    let body = json!({"kind": "basic", "grant": grant});
    let basic = root.post("/v1/credentials", &body).await.expect(201).body;
    keep(&key["key"]);
    keep(&basic["password"]);
    let by_key = root.with_key(key["key"].as_str().unwrap());
    let token = by_key.send(by_key.request("POST", "/v1/tokens")).await.expect(200).body;
    keep(&token["token"]);
    let ann = json!({"email": "ann@example.com", "password": PASSWORD});
    nobody.post("/v1/users", &ann).await.expect(201);
    let begun = nobody.post("/v1/sessions", &ann).await.expect(201);
    keep(&begun.body["access_token"]);
    keep(&begun.body["refresh_token"]);
    let cookie = begun.header("set-cookie").split(';').next().unwrap();
    keep(&json!(cookie.split_once('=').unwrap().1));
    let reset = root.post("/v1/users/reset", &json!({"email": "ann@example.com"})).await;
    keep(&reset.expect(202).body["token"]);
    let wrong = "plantedpassword-that-is-wrong";
    keep(&json!(wrong));
    let guess = json!({"email": "ann@example.com", "password": wrong});
    answers.push(nobody.post("/v1/sessions", &guess).await.expect(401).text);
    let planted = "plantedsecret-of-a-provider";
    keep(&json!(planted));
    let provider = json!({"algorithms": ["HS256"], "secret": planted});
    answers.push(root.put("/v1/auth/providers/p", &provider).await.expect(201).text);
    let bad = json!({"algorithms": ["RS256"], "secret": planted});
    answers.push(root.put("/v1/auth/providers/q", &bad).await.expect(400).text);
    let receiver = Receiver::start();
    let hook = json!({"url": receiver.url("/"), "collections": ["orders"]});
    let hook = root.post("/v1/webhooks", &hook).await.expect(201).body;
    keep(&hook["secret"]);
    let path = format!("/v1/webhooks/{}", hook["id"].as_str().unwrap());
    let rotated = root.send(root.request("POST", &format!("{path}/rotate-secret"))).await;
    keep(&rotated.expect(200).body["secret"]);
    by_key.post(&format!("{ORDERS}/documents"), &json!({"_id": "a"})).await.expect(201);
    receiver.wait(1).await;
    // Misplaced in every way.
    let text = key["key"].as_str().unwrap();
    for path in [
        format!("/v1/nothing?apikey={text}"),
        format!("/v1/collections?apikey={text}x"),
        format!("/v1/events?apikey={text}&from=nonsense"),
        format!("{ORDERS}/documents?apikey={text}&filter=nonsense"),
    ] {
        answers.push(nobody.get(&path).await.text);
    }
    let twice = nobody.request("GET", &format!("/v1/collections?apikey={text}"));
    answers.push(nobody.send(twice.header("x-apikey", ROOT)).await.expect(400).text);
    let odd =
        nobody.request("GET", "/v1/collections").header("authorization", format!("Odd {text}"));
    answers.push(nobody.send(odd).await.expect(401).text);
    let (mut from, mut last) = (0, 1);
    while from < last {
        let page = root.get(&format!("/v1/events?from={from}&limit=1000")).await.expect(200);
        (from, last) = (page.body["next"].as_u64().unwrap(), page.body["last"].as_u64().unwrap());
        answers.push(page.text);
    }
    for collection in ["_credentials", "_users", "_sessions", "_providers", "_webhooks", "_audit"] {
        let path = format!("/v1/collections/{collection}/documents?limit=1000");
        answers.push(root.get(&path).await.expect(200).text);
    }
    for list in ["credentials", "users", "sessions", "auth/providers", "webhooks", "admin/stats"] {
        answers.push(root.get(&format!("/v1/{list}")).await.expect(200).text);
    }
    answers.push(root.get("/metrics").await.expect(200).text);
    let backup = server.file("backup.tar");
    server.run(&["backup", "--output", crate::harness::text(&backup)]).output();
    server.stop();
    let mut places: Vec<(String, Vec<u8>)> =
        answers.into_iter().map(|text| ("an answer".to_owned(), text.into_bytes())).collect();
    places.push(("the log".to_owned(), server.log().into_bytes()));
    for file in files(&server.data()).into_iter().chain([backup]) {
        places.push((file.display().to_string(), std::fs::read(&file).unwrap()));
    }
    assert!(places.len() > 25, "{}", places.len());
    for secret in &secrets {
        assert!(secret.len() > 15, "{secret}");
        // A signing secret is kept without its prefix, too.
        let bare = secret.strip_prefix("whsec_").unwrap_or(secret);
        for (place, bytes) in &places {
            let found = memchr::memmem::find(bytes, bare.as_bytes());
            let around = found.map(|at| {
                String::from_utf8_lossy(&bytes[at.saturating_sub(80)..at + 4]).into_owned()
            });
            assert!(found.is_none(), "a secret in {place}: {around:?}");
        }
    }
}
