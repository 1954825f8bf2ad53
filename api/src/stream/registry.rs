//! Who follows: the open streams, for administrators, figures and the limit per credential.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// One open stream.
#[derive(Debug)]
pub(crate) struct Follower {
    /// Who follows.
    pub(crate) actor: Arc<str>,
    /// The position it started after.
    pub(crate) from: u64,
    /// The last position looked at.
    pub(crate) cursor: AtomicU64,
    /// The collections asked for; none: all.
    pub(crate) collections: Vec<String>,
    /// Where the request came from.
    pub(crate) remote: Option<SocketAddr>,
    /// When it began, UTC ms.
    pub(crate) since_ms: u64,
}

/// All open streams.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last_id: u64,
    by_id: BTreeMap<u64, Arc<Follower>>,
    by_actor: HashMap<Arc<str>, u32>,
}

/// The place of one stream in the register; leaves it when dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    streams: Arc<Streams>,
    id: u64,
    follower: Arc<Follower>,
}

impl Streams {
    /// Registers a stream, unless its credential has `per_actor` of them open.
    pub(crate) fn register(
        self: &Arc<Self>,
        follower: Follower,
        per_actor: u32,
    ) -> Option<Registration> {
        let follower = Arc::new(follower);
        let mut open = self.open.lock();
        let count = open.by_actor.entry(Arc::clone(&follower.actor)).or_default();
        if *count >= per_actor {
            return None;
        }
        *count += 1;
        open.last_id += 1;
        let id = open.last_id;
        open.by_id.insert(id, Arc::clone(&follower));
        drop(open);
        Some(Registration { streams: Arc::clone(self), id, follower })
    }

    /// Up to `limit` streams after an id, and whether there are more.
    pub(crate) fn page(&self, after: u64, limit: usize) -> (Vec<(u64, Arc<Follower>)>, bool) {
        let open = self.open.lock();
        let mut rest = open.by_id.range(after.saturating_add(1)..);
        let page = rest.by_ref().take(limit).map(|(id, one)| (*id, Arc::clone(one))).collect();
        (page, rest.next().is_some())
    }

    /// How many streams are open, and the position of the one furthest behind.
    pub(crate) fn furthest_behind(&self) -> (usize, Option<u64>) {
        let open = self.open.lock();
        let cursors = open.by_id.values().map(|one| one.cursor.load(Ordering::Relaxed));
        (open.by_id.len(), cursors.min())
    }
}

impl Registration {
    /// Notes how far the stream has come.
    pub(crate) fn reached(&self, position: u64) {
        self.follower.cursor.store(position, Ordering::Relaxed);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock();
        open.by_id.remove(&self.id);
        if let Some(count) = open.by_actor.get_mut(&self.follower.actor) {
            *count -= 1;
            if *count == 0 {
                open.by_actor.remove(&self.follower.actor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follower(actor: &str) -> Follower {
        Follower {
            actor: Arc::from(actor),
            from: 0,
            cursor: AtomicU64::new(5),
            collections: Vec::new(),
            remote: None,
            since_ms: 0,
        }
    }

    #[test]
    fn a_credential_has_so_many_streams_and_no_more() {
        let streams = Arc::new(Streams::default());
        let first = streams.register(follower("a"), 1).unwrap();
        assert!(streams.register(follower("a"), 1).is_none());
        let other = streams.register(follower("b"), 1).unwrap();
        assert_eq!(streams.furthest_behind(), (2, Some(5)));
        let (page, more) = streams.page(0, 1);
        assert!(more && page.len() == 1);
        drop(first);
        assert!(streams.register(follower("a"), 1).is_some());
        drop(other);
        assert_eq!(streams.furthest_behind(), (0, None));
    }
}
