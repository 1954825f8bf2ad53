//! Who may: credentials and their order, web keys, pages of other origins, users.

use serde_json::json;

use super::{Scene, asked, id, issued, key, logged_in};
use crate::harness::Server;

#[tokio::test]
async fn no_credential_is_401_and_a_wrong_one_403() {
    let scene = Scene::new().await;
    let nobody = scene.root.without_key();
    let refused = nobody.get("/rest/people").await.expect(401);
    assert_eq!(refused.body["name"], "Unauthorized");
    let wrong = nobody.with_key("597a2c3d4e5f60718293a4b5");
    assert_eq!(wrong.get("/rest/people").await.expect(403).body["name"], "Forbidden");
    let reads = json!({"grant": {"collections": {"people": ["read"]}}});
    let key = issued(&scene.root, reads).await.key;
    nobody.with_key(&key).get("/rest/people").await.expect(200);
    nobody.with_key(&key).post("/rest/people", &json!({})).await.expect(403);
    nobody.get(&format!("/rest/people?apikey={key}")).await.expect(200);
    let bearer = nobody.request("GET", "/rest/people").bearer_auth(&key);
    nobody.send(bearer).await.expect(200);
}

#[tokio::test]
async fn the_first_of_several_credentials_counts() {
    let scene = Scene::new().await;
    let reader = key(&scene.root, json!({"grant": {"collections": {"people": ["read"]}}})).await;
    // The header's key may not write, whatever the parameter's may.
    let path = format!("/rest/people?apikey={}", crate::harness::ROOT);
    reader.post(&path, &json!({})).await.expect(403);
    reader.get(&path).await.expect(200);
    let bearer = reader.request("POST", "/rest/people").bearer_auth(crate::harness::ROOT);
    reader.send(bearer.json(&json!({}))).await.expect(201);
}

#[tokio::test]
async fn deletions_by_query_need_full_access() {
    let scene = Scene::new().await;
    let other = key(&scene.root, json!({"grant": {"collections": {"*": ["*"]}}})).await;
    let q = [("q", "{}")];
    other.delete(&asked("/rest/people/*", &q)).await.expect(403);
    let all = scene.list(&[]).await.expect(200).body;
    let ids = json!([id(&all[0])]);
    other.send(other.request("DELETE", "/rest/people/*").json(&ids)).await.expect(200);
    assert_eq!(scene.list(&[]).await.body.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn web_keys_hold_to_paths_and_methods_relative_to_the_face() {
    let scene = Scene::new().await;
    let page = "https://shop.example";
    let grant = json!({
        "collections": {"*": ["*"]}, "paths": ["/people/**"], "methods": ["GET", "POST"],
        "origins": [page],
    });
    let web = key(&scene.root, json!({"kind": "web", "grant": grant})).await;
    web.get("/rest/people").await.expect(200);
    web.get("/rest/people.html").await.expect(200);
    web.get("/rest/others").await.expect(403);
    // The method that a header names is the one that counts.
    let all = scene.list(&[]).await.expect(200).body;
    let path = format!("/rest/people/{}", id(&all[0]));
    let request = web.request("POST", &path).header("x-http-method-override", "DELETE");
    web.send(request).await.expect(403);
    let from =
        |origin: &str| web.request("GET", "/rest/people").header("origin", origin.to_owned());
    let answer = web.send(from(page)).await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), page);
    let exposed = answer.header("access-control-expose-headers").to_ascii_lowercase();
    assert!(exposed.contains("x-pagination"), "{exposed}");
    let refused = web.send(from("https://evil.example")).await.expect(403);
    assert_eq!(refused.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn pages_are_asked_first_and_may_send_credentials() {
    let server = Server::start();
    let nobody = server.client().without_key();
    let wanted = "x-apikey, content-type, cache-control, x-http-method-override";
    let request = nobody
        .request("OPTIONS", "/rest/people")
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "PATCH")
        .header("access-control-request-headers", wanted);
    let answer = nobody.send(request).await.expect(204);
    assert_eq!(answer.header("access-control-allow-origin"), "https://shop.example");
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert_eq!(answer.header("access-control-allow-headers"), wanted);
    assert!(answer.header("access-control-allow-methods").contains("PATCH"));
    // Whatever asks by OPTIONS is answered.
    let answer = nobody.send(nobody.request("OPTIONS", "/rest/people")).await.expect(204);
    assert!(answer.header("access-control-allow-methods").contains("PATCH"));
}

#[tokio::test]
async fn what_users_write_has_their_address() {
    let scene = Scene::new().await;
    let root = &scene.root;
    let rights = json!({"read": true, "create": true, "update": true, "search": true});
    let role = json!({"collections": {"people": rights}});
    root.put("/v1/roles/editor", &role).await.expect(201);
    let ann = logged_in(root, "ann@example.com", &["editor"]).await;
    let made = ann.post("/rest/people", &json!({"name": "Ann"})).await.expect(201).body;
    assert_eq!(made["_createdby"], "ann@example.com");
    let path = format!("/rest/people/{}", id(&made));
    let changed = root.put(&path, &json!({"n": 1})).await.expect(200).body;
    assert_eq!(
        (&changed["_createdby"], &changed["_changedby"]),
        (&json!("ann@example.com"), &json!("api"))
    );
    let mine = scene.names(&[("q", r#"{"_createdby":"ann@example.com"}"#)]).await;
    assert_eq!(mine, ["Ann"]);
}

#[tokio::test]
async fn what_is_hidden_from_a_caller_stays_hidden() {
    let scene = Scene::new().await;
    let grant = json!({
        "collections": {"people": ["*"]}, "read_filter": {"town": "Oslo"},
    });
    let oslo = key(&scene.root, json!({"grant": grant})).await;
    for path in ["/rest/people", "/rest/people?metafields=true", "/rest/people?sort=_created"] {
        let found = oslo.get(path).await.expect(200);
        assert!(!found.text.contains("Jane"), "{path}: {}", found.text);
        assert_eq!(found.body.as_array().unwrap().len(), 2, "{path}");
    }
    let counted = oslo.get("/rest/people?totals=true&count=true").await.expect(200);
    assert_eq!(counted.body["totals"]["count"], 2);
    let grouped = oslo.get("/rest/people?groupby=town&aggregate=COUNT:").await.expect(200);
    assert_eq!(grouped.body, json!({"Oslo": {"COUNT ": 2}}));
}
