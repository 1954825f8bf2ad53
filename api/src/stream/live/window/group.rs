//! Those who look at the same window and are told of it in the same words.
//!
//! Guarantees: the content of the window, the position that it is of and the newest frames change together; frames of one
//! position are in one chunk, and the last of them carries the id.
//! Leaves to others: keeping it up to date (`keeper`), members that are behind (`catch_up`).

use std::sync::Arc;

use headwater_engine::subscribe::live::LiveQuery;
use headwater_engine::subscribe::window::{Order, Step, Window, WindowRow, capacity, difference};
use headwater_engine::value::{Raw, key};
use headwater_engine::view::Snapshot;
use headwater_engine::{Engine, Error, Result};
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, watch};

use super::super::frames::Frames;
use super::audience::Happened;
use super::ring::{Held, Ring};
use crate::auth::Grant;
use crate::session::{Asked, First};

/// Bytes of documents in reserve that a window is filled with at most, as far as the collection's average goes.
const RESERVE_BYTES: u64 = 2 << 20;

/// What a window is of, and how it is told.
pub(super) struct Definition {
    pub(super) engine: Engine,
    pub(super) query: LiveQuery,
    pub(super) grant: Arc<Grant>,
    pub(super) asked: Asked,
    pub(super) order: Order,
    pub(super) limit: usize,
    pub(super) frames: Frames,
    /// How many members may catch up at a time.
    pub(super) catching_up: Arc<Semaphore>,
}

/// A window and its members.
pub(super) struct Group {
    pub(super) definition: Definition,
    state: Mutex<State>,
    /// The position of the newest frame, to wake members by.
    newest: watch::Sender<u64>,
    /// The position of the window, for those who wait for one.
    reached: watch::Sender<u64>,
    /// Wakes the keeper, to look how far events have been looked at.
    pub(super) asked: Notify,
}

struct State {
    window: Window,
    /// The position that the window is of.
    position: u64,
    ring: Ring,
    pending: Pending,
    ended: Option<Error>,
}

/// Frames that are no chunk yet.
#[derive(Default)]
struct Pending {
    first: Option<u64>,
    last: u64,
    bytes: Vec<u8>,
    frames: u32,
}

impl Definition {
    /// What finds documents of the window at a snapshot.
    pub(super) fn first(&self, snapshot: &Arc<Snapshot>) -> First {
        First {
            engine: self.engine.clone(),
            snapshot: Arc::clone(snapshot),
            collection: self.query.collection.clone(),
            asked: self.asked.clone(),
            filter: self.query.filter.clone(),
            visibility: self.query.visibility.clone(),
        }
    }

    /// The window as it is at a snapshot.
    pub(super) async fn filled(&self, snapshot: &Arc<Snapshot>) -> Result<Window> {
        let first = self.first(snapshot);
        let in_reserve = RESERVE_BYTES / first.average_bytes()?.max(1);
        let in_reserve = usize::try_from(in_reserve).unwrap_or(usize::MAX);
        let most = capacity(self.limit).min(self.limit.saturating_add(in_reserve));
        let (documents, more) = match first.documents(most).await {
            // Documents differ in size: perhaps those that are told of fit alone.
            Err(error) if error.code() == "limit_exceeded" && most > self.limit => {
                first.documents(self.limit).await?
            }
            found => found?,
        };
        Window::new(self.order.clone(), self.limit, documents, more)
    }

    /// The steps between two contents, the second one at a snapshot.
    pub(super) fn difference(
        &self,
        before: &[WindowRow],
        after: &[WindowRow],
        snapshot: &Snapshot,
    ) -> Result<Vec<Step>> {
        let number = snapshot.collections().number(&self.query.collection);
        difference(before, after, |gone| {
            let row = match number {
                Some(number) => snapshot.get(number, &key::encode(gone.id()))?,
                None => None,
            };
            Ok(self.query.absence(row.as_ref().map(|row| (row.subject(), row.changed_ms()))))
        })
    }

    /// Appends the frames of steps, all of one position.
    pub(super) fn write(&self, position: u64, steps: &[Step], out: &mut Vec<u8>) {
        for (at, step) in steps.iter().enumerate() {
            let frame_id = (at + 1 == steps.len()).then_some(position);
            let frames = &self.frames;
            match step {
                Step::Leave(row, reason) => {
                    frames.leave(frame_id, position, row.id(), *reason, out)
                }
                Step::Update(row) => {
                    frames.document("update", frame_id, position, row.id(), &row.document, out);
                }
                Step::Enter(row) => {
                    frames.document("enter", frame_id, position, row.id(), &row.document, out);
                }
            }
        }
    }
}

