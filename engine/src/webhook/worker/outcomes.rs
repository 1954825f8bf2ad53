//! Attempts by outcome, and how long receivers took to answer.
//!
//! Counted since the start of the process; nothing here is saved.

use std::collections::VecDeque;
use std::time::Duration;

use crate::webhook::transport::{DeliveryResult, Failure};

/// Attempts whose time is remembered for the latencies.
const TIMES_MAX: usize = 1000;

/// How an attempt ended, as figures tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Taken,
    Redirected,
    Refused,
    Throttled,
    Failed,
    OtherStatus,
    TimedOut,
    Unreachable,
    Forbidden,
    Broken,
}

/// Attempts by outcome since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Attempts that a receiver took.
    pub succeeded: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Deliveries given up.
    pub dead: u64,
    by_outcome: [u64; NAMES.len()],
}

/// The public names of outcomes, in the order of [`Outcome`].
const NAMES: [&str; 10] = [
    "2xx",
    "3xx",
    "4xx",
    "429",
    "5xx",
    "other_status",
    "timeout",
    "unreachable",
    "address_refused",
    "broken",
];

impl Outcomes {
    /// Counts an attempt.
    pub(super) fn count(&mut self, result: &DeliveryResult) {
        match result.is_success() {
            true => self.succeeded += 1,
            false => self.failed += 1,
        }
        self.by_outcome[Outcome::of(result) as usize] += 1;
    }

    /// Attempts by how they ended: a class of status, 429 apart, or why there was no answer.
    pub fn by_outcome(&self) -> impl Iterator<Item = (&'static str, u64)> {
        NAMES.into_iter().zip(self.by_outcome)
    }
}

impl Outcome {
    fn of(result: &DeliveryResult) -> Self {
        match (result.status, result.failure) {
            (Some(200..=299), _) => Self::Taken,
            (Some(300..=399), _) => Self::Redirected,
            (Some(429), _) => Self::Throttled,
            (Some(400..=499), _) => Self::Refused,
            (Some(500..=599), _) => Self::Failed,
            (Some(_), _) => Self::OtherStatus,
            (None, Some(Failure::Timeout)) => Self::TimedOut,
            (None, Some(Failure::Unreachable)) => Self::Unreachable,
            (None, Some(Failure::AddressRefused)) => Self::Forbidden,
            (None, Some(Failure::Broken) | None) => Self::Broken,
        }
    }
}

/// Upper ends of the histogram's buckets, milliseconds.
pub const BUCKETS_MS: [u64; 12] = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];

/// How long attempts took: a histogram since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// Attempts by the first bucket of [`BUCKETS_MS`] that holds them; the last are those above all.
    pub buckets: [u64; BUCKETS_MS.len() + 1],
    /// The sum of all, microseconds.
    pub sum_us: u64,
    /// The median of the latest attempts, milliseconds; 0 without any.
    pub p50_ms: u64,
    /// Their 99th percentile.
    pub p99_ms: u64,
}

/// What latencies are told from.
#[derive(Debug, Default)]
pub(super) struct Times {
    counted: Latencies,
    latest: VecDeque<u32>,
}

impl Times {
    /// Counts an attempt.
    pub(super) fn count(&mut self, took: Duration) {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_MS.partition_point(|end| *end < ms);
        self.counted.buckets[bucket] += 1;
        self.counted.sum_us += u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if self.latest.len() == TIMES_MAX {
            self.latest.pop_front();
        }
        self.latest.push_back(u32::try_from(ms).unwrap_or(u32::MAX));
    }

    /// What there is to tell.
    pub(super) fn latencies(&self) -> Latencies {
        let mut sorted: Vec<u32> = self.latest.iter().copied().collect();
        sorted.sort_unstable();
        let at = |share: usize| {
            let rank = (sorted.len() * share).div_ceil(100).saturating_sub(1);
            sorted.get(rank).copied().map_or(0, u64::from)
        };
        Latencies { p50_ms: at(50), p99_ms: at(99), ..self.counted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_by_what_came() {
        let mut outcomes = Outcomes::default();
        for status in [200, 204, 302, 404, 429, 503, 700] {
            outcomes.count(&DeliveryResult { status: Some(status), ..DeliveryResult::default() });
        }
        for failure in [Failure::Timeout, Failure::Unreachable, Failure::AddressRefused] {
            outcomes.count(&DeliveryResult { failure: Some(failure), ..DeliveryResult::default() });
        }
        let counted: Vec<_> = outcomes.by_outcome().map(|(_, count)| count).collect();
        assert_eq!(counted, [2, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
        assert_eq!((outcomes.succeeded, outcomes.failed), (2, 8));
    }

    #[test]
    fn percentiles_are_of_the_latest_and_buckets_of_all() {
        let mut times = Times::default();
        assert_eq!(times.latencies(), Latencies::default());
        times.count(Duration::from_secs(100));
        for ms in 0..1000 {
            times.count(Duration::from_millis(ms));
        }
        let told = times.latencies();
        assert_eq!((told.p50_ms, told.p99_ms), (499, 989));
        assert_eq!(told.buckets.iter().sum::<u64>(), 1001);
        assert_eq!(
            (told.buckets[0], told.buckets[12], told.sum_us),
            (6, 1, (100_000 + 499_500) * 1000)
        );
    }
}
