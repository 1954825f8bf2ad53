//! Updates and deletions by filter, and patches with operators.

use serde_json::{Value, json};

use crate::harness::{Client, Server};

const ORDERS: &str = "/v1/collections/orders/documents";
const UPDATE: &str = "/v1/collections/orders/update";
const DELETE: &str = "/v1/collections/orders/delete";

async fn fill(client: &Client, count: u32) {
    let documents: Vec<Value> = (0..count).map(|n| json!({"_id": n, "even": n % 2 == 0})).collect();
    client.post(ORDERS, &json!(documents)).await.expect(201);
}

#[tokio::test]
async fn an_update_takes_the_first_or_all_that_match() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 10).await;
    let first = json!({"filter": {"even": true}, "update": {"$set": {"seen": 1}}});
    let answer = client.post(UPDATE, &first).await.expect(200);
    assert_eq!(
        answer.body,
        json!({"matched": 1, "modified": 1, "upserted_id": null, "position": answer.position()})
    );
    assert_eq!(client.get(&format!("{ORDERS}/0")).await.expect(200).body["seen"], 1);
    let all = json!({"filter": {"even": true}, "update": {"$set": {"seen": 1}}, "multi": true});
    let answer = client.post(UPDATE, &all).await.expect(200);
    assert_eq!((&answer.body["matched"], &answer.body["modified"]), (&json!(5), &json!(4)));
    let none = json!({"filter": {"even": "never"}, "update": {"$set": {"seen": 2}}, "multi": true});
    let answer = client.post(UPDATE, &none).await.expect(200);
    assert_eq!((&answer.body["matched"], &answer.body["modified"]), (&json!(0), &json!(0)));
    let nowhere = client.post("/v1/collections/none/update", &all).await.expect(200);
    assert_eq!(nowhere.body["matched"], 0);
    client.get("/v1/collections/none").await.expect(404);
}

#[tokio::test]
async fn replacements_pipelines_and_array_filters_are_updates() {
    let server = Server::start();
    let client = server.client();
    client.post(ORDERS, &json!({"_id": "a", "n": 1, "list": [1, 5, 9]})).await.expect(201);
    let a = format!("{ORDERS}/a");
    let body = json!({"filter": {"_id": "a"}, "update": {"$inc": {"list.$[large]": 100}},
        "array_filters": [{"large": {"$gt": 4}}]});
    client.post(UPDATE, &body).await.expect(200);
    assert_eq!(client.get(&a).await.expect(200).body["list"], json!([1, 105, 109]));
    let body = json!({"filter": {"list": 105}, "update": {"$set": {"list.$": 0}}});
    client.post(UPDATE, &body).await.expect(200);
    assert_eq!(client.get(&a).await.expect(200).body["list"], json!([1, 0, 109]));
    let body =
        json!({"filter": {"_id": "a"}, "update": [{"$set": {"double": {"$multiply": ["$n", 2]}}}]});
    client.post(UPDATE, &body).await.expect(200);
    assert_eq!(client.get(&a).await.expect(200).body["double"], 2);
    let body = json!({"filter": {"_id": "a"}, "update": {"fresh": true}});
    client.post(UPDATE, &body).await.expect(200);
    assert_eq!(client.get(&a).await.expect(200).body, json!({"_id": "a", "fresh": true}));
    let several = json!({"filter": {}, "update": {"fresh": false}, "multi": true});
    assert_eq!(client.post(UPDATE, &several).await.refused(400), "replacement_with_multi");
    for wrong in [
        json!({"filter": {}}),
        json!({"update": {"$fly": {"a": 1}}}),
        json!({"update": {"$set": {"a": 1}}, "array_filters": {}}),
        json!({"update": {"$set": {"a": 1}}, "many": true}),
        json!({"filter": [], "update": {"$set": {"a": 1}}}),
    ] {
        client.post(UPDATE, &wrong).await.expect(400);
    }
}

