//! A block: consecutive records in memory, as an append committed them or a read found them.
//!
//! Guarantees: every record in it was checked or written by this process; positions are dense.

use super::record::RecordView;

/// Consecutive records; shared as an `Arc` between subscribers.
pub struct Block {
    bytes: Vec<u8>,
    offsets: Vec<u32>,
    first_position: u64,
}

impl Block {
    /// A block of the records that start at `offsets` (at least one).
    pub(super) fn new(bytes: Vec<u8>, offsets: Vec<u32>, first_position: u64) -> Self {
        Self { bytes, offsets, first_position }
    }

    /// The position of the first record.
    pub fn first_position(&self) -> u64 {
        self.first_position
    }

    /// The position of the last record.
    pub fn last_position(&self) -> u64 {
        (self.first_position + self.offsets.len() as u64).saturating_sub(1)
    }

    /// How many records there are; at least one.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there is no record, which does not happen.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Memory that the block holds, bytes.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.offsets.capacity() * 4
    }

    /// The records as they stand on disk; only of a block that an append made is this all of them and nothing else.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The record at `position`, if it is in here.
    pub fn get(&self, position: u64) -> Option<RecordView<'_>> {
        let index = usize::try_from(position.checked_sub(self.first_position)?).ok()?;
        self.offsets.get(index).map(|at| self.view(*at))
    }

    /// The records in order; a double-ended iterator.
    pub fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = RecordView<'_>> + ExactSizeIterator + Clone {
        self.offsets.iter().map(|at| self.view(*at))
    }

    fn view(&self, at: u32) -> RecordView<'_> {
        let at = at as usize;
        let len = super::layout::u32_at(&self.bytes, at) as usize;
        RecordView::new(&self.bytes[at..at + len])
    }
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block")
            .field("first_position", &self.first_position)
            .field("len", &self.offsets.len())
            .finish_non_exhaustive()
    }
}
