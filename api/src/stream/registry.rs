//! Who follows: the open streams, for administrators, figures and the limits per credential and address.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_engine::limits::Limits;
use parking_lot::Mutex;

use crate::auth::limit_key;

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
    /// The client's address.
    pub(crate) address: IpAddr,
    /// What it follows, in a word.
    pub(crate) kind: &'static str,
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
    by_address: HashMap<IpAddr, u32>,
}

/// The place of one stream in the register; leaves it when dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    streams: Arc<Streams>,
    id: u64,
    follower: Arc<Follower>,
}

impl Streams {
    /// Registers a stream, unless its credential or its address has too many of them open; the limit that is reached.
    pub(crate) fn register(
        self: &Arc<Self>,
        follower: Follower,
        limits: &Limits,
    ) -> Result<Registration, (&'static str, u32)> {
        let follower = Arc::new(follower);
        let address = counted(follower.address);
        let mut open = self.open.lock();
        let of_actor = open.by_actor.get(&follower.actor).copied().unwrap_or_default();
        if of_actor >= limits.connections_per_key {
            return Err(("limits.connections_per_key", limits.connections_per_key));
        }
        let of_address = address.and_then(|one| open.by_address.get(&one)).copied();
        if of_address.unwrap_or_default() >= limits.streams_per_address {
            return Err(("limits.streams_per_address", limits.streams_per_address));
        }
        *open.by_actor.entry(Arc::clone(&follower.actor)).or_default() += 1;
        if let Some(address) = address {
            *open.by_address.entry(address).or_default() += 1;
        }
        open.last_id += 1;
        let id = open.last_id;
        open.by_id.insert(id, Arc::clone(&follower));
        drop(open);
        Ok(Registration { streams: Arc::clone(self), id, follower })
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
        let Open { by_actor, by_address, .. } = &mut *open;
        one_less(by_actor, &self.follower.actor);
        if let Some(address) = counted(self.follower.address) {
            one_less(by_address, &address);
        }
    }
}

/// What a stream counts for; nothing for loopback.
fn counted(address: IpAddr) -> Option<IpAddr> {
    let address = limit_key(address);
    (!address.is_loopback() && address != limit_key(Ipv6Addr::LOCALHOST.into())).then_some(address)
}

fn one_less<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
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
            address: "10.0.0.1".parse().unwrap(),
            kind: "events",
            since_ms: 0,
        }
    }

    #[test]
    fn a_credential_and_an_address_have_so_many_streams_and_no_more() {
        let streams = Arc::new(Streams::default());
        let limits = Limits { connections_per_key: 1, streams_per_address: 2, ..Limits::default() };
        let first = streams.register(follower("a"), &limits).unwrap();
        assert_eq!(
            streams.register(follower("a"), &limits).unwrap_err(),
            ("limits.connections_per_key", 1)
        );
        let other = streams.register(follower("b"), &limits).unwrap();
        assert_eq!(
            streams.register(follower("c"), &limits).unwrap_err(),
            ("limits.streams_per_address", 2)
        );
        assert_eq!(streams.furthest_behind(), (2, Some(5)));
        let (page, more) = streams.page(0, 1);
        assert!(more && page.len() == 1);
        drop(first);
        assert!(streams.register(follower("a"), &limits).is_ok());
        assert_eq!(counted(Ipv6Addr::LOCALHOST.into()), None);
        drop(other);
        assert_eq!(streams.furthest_behind(), (0, None));
    }
}