#[tokio::test]
async fn an_upsert_makes_what_was_not_there() {
    let server = Server::start();
    let client = server.client();
    let upsert = json!({"filter": {"name": "x"}, "update": {"$inc": {"n": 1}}, "upsert": true});
    let answer = client.post(UPDATE, &upsert).await.expect(200);
    let id = answer.body["upserted_id"].as_str().unwrap().to_owned();
    assert_eq!((&answer.body["matched"], &answer.body["modified"]), (&json!(0), &json!(0)));
    let made = client.get(&format!("{ORDERS}/{id}")).await.expect(200);
    assert_eq!(made.body, json!({"_id": id, "name": "x", "n": 1}));
    let again = client.post(UPDATE, &upsert).await.expect(200);
    assert_eq!((&again.body["matched"], &again.body["upserted_id"]), (&json!(1), &Value::Null));
    let by_id =
        json!({"filter": {"_id": "mine"}, "update": {"$setOnInsert": {"a": 1}}, "upsert": true});
    assert_eq!(client.post(UPDATE, &by_id).await.expect(200).body["upserted_id"], "mine");
    let grant = json!({"collections": {"orders": ["read", "update"]}});
    let issued = client.post("/v1/credentials", &json!({"grant": grant})).await.expect(201);
    let key = client.with_key(issued.body["key"].as_str().unwrap());
    key.post(UPDATE, &upsert).await.expect(403);
}

#[tokio::test]
async fn many_upserts_at_once_make_one_document() {
    let server = Server::start();
    let client = server.client();
    let upsert = json!({"filter": {"_id": "one"}, "update": {"$inc": {"n": 1}}, "upsert": true});
    let all = (0..20).map(|_| client.post(UPDATE, &upsert));
    for answer in futures_util::future::join_all(all).await {
        answer.expect(200);
    }
    assert_eq!(client.get(&format!("{ORDERS}/one")).await.expect(200).body["n"], 20);
}

#[tokio::test]
async fn updates_of_one_document_at_once_each_take_another() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 20).await;
    let take =
        json!({"filter": {"taken": {"$exists": false}}, "update": {"$set": {"taken": true}}});
    let mut modified = 0;
    for answer in futures_util::future::join_all((0..8).map(|_| client.post(UPDATE, &take))).await {
        if answer.status == 200 {
            assert_eq!(answer.body["matched"], 1, "{}", answer.text);
            modified += answer.body["modified"].as_u64().unwrap();
        } else {
            assert_eq!(answer.refused(503), "write_contended");
        }
    }
    let count = json!({"filter": {"taken": true}, "count": true});
    let count = client.post("/v1/collections/orders/query", &count).await.expect(200);
    assert_eq!(count.body["count"], modified);
}

#[tokio::test]
async fn a_deletion_takes_the_first_or_all_that_match() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 10).await;
    let answer = client.post(DELETE, &json!({"filter": {"even": false}})).await.expect(200);
    assert_eq!(answer.body, json!({"deleted": 1, "position": answer.position()}));
    client.get(&format!("{ORDERS}/1")).await.expect(404);
    let all = json!({"filter": {"even": false}, "multi": true});
    assert_eq!(client.post(DELETE, &all).await.expect(200).body["deleted"], 4);
    assert_eq!(client.post(DELETE, &all).await.expect(200).body["deleted"], 0);
    assert_eq!(client.get("/v1/collections/orders").await.expect(200).body["count"], 5);
    for wrong in [json!([]), json!({"filter": 1}), json!({"filter": {}, "limit": 1})] {
        client.post(DELETE, &wrong).await.expect(400);
    }
}

#[tokio::test]
async fn writes_by_filter_are_held_to_the_limit_of_a_batch() {
    let server = Server::with(&[("HEADWATER_LIMITS__BATCH_DOCUMENTS", "5")]);
    let client = server.client();
    for part in 0..2 {
        let documents: Vec<Value> = (0..4).map(|n| json!({"_id": part * 4 + n})).collect();
        client.post(ORDERS, &json!(documents)).await.expect(201);
    }
    let update = json!({"filter": {}, "update": {"$set": {"a": 1}}, "multi": true});
    for (path, body) in [(UPDATE, update), (DELETE, json!({"filter": {}, "multi": true}))] {
        let answer = client.post(path, &body).await.expect(400);
        assert_eq!(answer.body["error"]["details"]["limit"], "limits.batch_documents");
    }
    assert_eq!(client.get("/v1/collections/orders").await.expect(200).body["count"], 8);
}

