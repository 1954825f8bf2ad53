//! Queries: filters, sorts, projections, pages, counts, plans, pipelines, distinct values.

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Server};

const ORDERS: &str = "/v1/collections/orders/documents";
const QUERY: &str = "/v1/collections/orders/query";

/// Documents 0 to `count`, in three groups, each worth its number backwards.
async fn fill(client: &Client, count: u32) {
    let document = |n: u32| {
        let name = format!("name {n}");
        json!({"_id": n, "group": n % 3, "value": count - n, "customer": {"name": name}, "tags": [n % 2, 7]})
    };
    let documents: Vec<Value> = (0..count).map(document).collect();
    client.post(ORDERS, &json!(documents)).await.expect(201);
}

fn ids(answer: &Answer) -> Vec<u64> {
    answer.list("documents").iter().map(|document| document["_id"].as_u64().unwrap()).collect()
}

fn details(answer: &Answer) -> &Value {
    &answer.body["error"]["details"]
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn a_query_finds_sorts_shows_and_counts() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 12).await;
    let query = json!({
        "filter": {"group": 1, "value": {"$gt": 3}},
        "sort": {"value": 1},
        "projection": {"value": 1},
        "limit": 2,
        "count": true,
    });
    let answer = client.post(QUERY, &query).await.expect(200);
    assert_eq!(
        answer.list("documents"),
        &[json!({"_id": 7, "value": 5}), json!({"_id": 4, "value": 8})]
    );
    assert_eq!(
        (&answer.body["count"], &answer.body["position"]),
        (&json!(3), &json!(answer.position()))
    );
    let skipped = client.post(QUERY, &json!({"filter": {"group": 1}, "skip": 3})).await.expect(200);
    assert_eq!((ids(&skipped), &skipped.body["next"]), (vec![10], &Value::Null));
    let nested =
        json!({"filter": {"customer.name": "name 4"}, "projection": {"customer": 0, "tags": 0}});
    let nested = client.post(QUERY, &nested).await.expect(200);
    assert_eq!(nested.list("documents"), &[json!({"_id": 4, "group": 1, "value": 8})]);
}

#[tokio::test]
async fn the_parameters_of_a_list_are_the_members_of_a_query() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 12).await;
    let (filter, sort, projection) =
        (encoded(r#"{"group":2}"#), encoded(r#"{"_id":-1}"#), encoded(r#"{"_id":1}"#));
    let list = format!("{ORDERS}?filter={filter}&sort={sort}&projection={projection}&limit=3");
    let first = client.get(&list).await.expect(200);
    assert_eq!(
        first.list("documents"),
        &[json!({"_id": 11}), json!({"_id": 8}), json!({"_id": 5})]
    );
    let next = first.body["next"].as_str().unwrap();
    let second = client.get(&format!("{list}&cursor={next}")).await.expect(200);
    assert_eq!((ids(&second), &second.body["next"]), (vec![2], &Value::Null));
    for wrong in ["filter=%7B", "filter=%5B%5D", "sort=%7B%22a%22%3A2%7D", "fliter=%7B%7D"] {
        client.get(&format!("{ORDERS}?{wrong}")).await.expect(400);
    }
    let unknown = client.get(&format!("{ORDERS}?fliter=x")).await.expect(400);
    assert_eq!(details(&unknown)["parameter"], "fliter");
}

#[tokio::test]
async fn a_cursor_goes_on_while_others_write() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 60).await;
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    for round in 0.. {
        let query = json!({"filter": {"group": {"$in": [0, 1]}}, "sort": {"value": 1}, "limit": 7, "cursor": cursor});
        let page = client.post(QUERY, &query).await.expect(200);
        seen.extend(ids(&page));
        cursor = page.body["next"].clone();
        if cursor.is_null() {
            break;
        }
        // In front of what was seen, and one that matches no more: no page moves.
        client
            .post(ORDERS, &json!({"_id": 1000 + round, "group": 0, "value": -1}))
            .await
            .expect(201);
        client
            .post(ORDERS, &json!({"_id": 2000 + round, "group": 2, "value": 50}))
            .await
            .expect(201);
    }
    let wanted: Vec<u64> = (0..60).rev().filter(|n| n % 3 != 2).collect();
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn a_cursor_belongs_to_its_filter_and_sort() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 9).await;
    let query = json!({"filter": {"group": 1}, "sort": {"value": 1}, "limit": 1});
    let page = client.post(QUERY, &query).await.expect(200);
    let cursor = &page.body["next"];
    for other in [
        json!({"filter": {"group": 2}, "sort": {"value": 1}, "cursor": cursor}),
        json!({"filter": {"group": 1}, "sort": {"value": -1}, "cursor": cursor}),
        json!({"cursor": cursor}),
        json!({"filter": {"group": 1}, "sort": {"value": 1}, "cursor": "nonsense"}),
    ] {
        assert_eq!(client.post(QUERY, &other).await.refused(400), "invalid_cursor", "{other}");
    }
    let held = json!({"filter": {"group": 1}, "sort": {"value": 1}, "cursor": cursor, "at": page.position()});
    client.delete(&format!("{ORDERS}/4")).await.expect(200);
    assert_eq!(ids(&client.post(QUERY, &held).await.expect(200)), [4, 1]);
}

