//! The first k of many documents.
//!
//! Guarantees: of documents with equal keys those that came first are kept.
//! Leaves to others: what happens when even k do not fit: it stops, and everything is sorted instead.

use std::collections::BinaryHeap;

use super::super::Documents;
use super::super::stream::{Env, Held};
use super::Entry;
use crate::error::Result;
use crate::query::Sort;
use crate::value::Raw;

/// At most `most` entries, the greatest on top.
pub(super) struct Top {
    most: usize,
    heap: BinaryHeap<Ranked>,
}

struct Ranked {
    entry: Entry,
    sequence: u64,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.entry.key.cmp(&other.entry.key).then(self.sequence.cmp(&other.sequence))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

impl Top {
    pub(super) fn new(most: usize) -> Self {
        Self { most, heap: BinaryHeap::new() }
    }

    /// Takes documents until there are no more, or until memory is used up.
    pub(super) fn take(
        &mut self,
        sort: &Sort,
        input: &mut Documents<'_>,
        env: Env<'_>,
        held: &mut Held<'_>,
    ) -> Result<()> {
        let mut key = Vec::new();
        for (sequence, document) in (0_u64..).zip(input) {
            env.budget.check()?;
            let document = document?;
            key.clear();
            sort.write_key(Raw::trusted(&document), &mut key)?;
            if self.heap.len() < self.most {
                let entry = Entry { key: key.as_slice().into(), document };
                let fits = held.try_take(entry.size());
                if !fits && self.heap.is_empty() {
                    held.take(entry.size())?;
                }
                self.heap.push(Ranked { entry, sequence });
                if !fits {
                    return Ok(());
                }
                continue;
            }
            let Some(mut last) = self.heap.peek_mut() else { return Ok(()) };
            if *key >= *last.entry.key {
                continue;
            }
            let entry = Entry { key: key.as_slice().into(), document };
            let grown = entry.size().saturating_sub(last.entry.size());
            let fits = held.try_take(grown);
            *last = Ranked { entry, sequence };
            if !fits {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What is kept, in order.
    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.heap.into_sorted_vec().into_iter().map(|ranked| ranked.entry).collect()
    }
}
