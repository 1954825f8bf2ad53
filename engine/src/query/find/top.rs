//! The first so many of many rows: a bounded heap, so that a sort with a limit needs no more memory than its window.

use std::collections::BinaryHeap;

use super::Place;
use crate::error::Result;
use crate::query::Budget;
use crate::view::Row;

struct Held {
    place: Place,
    row: Row,
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
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
        self.place.cmp(&other.place)
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

    pub(super) fn push(&mut self, place: Place, row: Row) -> Result<()> {
        if self.heap.len() == self.limit {
            self.dropped = true;
            match self.heap.peek() {
                Some(highest) if place < highest.place => {}
                _ => return Ok(()),
            }
            if let Some(out) = self.heap.pop() {
                self.budget.give_memory(size(&out.place, &out.row));
            }
        }
        self.budget.take_memory(size(&place, &row))?;
        self.heap.push(Held { place, row });
        Ok(())
    }

    pub(super) fn has_more(&self) -> bool {
        self.dropped
    }

    pub(super) fn into_sorted(self) -> Vec<(Place, Row)> {
        self.heap.into_sorted_vec().into_iter().map(|held| (held.place, held.row)).collect()
    }
}

fn size(place: &Place, row: &Row) -> usize {
    std::mem::size_of::<Held>() + place.key.len() + place.id_key.len() + row.size()
}
