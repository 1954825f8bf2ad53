//! A receiver that works: takes deliveries, notes their documents' numbers and how long they took, answers 200.
//!
//! Guarantees: a document counts once, however often it comes.

use std::cell::{Cell, RefCell};
use std::io::Error;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use memchr::memmem::Finder;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::unconstrained;

use super::super::Plan;
use super::super::document::{NUMBER, SENT, number_after};
use super::super::histogram::Histogram;
use super::conversation::{Conversation, serve};
use super::ledger::{Ledger, Numbers};

/// How long nothing may come while something is missing.
const STALL: Duration = Duration::from_secs(60);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(1);
/// The answer.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// A receiver.
pub(super) struct Receiver {
    listener: TcpListener,
    origin: Instant,
    number: Finder<'static>,
    sent: Finder<'static>,
    received: RefCell<Numbers>,
    last: Cell<Duration>,
    latencies: RefCell<Histogram>,
    /// Whether deliveries are answered; those that come before wait.
    answers: watch::Sender<bool>,
    /// What latencies count from, instead of the sending of each document.
    since: Cell<Option<Duration>>,
}

impl Receiver {
    /// A receiver on a port of its own; documents' times count from `origin`.
    pub(super) async fn open(origin: Instant) -> std::io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind("127.0.0.1:0").await?,
            origin,
            number: Finder::new(NUMBER),
            sent: Finder::new(SENT),
            received: RefCell::default(),
            last: Cell::new(Duration::ZERO),
            latencies: RefCell::new(Histogram::new()),
            answers: watch::Sender::new(true),
            since: Cell::new(None),
        })
    }

    /// What to register for it.
    pub(super) fn wish(&self, plan: &Plan) -> std::io::Result<Value> {
        Ok(json!({
            "url": format!("http://{}/", self.listener.local_addr()?),
            "collections": [plan.collection], "kinds": ["document.created"],
            "concurrency": plan.concurrency,
        }))
    }

    /// Answers deliveries.
    pub(super) async fn serve(&self) -> Error {
        serve(&self.listener, self).await
    }

    /// Leaves deliveries without an answer from now on.
    pub(super) fn hold(&self) {
        self.answers.send_replace(false);
    }

    /// Answers those that wait, and all that come; latencies count from now on.
    pub(super) fn release(&self) {
        self.count_from_now();
        self.answers.send_replace(true);
    }

    /// Latencies count from now on, not from the sending of each document.
    pub(super) fn count_from_now(&self) {
        self.since.set(Some(self.origin.elapsed()));
    }

    /// How many documents came.
    pub(super) fn count(&self) -> u64 {
        self.received.borrow().count()
    }

    /// How many of the acknowledged documents did not come.
    pub(super) fn missing(&self, ledger: &Ledger) -> u64 {
        ledger.missing_from(&self.received.borrow())
    }

    /// How long after `since` the last one came.
    pub(super) fn last_after(&self, since: Instant) -> Duration {
        (self.origin + self.last.get()).saturating_duration_since(since)
    }

    /// The latencies noted since this was last asked.
    pub(super) fn take_latencies(&self) -> Histogram {
        self.latencies.replace(Histogram::new())
    }

    fn note(&self, delivery: &[u8]) {
        let after = |finder: &Finder<'_>, name| {
            finder.find(delivery).and_then(|found| number_after(delivery, found, name))
        };
        let (Some(number), Some(sent_us)) = (after(&self.number, NUMBER), after(&self.sent, SENT))
        else {
            return;
        };
        if !self.received.borrow_mut().insert(number) {
            return;
        }
        let now = self.origin.elapsed();
        self.last.set(now);
        let since_us = self.since.get().map_or(sent_us, |since| since.as_micros() as u64);
        self.latencies.borrow_mut().record((now.as_micros() as u64).saturating_sub(since_us));
    }
}

impl Conversation for Receiver {
    async fn take(&self, delivery: &[u8]) -> &'static [u8] {
        if !*self.answers.borrow() {
            // The sender lives as long as this receiver.
            drop(self.answers.subscribe().wait_for(|answers| *answers).await);
        }
        self.note(delivery);
        ANSWER
    }
}

/// Lets all receivers answer while `work` goes on.
pub(super) async fn serve_during<T>(
    receivers: &[Receiver],
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let mut serving: FuturesUnordered<_> =
        receivers.iter().map(|receiver| unconstrained(receiver.serve())).collect();
    tokio::select! {
        Some(error) = serving.next() => Err(anyhow::Error::new(error).context("a receiver ended")),
        done = work => done,
    }
}

/// Waits until everything that was acknowledged came to every receiver, as long as something comes; how much is missing.
pub(super) async fn wait_for_all(receivers: &[Receiver], ledger: &Ledger) -> u64 {
    wait_while_moving(receivers, ledger, STALL).await
}

async fn wait_while_moving(receivers: &[Receiver], ledger: &Ledger, stall: Duration) -> u64 {
    let (mut before, mut moved) = (0, Instant::now());
    loop {
        let counts = || receivers.iter().map(Receiver::count);
        let missing = || receivers.iter().map(|receiver| receiver.missing(ledger)).sum();
        if counts().all(|count| count >= ledger.count()) && missing() == 0 {
            return 0;
        }
        let came = counts().sum::<u64>();
        if came != before {
            (before, moved) = (came, Instant::now());
        }
        if moved.elapsed() > stall {
            return missing();
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::document::WriteRequest;
    use super::*;

    #[tokio::test]
    async fn what_was_acknowledged_and_did_not_come_is_missing() {
        let origin = Instant::now();
        let receivers =
            [Receiver::open(origin).await.unwrap(), Receiver::open(origin).await.unwrap()];
        let ledger = Ledger::default();
        ledger.add(0..3);
        let mut document = WriteRequest::new(1, |_| Vec::new());
        for number in [0, 1, 2, 2, 7] {
            receivers[0].note(document.prepare(number, 0));
        }
        // As many as were acknowledged, but one of them is another.
        for number in [0, 1, 7] {
            receivers[1].note(document.prepare(number, 0));
        }
        assert_eq!((receivers[0].count(), receivers[1].count()), (4, 3));
        let stall = Duration::from_millis(1);
        assert_eq!(wait_while_moving(&receivers, &ledger, stall).await, 1);
        receivers[1].note(document.prepare(2, 0));
        assert_eq!(wait_while_moving(&receivers, &ledger, stall).await, 0);
    }
}
