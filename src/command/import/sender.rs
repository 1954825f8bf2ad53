//! Sending batches: each under an idempotency key of its own, tried again while that may help.

use std::time::{Duration, Instant};

use reqwest::{Method, header};
use serde_json::Value;

use super::ImportArgs;
use crate::client::{Client, Failure};
use crate::source::Batch;

/// How long a request is tried again.
const PATIENCE: Duration = Duration::from_secs(30);
/// First pause before trying again; it doubles.
const BACKOFF: Duration = Duration::from_millis(100);
/// The pause, in first ones, from which on waiting is worth a word.
const ANNOUNCED: u32 = 8;
/// Longest pause.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// The answer to one batch.
pub(super) struct Answer {
    /// Documents in the batch.
    pub(super) documents: u64,
    /// The last position that it wrote.
    pub(super) position: u64,
}

/// Writes to one collection.
pub(super) struct Sender {
    client: Client,
    collection: String,
    /// Part of every idempotency key; differs for each run with `--again`.
    run: String,
    /// The last position before this run, where the key may read it.
    pub(super) before: Option<u64>,
}

impl Sender {
    /// A sender for the import of `args`.
    pub(super) async fn new(args: &ImportArgs) -> anyhow::Result<Self> {
        let client = Client::new(&args.server)?;
        let segments = ["v1", "collections", args.collection.as_str(), "documents"];
        let request = client.request(Method::GET, &segments, &[("limit", "1")]);
        let before = client.send(request).await.ok().and_then(|answer| position(&answer));
        let run = if args.again { nonce() } else { String::new() };
        Ok(Self { client, collection: args.collection.clone(), run, before })
    }

    /// Writes one batch, trying again while that may help.
    pub(super) async fn send(&self, batch: Batch) -> anyhow::Result<Answer> {
        let Batch { body, documents, first, first_line } = batch;
        let body = bytes::Bytes::from(body);
        let key = self.idempotency_key(first, &body);
        let started = Instant::now();
        let mut pause = BACKOFF;
        loop {
            match self.post(&key, body.clone()).await {
                Ok(position) => return Ok(Answer { documents, position }),
                Err(failure) if failure.is_passing() && started.elapsed() < PATIENCE => {
                    if pause == BACKOFF * ANNOUNCED {
                        eprintln!("{failure}; trying again for {} s", PATIENCE.as_secs());
                    }
                    tokio::time::sleep(wish(&failure).unwrap_or(pause)).await;
                    pause = (pause * 2).min(BACKOFF_MAX);
                }
                Err(failure) => {
                    let place = place(&failure, documents, first, first_line);
                    return Err(anyhow::Error::new(failure).context(place));
                }
            }
        }
    }

    async fn post(&self, key: &str, body: bytes::Bytes) -> Result<u64, Failure> {
        let segments = ["v1", "collections", self.collection.as_str(), "documents"];
        let request = self
            .client
            .request(Method::POST, &segments, &[])
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(body);
        let answer = self.client.send(request).await?;
        let position = position(&answer).unwrap_or_default();
        // Read to the end, so that the connection can be used again; an answer cut short is a success all the same.
        drop(answer.bytes().await);
        Ok(position)
    }

    fn idempotency_key(&self, first: u64, body: &[u8]) -> String {
        let mut hasher = blake3::Hasher::new();
        for part in [self.run.as_bytes(), self.collection.as_bytes(), &first.to_le_bytes(), body] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let digest = hasher.finalize().to_hex();
        format!("import-{}", &digest.as_str()[..32])
    }
}

/// Which documents a refusal is about, as exactly as the server says.
fn place(failure: &Failure, documents: u64, first: u64, first_line: Option<u64>) -> String {
    let index = match failure {
        Failure::Refused { details, .. } => details.get("index").and_then(Value::as_u64),
        Failure::Connection(_) => None,
    };
    let line = first_line.map(|line| format!(", the first on line {line}")).unwrap_or_default();
    match index {
        Some(index) => format!("document {}", first + index),
        None if documents == 1 => {
            let line = first_line.map(|line| format!(" on line {line}")).unwrap_or_default();
            format!("document {first}{line}")
        }
        None => format!("one of documents {first} to {}{line}", first + documents - 1),
    }
}

fn wish(failure: &Failure) -> Option<Duration> {
    match failure {
        Failure::Refused { retry_after, .. } => retry_after.map(|pause| pause.min(BACKOFF_MAX)),
        Failure::Connection(_) => None,
    }
}

fn position(answer: &reqwest::Response) -> Option<u64> {
    answer.headers().get("headwater-position")?.to_str().ok()?.parse().ok()
}

/// A text that no other run has.
fn nonce() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}
