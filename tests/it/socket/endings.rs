//! How connections end: by what a peer may not send, by silence, by the stop of the server.

use std::time::Instant;

use serde_json::json;

use super::{WS, connect, create};
use crate::harness::{PATIENCE, Server, Socket};

/// A frame of a client, masked by zeros.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..65536 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[tokio::test]
async fn what_may_not_be_sent_closes_with_its_code() {
    let server = Server::with(&[("HEADWATER_LIMITS__MESSAGE_BYTES", "4096")]);
    let client = server.client();
    let fits = json!({"op": "ping"}).to_string() + &" ".repeat(4096 - 13);
    assert_eq!(fits.len(), 4096);
    let long = vec![b' '; 4097];
    let half = vec![b' '; 3000];
    let announced = [&[0x81, 0x80 | 127][..], &(1_u64 << 40).to_be_bytes(), &[0; 4]].concat();
    let cases: [(&str, Vec<u8>, u16); 17] = [
        ("a reserved bit", masked(0xc1, b"{}"), 1002),
        ("a reserved opcode", masked(0x83, b"{}"), 1002),
        ("a reserved control opcode", masked(0x8b, b""), 1002),
        ("a frame that is not masked", vec![0x81, 2, b'{', b'}'], 1002),
        ("a continuation of nothing", masked(0x80, b"{}"), 1002),
        ("a text within a text", [masked(0x01, b"{"), masked(0x81, b"}")].concat(), 1002),
        ("a ping in pieces", masked(0x09, b""), 1002),
        ("a long ping", masked(0x89, &[0; 126]), 1002),
        ("a close of one byte", masked(0x88, &[3]), 1002),
        ("a close with a code of nobody", masked(0x88, &999_u16.to_be_bytes()), 1002),
        ("not UTF-8", masked(0x81, b"{\"op\":\"\xff\"}"), 1007),
        ("a half of a letter", masked(0x81, b"\xc3"), 1007),
        ("not UTF-8, in pieces", [masked(0x01, b"\xff"), masked(0x80, b"")].concat(), 1007),
        ("a long message", masked(0x81, &long), 1009),
        ("long in pieces", [masked(0x01, &half), masked(0x80, &half)].concat(), 1009),
        ("a frame announced as long", announced, 1009),
        ("binary", masked(0x82, b"{}"), 1003),
    ];
    let mut other = connect(&server).await;
    other.subscribe("a", json!({"collections": ["orders"]})).await;
    for (what, bytes, code) in cases {
        let mut socket = connect(&server).await;
        socket.subscribe("a", json!({"collections": ["orders"]})).await;
        socket.send_text(&fits).await;
        assert_eq!(socket.next().await, Some(json!({"op": "pong"})), "{what}");
        socket.send_raw(&bytes).await;
        // More is on its way when the connection is closed; the last frame comes through all the same.
        socket.send_raw(&masked(0x81, &[b' '; 100])).await;
        assert_eq!(socket.ending().await, code, "{what}: {:?}", socket.closed);
    }
    let position = create(&client, "orders", json!({})).await;
    assert_eq!(other.take_of("a", 1).await[0].position(), position);
    other.close().await;
}

#[tokio::test]
async fn a_message_may_come_in_pieces_and_a_large_one_goes_in_pieces() {
    let server = Server::start();
    let client = server.client();
    let mut socket = connect(&server).await;
    let pieces = [masked(0x01, b"{\"op\":"), masked(0x89, b"ping"), masked(0x80, b"\"ping\"}")];
    socket.send_raw(&pieces.concat()).await;
    assert_eq!(socket.next().await, Some(json!({"op": "pong"})));
    assert_eq!(socket.pongs, 1, "a ping between the pieces");
    socket.subscribe("a", json!({"collections": ["orders"]})).await;
    let text = "é".repeat(1 << 20);
    create(&client, "orders", json!({"text": text})).await;
    create(&client, "orders", json!({"n": 2})).await;
    let frames = socket.take_of("a", 2).await;
    assert!(frames[0].data["document"]["text"] == text, "two million bytes arrive as they were");
    assert_eq!(frames[1].data["document"]["n"], 2);
}

