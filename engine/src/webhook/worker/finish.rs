//! What follows from the end of an attempt.

use std::sync::Arc;

use super::listing::Recent;
use super::quiet::asks_for_less;
use super::{HISTORY_MAX, Stage, Worker};
use crate::clock::Clock;
use crate::webhook::schedule::Schedule;
use crate::webhook::store::{Attempt, Op, Outstanding};
use crate::webhook::transport::DeliveryResult;

/// How long a webhook may fail before it is disabled, milliseconds.
const FAILING_MS_MAX: u64 = 5 * 24 * 3600 * 1000;
/// Longest text of an error that is kept, bytes.
const ERROR_BYTES_MAX: usize = 200;

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(in crate::webhook) enum Ending {
    /// It was made.
    Made(DeliveryResult),
    /// It could not be made for a reason that is not the receiver's; it is tried again after a while.
    NotMade(String),
    /// The event cannot be read any more; there is nothing to send.
    Lost(String),
    /// The webhook's owner may not see the event any more; nothing was sent.
    Hidden,
}

impl Ending {
    /// Whether the receiver took it.
    pub(in crate::webhook) fn is_success(&self) -> bool {
        matches!(self, Self::Made(result) if result.is_success())
    }

    /// Up to where the receiver has everything, if it took this one and says so.
    pub(in crate::webhook) fn commit(&self) -> Option<u64> {
        match self {
            Self::Made(result) if result.is_success() => result.commit,
            _ => None,
        }
    }
}

/// What the dispatcher has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::webhook) enum After {
    /// Nothing more.
    Continue,
    /// Disable the webhook, for this reason.
    Disable(&'static str),
}

impl Worker {
    /// Takes notice of the end of an attempt that began at `began_ms`.
    pub(in crate::webhook) fn finish(
        &mut self,
        position: u64,
        began_ms: u64,
        ending: &Ending,
        schedule: &Schedule,
        clock: &dyn Clock,
    ) -> After {
        self.in_flight = self.in_flight.saturating_sub(1);
        let result = match ending {
            Ending::Made(result) => result,
            Ending::Lost(why) => {
                self.record(position, attempt(began_ms, &DeliveryResult::default(), Some(why)));
                if !self.is_left_over(position) {
                    self.bury(position);
                }
                return After::Continue;
            }
            Ending::NotMade(why) => {
                // It counts for the delivery, which must not wait for ever, and not for the receiver.
                self.record(position, attempt(began_ms, &DeliveryResult::default(), Some(why)));
                if !self.is_left_over(position) {
                    self.again(position, &DeliveryResult::default(), schedule, clock);
                }
                return After::Continue;
            }
            Ending::Hidden => {
                // Settled in silence: neither a success nor a failure.
                if let Some(entry) = self.forget(position) {
                    self.count_replayed(entry.replay, |_| {});
                }
                return After::Continue;
            }
        };
        self.record(position, attempt(began_ms, result, None));
        self.outcomes.count(result);
        self.times.count(result.duration);
        if result.is_success() {
            self.quiet.succeeded(began_ms);
            self.succeeded(position);
            return After::Continue;
        }
        if asks_for_less(result.status, result.retry_after) {
            let (now_ms, now) = (clock.now_ms(), clock.monotonic());
            self.quiet.lengthen(began_ms, result.retry_after, now_ms, now);
        }
        self.failed(position, result, schedule, clock)
    }

    /// Takes notice of the end of an attempt that failed at a receiver to which the webhook does not go any more: it is made
    /// again at once.
    pub(in crate::webhook) fn again_elsewhere(&mut self, position: u64, now_ms: u64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if !self.is_left_over(position) {
            self.wait_until(position, now_ms);
        }
    }

    fn record(&mut self, position: u64, attempt: Attempt) {
        let Some(entry) = self.entries.get_mut(&position) else { return };
        if entry.history.len() == HISTORY_MAX {
            entry.history.remove(0);
        }
        entry.history.push(attempt);
    }

    fn succeeded(&mut self, position: u64) {
        self.healthy = true;
        (self.failures_in_a_row, self.down_in_a_row) = (0, 0);
        // One more for each success doubles it with each round.
        self.allowed = (self.allowed + 1).min(self.concurrency);
        if self.failing_since_ms.take().is_some() {
            self.dirty = true;
        }
        if let Some(entry) = self.forget(position) {
            self.count_replayed(entry.replay, |state| state.succeeded += 1);
            self.remember(Recent { position, history: entry.history });
        }
    }

