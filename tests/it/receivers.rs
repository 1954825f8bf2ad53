//! Where receivers may be: what is refused when it is registered, and what at each attempt (promise S8).

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Receiver, Server, eventually};
use crate::webhooks::register;

const ALLOWED: &str = "HEADWATER_WEBHOOKS__ALLOW_NETWORKS";
const REFUSED: &str = include_str!("../../api/tests/fuzz/corpus/url/refused.txt");
const HOSTILE: &str = include_str!("../../api/tests/fuzz/corpus/url/hostile.txt");

fn check_refused(answer: &Answer, url: &str) {
    let error = &answer.body["error"];
    match answer.status {
        // Not even a url by the rules of here.
        400 => assert_eq!(error["code"], "invalid_webhook", "{url}: {}", answer.text),
        422 => assert_eq!(error["code"], "url_refused", "{url}: {}", answer.text),
        _ => panic!("{url}: {}", answer.text),
    }
    assert_eq!(error["details"]["field"], "url", "{url}: {}", answer.text);
}

/// An inactive webhook of a public address: nothing is ever sent there.
async fn inactive(client: &Client) -> String {
    let body = json!({"url": "https://8.8.8.8/", "collections": ["orders"], "active": false});
    let made = client.post("/v1/webhooks", &body).await.expect(201).body;
    format!("/v1/webhooks/{}", made["id"].as_str().unwrap())
}

#[tokio::test]
async fn receivers_on_this_machine_are_refused_unless_allowed() {
    let mut server = Server::with(&[(ALLOWED, "")]);
    let client = server.client();
    let receiver = Receiver::start();
    let webhook = inactive(&client).await;
    let port = receiver.url("/").rsplit_once(':').unwrap().1.to_owned();
    for url in [receiver.url("/hook"), format!("http://localhost:{port}")] {
        let body = json!({"url": url, "collections": ["orders"]});
        check_refused(&client.post("/v1/webhooks", &body).await.expect(422), &url);
        check_refused(&client.patch(&webhook, &json!({"url": url})).await.expect(422), &url);
    }
    assert_eq!(client.get(&webhook).await.expect(200).body["url"], "https://8.8.8.8/");
    assert_eq!(client.get("/v1/webhooks").await.expect(200).list("webhooks").len(), 1);
    // It may resolve later.
    let later = json!({"url": "http://receiver.invalid/hook"});
    client.patch(&webhook, &later).await.expect(200);

    server.kill();
    server.set(ALLOWED, "127.0.0.0/8");
    server.restart();
    register(&client, &receiver, json!({})).await;
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn what_was_registered_is_checked_again_at_each_attempt() {
    let mut server = Server::start();
    let client = server.client();
    let receiver = Receiver::start();
    let body = json!({"url": receiver.url("/hook"), "collections": ["orders"]});
    let keyed = || {
        let request = client.request("POST", "/v1/webhooks").header("idempotency-key", "once");
        client.send(request.json(&body))
    };
    let made = keyed().await.expect(201).body;
    let webhook = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    server.kill();
    server.set(ALLOWED, "");
    server.restart();
    let test = client.send(client.request("POST", &format!("{webhook}/test"))).await.expect(200);
    assert_eq!(test.body["status_code"], Value::Null);
    assert!(test.body["error"].as_str().unwrap().contains("allow_networks"), "{}", test.text);
    client.post("/v1/collections/orders/documents", &json!({})).await.expect(201);
    let dead = format!("{webhook}/deliveries?status=dead");
    let dead = eventually("a dead delivery", async || {
        client.get(&dead).await.expect(200).list("deliveries").first().cloned()
    })
    .await;
    for attempt in dead["attempts"].as_array().unwrap() {
        assert!(attempt["error"].as_str().unwrap().contains("allow_networks"), "{dead}");
    }
    assert!(receiver.received().is_empty());
    let again = keyed().await.expect(201).body;
    assert_eq!(again["id"], made["id"], "a repeated request is answered as it was");
    client.patch(&webhook, &json!({"active": false})).await.expect(200);
    let same = json!({"url": receiver.url("/hook")});
    check_refused(&client.patch(&webhook, &same).await.expect(422), "the same url");
}

#[tokio::test]
async fn s8_no_form_of_a_refused_address_can_be_registered() {
    let server = Server::with(&[(ALLOWED, "")]);
    let client = server.client();
    let webhook = inactive(&client).await;
    assert!(REFUSED.lines().count() >= 60);
    let (mut invalid, mut refused) = (0, 0);
    for url in REFUSED.lines() {
        let body = json!({"url": url, "collections": ["orders"]});
        let answer = client.post("/v1/webhooks", &body).await;
        check_refused(&answer, url);
        *if answer.status == 400 { &mut invalid } else { &mut refused } += 1;
        check_refused(&client.patch(&webhook, &json!({"url": url})).await, url);
    }
    assert!(refused > 60 && invalid < 5, "{refused} refused, {invalid} no urls");
    for url in HOSTILE.lines() {
        let body = json!({"url": url, "collections": ["orders"], "active": false});
        let answer = client.post("/v1/webhooks", &body).await;
        if answer.status != 201 {
            check_refused(&answer, url);
        }
    }
    assert_eq!(client.get(&webhook).await.expect(200).body["url"], "https://8.8.8.8/");
}

/// A listener that counts connections and answers none.
fn counting() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for _connection in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (address, count)
}

#[tokio::test]
async fn s8_proxies_of_the_environment_are_not_used() {
    let (address, count) = counting();
    let proxy = format!("http://{address}");
    let names =
        ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let mut settings: Vec<(&str, &str)> = names.iter().map(|name| (*name, &*proxy)).collect();
    settings.extend([("NO_PROXY", ""), ("no_proxy", "")]);
    let server = Server::with(&settings);
    let client = server.client();
    let receiver = Receiver::start();
    let (webhook, _) = register(&client, &receiver, json!({})).await;
    let test = client.send(client.request("POST", &format!("{webhook}/test"))).await.expect(200);
    assert_eq!(test.body["status_code"], 204, "{}", test.text);
    client.post("/v1/collections/orders/documents", &json!({})).await.expect(201);
    receiver.wait(2).await;
    let port = receiver.url("/").rsplit_once(':').unwrap().1.to_owned();
    client.patch(&webhook, &json!({"url": format!("https://localhost:{port}")})).await.expect(200);
    let test = client.send(client.request("POST", &format!("{webhook}/test"))).await.expect(200);
    assert!(test.body["error"].is_string(), "the receiver speaks no TLS: {}", test.text);
    // A connection of our own comes after all others.
    drop(TcpStream::connect(&address).unwrap());
    let counted = eventually("our own connection", async || {
        Some(count.load(Ordering::SeqCst)).filter(|count| *count > 0)
    });
    assert_eq!(counted.await, 1);
}
