//! The guard by a table of address forms, and the transport against a receiver on loopback.

mod rebinding;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_engine::clock::SystemClock;
use headwater_engine::webhook::{DeliveryRequest, DeliveryResult, Failure, Transport, Vetted};
use ipnet::IpNet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{WebhookTransport, parse_retry_after};
use crate::outbound::guard::Guard;

/// Forms of urls that must not be reached.
const REFUSED: &str = include_str!("../../tests/fuzz/corpus/url/refused.txt");

const PUBLIC: [&str; 9] = [
    "8.8.8.8",
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.169.0.1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:800::200e",
];

fn transport(allowed: &[&str]) -> WebhookTransport {
    let allowed = allowed.iter().map(|network| network.parse::<IpNet>().unwrap()).collect();
    WebhookTransport::new(allowed, SystemClock::shared()).unwrap()
}

fn request(url: &str) -> DeliveryRequest {
    DeliveryRequest {
        url: Arc::from(url),
        headers: vec![("webhook-id".to_owned(), "msg_1".to_owned())],
        body: Bytes::from_static(b"{\"a\":1}"),
        timeout: Duration::from_secs(5),
    }
}

#[tokio::test]
async fn s8_no_form_of_a_refused_address_is_reached() {
    let transport = transport(&[]);
    assert!(REFUSED.lines().count() >= 60);
    for url in REFUSED.lines() {
        assert!(matches!(transport.vet(url).await, Err(Vetted::Refused(_))), "{url}");
        let result = transport.deliver(request(url)).await;
        assert_eq!(result.status, None, "{url}");
        assert_eq!(result.failure, Some(Failure::AddressRefused), "{url}");
        let error = result.error.unwrap();
        assert!(error.contains("allow_networks"), "{url}: {error}");
    }
}

#[tokio::test]
async fn s8_names_are_vetted_when_they_are_resolved() {
    let result = transport(&[]).deliver(request("http://localhost:1/")).await;
    assert!(result.error.unwrap().contains("allow_networks"));
    assert_eq!(result.failure, Some(Failure::AddressRefused));
    let guard = Guard::new(Vec::new());
    let address = |ip: &str| SocketAddr::new(ip.parse::<IpAddr>().unwrap(), 80);
    let found = vec![address("127.0.0.1"), address("8.8.8.8"), address("::1")];
    assert_eq!(guard.vet("rebinding.test", found).unwrap(), [address("8.8.8.8")]);
    assert!(guard.vet("rebinding.test", vec![address("10.0.0.1")]).is_err());
}

#[test]
fn s8_public_addresses_and_allowed_networks_may_be_reached() {
    let strict = Guard::new(Vec::new());
    let open = Guard::new(vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
    for ip in PUBLIC {
        assert!(strict.permits(ip.parse().unwrap()), "{ip}");
    }
    for ip in ["127.0.0.1", "::ffff:127.0.0.1", "fd00::1"] {
        assert!(open.permits(ip.parse().unwrap()), "{ip}");
        assert!(!strict.permits(ip.parse().unwrap()), "{ip}");
    }
    assert!(!open.permits("10.0.0.1".parse().unwrap()));
}

/// Answers one connection with `answer` and gives what was sent.
async fn exchange(answer: Vec<u8>) -> (DeliveryResult, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let receiver = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut sent = Vec::new();
        let mut buffer = [0; 4096];
        while !sent.ends_with(b"{\"a\":1}") {
            let read = socket.read(&mut buffer).await.unwrap();
            sent.extend_from_slice(&buffer[..read]);
        }
        // The other side may stop reading.
        drop(socket.write_all(&answer).await);
        String::from_utf8(sent).unwrap()
    };
    let transport = transport(&["127.0.0.0/8"]);
    tokio::join!(transport.deliver(request(&url)), receiver)
}

#[tokio::test]
async fn a_delivery_is_one_post_with_its_headers() {
    let answer = b"HTTP/1.1 204 No Content\r\n\r\n".to_vec();
    let (result, sent) = exchange(answer).await;
    assert!(result.is_success());
    assert!(sent.starts_with("POST /hook HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains("webhook-id: msg_1\r\n"), "{sent}");
}

#[tokio::test]
async fn r17_redirects_are_not_followed_and_retry_after_is_read() {
    let answer = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\nretry-after: 7\r\n\
                  content-length: 0\r\n\r\n";
    let (result, _) = exchange(answer.into()).await;
    assert_eq!((result.status, result.retry_after), (Some(302), Some(Duration::from_secs(7))));
    assert!(!result.is_success());
}

#[tokio::test]
async fn a_long_answer_is_not_read_to_its_end() {
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n".to_vec();
    answer.resize(answer.len() + (1 << 20), b'x');
    let (result, _) = exchange(answer).await;
    assert_eq!(result.status, Some(200));
}

#[tokio::test]
async fn garbage_is_an_error_without_a_status() {
    let (result, _) = exchange(b"what?\r\n\r\n".to_vec()).await;
    assert_eq!(result.status, None);
    assert!(result.error.is_some());
    assert_eq!(result.failure, Some(Failure::Broken));
}

#[tokio::test]
async fn why_there_was_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let transport = transport(&["127.0.0.0/8"]);
    // It is accepted by the system, and nobody answers.
    let timeout = Duration::from_millis(50);
    let late = transport.deliver(DeliveryRequest { timeout, ..request(&url) }).await;
    assert_eq!((late.status, late.failure), (None, Some(Failure::Timeout)));
    drop(listener);
    let nobody = transport.deliver(request(&url)).await;
    assert_eq!((nobody.status, nobody.failure), (None, Some(Failure::Unreachable)));
}

#[tokio::test]
async fn a_receiver_says_how_far_it_is() {
    for (header, commit) in [("42", Some(42)), (" 7 ", Some(7)), ("-1", None), ("all", None)] {
        let answer =
            format!("HTTP/1.1 200 OK\r\nHeadwater-Commit: {header}\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(exchange(answer.into()).await.0.commit, commit, "{header}");
    }
}

#[test]
fn retry_after_in_both_forms() {
    assert_eq!(parse_retry_after("120", 0), Some(Duration::from_secs(120)));
    assert_eq!(parse_retry_after(&"9".repeat(30), 0), Some(Duration::from_secs(u64::MAX)));
    let date = "Thu, 01 Jan 1970 00:01:00 GMT";
    assert_eq!(parse_retry_after(date, 20_000), Some(Duration::from_secs(40)));
    assert_eq!(parse_retry_after(date, 90_000), Some(Duration::ZERO));
    assert_eq!(parse_retry_after("soon", 0), None);
}