#[tokio::test]
async fn a_query_looks_back() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 3).await;
    let before = client.get(&format!("{ORDERS}/1")).await.expect(200).position();
    client.patch(&format!("{ORDERS}/1"), &json!({"value": 100})).await.expect(200);
    let query = |at: Value| json!({"filter": {"value": {"$lt": 10}}, "sort": {"value": 1}, "at": at, "count": true});
    let then = client.post(QUERY, &query(json!(before))).await.expect(200);
    assert_eq!(
        (ids(&then), then.position(), &then.body["count"]),
        (vec![2, 1, 0], before, &json!(3))
    );
    assert_eq!(ids(&client.post(QUERY, &query(Value::Null)).await.expect(200)), [2, 0]);
    assert_eq!(client.post(QUERY, &query(json!(before + 100))).await.refused(400), "at_in_future");
}

#[tokio::test]
async fn explain_tells_the_index_and_what_was_looked_at() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 30).await;
    let query = json!({"filter": {"value": {"$lte": 5}}, "explain": true});
    let plan = client.post(QUERY, &query).await.expect(200).body["plan"].clone();
    assert_eq!(
        (&plan["index"], &plan["examined"], &plan["returned"]),
        (&Value::Null, &json!(30), &json!(5))
    );
    let index = json!({"keys": {"value": 1}});
    client.put("/v1/collections/orders/indexes/by_value", &index).await.expect(201);
    let plan = client.post(QUERY, &query).await.expect(200).body["plan"].clone();
    assert_eq!((&plan["index"], &plan["returned"]), (&json!("by_value"), &json!(5)));
    assert!(plan["examined"].as_u64().unwrap() <= 6, "{plan}");
    assert!(plan["bounds"]["value"].is_array(), "{plan}");
    let by_id = json!({"filter": {"_id": 3}, "explain": true});
    assert_eq!(client.post(QUERY, &by_id).await.expect(200).body["plan"]["index"], "_id");
}

#[tokio::test]
async fn object_ids_and_dates_are_found_from_plain_and_extended_json() {
    let server = Server::start();
    let client = server.client();
    let id = "507f1f77bcf86cd799439011";
    let body = json!({"_id": {"$oid": id}, "when": {"$date": "2020-01-01T00:00:00Z"}, "text": id});
    client.post_text(ORDERS, "application/ejson", body.to_string()).await.expect(201);
    for filter in [
        json!({"_id": id}),
        json!({"_id": {"$in": [id]}}),
        json!({"_id": {"$oid": id}}),
        json!({"when": {"$lte": {"$date": "2020-01-01T00:00:00Z"}}}),
        json!({"text": {"$regex": "^507F", "$options": "i"}}),
        json!({"_id": {"$type": "objectId"}}),
        json!({"text": id}),
    ] {
        let query = json!({"filter": filter});
        let answer = client.post(QUERY, &query).await.expect(200);
        assert_eq!(answer.list("documents").len(), 1, "{filter}");
        let answer =
            client.post_text(QUERY, "application/ejson", query.to_string()).await.expect(200);
        let typed = filter["_id"] == id || filter["_id"]["$in"].is_array();
        assert_eq!(answer.list("documents").len(), usize::from(!typed), "{filter}");
    }
    let request = client.request("POST", QUERY).header("accept", "application/ejson");
    let answer = client.send(request.json(&json!({"filter": {"_id": id}, "count": true}))).await;
    let answer = answer.expect(200);
    assert_eq!(answer.list("documents")[0]["_id"], json!({"$oid": id}));
    assert_eq!(answer.body["count"], 1);
}

#[tokio::test]
async fn malformed_queries_are_refused_by_operator_and_path() {
    let server = Server::start();
    let client = server.client();
    let answer = client.post(QUERY, &json!({"filter": {"a": {"$near_by": 1}}})).await.expect(400);
    assert!(answer.text.contains("$near_by"), "{}", answer.text);
    for wrong in [
        json!({"filter": []}),
        json!({"filter": {"a": {"$in": 1}}}),
        json!({"filter": {"$where": "true"}}),
        json!({"sort": {"a": "up"}}),
        json!({"projection": {"a": 1, "b": 0}}),
        json!({"limit": 1001}),
        json!({"explain": "yes"}),
        json!({"limits": 3}),
    ] {
        client.post(QUERY, &wrong).await.expect(400);
    }
    client.post(&format!("{QUERY}?limit=3"), &json!({})).await.expect(400);
    client.post("/v1/collections/_credentials/query", &json!({})).await.expect(200);
}

