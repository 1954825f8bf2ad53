//! Who hears what by a key: the grant's list, and the rest of the grant where it has none.

use serde_json::{Value, json};

use super::id;
use super::realtime::{Realtime, end};
use super::{Issued, issued, key};
use crate::harness::{Client, Server};

/// Writes of each kind to two collections, and custom events.
async fn happen(root: &Client) {
    for collection in ["a", "b"] {
        let path = format!("/rest/{collection}");
        let made = root.post(&path, &json!({"n": 1})).await.expect(201).body;
        let path = format!("{path}/{}", id(&made));
        root.patch(&path, &json!({"n": 2})).await.expect(200);
        root.delete(&path).await.expect(200);
    }
    for name in ["answer", "other"] {
        root.post("/realtime", &json!({"event": name, "data": 1})).await.expect(200);
    }
    end(root).await;
}

#[tokio::test]
async fn a_list_says_what_is_heard() {
    let server = Server::start();
    let root = server.client();
    let rows: [(Value, &[&str]); 7] = [
        (json!(["POST:a"]), &["post a 1"]),
        (json!(["patch:b", "answer"]), &["put b", "publish answer 1"]),
        (json!(["PUT:*"]), &["put a", "put b"]),
        (json!(["*:b"]), &["post b 1", "put b", "delete b"]),
        (json!(["DELETE:a", "other"]), &["delete a", "publish other 1"]),
        (json!(["*:*"]), &["post a 1", "put a", "delete a", "post b 1", "put b", "delete b"]),
        (
            json!(["*"]),
            &[
                "post a 1",
                "put a",
                "delete a",
                "post b 1",
                "put b",
                "delete b",
                "publish answer 1",
                "publish other 1",
            ],
        ),
    ];
    for (list, wanted) in rows {
        let mut listed = list.as_array().unwrap().clone();
        listed.push(json!("end"));
        let reader = key(&root, json!({"grant": {"realtime": listed}})).await;
        let mut stream = Realtime::open(&reader, "/realtime").await;
        happen(&root).await;
        assert_eq!(stream.until_end().await, wanted, "{list}");
    }
}

#[tokio::test]
async fn true_stands_for_paths_and_methods_and_the_rest_says_what_is_heard() {
    let server = Server::start();
    let root = server.client();
    let grant = json!({
        "collections": {"b": ["read", "subscribe"], "*": ["subscribe"], "a": ["read"]},
        "paths": ["/b/**"], "methods": ["GET"], "realtime": true,
    });
    let web = key(&root, json!({"grant": grant})).await;
    let mut stream = Realtime::open(&web, "/realtime").await;
    happen(&root).await;
    let wanted = ["post b 1", "put b", "delete b", "publish answer 1", "publish other 1"];
    assert_eq!(stream.until_end().await, wanted);
    web.post("/realtime", &json!({"event": "end"})).await.expect(403);
    // Where paths alone say which collections are meant, they say it here, too.
    let by_path = key(&root, json!({"grant": {"paths": ["/b/**"], "realtime": true}})).await;
    let mut stream = Realtime::open(&by_path, "/realtime").await;
    happen(&root).await;
    assert_eq!(stream.until_end().await, wanted);
    let nothing = key(&root, json!({"grant": {"realtime": true}})).await;
    nothing.get("/realtime").await.expect(403);
}

#[tokio::test]
async fn a_list_stands_for_paths_methods_and_actions_on_realtime_alone() {
    let server = Server::start();
    let root = server.client();
    let web = json!({
        "collections": {"b": ["read"]}, "paths": ["/b/**"], "methods": ["GET"],
        "realtime": ["POST:a", "end"],
    });
    let web = key(&root, json!({"grant": web})).await;
    let mut stream = Realtime::open(&web, "/realtime").await;
    happen(&root).await;
    assert_eq!(stream.until_end().await, ["post a 1"]);
    web.post("/realtime", &json!({"event": "end"})).await.expect(200);
    web.post("/realtime", &json!({"event": "answer"})).await.expect(403);
    web.get("/rest/a").await.expect(403);
    web.get("/rest/b").await.expect(200);
    web.post("/rest/b", &json!({})).await.expect(403);
    web.get("/v1/events").await.expect(403);
}

