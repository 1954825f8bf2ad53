//! Requests as real clients sent them, byte for byte, each on a connection of its own; and several on one.
//!
//! `tests/clients/restdb/requests` has the bytes and what they must be answered, written from RestDB's documents. Only the
//! key of the recording is replaced, which is never in a body.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::pattern::difference;
use crate::harness::wire::Wire;
use crate::harness::{Client, ROOT, Server};

/// The key of all recordings: that of the vendor's samples.
const RECORDED_KEY: &str = "560bd47058e7ab1b2648f4e7";
/// What a test of another file looks at: streams.
const STREAMS: &str = "curl-realtime";

/// One request and its answer.
pub(super) struct Recorded {
    pub(super) name: String,
    pub(super) bytes: String,
    pub(super) expected: Value,
}

impl Recorded {
    /// A request of a client.
    pub(super) fn read(client: &str, name: &str) -> Self {
        let dir = folder().join(client);
        let read = |path: PathBuf| std::fs::read_to_string(path).ok();
        let bytes = read(dir.join(format!("{name}.http")));
        let bytes = bytes.unwrap_or_else(|| panic!("{client} has no {name}"));
        let expected = read(dir.join(format!("{name}.expect.json")))
            .or_else(|| read(folder().join(format!("expect/{name}.json"))));
        let expected = expected.unwrap_or_else(|| panic!("{client}/{name}: nothing is expected"));
        Self {
            name: format!("{client}/{name}"),
            bytes: bytes.replace(RECORDED_KEY, ROOT),
            expected: serde_json::from_str(&expected).unwrap(),
        }
    }

    /// All of a client.
    fn all(client: &str) -> Vec<Self> {
        let mut names = entries(&folder().join(client));
        names.retain(|name| Path::new(name).extension().is_some_and(|ending| ending == "http"));
        names.iter().map(|name| Self::read(client, name.trim_end_matches(".http"))).collect()
    }

    fn header(&self, name: &str) -> Option<&str> {
        header(self.bytes.split_once("\r\n\r\n")?.0, name)
    }

    /// Whether the connection ends with this request.
    fn is_last(&self) -> bool {
        self.bytes.lines().next().is_some_and(|line| line.ends_with("HTTP/1.0"))
            || self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// What is wrong with an answer; `None`: nothing.
    pub(super) fn wrong(&self, reply: &Reply) -> Option<String> {
        let expected = &self.expected;
        if expected["status"] != reply.status {
            return Some(format!("the status is {}: {}", reply.status, reply.body));
        }
        if let Some(wrong) = self.wrong_for_pages(reply) {
            return Some(wrong);
        }
        if expected["body"].is_null() {
            return (!reply.body.is_empty()).then(|| format!("it has a body: {}", reply.body));
        }
        let kind = reply.header("content-type");
        if !["application/json", "application/json; charset=utf-8"].contains(&kind) {
            return Some(format!("the content type is `{kind}`"));
        }
        let Ok(body) = serde_json::from_str::<Value>(&reply.body) else {
            return Some(format!("it is no JSON: {}", reply.body));
        };
        let pagination = reply.header("x-pagination");
        if !pagination.is_empty() && serde_json::from_str::<Value>(pagination).is_err() {
            return Some(format!("X-Pagination is no JSON: {pagination}"));
        }
        difference(&expected["body"], &body).map(|wrong| format!("{wrong}\nin {body}"))
    }

    /// What keeps a page of another origin from reading it, where the request has one.
    fn wrong_for_pages(&self, reply: &Reply) -> Option<String> {
        let origin = self.header("origin")?;
        let mut wanted = vec![
            ("access-control-allow-origin", origin.to_owned()),
            ("access-control-allow-credentials", "true".to_owned()),
            ("vary", "origin".to_owned()),
        ];
        if !self.bytes.starts_with("OPTIONS ") {
            wanted.push(("access-control-expose-headers", "x-pagination".to_owned()));
        }
        for (name, values) in self.expected["headers"].as_object().into_iter().flatten() {
            let values = values.as_array().unwrap().iter();
            wanted.extend(values.map(|value| (name.as_str(), value.as_str().unwrap().to_owned())));
        }
        let is_there = |(name, value): &(&str, String)| {
            let mut parts = reply.header(name).split(',');
            parts.any(|part| part.trim().eq_ignore_ascii_case(value))
        };
        let missing = wanted.iter().find(|one| !is_there(one))?;
        Some(format!("{} has no {}: {}", missing.0, missing.1, reply.head))
    }
}

/// An answer as it came.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Reply {
    /// The next one of a connection, but for the body.
    pub(super) async fn head(wire: &mut Wire) -> Self {
        let head = wire.until("\r\n\r\n").await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: String::new() }
    }

    /// The next one of a connection.
    pub(super) async fn read(wire: &mut Wire) -> Self {
        let mut reply = Self::head(wire).await;
        if reply.status != 204 {
            let length: usize = reply.header("content-length").parse().unwrap();
            while wire.read.len() < length {
                assert!(wire.more().await, "closed within a body");
            }
            reply.body = String::from_utf8(wire.read.drain(..length).collect()).unwrap();
        }
        reply
    }

    pub(super) fn header(&self, name: &str) -> &str {
        header(&self.head, name).unwrap_or_default()
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/restdb/requests")
}

