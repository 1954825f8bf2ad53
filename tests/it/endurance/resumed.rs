//! Readers that are cut at random, by themselves and by the server's death, and go on after their last id (R12).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{Writers, begun, is_long, log, random};
use crate::harness::{Client, eventually};

/// What all readers count together.
#[derive(Default)]
struct Counts {
    frames: AtomicU64,
    disconnects: AtomicU64,
    /// The last position that everybody has to reach; 0: not known yet.
    last: AtomicU64,
    calm: AtomicBool,
}

/// Reads on and on, with connections that end at random; the positions in the order in which they came.
async fn read(client: Client, path: &'static str, seed: u64, counts: Arc<Counts>) -> Vec<u64> {
    let mut random = StdRng::seed_from_u64(seed);
    // The document from before.
    let mut seen: Vec<u64> = vec![2];
    loop {
        let last = seen[seen.len() - 1];
        let end = counts.last.load(Ordering::Relaxed);
        if end > 0 && last >= end {
            return seen;
        }
        let Some(mut stream) =
            client.try_stream(path, &[("last-event-id", &last.to_string())]).await
        else {
            tokio::task::yield_now().await;
            continue;
        };
        let calm = counts.calm.load(Ordering::Relaxed);
        let most = if calm { usize::MAX } else { random.random_range(0..60) };
        for _ in 0..most {
            let Some(frame) = stream.next().await else { break };
            let last = seen[seen.len() - 1];
            assert!(frame.position() > last, "{} after {last} on one connection", frame.position());
            seen.push(frame.position());
            counts.frames.fetch_add(1, Ordering::Relaxed);
            let end = counts.last.load(Ordering::Relaxed);
            if end > 0 && frame.position() >= end {
                break;
            }
        }
        counts.disconnects.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn r12_readers_that_are_cut_at_random_miss_nothing_and_double_nothing() {
    let (disconnects, kills) = if is_long() { (1000, 100) } else { (100, 6) };
    let mut random = random();
    let (mut server, client) = begun().await;
    let counts = Arc::new(Counts::default());
    let paths = ["/v1/events?collections=orders", "/v1/live/orders"];
    #[expect(clippy::disallowed_methods, reason = "they read beside the writers")]
    let spawn = |n: usize| {
        let path = paths[n % paths.len()];
        tokio::spawn(read(client.clone(), path, random.random(), Arc::clone(&counts)))
    };
    let readers: Vec<_> = (0..8).map(spawn).collect();
    let writers = Writers::start(&client, 2, 10, &mut random);
    for _ in 0..kills {
        let before = counts.frames.load(Ordering::Relaxed);
        let some = random.random_range(1..400);
        eventually("frames between two kills", async || {
            (counts.frames.load(Ordering::Relaxed) >= before + some).then_some(())
        })
        .await;
        server.kill();
        server.restart();
    }
    eventually("as many disconnects as were promised", async || {
        (counts.disconnects.load(Ordering::Relaxed) >= disconnects).then_some(())
    })
    .await;
    let acknowledged = writers.stop().await;
    let log: Vec<u64> = log(&client).await.into_iter().map(|(position, _)| position).collect();
    let lost = acknowledged.iter().filter(|position| log.binary_search(position).is_err()).count();
    assert_eq!(lost, 0, "of {} acknowledged writes", acknowledged.len());
    counts.calm.store(true, Ordering::Relaxed);
    counts.last.store(log[log.len() - 1], Ordering::Relaxed);
    // Whoever waits for a frame on an open stream is woken by one more.
    client.post(super::ORDERS, &serde_json::json!({"g": 0})).await.expect(201);
    for reader in readers {
        let mut seen = reader.await.unwrap();
        seen.truncate(log.len());
        assert_eq!(seen, log);
    }
    let figures = (&counts.disconnects, &counts.frames);
    eprintln!(
        "{} disconnects, {kills} kills, {} events read by 8, {} in the log: nothing missing or doubled",
        figures.0.load(Ordering::Relaxed),
        figures.1.load(Ordering::Relaxed),
        log.len()
    );
}
