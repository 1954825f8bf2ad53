//! A group: subscribers who are told the same, and the frames that they share.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{Audience, Fanout, GroupKey};
use crate::event::Event;

/// Frames go out in chunks of about this size, bytes.
const CHUNK_BYTES: usize = 64 << 10;
/// Bytes of frames that a group holds at most, its newest chunk aside.
const HELD_BYTES_MAX: usize = 256 << 10;

/// Subscribers who are told the same.
pub(super) struct Group {
    slot: usize,
    key: GroupKey,
    audience: Arc<dyn Audience>,
    ring: Mutex<Ring>,
    /// The position of the newest frame, to wake members by.
    newest: watch::Sender<u64>,
}

struct Ring {
    members: usize,
    chunks: VecDeque<Chunk>,
    bytes: usize,
    /// Every frame after this position is in the ring, as far as events were looked at.
    from: u64,
    /// Frames of the block at hand.
    pending: Vec<u8>,
    pending_first: u64,
    pending_last: u64,
    pending_events: u32,
}

/// Frames of consecutive events of the group.
#[derive(Clone)]
struct Chunk {
    first: u64,
    last: u64,
    bytes: Bytes,
    events: u32,
    /// Whether a sweep has passed over it.
    is_old: bool,
}

impl Group {
    pub(super) fn new(slot: usize, key: GroupKey, audience: Arc<dyn Audience>, from: u64) -> Self {
        let ring = Ring {
            members: 0,
            chunks: VecDeque::new(),
            bytes: 0,
            from,
            pending: Vec::new(),
            pending_first: 0,
            pending_last: 0,
            pending_events: 0,
        };
        Self { slot, key, audience, ring: Mutex::new(ring), newest: watch::channel(from).0 }
    }

    pub(super) fn slot(&self) -> usize {
        self.slot
    }

    pub(super) fn key(&self) -> &GroupKey {
        &self.key
    }

    pub(super) fn audience(&self) -> &Arc<dyn Audience> {
        &self.audience
    }

    pub(super) fn enter(&self) {
        self.ring.lock().members += 1;
    }

    /// A member leaves; whether it was the last.
    pub(super) fn exit(&self) -> bool {
        let mut ring = self.ring.lock();
        ring.members -= 1;
        ring.members == 0
    }

    /// Takes an event in, if the group wants it; whether it did. `frame` is a place to write it.
    pub(super) fn take(&self, event: &Event<'_>, frame: &mut Vec<u8>) -> bool {
        if self.audience.overruns() > 0 {
            // Its members are about to end: nobody else waits for more of it.
            return false;
        }
        frame.clear();
        // Members do not wait for the looking.
        self.audience.write(event, frame);
        if self.audience.overruns() > 0 {
            // Members see that it took too long, and end.
            self.newest.send_modify(|_| {});
            return false;
        }
        if frame.is_empty() {
            return false;
        }
        let mut ring = self.ring.lock();
        // The group begins after it: its members read it for themselves.
        if event.position <= ring.from {
            return false;
        }
        let before = ring.pending.len();
        ring.pending.extend_from_slice(frame);
        if before == 0 {
            ring.pending_first = event.position;
        }
        ring.pending_last = event.position;
        ring.pending_events += 1;
        if ring.pending.len() >= CHUNK_BYTES {
            ring.close_chunk();
        }
        true
    }

    /// Shows members what was taken in.
    pub(super) fn flush(&self) {
        let mut ring = self.ring.lock();
        ring.close_chunk();
        let Some(newest) = ring.chunks.back().map(|chunk| chunk.last) else { return };
        drop(ring);
        self.newest.send_if_modified(|known| std::mem::replace(known, newest) != newest);
    }

    /// Drops the frames that were there at the sweep before; whether some are left.
    pub(super) fn sweep(&self) -> bool {
        let mut ring = self.ring.lock();
        while ring.chunks.front().is_some_and(|chunk| chunk.is_old) {
            ring.drop_oldest();
        }
        ring.chunks.iter_mut().for_each(|chunk| chunk.is_old = true);
        !ring.chunks.is_empty()
    }

    /// Forgets all frames.
    pub(super) fn skip_to(&self, position: u64) {
        let mut ring = self.ring.lock();
        ring.pending.clear();
        ring.pending_events = 0;
        ring.chunks.clear();
        ring.bytes = 0;
        ring.from = position;
        drop(ring);
        self.newest.send_replace(position);
    }
}

impl Ring {
    fn close_chunk(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let bytes = Bytes::from(std::mem::take(&mut self.pending));
        self.bytes += bytes.len();
        self.chunks.push_back(Chunk {
            first: self.pending_first,
            last: self.pending_last,
            bytes,
            events: std::mem::take(&mut self.pending_events),
            is_old: false,
        });
        while self.bytes > HELD_BYTES_MAX && self.chunks.len() > 1 {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(chunk) = self.chunks.pop_front() {
            self.bytes -= chunk.bytes.len();
            // Never back: what lies before is not held, whatever was taken in late.
            self.from = self.from.max(chunk.last);
        }
    }
}

/// One who follows as a part of a group.
pub struct Member {
    fanout: Arc<Fanout>,
    group: Arc<Group>,
    newest: watch::Receiver<u64>,
    cursor: u64,
}

/// What a member finds.
#[derive(Debug)]
pub enum Next {
    /// Frames after the cursor.
    Frames {
        /// Their bytes.
        bytes: Bytes,
        /// How many events they are of.
        events: u32,
    },
    /// Nothing new.
    Nothing,
    /// The frames after the cursor are not held any more: read the log up to [`Member::resume`]'s position.
    Behind,
}

impl Member {
    pub(super) fn new(fanout: Arc<Fanout>, group: Arc<Group>, cursor: u64) -> Self {
        let newest = group.newest.subscribe();
        Self { fanout, group, newest, cursor }
    }

    /// The position up to which everything was given.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Those who are told the same.
    pub fn audience(&self) -> &Arc<dyn Audience> {
        self.group.audience()
    }

    /// Goes on after a position that was reached by reading the log.
    pub fn resume(&mut self, cursor: u64) {
        self.cursor = self.cursor.max(cursor);
    }

    /// The next frames, if they are there.
    pub fn try_next(&mut self) -> Next {
        // Before looking: what is not found then lies after it.
        let processed = self.fanout.processed();
        self.newest.borrow_and_update();
        let ring = self.group.ring.lock();
        if self.cursor < ring.from {
            return Next::Behind;
        }
        let at = ring.chunks.partition_point(|chunk| chunk.last <= self.cursor);
        let Some(chunk) = ring.chunks.get(at) else {
            drop(ring);
            self.cursor = self.cursor.max(processed);
            return Next::Nothing;
        };
        if chunk.first <= self.cursor {
            return Next::Behind;
        }
        let (bytes, events, last) = (chunk.bytes.clone(), chunk.events, chunk.last);
        drop(ring);
        self.cursor = last;
        Next::Frames { bytes, events }
    }

    /// Waits until there may be something new. Safe to cancel.
    pub async fn changed(&mut self) {
        if self.newest.changed().await.is_err() {
            // The group outlives its members.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.fanout.leave(&self.group);
    }
}
