//! Having changes saved: what was settled within an interval becomes one synced record.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{Dispatcher, Message, UnderWay};
use crate::error::{Error, ErrorKind, Result};
use crate::webhook::store::{Op, ReplayStatus, StoreWriter};

/// How long the cursor alone may be unsaved.
const LAZY: Duration = Duration::from_secs(1);
/// How long to wait after a full disk.
const AFTER_FULL: Duration = Duration::from_secs(1);
/// Replays that ended and are remembered.
const REPLAYS_MAX: usize = 100;

/// Operations to be saved.
pub(in crate::webhook) struct Commit {
    ops: Arc<Vec<Op>>,
    inbox: mpsc::UnboundedSender<Message>,
}

/// Saves commits until nobody sends any more; a thread of its own.
pub(in crate::webhook) fn run_store(
    mut store: StoreWriter,
    commits: &crossbeam_channel::Receiver<Commit>,
) {
    for commit in commits {
        let result = store.commit(&commit.ops);
        // A dispatcher that is gone does not wait.
        drop(commit.inbox.send(Message::Committed(result)));
    }
}

impl Dispatcher {
    /// Has changes saved when it is time.
    pub(super) fn commit(&mut self, now: Duration) {
        let state = &self.committing;
        let wanted = state.urgent || state.changed || !state.waiting.is_empty();
        if !wanted || state.under_way.is_some() {
            return;
        }
        let interval = match (state.waiting.is_empty(), state.urgent) {
            (false, _) => Duration::ZERO,
            (true, true) => self.options.commit_interval,
            (true, false) => LAZY.max(self.options.commit_interval),
        };
        let at = (state.last + interval).max(state.not_before);
        if now < at {
            self.wake_within(now, at.saturating_sub(now));
            return;
        }
        self.commit_now();
    }

    /// Has changes saved, unless a commit is under way or the store failed.
    pub(super) fn commit_now(&mut self) {
        if self.committing.under_way.is_some() {
            return;
        }
        if let Some(error) = self.committing.failed.clone() {
            self.answer_waiting(&Err(error));
            return;
        }
        let now = self.engine.clock().monotonic();
        let mut ops = std::mem::take(&mut self.committing.ops);
        let mut unsettled = false;
        for (id, worker) in &mut self.workers {
            ops.append(&mut worker.take_ops(now));
            unsettled |= worker.has_unsaved() || worker.has_moved();
            // What was saved made room for what is behind it.
            if worker.cursor < self.routed_to && !worker.reading && worker.room() > 0 {
                self.touched.insert(Arc::clone(id));
            }
        }
        if !self.touched.is_empty() {
            self.wake_within(now, Duration::ZERO);
        }
        self.end_replays(&mut ops);
        self.publish_needs();
        self.committing.urgent = false;
        // What is under way may have to be saved for taking long.
        self.committing.changed = unsettled;
        self.committing.last = now;
        if ops.is_empty() {
            self.answer_waiting(&Ok(()));
            return;
        }
        let ops = Arc::new(ops);
        let waiting = std::mem::take(&mut self.committing.waiting);
        self.committing.under_way = Some(UnderWay { ops: Arc::clone(&ops), waiting });
        let commit = Commit { ops, inbox: self.inbox.clone() };
        if self.store.send(commit).is_err() {
            self.committed(Err(Error::internal("the store of deliveries has ended")));
        }
    }

    /// A commit ended.
    pub(super) fn committed(&mut self, result: Result<()>) {
        let Some(under_way) = self.committing.under_way.take() else { return };
        match &result {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::DiskFull => {
                tracing::warn!(%error, "deliveries cannot be saved now; it is tried again");
                let mut ops = under_way.ops.to_vec();
                ops.append(&mut self.committing.ops);
                self.committing.ops = ops;
                self.committing.urgent = true;
                self.committing.not_before = self.engine.clock().monotonic() + AFTER_FULL;
            }
            Err(error) => {
                tracing::error!(%error, "deliveries cannot be saved; no more are made until a restart");
                self.committing.failed = Some(error.clone());
            }
        }
        for waiting in under_way.waiting {
            drop(waiting.send(result.clone()));
        }
    }

    fn answer_waiting(&mut self, result: &Result<()>) {
        for waiting in std::mem::take(&mut self.committing.waiting) {
            drop(waiting.send(result.clone()));
        }
    }

    /// Tells `done` once everything that is so now is saved.
    pub(in crate::webhook) fn when_saved(&mut self, done: oneshot::Sender<Result<()>>) {
        self.committing.waiting.push(done);
    }

    /// Why nothing is delivered, if nothing is.
    pub(in crate::webhook) fn failure(&self) -> Option<Error> {
        self.committing.failed.clone()
    }

    /// Puts replays that ended away, and forgets those of long ago.
    fn end_replays(&mut self, ops: &mut Vec<Op>) {
        let ended: Vec<_> =
            self.workers.values_mut().filter_map(|worker| worker.take_ended_replay()).collect();
        self.replays.extend(ended);
        let over = self.replays.len().saturating_sub(REPLAYS_MAX);
        if over == 0 {
            return;
        }
        // Numbers rise with time, so the first are the oldest.
        let ended = self.replays.iter().filter(|(_, state)| state.status != ReplayStatus::Running);
        let old: Vec<u64> = ended.map(|(id, _)| *id).take(over).collect();
        for id in old {
            self.replays.remove(&id);
            ops.push(Op::ReplayForgotten { id });
        }
    }
}
