//! Private data: users find, change and delete only what they made themselves; others see all. What is asked by `/v1`, by
//! streams and webhooks is in `matrix::others` and `rights`.

use serde_json::{Value, json};

use super::{Scene, asked, id, issued, logged_in};
use crate::harness::Client;

const NOTES: &str = "/rest/notes";

/// Two users with private notes, and one of whom they are not hidden.
async fn people(scene: &Scene) -> [Client; 3] {
    let mut rights = json!({"read": true, "create": true, "update": true, "delete": true});
    let all = json!({"collections": {"notes": rights}});
    rights["private"] = json!(true);
    let own = json!({"collections": {"notes": rights}});
    scene.root.put("/v1/roles/all", &all).await.expect(201);
    scene.root.put("/v1/roles/own", &own).await.expect(201);
    [
        logged_in(&scene.root, "ann@example.com", &["own"]).await,
        logged_in(&scene.root, "ben@example.com", &["own"]).await,
        logged_in(&scene.root, "cid@example.com", &["all"]).await,
    ]
}

async fn texts(client: &Client, parameters: &[(&str, &str)]) -> Vec<String> {
    let found = client.get(&asked(NOTES, parameters)).await.expect(200);
    let text = |one: &Value| one["text"].as_str().unwrap().to_owned();
    found.body.as_array().unwrap().iter().map(text).collect()
}