/// The names in a directory, in their order.
fn entries(dir: &Path) -> Vec<String> {
    let found = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> =
        found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The clients that were recorded.
fn clients() -> Vec<String> {
    let mut clients = entries(&folder());
    clients.retain(|name| !name.starts_with('.') && name != "expect");
    clients
}

/// The collection of the vendor's samples, as every request finds it.
pub(super) async fn prepare(root: &Client) {
    let bikes = json!([
        {"_id": "557eb5ed345a1b27000005e7", "Model": "180 Super Sport", "Year": 2015},
        {"_id": "557eb5ed345a1b27000005ef", "Model": "50 S", "Year": 1998},
    ]);
    let emptied = root.delete("/rest/motorbikes/*?q=%7B%7D").await;
    assert!([200, 404].contains(&emptied.status), "{}", emptied.text);
    root.post("/rest/motorbikes", &bikes).await.expect(201);
}

/// Sends one over a connection of its own; what is wrong.
async fn exchange(server: &Server, root: &Client, request: &Recorded) -> Option<String> {
    prepare(root).await;
    let mut wire = Wire::open(server).await;
    wire.send(&request.bytes).await;
    let reply = Reply::read(&mut wire).await;
    if request.is_last() {
        wire.end().await;
    }
    let left = root.get("/rest/motorbikes").await;
    let after = &request.expected["after"];
    let wrong = || Some(format!("after it: {}", difference(after, &left.body)?));
    request.wrong(&reply).or_else(|| if after.is_null() { None } else { wrong() })
}

#[tokio::test]
async fn every_recorded_request_is_answered_as_documented() {
    let server = Server::start();
    let root = server.client();
    let (mut count, mut wrong) = (0, Vec::new());
    for client in clients().iter().filter(|client| *client != STREAMS) {
        for request in Recorded::all(client) {
            count += 1;
            let found = exchange(&server, &root, &request).await;
            wrong.extend(found.map(|found| format!("{}: {found}", request.name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 130, "only {count} are there");
}

/// What follows each other on one connection; it ends with two documents, of which one was created.
const SEQUENCE: [(&str, &str); 8] = [
    ("php", "find-raw"),
    ("curl", "create"),
    ("java", "put"),
    ("node", "create-no-length"),
    ("guzzle", "patch"),
    ("python", "delete"),
    ("jquery", "list-preflight"),
    ("curl", "wrong-key"),
];

#[tokio::test]
async fn requests_of_several_clients_share_a_connection() {
    let server = Server::start();
    let root = server.client();
    let requests = SEQUENCE.map(|(client, name)| Recorded::read(client, name));
    let all: String = requests.iter().map(|request| request.bytes.as_str()).collect();
    // One after the other, and all at once.
    for is_at_once in [false, true] {
        prepare(&root).await;
        let mut wire = Wire::open(&server).await;
        if is_at_once {
            wire.send(&all).await;
        }
        for request in &requests {
            if !is_at_once {
                wire.send(&request.bytes).await;
            }
            let reply = Reply::read(&mut wire).await;
            // What was changed before is in the answer to the later change.
            let is_changed = request.name == "guzzle/patch";
            assert_eq!(
                request.expected["status"], reply.status,
                "{}: {}",
                request.name, reply.body
            );
            assert!(!is_changed || reply.body.contains(r#""Year":2016"#), "{}", reply.body);
            let wrong = if is_changed { None } else { request.wrong(&reply) };
            assert_eq!(wrong, None, "{}", request.name);
        }
        assert!(wire.read.is_empty());
        let left = root.get("/rest/motorbikes").await.expect(200).body;
        let bike = json!({"_id": "557eb5ed345a1b27000005e7", "Model": "180 Super Sport",
            "Year": 2016, "Color": "red"});
        let new = json!({"_id": "$id", "Model": "Scrambler", "Year": 1971});
        assert_eq!(difference(&json!([bike, new, new]), &left), None);
    }
}
