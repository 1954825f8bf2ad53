//! `/realtime`: the frames, byte for byte.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{id, key};
use crate::harness::{Answer, Client, PATIENCE, Server, Stream};

/// A frame as it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Frame {
    pub(super) id: Option<u64>,
    pub(super) event: String,
    pub(super) data: String,
}

impl Frame {
    /// Its data, which is JSON but for pings.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    /// The event, the collection or the name, and the id or the content.
    pub(super) fn told(&self) -> String {
        let told = self.json();
        if self.event != "publish" {
            assert_eq!(told["event"], self.event, "{self:?}");
        }
        match self.event.as_str() {
            "post" => format!("post {} {}", told["collection"], told["data"]["n"]),
            "publish" => format!("publish {} {}", told["event"], told["data"]),
            event => format!("{event} {}", told["collection"]),
        }
        .replace('"', "")
    }
}

/// A stream of realtime.
pub(super) struct Realtime(pub(super) Stream);

impl Realtime {
    /// Follows; its first frame, a ping, was read.
    pub(super) async fn open(client: &Client, path: &str) -> Self {
        Self::with(client, path, &[]).await
    }

    /// The same, with headers.
    pub(super) async fn with(client: &Client, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut stream = Self(client.stream(path, headers).await);
        assert_eq!(stream.any().await.unwrap().event, "ping");
        stream
    }

    /// The next frame, pings among them; `None` at the end.
    pub(super) async fn any(&mut self) -> Option<Frame> {
        self.any_until(Instant::now() + PATIENCE).await
    }

    async fn any_until(&mut self, deadline: Instant) -> Option<Frame> {
        loop {
            let block = self.0.block_until(deadline).await?;
            if !block.starts_with(':') {
                return Some(frame(&block));
            }
        }
    }

    /// The next frame that is no ping. Pings do not make the wait longer.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let frame = self.any_until(deadline).await?;
            if frame.event != "ping" {
                return Some(frame);
            }
        }
    }

    /// So many frames that are no pings.
    pub(super) async fn take(&mut self, count: usize) -> Vec<Frame> {
        let mut frames = Vec::new();
        while frames.len() < count {
            frames.push(self.next().await.expect("the stream ended early"));
        }
        frames
    }

    /// What comes until a custom event `end` does, in short.
    pub(super) async fn until_end(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            let next = self.next().await.expect("the stream ended early").told();
            if next.starts_with("publish end") {
                return told;
            }
            told.push(next);
        }
    }
}

/// A frame, held to the order of its lines.
fn frame(block: &str) -> Frame {
    let mut lines = block.lines().peekable();
    let id = lines.next_if(|line| line.starts_with("id: ")).map(|line| &line[4..]);
    let id = id.map(|id| id.split('@').next().unwrap().parse().unwrap());
    let event = lines.next().and_then(|line| line.strip_prefix("event: ")).expect(block);
    let data = lines.next().and_then(|line| line.strip_prefix("data: ")).expect(block);
    assert_eq!(lines.next(), None, "{block}");
    if event == "ping" {
        check_time(data);
    } else {
        assert!(id.is_some(), "{block}");
    }
    Frame { id, event: event.to_owned(), data: data.to_owned() }
}

