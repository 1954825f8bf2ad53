//! A receiver that is back after failures is not overrun: deliveries at a time double with each round of successes (R18).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::json;

use super::receiver::{Behaviour, Receiver};
use super::{ORDERS, register, settled};
use crate::harness::{Server, eventually};

/// Most deliveries at a time.
const CONCURRENCY: usize = 8;

/// Answers that are held until they are let go, one by one.
#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Requests without an answer.
    open: usize,
    /// Answers that were let go.
    released: usize,
    /// How many may be.
    allowed: usize,
    /// Requests at a time that were too many: how many, after how many answers.
    excess: Vec<(usize, usize)>,
    /// The most at a time.
    most: usize,
}

impl Gate {
    /// Holds a request until its answer may go.
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.open += 1;
        state.most = state.most.max(state.open);
        let (open, released) = (state.open, state.released);
        // Each success allows one more; the server has seen no more of them than were let go.
        if open > (1 + released).min(CONCURRENCY) {
            state.excess.push((open, released));
        }
        let mut state =
            self.changed.wait_while(state, |state| state.released >= state.allowed).unwrap();
        state.released += 1;
        state.open -= 1;
    }

    fn allow(&self, more: usize) {
        let mut state = self.state.lock().unwrap();
        state.allowed = state.allowed.saturating_add(more);
        self.changed.notify_all();
    }

    fn open(&self) -> usize {
        self.state.lock().unwrap().open
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_after_failures_deliveries_at_a_time_double_from_one() {
    let schedule = format!("0s{}", ",50ms".repeat(400));
    let server = Server::with(&[("HEADWATER_WEBHOOKS__RETRY_SCHEDULE", &schedule)]);
    let client = server.client();
    let (gate, failing) = (Arc::new(Gate::default()), Arc::new(AtomicBool::new(false)));
    let failures = Arc::new(AtomicUsize::new(0));
    let receiver = Receiver::start({
        let (gate, failing, failures) =
            (Arc::clone(&gate), Arc::clone(&failing), Arc::clone(&failures));
        move |request| {
            if request.path == "/witness" {
                return Behaviour::status(204);
            }
            if failing.load(Ordering::SeqCst) {
                failures.fetch_add(1, Ordering::SeqCst);
                return Behaviour::status(503);
            }
            gate.pass();
            Behaviour::status(204)
        }
    });
    let more = json!({"concurrency": CONCURRENCY, "timeout_ms": 60_000});
    let webhook = register(&client, &receiver.url("/hook"), more).await;
    let witness = register(&client, &receiver.url("/witness"), json!({})).await;
    // It comes up to its full concurrency, so that there is something to come down from.
    gate.allow(40);
    let documents: Vec<_> = (0..40).map(|n| json!({"n": n})).collect();
    client.post(ORDERS, &json!(documents)).await.expect(201);
    settled(&client, &webhook).await;
    failing.store(true, Ordering::SeqCst);
    client.post(ORDERS, &json!(documents)).await.expect(201);
    // All have failed at least once.
    eventually("failures", async || {
        let read = client.get(&webhook).await.expect(200).body;
        (read["failing"] == 40 && failures.load(Ordering::SeqCst) > 50).then_some(())
    })
    .await;
    *gate.state.lock().unwrap() = State::default();
    failing.store(false, Ordering::SeqCst);
    for open in [1, 2, 4, CONCURRENCY, CONCURRENCY] {
        eventually(&format!("{open} at a time"), async || (gate.open() >= open).then_some(()))
            .await;
        // Others get theirs meanwhile, so there was time for more to come.
        client.post(ORDERS, &json!(documents)).await.expect(201);
        settled(&client, &witness).await;
        gate.allow(open);
    }
    gate.allow(usize::MAX);
    settled(&client, &webhook).await;
    let state = gate.state.lock().unwrap();
    assert!(state.excess.is_empty(), "too many at a time, after answers: {:?}", state.excess);
    assert_eq!(state.most, CONCURRENCY);
}
