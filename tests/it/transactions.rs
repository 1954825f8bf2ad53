//! Transactions: all or none, in order.

use serde_json::{Value, json};

use crate::harness::Server;

#[tokio::test]
async fn a_transaction_applies_its_operations_in_order() {
    let server = Server::start();
    let client = server.client();
    let operations = json!({"operations": [
        {"op": "create", "collection": "a", "document": {"_id": "x", "n": 1}},
        {"op": "update", "collection": "a", "id": "x", "update": {"n": 2}, "if_version": 1},
        {"op": "replace", "collection": "b", "id": "y", "document": {"z": 1}, "upsert": true},
        {"op": "create", "collection": "b", "document": {"_id": "gone"}},
        {"op": "delete", "collection": "b", "id": "gone", "if_version": 1},
    ]});
    let done = client.post("/v1/transactions", &operations).await.expect(200);
    let versions: Vec<&Value> =
        done.list("results").iter().map(|result| &result["version"]).collect();
    assert_eq!(versions, [1, 2, 1, 1, 2]);
    assert_eq!(done.body["position"], done.list("results")[4]["position"]);
    assert_eq!(client.get("/v1/collections/a/documents/x").await.expect(200).body["n"], 2);
    client.get("/v1/collections/b/documents/gone").await.expect(404);
}

#[tokio::test]
async fn r2_a_transaction_with_a_refused_operation_leaves_nothing() {
    let server = Server::start();
    let client = server.client();
    client.post("/v1/collections/a/documents", &json!({"_id": "x"})).await.expect(201);
    let before = client.get("/v1/collections").await.position();
    let create = json!({"op": "create", "collection": "b", "document": {"_id": "new"}});
    for (second, status) in [
        (json!({"op": "create", "collection": "a", "document": {"_id": "x"}}), 409),
        (json!({"op": "update", "collection": "a", "id": "none", "update": {"n": 1}}), 404),
        (json!({"op": "delete", "collection": "a", "id": "x", "if_version": 7}), 412),
        (json!({"op": "fly", "collection": "a"}), 400),
    ] {
        let operations = json!({"operations": [create, second]});
        let refused = client.post("/v1/transactions", &operations).await.expect(status);
        assert_eq!(refused.body["error"]["details"]["operation"], 1, "{}", refused.text);
    }
    client.get("/v1/collections/b/documents/new").await.expect(404);
    assert_eq!(client.get("/v1/collections").await.position(), before);
}
