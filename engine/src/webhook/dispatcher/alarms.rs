//! When which webhook needs a turn although nothing happens: one time each, the earliest that was asked for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// The times, by the engine's monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    queue: BTreeSet<(Duration, Arc<str>)>,
    times: HashMap<Arc<str>, Duration>,
}

impl Alarms {
    /// Has a webhook woken at a time, unless it is sooner anyway.
    pub(super) fn set(&mut self, webhook: &Arc<str>, at: Duration) {
        if let Some(sooner) = self.times.get(webhook) {
            if *sooner <= at {
                return;
            }
            self.queue.remove(&(*sooner, Arc::clone(webhook)));
        }
        self.times.insert(Arc::clone(webhook), at);
        self.queue.insert((at, Arc::clone(webhook)));
    }

    /// Takes a webhook out whose time has come, if there is one.
    pub(super) fn pop_due(&mut self, now: Duration) -> Option<Arc<str>> {
        if self.next()? > now {
            return None;
        }
        let (_, webhook) = self.queue.pop_first()?;
        self.times.remove(&webhook);
        Some(webhook)
    }

    /// The next time.
    pub(super) fn next(&self) -> Option<Duration> {
        self.queue.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_time_of_each_counts() {
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let seconds = Duration::from_secs;
        let mut alarms = Alarms::default();
        alarms.set(&a, seconds(5));
        alarms.set(&b, seconds(4));
        alarms.set(&a, seconds(3));
        alarms.set(&b, seconds(9));
        assert_eq!((alarms.next(), alarms.pop_due(seconds(2))), (Some(seconds(3)), None));
        assert_eq!(alarms.pop_due(seconds(4)).as_deref(), Some("a"));
        assert_eq!(alarms.pop_due(seconds(4)).as_deref(), Some("b"));
        assert_eq!((alarms.next(), alarms.pop_due(seconds(99))), (None, None));
        alarms.set(&a, seconds(7));
        assert_eq!(alarms.next(), Some(seconds(7)));
    }
}
