//! `headwater key`: the credentials that it makes do what their options say; stdout is the secret alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::harness::{Client, Server, eventually};

const ORDERS: &str = "/v1/collections/orders/documents";
const SHOP: &str = "https://shop.example";

/// Makes a credential by command; what was printed, in one line.
fn create(server: &Server, options: &[&str]) -> String {
    let line = server.run(&[&["key", "create"], options].concat()).output();
    assert_eq!(line.lines().count(), 1, "{line:?}");
    line.trim().to_owned()
}

/// The stored credential of a label.
async fn stored(root: &Client, label: &str) -> Value {
    let page = root.get("/v1/credentials").await.expect(200);
    let found = page.list("credentials").iter().find(|one| one["label"] == label);
    found.unwrap_or_else(|| panic!("no {label}: {}", page.text)).clone()
}

async fn status(client: &Client, headers: &[(&str, &str)]) -> u16 {
    let mut request = client.request("GET", ORDERS);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request).await.status
}

#[tokio::test]
async fn keys_of_every_kind_are_made_by_command() {
    let server = Server::start();
    let root = server.client();
    let clerk = json!({"collections": {"orders": {"read": true}}});
    root.put("/v1/roles/clerk", &clerk).await.expect(201);

    let plain = create(&server, &["--label", "plain", "--collections", "orders=read,create"]);
    let plain = root.with_key(&plain);
    plain.post(ORDERS, &json!({"_id": "a"})).await.expect(201);
    plain.delete(&format!("{ORDERS}/a")).await.expect(403);

    let admin = root.with_key(&create(&server, &["--admin"]));
    admin.get("/v1/credentials").await.expect(200);

    let web = ["--web", "--origin", SHOP, "--path", "/v1/**", "--methods", "GET", "--label", "web"];
    let web = root.with_key(&create(&server, &web));
    assert_eq!(stored(&root, "web").await["kind"], "web");
    assert_eq!(status(&web, &[("origin", SHOP)]).await, 200);
    assert_eq!(status(&web, &[("origin", "https://evil.example")]).await, 403);
    web.post(ORDERS, &json!({})).await.expect(403);
    web.get("/metrics").await.expect(403);

    let basic = create(&server, &["--basic", "--collections", "orders=read"]);
    let (name, password) = basic.split_once(':').unwrap();
    assert!(!name.is_empty() && password.len() >= 20, "{basic}");
    let header = format!("Basic {}", BASE64.encode(&basic));
    assert_eq!(status(&root.without_key(), &[("authorization", &header)]).await, 200);
    assert_eq!(status(&root.with_key(password), &[]).await, 401);

    let role = root.with_key(&create(&server, &["--role", "clerk"]));
    assert_eq!(status(&role, &[]).await, 200);
    role.post(ORDERS, &json!({})).await.expect(403);

    let options = ["--collections", "*=read", "--network", "10.0.0.0/8,192.168.0.0/16"];
    let elsewhere = root.with_key(&create(&server, &options));
    assert_eq!(status(&elsewhere, &[]).await, 403);
    let here = create(&server, &["--collections", "*=read", "--network", "127.0.0.1"]);
    assert_eq!(status(&root.with_key(&here), &[]).await, 200);

    let acl = root.with_key(&create(&server, &["--acl", "get,search"]));
    assert_eq!(status(&acl, &[]).await, 200);
    acl.post(ORDERS, &json!({})).await.expect(403);

    let options = ["--collections", "*=read", "--referer", "https://shop.example/*"];
    let referer = root.with_key(&create(&server, &options));
    assert_eq!(status(&referer, &[]).await, 403);
    assert_eq!(status(&referer, &[("referer", "https://shop.example/a")]).await, 200);

    let short = create(&server, &["--collections", "*=read", "--ttl", "2s", "--label", "short"]);
    assert!(stored(&root, "short").await["expires_at"].is_string());
    let short = root.with_key(&short);
    eventually("its end", async || (status(&short, &[]).await == 401).then_some(())).await;
}

#[tokio::test]
async fn a_key_of_a_user_is_made_by_command() {
    let server = Server::start();
    let root = server.client();
    let clerk = json!({"collections": {"orders": {"read": true}}});
    root.put("/v1/roles/clerk", &clerk).await.expect(201);
    let body = json!({"email": "ann@example.com", "roles": ["clerk"]});
    let user = root.post("/v1/users", &body).await.expect(201);
    let key = root.with_key(&create(&server, &["--user", user.body["id"].as_str().unwrap()]));
    assert_eq!(status(&key, &[]).await, 200);
    key.post(ORDERS, &json!({})).await.expect(403);
}

