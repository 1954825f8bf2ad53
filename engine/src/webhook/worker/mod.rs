//! The deliveries of one webhook: what is to be sent, in which order, and what became of it.
//!
//! Guarantees: of one document at most one delivery is under way, and the next begins only when it is settled (delivered or
//! dead); others flow past it. The cursor that is saved never passes an event that is neither settled nor saved as
//! outstanding. Memory is bounded: at most [`Bounds::outstanding`] deliveries (fewer while every attempt fails; after a
//! crash once as many that were saved ahead of the cursor), [`WINDOW`] of them with bodies; later events stay in the log.
//! Pure state: no clock is read, nothing is sent or written here.
//!
//! A delivery is *unsaved* while it is known here alone: it holds the saved cursor back. It is *saved*, by position, once
//! it failed, stands behind one that did, or takes long. So the usual delivery is never written anywhere: only the cursor
//! moves.

mod admit;
mod finish;
mod lanes;
mod listing;
mod outcomes;
mod pace;
mod quiet;
mod ready;
mod replaying;
mod save;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use self::lanes::Lanes;
use self::outcomes::Times;
use self::quiet::Quiet;
use self::ready::Ready;
use self::replaying::Replaying;
use super::format::Format;
use super::registration::{Order, Registration};
use super::registry::Registered;
use super::status::Status;
use super::store::{Attempt, Op, Outstanding, SavedWebhook};
use crate::subscribe::BodyProjection;

pub(super) use self::finish::{After, Ending};
pub use self::listing::{DeliveryView, Figures, Page};
pub use self::outcomes::{BUCKETS_MS, Latencies, Outcomes};
pub(super) use self::pace::Pace;
pub(super) use self::replaying::Retry;

/// Most deliveries that wait for their next attempt while a receiver seems to be down: the rest waits in the log.
const DOWN_MAX: usize = 1000;
/// Most deliveries altogether then: those behind others of their documents count here.
const DOWN_PARKED_MAX: usize = 10_000;
/// Failures without a success in between after which a receiver seems to be down.
const DOWN_AFTER: u32 = 100;
/// Failures without a success in between after which a receiver counts as failing.
const FAILING_AFTER: u32 = 3;
/// How often a delivery is attempted before its time to see whether a receiver is still down, milliseconds.
const PROBE_MS: u64 = 30_000;
/// Most deliveries with their bodies in memory.
pub(super) const WINDOW: usize = 2048;
/// Most bytes of such bodies.
pub(super) const WINDOW_BYTES: usize = 4 << 20;
/// Most deliveries that are ready to be attempted while a receiver is not known to take them: those behind them can wait
/// in the log as well.
const READY_MAX: usize = 64;
/// How long a delivery may hold the saved cursor back.
const SAVE_AFTER: Duration = Duration::from_secs(1);
/// Attempts kept of one delivery.
const HISTORY_MAX: usize = 10;

/// What is sent, shared by all webhooks that get the event.
#[derive(Debug)]
pub(super) struct Payload {
    pub(super) body: Bytes,
    pub(super) digest: [u8; 32],
    /// In which form the body was made.
    pub(super) format: Format,
    /// By which projection it was made.
    pub(super) projection: Option<BodyProjection>,
}

impl Payload {
    /// Whether it is what a registration asks for.
    pub(super) fn is_of(&self, registration: &Registration) -> bool {
        self.format == registration.format && self.projection == registration.projection
    }
}

/// How a webhook's receiver does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// The last attempt succeeded.
    Well,
    /// Nothing was attempted yet, or the last few attempts failed.
    Unsure,
    /// It fails time after time.
    Failing,
}

/// How much of a webhook is held at a time; see [`super::Options`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Attempts at a time, where the webhook does not say.
    pub(super) concurrency: usize,
    /// Deliveries that are not settled.
    pub(super) outstanding: usize,
    /// Dead deliveries; past it no further events are taken until some are sent again or the webhook is removed.
    pub(super) dead: usize,
}

/// An event to be delivered.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) position: u64,
    pub(super) key: u64,
    pub(super) event_ms: u64,
    pub(super) payload: Arc<Payload>,
    /// The standing of the webhook's owner when the event was seen fit.
    pub(super) standing: Option<u64>,
}

/// An attempt to be made.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) position: u64,
    /// What to send; `None`: to be read from the log.
    pub(super) payload: Option<Arc<Payload>>,
    /// The standing of the webhook's owner when the event was seen fit.
    pub(super) standing: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Behind another delivery of its document.
    Parked,
    /// To be attempted as soon as there is a place.
    Ready,
    /// Being attempted.
    InFlight,
    /// To be attempted again at a time.
    Waiting,
}

