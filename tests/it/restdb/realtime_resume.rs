//! Coming back: where a reader was cut it goes on, and a place that is gone is never passed over.

use serde_json::json;

use super::key;
use super::realtime::{Realtime, end};
use crate::harness::Server;
use crate::harness::wire::{Wire, follow};

#[tokio::test]
async fn r12_a_reader_resumes_in_each_of_three_ways_without_gap_or_double() {
    let server = Server::start();
    let root = server.client();
    let first = root.post("/rest/chat", &json!({"n": 0})).await.expect(201).position();
    let writer = tokio::spawn({
        let root = root.clone();
        async move {
            let mut places = Vec::new();
            for n in 0..300 {
                places.push(root.post("/rest/chat", &json!({"n": n})).await.expect(201).position());
            }
            places
        }
    });
    let (mut seen, mut last) = (Vec::new(), first);
    for round in 0.. {
        let text = last.to_string();
        let (path, headers) = match round % 4 {
            0 => (format!("/realtime?lastEventId={text}"), vec![]),
            1 => (format!("/realtime?last_event_id={text}&r=12345"), vec![]),
            // What the browser sends is newer than what its address says.
            2 => ("/realtime?lastEventId=0".to_owned(), vec![("last-event-id", text.as_str())]),
            _ => ("/realtime?lastEventId=&r=1".to_owned(), vec![("last-event-id", text.as_str())]),
        };
        let mut stream = Realtime::with(&root, &path, &headers).await;
        let part = stream.take((round * 7 % 23 + 1).min(300 - seen.len())).await;
        seen.extend(part.iter().map(|frame| frame.id.unwrap()));
        last = *seen.last().unwrap();
        if seen.len() == 300 {
            break;
        }
    }
    assert_eq!(seen, writer.await.unwrap());
}

#[tokio::test]
async fn r12_a_reader_that_was_cut_before_its_first_event_misses_nothing() {
    let server = Server::start();
    let root = server.client();
    root.post("/rest/chat", &json!({"n": 0})).await.expect(201);
    let mut stream = Realtime(root.stream("/realtime?lastEventId=&r=7", &[]).await);
    let ping = stream.any().await.unwrap();
    drop(stream);
    let place = root.post("/rest/chat", &json!({"n": 1})).await.expect(201).position();
    let id = ping.id.unwrap().to_string();
    let mut again = Realtime::with(&root, "/realtime", &[("last-event-id", &id)]).await;
    assert_eq!(again.next().await.unwrap().id, Some(place));
}

#[tokio::test]
async fn r12_a_place_that_is_gone_or_of_another_history_is_410() {
    let server = Server::start();
    let root = server.client();
    root.post("/rest/chat", &json!({"n": 0})).await.expect(201);
    let other = format!("1@{}", "0".repeat(32));
    for id in ["1000", other.as_str()] {
        for name in ["lastEventId", "last_event_id"] {
            let refused = root.get(&format!("/realtime?{name}={id}")).await.expect(410);
            assert_eq!(refused.body["name"], "Gone", "{}", refused.text);
        }
        let headers = [("last-event-id", id)];
        root.refused_stream("/realtime", &headers).await.expect(410);
    }
    for id in ["x", "-1", "latest", "1.5"] {
        root.get(&format!("/realtime?lastEventId={id}")).await.expect(400);
    }
}

#[tokio::test]
async fn r12_a_stream_goes_on_after_a_restart() {
    let mut server = Server::start();
    let root = server.client();
    let mut stream = Realtime::open(&root, "/realtime").await;
    root.post("/rest/chat", &json!({"n": 1})).await.expect(201);
    let seen = stream.next().await.unwrap();
    root.post("/rest/chat", &json!({"n": 2})).await.expect(201);
    server.kill();
    while stream.any().await.is_some() {}
    server.restart();
    let root = server.client();
    root.post("/rest/chat", &json!({"n": 3})).await.expect(201);
    let id = seen.id.unwrap().to_string();
    let mut again = Realtime::with(&root, "/realtime", &[("last-event-id", &id)]).await;
    let told: Vec<String> = again.take(2).await.iter().map(super::realtime::Frame::told).collect();
    assert_eq!(told, ["post chat 2", "post chat 3"]);
}

#[tokio::test]
async fn r14_a_stop_ends_the_stream_with_a_comment() {
    let mut server = Server::start();
    let root = server.client();
    let mut stream = Realtime::open(&root, "/realtime").await;
    server.signal("TERM");
    let mut last = String::new();
    while let Some(block) = stream.0.block().await {
        last = block;
    }
    assert!(last.starts_with(": "), "{last}");
    assert!(server.ended().success());
}

#[tokio::test]
async fn streams_are_counted_against_the_key() {
    let server = Server::with(&[("HEADWATER_LIMITS__CONNECTIONS_PER_KEY", "1")]);
    let root = server.client();
    let reader = key(&root, json!({"grant": {"realtime": ["*"]}})).await;
    let stream = Realtime::open(&reader, "/realtime").await;
    let refused = reader.get("/realtime").await.expect(429);
    assert_eq!(refused.body["name"], "TooManyRequests");
    drop(stream);
}

#[tokio::test]
async fn r13_a_reader_that_takes_nothing_holds_up_nobody_and_misses_nothing() {
    const BATCHES: usize = 40;
    let server = Server::start();
    let root = server.client();
    let mut stalled = Wire::narrow(&server).await;
    stalled.send(&follow("/realtime")).await;
    stalled.until("\r\n\r\n").await;
    let mut other = Realtime::open(&root, "/realtime").await;
    let text = "x".repeat(4000);
    for _ in 0..BATCHES {
        let many: Vec<_> = (0..50).map(|n| json!({"n": n, "text": text})).collect();
        root.post("/rest/chat", &json!(many)).await.expect(201);
    }
    end(&root).await;
    let told = other.until_end().await;
    assert_eq!(told.len(), BATCHES * 50);
    let mut text = String::new();
    while !text.contains("event: publish") {
        text += &stalled.chunk().await;
    }
    let mut places = Vec::new();
    for block in text.split("\n\n").filter(|block| block.contains("\nevent: post\n")) {
        places.push(block[4..block.find('\n').unwrap()].parse::<u64>().unwrap());
    }
    assert_eq!(places.len(), BATCHES * 50);
    assert!(places.is_sorted_by(|one, next| one < next));
}
