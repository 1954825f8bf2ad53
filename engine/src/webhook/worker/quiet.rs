//! Leaving a receiver alone that asks for less: no attempt of the whole webhook for a while.
//!
//! Guarantees: each answer that asks for less doubles the pause, from 100 ms to 30 s, but those of attempts that were
//! under way together count once; `Retry-After` can only lengthen it, to an hour at most (the delivery itself waits for as
//! long as it was told, `schedule`). A success ends what there is of it.

use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_millis(100);
/// The longest that doubling gives.
const DOUBLED_MAX: Duration = Duration::from_secs(30);
/// The longest that a receiver can ask for.
const ASKED_MAX: Duration = Duration::from_secs(3600);

/// When the webhook may be attempted again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quiet {
    until: Duration,
    until_ms: u64,
    /// When it was last lengthened by doubling, UTC ms.
    since_ms: u64,
    doubled: u32,
}

/// Whether an answer says that there are too many requests: 429, or a gateway without its receiver (502, 504); a 503 does
/// where it says how long.
pub(super) fn asks_for_less(status: Option<u16>, retry_after: Option<Duration>) -> bool {
    match status {
        Some(429 | 502 | 504) => true,
        Some(503) => retry_after.is_some(),
        _ => false,
    }
}

impl Quiet {
    /// A receiver asked for less, at an attempt that began at `began_ms`.
    pub(super) fn lengthen(
        &mut self,
        began_ms: u64,
        asked: Option<Duration>,
        now_ms: u64,
        now: Duration,
    ) {
        let mut pause = asked.unwrap_or_default().min(ASKED_MAX);
        if self.doubled == 0 || began_ms > self.since_ms {
            let doubled = FIRST.saturating_mul(1 << self.doubled.min(16)).min(DOUBLED_MAX);
            pause = pause.max(doubled);
            self.doubled += 1;
            self.since_ms = now_ms;
        }
        if now + pause > self.until {
            self.until = now + pause;
            self.until_ms = now_ms + u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        }
    }

    /// An attempt that began at `began_ms` succeeded. One that was under way already when the pause began says nothing.
    pub(super) fn succeeded(&mut self, began_ms: u64) {
        if self.doubled > 0 && began_ms > self.since_ms {
            *self = Self::default();
        }
    }

    /// How long until the next attempt may be made.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        self.until.saturating_sub(now)
    }

    /// Until when, UTC ms, if it is at present.
    pub(super) fn until_ms(&self, now_ms: u64) -> Option<u64> {
        (self.until_ms > now_ms).then_some(self.until_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn r17_each_answer_doubles_the_pause_and_those_under_way_together_count_once() {
        let mut quiet = Quiet::default();
        quiet.lengthen(1000, None, 1010, ms(10));
        assert_eq!(quiet.wait(ms(10)), ms(100));
        quiet.lengthen(1005, None, 1015, ms(15));
        assert_eq!(quiet.wait(ms(10)), ms(100), "it was under way already");
        quiet.lengthen(1111, None, 1120, ms(120));
        assert_eq!(quiet.wait(ms(120)), ms(200));
        for n in 0..20 {
            let at = 2000 + n;
            quiet.lengthen(at, None, at, ms(at));
        }
        assert_eq!(quiet.wait(ms(2019)), Duration::from_secs(30));
        quiet.succeeded(2019);
        assert_eq!(quiet.wait(ms(2019)), Duration::from_secs(30), "it was under way already");
        quiet.succeeded(2020);
        assert_eq!((quiet.wait(ms(2020)), quiet.until_ms(2020)), (Duration::ZERO, None));
    }

    #[test]
    fn r17_retry_after_lengthens_up_to_an_hour() {
        let mut quiet = Quiet::default();
        quiet.lengthen(0, Some(Duration::from_secs(7)), 0, ms(0));
        assert_eq!((quiet.wait(ms(0)), quiet.until_ms(0)), (ms(7000), Some(7000)));
        quiet.lengthen(0, Some(Duration::from_secs(9)), 0, ms(0));
        assert_eq!(quiet.wait(ms(0)), ms(9000), "asked for under way together");
        quiet.lengthen(0, Some(Duration::from_secs(90_000)), 0, ms(0));
        assert_eq!(quiet.wait(ms(0)), Duration::from_secs(3600));
    }

    #[test]
    fn what_asks_for_less() {
        let asked = Some(Duration::from_secs(1));
        for (status, retry_after, asks) in [
            (Some(429), None, true),
            (Some(502), None, true),
            (Some(504), None, true),
            (Some(503), asked, true),
            (Some(503), None, false),
            (Some(500), asked, false),
            (Some(200), asked, false),
            (None, None, false),
        ] {
            assert_eq!(asks_for_less(status, retry_after), asks, "{status:?}");
        }
    }
}
