//! The programs and pages of `docs/realtime.md`, run as they stand against the real server.
//!
//! A block of code in the document has its file's name in its first line. Programs get server and key from the environment;
//! in pages the two constants are replaced, as a reader would.

mod live_orders;
mod pages;
mod programs;
mod sockets;
mod windows;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Client, Packages, Page, Program, Server};

const ORDERS: &str = "/v1/collections/orders/documents";

/// A program of the document under way.
pub(crate) struct Example {
    pub(crate) program: Program,
    _directory: TempDir,
}

impl Example {
    /// Starts a program of the document.
    pub(crate) fn start(server: &Server, key: &str, name: &str, arguments: &[&str]) -> Self {
        let packages = Packages::installed();
        let directory = packages.directory();
        let path = directory.path().join(name);
        std::fs::write(&path, text(name)).unwrap();
        let mut command = packages.command(&path);
        command.args(arguments).env("HEADWATER_URL", server.url()).env("HEADWATER_KEY", key);
        Self { program: Program::start(command), _directory: directory }
    }
}

/// Opens a page of the document; `after` is what follows its path in the address.
pub(crate) fn page(server: &Server, key: &str, name: &str, after: &str) -> Page {
    let mut html = text(name);
    for (constant, value) in
        [("\"http://127.0.0.1:7117\"", server.url()), ("\"hw_...\"", key.into())]
    {
        assert_eq!(html.matches(constant).count(), 1, "{name}: {constant}");
        html = html.replace(constant, &json!(value).to_string());
    }
    let path = format!("/{name}");
    Page::open(&[(&path, html)], &format!("{path}{after}"))
}

/// Makes a key for pages.
pub(crate) async fn web_key(root: &Client, mut grant: Value) -> String {
    grant["origins"] = json!(["http://127.0.0.1:*"]);
    let asked = json!({"kind": "web", "grant": grant});
    let issued = root.post("/v1/credentials", &asked).await.expect(201);
    issued.body["key"].as_str().unwrap().to_owned()
}

fn text(name: &str) -> String {
    examples().remove(name).unwrap_or_else(|| panic!("the document has no {name}"))
}

/// The blocks of code of the document, by the names in their first lines.
fn examples() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/realtime.md");
    let document = std::fs::read_to_string(path).unwrap();
    let mut examples = BTreeMap::new();
    for (number, block) in document.split("\n```").enumerate().filter(|(number, _)| number % 2 == 1)
    {
        let (language, text) = block.split_once('\n').unwrap();
        if ["text", "nginx"].contains(&language) {
            continue;
        }
        let first = text.lines().next().unwrap();
        let name = first.trim_start_matches("<!--").trim_end_matches("-->");
        let name = name.trim_start_matches(['#', '/']).trim();
        let ending = match language {
            "sh" => "sh",
            "js" => "mjs",
            "python" => "py",
            "html" => "html",
            _ => panic!("block {number}: what runs {language}?"),
        };
        assert!(name.ends_with(&format!(".{ending}")), "block {number} begins with {first}");
        let again = examples.insert(name.to_owned(), format!("{text}\n"));
        assert!(again.is_none(), "two blocks are {name}");
    }
    examples
}

#[test]
fn every_example_of_the_document_is_run_by_a_test() {
    let names: Vec<String> = examples().into_keys().collect();
    let tests = [
        include_str!("realtime/pages.rs"),
        include_str!("realtime/programs.rs"),
        include_str!("realtime/sockets.rs"),
        include_str!("realtime/windows.rs"),
    ]
    .concat();
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        assert!(tests.contains(&format!("\"{name}\"")), "no test runs {name}");
    }
}

/// Creates an order; its position.
async fn create(client: &Client, order: Value) -> u64 {
    client.post(ORDERS, &order).await.expect(201).position()
}

/// Changes an order; its position.
async fn change(client: &Client, id: &str, change: Value) -> u64 {
    client.patch(&format!("{ORDERS}/{id}"), &change).await.expect(200).position()
}

/// Deletes an order; its position.
async fn delete(client: &Client, id: &str) -> u64 {
    client.delete(&format!("{ORDERS}/{id}")).await.expect(200).position()
}

/// The events of some collections after a position, as lines that begin with their position and kind.
async fn logged(client: &Client, collections: &str, from: u64) -> Vec<String> {
    let path = format!("/v1/events?collections={collections}&from={from}&limit=1000");
    let page = client.get(&path).await.expect(200);
    page.list("events").iter().map(line).collect()
}

/// An event as the programs print it.
fn line(event: &Value) -> String {
    format!("{} {} {event}", event["position"], event["kind"].as_str().unwrap())
}