impl Group {
    /// A window filled at a position.
    pub(super) fn new(definition: Definition, window: Window, position: u64) -> Self {
        let (ring, pending) = (Ring::new(position), Pending::default());
        let state = State { window, position, ring, pending, ended: None };
        let (state, newest) = (Mutex::new(state), watch::channel(position).0);
        let reached = watch::channel(position).0;
        Self { definition, state, newest, reached, asked: Notify::new() }
    }

    /// Waits until the window is of the newest position there is now, or has ended.
    pub(super) async fn is_of_now(&self) {
        let now = self.definition.engine.position();
        self.definition.engine.fanout().catch_up(now);
        let mut reached = self.reached.subscribe();
        self.asked.notify_one();
        // The sender is as old as this.
        drop(reached.wait_for(|reached| *reached >= now).await);
    }

    /// The documents that are told of, in order, and the position that they are of.
    pub(super) fn content(&self) -> Result<(Vec<WindowRow>, u64)> {
        let state = self.state.lock();
        match &state.ended {
            Some(error) => Err(error.clone()),
            None => Ok((state.window.told().to_vec(), state.position)),
        }
    }

    /// What follows a cursor, and how far the window has come.
    pub(super) fn after(&self, cursor: u64) -> Result<(Held, u64)> {
        let state = self.state.lock();
        match (state.ring.after(cursor), &state.ended) {
            (Held::Nothing, Some(error)) => Err(error.clone()),
            // What is taken in and not shown yet is still to be told.
            (held, _) => {
                let pending = state.pending.first.map(|first| first - 1);
                Ok((held, pending.unwrap_or(state.position)))
            }
        }
    }

    /// Says when there may be something new.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Takes a change in; `false`, and nothing is changed, where the window has to be filled again.
    pub(super) fn take(&self, position: u64, happened: Happened) -> Result<bool> {
        let mut state = self.state.lock();
        let State { window, pending, position: reached, .. } = &mut *state;
        if position <= *reached {
            return Ok(true);
        }
        match happened {
            Happened::Dropped => {
                window.clear();
                self.definition.frames.reset("dropped", &mut pending.bytes);
                self.definition.frames.ready(position, 0, &mut pending.bytes);
                pending.add(position, 2);
            }
            Happened::Document { before, after } => {
                let before = before.as_deref().map(Raw::trusted);
                let Some(steps) = window.apply(before, after)? else { return Ok(false) };
                self.definition.write(position, &steps, &mut pending.bytes);
                pending.add(position, steps.len());
            }
        }
        *reached = position;
        Ok(true)
    }

    /// Puts another content into its place, with the steps that lead there.
    pub(super) fn replace(&self, window: Window, position: u64, steps: &[Step]) {
        let mut state = self.state.lock();
        let first = state.position + 1;
        state.close_chunk();
        let mut frames = Vec::new();
        self.definition.write(position, steps, &mut frames);
        // Also where nothing has to be told: one that has the window of a position in between may have to be told something.
        let count = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        state.ring.push(first, position, frames, count);
        (state.window, state.position) = (window, position);
        drop(state);
        self.newest.send_replace(position);
        self.reached.send_replace(position);
    }

    /// Begins again with another content: members see for themselves what lies between.
    pub(super) fn restart(&self, window: Window, position: u64) {
        let mut state = self.state.lock();
        state.pending = Pending::default();
        state.ring = Ring::new(position);
        (state.window, state.position) = (window, position);
        drop(state);
        self.newest.send_replace(position);
        self.reached.send_replace(position);
    }

    /// Shows members what was taken in up to a position.
    pub(super) fn flush(&self, position: u64) {
        let mut state = self.state.lock();
        let newest = state.close_chunk();
        state.position = state.position.max(position);
        let position = state.position;
        drop(state);
        self.reached.send_if_modified(|known| std::mem::replace(known, position) != position);
        if let Some(newest) = newest {
            self.newest.send_replace(newest);
        }
    }

    /// Drops frames that are old; whether some are left.
    pub(super) fn sweep(&self) -> bool {
        self.state.lock().ring.sweep()
    }

    /// Ends it: members are told once they have come to its end.
    pub(super) fn end(&self, error: Error) {
        self.state.lock().ended = Some(error);
        self.newest.send_modify(|_| {});
        self.reached.send_replace(u64::MAX);
    }
}

impl State {
    /// Makes a chunk of what was taken in; its last position, if it is something.
    fn close_chunk(&mut self) -> Option<u64> {
        let pending = std::mem::take(&mut self.pending);
        let first = pending.first?;
        self.ring.push(first, pending.last, pending.bytes, pending.frames);
        Some(pending.last)
    }
}

impl Pending {
    fn add(&mut self, position: u64, frames: usize) {
        if frames == 0 {
            return;
        }
        self.first.get_or_insert(position);
        self.last = position;
        self.frames += u32::try_from(frames).unwrap_or(u32::MAX);
    }
}
