//! The accumulators that pick some values: first, last, least, greatest, top, bottom.
//!
//! Guarantees: values with equal keys stay in the order they came.
//! Leaves to others: the keys.

use std::collections::VecDeque;

use super::super::stream::OVERHEAD;
use crate::query::Encoded;
use crate::value::encode;

/// At most `most` values in the order of their keys.
#[derive(Clone, Debug)]
pub(in super::super) struct Picked {
    most: usize,
    /// Whether too many values drop the last, or the first.
    keeps_front: bool,
    /// Whether the result is a value, not a list.
    single: bool,
    entries: VecDeque<(Box<[u8]>, Encoded)>,
}

impl Picked {
    pub(super) fn new(most: usize, keeps_front: bool, single: bool) -> Self {
        Self { most, keeps_front, single, entries: VecDeque::new() }
    }

    /// Adds a value; how much memory that took.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) -> usize {
        let full = self.entries.len() >= self.most;
        if full && self.keeps_front && self.entries.back().is_none_or(|(last, _)| **last <= *key) {
            return 0;
        }
        if full && !self.keeps_front && self.entries.front().is_none_or(|(first, _)| **first > *key)
        {
            return 0;
        }
        let place = self.entries.partition_point(|(before, _)| **before <= *key);
        self.entries.insert(place, (key.into(), Encoded::from_slice(value)));
        let taken = key.len() + value.len() + OVERHEAD;
        if !full {
            return taken;
        }
        let dropped =
            if self.keeps_front { self.entries.pop_back() } else { self.entries.pop_front() };
        let freed = dropped.map_or(0, |(key, value)| key.len() + value.len() + OVERHEAD);
        taken.saturating_sub(freed)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        if self.single {
            match self.entries.front() {
                Some((_, value)) => out.extend_from_slice(value),
                None => encode::write_null(out),
            }
            return;
        }
        encode::write_array_header(self.entries.len(), out);
        for (_, value) in &self.entries {
            out.extend_from_slice(value);
        }
    }
}
