//! Windows of live queries: what enters and what is pushed out, resuming, what is refused. The model test is in `live_model`.

use serde_json::{Value, json};

use crate::harness::{Client, Frame, Server, Stream};

const ORDERS: &str = "/v1/collections/orders/documents";

/// A frame in short: event, id of the document, reason or count.
fn short(frame: &Frame) -> String {
    let data = &frame.data;
    let what = match frame.event.as_str() {
        "snapshot" => &data["document"]["_id"],
        "ready" => &data["count"],
        "leave" => return format!("leave {} {}", data["id"], data["reason"]).replace('"', ""),
        "reset" => &data["reason"],
        _ => &data["id"],
    };
    format!("{} {what}", frame.event).replace('"', "")
}

async fn told(stream: &mut Stream, count: usize) -> Vec<String> {
    stream.take(count).await.iter().map(short).collect()
}

/// Everything up to a frame.
async fn until(stream: &mut Stream, is_last: impl Fn(&Frame) -> bool) -> Vec<Frame> {
    let mut frames = Vec::new();
    loop {
        frames.push(stream.next().await.unwrap());
        if frames.last().is_some_and(&is_last) {
            return frames;
        }
    }
}

async fn fill(client: &Client, count: i64) {
    let many: Vec<Value> = (0..count).map(|n| json!({"_id": n, "n": n})).collect();
    client.post(ORDERS, &json!(many)).await.expect(201);
}

async fn put(client: &Client, id: i64, n: i64) -> u64 {
    let path = format!("{ORDERS}/{id}?upsert=true");
    let answer = client.put(&path, &json!({"n": n})).await;
    assert!(answer.status < 300, "{}", answer.text);
    answer.position()
}

#[tokio::test]
async fn a_window_says_what_enters_and_what_is_pushed_out() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 100).await;
    let mut stream = client.stream("/v1/live/orders?sort={\"n\":-1}&limit=2", &[]).await;
    assert_eq!(told(&mut stream, 3).await, ["snapshot 99", "snapshot 98", "ready 2"]);
    let position = put(&client, 5, 1000).await;
    let frames = stream.take(2).await;
    assert_eq!(frames.iter().map(short).collect::<Vec<_>>(), ["leave 98 window", "enter 5"]);
    // The last frame of a position carries the id.
    assert_eq!((frames[0].id.clone(), frames[1].position()), (None, position));
    assert_eq!(
        (&frames[0].data["position"], &frames[1].data["position"]),
        (&json!(position), &json!(position))
    );
    put(&client, 5, 1).await;
    assert_eq!(told(&mut stream, 2).await, ["leave 5 window", "enter 98"]);
    put(&client, 99, 98).await;
    assert_eq!(told(&mut stream, 1).await, ["update 99"]);
    client.delete(&format!("{ORDERS}/98")).await.expect(200);
    assert_eq!(told(&mut stream, 2).await, ["leave 98 deleted", "enter 97"]);
}

#[tokio::test]
async fn a_window_goes_on_when_its_reserve_is_used_up() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 120).await;
    let mut stream = client.stream("/v1/live/orders?limit=1", &[]).await;
    assert_eq!(told(&mut stream, 2).await, ["snapshot 0", "ready 1"]);
    for n in 0..119 {
        client.delete(&format!("{ORDERS}/{n}")).await.expect(200);
        let expected = [format!("leave {n} deleted"), format!("enter {}", n + 1)];
        assert_eq!(told(&mut stream, 2).await, expected);
    }
}

#[tokio::test]
async fn whoever_comes_back_is_told_what_its_window_lacks() {
    let mut server = Server::start();
    let client = server.client();
    fill(&client, 50).await;
    let path = "/v1/live/orders?sort={\"n\":-1}&limit=3&filter={\"n\":{\"$gte\":10}}";
    let mut stream = client.stream(path, &[]).await;
    let ready = stream.take(4).await.pop().unwrap();
    let id = ready.id.clone().unwrap();
    drop(stream);
    put(&client, 1, 500).await;
    put(&client, 49, 1).await;
    put(&client, 48, 480).await;
    put(&client, 2, 1).await;
    // As long as the process lives, and after it was killed.
    for round in 0..2 {
        let mut stream = client.stream(path, &[("last-event-id", &id)]).await;
        let frames = stream.take(3).await;
        let texts: Vec<String> = frames.iter().map(short).collect();
        assert_eq!(texts, ["leave 49 filter", "update 48", "enter 1"]);
        let ids: Vec<bool> = frames.iter().map(|frame| frame.id.is_some()).collect();
        assert_eq!(ids, [false, false, true]);
        let last = frames[2].id.clone().unwrap();
        // At its last id it lacks nothing: the next frame is of the next change.
        let mut again = client.stream(path, &[("last-event-id", &last)]).await;
        let position = put(&client, 1, 501 + round).await;
        let next = again.next().await.unwrap();
        assert_eq!((short(&next), next.position()), ("update 1".to_owned(), position));
        server.kill();
        server.restart();
    }
}

