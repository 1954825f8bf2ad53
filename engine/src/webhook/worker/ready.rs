//! Deliveries that are ready to be attempted, in the order in which they became so; any of them can be taken out.

use std::collections::BTreeMap;

/// A queue of positions.
#[derive(Debug, Default)]
pub(super) struct Ready {
    order: BTreeMap<u64, u64>,
    last: u64,
}

impl Ready {
    /// Puts a position at the end; gives the number of its place.
    pub(super) fn push(&mut self, position: u64) -> u64 {
        self.last += 1;
        self.order.insert(self.last, position);
        self.last
    }

    /// The first position.
    pub(super) fn pop(&mut self) -> Option<u64> {
        self.order.pop_first().map(|(_, position)| position)
    }

    /// Gives a place up.
    pub(super) fn remove(&mut self, place: u64) {
        self.order.remove(&place);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}
