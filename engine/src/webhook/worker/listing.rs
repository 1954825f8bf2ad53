//! What an operator sees of a webhook's deliveries.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::outcomes::{Latencies, Outcomes};
use super::{Entry, Stage, Worker};
use crate::webhook::status::Status;
use crate::webhook::store::{Attempt, Op};

/// Deliveries that succeeded and are remembered, per webhook.
const RECENT_MAX: usize = 1000;

/// A delivery as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryView {
    /// The event's position; in decimal, the delivery's id.
    pub position: u64,
    /// How it stands.
    pub status: Status,
    /// The latest attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// When the next attempt is due, UTC ms.
    pub next_attempt_ms: Option<u64>,
    /// The delivery of the same document that it waits for.
    pub behind: Option<u64>,
}

/// A page of deliveries, newest event first.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The deliveries.
    pub deliveries: Vec<DeliveryView>,
    /// Where the next page begins, if there is one.
    pub next: Option<u64>,
}

/// Figures of a webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// `active`, `failing`, `inactive` or `disabled`.
    pub state: &'static str,
    /// Events past the last one looked at, and deliveries not settled.
    pub lag_events: u64,
    /// Age of the oldest event that waits, seconds.
    pub lag_seconds: u64,
    /// Every event up to here was looked at.
    pub cursor: u64,
    /// Deliveries not settled.
    pub outstanding: u64,
    /// Those of them that failed at least once.
    pub failing: u64,
    /// Those of them behind another of their document.
    pub parked: u64,
    /// Attempts under way.
    pub in_flight: u64,
    /// Dead deliveries.
    pub dead: u64,
    /// Attempts by outcome.
    pub outcomes: Outcomes,
    /// How long attempts took.
    pub latencies: Latencies,
    /// Why no further events are taken in although there are some: `dead_max`, `outstanding_max` or `down`.
    pub stalled: Option<&'static str>,
    /// Until when the receiver is left alone because it asked for less, UTC ms.
    pub quiet_until_ms: Option<u64>,
    /// The oldest event not settled: its time, UTC ms.
    pub oldest_ms: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Recent {
    pub(super) position: u64,
    pub(super) history: Vec<Attempt>,
}

impl Entry {
    /// How a delivery that is not settled stands.
    pub(super) fn status(&self) -> Status {
        if self.attempts == 0 { Status::Pending } else { Status::Failing }
    }
}

impl Worker {
    pub(super) fn remember(&mut self, recent: Recent) {
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(recent);
    }

    /// Up to `limit` deliveries of a status (or any) before a position.
    pub(in crate::webhook) fn list(
        &self,
        status: Option<Status>,
        before: Option<u64>,
        limit: usize,
    ) -> Page {
        let before = before.unwrap_or(u64::MAX);
        let wanted = |known: Status| status.is_none_or(|status| status == known);
        let take = limit.saturating_add(1);
        let mut found: BTreeMap<u64, DeliveryView> = BTreeMap::new();
        if wanted(Status::Succeeded) {
            for recent in self.recent.iter().filter(|recent| recent.position < before) {
                let view = view(recent.position, Status::Succeeded, &recent.history);
                found.insert(recent.position, view);
            }
        }
        if wanted(Status::Dead) {
            for (position, dead) in self.dead.range(..before).rev().take(take) {
                found.insert(*position, view(*position, Status::Dead, &dead.history));
            }
        }
        let open = self.entries.range(..before).rev().filter(|(_, entry)| wanted(entry.status()));
        for (position, _) in open.take(take) {
            found.extend(self.view(*position).map(|view| (*position, view)));
        }
        let mut deliveries: Vec<_> = found.into_values().rev().collect();
        let more = deliveries.len() > limit;
        deliveries.truncate(limit);
        let next = deliveries.last().filter(|_| more).map(|last| last.position);
        Page { deliveries, next }
    }

    /// A delivery that is not settled.
    fn view(&self, position: u64) -> Option<DeliveryView> {
        let entry = self.entries.get(&position)?;
        let head = self.lanes.head(entry.key).filter(|head| *head != position);
        Some(DeliveryView {
            next_attempt_ms: (entry.stage == Stage::Waiting).then_some(entry.next_ms),
            behind: head.filter(|_| entry.stage == Stage::Parked),
            ..view(position, entry.status(), &entry.history)
        })
    }

    /// A delivery by its position, if anything is known of it.
    pub(in crate::webhook) fn delivery(&self, position: u64) -> Option<DeliveryView> {
        self.view(position)
            .or_else(|| {
                let dead = self.dead.get(&position)?;
                Some(view(position, Status::Dead, &dead.history))
            })
            .or_else(|| {
                let recent = self.recent.iter().rev().find(|recent| recent.position == position)?;
                Some(view(position, Status::Succeeded, &recent.history))
            })
    }

    fn stalled(&self) -> Option<&'static str> {
        let full = self.placed_len() >= self.outstanding_max();
        match self.is_running() {
            true if self.dead.len() >= self.bounds.dead => Some("dead_max"),
            true if self.is_down() => Some("down"),
            true if full => Some("outstanding_max"),
            _ => None,
        }
    }

    /// Forgets dead deliveries: one, or all before a position; how many.
    pub(in crate::webhook) fn dismiss(&mut self, dead: std::ops::Range<u64>) -> u64 {
        let chosen: Vec<u64> = self.dead.range(dead).map(|(position, _)| *position).collect();
        for position in &chosen {
            self.dead.remove(position);
            let webhook = Arc::clone(&self.registration.id);
            self.ops.push(Op::Settled { webhook, position: *position });
        }
        chosen.len() as u64
    }

    /// The figures at a time when the log ends at `end`.
    pub(in crate::webhook) fn figures(&self, end: u64, now_ms: u64) -> Figures {
        // What a replay alone asks for is not late, and what is past the cursor counts there.
        let owed = || self.entries.range(..=self.cursor).filter(|(_, entry)| entry.live);
        let oldest_ms = owed().map(|(_, entry)| entry.event_ms).min();
        let state = match (&self.registration.disabled, self.registration.active) {
            (Some(_), false) => "disabled",
            (None, false) => "inactive",
            _ if self.stopped => "disabled",
            _ if self.failing_since_ms.is_some() => "failing",
            _ => "active",
        };
        let count =
            |of: fn(&Entry) -> bool| self.entries.values().filter(|entry| of(entry)).count() as u64;
        Figures {
            state,
            lag_events: end.saturating_sub(self.cursor) + owed().count() as u64,
            lag_seconds: oldest_ms.map_or(0, |oldest| now_ms.saturating_sub(oldest) / 1000),
            cursor: self.cursor,
            outstanding: self.entries.len() as u64,
            failing: count(|entry| entry.attempts > 0),
            parked: count(|entry| entry.stage == Stage::Parked),
            in_flight: self.in_flight as u64,
            dead: self.dead.len() as u64,
            outcomes: self.outcomes,
            latencies: self.times.latencies(),
            stalled: self.stalled().filter(|_| self.cursor < end),
            quiet_until_ms: self.quiet.until_ms(now_ms),
            oldest_ms,
        }
    }
}

fn view(position: u64, status: Status, history: &[Attempt]) -> DeliveryView {
    let attempts = history.to_vec();
    DeliveryView { position, status, attempts, next_attempt_ms: None, behind: None }
}
