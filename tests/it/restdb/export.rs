//! Export as CSV and as a document a line, and import of both.

use futures_util::StreamExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::{Scene, asked, issued, key};
use crate::harness::{Client, Server};

const CSV: &str = "text/csv";
const LINES: &str = "application/x-ndjson";

/// A collection with every type that is stored.
async fn typed(root: &Client) {
    let kinds =
        ["text", "number", "date", "datetime", "bool", "JSON", "email", "url", "phone", "image"];
    let mut fields: Vec<Value> =
        kinds.iter().map(|kind| json!({"fieldname": format!("a {kind}"), "type": kind})).collect();
    fields.push(json!({"fieldname": "firm", "type": "lookup many", "collection": "firms"}));
    fields.push(json!({"fieldname": "notes", "type": "child list", "collection": "notes"}));
    root.put("/rest/_meta", &json!({"name": "things", "fields": fields})).await.expect(200);
}

/// A document with some of the fields; texts that a reader could take for something else.
fn thing(random: &mut StdRng) -> Value {
    const TEXTS: [&str; 14] = [
        "007",
        "1.50",
        "true",
        "[1]",
        "{\"a\":1}",
        "a,b",
        "say \"hi\"",
        "two\r\nlines",
        " blank ",
        "=1+1",
        "\u{feff}é😀",
        "null",
        "\"",
        "-0",
    ];
    let text = TEXTS[random.random_range(0..TEXTS.len())];
    let number = [json!(0), json!(-5), json!(1.25), json!(1e300), json!(9_007_199_254_740_993_i64)];
    let all = [
        ("a text", json!(text)),
        ("a number", number[random.random_range(0..number.len())].clone()),
        ("a date", json!(format!("20{:02}-03-10", random.random_range(0..99)))),
        ("a datetime", json!("2026-03-10T10:00:00.123Z")),
        ("a bool", json!(random.random_bool(0.5))),
        ("a JSON", json!({"x": [1, text, null, {"y": 1.5}], "": ""})),
        ("a email", json!("ann@example.com")),
        ("a url", json!("https://example.com/?a=b,c")),
        ("a phone", json!("+47 22 00 00 00")),
        ("a image", json!(["5f1f77bcf86cd799439011aa", "x"])),
        ("firm", json!(["5f1f77bcf86cd799439011aa", "5f1f77bcf86cd799439011ab"])),
        // Without a type, but nothing else than it looks like.
        (
            "free",
            [json!("x y"), json!(42), json!(-1.5), json!(true), json!([1, "a"])]
                [random.random_range(0..5)]
            .clone(),
        ),
    ];
    let some = all.into_iter().filter(|_| random.random_bool(0.7));
    Value::Object(some.map(|(name, value)| (name.to_owned(), value)).collect())
}

#[tokio::test]
async fn an_export_of_typed_documents_comes_back_as_it_was() {
    let seed: u64 = rand::random();
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (first, second) = (Server::start(), Server::start());
    let (first, second) = (first.client(), second.client());
    typed(&first).await;
    let things: Vec<Value> = (0..200).map(|_| thing(&mut random)).collect();
    first.post("/rest/things", &json!(things)).await.expect(201);
    let wanted = first.get("/rest/things").await.expect(200).body;
    for (suffix, kind) in [("csv", CSV), ("ndjson", LINES)] {
        let exported = first.get(&format!("/rest/things.{suffix}")).await.expect(200);
        assert!(exported.header("content-type").starts_with(kind));
        let name = format!("attachment; filename=\"things.{suffix}\"");
        assert_eq!(exported.header("content-disposition"), name);
        let same = first.get(&format!("/rest/things?format={suffix}")).await.expect(200);
        assert_eq!(same.text, exported.text);
        if second.get("/rest/_meta").await.expect(200).list("collections").len() == 1 {
            second.delete("/rest/things/*?q={}").await.expect(200);
        }
        typed(&second).await;
        let made = second.post_text("/rest/things", kind, exported.text).await.expect(201);
        assert_eq!(made.body.as_array().unwrap().len(), 200);
        let found = second.get("/rest/things").await.expect(200).body;
        for (found, wanted) in found.as_array().unwrap().iter().zip(wanted.as_array().unwrap()) {
            assert_eq!(found, wanted, "{suffix}, seed {seed}");
        }
        let stored = async |client: &Client| {
            let request = client.request("GET", "/v1/collections/things/documents?limit=1000");
            client.send(request.header("accept", "application/ejson")).await.expect(200).body["documents"].clone()
        };
        assert_eq!(stored(&second).await, stored(&first).await, "{suffix}: types too, seed {seed}");
    }
}

