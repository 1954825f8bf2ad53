//! Crash tests of the real binary: killed under load again and again, nothing acknowledged is lost, nothing happens
//! twice, no subscriber misses anything (R1 to R4, R8, R9, R12).

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test binary's modules are its own, and tests unwrap"
)]

mod load;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use load::{Known, Shared, WRITERS, client, retry, subscribe, write};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use server::{KEY, PATIENCE, Server, refused, verify};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

fn is_long() -> bool {
    std::env::var("HEADWATER_LONG").is_ok_and(|value| value != "0")
}

fn seed() -> u64 {
    let seed = std::env::var("HEADWATER_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(rand::random);
    eprintln!("HEADWATER_SEED={seed}");
    seed
}

/// Writers on a server, until they see it go away.
fn start_writers(
    server: &Server,
    round: usize,
    known: &Shared,
    acknowledged: &Arc<AtomicUsize>,
) -> JoinSet<()> {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (url, known) = (server.url.clone(), Arc::clone(known));
        writers.spawn(write(writer, round, url, known, Arc::clone(acknowledged)));
    }
    writers
}

async fn join(mut writers: JoinSet<()>) {
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
}

/// Waits until so many writes were acknowledged.
async fn until(acknowledged: &AtomicUsize, wanted: usize, writers: &JoinSet<()>) {
    let end = Instant::now() + PATIENCE;
    while acknowledged.load(Ordering::SeqCst) < wanted {
        assert!(Instant::now() < end, "writing is too slow");
        assert!(!writers.is_empty());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn get(url: &str, path: &str) -> Value {
    let request = client().get(format!("{url}{path}")).header("x-api-key", KEY);
    let response = request.send().await.unwrap();
    let status = response.status();
    let body = response.text().await.unwrap();
    assert!(status.is_success(), "{path}: {status} {body}");
    serde_json::from_str(&body).unwrap()
}

/// Every event there is, by position; positions must be dense.
async fn events(url: &str) -> BTreeMap<u64, Value> {
    let mut events = BTreeMap::new();
    let mut from = 0;
    loop {
        let page = get(url, &format!("/v1/events?from={from}&limit=1000")).await;
        for event in page["events"].as_array().unwrap() {
            let position = event["position"].as_u64().unwrap();
            assert_eq!(position, events.len() as u64 + 1, "positions are dense");
            events.insert(position, event.clone());
        }
        let next = page["next"].as_u64().unwrap();
        if next == page["last"].as_u64().unwrap() {
            return events;
        }
        from = next;
    }
}

/// Two documents that are written together agree.
async fn pairs_agree(url: &str) {
    let values = |name: &'static str| async move {
        let path = format!("/v1/collections/{name}/documents?limit=1000");
        get(url, &path).await["documents"].clone()
    };
    assert_eq!(values("left").await, values("right").await);
}

/// Everything acknowledged is in the log, at the position that was said, once.
fn check_events(events: &BTreeMap<u64, Value>, known: &Known) {
    for (position, marker) in &known.created {
        let event =
            events.get(position).unwrap_or_else(|| panic!("{marker} at {position} is lost"));
        assert_eq!(event["document"]["marker"], **marker, "at {position}");
    }
    for (position, (collection, number, value)) in &known.pairs {
        let event = events.get(position).unwrap_or_else(|| panic!("{value} at {position} is lost"));
        assert_eq!(event["collection"], **collection, "at {position}");
        assert_eq!(event["document"]["_id"], format!("pair-{number}"));
        assert_eq!(event["document"]["value"], **value);
    }
    let mut markers = BTreeSet::new();
    for event in events.values().filter(|event| event["collection"] == "single") {
        let marker = event["document"]["marker"].as_str().unwrap();
        assert!(markers.insert(marker), "{marker} took effect twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_under_load_it_loses_nothing_and_does_nothing_twice() {
    let mut random = StdRng::seed_from_u64(seed());
    let (rounds, most) = if is_long() { (1000, 2000) } else { (15, 250) };
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    let known = Shared::default();
    let (address, addresses) = watch::channel(None);
    let (stop, stopped) = watch::channel(0);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let subscriber = JoinSet::from_iter([subscribe(addresses, Arc::clone(&seen), stopped)]);
    let acknowledged = Arc::new(AtomicUsize::new(0));
    for round in 0..rounds {
        let server = Server::start(&data);
        address.send_replace(Some(server.url.clone()));
        if round > 0 {
            retry(&server.url, &known).await;
            pairs_agree(&server.url).await;
        }
        let wanted = acknowledged.load(Ordering::SeqCst) + random.random_range(most / 10..most);
        let writers = start_writers(&server, round, &known, &acknowledged);
        until(&acknowledged, wanted, &writers).await;
        address.send_replace(None);
        server.kill();
        join(writers).await;
    }
    let server = Server::start(&data);
    address.send_replace(Some(server.url.clone()));
    retry(&server.url, &known).await;
    pairs_agree(&server.url).await;
    let events = events(&server.url).await;
    check_events(&events, &*known.lock().await);
    stop.send_replace(events.len() as u64);
    tokio::time::timeout(PATIENCE, join(subscriber)).await.expect("the subscriber sees the end");
    let seen = seen.lock().await.clone();
    let ordered = seen.windows(2).all(|two| two[0] < two[1]);
    assert!(ordered, "the stream went back, or gave an event twice");
    assert_eq!(seen, events.keys().copied().collect::<Vec<_>>(), "the stream has a gap");
    let (status, _) = server.terminate();
    assert!(status.success());
    verify(&data).unwrap();
    let acknowledged = acknowledged.load(Ordering::SeqCst);
    eprintln!("{rounds} kills, {acknowledged} acknowledged writes, {} events", events.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn terminated_under_load_it_ends_well_within_ten_seconds_and_keeps_what_it_said() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    let server = Server::start(&data);
    let (known, acknowledged) = (Shared::default(), Arc::new(AtomicUsize::new(0)));
    let (_address, addresses) = watch::channel(Some(server.url.clone()));
    let (_stop, stopped) = watch::channel(0);
    let _subscriber = JoinSet::from_iter([subscribe(addresses, Arc::default(), stopped)]);
    let writers = start_writers(&server, 0, &known, &acknowledged);
    until(&acknowledged, 200, &writers).await;
    let (status, took) = tokio::task::block_in_place(|| server.terminate());
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(10), "it took {took:?}");
    join(writers).await;
    verify(&data).unwrap();
    let server = Server::start(&data);
    retry(&server.url, &known).await;
    check_events(&events(&server.url).await, &*known.lock().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_directory_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    let server = Server::start(&data);
    let (status, said) = tokio::task::block_in_place(|| refused(&data));
    assert!(!status.success());
    assert!(said.contains("in use"), "{said}");
    assert_eq!(get(&server.url, "/v1/collections").await["next"], Value::Null);
    let mut known = Known::default();
    let client = client();
    let request = load::keyed_create(&client, &server.url, "after");
    let body: Value = request.send().await.unwrap().json().await.unwrap();
    known.created.insert(body["position"].as_u64().unwrap(), "after".to_owned());
    check_events(&events(&server.url).await, &known);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_format_is_refused_and_nothing_is_changed() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    let server = Server::start(&data);
    load::keyed_create(&client(), &server.url, "one").send().await.unwrap();
    assert!(tokio::task::block_in_place(|| server.terminate()).0.success());
    let head = data.join("head");
    let mut bytes = std::fs::read(&head).unwrap();
    for page in bytes.chunks_mut(4096) {
        page[8..12].copy_from_slice(&99u32.to_le_bytes());
        page[12..16].fill(0);
        let checksum = crc32c(page);
        page[12..16].copy_from_slice(&checksum.to_le_bytes());
    }
    std::fs::write(&head, bytes).unwrap();
    let before = files(&data);
    let (status, said) = tokio::task::block_in_place(|| refused(&data));
    assert!(!status.success());
    assert!(said.contains("99") && said.contains("head"), "{said}");
    assert!(before == files(&data), "the refusal changed something");
}

fn files(dir: &Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(path).unwrap());
        }
    }
    found
}

/// CRC-32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & 0u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}
