//! Streams over HTTP/1.1 leave the HTTP library once their head is written: what is on the wire must not show it.
//!
//! Everything here reads the socket itself, byte by byte, so that nothing is forgiven.

use serde_json::{Value, json};

use tokio::io::AsyncWriteExt;

use crate::harness::wire::{RETRY, Wire, follow, request};
use crate::harness::{Client, Server, eventually};

const ORDERS: &str = "/v1/collections/orders/documents";
const FOLLOW: &str = "/v1/events?collections=orders";

async fn write(client: &Client) -> u64 {
    client.post(ORDERS, &json!({})).await.expect(201).position()
}

async fn figure(client: &Client, name: &str) -> f64 {
    let figures = client.get("/metrics").await.expect(200).text;
    let value = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap().parse().unwrap()
}

async fn streams(client: &Client) -> usize {
    client.get("/v1/admin/subscriptions").await.expect(200).list("subscriptions").len()
}

/// Waits until so many streams are registered and so many connections open, beside the one that asks.
async fn left(client: &Client, count: usize) {
    eventually(&format!("{count} streams are left"), || async {
        let open = figure(client, "headwater_connections").await;
        (streams(client).await == count && open == count as f64 + 1.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_head_says_chunked_and_close_and_chunks_follow() {
    let server = Server::start();
    let mut wire = Wire::open(&server).await;
    wire.send(&follow(FOLLOW)).await;
    let head = wire.until("\r\n\r\n").await;
    let mut lines = head.trim_end().split("\r\n");
    assert_eq!(lines.next(), Some("HTTP/1.1 200 OK"));
    let headers: Vec<_> = lines.map(|line| line.split_once(": ").unwrap()).collect();
    let values = |name: &str| -> Vec<&str> {
        let named = headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| *value).collect()
    };
    assert_eq!(values("content-type"), ["text/event-stream"]);
    assert_eq!(values("transfer-encoding"), ["chunked"]);
    assert_eq!(values("connection"), ["close"]);
    assert_eq!(values("content-length"), [""; 0]);
    assert_eq!(values("date").len(), 1);
    assert!(wire.chunk().await.starts_with(RETRY));
    let position = write(&server.client()).await;
    let frame = wire.chunk().await;
    assert!(frame.starts_with(&format!("id: {position}\nevent: document.created\n")), "{frame}");
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_no_chunks_and_head_gets_no_body() {
    let server = Server::start();
    let mut wire = Wire::open(&server).await;
    wire.send(&request("GET", FOLLOW, "1.0", "accept: text/event-stream\r\n")).await;
    let head = wire.until("\r\n\r\n").await.to_lowercase();
    assert!(!head.contains("transfer-encoding"), "{head}");
    write(&server.client()).await;
    let text = wire.until("event: document.created\n").await;
    assert!(text.starts_with(RETRY), "{text}");
    let mut wire = Wire::open(&server).await;
    let accept = "accept: text/event-stream\r\nconnection: close\r\n";
    wire.send(&request("HEAD", FOLLOW, "1.1", accept)).await;
    let head = wire.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    wire.end().await;
}

#[tokio::test]
async fn a_refused_stream_leaves_the_connection_as_it_was() {
    let server = Server::start();
    let mut wire = Wire::open(&server).await;
    wire.send(&follow("/v1/events?kinds=x")).await;
    let refusal = wire.until("\"request_id\":").await;
    assert!(refusal.starts_with("HTTP/1.1 400 "), "{refusal}");
    wire.until("}}").await;
    wire.send(&follow(FOLLOW)).await;
    let head = wire.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(wire.chunk().await.starts_with(RETRY));
}

#[tokio::test]
async fn pipelined_requests_are_answered_before_a_stream_and_not_after_it() {
    let server = Server::start();
    let client = server.client();
    let health = request("GET", "/healthz", "1.1", "");
    let mut wire = Wire::open(&server).await;
    wire.send(&format!("{health}{health}{}{health}{health}", follow(FOLLOW))).await;
    for _ in 0..2 {
        let head = wire.until("\r\n\r\n").await;
        assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
        wire.until("}").await;
    }
    let head = wire.until("\r\n\r\n").await;
    assert!(head.contains("\r\ncontent-type: text/event-stream\r\n"), "{head}");
    assert!(wire.chunk().await.starts_with(RETRY));
    for _ in 0..3 {
        wire.send(&health).await;
        let position = write(&client).await;
        let frame = wire.chunk().await;
        assert!(frame.starts_with(&format!("id: {position}\n")), "{frame}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_at_once() {
    let server = Server::start();
    let client = server.client();
    let mut witness = Wire::following(&server, FOLLOW).await;
    let closing = Wire::following(&server, FOLLOW).await;
    let mut finishing = Wire::following(&server, FOLLOW).await;
    let mut resetting = Wire::open(&server).await;
    resetting.send(&follow(FOLLOW)).await;
    left(&client, 4).await;
    drop(closing);
    finishing.socket.shutdown().await.unwrap();
    // What was not read makes the close a reset.
    resetting.socket.readable().await.unwrap();
    drop(resetting);
    left(&client, 1).await;
    // A heartbeat would have found them, too, but later.
    let early = witness.socket.try_read_buf(&mut witness.read);
    assert_eq!(early.unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "{:?}", witness.read);
}

#[tokio::test]
async fn r9_a_stop_ends_chunks_and_connection_in_order() {
    let mut server = Server::start();
    let mut wire = Wire::following(&server, FOLLOW).await;
    let position = write(&server.client()).await;
    assert!(wire.chunk().await.starts_with(&format!("id: {position}\n")));
    server.signal("TERM");
    assert_eq!(wire.chunk().await, ": the server is stopping; resume at the last id\n\n");
    assert_eq!(wire.chunk().await, "", "the last chunk");
    wire.end().await;
    assert_eq!(server.ended().code(), Some(0));
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_hold_up_the_stop() {
    let mut server = Server::start();
    let client = server.client();
    let mut wire = Wire::narrow(&server).await;
    wire.send(&follow(FOLLOW)).await;
    left(&client, 1).await;
    fill(&client).await;
    assert_eq!(server.stop().code(), Some(0));
}

#[tokio::test]
async fn a_slow_reader_gets_every_event_once_and_in_order() {
    let server = Server::start();
    let client = server.client();
    let mut wire = Wire::narrow(&server).await;
    wire.send(&follow(FOLLOW)).await;
    let mut witness = client.stream(FOLLOW, &[]).await;
    left(&client, 2).await;
    let written = fill(&client).await;
    let witnessed = witness.take(written.len()).await;
    assert!(witnessed.iter().map(|frame| frame.position()).eq(written.iter().copied()));
    // Others went on; what this one did not read was not taken into memory instead.
    assert!(figure(&client, "headwater_subscriber_lag_events").await > 0.0);
    wire.until("\r\n\r\n").await;
    let mut text = String::new();
    let mut seen = Vec::new();
    while seen.len() < written.len() {
        text.push_str(&wire.chunk().await);
        while let Some(end) = text.find("\n\n") {
            let frame: String = text.drain(..end + 2).collect();
            let Some(data) = frame.lines().find_map(|line| line.strip_prefix("data: ")) else {
                continue;
            };
            let event: Value = serde_json::from_str(data).unwrap();
            seen.push(event["position"].as_u64().unwrap());
        }
    }
    assert_eq!(seen, written);
}

/// Writes more than the sockets between server and client hold; the positions.
async fn fill(client: &Client) -> Vec<u64> {
    const EACH: u64 = 250;
    let filling = "x".repeat(4000);
    let documents: Vec<_> = (0..EACH).map(|n| json!({"n": n, "filling": filling})).collect();
    let documents = json!(documents);
    let mut written = Vec::new();
    for _ in 0..16 {
        let last = client.post(ORDERS, &documents).await.expect(201).position();
        written.extend(last + 1 - EACH..=last);
    }
    written
}