#[tokio::test]
async fn an_export_is_the_list_that_was_asked_for() {
    let scene = Scene::new().await;
    let csv = async |parameters: &[(&str, &str)]| {
        scene.root.get(&asked("/rest/people.csv", parameters)).await.expect(200).text
    };
    let names = |text: &str| -> Vec<String> {
        text.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(names(&csv(&[]).await), ["Joe", "Jane", "Jack"]);
    assert_eq!(names(&csv(&[("q", "{\"town\":\"Oslo\"}")]).await), ["Joe", "Jack"]);
    assert_eq!(names(&csv(&[("sort", "age"), ("dir", "-1")]).await), ["Jack", "Joe", "Jane"]);
    assert_eq!(names(&csv(&[("filter", "plumb")]).await), ["Joe"]);
    assert_eq!(names(&csv(&[("max", "2"), ("skip", "1")]).await), ["Jane", "Jack"]);
    assert_eq!(names(&csv(&[("max", "0")]).await), Vec::<String>::new());
    let header = |text: String| text.lines().next().unwrap().to_owned();
    assert_eq!(header(csv(&[("h", "{\"$fields\":{\"name\":1,\"age\":1}}")]).await), "_id,name,age");
    let all = header(csv(&[("metafields", "true")]).await);
    let facts = "_created,_changed,_createdby,_changedby,_version,_keywords,_tags";
    assert!(all.starts_with("_id,name,age,salary,town,born,first-name,tags,home,"), "{all}");
    assert!(all.ends_with(facts), "{all}");
    let lines = scene.root.get("/rest/people.ndjson?metafields=true").await.expect(200).text;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let list = scene.root.get("/rest/people?metafields=true").await.expect(200).body;
    assert_eq!(json!(lines), list);
    for refused in [
        "/rest/people.csv?groupby=town",
        "/rest/people.csv?q={\"$distinct\":\"town\"}",
        "/rest/people.csv?q={",
    ] {
        scene.root.get(refused).await.expect(400);
    }
    scene.root.get("/rest/nothing.csv").await.expect(404);
    scene.root.without_key().get("/rest/people.csv").await.expect(401);
    // An empty collection has the names of its typed fields.
    typed(&scene.root).await;
    let empty = scene.root.get("/rest/things.csv").await.expect(200).text;
    let wanted = "_id,a text,a number,a date,a datetime,a bool,a JSON,a email,a url,a phone,a image,firm\r\n";
    assert_eq!(empty, wanted);
    assert_eq!(scene.root.get("/rest/things.ndjson").await.expect(200).text, "");
}

#[tokio::test]
async fn an_export_has_what_its_reader_may_see() {
    let scene = Scene::new().await;
    let grant = json!({
        "collections": {"people": ["read", "search"]}, "read_filter": {"town": "Oslo"},
        "fields": {"exclude": ["salary", "born"]},
    });
    let reader = key(&scene.root, json!({"grant": grant})).await;
    let fields =
        json!([{"fieldname": "salary", "type": "number"}, {"fieldname": "name", "type": "text"}]);
    scene.root.put("/rest/_meta", &json!({"name": "people", "fields": fields})).await.expect(200);
    let text = reader.get("/rest/people.csv").await.expect(200).text;
    assert_eq!(text.lines().next().unwrap(), "_id,name,age,town,first-name,home");
    assert_eq!(text.lines().count(), 3, "{text}");
    let lines = reader.get("/rest/people.ndjson").await.expect(200).text;
    assert!(!lines.contains("salary") && !lines.contains("Bergen"), "{lines}");
}

/// Documents that take more than the sockets between hold.
async fn many(root: &Client) -> usize {
    let filler = "x".repeat(2000);
    for part in 0..10 {
        let documents: Vec<Value> =
            (0..1000).map(|n| json!({"n": part * 1000 + n, "filler": filler})).collect();
        root.post("/rest/many", &json!(documents)).await.expect(201);
    }
    10_000
}

#[tokio::test]
async fn every_page_is_of_the_moment_of_the_first() {
    let server = Server::start();
    let root = server.client();
    let count = many(&root).await;
    let before = root.get("/rest/many?max=1").await.position();
    let answer = root.request("GET", "/rest/many.ndjson").send().await.unwrap();
    let position: u64 = answer.headers()["headwater-position"].to_str().unwrap().parse().unwrap();
    assert_eq!(position, before);
    let mut body = answer.bytes_stream();
    let mut text = body.next().await.unwrap().unwrap().to_vec();
    // The rest of it is not sent yet; what it is made from goes.
    root.post("/v1/collections/many/delete", &json!({"filter": {}, "multi": true}))
        .await
        .expect(200);
    root.post("/rest/many", &json!({"n": "late"})).await.expect(201);
    while let Some(part) = body.next().await {
        text.extend_from_slice(&part.unwrap());
    }
    let text = String::from_utf8(text).unwrap();
    let numbers: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["n"].clone())
        .collect();
    assert_eq!(numbers.len(), count);
    assert!(numbers.iter().enumerate().all(|(place, n)| *n == json!(place)));
    assert_eq!(root.get("/rest/many.csv").await.expect(200).text.lines().count(), 2);
}

