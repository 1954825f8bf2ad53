//! Unique fields: one winner, and an index that comes and goes with the definition.

use serde_json::{Value, json};

use super::{DOCUMENTS, PEOPLE, define, doubled};
use crate::harness::Server;

#[tokio::test]
async fn a_unique_field_has_one_winner_and_any_number_without_a_value() {
    let server = Server::start();
    let client = server.client();
    let fields = json!({"email": {"type": "email", "unique": true}, "first name": {"type": "number", "unique": true}});
    define(&client, fields, 201).await;
    let indexes = client.get(PEOPLE).await.expect(200).body["indexes"].clone();
    assert_eq!(indexes["field_email"]["state"], "ready", "{indexes}");
    assert_eq!(indexes["field_first.20name"]["field"], "first name", "{indexes}");
    let racing: Vec<_> = (0..24)
        .map(|n| {
            let client = server.client();
            let document = json!({"email": format!("a{}@b.c", n % 3), "n": n});
            tokio::spawn(async move { client.post(DOCUMENTS, &document).await })
        })
        .collect();
    let mut won = 0;
    for race in racing {
        let answer = race.await.unwrap();
        if answer.status == 201 {
            won += 1;
        } else {
            assert_eq!(doubled(answer), "email");
        }
    }
    assert_eq!(won, 3);
    let empty = json!([{}, {}, {"email": null}, {"email": null}, {"email": ""}, {"email": ""}]);
    client.post(DOCUMENTS, &empty).await.expect(201);
    client.post(DOCUMENTS, &json!([{"first name": ""}, {"first name": ""}])).await.expect(201);
    client.post(DOCUMENTS, &json!({"_id": "x", "first name": 5})).await.expect(201);
    let as_text = client.post(DOCUMENTS, &json!({"first name": "5"})).await;
    assert_eq!(doubled(as_text), "first name", "compared once converted");
    let refused = client.patch(&format!("{DOCUMENTS}/x"), &json!({"email": "a1@b.c"})).await;
    assert_eq!(doubled(refused), "email");
    let explained = json!({"filter": {"email": "a1@b.c"}, "explain": true});
    let plan = client.post(&format!("{PEOPLE}/query"), &explained).await.expect(200).body;
    assert_eq!(plan["plan"]["index"], "field_email", "{plan}");
}

#[tokio::test]
async fn the_index_of_a_unique_field_goes_with_the_definition() {
    let server = Server::start();
    let client = server.client();
    client.post(DOCUMENTS, &json!([{"n": 1, "m": 1}, {"n": 1, "m": 2}])).await.expect(201);
    let unique = |name: &str| json!({name: {"type": "number", "unique": true}});
    let refused = client.put(PEOPLE, &json!({"fields": unique("n")})).await;
    assert_eq!(doubled(refused), "n");
    let described = client.get(PEOPLE).await.expect(200).body;
    assert_eq!((&described["fields"], &described["indexes"]), (&json!({}), &json!({})));
    define(&client, unique("m"), 200).await;
    assert_eq!(doubled(client.post(DOCUMENTS, &json!({"m": "2"})).await), "m");
    let index = format!("{PEOPLE}/indexes/field_m");
    assert_eq!(client.delete(&index).await.refused(409), "index_of_field");
    assert_eq!(client.put(&index, &json!({"keys": {"m": 1}})).await.refused(409), "index_of_field");
    define(&client, json!({"m": {"type": "number"}}), 200).await;
    client.get(&index).await.expect(404);
    client.post(DOCUMENTS, &json!({"m": 2})).await.expect(201);
    client.put(&format!("{PEOPLE}/indexes/field_k"), &json!({"keys": {"k": 1}})).await.expect(201);
    let refused = client.put(PEOPLE, &json!({"fields": unique("k")})).await;
    assert_eq!(refused.refused(409), "index_exists");
    let kept = client.get(&format!("{PEOPLE}/indexes/field_k")).await.expect(200).body;
    assert_eq!((&kept["unique"], &kept["field"]), (&json!(false), &Value::Null));
}

#[tokio::test]
async fn a_repeated_definition_brings_no_index_back() {
    let server = Server::start();
    let client = server.client();
    client.post(DOCUMENTS, &json!([{"m": 1}, {"m": 2}])).await.expect(201);
    let unique = json!({"fields": {"m": {"type": "number", "unique": true}}});
    let again = || {
        let request = client.request("PUT", PEOPLE).header("idempotency-key", "once").json(&unique);
        client.send(request)
    };
    again().await.expect(200);
    client.put(PEOPLE, &json!({})).await.expect(200);
    again().await.expect(200);
    assert_eq!(client.get(PEOPLE).await.expect(200).body["indexes"], json!({}));
    client.post(DOCUMENTS, &json!({"m": 1})).await.expect(201);
}