#[tokio::test]
async fn a_pipeline_groups_and_joins() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 9).await;
    let people = json!([{"_id": 0, "name": "zero"}, {"_id": 1, "name": "one"}]);
    client.post("/v1/collections/people/documents", &people).await.expect(201);
    let pipeline = json!([
        {"$match": {"value": {"$gt": 1}}},
        {"$group": {"_id": "$group", "total": {"$sum": "$value"}}},
        {"$lookup": {"from": "people", "localField": "_id", "foreignField": "_id", "as": "who"}},
        {"$sort": {"_id": 1}},
        {"$project": {"total": 1, "name": {"$arrayElemAt": ["$who.name", 0]}}},
    ]);
    let path = "/v1/collections/orders/aggregate";
    let answer = client.post(path, &json!({"pipeline": pipeline})).await.expect(200);
    assert_eq!(
        answer.list("documents"),
        &[
            json!({"_id": 0, "total": 18, "name": "zero"}),
            json!({"_id": 1, "total": 15, "name": "one"}),
            json!({"_id": 2, "total": 11}),
        ]
    );
    assert_eq!(answer.body["position"], answer.position());
    let count = json!({"pipeline": [{"$count": "n"}], "at": answer.position() - 1});
    assert_eq!(client.post(path, &count).await.expect(200).list("documents"), &[json!({"n": 9})]);
    let none = client.post("/v1/collections/none/aggregate", &json!({"pipeline": []})).await;
    assert_eq!(none.expect(200).list("documents").len(), 0);
    for wrong in [json!({}), json!({"pipeline": {}}), json!({"pipeline": [{"$fly": 1}]})] {
        client.post(path, &wrong).await.expect(400);
    }
}

#[tokio::test]
async fn out_and_merge_write_for_full_access_alone() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 6).await;
    client.post("/v1/collections/totals/documents", &json!({"_id": "old"})).await.expect(201);
    let group = json!({"$group": {"_id": "$group", "n": {"$sum": 1}}});
    let path = "/v1/collections/orders/aggregate";
    let out = json!({"pipeline": [group, {"$out": "totals"}]});
    let written = client.post(path, &out).await.expect(200);
    assert_eq!(written.list("documents").len(), 0);
    let totals = client.get("/v1/collections/totals/documents").await.expect(200);
    assert_eq!(ids(&totals), [0, 1, 2]);
    assert!(written.position() >= 3 && totals.position() >= written.position());
    client.patch("/v1/collections/totals/documents/1", &json!({"kept": true})).await.expect(200);
    let merge = json!({"pipeline": [{"$match": {"group": 1}}, {"$group": {"_id": "$group", "n": {"$sum": 10}}}, {"$merge": {"into": "totals"}}]});
    client.post(path, &merge).await.expect(200);
    let one = client.get("/v1/collections/totals/documents/1").await.expect(200);
    assert_eq!(one.body, json!({"_id": 1, "n": 20, "kept": true}));
    let grant = json!({"collections": {"*": ["read", "write"]}});
    let issued = client.post("/v1/credentials", &json!({"grant": grant})).await.expect(201);
    let key = client.with_key(issued.body["key"].as_str().unwrap());
    let refused = key.post(path, &out).await;
    assert!([400, 403].contains(&refused.status), "{}", refused.text);
}

#[tokio::test]
async fn a_pipeline_reads_what_its_caller_may_read() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 3).await;
    let grant = json!({"collections": {"orders": ["read"]}});
    let issued = client.post("/v1/credentials", &json!({"grant": grant})).await.expect(201);
    let key = client.with_key(issued.body["key"].as_str().unwrap());
    let path = "/v1/collections/orders/aggregate";
    let lookup = |from: &str| json!({"$lookup": {"from": from, "localField": "a", "foreignField": "b", "as": "c"}});
    key.post(path, &json!({"pipeline": [lookup("orders")]})).await.expect(200);
    for stage in [
        lookup("people"),
        json!({"$unionWith": "people"}),
        json!({"$facet": {"a": [lookup("people")]}}),
    ] {
        let refused = key.post(path, &json!({"pipeline": [stage]})).await.expect(403);
        assert_eq!(details(&refused)["collection"], "people", "{}", refused.text);
    }
    key.post(path, &json!({"pipeline": [lookup("_credentials")]})).await.expect(403);
    key.post("/v1/collections/people/query", &json!({})).await.expect(403);
    key.post("/v1/collections/orders/update", &json!({"update": {"$set": {"a": 1}}}))
        .await
        .expect(403);
}

#[tokio::test]
async fn distinct_values_come_once_and_in_order() {
    let server = Server::start();
    let client = server.client();
    fill(&client, 8).await;
    let path = "/v1/collections/orders/distinct";
    let tags = client.post(path, &json!({"field": "tags"})).await.expect(200);
    assert_eq!(
        (tags.list("values"), &tags.body["position"]),
        (&vec![json!(0), json!(1), json!(7)], &json!(tags.position()))
    );
    let some = json!({"field": "customer.name", "filter": {"_id": {"$lt": 2}}});
    assert_eq!(
        client.post(path, &some).await.expect(200).list("values"),
        &[json!("name 0"), json!("name 1")]
    );
    for wrong in [json!({}), json!({"field": ""}), json!({"field": 3}), json!({"field": "a..b"})] {
        client.post(path, &wrong).await.expect(400);
    }
}
