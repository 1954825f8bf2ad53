//! Requests that are refused by their heads, while their bodies are still on the way.

use std::process::Command;

use crate::harness::wire::Wire;
use crate::harness::{Server, text};

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
async fn a_connection_that_ends_after_a_refusal_says_so() {
    let server = Server::start();
    let large = REFUSED.replace("100000", "50000000");
    let waiting = REFUSED.replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
    // Too large to take in, not asked for, and never sent.
    for request in [large.as_str(), &waiting, REFUSED] {
        let mut wire = Wire::open(&server).await;
        wire.send(request).await;
        let head = wire.until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
        assert!(head.to_ascii_lowercase().contains("\r\nconnection: close\r\n"), "{head}");
        while wire.more().await {}
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
        let body = server.file("body");
        std::fs::write(&body, "x".repeat([2, 50_000, 3_000_000][round % 3])).unwrap();
        let body = format!("@{}", text(&body));
        let sent = ["--header", "content-type: application/json", "--data-binary", &body];
        let curl = Command::new("curl").args(flags).args(told).args(sent).arg(&url).output();
        let curl = curl.unwrap();
        assert!(curl.status.success(), "{round}: {curl:?}");
        assert_eq!(String::from_utf8_lossy(&curl.stdout), "2 401", "{round}");
    }
}