#[derive(Debug)]
struct Entry {
    key: u64,
    event_ms: u64,
    payload: Option<Arc<Payload>>,
    standing: Option<u64>,
    stage: Stage,
    saved: bool,
    since: Duration,
    next_ms: u64,
    attempts: u32,
    replay: Option<u64>,
    /// Whether it is owed without the replay as well.
    live: bool,
    /// Whether the replay has counted it as sent.
    sent: bool,
    /// Whether it goes out of its document's order, as its replay asks.
    alone: bool,
    /// Whether it was dead before its replay took it up.
    revived: bool,
    /// Its place among the ready: of the replay or not, and its number.
    place: Option<(bool, u64)>,
    history: Vec<Attempt>,
}

/// The deliveries of one webhook.
pub(super) struct Worker {
    pub(super) registration: Arc<Registration>,
    /// The number of the registry's change that brought the registration.
    pub(super) change: u64,
    /// Every event up to here was looked at.
    pub(super) cursor: u64,
    /// Whether events are being read for it.
    pub(super) reading: bool,
    /// Where it waits for its turn: the queue, and the number of its place.
    pub(super) turn: Option<(Health, u64)>,
    /// Whether it was told to stop, ahead of its registration.
    pub(super) stopped: bool,
    /// Whether its registration seems to be gone.
    pub(super) absent: bool,
    /// The replay under way.
    pub(super) replay: Option<Replaying>,
    /// Attempts under way.
    pub(super) in_flight: usize,
    /// Whether its last attempt succeeded.
    pub(super) healthy: bool,
    entries: BTreeMap<u64, Entry>,
    lanes: Lanes,
    /// Saved deliveries past the cursor that was saved; they stand in no lane yet.
    held: BTreeSet<u64>,
    ready: Ready,
    ready_replay: Ready,
    due: BTreeSet<(u64, u64)>,
    unsaved: BTreeSet<u64>,
    body_bytes: usize,
    dead: BTreeMap<u64, Arc<Outstanding>>,
    recent: VecDeque<listing::Recent>,
    outcomes: Outcomes,
    times: Times,
    quiet: Quiet,
    failures_in_a_row: u32,
    /// Those of them that were no answer of a receiver that works.
    down_in_a_row: u32,
    /// What is attempted before its time to see whether the receiver is still down: the position, and that time.
    probe: Option<(u64, u64)>,
    /// When the next may be.
    probe_ms: u64,
    bounds: Bounds,
    /// Up to where the receiver says that it has everything.
    pub(super) committed_to: u64,
    /// Most attempts at a time now: doubles with each success, halves with each failure.
    allowed: usize,
    concurrency: usize,
    pace: Pace,
    failing_since_ms: Option<u64>,
    skipped_to: u64,
    committed: u64,
    ops: Vec<Op>,
    dirty: bool,
    /// Whether the saved cursor is behind something that was delivered.
    delivered: bool,
    /// When the cursor was saved last.
    cursor_saved: Duration,
}

impl Worker {
    /// The worker of a webhook, going on from what was saved, or from its start.
    pub(super) fn new(
        registered: &Registered,
        saved: Option<&SavedWebhook>,
        bounds: Bounds,
        now: Duration,
    ) -> Self {
        let registration = Arc::clone(&registered.registration);
        let cursor = saved.map_or(registration.start, |saved| saved.cursor.max(saved.skipped_to));
        let failing_since_ms = saved.and_then(|saved| saved.failing_since_ms);
        let mut worker = Self {
            change: registered.change,
            cursor,
            reading: false,
            turn: None,
            stopped: false,
            absent: false,
            replay: None,
            in_flight: 0,
            healthy: false,
            entries: BTreeMap::new(),
            lanes: Lanes::default(),
            held: BTreeSet::new(),
            ready: Ready::default(),
            ready_replay: Ready::default(),
            due: BTreeSet::new(),
            unsaved: BTreeSet::new(),
            body_bytes: 0,
            dead: saved.map(|saved| saved.dead.clone()).unwrap_or_default(),
            recent: VecDeque::new(),
            outcomes: Outcomes::default(),
            times: Times::default(),
            quiet: Quiet::default(),
            failures_in_a_row: if failing_since_ms.is_some() { FAILING_AFTER } else { 0 },
            down_in_a_row: 0,
            probe: None,
            probe_ms: 0,
            bounds,
            committed_to: 0,
            allowed: 1,
            concurrency: bounds.concurrency,
            pace: Pace::default(),
            failing_since_ms,
            skipped_to: saved.map_or(0, |saved| saved.skipped_to),
            committed: cursor,
            ops: Vec::new(),
            dirty: saved.is_none(),
            delivered: false,
            cursor_saved: now,
            registration,
        };
        if let Some(saved) = saved {
            worker.restore(saved, now);
        }
        worker.configure();
        worker
    }

