//! RestDB's face: what its documents and its users' programs send, and what they expect.

mod access;
mod auth;
mod bounds;
mod children;
mod documents;
mod examples;
mod export;
mod forms;
mod generated_client;
mod groups;
mod jsapi;
mod jsapi_examples;
mod lookups;
mod meta;
mod package;
mod pages;
mod pattern;
mod private_data;
mod provider;
mod queries;
mod realtime;
mod realtime_client;
mod realtime_examples;
mod realtime_pings;
mod realtime_publish;
mod realtime_resume;
mod realtime_rights;
mod realtime_users;
mod recorded;
mod refusals;
mod sessions;
mod stage;
mod webhooks;

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Server};

/// A server with a collection of people.
struct Scene {
    /// Stops when it is dropped.
    _server: Server,
    root: Client,
}

impl Scene {
    async fn new() -> Self {
        let server = Server::start();
        let root = server.client();
        let people = json!([
            {"name": "Joe", "age": 42, "salary": 5000, "town": "Oslo", "born": "1980-05-01",
             "first-name": "Joe the Plumber"},
            {"name": "Jane", "age": 35, "salary": 7500, "town": "Bergen", "born": "1987-01-15",
             "tags": ["red", "blue"]},
            {"name": "Jack", "age": 51, "salary": 9000, "town": "Oslo",
             "born": "1972-05-20T10:30:00.000Z", "home": {"_id": "5f1f77bcf86cd79943901122"}},
        ]);
        root.post("/rest/people", &people).await.expect(201);
        Self { _server: server, root }
    }

    /// A list, its query string as it is sent by libraries.
    async fn list(&self, parameters: &[(&str, &str)]) -> Answer {
        self.root.get(&asked("/rest/people", parameters)).await
    }

    /// The names of what `q` finds, in their order.
    async fn names(&self, parameters: &[(&str, &str)]) -> Vec<String> {
        let found = self.list(parameters).await.expect(200);
        let name = |one: &Value| one["name"].as_str().unwrap_or_default().to_owned();
        found.body.as_array().unwrap().iter().map(name).collect()
    }
}

/// The password of every user.
const PASSWORD: &str = "a password of some length";

/// A user with roles, logged in; a client that sends the session's token.
async fn logged_in(root: &Client, email: &str, roles: &[&str]) -> Client {
    let user = json!({"email": email, "password": PASSWORD, "roles": roles});
    root.post("/v1/users", &user).await.expect(201);
    let begun = log_in(root, email).await;
    root.with_key(begun.body["access_token"].as_str().unwrap())
}

/// The answer to a login.
async fn log_in(root: &Client, email: &str) -> Answer {
    let login = json!({"email": email, "password": PASSWORD});
    root.without_key().post("/v1/sessions", &login).await.expect(201)
}

/// A credential that was made anew.
struct Issued {
    /// Where it is shown, changed and revoked.
    path: String,
    key: String,
}

async fn issued(root: &Client, body: Value) -> Issued {
    let issued = root.post("/v1/credentials", &body).await.expect(201).body;
    let path = format!("/v1/credentials/{}", issued["id"].as_str().unwrap());
    Issued { path, key: issued["key"].as_str().unwrap().to_owned() }
}

/// A client with a credential that is made anew.
async fn key(root: &Client, body: Value) -> Client {
    root.with_key(&issued(root, body).await.key)
}

/// A path with parameters.
fn asked(path: &str, parameters: &[(&str, &str)]) -> String {
    format!("{path}?{}", encoded(parameters))
}

/// Names and values as a form or a query string has them.
fn encoded(pairs: &[(&str, &str)]) -> String {
    let one = |(name, value): &(&str, &str)| format!("{}={}", escaped(name), escaped(value));
    pairs.iter().map(one).collect::<Vec<_>>().join("&")
}

fn escaped(text: &str) -> String {
    let each = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    });
    each.collect()
}

/// The id of a document.
fn id(document: &Value) -> &str {
    let id = document["_id"].as_str().unwrap();
    assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    id
}
