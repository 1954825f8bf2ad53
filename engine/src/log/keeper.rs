//! The two loops that run beside the writer, each on a thread of its own: one writes the head, one makes the next
//! segment's file ahead.
//!
//! Guarantees: while [`HeadKeeper::run`] runs, the head is written within 50 ms of an acknowledgement (disk permitting).
//! Leaves to others: starting them through [`crate::tasks::Tasks`].

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::roll;
use super::shared::Shared;
use crate::error::Result;

/// How long a change of the end waits for company before the head is written.
const HEAD_DELAY: Duration = Duration::from_millis(20);
/// How often an idle loop looks whether it should stop.
const IDLE: Duration = Duration::from_millis(100);
/// Pause after a failure to make a file ahead; the writer makes one itself when it needs it.
const PREPARE_PAUSE_ROUNDS: u32 = 20;

/// Keeps the head file near the end of the log.
#[derive(Clone)]
pub struct HeadKeeper {
    shared: Arc<Shared>,
}

impl HeadKeeper {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Writes the head if the log went on since; tells whether it did.
    pub fn write(&self) -> Result<bool> {
        self.shared.write_head()
    }

    /// Runs until `stop`; writes the head a last time then.
    pub fn run(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            if self.shared.head_wanted.wait(IDLE) {
                std::thread::sleep(HEAD_DELAY);
                // A failure stops the log and is reported by it.
                let _ = self.write();
            }
        }
        let _ = self.write();
    }
}

/// Makes the next segment's file ahead, so that rolling does not wait for its zeros.
#[derive(Clone)]
pub struct SegmentPreparer {
    shared: Arc<Shared>,
}

impl SegmentPreparer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Makes the file if it is not there yet; tells whether it made one.
    pub fn prepare_next(&self) -> Result<bool> {
        roll::prepare(&self.shared)
    }

    /// Runs until `stop`: makes a file whenever the active segment is half full.
    pub fn run(&self, stop: &CancellationToken) {
        let mut pause = 0;
        while !stop.is_cancelled() {
            if !self.shared.prepared_wanted.wait(IDLE) {
                continue;
            }
            if let Err(error) = self.prepare_next() {
                tracing::warn!(error = %error, "cannot make the next log segment ahead");
                pause = PREPARE_PAUSE_ROUNDS;
            }
            while pause > 0 && !stop.is_cancelled() {
                std::thread::sleep(IDLE);
                pause -= 1;
            }
        }
    }
}
