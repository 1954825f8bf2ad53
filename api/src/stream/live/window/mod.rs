//! Windows of live queries: one keeper, one content and one encoding for all who ask for the same.
//!
//! Those who ask for the same window, see by the same grant and are told in the same words are a [`Group`]. Its keeper
//! follows the changes of the result and tells the group what enters and leaves; its members share the frames.
//!
//! Guarantees: a window is filled once, however many ask for it at once; its keeper ends with its last member.
//! Leaves to others: who may look, and what carries it ([`Live`](super::Live)).

mod audience;
mod catch_up;
mod group;
mod keeper;
mod member;
mod ring;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use headwater_engine::subscribe::fanout::GroupKey;
use headwater_engine::subscribe::window::Order;
use headwater_engine::subscribe::{BodyFilter, BodyProjection};
use headwater_engine::{Engine, Error, ErrorKind, Result};
use parking_lot::Mutex;
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;

use super::audience::LiveReader;
use super::frames::Frames;
use crate::session::Sight;
use crate::stream::group::KeyMaker;
use crate::stream::topic::LiveTopic;
use group::{Definition, Group};

pub(super) use member::Member;

/// Bytes of documents that all windows together may begin with.
const ALL_BYTES_MAX: u64 = 512 << 20;
/// How many members find out at a time what their windows were: each may hold as much as a window.
const CATCHING_UP_MAX: usize = 64;

/// All windows that somebody looks at.
pub(crate) struct Windows {
    by_key: Mutex<HashMap<GroupKey, Arc<Place>>>,
    bytes: AtomicU64,
    catching_up: Arc<Semaphore>,
}

impl Default for Windows {
    fn default() -> Self {
        let catching_up = Arc::new(Semaphore::new(CATCHING_UP_MAX));
        Self { by_key: Mutex::default(), bytes: AtomicU64::default(), catching_up }
    }
}

/// Where those who ask for the same window meet.
struct Place {
    key: GroupKey,
    /// How many there are; changed under the lock of all windows.
    seats: AtomicUsize,
    group: OnceCell<Arc<Group>>,
    /// The bytes that it counts for.
    bytes: AtomicU64,
    /// Cancelled when the last one has left.
    left: CancellationToken,
}

/// One who counts at a place.
struct Guest {
    windows: Arc<Windows>,
    place: Arc<Place>,
}

/// One who is at a window.
struct Seat {
    group: Arc<Group>,
    _guest: Guest,
}

/// What somebody asks to look at.
pub(super) struct Request<'a> {
    pub(super) windows: &'a Arc<Windows>,
    pub(super) engine: &'a Engine,
    pub(super) topic: &'a LiveTopic,
    pub(super) sight: &'a Sight,
    pub(super) frames: &'a Frames,
    /// Most documents.
    pub(super) limit: usize,
}

impl Request<'_> {
    /// Begins with the content; `reset` says why what was told before is void.
    pub(super) async fn begin(&self, reset: Option<&'static str>) -> Result<Member> {
        let seat = self.seat().await?;
        seat.group.is_of_now().await;
        Member::begin(seat, self.reader(), reset)
    }

    /// Goes on after a position that the subscriber has the window of.
    pub(super) async fn resume(&self, position: u64) -> Result<Member> {
        Member::resume(self.seat().await?, self.reader(), position)
    }

    fn reader(&self) -> LiveReader {
        // What was told before a change of rights is void, also where the change becomes visible while this one catches up.
        LiveReader::new(self.topic, self.sight, u64::MAX)
    }

    /// A seat at the window, which is filled if nobody was there.
    async fn seat(&self) -> Result<Seat> {
        let guest = self.windows.enter(self.key());
        let place = Arc::clone(&guest.place);
        let group = place.group.get_or_try_init(|| self.open(&place)).await?;
        Ok(Seat { group: Arc::clone(group), _guest: guest })
    }

    /// Equal for those who are told the same.
    fn key(&self) -> GroupKey {
        let Self { topic, frames, .. } = self;
        let grant = self.sight.shared_grant();
        let mut key = KeyMaker::new(b"window", grant, frames.format, &frames.wire);
        key.bytes(Some(topic.collection.as_bytes()));
        key.bytes(topic.filter.as_ref().map(BodyFilter::source));
        key.bytes(topic.asked.sort());
        key.bytes(frames.projection.as_ref().map(BodyProjection::source));
        key.number(self.limit as u64);
        key.finish()
    }

    async fn open(&self, place: &Arc<Place>) -> Result<Arc<Group>> {
        let definition = Definition {
            engine: self.engine.clone(),
            query: self.topic.query(self.sight),
            grant: Arc::clone(self.sight.shared_grant()),
            asked: self.topic.asked.clone(),
            order: Order::new(self.topic.sort.clone()),
            limit: self.limit,
            frames: self.frames.clone(),
            catching_up: Arc::clone(&self.windows.catching_up),
        };
        let snapshot = Arc::new(self.engine.snapshot());
        let window = definition.filled(&snapshot).await?;
        self.windows.take_bytes(place, window.bytes() as u64)?;
        let group = Arc::new(Group::new(definition, window, snapshot.position()));
        let (kept, place, windows) =
            (Arc::clone(&group), Arc::clone(place), Arc::clone(self.windows));
        let stop = self.engine.tasks().token();
        self.engine.tasks().spawn("live-window", async move {
            tokio::select! {
                () = place.left.cancelled() => {}
                () = stop.cancelled() => {
                    kept.end(Error::unavailable("stopping", "the server is stopping"));
                }
                error = keeper::keep(&kept) => {
                    tracing::warn!(%error, "a window of a live query ended");
                    windows.forget(&place);
                    kept.end(error);
                }
            }
        });
        Ok(group)
    }
}

impl Windows {
    fn enter(self: &Arc<Self>, key: GroupKey) -> Guest {
        let mut by_key = self.by_key.lock();
        let place = by_key.entry(key).or_insert_with(|| {
            let (group, left) = (OnceCell::new(), CancellationToken::new());
            let (seats, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
            Arc::new(Place { key, seats, group, bytes, left })
        });
        place.seats.fetch_add(1, Ordering::Relaxed);
        Guest { windows: Arc::clone(self), place: Arc::clone(place) }
    }

    fn leave(&self, place: &Arc<Place>) {
        let mut by_key = self.by_key.lock();
        if place.seats.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        place.left.cancel();
        self.bytes.fetch_sub(place.bytes.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        if by_key.get(&place.key).is_some_and(|known| Arc::ptr_eq(known, place)) {
            by_key.remove(&place.key);
        }
    }

    fn take_bytes(&self, place: &Place, bytes: u64) -> Result<()> {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= ALL_BYTES_MAX {
            place.bytes.fetch_add(bytes, Ordering::Relaxed);
            return Ok(());
        }
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        let message = format!(
            "the windows of live queries hold more than {ALL_BYTES_MAX} bytes together; ask for fewer documents, or later"
        );
        Err(Error::new(ErrorKind::Unavailable, "windows_full", message))
    }

    /// Who asks from now on gets another one.
    fn forget(&self, place: &Arc<Place>) {
        let mut by_key = self.by_key.lock();
        if by_key.get(&place.key).is_some_and(|known| Arc::ptr_eq(known, place)) {
            by_key.remove(&place.key);
        }
    }
}

impl Seat {
    fn group(&self) -> &Arc<Group> {
        &self.group
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.windows.leave(&self.place);
    }
}
