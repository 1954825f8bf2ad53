//! A replay of one webhook: events of a range, delivered again through the same lanes, behind what is live.
//!
//! What is delivered by a replay alone is dropped when it is cancelled, or dead again if it was; what is owed anyway goes
//! on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::pace::Pace;
use super::{Entry, Item, Stage, Status, WINDOW, WINDOW_BYTES, Worker};
use crate::webhook::registration::Order;
use crate::webhook::store::{Op, ReplayState, ReplayStatus, Selection};

/// The replay under way.
pub(in crate::webhook) struct Replaying {
    pub(in crate::webhook) id: u64,
    pub(in crate::webhook) state: ReplayState,
    /// Everything up to here was looked at; `state.cursor` is what is saved.
    pub(in crate::webhook) looked: u64,
    /// Whether events are being read for it.
    pub(in crate::webhook) reading: bool,
    pub(super) unsaved: BTreeSet<u64>,
    pub(super) pace: Pace,
    pub(super) dirty: bool,
    /// Deliveries that are not settled.
    open: u64,
}

/// What a request to send one delivery again came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::webhook) enum Retry {
    /// It is sent as soon as its turn comes.
    Queued,
    /// It is not known here; the event has to be read.
    Read,
}

impl Worker {
    /// Begins a replay, or goes on with one.
    pub(in crate::webhook) fn begin_replay(&mut self, id: u64, state: ReplayState) {
        let mut pace = Pace::default();
        pace.set_rate(state.rate_per_second);
        let open = self.entries.values().filter(|entry| entry.replay == Some(id)).count() as u64;
        let looked = state.cursor;
        self.replay = Some(Replaying {
            id,
            state,
            looked,
            reading: false,
            unsaved: BTreeSet::new(),
            pace,
            dirty: true,
            open,
        });
    }

    /// Whether further events of the replay may be taken in. Half of what a webhook may hold is for what is live.
    pub(in crate::webhook) fn has_replay_room(&self) -> bool {
        let Some(replay) = &self.replay else { return false };
        let dead_max = match replay.state.selection {
            Selection::All => self.bounds.dead,
            // What was chosen may be dead itself.
            Selection::Standing { .. } | Selection::Positions(_) => usize::MAX,
        };
        self.is_running()
            && replay.state.status == ReplayStatus::Running
            && replay.looked < replay.state.to
            && replay.unsaved.len() < WINDOW / 2
            && self.ready_replay.len() < self.ready_max() / 2
            && replay.open < self.outstanding_max() as u64 / 2
            && self.body_bytes < WINDOW_BYTES
            && self.dead.len() < dead_max
    }

    /// How many events to read for it now; 0 until there is room for a good part of what it may hold.
    pub(in crate::webhook) fn replay_room(&self) -> usize {
        let Some(replay) = &self.replay else { return 0 };
        let ready_max = self.ready_max() / 2;
        let low = self.ready_replay.len() <= ready_max / 2 && replay.unsaved.len() <= WINDOW / 4;
        if !low || !self.has_replay_room() {
            return 0;
        }
        ready_max - self.ready_replay.len()
    }

    /// Up to where the replay may look: what is live goes first, unless it may overtake that.
    pub(in crate::webhook) fn replay_end(&self) -> u64 {
        match &self.replay {
            Some(replay) if replay.state.overtake => replay.state.to,
            Some(replay) => replay.state.to.min(self.cursor),
            None => 0,
        }
    }

    /// Takes in events of the replay up to `to`, as far as there is room.
    pub(in crate::webhook) fn ingest_replay(&mut self, items: &[Item], to: u64, now: Duration) {
        for item in items {
            if !self.has_replay_room() {
                return;
            }
            let Some(replay) = &mut self.replay else { return };
            if item.position > replay.looked {
                replay.looked = item.position;
                let id = replay.id;
                self.take_replayed(item, id, now);
            }
        }
        if let Some(replay) = &mut self.replay {
            replay.looked = replay.looked.max(to);
        }
    }

    /// Whether that replay is the one under way.
    fn is_replaying(&self, id: u64) -> bool {
        let running =
            |replay: &Replaying| replay.id == id && replay.state.status == ReplayStatus::Running;
        self.replay.as_ref().is_some_and(running)
    }

    fn take_replayed(&mut self, item: &Item, id: u64, now: Duration) {
        if self.dead.contains_key(&item.position) {
            self.revive(item.position, Some(id), now);
            return;
        }
        if let Some(entry) = self.entries.get(&item.position) {
            let saved = entry.saved;
            self.attach(item.position, id);
            self.hurry(item.position);
            if saved {
                self.save(item.position);
            } else if let Some(replay) = &mut self.replay {
                replay.unsaved.insert(item.position);
            }
            return;
        }
        let Some(replay) = &mut self.replay else { return };
        // It was settled or dismissed since it was chosen.
        if matches!(&replay.state.selection, Selection::Standing { source, .. } if *source == replay.state.webhook)
        {
            return;
        }
        replay.unsaved.insert(item.position);
        replay.open += 1;
        self.take(item, Some(id), now);
    }

