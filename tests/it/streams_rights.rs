//! Open streams and the rights that they rest on: whatever ends or narrows those, the stream follows within a second (S11).
//!
//! Every stream here is opened twice, as server-sent events and on a WebSocket: both tell the same and end alike.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Client, Frame, ROOT, Server, Socket, Stream, eventually};

const ORDERS: &str = "/v1/collections/orders/documents";
const EVENTS: &str = "/v1/events?collections=orders";
const PASSWORD: &str = "a password of some length";
/// How soon a stream must have ended.
const SOON: Duration = Duration::from_secs(1);

type Headers = Vec<(&'static str, String)>;

/// The same subscription on both carriers.
struct Following {
    stream: Stream,
    socket: Socket,
}

impl Following {
    /// The next frame, which both tell.
    async fn next(&mut self) -> Option<Frame> {
        let frame = self.stream.next().await?;
        assert_eq!(self.socket.take_of("s", 1).await.remove(0), frame, "on the WebSocket");
        Some(frame)
    }

    async fn take(&mut self, count: usize) -> Vec<Frame> {
        let frames = self.stream.take(count).await;
        assert_eq!(self.socket.take_of("s", count).await, frames, "on the WebSocket");
        frames
    }

    /// All that both tell until they end, which they do with the same frame.
    async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while frames.last().is_none_or(|frame: &Frame| frame.event != "closed") {
            frames.extend(self.socket.take_of("s", 1).await);
        }
        let rest = self.stream.rest().await;
        assert_eq!(frames.last(), rest.last(), "on the WebSocket");
        frames.extend(rest);
        frames
    }
}

/// A stream of orders as somebody who presents headers.
async fn open(nobody: &Client, path: &str, headers: &Headers) -> Following {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let stream = nobody.stream(path, &headers).await;
    let path = path.replace("/v1/events", "/v1/ws");
    let mut socket = Socket::open(nobody.url(), &path, &headers).await.unwrap();
    socket.subscribe("s", json!({"collections": ["orders"]})).await;
    Following { stream, socket }
}

fn bearer(token: &Value) -> Headers {
    vec![("authorization", format!("Bearer {}", token.as_str().unwrap()))]
}

/// The last frame of a stream that has to end soon.
async fn ended(what: &str, stream: &mut Following) -> Frame {
    ended_within(what, stream, SOON).await
}

async fn ended_within(what: &str, stream: &mut Following, longest: Duration) -> Frame {
    let rest = tokio::time::timeout(longest, stream.rest()).await;
    let rest = rest.unwrap_or_else(|_| panic!("{what}: it has not ended within {longest:?}"));
    let last = rest.last().unwrap_or_else(|| panic!("{what}: it ended without a word")).clone();
    assert_eq!(last.event, "closed", "{what}: {last:?}");
    last
}

#[track_caller]
fn because(what: &str, frame: &Frame, reason: &str) {
    assert_eq!(frame.data, json!({"reason": reason}), "{what}");
}

async fn issue(root: &Client, body: Value) -> (Value, String) {
    let issued = root.post("/v1/credentials", &body).await.expect(201).body;
    let path = format!("/v1/credentials/{}", issued["id"].as_str().unwrap());
    (issued, path)
}

fn reading() -> Value {
    json!({"collections": {"orders": ["read", "subscribe"]}, "origins": ["https://shop.example"]})
}

async fn user(root: &Client, email: &str, roles: Value) -> (String, Value) {
    let body = json!({"email": email, "password": PASSWORD, "roles": roles});
    let made = root.post("/v1/users", &body).await.expect(201).body;
    let path = format!("/v1/users/{}", made["id"].as_str().unwrap());
    (path, log_in(root, email).await)
}

async fn log_in(root: &Client, email: &str) -> Value {
    let body = json!({"email": email, "password": PASSWORD});
    root.without_key().post("/v1/sessions", &body).await.expect(201).body
}

async fn clerk(root: &Client, rule: Value) {
    let role = json!({"collections": {"orders": {"read": rule}}});
    let put = root.put("/v1/roles/clerk", &role).await;
    assert!(put.status < 300, "{}", put.text);
}

