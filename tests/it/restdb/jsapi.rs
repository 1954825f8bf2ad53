//! The generated JavaScript API: what it tells and whom, in Node, in a browser, and the page that documents it.

use serde_json::{Value, json};

use super::{issued, key, log_in, logged_in};
use crate::harness::{Client, Packages, Page, ROOT, Server};

const SCRIPT: &str = "/rest/_jsapi.js";
const DOCUMENTATION: &str = "/rest/_jsapi.doc";
/// A name of a field that would leave the script, and the page, if it could.
const HOSTILE: &str = "</script><script>alert(1)</script>\u{2028}'\"`{1}<!--";

/// Collections as programs of RestDB have them.
async fn schema(root: &Client) {
    let field = |name: &str, kind: &str| json!({"fieldname": name, "type": kind});
    let child = json!({"fieldname": "notes", "type": "child list", "collection": "notes"});
    let name = json!({"fieldname": "name", "type": "text", "required": true});
    let collections = json!({"collections": [
        {"name": "people", "fields": [name, field("age", "number"), child]},
        {"name": "notes", "fields": [field("text", "text")]},
        {"name": "m-entry", "fields": []},
        {"name": "on", "fields": []},
        {"name": "hostile", "fields": [field(HOSTILE, "text")]},
    ]});
    root.put("/rest/_meta", &collections).await.expect(200);
}

/// The collections in a generated file.
fn collections(script: &str) -> Value {
    let at = script.rfind("})(").unwrap() + 3;
    let text = &script[at..];
    let end = text.rfind(", typeof globalThis").unwrap();
    serde_json::from_str(&text[..end]).unwrap()
}

fn names(script: &str) -> Vec<String> {
    let collections = collections(script);
    let all = collections.as_array().unwrap().iter();
    all.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_script_needs_no_credential() {
    let server = Server::start();
    let root = server.client();
    schema(&root).await;
    let nobody = root.without_key();
    let script = nobody.get(SCRIPT).await.expect(200);
    assert_eq!(script.header("content-type"), "application/javascript; charset=utf-8");
    assert_eq!(script.header("cache-control"), "no-cache");
    assert_eq!(names(&script.text), ["hostile", "m-entry", "notes", "on", "people"]);
    let people = json!({"name": "people", "fields": [
        {"name": "name", "type": "text"}, {"name": "age", "type": "number"},
        {"name": "notes", "type": "child", "collection": "notes"},
    ]});
    assert_eq!(collections(&script.text)[4], people);
    assert!(script.text.lines().next().unwrap().contains("headwater"), "{}", script.text);
    // Whoever has it already gets it once more only after a change.
    let known = || nobody.request("GET", SCRIPT).header("if-none-match", script.header("etag"));
    assert_eq!(nobody.send(known()).await.expect(304).text, "");
    root.post("/rest/later", &json!({})).await.expect(201);
    assert!(names(&nobody.send(known()).await.expect(200).text).contains(&"later".to_owned()));
    // From a page of another origin.
    let asked = nobody.request("GET", SCRIPT).header("origin", "https://page.example");
    let answer = nobody.send(asked).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), "https://page.example");
    assert_eq!(answer.header("cross-origin-resource-policy"), "cross-origin");
    // A key that is none does not keep a page from loading it.
    root.with_key("wrong").get(SCRIPT).await.expect(200);
    let polyfill = nobody.get("/assets/js/eventsource.min.js").await.expect(200);
    assert_eq!(polyfill.header("content-type"), "application/javascript; charset=utf-8");
}

