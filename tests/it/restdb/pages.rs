//! A page of another origin with a web key, in a browser: what it may do works, what it may not it can see.

use serde_json::{Value, json};

use super::issued;
use super::recorded::prepare;
use crate::harness::{Client, Page, Server};

async fn key(root: &Client, origin: &str) -> String {
    let grant = json!({"collections": {"*": ["*"]}, "origins": [origin], "methods": ["GET"],
        "paths": ["/customers/**"]});
    issued(root, json!({"kind": "web", "grant": grant})).await.key
}

/// What the page shows. Status 0: the browser hides the answer, since the server does not let this origin read it.
const SHOWN: [&str; 18] = [
    "list: 200 1 of 1",
    "one: 200 55c348ee6fde358e3c00bb8a",
    "without cookies: 200 1 of 1",
    "more headers: 200 1 of 1",
    "post: 403 Forbidden string",
    "put: 403 Forbidden string",
    "patch: 403 Forbidden string",
    "delete: 403 Forbidden string",
    "override: 403 Forbidden string",
    "other path: 403 Forbidden string",
    "like the path: 403 Forbidden string",
    "unknown: 404 NotFound string",
    "wrong key: 403 Forbidden string",
    "no key: 401 Unauthorized string",
    "parameter: 200 1 of 1",
    "foreign key: 0 unreadable",
    "foreign key by parameter: 0 unreadable",
    "done",
];

#[tokio::test]
async fn a_page_may_do_what_its_key_may_and_sees_what_it_may_not() {
    let server = Server::start();
    let root = server.client();
    prepare(&root).await;
    let ann = json!({"_id": "55c348ee6fde358e3c00bb8a", "name": "Ann"});
    root.post("/rest/customers", &ann).await.expect(201);
    let html = include_str!("../../clients/restdb/cors.html")
        .replace("URL_HERE", &server.url())
        .replace("KEY_HERE", &key(&root, "http://127.0.0.1:*").await)
        .replace("FOREIGN_HERE", &key(&root, "https://shop.example").await);
    let page = Page::open(&[("/page.html", html)], "/page.html");
    let is_done = |found: &Value| {
        let items = found["items"].as_array();
        items.and_then(|items| items.last()).is_some_and(|last| last["text"] == "done")
    };
    page.wait("the last of them", is_done).await;
    assert_eq!(page.lines(), SHOWN);
    assert_eq!(root.get("/rest/customers").await.expect(200).body, json!([ann]));
}
