//! Which documents were acknowledged, and which of them came.

use std::cell::{Cell, RefCell};
use std::ops::Range;

/// A set of small numbers, one bit each.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    words: Vec<u64>,
    count: u64,
}

impl Numbers {
    /// Adds a number; `false` if it was there.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        let word = (number / 64) as usize;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let bit = 1 << (number % 64);
        let new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.count += u64::from(new);
        new
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// How many of these are not in `other`.
    pub(super) fn without(&self, other: &Self) -> u64 {
        let others = other.words.iter().chain(std::iter::repeat(&0));
        self.words
            .iter()
            .zip(others)
            .map(|(mine, theirs)| u64::from((mine & !theirs).count_ones()))
            .sum()
    }
}

/// What was acknowledged.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    acknowledged: RefCell<Numbers>,
    count: Cell<u64>,
}

impl Ledger {
    /// The documents with these numbers were acknowledged.
    pub(super) fn add(&self, numbers: Range<u64>) {
        let mut acknowledged = self.acknowledged.borrow_mut();
        for number in numbers {
            acknowledged.insert(number);
        }
        self.count.set(acknowledged.count());
    }

    /// How many were acknowledged.
    pub(super) fn count(&self) -> u64 {
        self.count.get()
    }

    /// How many of them did not come.
    pub(super) fn missing_from(&self, received: &Numbers) -> u64 {
        self.acknowledged.borrow().without(received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_without_an_acknowledgement_hides_nothing_that_is_missing() {
        let ledger = Ledger::default();
        ledger.add(60..70);
        let mut received = Numbers::default();
        for number in (60..69).chain([200, 3]) {
            assert!(received.insert(number));
            assert!(!received.insert(number));
        }
        assert_eq!((ledger.count(), received.count()), (10, 11));
        assert_eq!(ledger.missing_from(&received), 1);
        received.insert(69);
        assert_eq!(ledger.missing_from(&received), 0);
        assert_eq!(ledger.missing_from(&Numbers::default()), 10);
    }
}
