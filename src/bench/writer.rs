//! Connections that write documents, as fast as answers come or at a rate.

use std::cell::Cell;
use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::task::unconstrained;

use super::Plan;
use super::connection::Connection;
use super::document::WriteRequest;
use super::histogram::Histogram;

/// Failures in a row after which a connection gives up.
const FAILURES_MAX: u64 = 20;

/// What one connection did.
pub(super) struct Tally {
    /// Documents, or requests that read.
    pub(super) operations: u64,
    /// The requests' latencies.
    pub(super) latencies: Histogram,
    /// Requests that failed.
    pub(super) errors: u64,
    /// The first failure's words.
    pub(super) first_error: Option<String>,
    in_a_row: u64,
}

impl Tally {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        let latencies = Histogram::new();
        Self { operations: 0, latencies, errors: 0, first_error: None, in_a_row: 0 }
    }

    /// Adds all of `other`.
    pub(super) fn merge(&mut self, other: Self) {
        self.operations += other.operations;
        self.latencies.merge(&other.latencies);
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
    }

    /// Counts a failure; `false` means that going on has no sense.
    pub(super) fn fail(&mut self, words: String) -> bool {
        self.errors += 1;
        self.in_a_row += 1;
        self.first_error.get_or_insert(words);
        self.in_a_row < FAILURES_MAX
    }

    fn succeed(&mut self, operations: u64, since: Instant) {
        self.in_a_row = 0;
        self.operations += operations;
        self.latencies.record(since.elapsed().as_micros() as u64);
    }

    /// Sends one request and counts its outcome; `None` means that going on has no sense.
    pub(super) async fn exchange(
        &mut self,
        plan: &Plan,
        connection: &mut Connection,
        request: &[u8],
        operations: u64,
    ) -> Option<Outcome> {
        let started = Instant::now();
        let words = match connection.exchange(request).await {
            Ok(answer) if (200..300).contains(&answer.status) => {
                self.succeed(operations, started);
                return Some(Outcome::Done);
            }
            Ok(answer) => connection.words(&answer),
            Err(error) => {
                if let Ok(new) = Connection::open(&plan.target).await {
                    *connection = new;
                }
                error.to_string()
            }
        };
        self.fail(words).then_some(Outcome::Failed)
    }
}

/// How one request went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A success.
    Done,
    /// Anything else.
    Failed,
}

/// When to write.
pub(super) struct Pace<'a> {
    /// Connections that write.
    pub(super) writers: usize,
    /// Requests a second of all of them; 0 is as fast as answers come.
    pub(super) rate: u64,
    /// When the first requests are due.
    pub(super) started: Instant,
    /// When to end.
    pub(super) deadline: Instant,
    /// What times of sending count from.
    pub(super) origin: Instant,
    /// What the documents are numbered by.
    pub(super) numbers: &'a Numbers,
    /// Told of the numbers that each request has written.
    pub(super) written: &'a dyn Fn(Range<u64>),
    /// Whether the writer may go on; else it waits.
    pub(super) may_go_on: &'a dyn Fn() -> bool,
}

/// The numbers of documents: each is given once, to whichever connection writes next.
pub(super) struct Numbers {
    next: Cell<u64>,
    end: u64,
}

impl Numbers {
    /// From 0, without an end.
    pub(super) fn endless() -> Self {
        Self::up_to(u64::MAX)
    }

    /// From 0 up to `end`; the last request may go beyond it.
    pub(super) fn up_to(end: u64) -> Self {
        Self { next: Cell::new(0), end }
    }

    /// The first of the next `count`, unless the end is reached.
    fn take(&self, count: u64) -> Option<u64> {
        let first = self.next.get();
        if first >= self.end {
            return None;
        }
        self.next.set(first + count);
        Some(first)
    }
}

impl Pace<'_> {
    /// When the first request of the connection `index` is due, and the time from one to the next; zero is at once.
    fn of_connection(&self, index: usize) -> (Instant, Duration) {
        if self.rate == 0 {
            return (self.started, Duration::ZERO);
        }
        let part = Duration::from_secs(1).div_f64(self.rate as f64);
        (self.started + part.mul_f64(index as f64), part.mul_f64(self.writers as f64))
    }
}

/// The request that writes `documents` at once.
pub(super) fn request(plan: &Plan, documents: usize) -> WriteRequest {
    let path = match &plan.path {
        Some(path) => path.clone(),
        None => format!("/v1/collections/{}/documents", plan.collection),
    };
    WriteRequest::new(documents, |length| plan.target.head("POST", &path, Some(length), ""))
}

/// Writes until the deadline, `documents` a request.
pub(super) async fn write(plan: &Plan, documents: usize, pace: &Pace<'_>) -> Tally {
    let mut writers: FuturesUnordered<_> = (0..pace.writers)
        .map(|index| unconstrained(write_one(plan, index, documents, pace)))
        .collect();
    let mut all = Tally::new();
    while let Some(tally) = writers.next().await {
        all.merge(tally);
    }
    all
}

/// Writes as connection `index`.
async fn write_one(plan: &Plan, index: usize, documents: usize, pace: &Pace<'_>) -> Tally {
    let mut tally = Tally::new();
    let mut connection = match Connection::open(&plan.target).await {
        Ok(connection) => connection,
        Err(error) => {
            tally.fail(error.to_string());
            return tally;
        }
    };
    let mut request = request(plan, documents);
    let count = request.documents();
    let (mut due, period) = pace.of_connection(index);
    while Instant::now() < pace.deadline {
        if !period.is_zero() {
            if due >= pace.deadline {
                break;
            }
            tokio::time::sleep_until(due.into()).await;
            due += period;
        }
        if !(pace.may_go_on)() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        let Some(first) = pace.numbers.take(count) else { break };
        let sent_us = pace.origin.elapsed().as_micros() as u64;
        let bytes = request.prepare(first, sent_us);
        match tally.exchange(plan, &mut connection, bytes, count).await {
            Some(Outcome::Done) => (pace.written)(first..first + count),
            Some(Outcome::Failed) => tokio::time::sleep(Duration::from_millis(10)).await,
            None => break,
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_with_the_request_that_reaches_the_end() {
        let numbers = Numbers::up_to(5);
        assert_eq!((numbers.take(2), numbers.take(2)), (Some(0), Some(2)));
        assert_eq!((numbers.take(2), numbers.take(2)), (Some(4), None));
    }

    #[test]
    fn connections_share_a_rate_evenly() {
        let (started, numbers) = (Instant::now(), Numbers::endless());
        let pace = |rate| Pace {
            writers: 4,
            rate,
            started,
            deadline: started,
            origin: started,
            numbers: &numbers,
            written: &|_| {},
            may_go_on: &|| true,
        };
        let ms = Duration::from_millis;
        assert_eq!(pace(100).of_connection(0), (started, ms(40)));
        assert_eq!(pace(100).of_connection(3), (started + ms(30), ms(40)));
        assert_eq!(pace(0).of_connection(3), (started, Duration::ZERO));
    }
}
