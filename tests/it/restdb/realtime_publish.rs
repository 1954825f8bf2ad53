//! `POST /realtime`: custom events, their echo, and what is refused.

use serde_json::{Value, json};

use super::realtime::Realtime;
use crate::harness::Server;

#[tokio::test]
async fn custom_events_are_echoed_logged_and_told() {
    let server = Server::start();
    let root = server.client();
    let mut stream = Realtime::open(&root, "/realtime").await;
    let rows = [
        (json!({"event": "a", "data": {"x": [1, null]}}), json!({"x": [1, null]})),
        (json!({"event": "b"}), Value::Null),
        (json!({"event": "c", "data": "text", "more": 1}), json!("text")),
        (json!({"event": "d", "data": false}), json!(false)),
    ];
    for (body, data) in rows {
        let answer = root.post("/realtime", &body).await.expect(200);
        let echo = json!({"event": body["event"], "data": data});
        assert_eq!(answer.body, echo);
        let frame = stream.next().await.unwrap();
        let told = frame.json();
        assert_eq!((frame.id, &told["event"]), (Some(answer.position()), &body["event"]));
        assert_eq!(told["data"], data);
        let path = format!("/v1/events?from={}", answer.position() - 1);
        let logged = root.get(&path).await.expect(200).list("events")[0].clone();
        assert_eq!(logged["kind"], "event.published");
        assert_eq!((&logged["event"], &logged["data"]), (&body["event"], &data));
    }
    let form = root.request("POST", "/realtime").body("event=answer&data=x+y");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let answer = root.send(form).await.expect(200);
    assert_eq!(answer.body, json!({"event": "answer", "data": "x y"}));
    assert_eq!(stream.next().await.unwrap().told(), "publish answer x y");
}

#[tokio::test]
async fn bodies_that_name_no_event_are_refused() {
    let server = Server::start();
    let root = server.client();
    let long = format!(r#"{{"event":"{}"}}"#, "x".repeat(256));
    let texts = [
        "",
        "{}",
        "[]",
        "7",
        "{",
        r#"{"event":""}"#,
        r#"{"event":7}"#,
        r#"{"event":null}"#,
        r#"{"data":1}"#,
        r#"[{"event":"a"}]"#,
        long.as_str(),
    ];
    let before = root.get("/v1/events").await.expect(200).body["last"].clone();
    for text in texts {
        let request = root.request("POST", "/realtime").header("content-type", "application/json");
        let refused = root.send(request.body(text.to_owned())).await.expect(400);
        assert!(!refused.body["message"].as_str().unwrap().is_empty(), "{text}");
    }
    let longest = json!({"event": "x".repeat(255)});
    assert_eq!(root.get("/v1/events").await.expect(200).body["last"], before);
    root.post("/realtime", &longest).await.expect(200);
    root.send(root.request("PUT", "/realtime").json(&longest)).await.expect(405);
}