/// A ping is the time of now, in UTC with milliseconds, without quotes.
fn check_time(text: &str) {
    let read = headwater_engine::value::date::parse_ms(text).expect(text);
    assert!(text.len() == 24 && text.ends_with('Z'), "{text}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let now = i64::try_from(now).unwrap();
    // The server's clock is this one; what is old was made long before it was read.
    assert!(read <= now && now - read < 60_000, "{text}");
}

/// Publishes the custom event at which a test stops reading.
pub(super) async fn end(root: &Client) {
    root.post("/realtime", &json!({"event": "end"})).await.expect(200);
}

/// When the event at a position was, as the native page of events says it.
async fn time(root: &Client, position: u64) -> String {
    let path = format!("/v1/events?from={}&to={position}", position - 1);
    let page = root.get(&path).await.expect(200);
    page.list("events")[0]["time"].as_str().unwrap().to_owned()
}

async fn wanted(root: &Client, answer: &Answer, event: &str, data: &str) -> String {
    let (position, ts) = (answer.position(), time(root, answer.position()).await);
    format!(
        "id: {position}\nevent: {event}\n\
         data: {{\"ts\":\"{ts}\",\"event\":\"{event}\",\"collection\":\"chat\",\"data\":{data}}}"
    )
}

#[tokio::test]
async fn frames_are_byte_for_byte_those_of_the_reference() {
    let server = Server::start();
    let root = server.client();
    let mut stream = root.stream("/realtime", &[]).await;
    let header = |name: &str| stream.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/event-stream");
    assert!(header("cache-control").starts_with("no-cache"));
    assert_eq!(header("x-accel-buffering"), "no");
    // At once, with the place to come back to.
    let first = stream.block().await.unwrap();
    let now = first.strip_prefix("id: 0\nevent: ping\ndata: ").expect(&first);
    check_time(now);
    let body = json!({"text": "a\n\"b\"", "n": 1.5, "_created": "never", "first name": "ü"});
    let made = root.post("/rest/chat", &body).await.expect(201);
    let id = id(&made.body).to_owned();
    let path = format!("/rest/chat/{id}");
    let patched = root.patch(&path, &json!({"n": 2})).await.expect(200);
    let put = root.put(&path, &json!({"n": 3})).await.expect(200);
    let deleted = root.delete(&path).await.expect(200);
    let published = root.post("/realtime", &json!({"event": "answer", "data": {"name": 42}}));
    let published = published.await.expect(200);
    assert_eq!(published.text, r#"{"event":"answer","data":{"name":42}}"#);
    let (position, ts) = (published.position(), time(&root, published.position()).await);
    let custom = format!(
        "id: {position}\nevent: publish\ndata: {{\"ts\":\"{ts}\",\"event\":\"answer\",\
         \"data\":{{\"name\":42}}}}"
    );
    let all = [
        // The document is the very text of the answer.
        wanted(&root, &made, "post", &made.text).await,
        wanted(&root, &patched, "put", &format!("\"{id}\"")).await,
        wanted(&root, &put, "put", &format!("\"{id}\"")).await,
        wanted(&root, &deleted, "delete", &format!("[\"{id}\"]")).await,
        custom,
    ];
    assert!(made.text.contains(r#""_createdby":"api","_changedby":"api"}"#), "{}", made.text);
    for wanted in all {
        let mut told = stream.block().await.unwrap();
        while told.contains("event: ping") {
            told = stream.block().await.unwrap();
        }
        assert_eq!(told, wanted);
    }
}

#[tokio::test]
async fn each_document_of_a_request_is_an_event_of_its_own() {
    let server = Server::start();
    let root = server.client();
    let mut stream = Realtime::open(&root, "/realtime").await;
    let many: Vec<Value> = (0..5).map(|n| json!({"n": n})).collect();
    let made = root.post("/rest/chat", &json!(many)).await.expect(201).body;
    let ids: Vec<&str> = made.as_array().unwrap().iter().map(id).collect();
    for (n, frame) in stream.take(5).await.iter().enumerate() {
        assert_eq!(
            (frame.told(), frame.json()["data"].clone()),
            (format!("post chat {n}"), made[n].clone())
        );
    }
    root.send(root.request("DELETE", "/rest/chat/*").json(&ids)).await.expect(200);
    let deleted = stream.take(5).await;
    for (frame, id) in deleted.iter().zip(&ids) {
        assert_eq!((frame.event.as_str(), &frame.json()["data"]), ("delete", &json!([id])));
    }
    let places: Vec<u64> = deleted.iter().map(|frame| frame.id.unwrap()).collect();
    assert!(places.is_sorted_by(|one, next| one < next), "{places:?}");
}

#[tokio::test]
async fn writes_of_every_face_come_and_the_system_stays_silent() {
    let server = Server::start();
    let root = server.client();
    let mut stream = Realtime::open(&root, "/realtime").await;
    root.post("/v1/collections/chat/documents", &json!({"_id": 7, "n": 1})).await.expect(201);
    let role = json!({"collections": {"*": {"read": true}}});
    root.put("/v1/roles/reader", &role).await.expect(201);
    key(&root, json!({"grant": {"admin": true}})).await;
    root.patch("/v1/collections/chat/documents/7", &json!({"n": 2})).await.expect(200);
    root.post("/v1/events", &json!({"event": "a", "data": 1, "channel": "room"})).await.expect(201);
    root.delete("/v1/collections/chat/documents/7").await.expect(200);
    end(&root).await;
    let told = stream.until_end().await;
    assert_eq!(told, ["post chat 1", "put chat", "publish a 1", "delete chat"]);
}

#[tokio::test]
async fn a_member_that_passes_for_a_system_field_is_not_told() {
    let server = Server::start();
    let root = server.client();
    let mut stream = Realtime::open(&root, "/realtime").await;
    let forged = json!({"_id": "a", "n": 1, "_created": "forged", "_createdby": "forged",
        "_version": "forged", "_keywords": "forged"});
    root.post("/v1/collections/chat/documents", &forged).await.expect(201);
    let frame = stream.next().await.unwrap();
    let told = frame.json()["data"].clone();
    assert!(!frame.data.contains("forged"), "{}", frame.data);
    assert_eq!((&told["n"], &told["_createdby"]), (&json!(1), &json!("api")));
    assert_eq!(told.as_object().unwrap().len(), 6, "{told}");
}

#[tokio::test]
async fn what_was_erased_is_told_of_by_its_id_at_most() {
    let server = Server::start();
    let root = server.client();
    let mut stream = Realtime::open(&root, "/realtime?collections=chat").await;
    let made = root.post("/rest/chat", &json!({"secret": "hush"})).await.expect(201).body;
    stream.next().await.unwrap();
    let erase = json!({"collection": "chat", "id": id(&made)});
    root.post("/v1/admin/erase", &erase).await.expect(200);
    end(&root).await;
    let gone = stream.next().await.unwrap();
    assert_eq!((gone.event.as_str(), &gone.json()["data"]), ("delete", &json!([id(&made)])));
    // Whoever comes from before hears nothing of what it was.
    let mut again = Realtime::open(&root, "/realtime?lastEventId=0").await;
    let mut told = String::new();
    loop {
        let frame = again.next().await.unwrap();
        if frame.event == "publish" {
            break;
        }
        assert_eq!(frame.event, "delete", "{frame:?}");
        told += &frame.data;
    }
    assert!(!told.contains("hush"), "{told}");
}

#[tokio::test]
async fn collections_may_be_named() {
    let server = Server::start();
    let root = server.client();
    for query in ["collections=a,c,not-there", "collection=a&collection=c"] {
        let mut stream = Realtime::open(&root, &format!("/realtime?{query}")).await;
        for collection in ["a", "b", "c"] {
            root.post(&format!("/rest/{collection}"), &json!({"n": 1})).await.expect(201);
        }
        end(&root).await;
        assert_eq!(stream.until_end().await, ["post a 1", "post c 1"], "{query}");
    }
    let mut users = Realtime::open(&root, "/realtime?collections=_users").await;
    let user = json!({"email": "ann@example.com", "password": "a long password"});
    root.post("/v1/users", &user).await.expect(201);
    end(&root).await;
    assert!(users.until_end().await.is_empty());
}
