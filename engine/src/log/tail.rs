//! The tail: the last committed blocks in memory, for everyone who follows live, and the position to wait for.
//!
//! Guarantees: bounded by bytes (but always the newest block); blocks are contiguous and in order.
//! Leaves to others: when a block may be seen (it is pushed after the views applied it), and reading older ones from
//! disk with a [`super::LogReader`].

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::watch;

use super::block::Block;

/// The shared ring of the newest blocks.
pub struct Tail {
    ring: RwLock<Ring>,
    bytes_max: usize,
    published: watch::Sender<u64>,
}

#[derive(Default)]
struct Ring {
    blocks: VecDeque<Arc<Block>>,
    bytes: usize,
}

/// What the tail has for a follower.
#[derive(Clone, Debug)]
pub enum TailRead {
    /// The block that holds the next position (it may begin before).
    Block(Arc<Block>),
    /// There is nothing after that position yet; wait for the published position.
    UpToDate,
    /// The next position left the ring; read it from disk.
    TooOld,
}

impl Tail {
    /// An empty tail of a log whose views stand at `published`.
    pub fn new(bytes_max: usize, published: u64) -> Self {
        let (published, _) = watch::channel(published);
        Self { ring: RwLock::default(), bytes_max, published }
    }

    /// Adds the next block and wakes those who wait. A block that does not follow empties the ring first.
    pub fn push(&self, block: Arc<Block>) {
        let last = block.last_position();
        {
            let mut ring = self.ring.write();
            if ring.blocks.back().is_some_and(|b| b.last_position() + 1 != block.first_position()) {
                *ring = Ring::default();
            }
            ring.bytes += block.memory_bytes();
            ring.blocks.push_back(block);
            while ring.bytes > self.bytes_max && ring.blocks.len() > 1 {
                if let Some(old) = ring.blocks.pop_front() {
                    ring.bytes -= old.memory_bytes();
                }
            }
        }
        self.published.send_replace(last);
    }

    /// What follows `position`.
    pub fn after(&self, position: u64) -> TailRead {
        let ring = self.ring.read();
        if position >= *self.published.borrow()
            && ring.blocks.back().is_none_or(|b| b.last_position() <= position)
        {
            return TailRead::UpToDate;
        }
        let at = ring.blocks.partition_point(|block| block.last_position() <= position);
        match ring.blocks.get(at) {
            Some(block) if block.first_position() <= position + 1 => {
                TailRead::Block(Arc::clone(block))
            }
            _ => TailRead::TooOld,
        }
    }

    /// The last position that may be seen.
    pub fn published(&self) -> u64 {
        *self.published.borrow()
    }

    /// A receiver to wait on for the published position.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    /// Forgets every block, for instance after an erasure, so that followers read from disk.
    pub fn clear(&self) {
        *self.ring.write() = Ring::default();
    }
}
