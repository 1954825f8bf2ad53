//! Pings of `/realtime`, and many who are told the same.

use std::time::Duration;

use serde_json::json;

use super::key;
use super::realtime::{Frame, Realtime};
use crate::harness::{PATIENCE, Server};

#[tokio::test]
async fn pings_come_in_a_busy_stream() {
    let server = Server::with(&[("HEADWATER_SERVER__HEARTBEAT_MS", "500")]);
    let root = server.client();
    let mut stream = Realtime::open(&root, "/realtime").await;
    let writer = tokio::spawn({
        let root = root.clone();
        async move {
            loop {
                root.post("/rest/chat", &json!({"n": 1})).await.expect(201);
            }
        }
    });
    let pings = async {
        let (mut pings, mut busy) = (0, 0);
        // Frames that came so soon after one another that no silence called for a ping.
        let mut last = tokio::time::Instant::now();
        while pings < 3 {
            let frame = stream.any().await.unwrap();
            if frame.event != "ping" {
                busy += usize::from(last.elapsed() < Duration::from_millis(400));
                last = tokio::time::Instant::now();
            } else if busy > 0 {
                (pings, busy) = (pings + 1, 0);
            }
        }
    };
    tokio::time::timeout(PATIENCE, pings).await.expect("no pings between the events");
    writer.abort();
}

#[tokio::test]
async fn a_ping_has_the_place_that_nothing_before_concerned_the_reader() {
    let server = Server::with(&[("HEADWATER_SERVER__HEARTBEAT_MS", "100")]);
    let root = server.client();
    let reader = key(&root, json!({"grant": {"realtime": ["POST:a"]}})).await;
    let mut stream = Realtime::open(&reader, "/realtime").await;
    let place = root.post("/rest/b", &json!({"n": 1})).await.expect(201).position();
    loop {
        let frame = stream.any().await.unwrap();
        assert_eq!(frame.event, "ping");
        if frame.id.is_some_and(|id| id >= place) {
            break;
        }
    }
}

#[tokio::test]
async fn two_hundred_subscribers_are_told_the_same_bytes() {
    let server = Server::start();
    let root = server.client();
    let made = root.post("/rest/chat", &json!({"n": 0})).await.expect(201);
    let place = made.position();
    let reader = key(&root, json!({"grant": {"realtime": ["*:chat"]}})).await;
    let path = format!("/realtime?lastEventId={place}");
    let open = (0..200).map(|_| Realtime::open(&reader, &path));
    let streams = futures_util::future::join_all(open).await;
    for n in 0..20 {
        root.post("/rest/chat", &json!({"n": n})).await.expect(201);
    }
    let read = streams.into_iter().map(async |mut stream| stream.take(20).await);
    let read = futures_util::future::join_all(read).await;
    let told: Vec<String> = read[0].iter().map(Frame::told).collect();
    assert_eq!(told, (0..20).map(|n| format!("post chat {n}")).collect::<Vec<_>>());
    assert!(read.iter().all(|frames| *frames == read[0]));
}
