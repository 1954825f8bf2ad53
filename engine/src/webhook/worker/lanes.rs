//! Lanes: the deliveries of each document, in the order in which they are to be made.

use std::collections::{HashMap, VecDeque};

/// Every document with deliveries that are not settled.
#[derive(Debug, Default)]
pub(super) struct Lanes(HashMap<u64, Lane>);

#[derive(Debug)]
struct Lane {
    head: u64,
    rest: VecDeque<u64>,
}

impl Lanes {
    /// Adds a delivery behind the others of its document; whether it is the only one.
    pub(super) fn push(&mut self, key: u64, position: u64) -> bool {
        match self.0.get_mut(&key) {
            Some(lane) => {
                lane.rest.push_back(position);
                false
            }
            None => {
                self.0.insert(key, Lane { head: position, rest: VecDeque::new() });
                true
            }
        }
    }

    /// Takes a delivery out; gives the one whose turn it is now, if that changed.
    pub(super) fn remove(&mut self, key: u64, position: u64) -> Option<u64> {
        let lane = self.0.get_mut(&key)?;
        if lane.head != position {
            lane.rest.retain(|other| *other != position);
            return None;
        }
        match lane.rest.pop_front() {
            Some(next) => {
                lane.head = next;
                Some(next)
            }
            None => {
                self.0.remove(&key);
                None
            }
        }
    }

    /// The delivery whose turn it is.
    pub(super) fn head(&self, key: u64) -> Option<u64> {
        self.0.get(&key).map(|lane| lane.head)
    }

    /// The deliveries behind that one.
    pub(super) fn parked(&self, key: u64) -> Vec<u64> {
        self.0.get(&key).map(|lane| lane.rest.iter().copied().collect()).unwrap_or_default()
    }
}
