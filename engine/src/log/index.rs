//! The sparse index of a segment, kept in memory while it is active and written behind its records when it is sealed.
//!
//! An entry is (position u64, offset u64, time u64) of a record: the first one, then each that starts 4 KiB or more
//! after the entry before. So any record starts less than 4 KiB after the last entry at or before it.

use super::layout::{PAGE_BYTES, u64_at};

/// Distance of entries.
pub(super) const INDEX_STEP: u64 = 4096;
pub(super) const ENTRY_BYTES: usize = 24;

/// A record that the index knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) position: u64,
    pub(super) offset: u64,
    pub(super) time_ms: u64,
}

/// Entries in order of position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SparseIndex {
    entries: Vec<IndexEntry>,
}

impl SparseIndex {
    /// Tells the index of the next record.
    pub(super) fn note(&mut self, position: u64, offset: u64, time_ms: u64) {
        if self.entries.last().is_none_or(|last| offset - last.offset >= INDEX_STEP) {
            self.entries.push(IndexEntry { position, offset, time_ms });
        }
    }

    /// Forgets records at `offset` and after.
    pub(super) fn truncate(&mut self, offset: u64) {
        let keep = self.entries.partition_point(|entry| entry.offset < offset);
        self.entries.truncate(keep);
    }

    /// The last entry at or before `position`.
    pub(super) fn at_position(&self, position: u64) -> Option<IndexEntry> {
        let after = self.entries.partition_point(|entry| entry.position <= position);
        self.entries.get(after.checked_sub(1)?).copied()
    }

    /// The last entry whose time is before `time_ms`, else the first.
    pub(super) fn before_time(&self, time_ms: u64) -> Option<IndexEntry> {
        let after = self.entries.partition_point(|entry| entry.time_ms < time_ms);
        self.entries.get(after.saturating_sub(1)).copied()
    }

    /// The lowest entry from which no more than `bytes` lie before `offset`, but never one after `position`.
    pub(super) fn within(&self, position: u64, offset: u64, bytes: u64) -> Option<IndexEntry> {
        let at = self.entries.partition_point(|entry| entry.position <= position).checked_sub(1)?;
        let low = self.entries.partition_point(|entry| entry.offset + bytes < offset);
        self.entries.get(low.min(at)).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len() * ENTRY_BYTES);
        for entry in &self.entries {
            bytes.extend_from_slice(&entry.position.to_le_bytes());
            bytes.extend_from_slice(&entry.offset.to_le_bytes());
            bytes.extend_from_slice(&entry.time_ms.to_le_bytes());
        }
        bytes
    }

    /// The index in `bytes`, if the entries can be one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let entries: Vec<_> = bytes
            .chunks_exact(ENTRY_BYTES)
            .map(|entry| IndexEntry {
                position: u64_at(entry, 0),
                offset: u64_at(entry, 8),
                time_ms: u64_at(entry, 16),
            })
            .collect();
        let rising = entries.windows(2).all(|pair| pair[0].offset < pair[1].offset);
        let starts = entries.first().is_some_and(|first| first.offset == PAGE_BYTES);
        (rising && starts).then_some(Self { entries })
    }
}
