//! Streams that are cut, begun and stalled over and over, while others write at full rate: nothing is missing, doubled or out
//! of order, and nobody waits for whoever does not read. With `HEADWATER_LONG` the counts are those that the promises name.

mod cycles;
mod resumed;
mod stalled;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::harness::{Client, Server};

const ORDERS: &str = "/v1/collections/orders/documents";

/// Whether the counts are those that the promises name.
pub(crate) fn is_long() -> bool {
    std::env::var_os("HEADWATER_LONG").is_some()
}

/// A source of randomness, its seed said.
pub(crate) fn random() -> StdRng {
    let seed = match std::env::var("HEADWATER_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => rand::random(),
    };
    eprintln!("HEADWATER_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// Those who write until they are told to stop.
struct Writers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Vec<u64>>>,
}

impl Writers {
    /// Writes documents of some groups, a few at a time; a write may fail while the server is gone.
    fn start(client: &Client, count: usize, groups: u64, random: &mut StdRng) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let write = |seed: u64| {
            let (client, stop) = (client.clone(), Arc::clone(&stop));
            async move {
                let mut random = StdRng::seed_from_u64(seed);
                let mut acknowledged = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let some = random.random_range(1..10);
                    let document = |_| json!({"g": random.random_range(0..groups)});
                    let documents: Vec<Value> = (0..some).map(document).collect();
                    match client.try_post(ORDERS, &json!(documents)).await {
                        Some(answer) => acknowledged.push(answer.expect(201).position()),
                        None => tokio::task::yield_now().await,
                    }
                }
                acknowledged
            }
        };
        #[expect(clippy::disallowed_methods, reason = "they write beside the readers")]
        let spawn = |_| tokio::spawn(write(random.random()));
        let tasks = (0..count).map(spawn).collect();
        Self { stop, tasks }
    }

    /// Stops them; every position that was acknowledged.
    async fn stop(self) -> Vec<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let mut acknowledged = Vec::new();
        for task in self.tasks {
            acknowledged.extend(task.await.unwrap());
        }
        acknowledged.sort_unstable();
        acknowledged
    }
}

/// Every event of the orders as the log has it: position and group.
async fn log(client: &Client) -> Vec<(u64, u64)> {
    let mut all = Vec::new();
    let mut from = 0;
    loop {
        let path = format!("/v1/events?collections=orders&limit=1000&from={from}");
        let page = client.get(&path).await.expect(200);
        all.extend(page.list("events").iter().map(|event| {
            (event["position"].as_u64().unwrap(), event["document"]["g"].as_u64().unwrap())
        }));
        let next = page.body["next"].as_u64().unwrap();
        if page.body["last"].as_u64().unwrap() <= next {
            return all;
        }
        from = next;
    }
}

/// A server with a first document, so that the collection is there.
async fn begun() -> (Server, Client) {
    let server = Server::start();
    let client = server.client();
    client.post(ORDERS, &json!({"g": 0})).await.expect(201);
    (server, client)
}
