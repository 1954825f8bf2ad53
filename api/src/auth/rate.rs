//! Rates: how many requests of one credential and address pass in a fixed window.
//!
//! Guarantees: never more entries than the capacity, whatever is thrown at it; where it is full, the entry whose window is
//! over, or ends first, makes room. A refused request is not counted. The window begins with the first request.
//! Leaves to others: what is limited, and how much.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher;
use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;

use super::address::limit_key;
use crate::error::ApiError;

/// Requests of different keys seldom wait for each other.
const SHARDS: usize = 16;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// What came of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Whether it passes.
    pub(crate) allowed: bool,
    /// Most requests in a window.
    pub(crate) limit: u32,
    /// How many more pass in this window.
    pub(crate) remaining: u32,
    /// Seconds to the end of this window, at least 1.
    pub(crate) reset_seconds: u64,
}

/// A bounded table of windows.
#[derive(Debug)]
pub(crate) struct RateTable {
    shards: [Mutex<Shard>; SHARDS],
    shard_capacity: usize,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Shard {
    windows: HashMap<u64, Window>,
    /// The same entries by the end of their window.
    ends: BTreeSet<(u64, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    end_ms: u64,
    count: u32,
}

impl Taken {
    /// Says how the caller stands.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, HeaderValue::from(self.limit));
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
        headers.insert(RESET, HeaderValue::from(self.reset_seconds));
    }

    /// The refusal (429 with `Retry-After`), where it does not pass.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        if self.allowed {
            return Ok(());
        }
        let message = format!("more than {} requests; try again later", self.limit);
        let error = ApiError::too_many(message, self.reset_seconds);
        Err(error.with("limit", u64::from(self.limit)))
    }
}

impl RateTable {
    /// A table of about `capacity` entries.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            shards: Default::default(),
            shard_capacity: capacity.div_ceil(SHARDS).max(1),
            hasher: RandomState::new(),
        }
    }

    /// The key of a credential at an address; nobody outside can make two that are equal.
    pub(crate) fn key(&self, credential: &str, address: IpAddr) -> u64 {
        self.hasher.hash_one((credential, limit_key(address)))
    }

    /// Counts one request of a key: at most `limit` pass in `window_ms`.
    pub(crate) fn take(&self, key: u64, limit: u32, window_ms: u64, now_ms: u64) -> Taken {
        let mut shard = self.shards[(key % SHARDS as u64) as usize].lock();
        let mut window = shard.window(key, window_ms, now_ms, self.shard_capacity);
        let allowed = window.count < limit;
        if allowed {
            window.count += 1;
            shard.windows.insert(key, window);
        }
        Taken {
            allowed,
            limit,
            remaining: limit.saturating_sub(window.count),
            reset_seconds: window.end_ms.saturating_sub(now_ms).div_ceil(1000).max(1),
        }
    }

    /// How many entries there are.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().windows.len()).sum()
    }
}

impl Shard {
    /// The present window of a key, which is in the table.
    fn window(&mut self, key: u64, window_ms: u64, now_ms: u64, capacity: usize) -> Window {
        if let Some(window) = self.windows.get(&key) {
            // An end further away than a window is from before the clock was set back.
            if (now_ms + 1..=now_ms.saturating_add(window_ms)).contains(&window.end_ms) {
                return *window;
            }
            self.ends.remove(&(window.end_ms, key));
        } else if self.windows.len() >= capacity
            && let Some((_, first)) = self.ends.pop_first()
        {
            self.windows.remove(&first);
        }
        let window = Window { end_ms: now_ms.saturating_add(window_ms), count: 0 };
        self.windows.insert(key, window);
        self.ends.insert((window.end_ms, key));
        window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    #[test]
    fn a_window_lets_its_limit_pass_and_begins_anew() {
        let table = RateTable::new(100);
        let key = table.key("a", "198.51.100.7".parse().unwrap());
        for left in (0..3).rev() {
            let taken = table.take(key, 3, HOUR, 1000);
            assert!(taken.allowed);
            assert_eq!((taken.remaining, taken.reset_seconds), (left, 3600));
        }
        for now in [1001, 999 + HOUR] {
            let taken = table.take(key, 3, HOUR, now);
            assert!(!taken.allowed);
            assert_eq!(taken.remaining, 0);
        }
        assert_eq!(table.take(key, 3, HOUR, 999 + HOUR).reset_seconds, 1);
        assert!(table.take(key, 3, HOUR, 1000 + HOUR).allowed);
        assert!(!table.take(key, 0, HOUR, 1000 + HOUR).allowed);
    }

    #[test]
    fn keys_differ_by_credential_and_address() {
        let table = RateTable::new(100);
        let key = |credential, address: &str| table.key(credential, address.parse().unwrap());
        assert_eq!(key("a", "2001:db8::1"), key("a", "2001:db8::2"));
        assert_ne!(key("a", "2001:db8::1"), key("a", "2001:db8:0:1::1"));
        assert_ne!(key("a", "198.51.100.7"), key("b", "198.51.100.7"));
        assert!(table.take(key("a", "198.51.100.7"), 1, HOUR, 0).allowed);
        assert!(table.take(key("b", "198.51.100.7"), 1, HOUR, 0).allowed);
        assert!(!table.take(key("a", "198.51.100.7"), 1, HOUR, 0).allowed);
    }

    #[test]
    fn a_flood_of_keys_is_bounded_and_takes_the_nearest_end_first() {
        let table = RateTable::new(SHARDS * 2);
        for key in 0..10_000 {
            table.take(key, 1, HOUR, key);
        }
        assert_eq!(table.len(), SHARDS * 2);
        let shard = table.shards[0].lock();
        assert_eq!(shard.windows.len(), shard.ends.len());
        drop(shard);

        // One shard of two entries: the one that ends first makes room, not the older entry.
        let table = RateTable::new(SHARDS * 2);
        let (long, short, new) = (0, SHARDS as u64, 2 * SHARDS as u64);
        table.take(long, 1, HOUR, 0);
        table.take(short, 1, 1000, 1);
        table.take(new, 1, HOUR, 2);
        assert!(!table.take(long, 1, HOUR, 3).allowed);
        assert!(!table.take(new, 1, HOUR, 3).allowed);
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let table = RateTable::new(100);
        assert!(table.take(7, 1, 1000, 1_000_000).allowed);
        assert!(table.take(7, 1, 1000, 5).allowed);
        assert!(!table.take(7, 1, 1000, 6).allowed);
        assert_eq!(table.shards[7].lock().ends.len(), 1);
    }

    #[test]
    fn headers_say_how_the_caller_stands() {
        let taken = Taken { allowed: false, limit: 5, remaining: 0, reset_seconds: 17 };
        let mut headers = HeaderMap::new();
        taken.write_headers(&mut headers);
        assert_eq!(headers[LIMIT], "5");
        assert_eq!(headers[REMAINING], "0");
        assert_eq!(headers[RESET], "17");
        let error = taken.check().unwrap_err();
        assert_eq!(error.status(), http::StatusCode::TOO_MANY_REQUESTS);
        use axum::response::IntoResponse;
        assert_eq!(error.into_response().headers()[http::header::RETRY_AFTER], "17");
    }
}
