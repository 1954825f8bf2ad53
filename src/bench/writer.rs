//! Connections that write documents, as fast as answers come or at a rate.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::Plan;
use super::connection::Connection;
use super::document::WriteRequest;
use super::histogram::Histogram;

/// Numbers kept apart for each connection.
const NUMBERS_EACH: u64 = 100_000_000;
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
    /// When to end.
    pub(super) deadline: Instant,
    /// From one request to the next; zero is at once.
    pub(super) period: Duration,
    /// What times of sending count from.
    pub(super) origin: Instant,
    /// Told of the numbers that each request has written.
    pub(super) written: &'a dyn Fn(Range<u64>),
    /// Whether the writer may go on; else it waits.
    pub(super) may_go_on: &'a dyn Fn() -> bool,
}

/// The request that writes `documents` at once.
pub(super) fn request(plan: &Plan, documents: usize) -> WriteRequest {
    let path = match &plan.path {
        Some(path) => path.clone(),
        None => format!("/v1/collections/{}/documents", plan.collection),
    };
    WriteRequest::new(documents, |length| plan.target.head("POST", &path, Some(length), ""))
}

/// Writes until the deadline as connection `index`.
pub(super) async fn write(plan: &Plan, index: u64, documents: usize, pace: &Pace<'_>) -> Tally {
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
    let mut next = index * NUMBERS_EACH;
    let mut due = pace.origin + pace.period.mul_f64(index as f64 / plan.concurrency.max(1) as f64);
    while Instant::now() < pace.deadline {
        if !pace.period.is_zero() {
            tokio::time::sleep_until(due.into()).await;
            due += pace.period;
        }
        if !(pace.may_go_on)() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        let sent_us = pace.origin.elapsed().as_micros() as u64;
        let bytes = request.prepare(next, sent_us);
        match tally.exchange(plan, &mut connection, bytes, count).await {
            Some(Outcome::Done) => {
                next += count;
                (pace.written)(next - count..next);
            }
            Some(Outcome::Failed) => tokio::time::sleep(Duration::from_millis(10)).await,
            None => break,
        }
    }
    tally
}
