//! Fan-out: one look at each event for all who follow live, instead of one for each of them.
//!
//! Subscribers who ask for the same, see the same and are told it in the same way are one *group*. A single task follows the
//! log; an event visits only groups that may want it ([`index`]); each of these judges and encodes it once, and its members
//! share the bytes ([`group`]).
//!
//! Guarantees: a member that follows is given every frame of its group after its cursor, once, in order. A member holds no
//! frames; a group holds the frames of about a second, bounded in bytes. A member whose cursor lies before what the group
//! still holds is told so ([`Next::Behind`]): it reads the log at its own pace and comes back. Nobody waits for a slow member.
//! Leaves to others: reading the log for those who are behind, and what a frame is ([`Audience`]).

mod group;
mod index;
mod interests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::event::Event;
use crate::log::{Block, Tail, TailRead};
use crate::tasks::Tasks;

use group::Group;
use index::Index;

pub use group::{Member, Next};
pub use interests::{Equality, Interest, Interests};

/// Between two sweeps; a group keeps frames for its members from one to two of them.
const KEPT: Duration = Duration::from_secs(1);

/// What makes subscribers one group: equal keys mean equal audiences.
pub type GroupKey = [u8; 32];

/// Subscribers who ask for the same and see the same.
pub trait Audience: Send + Sync + 'static {
    /// Appends the frame of an event, if it is asked for and seen.
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>);

    /// Where events have to be looked at; wider than what is wanted, never narrower.
    fn interests(&self) -> Interests;

    /// How often its filter took too long on an event.
    fn overruns(&self) -> u32;
}

/// The one who follows the log for all groups.
pub struct Fanout {
    tail: Arc<Tail>,
    state: Mutex<State>,
    /// Held by whoever looks at a block; nobody who comes or goes waits for it.
    looking: Mutex<()>,
    /// Up to here every event is in the groups that want it.
    processed: AtomicU64,
}

#[derive(Default)]
struct State {
    groups: Vec<Option<Arc<Group>>>,
    free: Vec<usize>,
    by_key: HashMap<GroupKey, usize>,
    index: Index,
    /// Groups that hold frames.
    filled: Vec<usize>,
    /// Up to here events were shown to the groups that there were.
    looked_at: u64,
    /// Where groups were found for the event at hand.
    found: Vec<usize>,
}

impl Fanout {
    /// One over the tail of a log; [`Fanout::start`] sets it going.
    pub(crate) fn new(tail: Arc<Tail>) -> Arc<Self> {
        let processed = AtomicU64::new(tail.published());
        Arc::new(Self { tail, state: Mutex::default(), looking: Mutex::default(), processed })
    }

