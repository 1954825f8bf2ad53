//! The time that one request may take with all the queries that it makes.

use std::time::Duration;

use headwater_engine::{Error, Result};

use crate::session::Session;

/// When the last of several queries may begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    end: Duration,
    deadline_ms: u64,
}

impl Patience {
    /// As long as one query may take, from now on.
    pub(super) fn of(session: &Session) -> Self {
        let deadline_ms = session.engine().limits().query_deadline_ms;
        let now = session.engine().clock().monotonic();
        Self { end: now + Duration::from_millis(deadline_ms), deadline_ms }
    }

    /// Fails when the time is over.
    pub(super) fn check(self, session: &Session) -> Result<()> {
        if session.engine().clock().monotonic() <= self.end {
            return Ok(());
        }
        let max = self.deadline_ms;
        let message = format!(
            "the queries for what the answer embeds or asks for took longer than {max} ms \
             (limits.query_deadline_ms); an index or a smaller max helps"
        );
        Err(Error::limit("limits.query_deadline_ms", max, message))
    }
}