    fn restore(&mut self, saved: &SavedWebhook, now: Duration) {
        // Within a document, what was live goes before what is replayed.
        let live = saved.outstanding.iter().filter(|(_, delivery)| delivery.live);
        let replayed = saved.outstanding.iter().filter(|(_, delivery)| !delivery.live);
        for (position, delivery) in live.chain(replayed) {
            self.readmit(*position, delivery, now);
        }
    }

    /// Takes a saved delivery up again.
    fn readmit(&mut self, position: u64, delivery: &Outstanding, now: Duration) {
        let entry = Entry {
            key: delivery.key,
            event_ms: delivery.event_ms,
            payload: None,
            standing: None,
            stage: Stage::Parked,
            saved: true,
            since: now,
            next_ms: delivery.next_ms,
            attempts: delivery.attempts,
            replay: delivery.replay,
            live: delivery.live,
            sent: delivery.attempts > 0,
            alone: delivery.alone,
            revived: delivery.revived,
            place: None,
            history: delivery.history.clone(),
        };
        let ahead = entry.live && !entry.alone && position > self.cursor;
        match self.registration.order {
            Order::PerDocument if ahead => self.hold(position, entry),
            _ => self.admit(position, entry),
        }
    }

    /// Takes over a changed registration.
    pub(super) fn update(&mut self, registered: &Registered) {
        let before =
            std::mem::replace(&mut self.registration, Arc::clone(&registered.registration));
        self.change = registered.change;
        if self.registration.active && (!before.active || before.url != self.registration.url) {
            self.stopped = false;
            self.allowed = 1;
            (self.failures_in_a_row, self.down_in_a_row) = (0, 0);
            self.quiet = Quiet::default();
            self.healthy = false;
            self.failing_since_ms = None;
            self.dirty = true;
        }
        if before.order != self.registration.order {
            self.rebuild_lanes();
        }
        self.configure();
    }

    fn configure(&mut self) {
        let own = self.registration.concurrency.map(|own| own as usize);
        self.concurrency = own.unwrap_or(self.bounds.concurrency).max(1);
        self.allowed = self.allowed.clamp(1, self.concurrency);
        self.pace.set_rate(self.registration.rate_per_second);
        if let Some(skip_to) = self.registration.skip_to
            && skip_to > self.skipped_to
        {
            self.skip(skip_to);
        }
    }

    /// Leaves out everything up to a position that is not delivered.
    fn skip(&mut self, skip_to: u64) {
        self.skipped_to = skip_to;
        self.dirty = true;
        self.pass_over(skip_to);
    }

    /// Leaves out what is owed up to a position. What a replay asks for is still sent, and what was dead before somebody
    /// had it sent again is dead again.
    pub(super) fn pass_over(&mut self, to: u64) {
        self.cursor = self.cursor.max(to);
        let owed: Vec<u64> = self.entries.range(..=to).map(|(position, _)| *position).collect();
        for position in owed {
            let Some(entry) = self.entries.get_mut(&position) else { continue };
            match (entry.replay, entry.stage, entry.revived) {
                // It is left over if it fails.
                (None, Stage::InFlight, _) => {
                    entry.live = false;
                    if entry.saved {
                        self.save(position);
                    }
                }
                (None, _, true) => self.lay_back(position),
                (None, _, false) => drop(self.forget(position)),
                (Some(_), _, _) => {
                    entry.live = false;
                    self.save(position);
                }
            }
        }
        self.let_in_held(self.cursor);
    }

    /// Whether attempts are to be made.
    pub(super) fn is_running(&self) -> bool {
        self.registration.active && !self.stopped && !self.absent
    }

    /// Whether further events may be taken in.
    pub(super) fn has_room(&self) -> bool {
        self.is_running()
            && self.ready.len() < self.ready_max()
            && self.placed_len() < self.outstanding_max()
            && self.unsaved_len() < WINDOW
            && self.body_bytes < WINDOW_BYTES
            && self.dead.len() < self.bounds.dead
    }

    /// Most deliveries that are not settled. While nothing succeeds there is no point in trying the whole log; but a single
    /// document that fails must not stop the others, so what counts is how many failed.
    fn outstanding_max(&self) -> usize {
        match self.down_in_a_row >= DOWN_AFTER {
            true if self.due.len() >= DOWN_MAX => 0,
            true => self.bounds.outstanding.min(DOWN_PARKED_MAX),
            false => self.bounds.outstanding,
        }
    }

    /// Whether it seems to be down, and has so many failed deliveries that no more are taken in.
    fn is_down(&self) -> bool {
        self.down_in_a_row >= DOWN_AFTER && self.due.len() >= DOWN_MAX
    }

