//! What the requests are about: things that are there, and are made again when a request took them away.

use serde_json::{Value, json};

use super::{Route, text};
use crate::harness::{Client, Receiver};

const DOCUMENT: &str = "/v1/collections/orders/documents/spare";
const INDEX: &str = "/v1/collections/orders/indexes/spare";
const PASSWORD: &str = "the password of the spare user";

/// Things to ask about.
pub(super) struct Fixture {
    receiver: Receiver,
    credential: String,
    user: String,
    email: String,
    session: String,
    key: String,
    webhook: String,
    made: usize,
}

impl Fixture {
    /// Makes everything.
    pub(super) async fn new(root: &Client) -> Self {
        let mut fixture = Self {
            receiver: Receiver::start(),
            credential: String::new(),
            user: String::new(),
            email: String::new(),
            session: String::new(),
            key: String::new(),
            webhook: String::new(),
            made: 0,
        };
        fixture.document(root).await;
        fixture.credential(root).await;
        fixture.user(root).await;
        fixture.webhook(root).await;
        for (family, body) in named() {
            root.put(&format!("/v1/{family}/spare"), &body).await.expect(201);
        }
        fixture
    }

    async fn document(&self, root: &Client) {
        root.put(&format!("{DOCUMENT}?upsert=true"), &json!({"n": 1})).await;
        root.put(INDEX, &json!({"keys": {"n": 1}})).await;
    }

    async fn credential(&mut self, root: &Client) {
        let made = root.post("/v1/credentials", &json!({"label": "spare"})).await.expect(201);
        self.credential = text(&made.body, "id");
    }

    async fn user(&mut self, root: &Client) {
        self.made += 1;
        self.email = format!("spare{}@example.com", self.made);
        let body = json!({"email": self.email, "password": PASSWORD});
        self.user = text(&root.post("/v1/users", &body).await.expect(201).body, "id");
        self.session(root).await;
        self.key(root).await;
    }

    async fn session(&mut self, root: &Client) {
        let body = json!({"email": self.email, "password": PASSWORD});
        root.without_key().post("/v1/sessions", &body).await.expect(201);
        let page = root.get(&format!("/v1/sessions?user={}", self.user)).await.expect(200);
        self.session = text(&page.list("sessions")[0], "id");
    }

    async fn key(&mut self, root: &Client) {
        let path = format!("/v1/users/{}/keys", self.user);
        self.key = text(&root.post(&path, &json!({})).await.expect(201).body, "id");
    }

    async fn webhook(&mut self, root: &Client) {
        let body = json!({"url": self.receiver.url("/"), "collections": ["orders"]});
        self.webhook = text(&root.post("/v1/webhooks", &body).await.expect(201).body, "id");
    }

    /// Makes again what a request took away.
    pub(super) async fn mend(&mut self, root: &Client, route: &Route) {
        if route.method == "GET" || route.path.ends_with("/query") {
            return;
        }
        let deletes = route.method == "DELETE";
        match route.path.as_str() {
            path if path.starts_with("/v1/collections")
                || path.starts_with("/rest/")
                || path == "/v1/admin/erase" =>
            {
                self.document(root).await;
            }
            "/v1/credentials/{id}" if deletes => self.credential(root).await,
            "/v1/users/{id}" if deletes => self.user(root).await,
            "/v1/users/{id}/keys/{key}" if deletes => self.key(root).await,
            "/v1/sessions/{id}" if deletes => self.session(root).await,
            "/v1/webhooks/{id}" if deletes => self.webhook(root).await,
            _ if deletes => {
                for (family, body) in named() {
                    root.put(&format!("/v1/{family}/spare"), &body).await;
                }
            }
            _ => {}
        }
    }

