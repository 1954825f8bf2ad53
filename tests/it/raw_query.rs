//! Raw JSON in query strings, as clients send it that encode nothing: over sockets of our own, by curl and by Node.

use std::process::Command;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::harness::wire::{RETRY, Wire, follow, request};
use crate::harness::{ROOT, Server, Socket, text};

const DOCUMENTS: &str = "/v1/collections/c/documents";
/// Finds one of the documents.
const FILTER: &str = r#"filter={"a":"b<c>"}"#;

fn find() -> String {
    request("GET", &format!("{DOCUMENTS}?{FILTER}"), "1.1", "")
}

/// A request whose body looks like one to be changed, and is another's document.
fn write(id: &str) -> String {
    let decoy = find().replace('"', "\\\"").replace("\r\n", "\\r\\n");
    let body = format!(r#"{{"_id":"{id}","a":"b<c>","decoy":"{decoy}"}}"#);
    let length = body.len();
    let more = format!("content-type: application/json\r\ncontent-length: {length}\r\n");
    request("POST", DOCUMENTS, "1.1", &more) + &body
}

/// The next answer: its status and its body.
async fn answer(wire: &mut Wire) -> (String, Value) {
    let head = wire.until("\r\n\r\n").await.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let length: usize = length.parse().unwrap();
    while wire.read.len() < length {
        assert!(wire.more().await, "closed within a body");
    }
    let body: Vec<u8> = wire.read.drain(..length).collect();
    let status = head.split(' ').nth(1).unwrap().to_owned();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn ids(page: &Value) -> Vec<&str> {
    let documents = page["documents"].as_array().unwrap_or_else(|| panic!("no page: {page}"));
    documents.iter().map(|document| document["_id"].as_str().unwrap()).collect()
}

/// Finds nothing, writes, finds it, writes, finds both.
async fn converse(wire: &mut Wire) {
    let (mut found, mut written) = (Vec::new(), 0);
    for _ in 0..3 {
        let (status, page) = answer(wire).await;
        assert_eq!(status, "200", "{page}");
        found.push(ids(&page).len());
        if written < 2 {
            written += 1;
            assert_eq!(answer(wire).await.0, "201");
        }
    }
    assert_eq!(found, [0, 1, 2]);
}

#[tokio::test]
async fn raw_filters_with_bodies_between_them_on_one_connection() {
    let all = [find(), write("1"), find(), write("2"), find()];
    // One after the other, all at once, and byte by byte.
    let server = Server::start();
    let mut wire = Wire::open(&server).await;
    for (at, request) in all.iter().enumerate() {
        wire.send(request).await;
        let (status, body) = answer(&mut wire).await;
        assert_eq!(status, ["200", "201"][at % 2], "{body}");
    }
    let stored = server.client().get(&format!("{DOCUMENTS}/1")).await.expect(200);
    assert_eq!(stored.body["decoy"], json!(find()), "bodies stay as they are");
    let server = Server::start();
    let mut wire = Wire::open(&server).await;
    wire.send(&all.concat()).await;
    converse(&mut wire).await;
    let server = Server::start();
    let mut wire = Wire::open(&server).await;
    wire.socket.set_nodelay(true).unwrap();
    for byte in all.concat().bytes() {
        wire.socket.write_all(&[byte]).await.unwrap();
    }
    converse(&mut wire).await;
}

#[tokio::test]
async fn chunks_and_what_only_looks_like_a_request_within_them() {
    let server = Server::start();
    let mut wire = Wire::open(&server).await;
    let (_, body) =
        write("1").split_once("\r\n\r\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let (one, two) = body.split_at(30);
    let chunk = |text: &str| format!("{:x};x=\"y\"\r\n{text}\r\n", text.len());
    let more = "content-type: application/json\r\ntransfer-encoding: chunked\r\n";
    let head = request("POST", DOCUMENTS, "1.1", more);
    wire.send(&format!("{head}{}{}0\r\nx: \"\r\n\r\n{}", chunk(one), chunk(two), find())).await;
    assert_eq!(answer(&mut wire).await.0, "201");
    let (_, page) = answer(&mut wire).await;
    assert_eq!(ids(&page), ["1"]);
    assert_eq!(page["documents"][0]["decoy"], json!(find()));
}

#[tokio::test]
async fn a_raw_space_and_unclear_framing_are_left_to_the_parser() {
    let server = Server::start();
    let spaced = request("GET", &format!(r#"{DOCUMENTS}?filter={{"a": "b"}}"#), "1.1", "");
    let mut wire = Wire::open(&server).await;
    wire.send(&spaced).await;
    assert_eq!(answer(&mut wire).await.0, "400");
    wire.end().await;
    // Two lengths of the same value are taken by the parser; what follows is nobody's to change.
    let twice = request("GET", "/healthz", "1.1", "content-length: 0\r\ncontent-length: 0\r\n");
    let mut wire = Wire::open(&server).await;
    wire.send(&(twice + &find())).await;
    assert_eq!(answer(&mut wire).await.0, "200");
    assert_eq!(answer(&mut wire).await.0, "400");
    wire.end().await;
}

#[tokio::test]
async fn a_stream_and_a_socket_with_raw_queries() {
    let server = Server::start();
    let mut stream = Wire::open(&server).await;
    stream.send(&find()).await;
    assert_eq!(answer(&mut stream).await.0, "200");
    stream.send(&follow(&format!("/v1/events?collections=c&{FILTER}"))).await;
    stream.until("\r\n\r\n").await;
    assert!(stream.chunk().await.starts_with(RETRY));
    let mut wire = Wire::open(&server).await;
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let subscribe =
        json!({"op": "subscribe", "ref": "\"<>", "type": "events", "collections": ["c"]});
    let subscribe = subscribe.to_string();
    // What follows at once was read ahead when the connection changes hands; the mask is nothing.
    let mut bytes = request("GET", r#"/v1/ws?note={"a":"<>"}"#, "1.1", upgrade).into_bytes();
    bytes.extend([0x81, 0x80 | u8::try_from(subscribe.len()).unwrap(), 0, 0, 0, 0]);
    bytes.extend(subscribe.bytes());
    wire.socket.write_all(&bytes).await.unwrap();
    let head = wire.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let mut socket = Socket::upgraded(wire.socket, wire.read).await;
    let subscribed = socket.next_of("\"<>").await.unwrap();
    assert_eq!(subscribed["op"], "subscribed", "{subscribed}");
    let mut wire = Wire::open(&server).await;
    wire.send(&write("1")).await;
    assert_eq!(answer(&mut wire).await.0, "201");
    assert!(stream.chunk().await.contains("event: document.created\n"));
    assert_eq!(socket.take_of("\"<>", 1).await[0].data["document"]["_id"], "1");
}

/// Asks by Node for `http.get({path})` twice on one connection, and over HTTP/2; what was found.
const NODE: &str = r#"
import http from "node:http";
import https from "node:https";
import http2 from "node:http2";
const [, , base, key, raw] = process.argv;
const url = new URL(base);
const web = url.protocol === "https:" ? https : http;
const options = { rejectUnauthorized: false };
const agent = new web.Agent({ keepAlive: true, maxSockets: 1, ...options });
const headers = { "x-apikey": key };
const get = (path) => new Promise((resolve, reject) => {
  const asked = { host: url.hostname, port: url.port, path, headers, agent };
  web.get(asked, (answer) => {
    let text = "";
    answer.on("data", (part) => (text += part));
    answer.on("end", () => resolve(`${answer.statusCode} ${text}`));
  }).on("error", reject);
});
console.log(await get(raw));
console.log(await get(raw));
agent.destroy();
const session = http2.connect(base, options);
const ask = (path) => new Promise((resolve) => {
  let [status, text] = ["", ""];
  const stream = session.request({ ":path": path, ...headers });
  stream.on("response", (answer) => (status = answer[":status"]));
  stream.on("data", (part) => (text += part));
  stream.on("end", () => resolve(`${status} ${text}`));
  stream.on("error", (error) => resolve(`${error.code}`));
});
console.log(await ask(encodeURI(raw)));
session.close();
"#;

/// What curl and Node find.
fn by_programs(server: &Server, base: &str) {
    let path = format!("{DOCUMENTS}?{FILTER}");
    let script = server.file("raw.mjs");
    std::fs::write(&script, NODE).unwrap();
    let node = Command::new("node").args([text(&script), base, ROOT, &path]).output().unwrap();
    let printed = String::from_utf8_lossy(&node.stdout).into_owned();
    assert!(node.status.success(), "{}", String::from_utf8_lossy(&node.stderr));
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 3, "{printed}");
    for line in lines {
        let page = line.strip_prefix("200 ").unwrap_or_else(|| panic!("{printed}"));
        assert_eq!(ids(&serde_json::from_str(page).unwrap()), ["1"], "{printed}");
    }
    let url = format!("{base}{path}");
    let printed = by_curl(&url, &["--http1.1"]);
    assert_eq!(printed.matches(r#""_id":"1""#).count(), 2, "{printed}");
}

/// What curl finds that asks twice on one connection.
fn by_curl(url: &str, more: &[&str]) -> String {
    let key = format!("x-apikey: {ROOT}");
    let flags = ["--silent", "--show-error", "--insecure", "--globoff", "-H", &key];
    let curl = Command::new("curl").args(flags).args(more).args([url, url]).output().unwrap();
    assert!(curl.status.success(), "{}", String::from_utf8_lossy(&curl.stderr));
    String::from_utf8_lossy(&curl.stdout).into_owned()
}

#[tokio::test]
async fn curl_and_node_send_raw_filters() {
    let server = Server::start();
    server.client().post(DOCUMENTS, &json!({"_id": "1", "a": "b<c>"})).await.expect(201);
    by_programs(&server, &server.url());
}

#[tokio::test]
async fn curl_and_node_send_raw_filters_over_tls() {
    let mut server = Server::start();
    server.client().post(DOCUMENTS, &json!({"_id": "1", "a": "b<c>"})).await.expect(201);
    server.stop();
    let (cert, key) = (server.file("cert.pem"), server.file("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ])
        .args(["-days", "2", "-subj", "/CN=localhost", "-keyout", text(&key), "-out", text(&cert)])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    server.set("HEADWATER_TLS__CERT", text(&cert));
    server.set("HEADWATER_TLS__KEY", text(&key));
    server.restart();
    by_programs(&server, &server.url());
    // A client that would take HTTP/2, which has no raw quotes, is not offered it.
    server.stop();
    server.set("HEADWATER_SERVER__HTTP2_STREAMS", "0");
    server.restart();
    let printed = by_curl(&format!("{}{DOCUMENTS}?{FILTER}", server.url()), &["--http2"]);
    assert_eq!(printed.matches(r#""_id":"1""#).count(), 2, "{printed}");
}