    /// How many events to read for it now; 0 until there is room for half a window.
    pub(super) fn room(&self) -> usize {
        let (unsaved, ready_max) = (self.unsaved_len(), self.ready_max());
        if !self.has_room() || unsaved > WINDOW / 2 || self.ready.len() > ready_max / 2 {
            return 0;
        }
        let room = (WINDOW - unsaved).min(self.outstanding_max() - self.placed_len());
        room.min(ready_max - self.ready.len())
    }

    fn ready_max(&self) -> usize {
        if self.healthy { WINDOW } else { READY_MAX }
    }

    /// Deliveries that are not settled, without those held: they wait for earlier events, which so always have room.
    fn placed_len(&self) -> usize {
        self.entries.len() - self.held.len()
    }

    fn unsaved_len(&self) -> usize {
        self.unsaved.len() + self.replay.as_ref().map_or(0, |replay| replay.unsaved.len())
    }

    /// Makes ready what is due.
    pub(super) fn tick(&mut self, now_ms: u64) {
        while let Some((due_ms, position)) = self.due.first().copied()
            && due_ms <= now_ms
        {
            self.due.pop_first();
            self.take_turn(position);
        }
        // The times of what failed may be hours away; the receiver may work again long before.
        if self.is_down() && self.ready.is_empty() && self.in_flight == 0 && self.probe_ms <= now_ms
        {
            self.probe_ms = now_ms + PROBE_MS;
            if let Some((due_ms, position)) = self.due.pop_first() {
                self.probe = Some((position, due_ms));
                self.take_turn(position);
            }
        }
    }

    /// Makes a delivery ready whose time has come, if it is its turn in its document.
    fn take_turn(&mut self, position: u64) {
        let Some(entry) = self.entries.get_mut(&position) else { return };
        let in_order = self.registration.order == Order::PerDocument && !entry.alone;
        if in_order && self.lanes.head(entry.key) != Some(position) {
            entry.stage = Stage::Parked;
            return;
        }
        self.make_ready(position);
    }

    /// How its receiver does.
    pub(super) fn health(&self) -> Health {
        match self.failures_in_a_row {
            _ if self.healthy => Health::Well,
            0..FAILING_AFTER => Health::Unsure,
            _ => Health::Failing,
        }
    }

    /// Whether an attempt could be made, but for the pace.
    pub(super) fn has_work(&self) -> bool {
        self.is_running()
            && self.in_flight < self.allowed
            && !(self.ready.is_empty() && self.ready_replay.is_empty())
    }

    /// The next attempt to make, if there is one and the pace allows it.
    pub(super) fn next_job(&mut self, now: Duration) -> Option<Job> {
        if !self.has_work() || !self.pace.is_due(now) || !self.quiet.wait(now).is_zero() {
            return None;
        }
        let position = match self.ready.pop() {
            Some(position) => position,
            None => self.next_replayed(now)?,
        };
        let entry = self.entries.get_mut(&position)?;
        entry.place = None;
        self.pace.take(now);
        self.in_flight += 1;
        entry.stage = Stage::InFlight;
        let (payload, standing) = (entry.payload.clone(), entry.standing);
        let first_of = entry.replay.filter(|_| !std::mem::replace(&mut entry.sent, true));
        if let (Some(_), Some(replay)) = (first_of, &mut self.replay) {
            replay.state.sent += 1;
            replay.dirty = true;
        }
        Some(Job { position, payload, standing })
    }

    /// How long until something here is due, at most.
    pub(super) fn next_wake(&self, now_ms: u64, now: Duration) -> Option<Duration> {
        if !self.is_running() {
            return None;
        }
        let due =
            self.due.first().map(|(due, _)| Duration::from_millis(due.saturating_sub(now_ms)));
        // Without a wait it is for the dispatcher to find a place.
        let paced = if self.has_work() { self.pace_wait(now) } else { None };
        let paced = paced.filter(|wait| !wait.is_zero());
        let probe = self.is_down().then(|| self.probe_ms.saturating_sub(now_ms));
        let probe = probe.filter(|wait| *wait > 0).map(Duration::from_millis);
        [due, paced, probe].into_iter().flatten().min()
    }

    fn pace_wait(&self, now: Duration) -> Option<Duration> {
        let own = self.pace.wait(now).max(self.quiet.wait(now));
        match &self.replay {
            Some(replay) if self.ready.is_empty() => Some(own.max(replay.pace.wait(now))),
            _ => Some(own),
        }
    }

    /// Whether deliveries hold a saved cursor back.
    pub(super) fn has_unsaved(&self) -> bool {
        self.unsaved_len() > 0
    }

    /// The lowest position that is still needed from the log.
    pub(super) fn needs_from(&self) -> u64 {
        let outstanding = self.entries.keys().next().copied().unwrap_or(u64::MAX);
        let replay = self.replay.as_ref().map_or(u64::MAX, |replay| replay.state.cursor + 1);
        (self.committed + 1).min(outstanding).min(replay)
    }
}

#[cfg(test)]
mod tests;