#[tokio::test]
async fn a_retry_gets_the_first_answer_across_a_kill() {
    let mut server = Server::start();
    let client = server.client();
    fill(&client, 4).await;
    let send = |path: &str, key: &str, body: &Value| {
        let request = client.request("POST", path).header("idempotency-key", key);
        client.send(request.json(body))
    };
    let update = json!({"filter": {"even": true}, "update": {"$inc": {"n": 1}}, "multi": true});
    let upsert = json!({"filter": {"_id": "new"}, "update": {"$inc": {"n": 1}}, "upsert": true});
    let nothing = json!({"filter": {"_id": "later"}, "update": {"$inc": {"n": 1}}});
    let delete = json!({"filter": {"even": false}, "multi": true});
    let requests = [
        (UPDATE, "u", &update),
        (UPDATE, "n", &upsert),
        (UPDATE, "0", &nothing),
        (DELETE, "d", &delete),
    ];
    let mut first = Vec::new();
    for (path, key, body) in requests {
        first.push(send(path, key, body).await.expect(200).body);
    }
    client.post(ORDERS, &json!([{"_id": "later"}, {"_id": 7, "even": false}])).await.expect(201);
    server.kill();
    server.restart();
    for ((path, key, body), first) in requests.into_iter().zip(first) {
        let again = send(path, key, body).await.expect(200);
        assert_eq!((&again.body, again.header("idempotency-replayed")), (&first, "true"), "{key}");
    }
    client.get(&format!("{ORDERS}/7")).await.expect(200);
    assert_eq!(client.get(&format!("{ORDERS}/0")).await.expect(200).body["n"], 1);
}

#[tokio::test]
async fn a_patch_merges_and_then_operates() {
    let server = Server::start();
    let client = server.client();
    client.post(ORDERS, &json!({"_id": "a", "n": 1, "list": [1], "old": 1})).await.expect(201);
    let a = format!("{ORDERS}/a");
    let patch =
        json!({"plain": true, "$inc": {"n": 2}, "$push": {"list": 2}, "$unset": {"old": ""}});
    let patched = client.patch(&a, &patch).await.expect(200);
    assert_eq!(patched.body, json!({"_id": "a", "n": 3, "list": [1, 2], "plain": true}));
    assert_eq!(patched.header("etag"), "\"2\"");
    let both = client.patch(&a, &json!({"n": 1, "$inc": {"n": 2}})).await;
    assert_eq!(both.refused(400), "conflicting_paths");
    client.patch(&a, &json!({"$fly": {"n": 2}})).await.expect(400);
    let request = client.request("PATCH", &a).header("if-match", "\"1\"");
    client.send(request.json(&json!({"$inc": {"n": 1}}))).await.expect(412);
    let operations = json!({"operations": [
        {"op": "update", "collection": "orders", "id": "a", "update": {"$inc": {"n": 10}}},
        {"op": "update", "collection": "orders", "id": "a", "update": {"x": 1, "$inc": {"n": 10}}, "if_version": 3},
    ]});
    client.post("/v1/transactions", &operations).await.expect(200);
    let read = client.get(&a).await.expect(200);
    assert_eq!((&read.body["n"], &read.body["x"]), (&json!(23), &json!(1)));
    let dated = json!({"$set": {"when": {"$date": "2020-01-01T00:00:00Z"}}});
    assert_eq!(client.patch(&a, &dated).await.expect(200).body["when"], "2020-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn a_retry_gets_the_first_answer_where_others_wrote_in_between() {
    let server = Server::start();
    let client = server.client();
    for round in 0..10 {
        let documents: Vec<Value> = (0..400).map(|n| json!({"round": round, "n": n})).collect();
        client.post(ORDERS, &json!(documents)).await.expect(201);
        let key = format!("round {round}");
        let update =
            json!({"filter": {"round": round}, "update": {"$set": {"seen": true}}, "multi": true});
        let send = || {
            let request = client.request("POST", UPDATE).header("idempotency-key", &key);
            client.send(request.json(&update))
        };
        let delete = json!({"filter": {"round": round, "n": {"$lt": 200}}, "multi": true});
        let (first, _) = tokio::join!(send(), client.post(DELETE, &delete));
        let first = first.expect(200);
        let again = send().await.expect(200);
        assert_eq!(again.body, first.body);
    }
}
