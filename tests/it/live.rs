//! Live queries: a snapshot, then what enters, changes and leaves, from one position.

use serde_json::{Value, json};

use crate::harness::{Client, Frame, Server, Stream};

const ORDERS: &str = "/v1/collections/orders/documents";

/// The path of a live query.
fn live(parameters: &[(&str, Value)]) -> String {
    let given = parameters.iter().map(|(name, value)| match value {
        Value::String(text) => format!("{name}={text}"),
        value => format!("{name}={value}"),
    });
    format!("/v1/live/orders?{}", given.collect::<Vec<_>>().join("&"))
}

async fn put(client: &Client, id: &str, body: Value) -> u64 {
    let path = format!("{ORDERS}/{id}?upsert=true");
    let answer = client.put(&path, &body).await;
    assert!(answer.status < 300, "{}", answer.text);
    answer.position()
}

/// The documents of a snapshot, and its `ready` frame.
async fn snapshot(stream: &mut Stream) -> (Vec<Value>, Frame) {
    let mut documents = Vec::new();
    loop {
        let frame = stream.next().await.expect("the stream ended before `ready`");
        match frame.event.as_str() {
            "snapshot" => {
                assert_eq!(frame.id, None, "a part of a snapshot has no id");
                documents.push(frame.data["document"].clone());
            }
            "ready" => return (documents, frame),
            other => panic!("{other} within a snapshot: {frame:?}"),
        }
    }
}

/// What comes before a picture is void, and the frame that says so.
async fn until_reset(stream: &mut Stream) -> (Vec<Frame>, Frame) {
    let mut before = Vec::new();
    loop {
        let frame = stream.next().await.expect("the stream ended before `reset`");
        if frame.event == "reset" {
            return (before, frame);
        }
        before.push(frame);
    }
}

fn told(frame: &Frame) -> (&str, u64, Value) {
    assert_eq!(frame.data["position"], frame.position(), "{frame:?}");
    (&frame.event, frame.position(), frame.data["id"].clone())
}

