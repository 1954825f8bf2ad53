//! Streams of events: where they start, how they resume, how they end.

use serde_json::json;

use crate::harness::{Client, Server, Stream};

const ORDERS: &str = "/v1/collections/orders/documents";

async fn write(client: &Client, count: u32) -> u64 {
    let mut last = 0;
    for _ in 0..count {
        last = client.post(ORDERS, &json!({})).await.expect(201).position();
    }
    last
}

async fn positions(stream: &mut Stream, count: usize) -> Vec<u64> {
    stream.take(count).await.iter().map(|frame| frame.position()).collect()
}

#[tokio::test]
async fn r14_a_stream_begins_with_retry_and_says_not_to_buffer() {
    let server = Server::start();
    let client = server.client();
    let mut stream = client.stream("/v1/events", &[]).await;
    let header = |name: &str| stream.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/event-stream");
    assert_eq!(header("cache-control"), "no-cache, no-transform");
    assert_eq!(header("x-accel-buffering"), "no");
    let page = client.get("/v1/events").await.expect(200);
    assert_eq!(header("headwater-epoch"), page.body["epoch"]);
    assert_eq!(stream.block().await.unwrap(), "retry: 1000\nid: 0");
    let heartbeat = stream.block().await.unwrap();
    assert!(heartbeat.starts_with(':'), "a comment breaks the silence within 15 s: {heartbeat}");
}

#[tokio::test]
async fn a_frame_has_the_position_as_id_the_kind_as_event_and_the_event_as_data() {
    let server = Server::start();
    let client = server.client();
    let mut stream = client.stream("/v1/events?collections=orders", &[]).await;
    let position = client.post(ORDERS, &json!({"_id": "a"})).await.expect(201).position();
    let frame = stream.next().await.unwrap();
    assert_eq!(frame.id, Some(position.to_string()));
    assert_eq!(frame.event, "document.created");
    let page = client.get("/v1/events?collections=orders").await.expect(200);
    assert_eq!(frame.data, page.list("events")[0]);
}

#[tokio::test]
async fn every_start_of_the_contract_is_understood() {
    let server = Server::start();
    let client = server.client();
    let last = write(&client, 4).await;
    let starts = [
        ("from=earliest", None, 2),
        ("from=3", None, 4),
        ("from=2001-01-01T00:00:00Z", None, 2),
        ("last_event_id=3", None, 4),
        ("from=earliest&last_event_id=3", None, 4),
        ("from=earliest&last_event_id=2", Some("3"), 4),
    ];
    for (query, header, first) in starts {
        let headers: Vec<_> = header.map(|id| ("last-event-id", id)).into_iter().collect();
        let path = format!("/v1/events?collections=orders&{query}");
        let mut stream = client.stream(&path, &headers).await;
        assert_eq!(positions(&mut stream, 1).await, [first], "{query} {header:?}");
    }
    for path in ["/v1/events?collections=orders", "/v1/events?collections=orders&from=latest"] {
        let mut stream = client.stream(path, &[]).await;
        let next = write(&client, 1).await;
        assert!(next > last);
        assert_eq!(positions(&mut stream, 1).await, [next], "{path}");
    }
}

#[tokio::test]
async fn r12_an_id_that_cannot_be_resumed_is_410_never_silence() {
    let server = Server::start();
    let client = server.client();
    write(&client, 2).await;
    let epoch = client.get("/v1/events").await.expect(200).body["epoch"].clone();
    let epoch = epoch.as_str().unwrap();
    for (query, id) in [("", Some("1000")), ("?from=1000", None), ("?last_event_id=1000", None)] {
        let headers: Vec<_> = id.map(|id| ("last-event-id", id)).into_iter().collect();
        let refused = client.refused_stream(&format!("/v1/events{query}"), &headers).await;
        assert_eq!(refused.expect(410).body["error"]["details"]["first"], 1);
    }
    let other = "0".repeat(32);
    client.refused_stream(&format!("/v1/events?epoch={other}"), &[]).await.expect(410);
    let other = format!("1@{other}");
    client.refused_stream("/v1/events", &[("last-event-id", &other)]).await.expect(410);
    for query in ["from=x", "last_event_id=x", "kinds=x"] {
        client.refused_stream(&format!("/v1/events?{query}"), &[]).await.expect(400);
    }
    let query = format!("/v1/events?collections=orders&epoch={epoch}&last_event_id=1@{epoch}");
    assert_eq!(positions(&mut client.stream(&query, &[]).await, 1).await, [2]);
}

