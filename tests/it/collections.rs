//! Collections: come into being, are defined, listed, dropped.

use serde_json::{Value, json};

use crate::harness::Server;

#[tokio::test]
async fn a_collection_comes_into_being_with_its_first_document() {
    let server = Server::start();
    let client = server.client();
    client.get("/v1/collections/orders").await.expect(404);
    let nothing = client.get("/v1/collections/orders/documents").await.expect(200);
    assert_eq!((nothing.list("documents").len(), &nothing.body["next"]), (0, &Value::Null));
    client.post("/v1/collections/orders/documents", &json!([{}, {}])).await.expect(201);
    let read = client.get("/v1/collections/orders").await.expect(200);
    assert_eq!((&read.body["name"], &read.body["count"]), (&json!("orders"), &json!(2)));
    for member in ["bytes", "schema", "fields", "options", "indexes"] {
        assert!(read.body.get(member).is_some(), "{member}");
    }
}

#[tokio::test]
async fn a_collection_is_defined_listed_and_dropped_with_its_documents() {
    let server = Server::start();
    let client = server.client();
    for name in ["b", "a", "c"] {
        client.put(&format!("/v1/collections/{name}"), &json!({})).await.expect(201);
    }
    client.put("/v1/collections/a", &json!({})).await.expect(200);
    let first = client.get("/v1/collections?limit=2").await.expect(200);
    let next = first.body["next"].as_str().unwrap();
    let second = client.get(&format!("/v1/collections?limit=2&cursor={next}")).await.expect(200);
    let names = first.list("collections").iter().chain(second.list("collections"));
    assert_eq!(names.map(|one| &one["name"]).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(second.body["next"], Value::Null);
    client.post("/v1/collections/a/documents", &json!({"_id": 1})).await.expect(201);
    client.delete("/v1/collections/a").await.expect(200);
    client.get("/v1/collections/a").await.expect(404);
    client.delete("/v1/collections/a").await.expect(404);
    client.get("/v1/collections/a/documents/1").await.expect(404);
}

#[tokio::test]
async fn strict_collections_must_be_defined_first() {
    let server = Server::with(&[("HEADWATER_COLLECTIONS__STRICT", "true")]);
    let client = server.client();
    client.post("/v1/collections/orders/documents", &json!({})).await.expect(404);
    client.get("/v1/collections/orders/documents").await.expect(404);
    client.get("/v1/events?collections=orders").await.expect(404);
    client.put("/v1/collections/orders", &json!({})).await.expect(201);
    client.post("/v1/collections/orders/documents", &json!({})).await.expect(201);
    client.get("/v1/events?collections=orders").await.expect(200);
}
