//! Documents: written, merged, changed by operators, deleted.

use serde_json::{Value, json};

use super::{Scene, asked, encoded, id};
use crate::harness::Server;

#[tokio::test]
async fn a_posted_document_comes_back_with_its_system_fields() {
    let server = Server::start();
    let root = server.client();
    let sent = json!({"name": "Jane", "_created": "forged", "_version": 77, "_mock": true});
    let made = root.post("/rest/people", &sent).await.expect(201).body;
    assert_eq!(made["name"], "Jane");
    assert_eq!(made["_createdby"], "api");
    assert_eq!(made["_changedby"], "api");
    assert_eq!(made["_created"], made["_changed"]);
    let created = made["_created"].as_str().unwrap();
    assert!(created.len() == 24 && created.ends_with('Z'), "{created}");
    assert_eq!(made.as_object().unwrap().len(), 6, "{made}");
    // A list and a document show none of them but the id.
    let path = format!("/rest/people/{}", id(&made));
    let bare = json!({"_id": made["_id"], "name": "Jane"});
    assert_eq!(root.get(&path).await.expect(200).body, bare);
    assert_eq!(root.get("/rest/people").await.expect(200).body, json!([bare]));
    // Unless they are asked for.
    let whole = root.get(&format!("{path}?metafields=true")).await.expect(200).body;
    assert_eq!(whole["_version"], 1);
    assert_eq!(whole["_keywords"], json!(["jane"]));
    assert_eq!(whole["_tags"], "jane");
    assert_eq!(whole["_created"], made["_created"]);
    let list = root.get("/rest/people?metafields=true").await.expect(200).body;
    assert_eq!(list, json!([whole]));
}

#[tokio::test]
async fn several_documents_are_written_all_or_none() {
    let server = Server::start();
    let root = server.client();
    let made = root.post("/rest/people", &json!([{"n": 1}, {"n": 2}])).await.expect(201).body;
    let made = made.as_array().unwrap();
    assert_eq!((&made[0]["n"], &made[1]["n"]), (&json!(1), &json!(2)));
    let taken = id(&made[0]).to_owned();
    let refused = root.post("/rest/people", &json!([{"n": 3}, {"_id": taken}])).await.expect(400);
    assert_eq!(refused.body["list"][0]["message"][1], "UNIQUE");
    assert_eq!(refused.body["list"][0]["index"], 1);
    let refused = root.post("/rest/people", &json!([{"n": 3}, 5])).await.expect(400);
    assert_eq!(refused.body["index"], 1, "{}", refused.text);
    assert_eq!(root.get("/rest/people").await.expect(200).body.as_array().unwrap().len(), 2);
    assert_eq!(root.post("/rest/people", &json!([])).await.expect(201).body, json!([]));
}

#[tokio::test]
async fn put_and_patch_merge_and_take_operators() {
    let server = Server::start();
    let root = server.client();
    let made = root.post("/rest/people", &json!({"a": 1, "keep": "k"})).await.expect(201).body;
    let path = format!("/rest/people/{}", id(&made));
    for (method, n) in [("PUT", 2), ("PATCH", 3)] {
        let body = json!({"a": n, "_id": "ffffffffffffffffffffffff", "_version": 50});
        let changed = root.send(root.request(method, &path).json(&body)).await.expect(200).body;
        assert_eq!((&changed["a"], &changed["keep"]), (&json!(n), &json!("k")), "{method}");
        assert_eq!(changed["_id"], made["_id"]);
        assert_eq!(changed["_created"], made["_created"]);
        let version = root.get(&format!("{path}?metafields=true")).await.expect(200).body;
        assert_eq!(version["_version"], n);
    }
    let operators = json!({"$inc": {"a": "4"}, "$push": {"list": "x"}, "other": true});
    let changed = root.put(&path, &operators).await.expect(200).body;
    assert_eq!(
        (&changed["a"], &changed["list"], &changed["other"]),
        (&json!(7), &json!(["x"]), &json!(true))
    );
    let changed = root.patch(&path, &json!({"$pull": {"list": "x"}})).await.expect(200).body;
    assert_eq!(changed["list"], json!([]));
    // The last of two with the same name counts, as the documents' own example has it.
    let twice = r#"{"$inc":{"a":1},"$inc":{"n":5}}"#;
    let request = root.request("PUT", &path).header("content-type", "application/json");
    let changed = root.send(request.body(twice)).await.expect(200).body;
    assert_eq!((&changed["a"], &changed["n"]), (&json!(7), &json!(5)));
    root.put(&path, &json!({"$inc": {"keep": 1}})).await.expect(400);
}

