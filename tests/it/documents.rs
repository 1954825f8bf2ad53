//! Documents: written, read, replaced, merged, deleted; versions; the past; pages.

use serde_json::{Value, json};

use crate::harness::{Client, Server};

const ORDERS: &str = "/v1/collections/orders/documents";

async fn fill(client: &Client, count: u32) {
    let documents: Vec<Value> = (0..count).map(|n| json!({"_id": n, "n": n})).collect();
    client.post(ORDERS, &json!(documents)).await.expect(201);
}

fn ids(documents: &[Value]) -> Vec<&Value> {
    documents.iter().map(|document| &document["_id"]).collect()
}

#[tokio::test]
async fn a_document_without_an_id_gets_one_and_is_read_by_it() {
    let server = Server::start();
    let client = server.client();
    let created = client.post(ORDERS, &json!({"total": 42})).await.expect(201);
    let id = created.list("documents")[0]["_id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 24);
    assert_eq!(created.body["position"], created.position());
    let read = client.get(&format!("{ORDERS}/{id}")).await.expect(200);
    assert_eq!(read.body, json!({"_id": id, "total": 42}));
    assert_eq!(read.header("etag"), "\"1\"");
    assert_eq!(read.position(), created.position());
}

#[tokio::test]
async fn an_array_is_written_whole_or_not_at_all() {
    let server = Server::start();
    let client = server.client();
    let two = client.post(ORDERS, &json!([{"_id": "a"}, {"_id": 5}])).await.expect(201);
    assert_eq!(ids(two.list("documents")), [&json!("a"), &json!(5)]);
    let refused = client.post(ORDERS, &json!([{"_id": "b"}, {"_id": "a"}])).await;
    assert_eq!(refused.refused(409), "duplicate_id");
    client.get(&format!("{ORDERS}/b")).await.expect(404);
    client.get(&format!("{ORDERS}/5")).await.expect(200);
}

#[tokio::test]
async fn put_replaces_and_creates_only_where_that_is_asked_for() {
    let server = Server::start();
    let client = server.client();
    let path = format!("{ORDERS}/a");
    assert_eq!(client.put(&path, &json!({"n": 1})).await.refused(404), "document_not_found");
    let upsert = format!("{path}?upsert=true");
    let created = client.put(&upsert, &json!({"n": 1, "old": true})).await.expect(201);
    assert_eq!(created.header("etag"), "\"1\"");
    let replaced = client.put(&upsert, &json!({"n": 2})).await.expect(200);
    assert_eq!(replaced.body, json!({"_id": "a", "n": 2}));
    assert_eq!(replaced.header("etag"), "\"2\"");
    client.put(&path, &json!({"_id": "other"})).await.expect(400);
}

#[tokio::test]
async fn patch_merges_plain_fields() {
    let server = Server::start();
    let client = server.client();
    client.post(ORDERS, &json!({"_id": "a", "keep": 1, "change": 1})).await.expect(201);
    let patched = client.patch(&format!("{ORDERS}/a"), &json!({"change": 2, "new": [3]})).await;
    let patched = patched.expect(200);
    assert_eq!(patched.body, json!({"_id": "a", "keep": 1, "change": 2, "new": [3]}));
    assert_eq!(patched.header("etag"), "\"2\"");
    client.patch(&format!("{ORDERS}/nobody"), &json!({"a": 1})).await.expect(404);
}

#[tokio::test]
async fn a_write_with_another_version_in_if_match_is_refused() {
    let server = Server::start();
    let client = server.client();
    client.post(ORDERS, &json!({"_id": "a", "n": 1})).await.expect(201);
    let path = format!("{ORDERS}/a");
    let matching = |method: &str, version: &str| {
        client
            .send(client.request(method, &path).header("if-match", version).json(&json!({"n": 2})))
    };
    matching("PUT", "\"1\"").await.expect(200);
    for method in ["PUT", "PATCH", "DELETE"] {
        matching(method, "\"1\"").await.expect(412);
    }
    matching("PATCH", "*").await.expect(200);
    assert_eq!(client.get(&path).await.expect(200).body["n"], 2);
    matching("DELETE", "\"2\"").await.expect(200);
}

#[tokio::test]
async fn a_version_never_repeats_after_a_deletion() {
    let server = Server::start();
    let client = server.client();
    let path = format!("{ORDERS}/a");
    client.post(ORDERS, &json!({"_id": "a", "life": 1})).await.expect(201);
    let deleted = client.delete(&path).await.expect(200);
    assert_eq!(deleted.body, json!({"deleted": 1, "position": deleted.position()}));
    client.get(&path).await.expect(404);
    client.delete(&path).await.expect(404);
    client.post(ORDERS, &json!({"_id": "a", "life": 2})).await.expect(201);
    assert_eq!(client.get(&path).await.expect(200).header("etag"), "\"3\"");
    let history = client.get(&format!("{path}/history")).await.expect(200);
    let kinds: Vec<&Value> = history.list("events").iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["document.created", "document.deleted", "document.created"]);
    let versions: Vec<&Value> =
        history.list("events").iter().map(|event| &event["version"]).collect();
    assert_eq!(versions, [3, 2, 1]);
}

