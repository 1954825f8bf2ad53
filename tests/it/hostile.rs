//! Hostile queries: each ends by its limit, which the refusal names, and nobody else waits for it.

use std::future::Future;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Server};

const ORDERS: &str = "/v1/collections/orders/documents";
const QUERY: &str = "/v1/collections/orders/query";
const AGGREGATE: &str = "/v1/collections/orders/aggregate";

async fn fill(client: &Client, count: u32) {
    let documents: Vec<Value> =
        (0..count).map(|n| json!({"_id": n, "n": n, "text": "a".repeat(40) + "!"})).collect();
    client.post(ORDERS, &json!(documents)).await.expect(201);
}

/// Every document with every other, each pair with every document once more.
fn product() -> Value {
    let inner = json!({"$lookup": {"from": "orders", "let": {"m": "$n"}, "pipeline": [
        {"$match": {"$expr": {"$eq": [{"$add": ["$n", "$$m"]}, -1]}}},
    ], "as": "none"}});
    let outer = json!({"$lookup": {"from": "orders", "let": {"n": "$n"}, "pipeline": [
        {"$match": {"$expr": {"$ne": ["$n", "$$n"]}}},
        inner,
        {"$match": {"n": -1}},
    ], "as": "all"}});
    json!({"pipeline": [outer]})
}

#[track_caller]
fn limit(answer: &Answer) -> &str {
    let text: String = answer.text.chars().take(500).collect();
    assert_eq!(answer.status, 400, "{text}");
    assert_eq!(answer.body["error"]["code"], "limit_exceeded", "{text}");
    answer.body["error"]["details"]["limit"].as_str().unwrap()
}

/// Sends a request that takes long; health must answer all the while. How often it did, and the answer.
async fn beside_health(client: &Client, hostile: impl Future<Output = Answer>) -> (usize, Answer) {
    tokio::pin!(hostile);
    let mut answers = 0;
    loop {
        let start = Instant::now();
        tokio::select! {
            answer = &mut hostile => return (answers, answer),
            health = client.get("/healthz") => {
                health.expect(200);
                // Machines that run tests are busy; a blocked server would take as long as the query.
                assert!(start.elapsed() < Duration::from_secs(1), "health waited");
                answers += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn filters_too_deep_or_too_wide_are_refused_at_once() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 10).await;
    let mut deep = json!({"n": 1});
    for _ in 0..40 {
        deep = json!({"$and": [deep]});
    }
    let clauses: Vec<Value> = (0..10_000).map(|n| json!({"n": n})).collect();
    let values: Vec<u32> = (0..100_000).collect();
    for (filter, name) in [
        (deep, "limits.query_depth"),
        (json!({"$or": clauses}), "limits.query_clauses"),
        (json!({"n": {"$in": values}}), "limits.query_in_values"),
    ] {
        for path in [QUERY, "/v1/collections/orders/distinct"] {
            let body = if path == QUERY {
                json!({"filter": filter})
            } else {
                json!({"field": "n", "filter": filter})
            };
            assert_eq!(limit(&client.post(path, &body).await), name, "{path}");
        }
    }
    let nested = format!("{{\"filter\":{}1{}}}", "{\"a\":".repeat(5000), "}".repeat(5000));
    let nested = client.post_text(QUERY, "application/json", nested).await;
    assert_eq!(limit(&nested), "limits.nesting");
    let stages: Vec<Value> = (0..10_000).map(|_| json!({"$skip": 0})).collect();
    let stages = client.post(AGGREGATE, &json!({"pipeline": stages})).await;
    assert_eq!(limit(&stages), "limits.query_clauses");
}

#[tokio::test]
async fn a_catastrophic_pattern_ends() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 1000).await;
    for pattern in ["^(a+)+$", "^(?=(a+)+$)x", "(a*)*b", "^(a|a|aa)+$"] {
        let query = json!({"filter": {"text": {"$regex": pattern}}});
        let (_, answer) = beside_health(&client, client.post(QUERY, &query)).await;
        assert!([200, 400].contains(&answer.status), "{pattern}: {}", answer.text);
        if answer.status == 200 {
            assert_eq!(answer.list("documents").len(), 0, "{pattern}");
        }
    }
}

#[tokio::test]
async fn a_product_of_collections_ends_by_the_deadline() {
    let server = Server::with(&[("HEADWATER_LIMITS__QUERY_DEADLINE_MS", "1000")]);
    let client = server.client();
    fill(&client, 2000).await;
    let hostile = client.post(AGGREGATE, &product());
    let (answers, answer) = beside_health(&client, hostile).await;
    assert_eq!(limit(&answer), "limits.query_deadline_ms");
    assert!(answers > 0, "health answered before the query ended");
}

#[tokio::test]
async fn results_and_documents_are_bounded() {
    let server = Server::start();
    let client = server.client();
    let text = "x".repeat(9 << 20);
    for id in [1, 2] {
        client.post(ORDERS, &json!({"_id": id, "list": [text]})).await.expect(201);
    }
    let result = client.post(QUERY, &json!({"filter": {"_id": {"$gt": 0}}})).await;
    assert_eq!(limit(&result), "limits.query_result_bytes");
    let result = client.post(AGGREGATE, &json!({"pipeline": [{"$match": {}}]})).await;
    assert_eq!(limit(&result), "limits.query_result_bytes");
    let push = json!({"filter": {"_id": 1}, "update": {"$push": {"list": text}}});
    let push = client.post("/v1/collections/orders/update", &push).await;
    assert_eq!(limit(&push), "limits.document_bytes");
    let push = client.patch(&format!("{ORDERS}/2"), &json!({"$push": {"list": text}})).await;
    assert_eq!(limit(&push), "limits.document_bytes");
    assert_eq!(client.get("/v1/collections/orders").await.expect(200).body["count"], 2);
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_its_query() {
    let server = Server::with(&[("HEADWATER_LIMITS__QUERY_DEADLINE_MS", "60000")]);
    let client = server.client();
    fill(&client, 2000).await;
    let hostile = client.post(AGGREGATE, &product());
    let gone = tokio::time::timeout(Duration::from_millis(300), hostile).await;
    assert!(gone.is_err(), "it takes longer than that");
    // A stop waits for what runs on blocking threads.
    let mut server = server;
    let start = Instant::now();
    assert!(server.stop().success());
    assert!(start.elapsed() < Duration::from_secs(20), "the query went on");
}