#[tokio::test]
async fn false_shuts_realtime_and_nothing_else() {
    let server = Server::start();
    let root = server.client();
    let grant = json!({"collections": {"*": ["*"]}, "realtime": false});
    for grant in [grant, json!({"admin": true, "realtime": false})] {
        let shut = key(&root, json!({"grant": grant})).await;
        let refused = shut.get("/realtime").await.expect(403);
        assert_eq!(refused.body["name"], "Forbidden");
        shut.post("/realtime", &json!({"event": "a"})).await.expect(403);
        shut.post("/rest/a", &json!({"n": 1})).await.expect(201);
    }
}

#[tokio::test]
async fn full_access_with_a_list_is_not_told_what_full_access_without_one_is() {
    let server = Server::start();
    let root = server.client();
    let listed = key(&root, json!({"grant": {"admin": true, "realtime": ["PUT:a", "end"]}})).await;
    let mut full = Realtime::open(&root, "/realtime").await;
    let mut listed = Realtime::open(&listed, "/realtime").await;
    happen(&root).await;
    assert_eq!(full.until_end().await.len(), 8);
    assert_eq!(listed.until_end().await, ["put a"]);
}

#[tokio::test]
async fn without_a_list_the_rest_of_the_grant_decides() {
    let server = Server::start();
    let root = server.client();
    let ping = json!({"event": "end"});
    // Nothing to follow; a path like any other, from the root; a method.
    key(&root, json!({"grant": {"collections": {"a": ["read"]}}}))
        .await
        .get("/realtime")
        .await
        .expect(403);
    let paths = |path: &str| json!({"collections": {"*": ["*"]}, "paths": [path]});
    key(&root, json!({"grant": paths("/a/**")})).await.get("/realtime").await.expect(403);
    key(&root, json!({"grant": {"methods": ["POST"]}})).await.get("/realtime").await.expect(403);
    key(&root, json!({"grant": {"methods": ["GET"]}}))
        .await
        .post("/realtime", &ping)
        .await
        .expect(403);
    let acls = json!({"acls": ["get", "search"]});
    key(&root, json!({"grant": acls})).await.get("/realtime").await.expect(403);
    for path in ["/**", "/realtime"] {
        let reader = key(&root, json!({"grant": paths(path)})).await;
        let mut stream = Realtime::open(&reader, "/realtime").await;
        end(&root).await;
        assert!(stream.until_end().await.is_empty(), "{path}");
        reader.post("/realtime", &ping).await.expect(200);
    }
    let some = json!({"collections": {"a": ["subscribe"], "b": ["read"]}});
    let reader = key(&root, json!({"grant": some})).await;
    let mut stream = Realtime::open(&reader, "/realtime").await;
    happen(&root).await;
    root.post("/rest/a", &json!({"n": 9})).await.expect(201);
    let told: Vec<String> = stream.take(4).await.iter().map(super::realtime::Frame::told).collect();
    assert_eq!(told, ["post a 1", "put a", "delete a", "post a 9"]);
    reader.post("/realtime", &ping).await.expect(403);
    root.without_key().get("/realtime").await.expect(401);
    root.with_key("hw_unknown").get("/realtime").await.expect(403);
}

