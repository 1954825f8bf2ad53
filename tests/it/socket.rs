//! WebSockets: subscriptions, their order, how they resume, and what is refused.

mod endings;
mod entering;
mod slow;

use serde_json::{Value, json};

use crate::harness::{Client, ROOT, Server, Socket, eventually};

const ORDERS: &str = "/v1/collections/orders/documents";
const WS: &str = "/v1/ws";

/// A connection with full access.
async fn connect(server: &Server) -> Socket {
    Socket::open(&server.url(), WS, &[("x-apikey", ROOT)]).await.unwrap()
}

async fn create(client: &Client, collection: &str, body: Value) -> u64 {
    let path = format!("/v1/collections/{collection}/documents");
    client.post(&path, &body).await.expect(201).position()
}

#[tokio::test]
async fn subscriptions_of_one_connection_each_have_their_order_and_cursor() {
    let server = Server::start();
    let client = server.client();
    create(&client, "orders", json!({"_id": "before", "n": 1})).await;
    let mut socket = connect(&server).await;
    let orders = socket.subscribe("orders", json!({"collections": ["orders"]})).await;
    let filter = json!({"collections": ["users"], "filter": {"n": {"$gt": 1}}, "from": "earliest"});
    assert_eq!(socket.subscribe("users", filter).await, 0);
    let live = json!({"type": "live", "collection": "orders", "filter": {"n": {"$lt": 3}}});
    assert_eq!(socket.subscribe("live", live).await, orders);
    let mut wanted = [Vec::new(), Vec::new()];
    for n in 1..=20 {
        wanted[0].push(create(&client, "orders", json!({"n": n})).await);
        let position = create(&client, "users", json!({"n": n})).await;
        if n > 1 {
            wanted[1].push(position);
        }
    }
    for (reference, wanted) in ["orders", "users"].into_iter().zip(&wanted) {
        let frames = socket.take_of(reference, wanted.len()).await;
        let positions: Vec<u64> = frames.iter().map(|frame| frame.position()).collect();
        assert_eq!(positions, *wanted, "{reference}");
        assert!(frames.iter().all(|frame| frame.event == "document.created"));
    }
    let live = socket.take_of("live", 4).await;
    let names: Vec<&str> = live.iter().map(|frame| frame.event.as_str()).collect();
    assert_eq!(names, ["snapshot", "ready", "enter", "enter"]);
    assert_eq!(live[0].id, None);
    assert_eq!(live[0].data["document"]["_id"], "before");
    assert_eq!(live[1].position(), orders);
    // What is told is what server-sent events tell.
    let path = format!("/v1/events?collections=orders&from={orders}");
    let told = client.stream(&path, &[]).await.take(20).await;
    let mut again = connect(&server).await;
    let from = json!({"collections": ["orders"], "from": orders});
    again.subscribe("again", from).await;
    assert_eq!(again.take_of("again", 20).await, told);
}