/// Every way to present a credential with a grant: headers, a parameter, and the path of the credential.
async fn kinds(root: &Client, more: Value) -> Vec<(&'static str, Headers, String, String)> {
    use base64::Engine as _;
    let mut all = Vec::new();
    let with = |kind: &str| {
        let mut body = json!({"kind": kind, "grant": reading()});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let (key, path) = issue(root, with("key")).await;
    let text = key["key"].as_str().unwrap().to_owned();
    let as_key = root.with_key(&text);
    let made = as_key.send(as_key.request("POST", "/v1/tokens")).await.expect(200).body;
    let parameter = |name: &str, value: &str| format!("{EVENTS}&{name}={value}");
    let token = made["token"].as_str().unwrap();
    all.push(("a key", vec![("x-apikey", text.clone())], EVENTS.to_owned(), path.clone()));
    all.push(("a parameter", vec![], parameter("apikey", &text), path.clone()));
    all.push(("a token", bearer(&made["token"]), EVENTS.to_owned(), path.clone()));
    all.push(("a token as parameter", vec![], parameter("jwt", token), path));
    let (web, path) = issue(root, with("web")).await;
    let text = web["key"].as_str().unwrap().to_owned();
    let page = ("origin", "https://shop.example".to_owned());
    all.push(("a web key", vec![("x-apikey", text), page], EVENTS.to_owned(), path));
    let (basic, path) = issue(root, with("basic")).await;
    let member = |name: &str| basic[name].as_str().unwrap().to_owned();
    let pair = format!("{}:{}", member("username"), member("password"));
    let pair = base64::engine::general_purpose::STANDARD.encode(pair);
    let header = ("authorization", format!("Basic {pair}"));
    all.push(("a password", vec![header], EVENTS.to_owned(), path));
    all
}

#[tokio::test]
async fn s11_revocation_ends_the_streams_of_every_kind() {
    let server = Server::start();
    let (root, nobody) = (server.client(), server.client().without_key());
    let kinds = kinds(&root, json!({})).await;
    let mut streams = Vec::new();
    for (what, headers, path, credential) in &kinds {
        streams.push((*what, open(&nobody, path, headers).await, credential));
    }
    let mut credentials: Vec<_> = kinds.iter().map(|kind| &kind.3).collect();
    credentials.dedup();
    for credential in credentials {
        root.delete(credential).await.expect(200);
        for (what, stream, _) in streams.iter_mut().filter(|(_, _, of)| *of == credential) {
            because(what, &ended(what, stream).await, "credential_revoked");
        }
    }
}

#[tokio::test]
async fn s11_expiry_ends_the_streams_of_every_kind() {
    let server = Server::start();
    let (root, nobody) = (server.client(), server.client().without_key());
    let kinds = kinds(&root, json!({"ttl_seconds": 3})).await;
    let begun = Instant::now();
    let mut streams = Vec::new();
    for (what, headers, path, _) in &kinds {
        streams.push((*what, open(&nobody, path, headers).await));
    }
    for (what, stream) in &mut streams {
        let left = (Duration::from_secs(3) + SOON).saturating_sub(begun.elapsed());
        because(what, &ended_within(what, stream, left).await, "credential_expired");
    }
    // A token that ends before its key does.
    let (key, _) = issue(&root, json!({"grant": reading()})).await;
    let as_key = root.with_key(key["key"].as_str().unwrap());
    let made = as_key.post("/v1/tokens", &json!({"ttl_seconds": 2})).await.expect(200).body;
    let mut stream = open(&nobody, EVENTS, &bearer(&made["token"])).await;
    let last = ended_within("a short token", &mut stream, Duration::from_secs(2) + SOON).await;
    because("a short token", &last, "credential_expired");
}

#[tokio::test]
async fn s11_a_changed_grant_ends_or_narrows() {
    let server = Server::start();
    let (root, nobody) = (server.client(), server.client().without_key());
    for (what, headers, path, credential) in kinds(&root, json!({})).await {
        let whole = json!({"grant": reading()});
        root.patch(&credential, &whole).await.expect(200);
        let mut stream = open(&nobody, &path, &headers).await;
        let mut narrow = reading();
        narrow["read_filter"] = json!({"owner": "ann"});
        narrow["fields"] = json!({"exclude": ["price"]});
        root.patch(&credential, &json!({"grant": narrow})).await.expect(200);
        root.post(ORDERS, &json!({"owner": "ben", "price": 1})).await.expect(201);
        root.post(ORDERS, &json!({"owner": "ann", "price": 2, "n": what})).await.expect(201);
        let frame = tokio::time::timeout(SOON, stream.next()).await.unwrap().unwrap();
        let document = &frame.data["document"];
        assert_eq!((&document["owner"], &document["n"]), (&json!("ann"), &json!(what)));
        assert!(document.get("price").is_none(), "{what}: {document}");
        let mut gone = reading();
        gone["collections"] = json!({"orders": ["read"]});
        let gone = json!({"grant": gone});
        root.patch(&credential, &gone).await.expect(200);
        because(what, &ended(what, &mut stream).await, "access_narrowed");
    }
    // What a grant demands of requests ends streams that do not meet it any more.
    for (member, value) in [
        ("networks", json!(["10.0.0.0/8"])),
        ("methods", json!(["POST"])),
        ("paths", json!(["/v1/collections/**"])),
        ("referers", json!(["https://shop.example/*"])),
    ] {
        let (key, path) = issue(&root, json!({"grant": reading()})).await;
        let key = vec![("x-apikey", key["key"].as_str().unwrap().to_owned())];
        let mut stream = open(&nobody, EVENTS, &key).await;
        let mut grant = reading();
        grant[member] = value;
        root.patch(&path, &json!({"grant": grant})).await.expect(200);
        because(member, &ended(member, &mut stream).await, "access_narrowed");
    }
}

#[tokio::test]
async fn s11_a_changed_role_ends_or_narrows() {
    let server = Server::start();
    let (root, nobody) = (server.client(), server.client().without_key());
    clerk(&root, json!(true)).await;
    let (path, session) = user(&root, "ann@example.com", json!(["clerk"])).await;
    let access = bearer(&session["access_token"]);
    let made = nobody.request("POST", "/v1/users/me/keys").header("authorization", &access[0].1);
    let key = nobody.send(made).await.expect(201).body;
    let key = vec![("x-apikey", key["key"].as_str().unwrap().to_owned())];
    let grant = json!({"roles": ["clerk"]});
    let (by_role, _) = issue(&root, json!({"grant": grant})).await;
    let by_role = vec![("x-apikey", by_role["key"].as_str().unwrap().to_owned())];
    let holders = [("a session", &access), ("a user's key", &key), ("a key of roles", &by_role)];
    let mut streams = Vec::new();
    for (what, headers) in holders {
        streams.push((what, open(&nobody, EVENTS, headers).await));
    }
    clerk(&root, json!({"owner": "ann"})).await;
    root.post(ORDERS, &json!({"owner": "ben"})).await.expect(201);
    root.post(ORDERS, &json!({"owner": "ann"})).await.expect(201);
    for (what, stream) in &mut streams {
        let frame = tokio::time::timeout(SOON, stream.next()).await.unwrap().unwrap();
        assert_eq!(frame.data["document"]["owner"], "ann", "{what}");
    }
    clerk(&root, json!(false)).await;
    for (what, stream) in &mut streams {
        because(what, &ended(what, stream).await, "access_narrowed");
    }
    clerk(&root, json!(true)).await;
    let mut streams = Vec::new();
    for (what, headers) in &holders[..2] {
        streams.push((*what, open(&nobody, EVENTS, headers).await));
    }
    root.patch(&path, &json!({"roles": []})).await.expect(200);
    for (what, stream) in &mut streams {
        because(what, &ended(what, stream).await, "access_narrowed");
    }
    let mut stream = open(&nobody, EVENTS, &by_role).await;
    root.delete("/v1/roles/clerk").await.expect(200);
    ended("a role that is gone", &mut stream).await;
}

#[tokio::test]
async fn s11_what_ends_a_user_or_a_session_ends_its_streams() {
    let server = Server::start();
    let (root, nobody) = (server.client(), server.client().without_key());
    clerk(&root, json!(true)).await;
    for (turn, act) in
        ["disable", "delete", "log out", "end", "password", "own password"].into_iter().enumerate()
    {
        let email = format!("u{turn}@example.com");
        let (path, session) = user(&root, &email, json!(["clerk"])).await;
        let access = bearer(&session["access_token"]);
        let asked = |method: &str, path: &str| {
            nobody.request(method, path).header("authorization", &access[0].1)
        };
        let key = nobody.send(asked("POST", "/v1/users/me/keys")).await.expect(201).body;
        let key = vec![("x-apikey", key["key"].as_str().unwrap().to_owned())];
        let login = json!({"email": email, "password": PASSWORD});
        let second = nobody.post("/v1/sessions", &login).await.expect(201);
        let cookie = second.header("set-cookie").split(';').next().unwrap().to_owned();
        let other = bearer(&second.body["access_token"]);
        let mut first = open(&nobody, EVENTS, &access).await;
        let mut by_cookie = open(&nobody, EVENTS, &vec![("cookie", cookie)]).await;
        let mut by_key = open(&nobody, EVENTS, &key).await;
        let (mut dead, mut alive) = (Vec::new(), Vec::new());
        match act {
            "disable" => {
                root.patch(&path, &json!({"disabled": true})).await.expect(200);
                dead.extend([&mut first, &mut by_cookie, &mut by_key]);
            }
            "delete" => {
                root.delete(&path).await.expect(200);
                dead.extend([&mut first, &mut by_cookie, &mut by_key]);
            }
            "log out" => {
                nobody.send(asked("DELETE", "/v1/sessions/current")).await.expect(200);
                dead.push(&mut first);
                alive.extend([&mut by_cookie, &mut by_key]);
            }
            "end" => {
                let page = nobody.send(asked("GET", "/v1/sessions")).await.expect(200);
                let others = page.list("sessions").iter().find(|one| one["current"] == false);
                let id = others.unwrap()["id"].as_str().unwrap();
                let end = asked("DELETE", &format!("/v1/sessions/{id}"));
                nobody.send(end).await.expect(200);
                dead.push(&mut by_cookie);
                alive.extend([&mut first, &mut by_key]);
            }
            "password" => {
                root.patch(&path, &json!({"password": "another password"})).await.expect(200);
                dead.extend([&mut first, &mut by_cookie]);
                alive.push(&mut by_key);
            }
            _ => {
                let body = json!({"old": PASSWORD, "new": "another password"});
                let change = asked("POST", "/v1/users/me/password").json(&body);
                nobody.send(change).await.expect(200);
                dead.push(&mut by_cookie);
                alive.extend([&mut first, &mut by_key]);
                let headers = [("authorization", other[0].1.as_str())];
                nobody.refused_stream(EVENTS, &headers).await.expect(401);
            }
        }
        for stream in dead {
            because(act, &ended(act, stream).await, "credential_revoked");
        }
        root.post(ORDERS, &json!({"after": act})).await.expect(201);
        for stream in alive {
            let frame = stream.next().await.unwrap();
            assert_eq!(frame.data["document"]["after"], act, "{frame:?}");
        }
    }
}

#[tokio::test]
async fn s11_a_changed_value_narrows_and_its_end_ends() {
    let server = Server::start();
    let (root, nobody) = (server.client(), server.client().without_key());
    root.put("/v1/values/team", &json!({"value": "red"})).await.expect(201);
    clerk(&root, json!({"team": "%%values.team"})).await;
    let (_, session) = user(&root, "ann@example.com", json!(["clerk"])).await;
    let grant = json!({
        "collections": {"orders": ["read", "subscribe"]},
        "read_filter": {"team": "%%values.team"},
    });
    let (key, _) = issue(&root, json!({"grant": grant})).await;
    let key = vec![("x-apikey", key["key"].as_str().unwrap().to_owned())];
    let mut streams = Vec::new();
    for (what, headers) in [("a session", &bearer(&session["access_token"])), ("a key", &key)] {
        streams.push((what, open(&nobody, EVENTS, headers).await));
    }
    for team in ["red", "blue", "red"] {
        root.put("/v1/values/team", &json!({"value": team})).await.expect(200);
        // What is seen comes last: whoever tells it has judged the other, and by this value.
        let other = if team == "red" { "blue" } else { "red" };
        for one in [other, team] {
            root.post(ORDERS, &json!({"team": one})).await.expect(201);
        }
        for (what, stream) in &mut streams {
            let frame = tokio::time::timeout(SOON, stream.next()).await.unwrap().unwrap();
            assert_eq!(frame.data["document"]["team"], team, "{what}");
        }
    }
    root.delete("/v1/values/team").await.expect(200);
    for (what, stream) in &mut streams {
        because(what, &ended(what, stream).await, "access_narrowed");
    }
}

#[tokio::test]
async fn s11_a_document_that_leaves_sight_is_hidden_once() {
    let server = Server::start();
    let root = server.client();
    let mut grant = reading();
    grant["read_filter"] = json!({"owner": "ann"});
    let (key, _) = issue(&root, json!({"grant": grant})).await;
    let ann = root.with_key(key["key"].as_str().unwrap());
    root.post(ORDERS, &json!({"_id": "o", "owner": "ann", "price": 1})).await.expect(201);
    let mut stream = ann.stream(EVENTS, &[]).await;
    let path = format!("{ORDERS}/o");
    let away = root.patch(&path, &json!({"owner": "ben", "note": "bensecret"})).await;
    let away = away.expect(200).position();
    for price in 2..5 {
        root.patch(&path, &json!({"price": price, "note": "bensecret"})).await.expect(200);
    }
    root.delete(&path).await.expect(200);
    root.post(ORDERS, &json!({"_id": "end", "owner": "ann"})).await.expect(201);
    let frames = stream.take(2).await;
    assert_eq!((frames[0].event.as_str(), frames[0].position()), ("document.hidden", away));
    let members: Vec<_> = frames[0].data.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["position", "collection", "id"]);
    assert_eq!(frames[0].data["id"], "o");
    assert_eq!(frames[1].data["id"], "end", "nothing comes of what is hidden: {frames:?}");
}

