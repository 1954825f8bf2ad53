//! Retention: which old events go, and what is kept in their place.
//!
//! Guarantees: everything is kept by default; whole closed segments go, oldest first, and never what a webhook still
//! needs; before they go, a base with all that the views held there is durable. Reads before the base are gone (410).
//! Leaves to others: the files (the log), what a base holds (the views).

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{ClosedSegment, Dropped};
use crate::view::{Progress, base_position, dump_base, fold};

/// How often retention looks for what may go.
const EVERY: Duration = Duration::from_secs(60);

/// What of the log is kept; everything by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Events older than this many seconds may go.
    pub seconds: Option<u64>,
    /// The oldest events may go while closed segments hold more than this many bytes.
    pub bytes: Option<u64>,
}

/// Says the lowest position that somebody still needs; `u64::MAX` if none.
pub(crate) type Floor = Arc<dyn Fn() -> u64 + Send + Sync>;

impl Engine {
    /// Keeps everything from the position that `floor` gives.
    pub fn add_retention_floor(&self, floor: impl Fn() -> u64 + Send + Sync + 'static) {
        self.shared().floors.lock().push(Arc::new(floor));
    }

    pub(crate) fn start_retention(&self) -> Result<()> {
        let retention = self.settings().retention;
        if retention == Retention::default() {
            return Ok(());
        }
        let engine = self.clone();
        let token = self.tasks().token();
        self.tasks().spawn("retention", async move {
            while tokio::time::timeout(EVERY, token.cancelled()).await.is_err() {
                let worker = engine.clone();
                match engine.tasks().blocking(move || worker.retain()).await {
                    Some(Ok(dropped)) if dropped.segments > 0 => {
                        tracing::info!(dropped.segments, dropped.bytes, "old events dropped");
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        tracing::warn!(%error, "retention failed; nothing was lost")
                    }
                    None => tracing::error!("retention panicked"),
                }
            }
        });
        Ok(())
    }

    /// Drops what retention lets go. Blocking.
    pub fn retain(&self) -> Result<Dropped> {
        self.finish_retention()?;
        let closed = self.log().closed_segments();
        let floor = self.floor();
        let now_ms = self.clock().now_ms();
        let Some(position) = droppable(&closed, self.settings().retention, now_ms, floor) else {
            return Ok(Dropped::default());
        };
        let _one = self.only_rewrite()?;
        self.write_base(position)?;
        // Asked again: a webhook may have been promised more while the base was made.
        let floor = self.floor();
        let position = position.min(floor.saturating_sub(1));
        let dropped = self.control(move |sequencer| sequencer.log.drop_before(position))??;
        // History below the base lives in the base alone now.
        self.rebuild_alone(&Progress::default())?;
        // A newer base than the one that history begins with waits for its turn, where a floor held the drop back.
        self.control(|sequencer| sequencer.log.drop_unreachable_bases())??;
        Ok(dropped)
    }

    fn floor(&self) -> u64 {
        let floors = self.shared().floors.lock();
        floors.iter().map(|floor| floor()).min().unwrap_or(u64::MAX)
    }

    /// Goes on with a retention that an error or the end of the process interrupted after its drop.
    fn finish_retention(&self) -> Result<()> {
        let base = base_position(self.log())?.unwrap_or(0);
        if self.snapshot().base() == base {
            return Ok(());
        }
        let _one = self.only_rewrite()?;
        self.rebuild_alone(&Progress::default()).map(drop)
    }

    fn write_base(&self, position: u64) -> Result<()> {
        let views = &self.shared().views;
        let (generation, applier) = fold(views, position, &Progress::default())?;
        drop(applier);
        let kept_ms = self.limits().idempotency_seconds.saturating_mul(1000);
        let since_ms = self.snapshot().time_ms().saturating_sub(kept_ms);
        let mut base = self.log().write_base(position)?;
        let dumped = dump_base(&views.snapshot_of(&generation), &mut base, since_ms);
        views.remove(generation);
        dumped?;
        base.finish()
    }
}

/// The last position that may go, if any.
fn droppable(
    closed: &[ClosedSegment],
    retention: Retention,
    now_ms: u64,
    floor: u64,
) -> Option<u64> {
    let total: u64 = closed.iter().map(|segment| segment.bytes).sum();
    let mut left = total;
    let mut last = None;
    for segment in closed {
        let old = retention.seconds.is_some_and(|seconds| {
            segment.last_time_ms.saturating_add(seconds.saturating_mul(1000)) < now_ms
        });
        let large = retention.bytes.is_some_and(|bytes| left > bytes);
        if !(old || large) || segment.last_position >= floor {
            break;
        }
        left -= segment.bytes;
        last = Some(segment.last_position);
    }
    last
}

impl Engine {
    /// The position that a reader of the past asks for: not ahead, not before retention.
    pub fn check_at(&self, position: u64) -> Result<u64> {
        let first = self.first_readable();
        if position > self.position() {
            let message =
                format!("position {position} is past the end of the log, {}", self.position());
            return Err(Error::invalid("at_in_future", message));
        }
        if position + 1 < first { Err(before_retention(first)) } else { Ok(position) }
    }

    /// The last position at or before a time, UTC ms; a time that is still to come is refused.
    pub fn position_at_time(&self, time_ms: u64) -> Result<u64> {
        if time_ms > self.clock().now_ms() {
            return Err(Error::invalid("at_in_future", "the time is in the future"));
        }
        let first = self.first_readable();
        let after = self.log().position_at(time_ms.saturating_add(1))?;
        if after <= first && first > 1 {
            return Err(before_retention(first));
        }
        Ok((after - 1).min(self.position()))
    }

    /// The first position whose event and state can be read.
    fn first_readable(&self) -> u64 {
        self.log().first_position().max(self.snapshot().base() + 1)
    }
}

fn before_retention(first: u64) -> Error {
    let message = format!("that is before retention; the first position kept is {first}");
    Error::new(ErrorKind::Gone, "position_gone", message).with("first", first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(index: u64) -> ClosedSegment {
        ClosedSegment {
            first_position: index * 10 + 1,
            last_position: index * 10 + 10,
            last_time_ms: index * 1000,
            bytes: 100,
        }
    }

    #[test]
    fn everything_is_kept_by_default() {
        let closed = [segment(0), segment(1)];
        assert_eq!(droppable(&closed, Retention::default(), u64::MAX, u64::MAX), None);
    }

    #[test]
    fn age_and_size_drop_from_the_oldest_and_stop_at_the_floor() {
        let closed = [segment(0), segment(1), segment(2)];
        let by_age = Retention { seconds: Some(5), bytes: None };
        assert_eq!(droppable(&closed, by_age, 6500, u64::MAX), Some(20));
        let by_size = Retention { seconds: None, bytes: Some(150) };
        assert_eq!(droppable(&closed, by_size, 0, u64::MAX), Some(20));
        assert_eq!(droppable(&closed, by_size, 0, 15), Some(10));
        assert_eq!(droppable(&closed, by_size, 0, 10), None, "position 10 is needed");
    }
}
