//! What one query may still use: time, memory, bytes of its result.
//!
//! Guarantees: [`Budget::check`] fails within 64 calls after the deadline, or after the caller went away; every failure names
//! its limit.
//! Leaves to others: calling it, between documents and inside long loops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;

/// How many calls pass between two looks at the clock.
const CALLS_PER_LOOK: u32 = 64;
/// A document of so many bytes is one more call.
const BYTES_PER_CALL: usize = 16 << 10;

/// The code of the failure of a query that was to be small and is not.
pub const NOT_SMALL: &str = "not_small";

/// The remaining means of one query. Meant for one thread at a time; counts made by several at once may be too low.
#[derive(Debug)]
pub struct Budget {
    clock: Option<SharedClock>,
    end: Duration,
    deadline_ms: u64,
    cancelled: Arc<AtomicBool>,
    calls: AtomicU32,
    /// Documents that may be looked at, where the query must be a small one.
    looks_max: u32,
    memory: AtomicU64,
    memory_max: u64,
    result: AtomicU64,
    result_max: u64,
}

impl Budget {
    /// A budget that begins now.
    pub fn new(clock: &SharedClock, limits: &Limits) -> Self {
        Self {
            end: clock.monotonic() + Duration::from_millis(limits.query_deadline_ms),
            clock: Some(Arc::clone(clock)),
            deadline_ms: limits.query_deadline_ms,
            memory_max: limits.query_memory_bytes,
            result_max: limits.query_result_bytes,
            ..Self::unlimited()
        }
    }

    /// The same for a query that is only run if it is small: [`Budget::check`] fails with [`NOT_SMALL`] after `looks` calls.
    #[must_use]
    pub fn small(mut self, looks: u32) -> Self {
        self.looks_max = looks;
        self
    }

    /// No limits.
    pub fn unlimited() -> Self {
        Self {
            clock: None,
            end: Duration::MAX,
            deadline_ms: 0,
            cancelled: Arc::default(),
            calls: Default::default(),
            looks_max: u32::MAX,
            memory: Default::default(),
            memory_max: u64::MAX,
            result: Default::default(),
            result_max: u64::MAX,
        }
    }

    /// The flag that ends the query when it is set.
    pub fn cancel_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.cancelled)
    }

    /// Fails when the time is over or the caller is gone. Cheap: call it for every document.
    pub fn check(&self) -> Result<()> {
        let calls = self.calls.load(Ordering::Relaxed).wrapping_add(1);
        self.calls.store(calls, Ordering::Relaxed);
        if calls > self.looks_max {
            return Err(Error::new(ErrorKind::Internal, NOT_SMALL, "the query is not a small one"));
        }
        if !calls.is_multiple_of(CALLS_PER_LOOK) {
            return Ok(());
        }
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::unavailable("query_cancelled", "the caller of this query is gone"));
        }
        match &self.clock {
            Some(clock) if clock.monotonic() > self.end => Err(Error::limit(
                "limits.query_deadline_ms",
                self.deadline_ms,
                format!(
                    "the query ran longer than {} ms (limits.query_deadline_ms)",
                    self.deadline_ms
                ),
            )),
            _ => Ok(()),
        }
    }

    /// As [`Budget::check`] for a document of so many bytes: large ones count for several.
    pub fn check_work(&self, bytes: usize) -> Result<()> {
        let more =
            u32::try_from(bytes / BYTES_PER_CALL).unwrap_or(u32::MAX).min(CALLS_PER_LOOK - 1);
        let calls = self.calls.load(Ordering::Relaxed);
        if more > 0 && calls % CALLS_PER_LOOK + more >= CALLS_PER_LOOK {
            // The next call looks.
            self.calls.store(calls | (CALLS_PER_LOOK - 1), Ordering::Relaxed);
        } else {
            self.calls.store(calls.wrapping_add(more), Ordering::Relaxed);
        }
        self.check()
    }

    /// Takes memory; fails where there is not enough of it.
    pub fn take_memory(&self, bytes: usize) -> Result<()> {
        let taken = self.memory.load(Ordering::Relaxed).saturating_add(bytes as u64);
        if taken > self.memory_max {
            return Err(Error::limit(
                "limits.query_memory_bytes",
                self.memory_max,
                format!(
                    "the query needs more than {} bytes of memory (limits.query_memory_bytes)",
                    self.memory_max
                ),
            ));
        }
        self.memory.store(taken, Ordering::Relaxed);
        Ok(())
    }

    /// Gives memory back.
    pub fn give_memory(&self, bytes: usize) {
        let taken = self.memory.load(Ordering::Relaxed);
        self.memory.store(taken.saturating_sub(bytes as u64), Ordering::Relaxed);
    }

    /// Whether so much memory could be taken.
    pub fn has_memory(&self, bytes: usize) -> bool {
        self.memory.load(Ordering::Relaxed).saturating_add(bytes as u64) <= self.memory_max
    }

    /// Counts bytes of the result.
    pub fn take_result(&self, bytes: usize) -> Result<()> {
        let taken = self.result.load(Ordering::Relaxed).saturating_add(bytes as u64);
        self.result.store(taken, Ordering::Relaxed);
        if taken <= self.result_max {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::LimitExceeded,
            "limit_exceeded",
            format!(
                "the result is larger than {} bytes (limits.query_result_bytes)",
                self.result_max
            ),
        )
        .with("limit", "limits.query_result_bytes")
        .with("value", self.result_max))
    }
}