#[tokio::test]
async fn reads_at_a_position_or_time_see_the_past() {
    let server = Server::start();
    let client = server.client();
    let path = format!("{ORDERS}/a");
    let first = client.post(ORDERS, &json!({"_id": "a", "n": 1})).await.expect(201).position();
    let second = client.put(&path, &json!({"n": 2})).await.expect(200).position();
    client.delete(&path).await.expect(200);
    let at = |moment: &str| client.get(&format!("{path}?at={moment}"));
    assert_eq!(at(&first.to_string()).await.expect(200).body["n"], 1);
    let then = at(&second.to_string()).await.expect(200);
    assert_eq!(
        (&then.body["n"], then.header("etag"), then.position()),
        (&json!(2), "\"2\"", second)
    );
    at(&(first - 1).to_string()).await.expect(404);
    let history = client.get(&format!("{path}/history")).await.expect(200);
    let time = history.list("events")[1]["time"].as_str().unwrap();
    assert_eq!(at(time).await.expect(200).body["n"], 2);
    at("2001-01-01T00:00:00Z").await.expect(404);
    assert_eq!(at(&(second + 100).to_string()).await.refused(400), "at_in_future");
    assert_eq!(at("2999-01-01T00:00:00Z").await.refused(400), "at_in_future");
    let page = client.get(&format!("{ORDERS}?at={first}")).await.expect(200);
    assert_eq!(page.list("documents"), &[json!({"_id": "a", "n": 1})]);
}

#[tokio::test]
async fn pages_follow_each_other_in_id_order() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 25).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{ORDERS}?limit=10{cursor}")).await.expect(200);
        seen.extend(page.list("documents").iter().map(|one| one["_id"].as_u64().unwrap()));
        match page.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, (0..25).collect::<Vec<u64>>());
    let skipped = client.get(&format!("{ORDERS}?skip=24")).await.expect(200);
    assert_eq!(ids(skipped.list("documents")), [&json!(24)]);
    client.get(&format!("{ORDERS}?limit=1000")).await.expect(200);
    for wrong in ["limit=1001", "limit=0", "limit=-1", "limit=x", "cursor=x"] {
        client.get(&format!("{ORDERS}?{wrong}")).await.expect(400);
    }
}

#[tokio::test]
async fn a_list_is_held_to_the_position_of_its_first_page() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 6).await;
    let first = client.get(&format!("{ORDERS}?limit=3")).await.expect(200);
    client.delete(&format!("{ORDERS}/4")).await.expect(200);
    let (next, at) = (first.body["next"].as_str().unwrap(), first.position());
    let held = client.get(&format!("{ORDERS}?cursor={next}&at={at}")).await.expect(200);
    assert_eq!(ids(held.list("documents")), [&json!(3), &json!(4), &json!(5)]);
    let newest = client.get(&format!("{ORDERS}?cursor={next}")).await.expect(200);
    assert_eq!(ids(newest.list("documents")), [&json!(3), &json!(5)]);
}

#[tokio::test]
async fn query_counts_without_limit_and_skip() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 5).await;
    let query = json!({"limit": 2, "skip": 1, "count": true});
    let answer = client.post("/v1/collections/orders/query", &query).await.expect(200);
    assert_eq!(answer.body["count"], 5);
    assert_eq!(ids(answer.list("documents")), [&json!(1), &json!(2)]);
    let nothing = client.post("/v1/collections/none/query", &json!({"count": true})).await;
    assert_eq!(nothing.expect(200).body["count"], 0);
}

#[tokio::test]
async fn extended_json_goes_in_and_out_by_content_type_and_accept() {
    let server = Server::start();
    let client = server.client();
    let id = "507f1f77bcf86cd799439011";
    let body = json!({"_id": {"$oid": id}, "when": {"$date": "2020-01-01T00:00:00Z"},
        "big": {"$numberLong": "9007199254740993"}, "exact": {"$numberDecimal": "1.10"}});
    let written = client.post_text(ORDERS, "application/ejson", body.to_string()).await;
    assert_eq!(written.expect(201).list("documents")[0]["when"], "2020-01-01T00:00:00.000Z");
    let request = client.request("GET", &format!("{ORDERS}/{id}"));
    let read = client.send(request.header("accept", "application/ejson")).await.expect(200);
    assert_eq!(read.body["_id"], json!({"$oid": id}));
    assert_eq!(read.body["when"], json!({"$date": {"$numberLong": "1577836800000"}}));
    assert_eq!(read.body["big"], json!({"$numberLong": "9007199254740993"}));
    assert_eq!(read.body["exact"], json!({"$numberDecimal": "1.10"}));
    let page = client.send(client.request("GET", ORDERS).header("accept", "application/ejson"));
    let page = page.await.expect(200);
    assert!(page.body["position"].is_u64(), "the envelope stays plain");
    assert_eq!(page.list("documents")[0], read.body);
}

#[tokio::test]
async fn r3_an_idempotency_key_applies_a_write_once_even_across_a_kill() {
    let mut server = Server::start();
    let client = server.client();
    let send = |client: &Client, body: &Value| {
        let request = client.request("POST", ORDERS).header("idempotency-key", "once");
        client.send(request.json(body))
    };
    let first = send(&client, &json!({"n": 1})).await.expect(201);
    server.kill();
    server.restart();
    let again = send(&client, &json!({"n": 1})).await.expect(201);
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(send(&client, &json!({"n": 2})).await.refused(422), "idempotency_key_reused");
    let count = client.get("/v1/collections/orders").await.expect(200);
    assert_eq!(count.body["count"], 1);
}

#[tokio::test]
async fn r5_a_read_waits_for_the_position_that_it_names() {
    let server = Server::start();
    let client = server.client();
    let written = client.post(ORDERS, &json!({"_id": "a"})).await.expect(201).position();
    let request = client.request("GET", &format!("{ORDERS}/a"));
    let read = client.send(request.header("headwater-after", written.to_string())).await;
    assert!(read.expect(200).position() >= written);
    client.get(&format!("{ORDERS}/a?after_position={written}")).await.expect(200);
    client.get(&format!("{ORDERS}/a?after_position=x")).await.expect(400);
}
