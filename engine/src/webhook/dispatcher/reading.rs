//! Which events reach which worker: from the shared pass where it is live, from reads of its own where it is behind.

use std::sync::Arc;
use std::time::Duration;

use super::{Dispatcher, Message};
use crate::error::Result;
use crate::webhook::feed::{self, Found, Routed, Stretch, Wanted};
use crate::webhook::registration::Registration;
use crate::webhook::replay::filter_of;
use crate::webhook::store::{ReplayStatus, Selection};
use crate::webhook::worker::WINDOW_BYTES;

/// How long to wait after a failed read.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Deliveries that are known by position and read at a time.
const KNOWN_MAX: usize = 256;

/// What a read is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::webhook) enum Feed {
    /// The webhook's own cursor.
    Live {
        /// The registry's change that the read went by.
        change: u64,
    },
    /// The replay of this number.
    Replay(u64),
}

impl Dispatcher {
    /// Hands a step of the shared pass to those who stand where it begins (or within it), if it knew them.
    pub(in crate::webhook) fn route(&mut self, routed: &Routed) {
        self.keep_in_step();
        let now = self.engine.clock().monotonic();
        self.routed_to = self.routed_to.max(routed.to);
        self.committing.changed = true;
        for (id, worker) in &mut self.workers {
            if !worker.is_running() {
                continue;
            }
            let joins = worker.cursor >= routed.after
                && worker.cursor < routed.to
                && worker.change <= routed.change
                && !worker.reading
                && !routed.left_out.contains(id)
                && !routed.slow.contains(id);
            let items = routed.items.get(id).map_or(&[][..], |items| &items[..]);
            if joins {
                worker.ingest(items, routed.to, now);
            }
            // One whose filter takes long looks for itself, so that nobody waits for it.
            if !worker.has_room() || routed.slow.contains(id) {
                self.shared.full.set(id, true);
            }
            let reads = !joins && !worker.reading && worker.room() > 0;
            if reads || (joins && !items.is_empty()) || worker.replay.is_some() {
                self.touched.insert(Arc::clone(id));
            }
        }
    }

    /// Starts the reads that a worker needs and has room for.
    pub(super) fn start_reads(&mut self, webhook: &Arc<str>) {
        let Some(worker) = self.workers.get_mut(webhook) else { return };
        let registration = Arc::clone(&worker.registration);
        let (room, change) = (worker.room(), worker.change);
        if !worker.reading && worker.cursor < self.routed_to && room > 0 {
            worker.reading = true;
            self.shared.full.set(webhook, false);
            let stretch = stretch(worker.cursor, u64::MAX, room);
            let wanted = Wanted {
                registration: Arc::clone(&registration),
                collections: Vec::new(),
                filter: None,
                sight: Arc::clone(&self.options.sight),
            };
            self.start_read(Arc::clone(webhook), Feed::Live { change }, wanted, stretch);
        }
        self.start_replay_read(webhook, registration);
    }

    fn start_replay_read(&mut self, webhook: &Arc<str>, registration: Arc<Registration>) {
        let Some(worker) = self.workers.get_mut(webhook) else { return };
        let (room, end) = (worker.replay_room(), worker.replay_end());
        let waits = worker.replay.as_ref().is_none_or(|replay| replay.looked >= end);
        if room == 0 || waits {
            return;
        }
        let Some(replay) = worker.replay.as_mut().filter(|replay| !replay.reading) else { return };
        let filter = match filter_of(&replay.state) {
            Ok(filter) => filter,
            Err(error) => {
                tracing::error!(webhook = &**webhook, %error, "the filter of a replay cannot be read; the replay ends");
                worker.end_replay(ReplayStatus::Failed);
                self.committing.changed = true;
                return;
            }
        };
        let (feed, state) = (Feed::Replay(replay.id), replay.state.clone());
        let looked = replay.looked;
        let sight = Arc::clone(&self.options.sight);
        let wanted = Wanted { registration, collections: state.collections, filter, sight };
        let known_max = room.min(KNOWN_MAX);
        let known = match &state.selection {
            Selection::All => {
                replay.reading = true;
                let stretch = stretch(looked, end, room);
                return self.start_read(Arc::clone(webhook), feed, wanted, stretch);
            }
            Selection::Positions(all) => {
                let later = all.iter().copied().filter(|at| *at > looked && *at <= end);
                Some(later.take(known_max).collect())
            }
            Selection::Standing { source, statuses } => {
                let source = self.workers.get(source);
                source.map(|source| source.known_between(looked, end, statuses, known_max))
            }
        };
        self.read_known(webhook, feed, wanted, known, end);
    }

    /// Reads events of a replay that are known by position; `None`: the webhook whose deliveries they are is gone.
    fn read_known(
        &mut self,
        webhook: &Arc<str>,
        feed: Feed,
        wanted: Wanted,
        known: Option<Vec<u64>>,
        to: u64,
    ) {
        let now = self.engine.clock().monotonic();
        let Some(worker) = self.workers.get_mut(webhook) else { return };
        self.committing.changed = true;
        let Some(known) = known else { return worker.end_replay(ReplayStatus::Failed) };
        if known.is_empty() {
            return worker.ingest_replay(&[], to, now);
        }
        let Some(replay) = &mut worker.replay else { return };
        replay.reading = true;
        let (engine, inbox) = (self.engine.clone(), self.inbox.clone());
        let webhook = Arc::clone(webhook);
        let reads = Arc::clone(&self.reads);
        self.engine.tasks().spawn("webhook-read", async move {
            let _place = reads.acquire().await;
            if engine.tasks().token().is_cancelled() {
                return;
            }
            let found = feed::read_known(&engine, wanted, known, WINDOW_BYTES).await;
            drop(inbox.send(Message::Read { webhook, feed, found }));
        });
    }

    fn start_read(&self, webhook: Arc<str>, feed: Feed, wanted: Wanted, stretch: Stretch) {
        let (engine, inbox) = (self.engine.clone(), self.inbox.clone());
        let reads = Arc::clone(&self.reads);
        self.engine.tasks().spawn("webhook-read", async move {
            let _place = reads.acquire().await;
            if engine.tasks().token().is_cancelled() {
                return;
            }
            let found = feed::read(&engine, wanted, stretch).await;
            drop(inbox.send(Message::Read { webhook, feed, found }));
        });
    }

    pub(super) fn read_ended(&mut self, webhook: &Arc<str>, feed: Feed, found: Result<Found>) {
        let now = self.engine.clock().monotonic();
        let Some(worker) = self.workers.get_mut(webhook) else { return };
        self.touched.insert(Arc::clone(webhook));
        self.committing.changed = true;
        let failed = found.is_err();
        let found = found.unwrap_or_else(|error| {
            tracing::error!(webhook = &**webhook, %error, "reading the log for a webhook failed");
            Found::default()
        });
        match feed {
            Feed::Live { change } => {
                worker.reading = false;
                // What was read by an older registration is read again.
                if change == worker.change {
                    worker.ingest(&found.items, found.to, now);
                }
            }
            Feed::Replay(id) => {
                if let Some(replay) = worker.replay.as_mut().filter(|replay| replay.id == id) {
                    replay.reading = false;
                    let to = found.to.min(replay.state.to);
                    worker.ingest_replay(&found.items, to, now);
                }
            }
        }
        if failed {
            self.touched.remove(webhook);
            self.alarms.set(webhook, now + AFTER_FAILURE);
        }
    }
}

fn stretch(after: u64, to: u64, items_max: usize) -> Stretch {
    Stretch { after, to, items_max, bytes_max: WINDOW_BYTES }
}
