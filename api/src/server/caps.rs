//! How many connections may be open, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use headwater_engine::limits::Limits;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::state::App;

/// Counts open connections.
pub(crate) struct Caps {
    in_all: u32,
    per_address: u32,
    open: Mutex<HashMap<IpAddr, u32>>,
    count: watch::Sender<u32>,
}

/// One open connection; leaves when dropped.
pub(crate) struct Admission {
    caps: Arc<Caps>,
    app: App,
    /// The address that it counts for; none for loopback.
    address: Option<IpAddr>,
}

impl Caps {
    /// The limits of the configuration.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            in_all: limits.connections,
            per_address: limits.connections_per_address,
            open: Mutex::default(),
            count: watch::channel(0).0,
        }
    }

    /// Takes a connection in, unless there are too many.
    pub(crate) fn admit(caps: &Arc<Self>, app: &App, address: IpAddr) -> Option<Admission> {
        let admitted = caps.take(address);
        if admitted.is_none() {
            app.figures.connections_refused.fetch_add(1, Ordering::Relaxed);
        }
        let address = admitted?;
        app.figures.connections.fetch_add(1, Ordering::Relaxed);
        Some(Admission { caps: Arc::clone(caps), app: app.clone(), address })
    }

    fn take(&self, address: IpAddr) -> Option<Option<IpAddr>> {
        let address = canonical(address);
        let mut open = self.open.lock();
        if *self.count.borrow() >= self.in_all {
            return None;
        }
        if let Some(address) = address {
            let count = open.entry(address).or_default();
            if *count >= self.per_address {
                return None;
            }
            *count += 1;
        }
        self.count.send_modify(|count| *count += 1);
        Some(address)
    }

    fn leave(&self, address: Option<IpAddr>) {
        let mut open = self.open.lock();
        if let Some(address) = address
            && let Some(count) = open.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                open.remove(&address);
            }
        }
        self.count.send_modify(|count| *count -= 1);
    }

    /// Resolves when no connection is open.
    pub(crate) async fn empty(&self) {
        // The sender is right here: waiting cannot fail.
        drop(self.count.subscribe().wait_for(|count| *count == 0).await);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.app.figures.connections.fetch_sub(1, Ordering::Relaxed);
        self.caps.leave(self.address);
    }
}

/// The address that connections count for: IPv6 by its /64, an IPv4-mapped address as IPv4; loopback does not count.
fn canonical(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            Some(IpAddr::V6(network.into()))
        }
        address => Some(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_have_their_share() {
        let limits = Limits { connections: 3, connections_per_address: 1, ..Limits::default() };
        let caps = Caps::new(&limits);
        let first = caps.take(address("10.0.0.1")).unwrap();
        assert!(caps.take(address("10.0.0.1")).is_none());
        assert!(caps.take(address("::ffff:10.0.0.1")).is_none());
        assert!(caps.take(address("127.0.0.1")).is_some());
        assert!(caps.take(address("127.0.0.1")).is_some());
        assert!(caps.take(address("10.0.0.2")).is_none(), "the global limit is reached");
        caps.leave(first);
        assert!(caps.take(address("10.0.0.1")).is_some());
    }

    #[test]
    fn a_v6_network_counts_as_one() {
        assert_eq!(canonical(address("2001:db8::1")), canonical(address("2001:db8::2")));
        assert_eq!(canonical(address("::1")), None);
    }
}