#[tokio::test]
async fn r11_a_snapshot_and_what_comes_after_meet_at_one_position() {
    let server = Server::start();
    let client = server.client();
    put(&client, "a", json!({"n": 1})).await;
    put(&client, "b", json!({"n": 5})).await;
    let last = put(&client, "c", json!({"n": 7})).await;
    let path = live(&[("filter", json!({"n": {"$gt": 4}}))]);
    let mut stream = client.stream(&path, &[]).await;
    assert_eq!(stream.headers["headwater-position"], last.to_string());
    let epoch = stream.headers["headwater-epoch"].to_str().unwrap().to_owned();
    let (documents, ready) = snapshot(&mut stream).await;
    assert_eq!(documents, [json!({"_id": "b", "n": 5}), json!({"_id": "c", "n": 7})]);
    assert_eq!(ready.data, json!({"position": last, "count": 2, "epoch": epoch}));
    assert_eq!(ready.position(), last);
    let entered = put(&client, "a", json!({"n": 6})).await;
    let updated = put(&client, "a", json!({"n": 8})).await;
    let left = put(&client, "b", json!({"n": 0})).await;
    put(&client, "b", json!({"n": 1})).await;
    let deleted = client.delete(&format!("{ORDERS}/c")).await.expect(200).position();
    let created = put(&client, "d", json!({"n": 9})).await;
    let frames = stream.take(5).await;
    let expected = [
        ("enter", entered, json!("a")),
        ("update", updated, json!("a")),
        ("leave", left, json!("b")),
        ("leave", deleted, json!("c")),
        ("enter", created, json!("d")),
    ];
    assert_eq!(frames.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(frames[0].data["document"], json!({"_id": "a", "n": 6}));
    assert_eq!(frames[2].data["reason"], "filter");
    assert_eq!(frames[3].data["reason"], "deleted");
    assert_eq!(frames[4].data["document"], json!({"_id": "d", "n": 9}));
}

#[tokio::test]
async fn a_large_snapshot_is_whole_and_in_the_order_that_was_asked_for() {
    let server = Server::start();
    let client = server.client();
    let documents: Vec<Value> =
        (0..1200).map(|n| json!({"_id": n, "n": (n * 7919) % 1200})).collect();
    for part in documents.chunks(400) {
        client.post(ORDERS, &json!(part)).await.expect(201);
    }
    let mut stream = client.stream(&live(&[]), &[]).await;
    let (plain, ready) = snapshot(&mut stream).await;
    assert_eq!(plain, documents);
    assert_eq!(ready.data["count"], 1200);
    let path = live(&[("sort", json!({"n": -1})), ("projection", json!({"_id": 0, "n": 1}))]);
    let mut stream = client.stream(&path, &[]).await;
    let (sorted, _) = snapshot(&mut stream).await;
    let expected: Vec<Value> = (0..1200).rev().map(|n| json!({"n": n})).collect();
    assert_eq!(sorted, expected);
}

#[tokio::test]
async fn r12_a_live_query_goes_on_after_a_position_without_a_snapshot() {
    let mut server = Server::start();
    let client = server.client();
    put(&client, "a", json!({"n": 1})).await;
    let mut stream = client.stream(&live(&[]), &[]).await;
    let (_, ready) = snapshot(&mut stream).await;
    drop(stream);
    let updated = put(&client, "a", json!({"n": 2})).await;
    let entered = put(&client, "b", json!({"n": 2})).await;
    server.kill();
    server.restart();
    let client = server.client();
    let id = ready.id.unwrap();
    let mut stream = client.stream(&live(&[]), &[("last-event-id", &id)]).await;
    let frames = stream.take(2).await;
    let expected = [("update", updated, json!("a")), ("enter", entered, json!("b"))];
    assert_eq!(frames.iter().map(told).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_picture_that_is_void_is_begun_again() {
    let server = Server::start();
    let client = server.client();
    let first = put(&client, "a", json!({"n": 1})).await;
    put(&client, "b", json!({"n": 1})).await;
    let mut stream = client.stream(&live(&[]), &[]).await;
    let (_, ready) = snapshot(&mut stream).await;
    // Whoever follows is told of the deletion; whoever was away cannot be told what it was.
    let erase = json!({"collection": "orders", "id": "a"});
    client.post("/v1/admin/erase", &erase).await.expect(200);
    let frame = stream.next().await.unwrap();
    assert_eq!((told(&frame).0, &frame.data["reason"]), ("leave", &json!("deleted")));
    for from in [first.to_string(), ready.id.unwrap()] {
        let mut late = client.stream(&live(&[("from", json!(from))]), &[]).await;
        let (_, reset) = until_reset(&mut late).await;
        assert_eq!(reset.data, json!({"reason": "erased"}));
        let (documents, _) = snapshot(&mut late).await;
        assert_eq!(documents, [json!({"_id": "b", "n": 1})]);
    }
    let dropped = client.delete("/v1/collections/orders").await.expect(200).position();
    let reset = stream.next().await.unwrap();
    assert_eq!((reset.event.as_str(), &reset.data), ("reset", &json!({"reason": "dropped"})));
    let (documents, ready) = snapshot(&mut stream).await;
    // The batch ends with its entry in the audit trail.
    assert_eq!((documents.len(), ready.position()), (0, dropped - 1));
    let entered = put(&client, "a", json!({"n": 3})).await;
    // The collection itself comes first.
    let frame = stream.next().await.unwrap();
    assert_eq!(told(&frame), ("enter", entered, json!("a")));
}

#[tokio::test]
async fn a_live_query_follows_the_callers_rights() {
    let server = Server::start();
    let root = server.client();
    put(&root, "a", json!({"owner": "ann", "n": 1, "cost": 5})).await;
    put(&root, "b", json!({"owner": "ben", "n": 1, "cost": 6})).await;
    let grant = |owner: &str| {
        json!({"collections": {"orders": ["read", "subscribe"]},
            "read_filter": {"owner": owner}, "fields": {"exclude": ["cost"]}})
    };
    let issued = root.post("/v1/credentials", &json!({"grant": grant("ann")})).await.expect(201);
    let path = format!("/v1/credentials/{}", issued.body["id"].as_str().unwrap());
    let caller = root.with_key(issued.body["key"].as_str().unwrap());
    let mut stream = caller.stream(&live(&[]), &[]).await;
    let (documents, ready) = snapshot(&mut stream).await;
    assert_eq!(documents, [json!({"_id": "a", "owner": "ann", "n": 1})]);
    put(&root, "b", json!({"owner": "ben", "n": 2, "cost": 6})).await;
    put(&root, "b", json!({"owner": "ann", "n": 3, "cost": 6})).await;
    put(&root, "a", json!({"owner": "ben", "n": 3, "cost": 6})).await;
    let frames = stream.take(2).await;
    assert_eq!(frames[0].event, "enter");
    assert_eq!(frames[0].data["document"], json!({"_id": "b", "owner": "ann", "n": 3}));
    assert_eq!((frames[1].event.as_str(), &frames[1].data["reason"]), ("leave", &json!("access")));
    // A change of what its rights do not rest on voids nothing, nor does a new name of the key itself.
    root.put("/v1/roles/other", &json!({"collections": {"orders": {"read": true}}})).await;
    root.patch(&path, &json!({"label": "another"})).await.expect(200);
    put(&root, "b", json!({"owner": "ann", "n": 4, "cost": 6})).await;
    assert_eq!(stream.next().await.unwrap().event, "update");
    // Nothing that is hidden can be asked for.
    let by_cost = live(&[("filter", json!({"cost": {"$gt": 0}}))]);
    let mut hidden = caller.stream(&by_cost, &[]).await;
    assert!(snapshot(&mut hidden).await.0.is_empty());
    root.patch(&path, &json!({"grant": grant("ben")})).await.expect(200);
    for stream in [&mut stream, &mut hidden] {
        let reset = stream.next().await.unwrap();
        assert_eq!((reset.event.as_str(), &reset.data), ("reset", &json!({"reason": "access"})));
    }
    let (documents, _) = snapshot(&mut stream).await;
    assert_eq!(documents, [json!({"_id": "a", "owner": "ben", "n": 3})]);
    // One who was away when its rights changed begins again, too.
    let id = ready.id.unwrap();
    let mut late = caller.stream(&live(&[]), &[("last-event-id", &id)]).await;
    // What lies before the change is told by the rights of now, then the picture is void.
    let (before, reset) = until_reset(&mut late).await;
    assert_eq!(reset.data, json!({"reason": "access"}));
    assert_eq!(snapshot(&mut late).await.0, documents, "after {before:?}");
    root.delete(&path).await.expect(200);
    assert_eq!(stream.next().await.unwrap().data, json!({"reason": "credential_revoked"}));
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused_before_the_stream_begins() {
    let server = Server::start();
    let client = server.client();
    put(&client, "a", json!({"n": 1})).await;
    let refused = async |parameters: &[(&str, Value)], status: u16, code: &str| {
        let answer = client.refused_stream(&live(parameters), &[]).await;
        assert_eq!((answer.status, &answer.body["error"]["code"]), (status, &json!(code)));
        answer.text
    };
    let text = refused(&[("filter", json!("{"))], 400, "malformed_json").await;
    assert!(text.contains("filter"), "{text}");
    refused(&[("filter", json!({"n": {"$what": 1}}))], 400, "unknown_operator").await;
    let now = json!({"$expr": {"$lt": ["$at", "$$NOW"]}});
    let text = refused(&[("filter", now)], 400, "unsupported_operator").await;
    assert!(text.contains("$$NOW"), "{text}");
    let search = json!({"$text": {"$search": "x"}});
    refused(&[("filter", search)], 400, "unsupported_operator").await;
    refused(&[("limit", json!(0))], 400, "invalid_parameter").await;
    refused(&[("sort", json!({"n": 2}))], 400, "invalid_sort").await;
    refused(&[("from", json!("earliest"))], 400, "invalid_parameter").await;
    refused(&[("from", json!("x"))], 400, "invalid_position").await;
    refused(&[("from", json!(999))], 410, "position_gone").await;
    refused(&[("epoch", json!("00"))], 410, "epoch_changed").await;
    let failing = json!({"$expr": {"$divide": [1, "$n"]}});
    put(&client, "b", json!({"n": 0})).await;
    refused(&[("filter", failing)], 400, "expression_failed").await;
    let system = client.with_key("wrong").refused_stream("/v1/live/orders", &[]).await;
    assert_eq!(system.status, 401);
}

#[tokio::test]
async fn a_collection_that_must_be_defined_is_404_until_it_is() {
    let server = Server::with(&[("HEADWATER_COLLECTIONS__STRICT", "true")]);
    let client = server.client();
    let answer = client.refused_stream("/v1/live/orders", &[]).await;
    assert_eq!(
        (answer.status, answer.body["error"]["code"].as_str()),
        (404, Some("collection_not_found"))
    );
    client.put("/v1/collections/orders", &json!({})).await.expect(201);
    let mut stream = client.stream("/v1/live/orders", &[]).await;
    assert!(snapshot(&mut stream).await.0.is_empty());
}

#[tokio::test]
async fn a_projection_shapes_what_events_show_of_documents() {
    let server = Server::start();
    let client = server.client();
    let projection = "projection={\"n\":1,\"_id\":0}";
    let path = format!("/v1/events?collections=orders&{projection}");
    let mut stream = client.stream(&path, &[]).await;
    put(&client, "a", json!({"n": 1, "m": 2})).await;
    put(&client, "a", json!({"n": 2, "m": 3})).await;
    client.delete(&format!("{ORDERS}/a")).await.expect(200);
    let frames = stream.take(3).await;
    let documents: Vec<&Value> = frames.iter().map(|frame| &frame.data["document"]).collect();
    assert_eq!(documents, [&json!({"n": 1}), &json!({"n": 2}), &Value::Null]);
    assert_eq!(frames[1].data["id"], "a", "what it is about is always told");
    let page = client.get(&format!("{path}&from=earliest")).await.expect(200);
    let told: Vec<&Value> = frames.iter().map(|frame| &frame.data).collect();
    assert_eq!(page.list("events").iter().collect::<Vec<_>>(), told);
    for wrong in ["{\"a\":1,\"b\":0}", "{\"a.$\":1}", "{\"t\":\"$$NOW\"}"] {
        let path = format!("/v1/events?projection={wrong}");
        client.refused_stream(&path, &[]).await.refused(400);
    }
}

#[tokio::test]
async fn collapsing_leaves_the_newest_state_and_never_hides_a_departure() {
    let server = Server::start();
    let client = server.client();
    for n in 1..=20 {
        put(&client, "a", json!({"n": n})).await;
        put(&client, "b", json!({"n": n, "gone": n > 10})).await;
    }
    client.delete(&format!("{ORDERS}/b")).await.expect(200);
    let path = "/v1/events?collections=orders&from=earliest&collapse=document";
    let mut stream = client.stream(path, &[]).await;
    let mut picture = std::collections::BTreeMap::new();
    let mut of_a = 0;
    let marker = put(&client, "z", json!({})).await;
    loop {
        let frame = stream.next().await.unwrap();
        let id = frame.data["id"].as_str().unwrap().to_owned();
        of_a += u32::from(id == "a");
        picture.insert(id, frame.data["document"].clone());
        if frame.position() == marker {
            break;
        }
    }
    assert_eq!(of_a, 1, "only the newest state of what is still there");
    assert_eq!(picture["a"], json!({"_id": "a", "n": 20}));
    assert_eq!(picture["b"], Value::Null);
    // What leaves the filter is told although a newer state is there.
    let filter = "filter={\"n\":{\"$lt\":5}}";
    let mut stream = client.stream(&format!("{path}&{filter}"), &[]).await;
    let mut last = None;
    for _ in 0..5 {
        let frame = stream.next().await.unwrap();
        if frame.data["id"] == "a" {
            last = Some(frame.data["document"]["n"].clone());
        }
    }
    assert_eq!(last, Some(json!(3)), "nothing is passed over: {last:?}");
    client.refused_stream(&format!("{path}&kinds=document.created"), &[]).await.refused(400);
    client.refused_stream("/v1/events?collapse=what", &[]).await.refused(400);
}

#[tokio::test]
async fn a_snapshot_of_small_and_large_documents_is_whole() {
    let server = Server::start();
    let client = server.client();
    let small: Vec<Value> = (0..3000).map(|n| json!({"_id": 100 + n})).collect();
    for part in small.chunks(1000) {
        client.post(ORDERS, &json!(part)).await.expect(201);
    }
    let filler = "x".repeat(900 << 10);
    for n in 0..24 {
        client.post(ORDERS, &json!({"_id": n, "filler": filler})).await.expect(201);
    }
    for query in ["", "?sort={\"_id\":-1}", "?sort={\"filler\":-1}"] {
        let mut stream = client.stream(&format!("/v1/live/orders{query}"), &[]).await;
        let (documents, ready) = snapshot(&mut stream).await;
        assert_eq!((documents.len(), &ready.data["count"]), (3024, &json!(3024)), "{query}");
    }
}

/// A filter that takes a thousand steps for each `n`.
fn endless() -> Value {
    let inner = json!({"$reduce": {"input": {"$range": [0, 1000]}, "initialValue": 0,
        "in": {"$add": ["$$value", "$$this"]}}});
    let outer = json!({"$reduce": {"input": {"$range": [0, {"$ifNull": ["$n", 0]}]},
        "initialValue": 0, "in": {"$add": ["$$value", inner]}}});
    json!({"$expr": {"$gte": [outer, 0]}})
}

#[tokio::test]
async fn a_filter_that_takes_too_long_holds_nobody_up_and_ends() {
    let server = Server::start();
    let client = server.client();
    put(&client, "a", json!({})).await;
    let slow = format!("filter={}", endless());
    let events = format!("/v1/events?collections=orders&{slow}");
    let mut followed = client.stream(&events, &[]).await;
    let mut lived = client.stream(&format!("/v1/live/orders?{slow}"), &[]).await;
    assert_eq!(snapshot(&mut lived).await.0.len(), 1, "it is quick where there is no `n`");
    let mut other = client.stream("/v1/events?collections=orders", &[]).await;
    let many: Vec<Value> = (0..20).map(|_| json!({"n": 50})).collect();
    client.post(ORDERS, &json!(many)).await.expect(201);
    other.take(20).await;
    let mut late = client.stream(&format!("{events}&from=earliest"), &[]).await;
    for stream in [&mut followed, &mut lived, &mut late] {
        let last = stream.rest().await.pop().unwrap();
        assert_eq!(last.data, json!({"reason": "filter_too_slow"}), "{last:?}");
    }
    let refused = client.refused_stream(&format!("/v1/live/orders?{slow}"), &[]).await;
    assert_eq!(refused.refused(400), "filter_too_slow");
}

#[tokio::test]
async fn a_change_of_what_is_hidden_is_no_change() {
    let server = Server::start();
    let root = server.client();
    put(&root, "a", json!({"n": 1, "cost": 1})).await;
    let grant = json!({"collections": {"orders": ["subscribe"]}, "fields": {"exclude": ["cost"]}});
    let issued = root.post("/v1/credentials", &json!({"grant": grant})).await.expect(201);
    let caller = root.with_key(issued.body["key"].as_str().unwrap());
    let mut plain = caller.stream("/v1/live/orders", &[]).await;
    let mut window = caller.stream("/v1/live/orders?limit=5", &[]).await;
    put(&root, "a", json!({"n": 1, "cost": 2})).await;
    let seen = put(&root, "a", json!({"n": 2, "cost": 2})).await;
    for stream in [&mut plain, &mut window] {
        snapshot(stream).await;
        assert_eq!(told(&stream.next().await.unwrap()), ("update", seen, json!("a")));
    }
}

#[tokio::test]
async fn whoever_is_told_nothing_is_told_how_far_that_is() {
    let server = Server::with(&[("HEADWATER_SERVER__HEARTBEAT_MS", "200")]);
    let client = server.client();
    put(&client, "a", json!({"n": 1})).await;
    let filter = "filter={\"n\":7}";
    let paths = [
        format!("/v1/events?collections=orders&from=earliest&{filter}"),
        format!("/v1/live/orders?{filter}"),
        format!("/v1/live/orders?limit=3&{filter}"),
    ];
    for (n, path) in paths.iter().enumerate() {
        let mut stream = client.stream(path, &[]).await;
        let last = put(&client, "a", json!({"n": 10 + n})).await;
        let wanted = format!("\nid: {last}");
        // A browser that comes back goes on from there, not from its last event.
        while !stream.block().await.unwrap().ends_with(&wanted) {}
    }
}

#[tokio::test]
async fn a_misspelt_parameter_is_refused_by_name() {
    let server = Server::start();
    let client = server.client();
    for path in ["/v1/live/orders?fliter={}", "/v1/events?colections=orders"] {
        let answer = client.refused_stream(path, &[]).await;
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(answer.body["error"]["code"], "unknown_parameter", "{path}");
    }
    // What clients of server-sent events add by themselves.
    client.stream("/v1/live/orders?lastEventId=0&_=17", &[]).await;
}