    /// Follows the log until the stop.
    pub(crate) fn start(self: &Arc<Self>, tasks: &Tasks) {
        let (fanout, stop) = (Arc::clone(self), tasks.token());
        tasks.spawn("fanout", async move {
            let mut published = fanout.tail.subscribe();
            let mut sweep = tokio::time::interval(KEPT);
            sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                let more = fanout.step();
                if more {
                    tokio::task::consume_budget().await;
                    continue;
                }
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    changed = published.changed() => if changed.is_err() { return },
                    _ = sweep.tick() => fanout.sweep(),
                }
            }
        });
    }

    /// Joins the group of a key, which is made if it is not there, after a position.
    pub fn join(
        self: &Arc<Self>,
        key: GroupKey,
        cursor: u64,
        audience: impl FnOnce() -> Arc<dyn Audience>,
    ) -> Member {
        let mut state = self.state.lock();
        let group = match state.by_key.get(&key) {
            Some(slot) => state.groups[*slot].clone(),
            None => None,
        };
        let group = group.unwrap_or_else(|| {
            // Nobody followed, and nothing is being looked at: what came until now needs no looking at.
            if state.by_key.is_empty() && self.looking.try_lock().is_some() {
                self.processed.fetch_max(self.tail.published(), Ordering::AcqRel);
            }
            let from = self.processed().max(state.looked_at);
            state.add(key, audience(), from)
        });
        group.enter();
        drop(state);
        Member::new(Arc::clone(self), group, cursor)
    }

    /// Up to here every event is in the groups that want it.
    pub(crate) fn processed(&self) -> u64 {
        self.processed.load(Ordering::Acquire)
    }

    /// Looks at what is published up to a position now, instead of when the task comes to it.
    pub fn catch_up(&self, position: u64) {
        while self.processed() < position && self.step() {}
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.state.lock().by_key.len()
    }

    /// Forgets the frames that are held, for instance after an erasure: members go on from the log.
    pub(crate) fn forget(&self) {
        let _looking = self.looking.lock();
        self.state.lock().skip_to(self.processed());
    }

    /// A member leaves; the last one takes the group with it.
    fn leave(&self, group: &Arc<Group>) {
        let mut state = self.state.lock();
        if group.exit() {
            state.remove(group);
        }
    }

    /// Looks at the next block; whether there was one. Groups come and go meanwhile.
    fn step(&self) -> bool {
        let _looking = self.looking.lock();
        let end = self.tail.published();
        let processed = self.processed();
        if processed >= end {
            return false;
        }
        let mut state = self.state.lock();
        if state.by_key.is_empty() {
            self.processed.fetch_max(end, Ordering::AcqRel);
            return false;
        }
        let to = match self.tail.after(processed) {
            TailRead::Block(block) => {
                drop(state);
                let to = block.last_position().min(end);
                self.look_at(&block, processed, to);
                to
            }
            // Too far behind: members read the log themselves, which is what it is there for.
            TailRead::TooOld => {
                state.skip_to(end);
                end
            }
            TailRead::UpToDate => return false,
        };
        // Last: a member that finds nothing goes on after what is processed.
        self.processed.fetch_max(to, Ordering::AcqRel);
        true
    }

    /// Shows the events of a block after a position, up to another, to the groups that may want them.
    fn look_at(&self, block: &Block, after: u64, to: u64) {
        let (mut found, mut filled, mut frame) = (Vec::new(), Vec::new(), Vec::new());
        for record in block.iter().filter(|one| one.position() > after && one.position() <= to) {
            let event = match Event::decode(&record) {
                Ok(event) => event,
                Err(error) => {
                    tracing::error!(position = record.position(), %error, "an event was not read");
                    continue;
                }
            };
            self.state.lock().find(&event, &mut found);
            for group in found.drain(..) {
                if group.take(&event, &mut frame) {
                    filled.push(group);
                }
            }
        }
        filled.sort_unstable_by_key(|group| group.slot());
        filled.dedup_by(|a, b| Arc::ptr_eq(a, b));
        filled.iter().for_each(|group| group.flush());
        self.state.lock().note_filled(&filled);
    }

    fn sweep(&self) {
        let mut state = self.state.lock();
        let State { filled, groups, .. } = &mut *state;
        filled.retain(|slot| groups[*slot].as_ref().is_some_and(|group| group.sweep()));
    }
}

impl State {
    fn add(&mut self, key: GroupKey, audience: Arc<dyn Audience>, from: u64) -> Arc<Group> {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.groups.push(None);
            self.groups.len() - 1
        });
        self.index.add(slot, &audience.interests());
        let group = Arc::new(Group::new(slot, key, audience, from));
        self.groups[slot] = Some(Arc::clone(&group));
        self.by_key.insert(key, slot);
        group
    }

    fn remove(&mut self, group: &Group) {
        let slot = group.slot();
        self.index.remove(slot, &group.audience().interests());
        self.by_key.remove(group.key());
        self.groups[slot] = None;
        self.filled.retain(|filled| *filled != slot);
        self.free.push(slot);
    }

    /// Appends the groups that may want an event. Groups that come later begin after it.
    fn find(&mut self, event: &Event<'_>, out: &mut Vec<Arc<Group>>) {
        let Self { index, groups, found, looked_at, .. } = self;
        *looked_at = event.position;
        found.clear();
        index.find(event, found);
        out.extend(found.iter().filter_map(|slot| groups[*slot].clone()));
    }

    /// Notes which groups hold frames.
    fn note_filled(&mut self, filled: &[Arc<Group>]) {
        for group in filled {
            let slot = group.slot();
            if self.groups[slot].as_ref().is_some_and(|known| Arc::ptr_eq(known, group)) {
                self.filled.push(slot);
            }
        }
        self.filled.sort_unstable();
        self.filled.dedup();
    }

    /// Forgets all frames; every member goes on from the log.
    fn skip_to(&mut self, position: u64) {
        for group in self.groups.iter().flatten() {
            group.skip_to(position);
        }
        self.filled.clear();
    }
}

#[cfg(test)]
mod tests;