#[tokio::test]
async fn an_export_ends_with_its_credential() {
    let server = Server::start();
    let root = server.client();
    many(&root).await;
    let grant = json!({"grant": {"collections": {"many": ["read"]}}});
    let issued = issued(&root, grant).await;
    let reader = root.with_key(&issued.key);
    let answer = reader.request("GET", "/rest/many.ndjson").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut body = answer.bytes_stream();
    body.next().await.unwrap().unwrap();
    root.delete(&issued.path).await.expect(200);
    let mut parts = 0;
    let broken = loop {
        match body.next().await {
            Some(Ok(_)) => parts += 1,
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broken, "all of it came, in {parts} parts");
}

#[tokio::test]
async fn rows_become_documents_all_or_none() {
    let server = Server::start();
    let root = server.client();
    let fields = json!([{"fieldname": "age", "type": "number"}, {"fieldname": "code", "type": "text", "unique": true}]);
    root.put("/rest/_meta", &json!({"name": "people", "fields": fields})).await.expect(200);
    let id = "5f1f77bcf86cd799439011aa";
    let text = format!(
        "\u{feff}_id,age,code,free,tags,empty\r\n{id},42,007,007,\"[\"\"a\"\"]\",\r\nshort,,1,1,=1+1,\r\n"
    );
    let made =
        root.post_text("/rest/people", "text/csv; charset=utf-8", text).await.expect(201).body;
    let list = root.get("/rest/people").await.expect(200).body;
    assert_eq!(list.as_array().unwrap().len(), 2);
    let one = json!({"_id": id, "age": 42, "code": "007", "free": "007", "tags": ["a"]});
    assert!(list.as_array().unwrap().contains(&one), "{list}");
    assert_eq!(
        (&made[0]["_createdby"], &made[1]["code"], &made[1]["tags"]),
        (&json!("api"), &json!("1"), &json!("=1+1"))
    );
    assert_ne!(made[1]["_id"], "short", "what is no id is none");
    // Each of these has one good row.
    let faults = [
        ("age,code\n1,a\nx,b\n".to_owned(), "age", "TYPE", 3),
        ("age,code\n1,a\n2,\"b\nc\"\n3,a\n".to_owned(), "code", "UNIQUE", 5),
        (format!("_id,age\n,1\n{id},1\n"), "_id", "UNIQUE", 3),
    ];
    for (text, field, code, line) in faults {
        let with_returns = text.replace('\n', "\r\n");
        let same = root.post_text("/rest/people.csv", CSV, with_returns).await.expect(400).body;
        assert_eq!(same["list"][0]["line"], line, "lines that end with CR LF count the same");
        let refused = root.post_text("/rest/people.csv", CSV, text).await.expect(400).body;
        let entry = &refused["list"][0];
        assert_eq!(
            (&entry["field"], &entry["message"][1]),
            (&json!(field), &json!(code)),
            "{refused}"
        );
        assert_eq!(entry["line"], line, "{refused}");
    }
    let malformed = [
        ("/rest/people", CSV, "a,b\n1,2\n3\n", "line 3: 1 cells"),
        ("/rest/people.csv", "application/octet-stream", "a,b\n1,\"2\n", "line 2: column 2"),
        ("/rest/people", LINES, "{\"a\":1}\n{\"a\":}\n", "line 2: column 6"),
        ("/rest/people", LINES, "{\"a\":1}\n5\n", "line 2: "),
        ("/rest/people", CSV, "", "line 1: there is no header"),
    ];
    for (path, kind, text, message) in malformed {
        let refused = root.post_text(path, kind, text).await.expect(400).body;
        assert!(refused["message"].as_str().unwrap().starts_with(message), "{refused}");
    }
    assert_eq!(root.get("/rest/people").await.expect(200).body, list);
    assert_eq!(root.post_text("/rest/people", CSV, "a,b\n").await.expect(201).body, json!([]));
    // Creating is enough, and needed.
    let may = async |actions: Value| {
        key(&root, json!({"grant": {"collections": {"people": actions}}})).await
    };
    let importer = may(json!(["create", "bulk"])).await;
    importer.post_text("/rest/people", CSV, "n\n1\n2\n").await.expect(201);
    may(json!(["read"])).await.post_text("/rest/people", CSV, "n\n1\n").await.expect(403);
}

#[tokio::test]
async fn a_file_that_is_too_long_for_a_request_says_what_to_do() {
    let server = Server::with(&[("HEADWATER_LIMITS__BATCH_DOCUMENTS", "3")]);
    let root = server.client();
    let refused = root.post_text("/rest/people", CSV, "n\n1\n2\n3\n4\n").await.expect(400).body;
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains('3') && message.contains("headwater import"), "{message}");
    root.get("/rest/people").await.expect(404);
}
