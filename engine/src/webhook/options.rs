//! Settings of webhooks.

use std::sync::Arc;
use std::time::Duration;

use super::schedule::Schedule;
use super::sight::{Everything, Sight};

/// What to do when webhooks are registered but the store of deliveries is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingStore {
    /// Refuse to start.
    Refuse,
    /// Deliver everything again from each webhook's registered start.
    FromStart,
    /// Deliver what comes from now on; what was outstanding is not delivered.
    FromEnd,
}

/// Settings; configuration keys are `webhooks.` and the field's name, with `_ms` for a duration.
#[derive(Clone, Debug)]
pub struct Options {
    /// The delays of attempts (`webhooks.retry_schedule`).
    pub retry_schedule: Schedule,
    /// Time for an attempt, where the webhook does not say.
    pub timeout: Duration,
    /// Attempts at a time, where the webhook does not say.
    pub concurrency: u32,
    /// Attempts at a time, of all webhooks together; those whose last attempt failed share half of it.
    pub concurrency_total: u32,
    /// Attempts in a second, of all webhooks whose receivers fail time after time; at least as many as those are.
    pub failing_per_second: u32,
    /// Most deliveries of a webhook that are not settled; what comes after them waits in the log.
    pub outstanding_max: u32,
    /// Most dead deliveries of a webhook; past it no further events are taken until some are sent again.
    pub dead_max: u32,
    /// How long the outcome of attempts may be unsaved; after a crash, that much is delivered again.
    pub commit_interval: Duration,
    /// How long attempts under way are waited for at the stop.
    pub drain: Duration,
    /// What to do when the store is missing (`refuse`, `from_start`, `from_end`).
    pub missing_store: MissingStore,
    /// What the owners of webhooks may see.
    pub sight: Arc<dyn Sight>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retry_schedule: Schedule::default(),
            timeout: Duration::from_secs(15),
            concurrency: 16,
            concurrency_total: 1024,
            failing_per_second: 200,
            outstanding_max: 100_000,
            dead_max: 100_000,
            commit_interval: Duration::from_millis(50),
            drain: Duration::from_secs(3),
            missing_store: MissingStore::Refuse,
            sight: Arc::new(Everything),
        }
    }
}
