//! The first so many of many rows: a bounded heap, so that a sort with a limit needs no more memory than its window.

use std::collections::BinaryHeap;

use super::FoundRow;
use crate::error::Result;
use crate::query::Budget;

struct Held(FoundRow);

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.0.place == other.0.place
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.place.cmp(&other.0.place)
    }
}

/// The lowest `limit` rows seen so far.
pub(super) struct Top<'b> {
    heap: BinaryHeap<Held>,
    limit: usize,
    dropped: bool,
    budget: &'b Budget,
}

impl<'b> Top<'b> {
    pub(super) fn new(limit: usize, budget: &'b Budget) -> Self {
        Self { heap: BinaryHeap::new(), limit, dropped: false, budget }
    }

    pub(super) fn push(&mut self, found: FoundRow) -> Result<()> {
        if self.heap.len() == self.limit {
            self.dropped = true;
            match self.heap.peek() {
                Some(highest) if found.place < highest.0.place => {}
                _ => return Ok(()),
            }
            if let Some(out) = self.heap.pop() {
                self.budget.give_memory(size(&out.0));
            }
        }
        self.budget.take_memory(size(&found))?;
        self.heap.push(Held(found));
        Ok(())
    }

    pub(super) fn has_more(&self) -> bool {
        self.dropped
    }

    pub(super) fn into_sorted(self) -> Vec<FoundRow> {
        self.heap.into_sorted_vec().into_iter().map(|held| held.0).collect()
    }
}

fn size(found: &FoundRow) -> usize {
    std::mem::size_of::<Held>() + found.place.key.len() + found.place.id_key.len() + found.size()
}