#[tokio::test]
async fn a_slow_reader_of_a_window_is_told_the_outcome() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 20).await;
    let path = "/v1/live/orders?sort={\"n\":-1}&limit=4";
    let mut slow = client.stream(path, &[]).await;
    let mut quick = client.stream(path, &[]).await;
    for stream in [&mut slow, &mut quick] {
        assert_eq!(told(stream, 5).await.pop().unwrap(), "ready 4");
    }
    // More than the buffers between the two hold.
    let large = "x".repeat(100 << 10);
    for n in 0..300 {
        let body = json!({"n": 100 + n, "large": large});
        client.put(&format!("{ORDERS}/{}", n % 20), &body).await.expect(200);
        let frames = quick.take(2).await;
        assert_eq!([frames[0].event.as_str(), frames[1].event.as_str()], ["leave", "enter"]);
    }
    let last = put(&client, 1, 1_000_000).await.to_string();
    let frames = until(&mut slow, |frame| frame.id.as_deref() == Some(&last)).await;
    let mut picture: std::collections::BTreeSet<i64> = (16..20).collect();
    for frame in &frames {
        let id = frame.data["id"].as_i64().unwrap();
        match frame.event.as_str() {
            "leave" => assert!(picture.remove(&id)),
            "enter" => assert!(picture.insert(id)),
            _ => assert!(picture.contains(&id)),
        }
    }
    assert_eq!(picture, [1, 17, 18, 19].into());
    let told = frames.len();
    assert!(told < 500, "{told} frames: it was never behind");
}

#[tokio::test]
async fn a_dropped_collection_empties_the_window_and_it_goes_on() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 3).await;
    let mut stream = client.stream("/v1/live/orders?limit=2", &[]).await;
    assert_eq!(told(&mut stream, 3).await, ["snapshot 0", "snapshot 1", "ready 2"]);
    client.delete("/v1/collections/orders").await.expect(200);
    assert_eq!(told(&mut stream, 2).await, ["reset dropped", "ready 0"]);
    put(&client, 7, 7).await;
    assert_eq!(told(&mut stream, 1).await, ["enter 7"]);
}

#[tokio::test]
async fn what_was_erased_voids_the_window_of_whoever_was_away() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 5).await;
    let mut stream = client.stream("/v1/live/orders?limit=2", &[]).await;
    let id = stream.take(3).await.pop().unwrap().id.unwrap();
    drop(stream);
    put(&client, 0, 50).await;
    client.post("/v1/admin/erase", &json!({"collection": "orders", "id": 0})).await.expect(200);
    let mut stream = client.stream("/v1/live/orders?limit=2", &[("last-event-id", &id)]).await;
    let expected = ["reset erased", "snapshot 1", "snapshot 2", "ready 2"];
    assert_eq!(told(&mut stream, 4).await, expected);
}

#[tokio::test]
async fn what_a_live_query_cannot_keep_is_refused_by_name() {
    let server = Server::start();
    let client = server.client();
    let refused = [
        ("limit=0", "invalid_parameter"),
        ("limit=1001", "invalid_parameter"),
        ("sort={\"n\":2}", "invalid_sort"),
        ("filter={\"n\":{\"$gt\":\"$$NOW\"}}", "unsupported_operator"),
        ("filter={\"$expr\":{\"$lt\":[{\"$rand\":{}},1]}}", "unsupported_operator"),
        ("filter={\"$text\":{\"$search\":\"x\"}}", "unsupported_operator"),
        ("filter={\"at\":{\"$near\":[0,0]}}", "unsupported_operator"),
    ];
    for (query, code) in refused {
        let answer = client.refused_stream(&format!("/v1/live/orders?{query}"), &[]).await;
        assert_eq!(answer.refused(400), code, "{query}");
    }
    let large = "x".repeat(3 << 20);
    for n in 0..3 {
        client.post(ORDERS, &json!({"_id": n, "large": large})).await.expect(201);
    }
    let answer = client.refused_stream("/v1/live/orders?limit=3", &[]).await;
    assert_eq!(answer.refused(400), "limit_exceeded");
    let mut stream = client.stream("/v1/live/orders?limit=2", &[]).await;
    assert_eq!(told(&mut stream, 3).await, ["snapshot 0", "snapshot 1", "ready 2"]);
    // One that outgrows its bounds later is closed, and says why.
    for n in 0..2 {
        let body = json!({"large": "x".repeat(5 << 20)});
        client.put(&format!("{ORDERS}/{n}"), &body).await.expect(200);
    }
    let last = stream.rest().await.pop().unwrap();
    assert_eq!((last.event.as_str(), &last.data["reason"]), ("closed", &json!("window_too_large")));
}
