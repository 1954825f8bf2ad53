//! Writers that remember what was acknowledged, and a subscriber that comes back after each kill.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{Mutex, watch};

use crate::server::KEY;

pub const WRITERS: usize = 6;
const PAIRS: usize = 4;

/// Where the server is; nowhere while it is down.
pub type Address = watch::Receiver<Option<String>>;

/// What was acknowledged.
#[derive(Default)]
pub struct Known {
    /// Position to marker of a keyed create.
    pub created: BTreeMap<u64, String>,
    /// Position and collection of each event of a transaction to its pair and value.
    pub pairs: BTreeMap<u64, (&'static str, usize, String)>,
    /// Markers of keyed creates that were never answered.
    pub unanswered: Vec<String>,
}

/// Everybody's knowledge.
pub type Shared = Arc<Mutex<Known>>;

pub fn client() -> Client {
    Client::builder().timeout(Duration::from_secs(20)).no_proxy().build().unwrap()
}

/// Creates a document without an id, under an idempotency key: only the key keeps a retry from making another.
pub fn keyed_create(client: &Client, url: &str, marker: &str) -> RequestBuilder {
    client
        .post(format!("{url}/v1/collections/single/documents"))
        .header("x-api-key", KEY)
        .header("idempotency-key", marker)
        .json(&json!({ "marker": marker, "text": "x".repeat(marker.len() * 10) }))
}

fn pair(client: &Client, url: &str, number: usize, value: &str) -> RequestBuilder {
    let operation = |collection: &str| {
        let id = format!("pair-{number}");
        json!({ "op": "replace", "collection": collection, "id": id, "upsert": true,
            "document": { "_id": id, "value": value } })
    };
    client
        .post(format!("{url}/v1/transactions"))
        .header("x-api-key", KEY)
        .json(&json!({ "operations": [operation("left"), operation("right")] }))
}

/// The answer of success; none when the server went away before it answered.
async fn answer(request: RequestBuilder) -> Option<Value> {
    let response = request.send().await.ok()?;
    let status = response.status();
    let body: Value = response.json().await.ok()?;
    if status == StatusCode::SERVICE_UNAVAILABLE {
        return None;
    }
    assert!(status.is_success(), "{status}: {body}");
    Some(body)
}

/// The position in an answer of success.
async fn position(request: RequestBuilder) -> Option<u64> {
    Some(answer(request).await?["position"].as_u64().expect("a position"))
}

/// Writes until the server goes away; a keyed create that was not answered is tried again next time.
pub async fn write(
    writer: usize,
    round: usize,
    url: String,
    known: Shared,
    acknowledged: Arc<AtomicUsize>,
) {
    let client = client();
    for turn in 0.. {
        if turn % 3 == 2 {
            let (number, value) = (turn / 3 % PAIRS, format!("{writer}-{round}-{turn}"));
            let Some(body) = answer(pair(&client, &url, number, &value)).await else { return };
            let mut known = known.lock().await;
            for (at, collection) in ["left", "right"].into_iter().enumerate() {
                let position = body["results"][at]["position"].as_u64().expect("a position");
                known.pairs.insert(position, (collection, number, value.clone()));
            }
        } else {
            let marker = format!("marker-{writer}-{round}-{turn}");
            let Some(position) = position(keyed_create(&client, &url, &marker)).await else {
                known.lock().await.unanswered.push(marker);
                return;
            };
            known.lock().await.created.insert(position, marker);
        }
        acknowledged.fetch_add(1, Ordering::SeqCst);
    }
}

/// Tries again what was not answered; every one must be answered now.
pub async fn retry(url: &str, known: &Shared) {
    let client = client();
    let mut known = known.lock().await;
    for marker in std::mem::take(&mut known.unanswered) {
        let position = position(keyed_create(&client, url, &marker)).await.expect("answered");
        let again = self::position(keyed_create(&client, url, &marker)).await.expect("answered");
        assert_eq!(position, again, "the same answer to a retry");
        known.created.insert(position, marker);
    }
}

/// Follows the stream from the start, through every kill; gives the ids seen, in the order they came.
pub async fn subscribe(
    mut address: Address,
    ids: Arc<Mutex<Vec<u64>>>,
    stop: watch::Receiver<u64>,
) {
    let client = Client::builder().no_proxy().build().unwrap();
    loop {
        let until = *stop.borrow();
        let last = ids.lock().await.last().copied();
        if until > 0 && last.is_some_and(|last| last >= until) {
            return;
        }
        let Some(url) = address.borrow_and_update().clone() else {
            address.changed().await.unwrap();
            continue;
        };
        let mut request = client
            .get(format!("{url}/v1/events?from=earliest"))
            .header("x-api-key", KEY)
            .header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        match request.send().await {
            Ok(response) => {
                assert_eq!(response.status(), StatusCode::OK);
                read_frames(response, &ids, &stop).await;
            }
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Reads ids until the connection ends or everything was seen.
async fn read_frames(
    response: reqwest::Response,
    ids: &Mutex<Vec<u64>>,
    stop: &watch::Receiver<u64>,
) {
    let mut bytes = response.bytes_stream();
    let mut pending = Vec::new();
    loop {
        let chunk = match tokio::time::timeout(Duration::from_millis(100), bytes.next()).await {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(_) => return,
            Err(_) => Default::default(),
        };
        pending.extend_from_slice(&chunk);
        let mut ids = ids.lock().await;
        // A frame counts once its empty line is there.
        while let Some(end) = pending.windows(2).position(|two| two == b"\n\n") {
            let frame: Vec<u8> = pending.drain(..end + 2).collect();
            let text = String::from_utf8(frame).unwrap();
            let id = text.lines().find_map(|line| line.strip_prefix("id:"));
            if let Some(id) = id {
                ids.push(id.trim().parse().unwrap());
            }
        }
        let until = *stop.borrow();
        if until > 0 && ids.last().is_some_and(|last| *last >= until) {
            return;
        }
    }
}
