//! How many requests are let in: of a key at an address, of an address, and of an address that guesses.
//!
//! Guarantees: memory is bounded whatever comes; loopback is not limited, but by the rates of keys.

use std::net::IpAddr;

use crate::auth::{AccessOptions, RateTable, Taken};
use crate::error::ApiError;

/// Windows that are kept of each sort.
const CAPACITY: usize = 65_536;
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;

/// The counters of requests.
#[derive(Debug)]
pub(crate) struct Rates {
    keys: RateTable,
    addresses: RateTable,
    failures: RateTable,
    per_address: u32,
    failures_per_address: u32,
}

impl Rates {
    /// With the limits of the configuration.
    pub(crate) fn new(options: &AccessOptions) -> Self {
        Self {
            keys: RateTable::new(CAPACITY),
            addresses: RateTable::new(CAPACITY),
            failures: RateTable::new(CAPACITY),
            per_address: options.requests_per_address_per_minute,
            failures_per_address: options.failures_per_address_per_minute,
        }
    }

    /// Counts a request of an address.
    pub(crate) fn request(&self, address: IpAddr, now_ms: u64) -> Result<(), ApiError> {
        if self.per_address == 0 || address.is_loopback() {
            return Ok(());
        }
        let key = self.addresses.key("", address);
        self.addresses.take(key, self.per_address, MINUTE_MS, now_ms).check()
    }

    /// Counts a credential of an address that is not valid; the refusal, or a harder one.
    pub(crate) fn failure(&self, address: IpAddr, error: ApiError, now_ms: u64) -> ApiError {
        if address.is_loopback() {
            return error;
        }
        let key = self.failures.key("", address);
        let taken = self.failures.take(key, self.failures_per_address, MINUTE_MS, now_ms);
        taken.check().err().unwrap_or(error)
    }

    /// Counts a request of a key at an address.
    pub(crate) fn key(&self, credential: &str, address: IpAddr, limit: u32, now_ms: u64) -> Taken {
        self.keys.take(self.keys.key(credential, address), limit, HOUR_MS, now_ms)
    }
}
