//! When a failed delivery is tried again.
//!
//! Guarantees: the delay before the n-th attempt is the n-th of the schedule, lengthened at random by up to 20 %;
//! `Retry-After` can only lengthen it, to 24 h at most. After the last of the schedule there is no further attempt.

use std::time::Duration;

use crate::clock::Clock;

/// The longest `Retry-After` that is honoured.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);

/// The delays before each attempt, the first one's included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    delays: Vec<Duration>,
}

impl Schedule {
    /// A schedule of these delays; none at all means a single attempt at once.
    pub fn new(delays: Vec<Duration>) -> Self {
        let delays = if delays.is_empty() { vec![Duration::ZERO] } else { delays };
        Self { delays }
    }

    /// How many attempts a delivery has.
    pub fn attempts(&self) -> u32 {
        u32::try_from(self.delays.len()).unwrap_or(u32::MAX)
    }

    /// Milliseconds to wait after `made` attempts; `None` when there are no more.
    pub fn delay_ms(
        &self,
        made: u32,
        retry_after: Option<Duration>,
        clock: &dyn Clock,
    ) -> Option<u64> {
        let delay = self.delays.get(usize::try_from(made).unwrap_or(usize::MAX))?;
        let base = millis(*delay);
        let mut random = [0; 8];
        clock.fill_random(&mut random);
        let jitter = u64::from_le_bytes(random) % (base / 5 + 1);
        let asked = retry_after.map_or(0, |wait| millis(wait.min(RETRY_AFTER_MAX)));
        Some((base + jitter).max(asked))
    }
}

impl Default for Schedule {
    /// 0 s, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
    fn default() -> Self {
        let hour = 3600;
        let seconds =
            [0, 5, 300, 1800, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour];
        Self::new(seconds.into_iter().map(Duration::from_secs).collect())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn r17_delays_follow_the_schedule_with_jitter() {
        let clock = ManualClock::new(0, 1);
        let schedule = Schedule::default();
        assert_eq!(schedule.attempts(), 10);
        assert_eq!(schedule.delay_ms(0, None, &*clock), Some(0));
        for _ in 0..200 {
            let delay = schedule.delay_ms(1, None, &*clock).unwrap();
            assert!((5000..=6000).contains(&delay), "{delay}");
        }
        let last = schedule.delay_ms(9, None, &*clock).unwrap();
        assert!((86_400_000..=103_680_000).contains(&last), "{last}");
        assert_eq!(schedule.delay_ms(10, None, &*clock), None);
    }

    #[test]
    fn r17_retry_after_lengthens_up_to_a_day() {
        let clock = ManualClock::new(0, 1);
        let schedule = Schedule::default();
        let asked = |seconds| schedule.delay_ms(1, Some(Duration::from_secs(seconds)), &*clock);
        assert_eq!(asked(100), Some(100_000));
        assert_eq!(asked(1_000_000), Some(86_400_000));
        assert!(asked(1).unwrap() >= 5000);
        assert_eq!(schedule.delay_ms(10, Some(Duration::from_secs(1)), &*clock), None);
    }
}
