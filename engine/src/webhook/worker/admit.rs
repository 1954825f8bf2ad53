//! How deliveries come in and get their place.

use std::sync::Arc;
use std::time::Duration;

use super::lanes::Lanes;
use super::{Entry, Item, Stage, Worker};
use crate::webhook::registration::Order;

impl Worker {
    /// Takes in the events between the cursor and `to` that are wanted, as far as there is room. Those up to the cursor
    /// are passed over.
    pub(in crate::webhook) fn ingest(&mut self, items: &[Item], to: u64, now: Duration) {
        for item in items {
            if item.position <= self.cursor {
                continue;
            }
            if !self.has_room() {
                return;
            }
            self.let_in_held(item.position);
            self.take_live(item, now);
            self.cursor = item.position;
        }
        self.cursor = self.cursor.max(to);
        self.let_in_held(self.cursor);
    }

    fn take_live(&mut self, item: &Item, now: Duration) {
        if self.dead.contains_key(&item.position) {
            // A replay was faster, and failed.
            return;
        }
        if let Some(entry) = self.entries.get_mut(&item.position) {
            // A replay was faster.
            entry.live = true;
            match entry.saved {
                true => self.save(item.position),
                false => drop(self.unsaved.insert(item.position)),
            }
            return;
        }
        self.unsaved.insert(item.position);
        self.take(item, None, now);
    }

    pub(super) fn take(&mut self, item: &Item, replay: Option<u64>, now: Duration) {
        self.body_bytes += item.payload.body.len();
        let entry = Entry {
            key: item.key,
            event_ms: item.event_ms,
            payload: Some(Arc::clone(&item.payload)),
            standing: item.standing,
            stage: Stage::Parked,
            saved: false,
            since: now,
            next_ms: 0,
            attempts: 0,
            replay,
            live: replay.is_none(),
            sent: false,
            alone: replay.is_some() && self.replay.as_ref().is_some_and(|r| r.state.overtake),
            revived: false,
            place: None,
            history: Vec::new(),
        };
        self.admit(item.position, entry);
        let waits = self.lanes.head(item.key).is_some_and(|head| {
            self.entries.get(&head).is_some_and(|entry| entry.stage == Stage::Waiting)
        });
        if waits {
            self.save(item.position);
        }
    }

    /// Puts a delivery in its place: behind the others of its document, or among the ready.
    pub(super) fn admit(&mut self, position: u64, entry: Entry) {
        let (key, alone) = (entry.key, entry.alone);
        self.entries.insert(position, entry);
        self.queue(key, position, alone);
    }

    /// Puts a delivery that was saved ahead of the saved cursor away until the cursor comes to it: earlier events of its
    /// document may have to be read again first.
    pub(super) fn hold(&mut self, position: u64, entry: Entry) {
        self.entries.insert(position, entry);
        self.held.insert(position);
    }

    /// Gives deliveries that were held their places, up to a position.
    pub(super) fn let_in_held(&mut self, to: u64) {
        while let Some(position) = self.held.first().copied().filter(|held| *held <= to) {
            self.held.remove(&position);
            let place = self.entries.get(&position).map(|entry| (entry.key, entry.alone));
            if let Some((key, alone)) = place {
                self.queue(key, position, alone);
            }
        }
    }

    pub(super) fn queue(&mut self, key: u64, position: u64, alone: bool) {
        let first = match self.registration.order {
            Order::PerDocument if !alone => self.lanes.push(key, position),
            Order::PerDocument | Order::None => true,
        };
        if first {
            self.activate(position);
        }
    }

    /// Its document's turn has come to it: it is ready, or waits for its time.
    pub(super) fn activate(&mut self, position: u64) {
        let Some(entry) = self.entries.get_mut(&position) else { return };
        if entry.stage != Stage::Parked {
            return;
        }
        if entry.next_ms > 0 {
            entry.stage = Stage::Waiting;
            self.due.insert((entry.next_ms, position));
        } else {
            self.make_ready(position);
        }
    }

    pub(super) fn make_ready(&mut self, position: u64) {
        let Some(entry) = self.entries.get_mut(&position) else { return };
        entry.stage = Stage::Ready;
        let replayed = entry.replay.is_some();
        let queue = if replayed { &mut self.ready_replay } else { &mut self.ready };
        entry.place = Some((replayed, queue.push(position)));
    }

    /// Takes a delivery out of the ready, and out of those that wait for a time.
    pub(super) fn unqueue(&mut self, position: u64) {
        let Some(entry) = self.entries.get_mut(&position) else { return };
        self.due.remove(&(entry.next_ms, position));
        match entry.place.take() {
            Some((true, place)) => self.ready_replay.remove(place),
            Some((false, place)) => self.ready.remove(place),
            None => {}
        }
    }

    /// Orders everything anew: what is under way goes first, the rest in the order of the log.
    pub(super) fn rebuild_lanes(&mut self) {
        self.lanes = Lanes::default();
        self.held.clear();
        let (under_way, rest): (Vec<_>, Vec<_>) =
            self.entries.iter().partition(|(_, entry)| entry.stage == Stage::InFlight);
        let positions = |list: Vec<(&u64, &Entry)>| -> Vec<u64> {
            list.into_iter().map(|(position, _)| *position).collect()
        };
        let (under_way, rest) = (positions(under_way), positions(rest));
        let in_order = self.registration.order == Order::PerDocument;
        for position in under_way {
            if let Some(entry) = self.entries.get(&position).filter(|entry| !entry.alone)
                && in_order
            {
                self.lanes.push(entry.key, position);
            }
        }
        for position in rest {
            self.unqueue(position);
            let Some(entry) = self.entries.get_mut(&position) else { continue };
            entry.stage = Stage::Parked;
            let (key, alone) = (entry.key, entry.alone);
            self.queue(key, position, alone);
        }
    }
}
