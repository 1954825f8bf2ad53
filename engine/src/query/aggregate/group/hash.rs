//! A fast hash for keys in memory.
//!
//! Guarantees: seeded at random for each table, so that colliding keys cannot be prepared.
//! Leaves to others: partitions of spill files, which need a hash without a seed (`spill`).

use std::hash::{BuildHasher, Hasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Builds hashers of one seed.
#[derive(Clone, Debug)]
pub(in super::super) struct FastHash(u64);

impl Default for FastHash {
    fn default() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }
}

impl BuildHasher for FastHash {
    type Hasher = FastHasher;

    fn build_hasher(&self) -> FastHasher {
        FastHasher(self.0)
    }
}

/// The hash so far.
pub(in super::super) struct FastHasher(u64);

impl Hasher for FastHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// Only lengths come here, which the bytes of a key imply.
    #[inline]
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
