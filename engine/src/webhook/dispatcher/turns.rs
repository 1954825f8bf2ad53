//! Whose turn it is: webhooks that want to attempt something, in queues by how their receivers do.
//!
//! Guarantees: within a queue turns go round. A webhook stands in one place at a time: what it left behind in another
//! queue counts for nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::webhook::worker::Health;

/// A place in a queue.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) webhook: Arc<str>,
    /// The same as the webhook's own, unless it went to another queue since.
    pub(super) number: u64,
}

/// The queues.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queues: [VecDeque<Turn>; 3],
    numbers: u64,
}

impl Turns {
    /// Puts a webhook at the end of a queue; gives the number of its place.
    pub(super) fn join(&mut self, health: Health, webhook: Arc<str>) -> u64 {
        self.numbers += 1;
        let number = self.numbers;
        self.queues[health as usize].push_back(Turn { webhook, number });
        number
    }

    /// Puts a place back at the end of its queue.
    pub(super) fn put_back(&mut self, health: Health, turn: Turn) {
        self.queues[health as usize].push_back(turn);
    }

    /// The first place of a queue.
    pub(super) fn pop(&mut self, health: Health) -> Option<Turn> {
        self.queues[health as usize].pop_front()
    }

    /// How many places a queue has.
    pub(super) fn len(&self, health: Health) -> usize {
        self.queues[health as usize].len()
    }
}
