//! The kinds of credentials: none, dead ones, keys of every sort, users, and tokens made of all of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::model::{Rights, STAR};
use super::text;
use crate::harness::{Client, ROOT, eventually};

/// Whether a method on a path is covered.
type Covers = fn(&str, &str) -> bool;

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) name: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) parameter: Option<(&'static str, String)>,
    /// What it may do; `None` where it is nobody.
    pub(super) rights: Option<Rights>,
}

impl Caller {
    fn new(name: &str, header: (&'static str, &str), rights: Option<Rights>) -> Self {
        let headers = vec![(header.0, header.1.to_owned())];
        Self { name: name.to_owned(), headers, parameter: None, rights }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Whether nothing is presented.
    pub(super) fn is_nobody(&self) -> bool {
        self.headers.is_empty() && self.parameter.is_none()
    }
}

const SHOP: &str = "https://shop.example";
const EVIL: &str = "https://evil.example";
const PASSWORD: &str = "a password of some length";

/// Every kind.
pub(super) async fn all(root: &Client) -> Vec<Caller> {
    let mut all = keys(root).await;
    let tokens = tokens(root, &all).await;
    all.extend(tokens);
    all.extend(dead(root).await);
    all.extend(people(root).await);
    all
}

/// Issues a credential; its answer.
async fn issue(root: &Client, body: Value) -> Value {
    root.post("/v1/credentials", &body).await.expect(201).body
}

async fn key(root: &Client, name: &str, grant: Value, rights: Rights) -> Caller {
    let issued = issue(root, json!({"label": name, "grant": grant})).await;
    Caller::new(name, ("x-apikey", &text(&issued, "key")), Some(rights))
}

fn basic(name: &str, issued: &Value, rights: Rights) -> Caller {
    let pair = format!("{}:{}", text(issued, "username"), text(issued, "password"));
    let value = format!("Basic {}", BASE64.encode(pair));
    Caller::new(name, ("authorization", &value), Some(rights))
}

async fn keys(root: &Client) -> Vec<Caller> {
    let mut all = vec![
        Caller::new("root", ("x-apikey", ROOT), Some(Rights::full())),
        key(root, "nothing", json!({}), Rights::default()).await,
        key(root, "admin", json!({"admin": true}), Rights::full()).await,
    ];
    for action in STAR {
        let grant = json!({"collections": {"orders": [action]}});
        all.push(key(root, &format!("{action} alone"), grant, Rights::orders(&[action])).await);
    }
    let grant = json!({"collections": {"orders": ["*"]}});
    all.push(key(root, "all of orders", grant, Rights::orders(&STAR)).await);
    let grant = json!({"collections": {"elsewhere": ["*", "admin"]}});
    let elsewhere = STAR.into_iter().collect();
    let rights = Rights { elsewhere, ..Rights::default() };
    all.push(key(root, "all of elsewhere", grant, rights.clone()).await);
    let grant = json!({"collections": {"orders": [], "*": ["*"]}});
    let rights = Rights { others: STAR.into_iter().collect(), ..rights };
    all.push(key(root, "all but orders", grant, rights).await);
    for acl in ["index", "get", "search", "settings", "stream", "bulk", "delete", "analytics"] {
        let rights = Rights { acls: Some(vec![acl]), ..Rights::every(&STAR) };
        all.push(key(root, &format!("acl {acl}"), json!({"acls": [acl]}), rights).await);
    }
    let reads = ["read", "search", "subscribe"];
    all.push(key(root, "type read", json!({"type": "read"}), Rights::every(&reads)).await);
    let writes = ["create", "update", "delete", "bulk", "settings", "publish"];
    all.push(key(root, "type write", json!({"type": "write"}), Rights::every(&writes)).await);
    all.extend(narrowed(root).await);
    let body = json!({"kind": "basic", "grant": {"collections": {"orders": ["read"]}}});
    all.push(basic("basic", &issue(root, body).await, Rights::orders(&["read"])));
    let body = json!({"kind": "basic", "grant": {"admin": true}});
    all.push(basic("basic admin", &issue(root, body).await, Rights::full()));
    let parameter = issue(root, json!({"grant": {"collections": {"orders": ["read"]}}})).await;
    all.push(Caller {
        name: "a parameter".to_owned(),
        headers: Vec::new(),
        parameter: Some(("apikey", text(&parameter, "key"))),
        rights: Some(Rights::orders(&["read"])),
    });
    all
}

/// Keys that allow everything, of some requests.
async fn narrowed(root: &Client) -> Vec<Caller> {
    let mut all = Vec::new();
    let star = || json!({"*": ["*"]});
    let body = json!({"kind": "web", "grant": {"collections": star(), "origins": [SHOP]}});
    let web = text(&issue(root, body).await, "key");
    let every = Rights { is_secret: true, ..Rights::every(&STAR) };
    let web = Caller::new("web", ("x-apikey", &web), Some(every.clone()));
    all.push(Caller { name: "web, its origin".into(), ..web.clone().with("origin", SHOP) });
    let never = Rights { covers: |_, _| false, ..every.clone() };
    let foreign = Caller { rights: Some(never.clone()), ..web.clone().with("origin", EVIL) };
    all.push(Caller { name: "web, another origin".into(), ..foreign.clone() });
    let null = Caller { rights: Some(never.clone()), ..web.clone().with("origin", "null") };
    all.push(Caller { name: "web, origin null".into(), ..null });
    all.push(web);
    let methods: [(&str, Covers); 3] = [
        ("GET", |method, _| method == "GET"),
        ("POST", |method, _| method == "POST"),
        ("DELETE", |method, _| method == "DELETE"),
    ];
    for (method, covers) in methods {
        let grant = json!({"collections": star(), "methods": [method]});
        let rights = Rights { covers, ..every.clone() };
        all.push(key(root, &format!("method {method}"), grant, rights).await);
    }
    let grant = json!({"paths": ["/v1/tokens"]});
    let rights = Rights { covers: |_, path| path == "/v1/tokens", ..every.clone() };
    all.push(key(root, "path of tokens", grant, rights).await);
    let grant = json!({"paths": ["/v1/collections/orders/**"]});
    let covers = |_: &str, path: &str| path.starts_with("/v1/collections/{collection}");
    let rights = Rights { covers, ..every.clone() };
    all.push(key(root, "paths of orders", grant, rights).await);
    let grant = json!({"paths": ["/v1/*"], "admin": true});
    let covers = |_: &str, path: &str| path.starts_with("/v1/") && path.matches('/').count() == 2;
    let rights = Rights { covers, ..Rights::full() };
    all.push(key(root, "admin of short paths", grant, rights).await);
    let grant = json!({"collections": star(), "networks": ["10.0.0.0/8"]});
    all.push(key(root, "another network", grant, never.clone()).await);
    let grant = json!({"collections": star(), "networks": ["127.0.0.0/8", "::1"]});
    all.push(key(root, "this network", grant, every.clone()).await);
    let grant = json!({"collections": star(), "referers": ["https://shop.example/*"]});
    let referer = key(root, "no referer", grant, never).await;
    let page = Caller { rights: Some(every), ..referer.clone() };
    let page = page.with("referer", "https://shop.example/page");
    all.push(Caller { name: "its referer".into(), ..page });
    all.push(referer);
    all
}

/// Tokens made of those that may make one.
async fn tokens(root: &Client, keys: &[Caller]) -> Vec<Caller> {
    let nobody = root.without_key();
    let mut all = Vec::new();
    for caller in keys {
        let rights = caller.rights.clone().unwrap();
        if !(rights.covers)("POST", "/v1/tokens") || caller.parameter.is_some() {
            continue;
        }
        let mut request = nobody.request("POST", "/v1/tokens");
        for (name, value) in &caller.headers {
            request = request.header(*name, value);
        }
        let token = text(&nobody.send(request).await.expect(200).body, "token");
        let mut headers = vec![("authorization", format!("Bearer {token}"))];
        headers.extend(caller.headers[1..].iter().cloned());
        all.push(Caller {
            name: format!("token of {}", caller.name),
            headers,
            parameter: None,
            rights: Some(Rights { is_secret: false, ..rights }),
        });
    }
    // A token is bound as its key is.
    let web = all.iter().find(|caller| caller.name == "token of web").unwrap().clone();
    let never = Rights { covers: |_, _| false, ..web.rights.clone().unwrap() };
    let foreign = Caller { rights: Some(never), ..web.with("origin", EVIL) };
    all.push(Caller { name: "token of web, another origin".into(), ..foreign });
    all
}

/// What opens nothing.
async fn dead(root: &Client) -> Vec<Caller> {
    let mut all = vec![
        Caller { name: "nobody".into(), headers: vec![], parameter: None, rights: None },
        Caller::new("unknown", ("x-apikey", "hw_unknown"), None),
        Caller::new("empty", ("x-apikey", ""), None),
        Caller::new("unknown name", ("authorization", "Basic bmFtZTpwYXNz"), None),
        Caller::new("unknown bearer", ("authorization", "Bearer a.b.c"), None),
        Caller::new("unknown cookie", ("cookie", "__Host-hw_session=hw_x"), None),
    ];
    let admin = json!({"grant": {"admin": true}});
    let revoked = issue(root, admin.clone()).await;
    let token = token_of(root, &text(&revoked, "key")).await;
    root.delete(&format!("/v1/credentials/{}", text(&revoked, "id"))).await.expect(200);
    all.push(Caller::new("revoked", ("x-apikey", &text(&revoked, "key")), None));
    all.push(Caller::new("token of revoked", ("authorization", &token), None));
    let rotated = issue(root, admin).await;
    let token = token_of(root, &text(&rotated, "key")).await;
    let rotate = format!("/v1/credentials/{}/rotate", text(&rotated, "id"));
    root.send(root.request("POST", &rotate)).await.expect(200);
    all.push(Caller::new("rotated", ("x-apikey", &text(&rotated, "key")), None));
    all.push(Caller::new("token of rotated", ("authorization", &token), None));
    let expired = issue(root, json!({"grant": {"admin": true}})).await;
    let token = token_of(root, &text(&expired, "key")).await;
    let path = format!("/v1/credentials/{}", text(&expired, "id"));
    root.patch(&path, &json!({"ttl_seconds": 1})).await.expect(200);
    let client = root.with_key(&text(&expired, "key"));
    eventually("the end of the key", async || {
        (client.get("/v1/collections").await.status == 401).then_some(())
    })
    .await;
    all.push(Caller::new("expired", ("x-apikey", &text(&expired, "key")), None));
    all.push(Caller::new("token of expired", ("authorization", &token), None));
    all
}

async fn token_of(root: &Client, key: &str) -> String {
    let client = root.with_key(key);
    let made = client.send(client.request("POST", "/v1/tokens")).await.expect(200);
    format!("Bearer {}", text(&made.body, "token"))
}

/// Users of several sorts, by all that they can present.
async fn people(root: &Client) -> Vec<Caller> {
    let clerk = json!({"collections": {"orders": {"read": true, "create": true}}});
    root.put("/v1/roles/clerk", &clerk).await.expect(201);
    root.put("/v1/roles/boss", &json!({"admin": true})).await.expect(201);
    let mut all = Vec::new();
    let rights = Rights {
        is_user: true,
        is_secret: false,
        ..Rights::orders(&["read", "search", "subscribe", "create", "bulk"])
    };
    let none = Rights { orders: Default::default(), ..rights.clone() };
    let boss = Rights { full: true, ..none.clone() };
    for (role, rights) in [(Some("clerk"), rights), (None, none), (Some("boss"), boss)] {
        let name = role.unwrap_or("without role");
        all.extend(user(root, name, role, rights).await);
    }
    all
}

async fn user(root: &Client, name: &str, role: Option<&str>, rights: Rights) -> Vec<Caller> {
    let email = format!("{}@example.com", name.replace(' ', "."));
    let roles: Vec<&str> = role.into_iter().collect();
    let body = json!({"email": email, "password": PASSWORD, "roles": roles});
    root.post("/v1/users", &body).await.expect(201);
    let nobody = root.without_key();
    let login = json!({"email": email, "password": PASSWORD});
    let begun = nobody.post("/v1/sessions", &login).await.expect(201);
    let access = format!("Bearer {}", text(&begun.body, "access_token"));
    let refresh = format!("Bearer {}", text(&begun.body, "refresh_token"));
    let cookie = begun.header("set-cookie").split(';').next().unwrap().to_owned();
    let reset = root.post("/v1/users/reset", &json!({"email": email})).await.expect(202);
    let reset = format!("Bearer {}", text(&reset.body, "token"));
    let issue = nobody.request("POST", "/v1/users/me/keys").header("authorization", &access);
    let key = text(&nobody.send(issue).await.expect(201).body, "key");
    let named = |what: &str| format!("{name}: {what}");
    // A page of another origin reads with the cookie, changes nothing, and opens no WebSocket.
    let covers = |method: &str, path: &str| method == "GET" && path != "/v1/ws";
    let foreign = Rights { covers, ..rights.clone() };
    let header = ("cookie", cookie.as_str());
    let by_key = Rights { is_secret: true, ..rights.clone() };
    vec![
        Caller::new(&named("access"), ("authorization", &access), Some(rights.clone())),
        Caller::new(&named("cookie"), header, Some(rights)),
        Caller::new(&named("foreign cookie"), header, Some(foreign)).with("origin", EVIL),
        Caller::new(&named("key"), ("x-apikey", &key), Some(by_key)),
        Caller::new(&named("refresh"), ("authorization", &refresh), None),
        Caller::new(&named("reset"), ("authorization", &reset), None),
    ]
}
