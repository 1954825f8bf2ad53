//! Readers that do not read.

use serde_json::json;
use tokio::net::TcpSocket;

use super::{ORDERS, WS, connect};
use crate::harness::{ROOT, Server, Socket};

/// A connection that takes little at once.
async fn narrow(server: &Server) -> Socket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    Socket::over(socket, &server.url(), WS, &[("x-apikey", ROOT)]).await.unwrap()
}

/// Writes so much that it fits in no buffer on the way; the positions.
async fn flood(server: &Server) -> Vec<u64> {
    let client = server.client();
    let text = "x".repeat(100_000);
    let mut positions = Vec::new();
    for n in 0..40 {
        let documents: Vec<_> = (0..10).map(|m| json!({"n": n * 10 + m, "text": text})).collect();
        let last = client.post(ORDERS, &json!(documents)).await.expect(201).position();
        positions.extend(last - 9..=last);
    }
    positions
}

#[tokio::test]
async fn r15_a_reader_that_stalls_disturbs_nobody_and_misses_nothing() {
    let server = Server::start();
    let (mut stalled, mut other) = (narrow(&server).await, connect(&server).await);
    for reference in ["a", "b"] {
        stalled.subscribe(reference, json!({"collections": ["orders"]})).await;
    }
    other.subscribe("a", json!({"collections": ["orders"]})).await;
    let written = flood(&server).await;
    let positions = async |socket: &mut Socket, reference: &str| {
        let frames = socket.take_of(reference, written.len()).await;
        frames.iter().map(|frame| frame.position()).collect::<Vec<u64>>()
    };
    assert_eq!(positions(&mut other, "a").await, written, "while the other stands");
    // It stands: nothing of what it was sent has been taken.
    let page = server.client().get("/v1/admin/subscriptions").await.expect(200);
    let behind = page
        .list("subscriptions")
        .iter()
        .filter(|one| one["cursor"].as_u64().unwrap() < *written.last().unwrap());
    assert_eq!(behind.count(), 2, "{}", page.text);
    // What it says is heard all the same.
    stalled.send(&json!({"op": "ping"})).await;
    assert_eq!(positions(&mut stalled, "a").await, written);
    assert_eq!(positions(&mut stalled, "b").await, written);
    assert_eq!(stalled.next().await, Some(json!({"op": "pong"})));
}

#[tokio::test]
async fn r9_a_stop_does_not_wait_for_readers_that_do_not_read() {
    let mut server = Server::start();
    let mut stalled = Vec::new();
    for _ in 0..3 {
        let mut socket = narrow(&server).await;
        for reference in ["a", "b"] {
            socket.subscribe(reference, json!({"collections": ["orders"]})).await;
        }
        stalled.push(socket);
    }
    flood(&server).await;
    assert_eq!(server.stop().code(), Some(0));
    assert!(!server.log().contains("still open at the stop's deadline"), "{}", server.log());
}