#[tokio::test]
async fn what_a_key_does_not_see_is_cut_whatever_the_list_says() {
    let server = Server::start();
    let root = server.client();
    let grant = json!({
        "read_filter": {"town": "Oslo"}, "fields": {"exclude": ["salary"]},
        "realtime": ["*:people", "end"],
    });
    let reader = key(&root, json!({"grant": grant})).await;
    let mut stream = Realtime::open(&reader, "/realtime").await;
    let jane = json!({"name": "Jane", "town": "Bergen", "salary": 1});
    let jane = root.post("/rest/people", &jane).await.expect(201).body;
    let joe = json!({"name": "Joe", "salary": 5000, "town": "Oslo"});
    let joe = root.post("/rest/people", &joe).await.expect(201).body;
    let path = format!("/rest/people/{}", id(&joe));
    root.patch(&path, &json!({"town": "Bergen"})).await.expect(200);
    root.patch(&path, &json!({"age": 7})).await.expect(200);
    root.patch(&path, &json!({"town": "Oslo"})).await.expect(200);
    root.delete(&path).await.expect(200);
    root.delete(&format!("/rest/people/{}", id(&jane))).await.expect(200);
    end(&root).await;
    let frames = stream.take(5).await;
    let mut shown = joe.clone();
    shown.as_object_mut().unwrap().remove("salary");
    let told: Vec<(&str, Value)> =
        frames.iter().map(|one| (one.event.as_str(), one.json()["data"].clone())).collect();
    let one = json!(id(&joe));
    assert_eq!(
        told[..4],
        [
            ("post", shown),
            // It leaves the caller's sight, comes back, and goes.
            ("delete", json!([one])),
            ("put", one.clone()),
            ("delete", json!([one])),
        ]
    );
    assert_eq!(frames[4].told(), "publish end null");
}

#[tokio::test]
async fn s4_rights_that_change_take_effect_on_open_streams() {
    let server = Server::start();
    let root = server.client();
    let grant = json!({"realtime": ["POST:a", "end"]});
    let Issued { path, key } = issued(&root, json!({"grant": grant})).await;
    let shown = root.get(&path).await.expect(200).body;
    assert_eq!(shown["grant"], grant);
    let reader = root.with_key(&key);
    let mut stream = Realtime::open(&reader, "/realtime").await;
    happen(&root).await;
    assert_eq!(stream.until_end().await, ["post a 1"]);
    let wider = json!({"grant": {"realtime": ["PUT:b", "end"]}});
    root.patch(&path, &wider).await.expect(200);
    happen(&root).await;
    assert_eq!(stream.until_end().await, ["put b"]);
    let full = json!({"grant": {"admin": true}});
    root.patch(&path, &full).await.expect(200);
    happen(&root).await;
    // Everything, but nothing of the system.
    assert_eq!(stream.until_end().await.len(), 8);
    root.patch(&path, &json!({"grant": {"realtime": false}})).await.expect(200);
    assert_eq!(ending(&mut stream).await, ": access_narrowed");
    root.patch(&path, &full).await.expect(200);
    let mut stream = Realtime::open(&reader, "/realtime").await;
    root.delete(&path).await.expect(200);
    assert_eq!(ending(&mut stream).await, ": credential_revoked");
    reader.get("/realtime").await.expect(403);
}

/// The last block of a stream: a comment, for the service has no word for it.
async fn ending(stream: &mut Realtime) -> String {
    let mut last = String::new();
    while let Some(block) = stream.0.block().await {
        last = block;
    }
    last
}

#[tokio::test]
async fn malformed_lists_are_refused_by_name() {
    let server = Server::start();
    let root = server.client();
    let long = "x".repeat(256);
    let lists = [json!(1), json!("POST:a"), json!([1]), json!(["GET:a"]), json!(["POST:_users"])];
    for list in lists.into_iter().chain([json!([""]), json!([long]), json!(["POST:"])]) {
        let body = json!({"grant": {"realtime": list}});
        let refused = root.post("/v1/credentials", &body).await.expect(400);
        assert_eq!(refused.body["error"]["code"], "invalid_grant", "{list}");
        assert_eq!(refused.body["error"]["details"]["member"], "realtime", "{list}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_follow_by_a_key_in_the_address() {
    let server = Server::start();
    let root = server.client();
    let (shop, evil) = ("https://shop.example", "https://evil.example");
    let grant = json!({"realtime": ["end"], "origins": [shop]});
    let key = issued(&root, json!({"kind": "web", "grant": grant})).await.key;
    let path = format!("/realtime?apikey={key}&lastEventId=&r=99");
    let nobody = root.without_key();
    let stream = Realtime::with(&nobody, &path, &[("origin", shop)]).await;
    assert_eq!(stream.0.headers["access-control-allow-origin"], shop);
    nobody.refused_stream(&path, &[("origin", evil)]).await.expect(403);
}
