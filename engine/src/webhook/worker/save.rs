//! Saving: the operations that bring the store to what is so here.

use std::sync::Arc;
use std::time::Duration;

use super::{Entry, Lanes, SAVE_AFTER, Worker};
use crate::webhook::store::{Op, Outstanding};

impl Entry {
    pub(super) fn outstanding(&self) -> Arc<Outstanding> {
        Arc::new(Outstanding {
            key: self.key,
            event_ms: self.event_ms,
            attempts: self.attempts,
            next_ms: self.next_ms,
            replay: self.replay,
            live: self.live,
            alone: self.alone,
            revived: self.revived,
            history: self.history.clone(),
        })
    }
}

impl Worker {
    /// Has a delivery saved as it stands; it does not hold the cursor back any more, and gives up its body.
    pub(super) fn save(&mut self, position: u64) {
        let Some(entry) = self.entries.get_mut(&position) else { return };
        entry.saved = true;
        let delivery = entry.outstanding();
        self.release(position);
        let webhook = Arc::clone(&self.registration.id);
        self.ops.push(Op::Outstanding { webhook, position, delivery });
    }

    /// Lets the cursors pass a delivery, and gives up its body.
    fn release(&mut self, position: u64) {
        self.unsaved.remove(&position);
        if let Some(replay) = &mut self.replay {
            replay.unsaved.remove(&position);
        }
        if let Some(payload) =
            self.entries.get_mut(&position).and_then(|entry| entry.payload.take())
        {
            self.body_bytes = self.body_bytes.saturating_sub(payload.body.len());
        }
    }

    /// Takes a delivery out altogether; the next of its document has its turn.
    pub(super) fn forget(&mut self, position: u64) -> Option<Entry> {
        self.release(position);
        self.unqueue(position);
        let entry = self.entries.remove(&position)?;
        self.delivered = true;
        if entry.saved {
            let webhook = Arc::clone(&self.registration.id);
            self.ops.push(Op::Settled { webhook, position });
        }
        self.leave(position, &entry);
        Some(entry)
    }

    /// Takes a delivery out of every order.
    pub(super) fn leave(&mut self, position: u64, entry: &Entry) {
        self.held.remove(&position);
        if let Some(next) = Lanes::remove(&mut self.lanes, entry.key, position) {
            self.activate(next);
        }
    }

    /// Whether the cursor is further than what is saved of it.
    pub(in crate::webhook) fn has_moved(&self) -> bool {
        self.cursor > self.committed
    }

    /// What is to be saved now.
    pub(in crate::webhook) fn take_ops(&mut self, now: Duration) -> Vec<Op> {
        self.save_old(now);
        let saved = self.unsaved.first().map_or(self.cursor, |lowest| lowest - 1);
        let saved = saved.max(self.committed);
        // A cursor that only passed what is not wanted can wait: that much is looked at again after a crash.
        let pressing = self.delivered || !self.ops.is_empty() || !self.entries.is_empty();
        let moved = saved != self.committed && (pressing || self.cursor_saved + SAVE_AFTER <= now);
        if moved || self.dirty {
            self.committed = saved;
            self.cursor_saved = now;
            (self.dirty, self.delivered) = (false, false);
            self.ops.push(Op::Cursor {
                webhook: Arc::clone(&self.registration.id),
                cursor: saved,
                skipped_to: self.skipped_to,
                failing_since_ms: self.failing_since_ms,
            });
        }
        self.save_replay();
        std::mem::take(&mut self.ops)
    }

    /// Has everything saved that holds a cursor back.
    pub(in crate::webhook) fn save_all(&mut self) {
        let replayed = self.replay.iter().flat_map(|replay| &replay.unsaved);
        let unsaved: Vec<u64> = self.unsaved.iter().chain(replayed).copied().collect();
        for position in unsaved {
            self.save(position);
        }
        self.delivered = true;
    }

    /// Saves what has held a cursor back for long.
    fn save_old(&mut self, now: Duration) {
        loop {
            let live = self.unsaved.first();
            let replayed = self.replay.as_ref().and_then(|replay| replay.unsaved.first());
            let old = [live, replayed].into_iter().flatten().copied().find(|position| {
                let since = self.entries.get(position).map(|entry| entry.since);
                since.is_none_or(|since| since + SAVE_AFTER <= now)
            });
            match old {
                Some(position) if self.entries.contains_key(&position) => self.save(position),
                Some(position) => self.release(position),
                None => return,
            }
        }
    }
}
