//! A rate: at most so many a second, evenly, with a tenth of a second's worth at once after a pause.

use std::time::Duration;

/// When the next one may be.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::webhook) struct Pace {
    interval: Duration,
    next: Duration,
}

/// What a pause saves up.
const BURST: Duration = Duration::from_millis(100);

impl Pace {
    /// At most `rate` a second; `None`: as fast as can be.
    pub(in crate::webhook) fn set_rate(&mut self, rate: Option<u32>) {
        self.interval = rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1));
    }

    /// How long until the next one.
    pub(in crate::webhook) fn wait(&self, now: Duration) -> Duration {
        if self.interval.is_zero() { Duration::ZERO } else { self.next.saturating_sub(now) }
    }

    /// Whether one may be now.
    pub(in crate::webhook) fn is_due(&self, now: Duration) -> bool {
        self.wait(now).is_zero()
    }

    /// One is made.
    pub(in crate::webhook) fn take(&mut self, now: Duration) {
        self.next = self.next.max(now.saturating_sub(BURST)) + self.interval;
    }
}
