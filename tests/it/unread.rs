//! Requests that are refused by their heads, while their bodies are still on the way.

use std::process::Command;

use crate::harness::Server;
use crate::harness::wire::Wire;

const REFUSED: &str = "POST /v1/collections/c/documents HTTP/1.1\r\nhost: h\r\n\
                       content-type: application/json\r\ncontent-length: 100000\r\n\r\n";

#[tokio::test]
async fn a_connection_goes_on_after_a_refusal_that_read_no_body() {
    let server = Server::start();
    let mut wire = Wire::open(&server).await;
    for _ in 0..5 {
        wire.send(REFUSED).await;
        // More than a read of a head takes in at once.
        wire.send(&" ".repeat(100_000)).await;
        let head = wire.until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
        wire.until("\"}}").await;
    }
}

#[tokio::test]
async fn curl_is_told_why_it_is_refused_over_http2() {
    let mut server = Server::start();
    server.encrypt();
    let url = format!("{}/v1/collections/c/documents", server.url());
    // The body comes behind the head, in time and in frames.
    let flags = ["--silent", "--insecure", "--http2", "--output", "/dev/null"];
    let told = ["--write-out", "%{http_version} %{http_code}"];
    for round in 0..30 {
        let body = "x".repeat(if round % 2 == 0 { 2 } else { 50_000 });
        let sent = ["--header", "content-type: application/json", "--data", &body];
        let curl = Command::new("curl").args(flags).args(told).args(sent).arg(&url).output();
        let curl = curl.unwrap();
        assert!(curl.status.success(), "{round}: {curl:?}");
        assert_eq!(String::from_utf8_lossy(&curl.stdout), "2 401", "{round}");
    }
}