    /// The path of a route with its parameters filled in.
    pub(super) fn path(&self, route: &Route) -> String {
        let path = &route.path;
        let id = match path.split('/').nth(2).unwrap_or_default() {
            "collections" => "spare",
            _ if is_restdb(route) => "spare",
            "credentials" => &self.credential,
            "users" => &self.user,
            "sessions" => &self.session,
            "webhooks" => &self.webhook,
            // Jobs and replays that are not there.
            _ => "1",
        };
        let filled = path
            .replace("{collection}", "orders")
            .replace("{id}", id)
            .replace("{name}", "spare")
            .replace("{field}", "spare")
            .replace("{child}", "spare")
            .replace("{key}", &self.key)
            .replace("{delivery}", "1")
            .replace("{replay}", "1");
        assert!(!filled.contains('{'), "a parameter that the test does not know: {path}");
        match (route.method.as_str(), path.as_str()) {
            // Who is let in is told what is wrong; a stream would not end.
            ("GET", "/v1/live/{collection}") => format!("{filled}?limit=0"),
            ("GET", "/v1/events") => format!("{filled}?collections=orders&limit=1"),
            ("GET", "/realtime") => format!("{filled}?lastEventId=x"),
            _ => filled,
        }
    }

    /// The body of a route's request.
    pub(super) fn body(&self, route: &Route) -> Option<Value> {
        let empty = json!({});
        let body = match (route.method.as_str(), route.path.as_str()) {
            ("GET" | "DELETE", _) => return None,
            (_, "/rest/_meta") => json!({"collections": []}),
            (_, path) if path.starts_with("/rest/") => json!({"n": 1}),
            ("PUT", path) if path.contains("/indexes/") => json!({"keys": {"n": 1}}),
            ("PUT", path) if path.contains("/documents/") => json!({"n": 2}),
            ("PUT", "/v1/collections/{collection}") => json!({"fields": {"n": {"type": "number"}}}),
            ("PUT", path) => {
                let family = path.trim_start_matches("/v1/").trim_end_matches("/{name}");
                let of = named().into_iter().find(|(name, _)| *name == family);
                of.unwrap_or_else(|| panic!("a body that the test does not know: {path}")).1
            }
            (_, "/v1/transactions") => {
                let create = json!({"op": "create", "collection": "orders", "document": {"n": 1}});
                json!({"operations": [create]})
            }
            (_, path) if path.ends_with("/update") => {
                json!({"filter": {"_id": "spare"}, "update": {"$set": {"n": 3}}})
            }
            (_, path) if path.ends_with("/delete") => json!({"filter": {"_id": "spare"}}),
            (_, path) if path.ends_with("/aggregate") => json!({"pipeline": []}),
            (_, path) if path.ends_with("/distinct") => json!({"field": "n"}),
            (_, path) if path.ends_with("/documents") => json!({"n": 1}),
            ("POST", "/v1/events" | "/realtime") => json!({"event": "answer", "data": 1}),
            ("POST", "/v1/webhooks") => {
                json!({"url": self.receiver.url("/"), "collections": ["orders"], "active": false})
            }
            (_, "/v1/webhooks/{id}/replay") => json!({"from": 0, "dry_run": true}),
            (_, "/v1/admin/replay") => {
                json!({"webhook": self.webhook, "from": 0, "dry_run": true})
            }
            (_, "/v1/admin/erase") => json!({"collection": "orders", "id": "spare"}),
            (_, "/v1/users/reset") => json!({"email": "nobody@example.com"}),
            _ => empty,
        };
        Some(body)
    }
}

/// Whether a route is of RestDB's face.
pub(super) fn is_restdb(route: &Route) -> bool {
    let beside = route.path.starts_with("/auth/") || route.path == "/realtime";
    beside || route.path.starts_with("/rest/")
}

/// Documents that have names, by their family.
fn named() -> [(&'static str, Value); 3] {
    let provider = json!({"algorithms": ["HS256"], "secret": "the secret of a spare provider"});
    [
        ("roles", json!({"collections": {"orders": {"read": true}}})),
        ("auth/providers", provider),
        ("values", json!({"value": 1})),
    ]
}
