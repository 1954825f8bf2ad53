//! Receivers that are dead, hang or are slow, in numbers: the others get everything, and nobody who writes waits (R18).
//!
//! Nothing here is timed: what hangs has a minute for each attempt, longer than any wait of these tests.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::receiver::{Behaviour, Receiver};
use super::{ORDERS, register, settled};
use crate::harness::{Client, Server, eventually};

/// Longer than any wait of a test.
const MINUTE_MS: u64 = 60_000;

async fn create(client: &Client, count: usize) {
    let documents: Vec<_> = (0..count).map(|n| json!({"n": n})).collect();
    client.post(ORDERS, &json!(documents)).await.expect(201);
}

/// Registers webhooks whose attempts may take a minute, at paths of their own.
async fn register_all(client: &Client, receiver: &Receiver, paths: &[String]) -> Vec<String> {
    let mut webhooks = Vec::new();
    for path in paths {
        let more = json!({"timeout_ms": MINUTE_MS});
        webhooks.push(register(client, &receiver.url(path), more).await);
    }
    webhooks
}

fn paths(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("/{name}/{n}")).collect()
}

/// Waits until so many requests were taken at a path.
async fn taken(receiver: &Receiver, path: &str, count: usize) {
    let what = format!("{count} taken by {path}");
    eventually(&what, async || (receiver.taken(path) >= count).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_a_hundred_dead_receivers_hold_up_none_of_the_healthy() {
    const EACH: usize = 25;
    const STEPS: usize = 10;
    let schedule = format!("0s{}", ",50ms".repeat(500));
    let server = Server::with(&[("HEADWATER_WEBHOOKS__RETRY_SCHEDULE", &schedule)]);
    let client = server.client();
    let healthy = Receiver::keeping_alive(|_| Behaviour::status(204));
    let dead = Receiver::keeping_alive(|request| match request.path.split('/').nth(1) {
        Some("hangs") => Behaviour::Hang,
        Some("fails") => Behaviour::status(500),
        _ => Behaviour::Answer {
            status: 503,
            headers: String::new(),
            after: Duration::from_millis(500),
        },
    });
    let mut dead_webhooks = Vec::new();
    for name in ["hangs", "fails", "slow"] {
        dead_webhooks.extend(register_all(&client, &dead, &paths(name, EACH)).await);
    }
    // Nobody listens there any more.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for n in 0..EACH {
        let url = format!("http://{closed}/{n}");
        dead_webhooks.push(register(&client, &url, json!({})).await);
    }
    let healthy_paths = paths("healthy", 10);
    let webhooks = register_all(&client, &healthy, &healthy_paths).await;
    for step in 1..=STEPS {
        create(&client, 20).await;
        for path in &healthy_paths {
            taken(&healthy, path, step * 20).await;
        }
    }
    for (webhook, path) in webhooks.iter().zip(&healthy_paths) {
        let read = settled(&client, webhook).await;
        assert_eq!(read["attempts"], json!({"succeeded": 20 * STEPS, "failed": 0}), "{path}");
    }
    assert_eq!(dead_webhooks.len(), 100);
    for webhook in &dead_webhooks {
        let read = client.get(webhook).await.expect(200).body;
        assert_eq!((&read["attempts"]["succeeded"], &read["dead"]), (&json!(0), &json!(0)));
        // What is not taken in yet waits in the log.
        assert!(read["lag_events"].as_u64() >= Some(20 * STEPS as u64), "{read}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_beside_three_hundred_that_hang_a_new_webhook_and_one_that_failed_once_get_theirs() {
    let server = Server::start();
    let client = server.client();
    let failures = Arc::new(AtomicUsize::new(0));
    let healthy = Receiver::keeping_alive({
        let failures = Arc::clone(&failures);
        move |request| {
            let fails = request.path == "/once"
                && failures
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                    .is_ok();
            Behaviour::status(if fails { 500 } else { 204 })
        }
    });
    let hanging = Receiver::start(|_| Behaviour::Hang);
    let once = register_all(&client, &healthy, &["/once".to_owned()]).await.remove(0);
    create(&client, 1).await;
    taken(&healthy, "/once", 1).await;
    let stuck = register_all(&client, &hanging, &paths("hangs", 300)).await;
    create(&client, 5).await;
    eventually("all that hang", async || (hanging.count() >= 300).then_some(())).await;
    taken(&healthy, "/once", 6).await;
    failures.store(1, Ordering::SeqCst);
    create(&client, 5).await;
    taken(&healthy, "/once", 11).await;
    let new = register_all(&client, &healthy, &["/new".to_owned()]).await.remove(0);
    create(&client, 5).await;
    taken(&healthy, "/new", 5).await;
    assert_eq!(settled(&client, &once).await["attempts"]["failed"], 1);
    settled(&client, &new).await;
    for webhook in &stuck {
        let read = client.get(webhook).await.expect(200).body;
        assert_eq!(read["attempts"], json!({"succeeded": 0, "failed": 0}), "it hangs");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_twenty_slow_receivers_with_a_backlog_leave_a_fast_one_its_places() {
    const BACKLOG: usize = 2000;
    let server = Server::start();
    let client = server.client();
    let fast = Receiver::keeping_alive(|_| Behaviour::status(204));
    // They answer at once until they have come up to all the places that they may have.
    let slow = Receiver::start(|request| match request.json()["document"]["n"].as_u64() {
        Some(n) if n < 150 => Behaviour::status(204),
        _ => Behaviour::slow(Duration::from_secs(1)),
    });
    let slow_paths = paths("slow", 20);
    let mut slow_webhooks = Vec::new();
    for path in &slow_paths {
        let more = json!({"timeout_ms": MINUTE_MS, "concurrency": 64});
        slow_webhooks.push(register(&client, &slow.url(path), more).await);
    }
    create(&client, BACKLOG).await;
    // All places that there are, or all that these may have, are taken.
    eventually("slow answers", async || (slow.count() > 20 * 150 + 1000).then_some(())).await;
    let webhook = register_all(&client, &fast, &["/fast".to_owned()]).await.remove(0);
    for step in 1..=10 {
        create(&client, 5).await;
        taken(&fast, "/fast", step * 5).await;
    }
    settled(&client, &webhook).await;
    for slow in &slow_webhooks {
        let read = client.get(slow).await.expect(200).body;
        assert!(read["lag_events"].as_u64() > Some(0), "it was done before the fast one: {read}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_twenty_receivers_that_worked_and_then_hang_leave_a_fast_one_its_places() {
    let server = Server::start();
    let client = server.client();
    let fast = Receiver::keeping_alive(|_| Behaviour::status(204));
    let hanging = Receiver::start(|request| match request.json()["document"]["n"].as_u64() {
        Some(n) if n < 150 => Behaviour::status(204),
        _ => Behaviour::Hang,
    });
    for path in paths("hangs", 20) {
        let more = json!({"timeout_ms": MINUTE_MS, "concurrency": 64});
        register(&client, &hanging.url(&path), more).await;
    }
    let webhook = register_all(&client, &fast, &["/fast".to_owned()]).await.remove(0);
    create(&client, 150).await;
    taken(&fast, "/fast", 150).await;
    eventually("all that work", async || (hanging.count() >= 20 * 150).then_some(())).await;
    let later: Vec<_> = (0..150).map(|n| json!({"n": 150 + n})).collect();
    client.post(ORDERS, &json!(later)).await.expect(201);
    // Each has more under way than a webhook that is not known to work.
    eventually("all that hang", async || (hanging.count() > 20 * 152).then_some(())).await;
    taken(&fast, "/fast", 300).await;
    create(&client, 5).await;
    taken(&fast, "/fast", 305).await;
    settled(&client, &webhook).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_writers_do_not_wait_for_fifty_receivers_that_hang() {
    let server = Server::start();
    let client = server.client();
    let hanging = Receiver::start(|_| Behaviour::Hang);
    let webhooks = register_all(&client, &hanging, &paths("hangs", 50)).await;
    create(&client, 1).await;
    eventually("all that hang", async || (hanging.count() >= 50).then_some(())).await;
    for _ in 0..20 {
        let burst = (0..50).map(|n| client.post(ORDERS, &json!({"n": n})));
        for answer in futures_util::future::join_all(burst).await {
            answer.expect(201);
        }
    }
    assert_eq!(hanging.count(), 50, "one each, until it is known to work");
    for webhook in &webhooks {
        let read = client.get(webhook).await.expect(200).body;
        assert_eq!(read["attempts"], json!({"succeeded": 0, "failed": 0}), "none has ended");
    }
}
