//! Transactions: together or not at all.

use serde_json::json;

use crate::support::Face;

#[tokio::test(flavor = "multi_thread")]
async fn operations_take_effect_together() {
    let face = Face::new();
    let body = r#"{"operations":[
        {"op":"create","collection":"a","document":{"_id":"x","n":1}},
        {"op":"update","collection":"a","id":"x","update":{"n":2},"if_version":1},
        {"op":"replace","collection":"b","id":"y","document":{"m":1},"upsert":true},
        {"op":"create","collection":"a","document":{"_id":"z"}},
        {"op":"delete","collection":"a","id":"z"}]}"#;
    let done = face.post("/v1/transactions", body).await;
    assert_eq!(done.status, 200, "{}", done.body);
    let results = done.body["results"].as_array().unwrap();
    assert_eq!(results.len(), 5);
    assert_eq!((&results[1]["id"], &results[1]["version"]), (&json!("x"), &json!(2)));
    assert_eq!(results[4]["position"], done.position());
    assert_eq!(face.get("/v1/collections/a/documents/x").await.body["n"], 2);
    assert_eq!(face.get("/v1/collections/a/documents/z").await.status, 404);
    face.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refusal_refuses_all() {
    let face = Face::new();
    let body = r#"{"operations":[
        {"op":"create","collection":"a","document":{"_id":"x"}},
        {"op":"delete","collection":"a","id":"none"}]}"#;
    let refused = face.post("/v1/transactions", body).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["error"]["details"]["operation"]),
        (404, &json!(1))
    );
    assert_eq!(face.get("/v1/collections/a/documents/x").await.status, 404);
    for wrong in [
        "{}",
        r#"{"operations":[]}"#,
        r#"{"operations":[{"op":"fly","collection":"a"}]}"#,
        r#"{"operations":[{"op":"delete","collection":"a","id":"x","extra":1}]}"#,
        r#"{"operations":[{"op":"update","collection":"a","id":"x","update":{"$fly":{"n":1}}}]}"#,
    ] {
        assert_eq!(face.post("/v1/transactions", wrong).await.status, 400, "{wrong}");
    }
    face.stop().await;
}