    /// Has a delivery that was chosen by itself attempted before its time.
    fn hurry(&mut self, position: u64) {
        let all = |replay: &Replaying| replay.state.selection == Selection::All;
        if !self.replay.as_ref().is_some_and(all) {
            self.make_due(position);
        }
    }

    /// Has the replay count a delivery that is owed anyway.
    fn attach(&mut self, position: u64, id: u64) {
        let Some(entry) = self.entries.get_mut(&position) else { return };
        if entry.replay == Some(id) {
            return;
        }
        entry.replay = Some(id);
        entry.sent = entry.stage == Stage::InFlight || !entry.history.is_empty();
        let Some(replay) = &mut self.replay else { return };
        replay.open += 1;
        replay.state.sent += u64::from(entry.sent);
        if replay.state.overtake && !entry.alone && self.registration.order == Order::PerDocument {
            self.let_go(position);
        }
    }

    /// Takes a delivery out of its document's order.
    fn let_go(&mut self, position: u64) {
        let Some(entry) = self.entries.get_mut(&position) else { return };
        entry.alone = true;
        let key = entry.key;
        self.held.remove(&position);
        if let Some(next) = self.lanes.remove(key, position) {
            self.activate(next);
        }
        self.activate(position);
    }

    /// Takes a dead delivery up again, from the first attempt of the schedule.
    pub(in crate::webhook) fn revive(&mut self, position: u64, replay: Option<u64>, now: Duration) {
        let Some(delivery) = self.dead.remove(&position) else { return };
        let entry = Entry {
            key: delivery.key,
            event_ms: delivery.event_ms,
            payload: None,
            standing: None,
            stage: Stage::Parked,
            saved: true,
            since: now,
            next_ms: 0,
            attempts: 0,
            replay,
            live: replay.is_none(),
            sent: false,
            alone: replay.is_some() && self.replay.as_ref().is_some_and(|r| r.state.overtake),
            revived: true,
            place: None,
            history: delivery.history.clone(),
        };
        self.admit(position, entry);
        self.save(position);
        if let (Some(_), Some(replay)) = (replay, &mut self.replay) {
            replay.open += 1;
        }
    }

    /// The first `limit` deliveries of a range that are dead or not settled and stand in one of these ways, in order.
    pub(in crate::webhook) fn known_between(
        &self,
        after: u64,
        to: u64,
        statuses: &[Status],
        limit: usize,
    ) -> Vec<u64> {
        if after >= to {
            return Vec::new();
        }
        let range = after + 1..=to;
        let dead = self.dead.range(range.clone()).filter(|_| statuses.contains(&Status::Dead));
        let open =
            self.entries.range(range).filter(|(_, entry)| statuses.contains(&entry.status()));
        let dead = dead.map(|(position, _)| *position).take(limit);
        let open = open.map(|(position, _)| *position).take(limit);
        let mut known: Vec<u64> = dead.chain(open).collect();
        known.sort_unstable();
        known.truncate(limit);
        known
    }

    /// Sends a delivery again, at once if it is its turn.
    pub(in crate::webhook) fn retry(&mut self, position: u64, now: Duration) -> Retry {
        if self.dead.contains_key(&position) {
            self.revive(position, None, now);
            return Retry::Queued;
        }
        let Some(entry) = self.entries.get(&position) else {
            // What the webhook has not come to yet is not there to be sent again.
            return if position > self.cursor { Retry::Queued } else { Retry::Read };
        };
        let saved = entry.saved;
        if let Some(entry) = self.entries.get_mut(&position) {
            // It is owed from now on, whatever becomes of a replay that asked for it.
            entry.live = true;
        }
        self.make_due(position);
        // An unsaved one is about to be attempted, and is owed to the cursor that stands before it; what is behind that
        // has to be saved.
        if saved || !self.unsaved.contains(&position) {
            self.save(position);
        }
        Retry::Queued
    }

    fn make_due(&mut self, position: u64) {
        let Some(entry) = self.entries.get_mut(&position) else { return };
        let due = std::mem::take(&mut entry.next_ms);
        if entry.stage == Stage::Waiting {
            self.due.remove(&(due, position));
            self.make_ready(position);
        }
    }

    /// Sends an event again that was settled, or never wanted.
    pub(in crate::webhook) fn resend(&mut self, item: &Item, now: Duration) {
        if self.retry(item.position, now) == Retry::Read {
            self.take(item, None, now);
            self.save(item.position);
        }
    }