#[tokio::test]
async fn each_user_finds_its_own_documents_alone() {
    let scene = Scene::new().await;
    let [ann, ben, cid] = people(&scene).await;
    for (client, text) in [(&ann, "a1"), (&ben, "b1"), (&ann, "a2"), (&ben, "b2")] {
        let made = client.post(NOTES, &json!({"text": text, "n": 1})).await.expect(201);
        assert!(made.body["_createdby"].as_str().unwrap().ends_with("@example.com"));
    }
    scene.root.post(NOTES, &json!({"text": "r1", "n": 1})).await.expect(201);
    assert_eq!(texts(&ann, &[]).await, ["a1", "a2"]);
    assert_eq!(texts(&ben, &[("sort", "text"), ("dir", "-1")]).await, ["b2", "b1"]);
    assert_eq!(texts(&ben, &[("max", "1"), ("sort", "text"), ("dir", "-1")]).await, ["b2"]);
    for client in [&cid, &scene.root] {
        assert_eq!(texts(client, &[]).await, ["a1", "b1", "a2", "b2", "r1"]);
    }
    for q in [
        r#"{"text":"b1"}"#,
        r#"{"text":{"$regex":"^b"}}"#,
        r#"{"_createdby":"ben@example.com"}"#,
        r#"{"$nor":[{"text":{"$in":["a1","a2"]}}]}"#,
    ] {
        assert!(texts(&ann, &[("q", q)]).await.is_empty(), "{q}");
    }
    assert!(texts(&ann, &[("filter", "b1")]).await.is_empty());
    let counted = ann.get(&format!("{NOTES}?totals=true&count=true")).await.expect(200);
    assert_eq!(counted.body["totals"]["count"], 2);
    let listed = ann.get(&format!("{NOTES}?totals=true&max=1")).await.expect(200);
    assert_eq!(listed.body["totals"]["total"], 2, "{}", listed.text);
    let grouped = ann.get(&format!("{NOTES}?groupby=n&aggregate=COUNT:")).await.expect(200);
    assert_eq!(grouped.body, json!({"1": {"COUNT ": 2}}));
    let distinct = ann.get(&asked(NOTES, &[("q", r#"{"$distinct":"text"}"#)])).await.expect(200);
    assert_eq!(distinct.body, json!(["a1", "a2"]));
}

#[tokio::test]
async fn documents_of_others_are_not_there_to_be_read_or_changed() {
    let scene = Scene::new().await;
    let [ann, ben, cid] = people(&scene).await;
    let made = ben.post(NOTES, &json!({"text": "b1"})).await.expect(201).body;
    let path = format!("{NOTES}/{}", id(&made));
    let missing = format!("{NOTES}/5f1f77bcf86cd79943900000");
    for (method, body) in [
        ("GET", None),
        ("PUT", Some(json!({"text": "x"}))),
        ("PUT", Some(json!({"$inc": {"n": 1}}))),
        ("PATCH", Some(json!({}))),
        ("DELETE", None),
    ] {
        let ask = async |path: &str| {
            let request = ann.request(method, path);
            let request = match &body {
                Some(body) => request.json(body),
                None => request,
            };
            ann.send(request).await.expect(404).body["message"].clone()
        };
        // Told as of a document that is not there.
        let (other, none) = (ask(&path).await, ask(&missing).await);
        let (other, none) = (other.as_str().unwrap(), none.as_str().unwrap());
        assert_eq!(other.replace(id(&made), "X"), none.replace("5f1f77bcf86cd79943900000", "X"));
    }
    // A key that is given the role afterwards is answered by its rights of now, also what it did before.
    let body = json!({"grant": {"collections": {"notes": ["*"]}}});
    let issued = issued(&scene.root, body).await;
    let key = scene.root.with_key(&issued.key);
    let native = format!("/v1/collections/notes/documents/{}", id(&made));
    let change = async || {
        let request = key.request("PATCH", &native).header("idempotency-key", "k1");
        key.send(request.json(&json!({"n": 1}))).await.expect(200).body
    };
    assert_eq!(change().await["text"], "b1");
    let narrowed = json!({"grant": {"roles": ["own"]}});
    scene.root.patch(&issued.path, &narrowed).await.expect(200);
    // Ids are hexadecimal digits: the text is not looked for among them.
    assert_eq!(change().await, json!({"_id": made["_id"]}));
    let several = ann.request("DELETE", "/rest/notes/*").json(&json!([id(&made)]));
    assert_eq!(ann.send(several).await.expect(200).body, json!({"result": []}));
    assert_eq!(scene.root.get(&path).await.expect(200).body["text"], "b1");
    // Whoever changes it does not become its maker.
    cid.put(&path, &json!({"text": "b2"})).await.expect(200);
    assert_eq!(ben.get(&path).await.expect(200).body["text"], "b2");
    ann.get(&path).await.expect(404);
    let answer = ben.put(&path, &json!({"n": 2})).await.expect(200);
    assert_eq!((&answer.body["text"], &answer.body["n"]), (&json!("b2"), &json!(2)));
    ben.delete(&path).await.expect(200);
}

#[tokio::test]
async fn what_happens_is_told_to_the_maker_alone() {
    let scene = Scene::new().await;
    let [ann, ben, _] = people(&scene).await;
    let first = ann.post(NOTES, &json!({"text": "a1"})).await.expect(201).body;
    ben.post(NOTES, &json!({"text": "b1"})).await.expect(201);
    let mut live = ann.stream("/v1/live/notes", &[]).await;
    let snapshot = live.next().await.unwrap();
    assert_eq!(snapshot.data["document"]["text"], "a1");
    assert_eq!(live.next().await.unwrap().data["count"], 1);
    let mut events = ann.stream("/v1/events?collections=notes&from=earliest", &[]).await;
    assert_eq!(events.next().await.unwrap().data["document"]["text"], "a1");
    ben.post(NOTES, &json!({"text": "b2"})).await.expect(201);
    scene.root.post(NOTES, &json!({"text": "r1"})).await.expect(201);
    scene.root.put(&format!("{NOTES}/{}", id(&first)), &json!({"n": 7})).await.expect(200);
    // Were the change not told, this would come in its place.
    ann.post(NOTES, &json!({"text": "a9"})).await.expect(201);
    for (stream, event) in [(&mut live, "update"), (&mut events, "document.updated")] {
        let told = stream.next().await.unwrap();
        assert_eq!(told.data["document"]["n"], 7, "{}", told.data);
        assert_eq!(told.event, event);
    }
    // The rule goes, and the rest is to be seen.
    let rights = json!({"read": true, "private": false});
    let open = json!({"collections": {"notes": rights}});
    scene.root.put("/v1/roles/own", &open).await.expect(200);
    assert_eq!(texts(&ann, &[]).await, ["a1", "b1", "b2", "r1", "a9"]);
    let wrong = json!({"collections": {"notes": {"private": "yes"}}});
    let refused = scene.root.put("/v1/roles/own", &wrong).await.expect(400);
    assert!(refused.text.contains("collections.notes.private"), "{}", refused.text);
}
