//! Pages of events, and custom events.

use serde_json::{Value, json};

use crate::harness::{Client, Server};

async fn write(client: &Client, collection: &str, count: u32) {
    for n in 0..count {
        let path = format!("/v1/collections/{collection}/documents");
        client.post(&path, &json!({"_id": n})).await.expect(201);
    }
}

fn positions(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["position"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn r4_pages_are_dense_rise_by_one_and_end_at_last() {
    let server = Server::start();
    let client = server.client();
    write(&client, "orders", 6).await;
    write(&client, "other", 3).await;
    let (mut seen, mut from) = (Vec::new(), 0);
    loop {
        let page = client.get(&format!("/v1/events?from={from}&limit=4")).await.expect(200);
        assert_eq!(page.header("headwater-epoch"), page.body["epoch"].as_str().unwrap());
        seen.extend(positions(page.list("events")));
        from = page.body["next"].as_u64().unwrap();
        if from == page.body["last"].as_u64().unwrap() {
            break;
        }
    }
    assert_eq!(seen, (1..=11).collect::<Vec<u64>>());
}

#[tokio::test]
async fn an_event_says_what_happened() {
    let server = Server::start();
    let client = server.client();
    let path = "/v1/collections/orders/documents/a";
    let document = json!({"_id": "a", "keep": 1, "total": 1, "old": 1});
    let created = client.post("/v1/collections/orders/documents", &document).await.position();
    let updated = client.put(path, &json!({"keep": 1, "total": 2})).await.position();
    let deleted = client.delete(path).await.position();
    let page = client.get("/v1/events?collections=orders").await.expect(200);
    let [first, second, third] = page.list("events").as_slice() else { panic!("{}", page.text) };
    assert_eq!((&first["position"], &first["kind"]), (&json!(created), &json!("document.created")));
    assert_eq!((&first["document"], &first["version"]), (&document, &json!(1)));
    assert_eq!((&second["position"], &second["previous"]), (&json!(updated), &json!(created)));
    assert_eq!((&second["changed"], &second["removed"]), (&json!(["total"]), &json!(["old"])));
    assert_eq!(second["document"], json!({"_id": "a", "keep": 1, "total": 2}));
    assert_eq!((&third["position"], &third["previous"]), (&json!(deleted), &json!(updated)));
    assert_eq!((&third["kind"], &third["document"]), (&json!("document.deleted"), &Value::Null));
    for event in [first, second, third] {
        assert_eq!((&event["collection"], &event["id"]), (&json!("orders"), &json!("a")));
        assert!(event["actor"].is_string());
        let time = event["time"].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z'), "{time} has milliseconds, in UTC");
    }
}

#[tokio::test]
async fn pages_are_bounded_by_from_to_collections_and_kinds() {
    let server = Server::start();
    let client = server.client();
    write(&client, "a", 2).await;
    write(&client, "b", 2).await;
    let b = client.delete("/v1/collections/b/documents/0").await.expect(200).position();
    let of = async |query: &str| {
        let page = client.get(&format!("/v1/events?{query}")).await.expect(200);
        positions(page.list("events"))
    };
    assert_eq!(of("from=1&to=3").await, [2, 3]);
    assert_eq!(of("collections=a,b").await, [2, 3, 5, 6, 7]);
    assert_eq!(of("collections=b&kinds=document.deleted").await, [b]);
    assert_eq!(of("from=earliest&limit=1").await, [1]);
    assert_eq!(of("from=latest").await, [0_u64; 0]);
    assert_eq!(of("from=2001-01-01T00:00:00Z&collections=a").await, [2, 3]);
    let gone = client.get("/v1/events?from=1000").await.expect(410);
    assert_eq!(gone.body["error"]["details"]["first"], 1, "{}", gone.text);
    for wrong in ["from=x", "limit=1001", "kinds=nothing", "collections=a%20b"] {
        client.get(&format!("/v1/events?{wrong}")).await.expect(400);
    }
}

#[tokio::test]
async fn a_published_event_is_logged_with_its_channel() {
    let server = Server::start();
    let client = server.client();
    let body = json!({"event": "answer", "data": {"n": 42}, "channel": "room"});
    let published = client.post("/v1/events", &body).await.expect(201);
    assert_eq!(published.body, json!({"position": published.position()}));
    client.post("/v1/events", &json!({"event": "answer", "data": null})).await.expect(201);
    for query in ["channel=room", "kinds=event.published&limit=1"] {
        let page = client.get(&format!("/v1/events?{query}")).await.expect(200);
        let [event] = page.list("events").as_slice() else { panic!("{}", page.text) };
        assert_eq!(
            (&event["kind"], &event["event"]),
            (&json!("event.published"), &json!("answer"))
        );
        assert_eq!((&event["data"], &event["channel"]), (&json!({"n": 42}), &json!("room")));
    }
    client.post("/v1/events", &json!({"data": 1})).await.expect(400);
}

#[tokio::test]
async fn a_filter_looks_at_a_document_before_and_after() {
    let server = Server::start();
    let client = server.client();
    let orders = "/v1/collections/orders/documents";
    client.post(orders, &json!([{"_id": 1, "open": true}, {"_id": 2}])).await.expect(201);
    client.patch(&format!("{orders}/1"), &json!({"open": false})).await.expect(200);
    client.patch(&format!("{orders}/1"), &json!({"note": "later"})).await.expect(200);
    let filter = "filter=%7B%22open%22%3Atrue%7D";
    let page = client.get(&format!("/v1/events?{filter}&kinds=document.created,document.updated"));
    let page = page.await.expect(200);
    let kinds: Vec<&Value> = page.list("events").iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["document.created", "document.updated"], "{}", page.text);
    client.get("/v1/events?filter=%7B%22a%22%3A%7B%22%24fly%22%3A1%7D%7D").await.expect(400);
}
