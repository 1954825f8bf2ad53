//! Answers in other forms (flat, with links to media; in exports none of them), and writes that are not checked.

use serde_json::{Value, json};

use super::lookups::Work;
use super::{asked, id, key};
use crate::administration::job;
use crate::harness::Server;

#[tokio::test]
async fn answers_have_other_forms_where_they_are_asked_for() {
    let work = Work::new().await;
    let sent = json!({"photo": ["0011", "b 2"], "papers": "33", "home": {"town": {"name": "Oslo"}, "list": [{"a": 1}]},
        "company": work.acme});
    let made = work.root.post("/rest/people", &sent).await.expect(201).body;
    let path = Work::path(&made);
    let flat = work.root.get(&format!("{path}?flatten=true")).await.expect(200).body;
    assert_eq!((&flat["home.town.name"], &flat["home.list"]), (&json!("Oslo"), &json!([{"a": 1}])));
    assert!(flat.get("home").is_none() && flat["company"][0]["town"]["name"] == "Oslo", "{flat}");
    let base = work.server.url();
    let linked = work.root.get(&format!("{path}?idtolink=true")).await.expect(200).body;
    assert_eq!(
        linked["photo"],
        json!([format!("{base}/media/0011"), format!("{base}/media/b%202")])
    );
    assert_eq!(linked["papers"], json!([format!("{base}/media/33")]));
    let request = work
        .root
        .request("GET", &format!("{path}?idtolink=1"))
        .header("x-forwarded-proto", "https");
    let request = request.header("host", "db.example");
    let linked = work.root.send(request).await.expect(200).body;
    assert_eq!(linked["papers"], json!(["https://db.example/media/33"]));
    let q = [("q", r#"{"photo":"0011"}"#), ("idtolink", "true"), ("flatten", "true")];
    let list = work.list(&q).await.expect(200).body;
    assert_eq!(
        (&list[0]["home.town.name"], &list[0]["papers"]),
        (&json!("Oslo"), &json!([format!("{base}/media/33")]))
    );
    assert_eq!(work.root.get(&path).await.expect(200).body["photo"], json!(["0011", "b 2"]));
    work.root.get(&format!("{path}?flatten=perhaps")).await.expect(400);
}

#[tokio::test]
async fn exports_have_what_is_stored() {
    let work = Work::new().await;
    let sent =
        json!({"name": "Fay", "photo": ["0011"], "home": {"town": "Oslo"}, "company": work.acme});
    work.root.post("/rest/people", &sent).await.expect(201);
    let fay = ("q", r#"{"name":"Fay"}"#);
    let forms = [fay, ("flatten", "true"), ("idtolink", "true"), ("fetchchildren", "true")];
    let chosen = [fay, ("h", r#"{"$fields":{"company.name":1,"photo":1,"home":1}}"#)];
    for parameters in [&forms[..], &chosen] {
        let line = work.root.get(&asked("/rest/people.ndjson", parameters)).await.expect(200).text;
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["company"], json!([work.acme]), "{line}");
        assert_eq!((&line["photo"], &line["home"]), (&sent["photo"], &sent["home"]), "{line}");
    }
}

#[tokio::test]
async fn links_have_the_scheme_of_the_connection() {
    let mut work = Work::new().await;
    work.root.post("/rest/people", &json!({"photo": "0011"})).await.expect(201);
    work.server.encrypt();
    let url =
        format!("{}/rest/people?idtolink=true&q=%7B%22photo%22:%220011%22%7D", work.server.url());
    for version in ["--http1.1", "--http2"] {
        let key = format!("x-apikey: {}", crate::harness::ROOT);
        let flags = ["--silent", "--show-error", "--insecure", version, "-H", &key];
        let curl = std::process::Command::new("curl").args(flags).arg(&url).output().unwrap();
        let list: Value = serde_json::from_slice(&curl.stdout).unwrap();
        let wanted = format!("{}/media/0011", work.server.url());
        assert_eq!(list[0]["photo"], json!([wanted]), "{version}");
        assert!(wanted.starts_with("https://"), "{wanted}");
    }
}

#[tokio::test]
async fn checks_are_skipped_for_those_who_could_change_the_rules() {
    let mut server = Server::start();
    let root = server.client();
    let definition = json!({
        "fields": {
            "email": {"type": "email", "required": true, "unique": true}, "n": {"type": "number"},
            "code": {"type": "text", "pattern": "^[0-9]+$"},
            "children": {"type": "child", "collection": "people"},
        },
        "schema": {"properties": {"free": {"maximum": 9}}},
    });
    root.put("/v1/collections/people", &definition).await.expect(201);
    let wrong = json!({"n": "many", "code": "x", "free": 10});
    root.post("/rest/people", &wrong).await.expect(400);
    root.post("/rest/people?validate=true", &wrong).await.expect(400);
    let made = root.post("/rest/people?validate=false", &wrong).await.expect(201).body;
    assert_eq!((&made["n"], &made["free"]), (&json!("many"), &json!(10)));
    let several = json!([{"n": "5"}, {"code": "y"}]);
    let several = root.post("/rest/people?validate=false", &several).await.expect(201).body;
    assert_eq!(several[0]["n"], 5, "what can be converted is");
    let children = format!("/rest/people/{}/children?validate=false", id(&made));
    root.post(&children, &json!({"n": "x"})).await.expect(201);
    // Unique values stay unique, and the next write is checked.
    let ann = json!({"email": "ann@example.com"});
    root.post("/rest/people", &ann).await.expect(201);
    let refused = root.post("/rest/people?validate=false", &ann).await.expect(400);
    assert_eq!(refused.body["list"][0]["message"][1], "UNIQUE");
    let path = format!("/rest/people/{}", id(&made));
    root.put(&path, &json!({"other": 1})).await.expect(400);
    let right = json!({"email": "b@example.com", "n": 1, "code": "1", "free": 1});
    root.put(&path, &right).await.expect(200);
    // Others' documents are checked as ever.
    let writer = json!({"grant": {"collections": {"people": ["read", "create"]}}});
    let writer = key(&root, writer).await;
    writer.post("/rest/people?validate=false", &wrong).await.expect(400);
    writer
        .post("/rest/people?validate=false", &json!({"email": "c@example.com"}))
        .await
        .expect(201);
    // The views accept it again.
    let before = root.get("/rest/people?metafields=true").await.expect(200).body;
    assert!(server.stop().success());
    server.restart();
    let root = server.client();
    assert_eq!(job(&root, "verify").await["result"]["ok"], true);
    job(&root, "rebuild").await;
    assert_eq!(root.get("/rest/people?metafields=true").await.expect(200).body, before);
}