#[tokio::test]
async fn a_peer_is_asked_whether_it_lives_and_left_when_it_does_not() {
    let server = Server::with(&[("HEADWATER_SERVER__HEARTBEAT_MS", "200")]);
    let client = server.client();
    let (mut silent, mut alive) = (connect(&server).await, connect(&server).await);
    for socket in [&mut silent, &mut alive] {
        socket.subscribe("a", json!({"collections": ["orders"]})).await;
    }
    // Writes go on all the while: a peer that only listens is asked, too.
    let listening = async {
        let begun = Instant::now();
        while alive.pings < 10 {
            assert!(begun.elapsed() < PATIENCE, "{} pings", alive.pings);
            create(&client, "orders", json!({})).await;
            alive.take_of("a", 1).await;
        }
    };
    let (bytes, ()) = tokio::join!(silent.unanswered(), listening);
    let asked = bytes.windows(2).filter(|pair| *pair == [0x89, 0]).count();
    assert!(asked >= 2, "{asked} pings");
    let close = bytes.windows(4).filter(|four| four[0] == 0x88 && four[2..] == [0x03, 0xe9]);
    assert_eq!(close.count(), 1, "1001 is the last it is told");
    assert_eq!(alive.ask(json!({"op": "ping"})).await, json!({"op": "pong"}));
}

#[tokio::test]
async fn r9_a_stop_closes_every_subscription_and_says_to_resume() {
    let mut server = Server::start();
    let client = server.client();
    let mut socket = connect(&server).await;
    let mut guest = Socket::open(&server.url(), WS, &[]).await.unwrap();
    for reference in ["a", "b", "c"] {
        socket.subscribe(reference, json!({"collections": ["orders"]})).await;
    }
    let position = create(&client, "orders", json!({})).await;
    server.signal("TERM");
    let (mut seen, mut closed) = (Vec::new(), Vec::new());
    while let Some(message) = socket.next().await {
        let reference = message["ref"].as_str().unwrap().to_owned();
        match message["op"].as_str().unwrap() {
            "event" => {
                assert!(!closed.contains(&reference), "an event after the last word");
                assert_eq!(message["id"], position);
                seen.push(reference);
            }
            _ => {
                assert_eq!(message["reason"], "stopping", "{message}");
                closed.push(reference);
            }
        }
    }
    for list in [&mut seen, &mut closed] {
        list.sort_unstable();
        assert_eq!(*list, ["a", "b", "c"]);
    }
    let (code, reason) = socket.closed.clone().unwrap();
    assert_eq!(code, 1001);
    assert!(reason.contains("resume"), "{reason}");
    assert_eq!(guest.ending().await, 1001);
    assert_eq!(server.ended().code(), Some(0));
    server.restart();
    let next = create(&client, "orders", json!({})).await;
    let mut socket = connect(&server).await;
    socket.subscribe("a", json!({"collections": ["orders"], "from": position})).await;
    assert_eq!(socket.take_of("a", 1).await[0].position(), next);
}

#[tokio::test]
async fn connections_taken_over_count_as_connections() {
    let server = Server::start();
    let client = server.client();
    let open = async || {
        let text = client.get("/metrics").await.text;
        let line = text.lines().find(|line| line.starts_with("headwater_connections "));
        line.unwrap_or_else(|| panic!("{text}")).split(' ').nth(1).unwrap().to_owned()
    };
    let sockets = [connect(&server).await, connect(&server).await];
    assert_eq!(open().await, "3", "with the one that asks");
    drop(sockets);
    crate::harness::eventually("they left", async || (open().await == "1").then_some(())).await;
}