#[tokio::test]
async fn s11_catching_up_shows_what_may_be_seen_now() {
    let server = Server::start();
    let root = server.client();
    let (key, path) = issue(&root, json!({"grant": reading()})).await;
    let ann = root.with_key(key["key"].as_str().unwrap());
    for (id, owner) in [("a", "ann"), ("b", "ben"), ("c", "ann"), ("d", "ben")] {
        let body = json!({"_id": id, "owner": owner, "price": 1, "n": 1});
        root.post(ORDERS, &body).await.expect(201);
        root.patch(&format!("{ORDERS}/{id}"), &json!({"n": 2})).await.expect(200);
    }
    let earliest = format!("{EVENTS}&from=earliest");
    assert_eq!(ann.stream(&earliest, &[]).await.take(8).await.len(), 8);
    let mut narrow = reading();
    narrow["read_filter"] = json!({"owner": "ann"});
    narrow["fields"] = json!({"exclude": ["price"]});
    root.patch(&path, &json!({"grant": narrow})).await.expect(200);
    root.post(ORDERS, &json!({"_id": "end", "owner": "ann"})).await.expect(201);
    let frames = ann.stream(&earliest, &[]).await.take(5).await;
    let ids: Vec<_> = frames.iter().map(|frame| frame.data["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "a", "c", "c", "end"]);
    assert!(frames.iter().all(|frame| !frame.data.to_string().contains("price")), "{frames:?}");
    let page = ann.get(&earliest).await.expect(200);
    let shown: Vec<_> = page.list("events").iter().map(|event| event["id"].clone()).collect();
    assert_eq!(shown, ["a", "a", "c", "c", "end"]);
}

#[tokio::test]
async fn s11_rights_end_under_load_as_soon() {
    let server = Server::start();
    let root = server.client();
    let (key, path) = issue(&root, json!({"grant": reading()})).await;
    let client = root.with_key(key["key"].as_str().unwrap());
    let headers = vec![("x-apikey", key["key"].as_str().unwrap().to_owned())];
    let mut streams = Vec::new();
    for _ in 0..10 {
        streams.push(open(&root.without_key(), EVENTS, &headers).await);
    }
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let writer = Client::new(&server.url(), Some(ROOT));
            tokio::spawn(async move {
                let documents: Vec<_> = (0..50).map(|n| json!({"n": n})).collect();
                loop {
                    writer.post(ORDERS, &json!(documents)).await.expect(201);
                }
            })
        })
        .collect();
    for stream in &mut streams {
        stream.take(200).await;
    }
    let revoked = root.delete(&path).await.expect(200).position();
    let over = Instant::now();
    for stream in &mut streams {
        let rest = tokio::time::timeout(2 * SOON, stream.rest()).await.expect("it goes on");
        because("under load", rest.last().unwrap(), "credential_revoked");
        // What was committed after the revocation never comes.
        let late = rest.iter().filter(|frame| frame.id.is_some() && frame.position() > revoked);
        assert_eq!(late.count(), 0, "events after the revocation");
    }
    assert!(over.elapsed() < 2 * SOON, "{:?}", over.elapsed());
    writers.iter().for_each(tokio::task::JoinHandle::abort);
    eventually("the key is refused", async || {
        (client.get(EVENTS).await.status == 401).then_some(())
    })
    .await;
}
