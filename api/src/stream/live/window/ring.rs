//! The newest frames of a window, for its members.
//!
//! Guarantees: bytes are bounded, the newest chunk aside; a member is given what follows its cursor, or is told that the ring
//! cannot say.

use std::collections::VecDeque;

use bytes::Bytes;

/// Bytes of frames that are held at most, the newest chunk aside.
const HELD_BYTES_MAX: usize = 256 << 10;

/// Frames of a window.
#[derive(Debug)]
pub(super) struct Ring {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    /// Every frame after this position is here, as far as the window has come.
    from: u64,
}

/// Frames of consecutive changes.
#[derive(Debug)]
struct Chunk {
    /// What happened from here on is told by these frames.
    first: u64,
    last: u64,
    bytes: Bytes,
    frames: u32,
    /// Whether a sweep has passed over it.
    is_old: bool,
}

/// What follows a cursor.
#[derive(Debug, PartialEq)]
pub(super) enum Held {
    /// Frames, how many, and the position that they lead to.
    Frames(Bytes, u32, u64),
    /// Nothing yet.
    Nothing,
    /// That is not held.
    Behind,
}

impl Ring {
    pub(super) fn new(from: u64) -> Self {
        Self { chunks: VecDeque::new(), bytes: 0, from }
    }

    /// Takes frames in that tell of what happened from one position to another.
    pub(super) fn push(&mut self, first: u64, last: u64, bytes: Vec<u8>, frames: u32) {
        self.bytes += bytes.len();
        self.chunks.push_back(Chunk { first, last, bytes: bytes.into(), frames, is_old: false });
        while self.bytes > HELD_BYTES_MAX && self.chunks.len() > 1 {
            self.drop_oldest();
        }
    }

    /// What follows a cursor.
    pub(super) fn after(&self, cursor: u64) -> Held {
        if cursor < self.from {
            return Held::Behind;
        }
        let at = self.chunks.partition_point(|chunk| chunk.last <= cursor);
        match self.chunks.get(at) {
            None => Held::Nothing,
            Some(chunk) if chunk.first <= cursor => Held::Behind,
            Some(chunk) => Held::Frames(chunk.bytes.clone(), chunk.frames, chunk.last),
        }
    }

    /// Drops what was there at the sweep before; whether something is left.
    pub(super) fn sweep(&mut self) -> bool {
        while self.chunks.front().is_some_and(|chunk| chunk.is_old) {
            self.drop_oldest();
        }
        self.chunks.iter_mut().for_each(|chunk| chunk.is_old = true);
        !self.chunks.is_empty()
    }

    fn drop_oldest(&mut self) {
        if let Some(chunk) = self.chunks.pop_front() {
            self.bytes -= chunk.bytes.len();
            self.from = chunk.last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_given_what_follows_or_told_that_it_is_behind() {
        let mut ring = Ring::new(10);
        ring.push(12, 14, b"a".to_vec(), 2);
        ring.push(15, 20, b"b".to_vec(), 1);
        assert_eq!(ring.after(9), Held::Behind);
        for cursor in [10, 11] {
            assert_eq!(ring.after(cursor), Held::Frames(b"a".as_slice().into(), 2, 14));
        }
        // In the middle of what a chunk tells.
        assert_eq!(ring.after(12), Held::Behind);
        assert_eq!(ring.after(14), Held::Frames(b"b".as_slice().into(), 1, 20));
        assert_eq!(ring.after(17), Held::Behind);
        assert_eq!((ring.after(20), ring.after(25)), (Held::Nothing, Held::Nothing));
        assert!(ring.sweep() && !ring.sweep());
        assert_eq!((ring.after(19), ring.after(20)), (Held::Behind, Held::Nothing));
    }
}