    pub(super) fn next_replayed(&mut self, now: Duration) -> Option<u64> {
        let replay = self.replay.as_mut();
        if let Some(replay) = replay {
            if !replay.pace.is_due(now) {
                return None;
            }
            replay.pace.take(now);
        }
        self.ready_replay.pop()
    }

    pub(super) fn count_replayed(&mut self, of: Option<u64>, count: impl FnOnce(&mut ReplayState)) {
        let Some(replay) = &mut self.replay else { return };
        if of == Some(replay.id) {
            replay.open = replay.open.saturating_sub(1);
            replay.dirty = true;
            count(&mut replay.state);
        }
    }

    /// Ends the replay before its end; what it alone asked for is dropped.
    pub(in crate::webhook) fn end_replay(&mut self, status: ReplayStatus) {
        let Some(replay) = &mut self.replay else { return };
        replay.state.status = status;
        replay.dirty = true;
        let id = replay.id;
        let of_it = self.entries.iter().filter(|(_, entry)| entry.replay == Some(id));
        let of_it: Vec<u64> = of_it.map(|(position, _)| *position).collect();
        for position in of_it {
            self.detach(position);
        }
    }

    /// Takes a delivery out of its replay.
    fn detach(&mut self, position: u64) {
        let Some(entry) = self.entries.get_mut(&position) else { return };
        entry.replay = None;
        match (entry.stage, entry.revived, entry.live) {
            (Stage::InFlight, true, false) => {
                // If the attempt succeeds, it is settled; until then it counts as dead.
                let delivery = entry.outstanding();
                let webhook = Arc::clone(&self.registration.id);
                self.ops.push(Op::Dead { webhook, position, delivery });
            }
            (_, true, false) => self.lay_back(position),
            (Stage::InFlight, false, false) => {
                if std::mem::take(&mut entry.saved) {
                    let webhook = Arc::clone(&self.registration.id);
                    self.ops.push(Op::Settled { webhook, position });
                }
            }
            (_, false, false) => drop(self.forget(position)),
            (_, _, true) => self.keep(position),
        }
    }

    /// Leaves a delivery that is owed anyway among the live ones.
    fn keep(&mut self, position: u64) {
        if self.entries.get(&position).is_some_and(|entry| entry.saved) {
            self.save(position);
        }
        let Some(entry) = self.entries.get_mut(&position) else { return };
        let (place, stage, key) = (entry.place, entry.stage, entry.key);
        if std::mem::take(&mut entry.alone) && stage != Stage::InFlight {
            // Back into its document's order.
            entry.stage = Stage::Parked;
            self.unqueue(position);
            return self.queue(key, position, false);
        }
        if let Some((true, _)) = place {
            self.unqueue(position);
            self.make_ready(position);
        }
    }

    /// What becomes of a failed delivery that nobody asks for any more, because its replay ended; whether it is one.
    pub(super) fn is_left_over(&mut self, position: u64) -> bool {
        let Some(entry) = self.entries.get(&position) else { return false };
        if entry.live || entry.replay.is_some_and(|id| self.is_replaying(id)) {
            return false;
        }
        match entry.revived {
            true => self.lay_back(position),
            false => drop(self.forget(position)),
        }
        true
    }

    /// Puts a delivery back that was dead before.
    pub(super) fn lay_back(&mut self, position: u64) {
        let Some(mut entry) = self.forget(position) else { return };
        self.count_replayed(entry.replay, |_| {});
        (entry.next_ms, entry.alone, entry.revived) = (0, false, false);
        self.lay_down(position, entry.outstanding());
    }

    /// Has the replay's progress saved, if it changed.
    pub(super) fn save_replay(&mut self) {
        let Some(replay) = &mut self.replay else { return };
        let cursor = replay.unsaved.first().map_or(replay.looked, |lowest| lowest - 1);
        let cursor = cursor.max(replay.state.cursor);
        let ended = replay.looked >= replay.state.to && replay.open == 0;
        if ended && replay.state.status == ReplayStatus::Running {
            replay.state.status = ReplayStatus::Done;
            replay.dirty = true;
        }
        if cursor == replay.state.cursor && !replay.dirty {
            return;
        }
        replay.state.cursor = cursor;
        replay.dirty = false;
        let (id, state) = (replay.id, replay.state.clone());
        self.ops.push(Op::Replay { id, state });
    }

    /// The replay, if it has ended; it is given once.
    pub(in crate::webhook) fn take_ended_replay(&mut self) -> Option<(u64, ReplayState)> {
        self.replay
            .take_if(|replay| replay.state.status != ReplayStatus::Running && !replay.dirty)
            .map(|replay| (replay.id, replay.state))
    }
}
