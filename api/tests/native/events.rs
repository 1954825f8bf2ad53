//! Events: pages and streams, resumed, filtered, ended.

use std::time::Duration;

use serde_json::json;

use crate::support::{Face, ROOT};

async fn write(face: &Face, collection: &str, count: usize) {
    for n in 0..count {
        let path = format!("/v1/collections/{collection}/documents");
        assert_eq!(face.post(&path, &format!("{{\"n\":{n}}}")).await.status, 201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_dense_and_end_at_last() {
    let face = Face::new();
    write(&face, "orders", 5).await;
    let end = face.engine.position();
    let (mut from, mut positions) = ("0".to_owned(), Vec::new());
    loop {
        let page = face.get(&format!("/v1/events?from={from}&limit=2")).await;
        let events = page.body["events"].as_array().unwrap();
        positions.extend(events.iter().map(|event| event["position"].as_u64().unwrap()));
        from = page.body["next"].to_string();
        assert_eq!(page.body["last"], end);
        if page.body["next"] == page.body["last"] {
            break;
        }
    }
    assert_eq!(positions, (1..=end).collect::<Vec<_>>());
    let some = face.get("/v1/events?collections=orders&to=3").await;
    assert_eq!(some.body["events"].as_array().unwrap().len(), 2);
    assert_eq!(some.body["next"], 3);
    assert_eq!(face.get("/v1/events?from=999").await.status, 410);
    assert_eq!(face.get("/v1/events?kinds=nope").await.code(), "unknown_kind");
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_catches_up_goes_on_live_and_resumes() {
    let face = Face::new();
    write(&face, "orders", 3).await;
    let mut stream = face.stream("/v1/events?from=earliest&collections=orders", &[]).await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["x-accel-buffering"], "no");
    assert_eq!(stream.headers["headwater-epoch"].len(), 32);
    assert!(stream.raw().await.unwrap().starts_with("retry: 1000"));
    let first = stream.ids(3).await;
    write(&face, "other", 1).await;
    write(&face, "orders", 1).await;
    let (id, kind, data) = stream.next().await.unwrap();
    assert_eq!((kind.as_str(), &data["collection"]), ("document.created", &json!("orders")));
    assert_eq!(data["position"].to_string(), id);
    drop(stream);

    let resumed = face
        .stream(
            "/v1/events?from=latest&collections=orders",
            &[("last-event-id", &first[2].to_string())],
        )
        .await
        .ids(1)
        .await;
    assert_eq!(resumed[0].to_string(), id);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_has_a_heartbeat_while_the_log_moves_on_without_it() {
    let face = Face::new();
    let mut stream = face.stream("/v1/events?collections=quiet", &[]).await;
    assert!(stream.raw().await.unwrap().starts_with("retry: 1000"));
    let busy = async {
        loop {
            write(&face, "busy", 1).await;
        }
    };
    let beats = async {
        for _ in 0..3 {
            let beat = stream.raw().await.unwrap();
            assert!(beat.starts_with(':'), "{beat}");
        }
    };
    tokio::select! {
        () = beats => {}
        () = busy => {}
    }
    write(&face, "quiet", 1).await;
    assert_eq!(stream.next().await.unwrap().2["collection"], "quiet");
    drop(stream);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_stream_has_a_heartbeat_and_ends_at_the_stop() {
    let face = Face::new();
    let mut stream = face.stream("/v1/events", &[]).await;
    stream.raw().await.unwrap();
    assert_eq!(stream.raw().await.unwrap(), ":");
    face.api.stop(Duration::from_secs(1)).await;
    while let Some(frame) = stream.raw().await {
        assert!(frame.starts_with(':'), "{frame}");
    }
    drop(stream);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_events_travel_by_channel() {
    let face = Face::new();
    let mut room = face.stream("/v1/events?channel=room-1", &[]).await;
    room.raw().await.unwrap();
    face.post("/v1/events", r#"{"event":"answer","data":{"x":1},"channel":"room-2"}"#).await;
    let sent = face
        .post("/v1/events", r#"{"event":"answer","data":[1],"channel":"room-1","ephemeral":false}"#)
        .await;
    assert_eq!((sent.status.as_u16(), &sent.body["position"]), (201, &json!(sent.position())));
    let (id, kind, data) = room.next().await.unwrap();
    assert_eq!((id, kind.as_str()), (sent.position().to_string(), "event.published"));
    assert_eq!((&data["event"], &data["data"]), (&json!("answer"), &json!([1])));
    drop(room);
    assert_eq!(face.post("/v1/events", r#"{"data":1}"#).await.status, 400);
    assert_eq!(
        face.post("/v1/events", r#"{"event":"e","ephemeral":true}"#).await.code(),
        "invalid_parameter"
    );
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_when_their_credential_does() {
    let face = Face::new();
    let grant = r#"{"grant":{"collections":{"orders":["subscribe"]}}}"#;
    let (id, key) = face.issue(grant).await;
    let mut revoked = face.stream("/v1/events", &[("x-apikey", &key)]).await;
    revoked.raw().await.unwrap();
    write(&face, "secret", 1).await;
    write(&face, "orders", 1).await;
    let (_, _, data) = revoked.next().await.unwrap();
    assert_eq!(data["collection"], "orders", "what may not be seen is not sent");
    let subscriptions = face.get("/v1/admin/subscriptions").await;
    assert_eq!(subscriptions.body["subscriptions"][0]["actor"], json!(id));
    face.ask("DELETE", &format!("/v1/credentials/{id}"), "").await;
    write(&face, "orders", 1).await;
    let (_, kind, data) = revoked.next().await.unwrap();
    assert_eq!((kind.as_str(), &data["reason"]), ("closed", &json!("credential_revoked")));
    assert!(revoked.next().await.is_none());

    let short = r#"{"ttl_seconds":1,"grant":{"collections":{"*":["subscribe"]}}}"#;
    let (_, key) = face.issue(short).await;
    let mut expired = face.stream("/v1/events", &[("x-apikey", &key)]).await;
    let (_, kind, data) = expired.next().await.unwrap();
    assert_eq!((kind.as_str(), &data["reason"]), ("closed", &json!("credential_expired")));
    drop((revoked, expired));
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn catching_up_goes_through_many_chunks_without_a_gap() {
    let face = Face::new();
    let body = "x".repeat(400);
    let many: Vec<_> = (0..5000).map(|n| json!({"_id": n, "body": body})).collect();
    face.post("/v1/collections/c/documents", &json!(many).to_string()).await;
    let mut stream = face.stream("/v1/events?from=earliest&collections=c", &[]).await;
    let ids = stream.ids(5000).await;
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1));
    drop(stream);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_event_keeps_its_place() {
    let face = Face::new();
    face.post("/v1/collections/c/documents", r#"{"_id":"x","secret":"abc"}"#).await;
    let erased = face.post("/v1/admin/erase", r#"{"collection":"c","id":"x"}"#).await;
    assert_eq!(erased.status, 200, "{}", erased.body);
    assert!(erased.body["erased_events"].as_u64().unwrap() >= 2);
    let page = face.get("/v1/events?collections=c").await;
    let event = &page.body["events"][0];
    assert_eq!((&event["erased"], &event["document"]), (&json!(true), &json!(null)));
    assert!(!page.body.to_string().contains("abc"));
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_watched_to_their_end() {
    let face = Face::new();
    write(&face, "orders", 3).await;
    for kind in ["rebuild", "verify", "backup"] {
        let started = face.post(&format!("/v1/admin/{kind}"), "").await;
        assert_eq!(started.status, 202);
        let job = started.body["job"].as_str().unwrap().to_owned();
        let path = format!("/v1/admin/jobs/{job}");
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        let done = loop {
            let answer = face.get(&path).await;
            if answer.body["status"] != "running" {
                break answer;
            }
            assert!(std::time::Instant::now() < deadline, "the job does not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert_eq!(done.body["status"], "done", "{}", done.body);
        if kind == "backup" {
            let file = face.get(&format!("{path}/download")).await;
            assert_eq!(file.headers["content-type"], "application/x-tar");
            assert_eq!(face.get(&format!("{path}/download")).await.status, 404);
        }
    }
    let key = [("x-apikey", ROOT)];
    assert_eq!(face.ask_with("GET", "/v1/admin/jobs/none", "", &key).await.status, 404);
    face.stop().await;
}