#[tokio::test]
async fn a_body_that_says_nothing_changes_nothing() {
    let server = Server::start();
    let root = server.client();
    let made = root.post("/rest/people", &json!({"a": 1})).await.expect(201);
    let path = format!("/rest/people/{}", id(&made.body));
    let bare = || root.request("PUT", &path).header("content-type", "application/json");
    for request in [bare(), bare().body("{}"), bare().json(&json!({"_changed": 1, "a": 1}))] {
        let answer = root.send(request).await.expect(200);
        assert_eq!(answer.body, made.body);
    }
    let whole = root.get(&format!("{path}?metafields=true")).await.expect(200).body;
    assert_eq!(whole["_version"], 1);
}

#[tokio::test]
async fn forms_are_bodies_too() {
    let server = Server::start();
    let root = server.client();
    let form = "application/x-www-form-urlencoded";
    let sent = encoded(&[("name", "Jane D"), ("n", "5")]);
    let made = root.post_text("/rest/people", form, sent).await.expect(201).body;
    assert_eq!((&made["name"], &made["n"]), (&json!("Jane D"), &json!("5")));
    let path = format!("/rest/people/{}", id(&made));
    let request = root.request("PATCH", &path).header("content-type", form).body("n=6");
    let changed = root.send(request).await;
    assert_eq!(changed.expect(200).body["n"], "6");
}

#[tokio::test]
async fn deletions_answer_the_ids_that_are_gone() {
    let scene = Scene::new().await;
    let root = &scene.root;
    let all = root.get("/rest/people").await.expect(200).body;
    let ids: Vec<_> = all.as_array().unwrap().iter().map(id).collect();
    let gone = root.delete(&format!("/rest/people/{}", ids[0])).await.expect(200);
    assert_eq!(gone.body, json!({"result": [ids[0]]}));
    root.delete(&format!("/rest/people/{}", ids[0])).await.expect(404);
    let several = json!([ids[0], ids[1], "nobody"]);
    let gone = root.send(root.request("DELETE", "/rest/people/*").json(&several)).await;
    assert_eq!(gone.expect(200).body, json!({"result": [ids[1]]}));
    root.delete("/rest/people/*").await.expect(400);
    let q = [("q", r#"{"name":"Nobody"}"#)];
    let gone = root.delete(&asked("/rest/people/*", &q)).await;
    assert_eq!(gone.expect(200).body, json!({"result": []}));
    // What only the engine knows chooses as well.
    let q = [("q", r#"{"_version":1,"_created":{"$gt":"2020"}}"#)];
    let gone = root.delete(&asked("/rest/people/*", &q)).await;
    assert_eq!(gone.expect(200).body, json!({"result": [ids[2]]}));
    root.post("/rest/people", &json!([{}, {}])).await.expect(201);
    let gone = root.delete(&asked("/rest/people/*", &[("q", "{}")])).await;
    assert_eq!(gone.expect(200).body["result"].as_array().unwrap().len(), 2);
    assert_eq!(root.get("/rest/people").await.expect(200).body, json!([]));
}

#[tokio::test]
async fn a_header_names_the_method_that_is_meant() {
    let server = Server::start();
    let root = server.client();
    let made = root.post("/rest/people", &json!({"a": 1})).await.expect(201).body;
    let path = format!("/rest/people/{}", id(&made));
    let named = |name: &str| root.request("POST", &path).header("x-http-method-override", name);
    let changed = root.send(named("put").json(&json!({"b": 2}))).await.expect(200).body;
    assert_eq!((&changed["a"], &changed["b"]), (&json!(1), &json!(2)));
    root.send(named("PATCH").json(&json!({"b": 3}))).await.expect(200);
    root.send(named("BREW")).await.expect(405);
    root.send(named("Delete")).await.expect(200);
    root.get(&path).await.expect(404);
}

#[tokio::test]
async fn a_deletion_by_a_query_is_bounded_by_the_size_of_what_it_finds() {
    let server = Server::with(&[("HEADWATER_LIMITS__QUERY_RESULT_BYTES", "4096")]);
    let root = server.client();
    let all: Vec<Value> = (0..6).map(|n| json!({"n": n, "text": "x".repeat(800)})).collect();
    root.post("/rest/notes", &json!(all)).await.expect(201);
    let refused = root.delete("/rest/notes/*?q=%7B%7D").await.expect(400);
    let message = refused.body["message"].as_str().unwrap();
    assert!(message.contains("limits.query_result_bytes"), "{message}");
    let some = asked("/rest/notes/*", &[("q", r#"{"n":{"$lt":3}}"#)]);
    assert_eq!(root.delete(&some).await.expect(200).list("result").len(), 3);
    assert_eq!(root.get("/rest/notes").await.expect(200).body.as_array().unwrap().len(), 3);
}