#[tokio::test]
async fn r12_a_subscriber_resumes_without_gap_or_double_through_kills_under_load() {
    let mut server = Server::start();
    let client = server.client();
    let (mut seen, mut acknowledged) = (Vec::<u64>::new(), Vec::new());
    for round in 0..4 {
        let from = seen.last().map_or("earliest".to_owned(), u64::to_string);
        let path = format!("/v1/events?collections=orders&from={from}");
        let mut stream = client.stream(&path, &[]).await;
        for _ in 0..20 {
            acknowledged.push(write(&client, 1).await);
        }
        let half = stream.take(10 + round).await;
        seen.extend(half.iter().map(|frame| frame.position()));
        server.kill();
        // What was under way may come, then the connection breaks.
        seen.extend(stream.rest().await.iter().map(|frame| frame.position()));
        server.restart();
    }
    let from = format!("/v1/events?collections=orders&from={}", seen.last().unwrap());
    let missing = acknowledged.len() - seen.len();
    seen.extend(positions(&mut client.stream(&from, &[]).await, missing).await);
    assert_eq!(seen, acknowledged);
}

#[tokio::test]
async fn a_slow_start_from_the_past_runs_into_the_present_without_a_seam() {
    let server = Server::start();
    let client = server.client();
    let many: Vec<_> = (0..2000).map(|n| json!({"n": n})).collect();
    client.post(ORDERS, &json!(many)).await.expect(201);
    let mut stream = client.stream("/v1/events?from=earliest&collections=orders", &[]).await;
    let writer = tokio::spawn({
        let client = client.clone();
        async move { write(&client, 50).await }
    });
    let seen = positions(&mut stream, 2050).await;
    assert_eq!(seen, (2..=2051).collect::<Vec<u64>>());
    assert_eq!(writer.await.unwrap(), 2051);
}

#[tokio::test]
async fn a_stream_of_a_channel_has_its_events_alone() {
    let server = Server::start();
    let client = server.client();
    let mut stream = client.stream("/v1/events?channel=room", &[]).await;
    for (channel, n) in [("other", 1), ("room", 2)] {
        let body = json!({"event": "answer", "data": n, "channel": channel});
        client.post("/v1/events", &body).await.expect(201);
    }
    let frame = stream.next().await.unwrap();
    assert_eq!((frame.event.as_str(), &frame.data["data"]), ("event.published", &json!(2)));
}

#[tokio::test]
async fn a_stream_is_closed_with_a_reason_when_its_credential_dies() {
    let server = Server::start();
    let client = server.client();
    let grant = json!({"collections": {"orders": ["subscribe"]}});
    let issued = client.post("/v1/credentials", &json!({"grant": grant})).await.expect(201);
    let reader = client.with_key(issued.body["key"].as_str().unwrap());
    let mut stream = reader.stream("/v1/events?collections=orders", &[]).await;
    let position = write(&client, 1).await;
    assert_eq!(positions(&mut stream, 1).await, [position]);
    let path = format!("/v1/credentials/{}", issued.body["id"].as_str().unwrap());
    client.delete(&path).await.expect(200);
    write(&client, 1).await;
    let rest = stream.rest().await;
    let [closed] = rest.as_slice() else { panic!("{rest:?}") };
    assert_eq!((closed.event.as_str(), &closed.id), ("closed", &None));
    assert_eq!(closed.data["reason"], "credential_revoked");
}

#[tokio::test]
async fn r9_a_stream_ends_cleanly_at_sigterm_and_resumes_elsewhere() {
    let mut server = Server::start();
    let client = server.client();
    let mut stream = client.stream("/v1/events?collections=orders", &[]).await;
    let seen = write(&client, 1).await;
    assert_eq!(positions(&mut stream, 1).await, [seen]);
    assert_eq!(server.stop().code(), Some(0));
    assert_eq!(stream.rest().await, []);
    server.restart();
    let next = write(&client, 1).await;
    let id = seen.to_string();
    let path = "/v1/events?collections=orders";
    let mut resumed = client.stream(path, &[("last-event-id", &id)]).await;
    assert_eq!(positions(&mut resumed, 1).await, [next]);
}