#[tokio::test]
async fn no_name_leaves_the_script_or_the_page() {
    let server = Server::start();
    let root = server.client();
    schema(&root).await;
    let script = root.get(SCRIPT).await.expect(200).text;
    assert_eq!(collections(&script)[0]["fields"][0]["name"], HOSTILE);
    let names = script.lines().find(|line| line.contains("hostile")).unwrap();
    for outside in ["<", "\u{2028}", "alert(1)</script>"] {
        assert!(!names.contains(outside), "{names}");
    }
    let page = root.without_key().get(DOCUMENTATION).await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(!page.text.contains("<script>alert"), "{}", page.text);
    assert!(page.text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{}", page.text);
    for shown in ["db.people", "db.mentry", "db.collection(&quot;on&quot;)", "child list"] {
        assert!(page.text.contains(shown), "{shown}");
    }
}

#[tokio::test]
async fn a_schema_that_is_not_public_is_told_to_readers_alone() {
    let server = Server::with(&[("HEADWATER_RESTDB__PUBLIC_SCHEMA", "false")]);
    let root = server.client();
    schema(&root).await;
    let script = async |client: &Client, path: &str| client.get(path).await.expect(200);
    let nothing = script(&root.without_key(), SCRIPT).await;
    assert_eq!(names(&nothing.text), Vec::<String>::new());
    assert!(nothing.header("cache-control").starts_with("private"));
    let page = script(&root.without_key(), DOCUMENTATION).await.text;
    assert!(!page.contains("people"), "{page}");
    assert_eq!(names(&script(&root, SCRIPT).await.text).len(), 5);
    let by_parameter = format!("{SCRIPT}?plainjs=true&apikey={ROOT}");
    assert_eq!(names(&script(&root.without_key(), &by_parameter).await.text).len(), 5);
    // What a key may read, as far as it may see it.
    let grant = json!({"collections": {"people": ["read"], "notes": ["create"]}, "fields": {"exclude": ["age"]}});
    let reader = key(&root, json!({"grant": grant})).await;
    let text = script(&reader, SCRIPT).await.text;
    assert_eq!(names(&text), ["people"]);
    assert!(!text.contains("\"age\""), "{text}");
    // What the paths of a web key lead to, though not to the script itself.
    let web = json!({"kind": "web", "grant": {"paths": ["/notes/**"], "methods": ["GET"], "origins": ["*"]}});
    let web = key(&root, web).await;
    assert_eq!(names(&script(&web, SCRIPT).await.text), ["notes"]);
    let wrong = root.with_key("wrong").get(SCRIPT).await;
    assert_eq!(wrong.expect(403).body["name"], "Forbidden");
}

#[tokio::test]
async fn a_cookie_does_not_count_for_the_script() {
    let server = Server::with(&[("HEADWATER_RESTDB__PUBLIC_SCHEMA", "false")]);
    let root = server.client();
    schema(&root).await;
    root.put("/v1/roles/all", &json!({"admin": true})).await.expect(201);
    logged_in(&root, "ann@example.com", &["all"]).await;
    let nobody = root.without_key();
    let begun = log_in(&root, "ann@example.com").await;
    let cookie = begun.header("set-cookie").split(';').next().unwrap().to_owned();
    // It comes along by itself, whichever page asks; elsewhere it opens everything.
    let with_cookie =
        |path: &str| nobody.send(nobody.request("GET", path).header("cookie", &cookie));
    assert_eq!(with_cookie("/rest/_meta").await.expect(200).list("collections").len(), 5);
    assert!(names(&with_cookie(SCRIPT).await.expect(200).text).is_empty());
}

#[tokio::test]
async fn the_client_works_in_node() {
    let server = Server::start();
    let root = server.client();
    schema(&root).await;
    let asked = json!({"url": server.url(), "key": ROOT});
    let told = run("restdb/jsapi.mjs", asked).await;
    assert_eq!(told, [json!("done")]);
}

#[tokio::test]
async fn the_client_follows_realtime_with_its_own_reader_and_with_an_eventsource() {
    let server = Server::start();
    schema(&server.client()).await;
    for has_event_source in [false, true] {
        let asked = json!({"url": server.url(), "eventSource": has_event_source});
        let told = run("restdb/jsapi_standin.mjs", asked).await;
        assert_eq!(told, [json!("done")], "with an EventSource: {has_event_source}");
    }
}

#[tokio::test]
async fn the_client_follows_this_servers_realtime() {
    let server = Server::start();
    schema(&server.client()).await;
    let asked = json!({"url": server.url(), "key": ROOT});
    assert_eq!(run("restdb/jsapi_realtime.mjs", asked).await, [json!("done")]);
}

/// Runs a program of `tests/clients`.
async fn run(program: &'static str, asked: Value) -> Vec<Value> {
    let work = move || Packages::installed().plain(program, &[asked]);
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// A page of another origin, as its author writes it.
const PAGE: &str = r#"<!doctype html><title>People</title>
<script src="URL/assets/js/eventsource.min.js"></script>
<script src="URL/rest/_jsapi.js"></script>
<ul id="list"></ul><p id="done"></p><p id="url"></p>
<script>
  var db = new restdb("KEY");
  document.getElementById("url").textContent = db.url;
  var jane = new db.people({name: "Jane \u2028 </script\u003e", age: 42});
  jane.save(function (error, saved) {
    if (error) throw error;
    db.people.find({age: {$gt: 40}}, {metafields: true}, function (error, found) {
      if (error) throw error;
      found.forEach(function (one) {
        var line = document.createElement("li");
        line.textContent = [one.name, one._version, found.pagination.total, one._id === saved._id].join("|");
        document.getElementById("list").appendChild(line);
      });
      new db.people({}).save(function (refused) {
        saved.delete(function (error, result) {
          document.getElementById("done").textContent = refused.message + " " + (result.result[0] === saved._id);
        });
      });
    });
  });
</script>"#;

#[tokio::test]
async fn the_client_works_in_a_page_of_another_origin() {
    let server = Server::start();
    let root = server.client();
    schema(&root).await;
    let grant =
        json!({"paths": ["/people/**"], "methods": ["GET", "POST", "DELETE"], "origins": ["*"]});
    let key = issued(&root, json!({"kind": "web", "grant": grant})).await.key;
    let html = PAGE.replace("URL", &server.url()).replace("KEY", &key);
    let page = Page::open(&[("/", html)], "/");
    page.wait("what was done", |shown| {
        shown["texts"]["done"] == "ValidationError true" && shown["texts"]["url"] == server.url()
    })
    .await;
    assert_eq!(page.lines(), ["Jane \u{2028} </script>|1|1|true"]);
}

/// What a page sees where its key may read people and nothing else.
const LIMITED: &str = r#"<!doctype html><title>Limits</title>
<script src="URL/rest/_jsapi.js"></script>
<ul id="list"></ul><p id="done"></p>
<script>
  var db = new restdb("KEY");
  function show(what, error) {
    var line = document.createElement("li");
    line.textContent = [what, error.status, error.name, error.message].join("|");
    document.getElementById("list").appendChild(line);
  }
  db.people.find({}, function (error, found) {
    if (error) throw error;
    db.notes.find({}, function (error) {
      show("other", error);
      found[0].age = 43;
      found[0].save(function (error) {
        show("save", error);
        found[0].delete(function (error) {
          show("delete", error);
          new db.people({name: "Bob"}).save(function (error) {
            show("create", error);
            document.getElementById("done").textContent = found[0].name;
          });
        });
      });
    });
  });
</script>"#;

#[tokio::test]
async fn a_page_can_read_why_its_key_may_not() {
    let server = Server::start();
    let root = server.client();
    schema(&root).await;
    let jane = root.post("/rest/people", &json!({"name": "Jane", "age": 42})).await.expect(201);
    root.post("/rest/notes", &json!({"text": "of others"})).await.expect(201);
    let grant = json!({"paths": ["/people/**"], "methods": ["GET"], "origins": ["*"]});
    let key = issued(&root, json!({"kind": "web", "grant": grant})).await.key;
    let html = LIMITED.replace("URL", &server.url()).replace("KEY", &key);
    let page = Page::open(&[("/", html)], "/");
    page.wait("what was tried", |shown| shown["texts"]["done"] == "Jane").await;
    let refused =
        |what: &str, why: &str| format!("{what}|403|Forbidden|the credential does not allow {why}");
    let wanted = [
        refused("other", "this path"),
        refused("save", "the method PUT"),
        refused("delete", "the method DELETE"),
        refused("create", "the method POST"),
    ];
    assert_eq!(page.lines(), wanted);
    let path = format!("/rest/people/{}", jane.body["_id"].as_str().unwrap());
    assert_eq!(root.get(&path).await.expect(200).body["age"], 42);
}