#[tokio::test]
async fn r13_cursors_resume_in_one_message_without_gap_or_double_after_a_kill() {
    let mut server = Server::start();
    let client = server.client();
    let collections = ["a", "b", "c"];
    let mut written = [const { Vec::new() }; 3];
    let mut seen = [const { Vec::<u64>::new() }; 3];
    let mut cursors = [0; 3];
    for round in 0..3 {
        let mut socket = connect(&server).await;
        let asked = |(n, name): (usize, &&str)| json!({"ref": name, "type": "events", "collections": [name], "from": cursors[n]});
        let list: Vec<Value> = collections.iter().enumerate().map(asked).collect();
        socket.send(&json!({"op": "resume", "subscriptions": list})).await;
        for n in 0..30 {
            let at = n % 3;
            written[at].push(create(&client, collections[at], json!({"n": n})).await);
        }
        for (n, name) in collections.iter().enumerate() {
            assert_eq!(socket.next_of(name).await.unwrap()["op"], "subscribed");
            let some = socket.take_of(name, 2 + n + round).await;
            seen[n].extend(some.iter().map(|frame| frame.position()));
        }
        server.kill();
        while let Some(message) = socket.next().await {
            let at = collections.iter().position(|name| message["ref"] == *name).unwrap();
            seen[at].push(message["id"].as_u64().unwrap());
        }
        server.restart();
        for n in 0..3 {
            cursors[n] = *seen[n].last().unwrap();
            written[n].push(create(&client, collections[n], json!({"between": round})).await);
        }
    }
    let mut socket = connect(&server).await;
    for (n, name) in collections.iter().enumerate() {
        let from = json!({"collections": [name], "from": cursors[n]});
        socket.subscribe(name, from).await;
        let rest = socket.take_of(name, written[n].len() - seen[n].len()).await;
        seen[n].extend(rest.iter().map(|frame| frame.position()));
    }
    assert_eq!(seen, written);
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_name_and_the_connection_goes_on() {
    let server = Server::with(&[("HEADWATER_LIMITS__SUBSCRIPTIONS_PER_CONNECTION", "3")]);
    let mut socket = connect(&server).await;
    socket.subscribe("a", json!({"collections": ["orders"]})).await;
    for text in ["{", "", "[1", "{\"op\":\"ping\"}}", "nonsense", "{\"op\":\"ping\",\"op\":1}"] {
        socket.send_text(text).await;
        let answer = socket.next().await.unwrap();
        assert_eq!(answer["op"], "error", "{text}");
        assert!(answer.get("ref").is_none(), "{text}: {answer}");
        if text != "{\"op\":\"ping\",\"op\":1}" {
            assert_eq!(answer["code"], "malformed_json", "{text}: {answer}");
        }
    }
    let live = |more: Value| {
        let mut message = json!({"op": "subscribe", "ref": "b", "type": "live", "collection": "c"});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message
    };
    let events = |more: Value| {
        let mut message = json!({"op": "subscribe", "ref": "b", "type": "events"});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message
    };
    let long = "r".repeat(256);
    for (message, code) in [
        (json!([]), "invalid_message"),
        (json!(7), "invalid_message"),
        (json!({}), "invalid_parameter"),
        (json!({"op": 7}), "invalid_parameter"),
        (json!({"op": "sing"}), "unknown_op"),
        (json!({"op": "ping", "more": 1}), "unknown_member"),
        (json!({"op": "auth"}), "invalid_parameter"),
        (json!({"op": "subscribe", "type": "events"}), "invalid_parameter"),
        (json!({"op": "subscribe", "type": "events", "ref": ""}), "invalid_parameter"),
        (json!({"op": "subscribe", "type": "events", "ref": 7}), "invalid_parameter"),
        (json!({"op": "subscribe", "type": "events", "ref": long}), "invalid_parameter"),
        (json!({"op": "subscribe", "ref": "b"}), "invalid_parameter"),
        (json!({"op": "subscribe", "ref": "b", "type": "other"}), "invalid_parameter"),
        (json!({"op": "subscribe", "ref": "a", "type": "events"}), "ref_taken"),
        (json!({"op": "unsubscribe", "ref": "b"}), "ref_not_found"),
        (json!({"op": "resume"}), "invalid_parameter"),
        (json!({"op": "resume", "subscriptions": [7]}), "invalid_parameter"),
        (events(json!({"collection": "c"})), "unknown_member"),
        (events(json!({"limit": 7})), "unknown_member"),
        (events(json!({"colour": "red"})), "unknown_member"),
        (events(json!({"collections": "c"})), "invalid_parameter"),
        (events(json!({"collections": [1]})), "invalid_parameter"),
        (events(json!({"kinds": ["x"]})), "unknown_kind"),
        (events(json!({"filter": {"$nothing": 1}})), "unknown_operator"),
        (events(json!({"from": 1000})), "position_gone"),
        (events(json!({"from": "x"})), "invalid_position"),
        (events(json!({"from": -1})), "invalid_parameter"),
        (events(json!({"from": 1.5})), "invalid_parameter"),
        (events(json!({"epoch": "0"})), "epoch_changed"),
        (events(json!({"format": "xml"})), "invalid_parameter"),
        (events(json!({"filter": {"a": {"$oid": "x"}}})), "malformed_ejson"),
        (live(json!({"collection": null})), "invalid_parameter"),
        (live(json!({"kinds": []})), "unknown_member"),
        (live(json!({"limit": 0})), "invalid_parameter"),
        (live(json!({"from": "earliest"})), "invalid_parameter"),
    ] {
        let answer = socket.ask(message.clone()).await;
        let reference = message["ref"].as_str().filter(|text| (1..256).contains(&text.len()));
        assert_eq!(answer["op"], "error", "{message}");
        assert_eq!(answer["code"], code, "{message}: {answer}");
        if let Some(reference) = reference {
            assert_eq!(answer["ref"], reference, "{message}: {answer}");
        }
    }
    // Entries of one message are answered each on its own.
    let entry = |reference: &str, more: Value| {
        let mut entry = json!({"ref": reference, "type": "events"});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry
    };
    let list = json!([
        entry("b", json!({"from": 0})),
        entry("c", json!({})),
        entry("a", json!({"from": 0})),
        entry("d", json!({"from": 0})),
        entry("e", json!({"from": 0})),
    ]);
    socket.send(&json!({"op": "resume", "subscriptions": list})).await;
    let answers = ["subscribed", "error", "error", "subscribed", "error"];
    for (reference, op) in ["b", "c", "a", "d", "e"].into_iter().zip(answers) {
        let answer = loop {
            let answer = socket.next_of(reference).await.unwrap();
            if answer["op"] != "event" {
                break answer;
            }
        };
        assert_eq!(answer["op"], op, "{answer}");
        if reference == "e" {
            assert_eq!(answer["code"], "too_many_subscriptions", "{answer}");
        }
    }
    // And all goes on.
    let position = create(&server.client(), "orders", json!({})).await;
    assert_eq!(socket.take_of("a", 1).await[0].position(), position);
    socket.send(&json!({"op": "ping"})).await;
    loop {
        if socket.next().await.unwrap() == json!({"op": "pong"}) {
            break;
        }
    }
}

#[tokio::test]
async fn nothing_comes_after_closed_and_the_name_is_free_again() {
    let server = Server::start();
    let client = server.client();
    let many: Vec<_> = (0..3000).map(|n| json!({"n": n, "text": "x".repeat(200)})).collect();
    client.post(ORDERS, &json!(many)).await.expect(201);
    let mut socket = connect(&server).await;
    for _ in 0..5 {
        let from = json!({"collections": ["orders"], "from": "earliest"});
        socket.subscribe("a", from).await;
        socket.take_of("a", 3).await;
        // The name is taken until its last word.
        socket.send(&json!({"op": "unsubscribe", "ref": "a"})).await;
        loop {
            let message = socket.next().await.unwrap();
            if message["op"] == "closed" {
                assert_eq!(message, json!({"op": "closed", "ref": "a", "reason": "unsubscribed"}));
                break;
            }
        }
    }
    socket.send(&json!({"op": "ping"})).await;
    assert_eq!(socket.next().await.unwrap(), json!({"op": "pong"}));
}

#[tokio::test]
async fn a_connection_that_ends_takes_its_subscriptions_along() {
    let server = Server::start();
    let client = server.client();
    let count = async || {
        let page = client.get("/v1/admin/subscriptions").await.expect(200);
        page.list("subscriptions").len()
    };
    let (mut one, mut other) = (connect(&server).await, connect(&server).await);
    for socket in [&mut one, &mut other] {
        for reference in ["a", "b", "c"] {
            socket.subscribe(reference, json!({})).await;
        }
    }
    assert_eq!(count().await, 6);
    one.ask(json!({"op": "unsubscribe", "ref": "b"})).await;
    assert_eq!(count().await, 5);
    one.close().await;
    eventually("one has left", async || (count().await == 3).then_some(())).await;
    drop(other);
    eventually("all have left", async || (count().await == 0).then_some(())).await;
}

#[tokio::test]
async fn numbers_keep_their_types_and_documents_their_dialect() {
    let server = Server::start();
    let client = server.client();
    let mut socket = connect(&server).await;
    let filter = json!({"filter": {"_id": {"$oid": "507f1f77bcf86cd799439011"}}});
    socket.subscribe("plain", filter.clone()).await;
    let mut extended = filter;
    extended["format"] = "ejson".into();
    socket.subscribe("extended", extended).await;
    let body = r#"{"_id":{"$oid":"507f1f77bcf86cd799439011"},"n":{"$numberLong":"7"}}"#;
    client.post_text(ORDERS, "application/ejson", body).await.expect(201);
    let plain = &socket.take_of("plain", 1).await[0];
    assert_eq!(plain.data["document"], json!({"_id": "507f1f77bcf86cd799439011", "n": 7}));
    let extended = &socket.take_of("extended", 1).await[0];
    assert_eq!(extended.data["document"]["n"], json!({"$numberLong": "7"}));
}