    fn failed(
        &mut self,
        position: u64,
        result: &DeliveryResult,
        schedule: &Schedule,
        clock: &dyn Clock,
    ) -> After {
        let now_ms = clock.now_ms();
        self.healthy = false;
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        if !answers(result.status) {
            self.down_in_a_row = self.down_in_a_row.saturating_add(1);
        }
        self.allowed = (self.allowed / 2).max(1);
        let failing_since = *self.failing_since_ms.get_or_insert(now_ms);
        self.dirty = true;
        if !self.is_left_over(position) {
            self.again(position, result, schedule, clock);
        }
        if result.is_gone() && !self.stopped {
            self.stopped = true;
            return After::Disable("the receiver answered 410");
        }
        if now_ms.saturating_sub(failing_since) >= FAILING_MS_MAX && !self.stopped {
            self.stopped = true;
            return After::Disable("every attempt failed for 5 days");
        }
        After::Continue
    }

    /// Has a failed delivery wait for its next attempt, or gives it up.
    fn again(
        &mut self,
        position: u64,
        result: &DeliveryResult,
        schedule: &Schedule,
        clock: &dyn Clock,
    ) {
        if let Some((_, due_ms)) = self.probe.take_if(|(probed, _)| *probed == position) {
            // It was before its time, and does not count.
            return self.wait_until(position, due_ms);
        }
        let Some(entry) = self.entries.get_mut(&position) else { return };
        entry.attempts += 1;
        let retry = schedule.delay_ms(entry.attempts, result.retry_after, clock);
        match retry {
            // A receiver that wants no more has not failed this one: it waits for the webhook to be active again.
            _ if result.is_gone() => self.wait_until(position, clock.now_ms()),
            Some(delay_ms) => self.wait_until(position, clock.now_ms().saturating_add(delay_ms)),
            None => self.bury(position),
        }
    }

    /// Takes it that the receiver has everything up to a position (`Headwater-Commit`): what is owed up to there is not
    /// sent. What a replay asks for is, and dead deliveries stay.
    pub(in crate::webhook) fn commit_to(&mut self, to: u64) {
        if to <= self.committed_to {
            return;
        }
        self.committed_to = to;
        self.pass_over(to);
    }

    /// Has a delivery wait, and saves it with those behind it.
    fn wait_until(&mut self, position: u64, next_ms: u64) {
        let Some(entry) = self.entries.get_mut(&position) else { return };
        entry.stage = Stage::Waiting;
        entry.next_ms = next_ms.max(1);
        let key = entry.key;
        self.due.insert((entry.next_ms, position));
        self.save(position);
        for parked in self.lanes.parked(key) {
            if self.entries.get(&parked).is_some_and(|entry| !entry.saved) {
                self.save(parked);
            }
        }
    }

    /// Gives a delivery up.
    pub(super) fn bury(&mut self, position: u64) {
        self.outcomes.dead += 1;
        let Some(mut entry) = self.forget(position) else { return };
        self.count_replayed(entry.replay, |state| state.failed += 1);
        (entry.next_ms, entry.alone, entry.revived) = (0, false, false);
        self.lay_down(position, entry.outstanding());
    }

    /// Keeps a delivery as dead.
    pub(super) fn lay_down(&mut self, position: u64, delivery: Arc<Outstanding>) {
        self.dead.insert(position, Arc::clone(&delivery));
        let webhook = Arc::clone(&self.registration.id);
        self.ops.push(Op::Dead { webhook, position, delivery });
    }
}

/// Whether a receiver is there and refuses this one delivery.
fn answers(status: Option<u16>) -> bool {
    status.is_some_and(|status| (400..500).contains(&status) && ![408, 410, 429].contains(&status))
}

fn attempt(time_ms: u64, result: &DeliveryResult, lost: Option<&String>) -> Attempt {
    let error = lost.or(result.error.as_ref()).map(|error| {
        let end = error.floor_char_boundary(ERROR_BYTES_MAX);
        error[..end].to_owned()
    });
    let duration_ms = u32::try_from(result.duration.as_millis()).unwrap_or(u32::MAX);
    Attempt { time_ms, status: result.status, duration_ms, error }
}
