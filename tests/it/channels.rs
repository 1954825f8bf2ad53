//! Channels: events that are not logged, and who is present.

use serde_json::{Value, json};

use crate::harness::{Client, Server, Stream, eventually};

const ROOM: &str = "/v1/events?channel=room-1";

async fn pass(client: &Client, channel: &str, data: Value) {
    let body = json!({"event": "cursor", "data": data, "channel": channel, "ephemeral": true});
    let answer = client.post("/v1/events", &body).await.expect(201);
    assert_eq!(answer.body, json!({"position": null}));
}

async fn next(stream: &mut Stream) -> (String, Value) {
    let frame = stream.next().await.unwrap();
    assert_eq!(frame.id, None, "what is not logged has no id: {frame:?}");
    (frame.event, frame.data)
}

#[tokio::test]
async fn an_ephemeral_event_reaches_its_channel_and_leaves_no_trace() {
    let server = Server::start();
    let client = server.client();
    let mut room = client.stream(ROOM, &[]).await;
    let mut other = client.stream("/v1/events?channel=room-2", &[]).await;
    let before = client.get("/v1/events").await.expect(200).body["last"].clone();
    pass(&client, "room-1", json!({"x": 1})).await;
    let (event, data) = next(&mut room).await;
    assert_eq!(event, "event.published");
    assert_eq!(data["data"], json!({"x": 1}));
    assert_eq!(data["event"], "cursor");
    assert_eq!(data["ephemeral"], true);
    assert_eq!(data["position"], Value::Null);
    let page = client.get("/v1/events").await.expect(200);
    assert_eq!(page.body["last"], before, "the log has not moved");
    // Logged and ephemeral events of a channel come on the same stream.
    let logged = json!({"event": "answer", "data": 42, "channel": "room-1"});
    let position = client.post("/v1/events", &logged).await.expect(201).position();
    assert_eq!(room.next().await.unwrap().position(), position);
    pass(&client, "room-2", json!(7)).await;
    assert_eq!(next(&mut other).await.1["data"], 7, "the first that it is told of");
}

#[tokio::test]
async fn a_filter_and_kinds_hold_for_what_passes() {
    let server = Server::start();
    let client = server.client();
    let filter = format!("{ROOM}&filter={{\"data.x\":{{\"$gt\":1}}}}");
    let mut filtered = client.stream(&filter, &[]).await;
    let mut documents = client.stream(&format!("{ROOM}&kinds=document.created"), &[]).await;
    for x in 1..=3 {
        pass(&client, "room-1", json!({"x": x})).await;
    }
    assert_eq!(next(&mut filtered).await.1["data"]["x"], 2);
    assert_eq!(next(&mut filtered).await.1["data"]["x"], 3);
    server.signal("TERM");
    assert_eq!(documents.next().await, None, "it asked for none of this");
}

#[tokio::test]
async fn who_is_present_is_told_and_listed() {
    let server = Server::start();
    let client = server.client();
    let members = async || -> Vec<String> {
        let page = client.get("/v1/channels/room-1").await.expect(200);
        let of = |one: &Value| {
            assert!(one["since"].as_str().unwrap().ends_with('Z'), "{one}");
            one["who"].as_str().unwrap().to_owned()
        };
        page.list("members").iter().map(of).collect()
    };
    let mut watcher = client.stream(ROOM, &[]).await;
    assert!(members().await.is_empty());
    let ann = client.stream(&format!("{ROOM}&presence=ann"), &[]).await;
    let (event, data) = next(&mut watcher).await;
    assert_eq!((event.as_str(), &data["who"]), ("presence.join", &json!("ann")));
    assert_eq!(data["channel"], "room-1");
    let bob = client.stream(&format!("{ROOM}&presence=bob"), &[]).await;
    assert_eq!(next(&mut watcher).await.1["who"], "bob");
    assert_eq!(members().await, ["ann", "bob"]);
    let again = client.stream(&format!("{ROOM}&presence=ann"), &[]).await;
    drop(ann);
    drop(bob);
    // She has another stream open.
    let (event, data) = next(&mut watcher).await;
    assert_eq!((event.as_str(), &data["who"]), ("presence.leave", &json!("bob")));
    assert_eq!(members().await, ["ann"]);
    drop(again);
    assert_eq!(next(&mut watcher).await.1["who"], "ann");
    eventually("an empty room", async || members().await.is_empty().then_some(())).await;
    let page = client.get("/v1/events").await.expect(200);
    assert!(page.list("events").is_empty(), "nothing of it is logged");
}

#[tokio::test]
async fn only_whoever_may_publishes_and_listens() {
    let server = Server::start();
    let root = server.client();
    let key = async |channels: Value| {
        let grant = json!({"collections": {}, "channels": channels});
        let issued = root.post("/v1/credentials", &json!({"grant": grant})).await.expect(201);
        root.with_key(issued.body["key"].as_str().unwrap())
    };
    let listener = key(json!({"room-*": ["subscribe"]})).await;
    let speaker = key(json!({"room-*": ["publish"]})).await;
    let body = json!({"event": "typing", "channel": "room-1", "ephemeral": true});
    listener.post("/v1/events", &body).await.refused(403);
    let outside = json!({"event": "typing", "channel": "hall", "ephemeral": true});
    speaker.post("/v1/events", &outside).await.refused(403);
    speaker.refused_stream(ROOM, &[]).await.refused(403);
    speaker.get("/v1/channels/room-1").await.refused(403);
    listener.get("/v1/channels/hall").await.refused(403);
    listener.refused_stream("/v1/events?channel=hall&presence=x", &[]).await.refused(403);
    let mut stream = listener.stream(ROOM, &[]).await;
    speaker.post("/v1/events", &body).await.expect(201);
    assert_eq!(next(&mut stream).await.1["event"], "typing");
}

#[tokio::test]
async fn what_is_wrong_with_a_passing_event_is_named() {
    let server = Server::start();
    let client = server.client();
    let refused = async |body: Value, part: &str| {
        let answer = client.post("/v1/events", &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.text.contains(part), "{}", answer.text);
    };
    refused(json!({"event": "x", "ephemeral": true}), "channel").await;
    refused(json!({"event": "x", "channel": "c", "ephemeral": 1}), "ephemeral").await;
    let long = "x".repeat(70_000);
    let large = json!({"event": "x", "channel": "c", "data": long, "ephemeral": true});
    refused(large, "limits.ephemeral_bytes").await;
    for (query, part) in [
        ("presence=ann", "channel"),
        (&format!("channel=c&presence={}", "x".repeat(256)), "presence"),
        (&format!("channel={}", "x".repeat(256)), "channel"),
    ] {
        let answer = client.refused_stream(&format!("/v1/events?{query}"), &[]).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.text.contains(part), "{}", answer.text);
    }
    let answer = client.get("/v1/events?channel=c&presence=ann").await;
    assert_eq!(answer.status, 400, "a page is nobody: {}", answer.text);
}
