//! Those who write while the server is killed: to a few documents that everybody writes to, and to fresh ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::ORDERS;
use crate::harness::Client;

/// Documents that everybody writes to.
const HOT: u64 = 20;

/// They write as often as they are allowed to, until they are stopped.
pub(super) struct Writers {
    allowed: Arc<Semaphore>,
    written: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Vec<u64>>>,
}

impl Writers {
    pub(super) fn start(client: &Client, count: usize, random: &mut StdRng) -> Self {
        let (allowed, stop) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicBool::new(false)));
        let (numbers, written) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let mut tasks = Vec::new();
        for _ in 0..count {
            let writer = Writer {
                client: client.clone(),
                random: StdRng::seed_from_u64(random.random()),
                numbers: Arc::clone(&numbers),
                written: Arc::clone(&written),
            };
            tasks.push(tokio::spawn(write(writer, Arc::clone(&allowed), Arc::clone(&stop))));
        }
        Self { allowed, written, stop, tasks }
    }

    /// Allows some writes more.
    pub(super) fn allow(&self, writes: usize) {
        self.allowed.add_permits(writes);
    }

    /// Writes that are allowed and not begun.
    pub(super) fn left(&self) -> usize {
        self.allowed.available_permits()
    }

    /// Writes that were acknowledged.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::SeqCst)
    }

    /// Stops them; the positions of all writes that were acknowledged.
    pub(super) async fn stop(self) -> Vec<u64> {
        self.stop.store(true, Ordering::SeqCst);
        self.allowed.add_permits(self.tasks.len());
        let mut acknowledged = Vec::new();
        for task in self.tasks {
            acknowledged.extend(task.await.unwrap());
        }
        acknowledged
    }
}

async fn write(mut writer: Writer, allowed: Arc<Semaphore>, stop: Arc<AtomicBool>) -> Vec<u64> {
    let mut acknowledged = Vec::new();
    loop {
        allowed.acquire().await.unwrap().forget();
        // Tries until the server is there.
        loop {
            if stop.load(Ordering::SeqCst) {
                return acknowledged;
            }
            if let Some(position) = writer.write().await {
                acknowledged.extend(position);
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}

struct Writer {
    client: Client,
    random: StdRng,
    /// Makes every state of a document another one.
    numbers: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
}

impl Writer {
    /// Writes once; `None`: the server was not there, `Some(None)`: there was nothing to write to.
    async fn write(&mut self) -> Option<Option<u64>> {
        let n = self.numbers.fetch_add(1, Ordering::SeqCst);
        let on = self.random.random_bool(0.5);
        let body =
            json!({"n": n, "on": on, "text": "ä ✓", "nested": {"secret": n, "shown": [n, on]}});
        let hot = format!("{ORDERS}/hot-{}", self.random.random_range(0..HOT));
        let request = |method: &str, path: &str| self.client.request(method, path);
        let request = match self.random.random_range(0..100) {
            0..20 => request("POST", ORDERS).json(&body),
            20..50 => request("PUT", &format!("{hot}?upsert=true")).json(&body),
            50..90 => request("PATCH", &hot).json(&json!({"n": n, "on": on})),
            _ => request("DELETE", &hot),
        };
        let answer = self.client.attempt(request).await?;
        match answer.status {
            200 | 201 => {
                self.written.fetch_add(1, Ordering::SeqCst);
                Some(Some(answer.position()))
            }
            404 => Some(None),
            _ => panic!("{}: {}", answer.status, answer.text),
        }
    }
}