#[tokio::test]
async fn wrong_options_make_no_key() {
    let server = Server::start();
    for (options, named) in [
        (&["--label", "nothing"][..], "allows nothing"),
        (&["--web", "--path", "/v1/**"], "--origin"),
        (&["--origin", SHOP, "--admin"], "--web"),
        (&["--web", "--basic", "--admin"], "--basic"),
        (&["--collections", "orders"], "orders"),
        (&["--collections", "orders=fly"], "fly"),
        (&["--admin", "--ttl", "soon"], "--ttl"),
        (&["--admin", "--ttl", "0s"], "--ttl"),
        (&["--admin", "--network", "10.0.0.0/99"], "10.0.0.0/99"),
        (&["--role", "nothing"], "nothing"),
        (&["--user", "nobody"], "nobody"),
        (&["--methods", "FETCH"], "FETCH"),
    ] {
        let said = server.run(&[&["key", "create"], options].concat()).refusal();
        assert!(said.contains(named), "{options:?}: {said}");
    }
    let page = server.client().get("/v1/credentials").await.expect(200);
    assert_eq!(page.list("credentials").len(), 0, "{}", page.text);
}

#[tokio::test]
async fn keys_are_rotated_listed_and_revoked_by_command() {
    let server = Server::start();
    let root = server.client();
    let old = create(&server, &["--collections", "orders=read", "--label", "till"]);
    let id = stored(&root, "till").await["id"].as_str().unwrap().to_owned();
    let listed = server.run(&["key", "list"]).output();
    assert!(listed.contains(&id) && listed.contains("till"), "{listed}");
    assert!(!listed.contains(&old), "the key is shown once");

    let new = server.run(&["key", "rotate", &id, "--grace", "1m"]).output().trim().to_owned();
    assert_eq!(status(&root.with_key(&old), &[]).await, 200, "within the grace");
    assert_eq!(status(&root.with_key(&new), &[]).await, 200);
    let newest = server.run(&["key", "rotate", &id]).output().trim().to_owned();
    for (key, wanted) in [(&newest, 200), (&new, 401), (&old, 401)] {
        assert_eq!(status(&root.with_key(key), &[]).await, wanted);
    }
    server.run(&["key", "revoke", &id]).output();
    assert_eq!(status(&root.with_key(&newest), &[]).await, 401);
    assert!(server.run(&["key", "revoke", &id]).refusal().contains(&id));
    assert!(server.run(&["key", "rotate", &id]).refusal().contains(&id));
    server.run(&["key", "rotate", &id, "--grace", "never"]).refusal();
}

#[tokio::test]
async fn ten_thousand_credentials_are_live_at_once() {
    use rand::seq::IndexedRandom;
    let mut server = Server::start();
    let root = server.client();
    let mut keys = Vec::new();
    for round in 0..100 {
        let issued = (0..100).map(|number| {
            let owner = round * 100 + number;
            let grant = json!({
                "collections": {"orders": ["read"]}, "read_filter": {"owner": owner},
            });
            let root = root.clone();
            tokio::spawn(async move {
                let issued = root.post("/v1/credentials", &json!({"grant": grant})).await;
                (owner, issued.expect(201).body["key"].as_str().unwrap().to_owned())
            })
        });
        for one in issued.collect::<Vec<_>>() {
            keys.push(one.await.unwrap());
        }
    }
    let documents: Vec<_> = (0..10_000).map(|n| json!({"_id": n, "owner": n})).collect();
    for some in documents.chunks(1000) {
        root.post(ORDERS, &json!(some)).await.expect(201);
    }
    root.put("/v1/collections/orders/indexes/owner", &json!({"keys": {"owner": 1}})).await;
    for restarted in [false, true] {
        if restarted {
            server.stop();
            server.restart();
        }
        let chosen: Vec<_> = keys.sample(&mut rand::rng(), 200).collect();
        for (owner, key) in chosen {
            let page = root.with_key(key).get(ORDERS).await.expect(200);
            let shown = page.list("documents");
            assert_eq!((shown.len(), &shown[0]["owner"]), (1, &json!(owner)), "{}", page.text);
        }
    }
}
