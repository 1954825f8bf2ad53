//! The group under construction: whole batches that one write and one sync will commit.
//!
//! Guarantees: what a caller pushes is laid out once, as it will stand on disk; the append only fills in places,
//! digests and checksums. A refused batch can be taken back to a mark.
//! Leaves to others: which batches share a group.

use super::block::Block;
use super::layout::{ALIGNMENT, Digest, GROUP_BYTES_MAX};
use super::record::{BatchEnd, Place, RECORD_HEADER_BYTES, RecordView, digest_of, draft, stamp};
use crate::error::{Error, Result};

/// Records waiting for one append.
#[derive(Default)]
pub struct GroupBuilder {
    bytes: Vec<u8>,
    offsets: Vec<u32>,
    last_time_ms: u64,
    ends_batch: bool,
    flaw: Option<&'static str>,
}

/// A state of a [`GroupBuilder`] to go back to.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    bytes: usize,
    records: usize,
    last_time_ms: u64,
    ends_batch: bool,
    flaw: Option<&'static str>,
}

impl GroupBuilder {
    /// An empty group.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty group with room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Adds a record.
    pub fn push(&mut self, time_ms: u64, kept: &[u8], erasable: &[u8], end: BatchEnd) {
        let add_kept = |bytes: &mut Vec<u8>| bytes.extend_from_slice(kept);
        let add_erasable = |bytes: &mut Vec<u8>| bytes.extend_from_slice(erasable);
        self.lay(time_ms, add_kept, add_erasable, None, end);
    }

    /// Adds a record whose erasable part was hashed before with [`digest_of`], off the writer's thread.
    pub fn push_hashed(
        &mut self,
        time_ms: u64,
        kept: &[u8],
        erasable: &[u8],
        erasable_digest: &Digest,
        end: BatchEnd,
    ) {
        let add_kept = |bytes: &mut Vec<u8>| bytes.extend_from_slice(kept);
        let add_erasable = |bytes: &mut Vec<u8>| bytes.extend_from_slice(erasable);
        self.lay(time_ms, add_kept, add_erasable, Some(erasable_digest), end);
    }

    /// Adds a record whose parts the closures append to the vector, with no copy in between. They must only append.
    pub fn push_with(
        &mut self,
        time_ms: u64,
        kept: impl FnOnce(&mut Vec<u8>),
        erasable: impl FnOnce(&mut Vec<u8>),
        end: BatchEnd,
    ) {
        self.lay(time_ms, kept, erasable, None, end);
    }

    /// Why the group could not be appended as it stands, if it could not; taking back the last batch may help.
    pub fn flaw(&self) -> Option<&'static str> {
        self.flaw
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Bytes that the group will take in the log.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The present state.
    pub fn mark(&self) -> Mark {
        Mark {
            bytes: self.bytes.len(),
            records: self.offsets.len(),
            last_time_ms: self.last_time_ms,
            ends_batch: self.ends_batch,
            flaw: self.flaw,
        }
    }

    /// Takes back what was pushed since `mark`.
    pub fn truncate_to(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        self.offsets.truncate(mark.records);
        self.last_time_ms = mark.last_time_ms;
        self.ends_batch = mark.ends_batch;
        self.flaw = mark.flaw;
    }

    fn lay(
        &mut self,
        time_ms: u64,
        kept: impl FnOnce(&mut Vec<u8>),
        erasable: impl FnOnce(&mut Vec<u8>),
        known_digest: Option<&Digest>,
        end: BatchEnd,
    ) {
        let start = self.bytes.len();
        self.bytes.resize(start + RECORD_HEADER_BYTES, 0);
        kept(&mut self.bytes);
        let kept_end = self.bytes.len();
        erasable(&mut self.bytes);
        let erasable_end = self.bytes.len();
        let digest = known_digest.copied().unwrap_or_else(|| digest_of(&self.bytes[kept_end..]));
        self.bytes.resize(erasable_end.next_multiple_of(ALIGNMENT), 0);
        if self.bytes.len() > GROUP_BYTES_MAX {
            self.flaw = Some("the group is larger than 1 GiB");
            self.bytes.truncate(start);
            return;
        }
        if time_ms < self.last_time_ms {
            self.flaw = Some("a record's time is before the one before it");
        }
        let kept_len = to_u32(kept_end - start - RECORD_HEADER_BYTES);
        let erasable_len = to_u32(erasable_end - kept_end);
        draft(&mut self.bytes[start..], time_ms, kept_len, erasable_len, end, &digest);
        self.offsets.push(to_u32(start));
        self.last_time_ms = time_ms;
        self.ends_batch = end == BatchEnd::Last;
    }

    /// Refuses a group that must not be written.
    pub(super) fn check(&self, last_time_ms: u64) -> Result<()> {
        let first_time = self.offsets.first().map(|at| self.view(*at).time_ms());
        let flaw = match first_time {
            None => Some("the group is empty"),
            Some(_) if self.flaw.is_some() => self.flaw,
            Some(_) if !self.ends_batch => Some("the group's last batch has no end"),
            Some(time) if time < last_time_ms => Some("the group's time is before the log's last"),
            Some(_) => None,
        };
        flaw.map_or(Ok(()), |flaw| Err(Error::internal(format!("cannot append: {flaw}"))))
    }

    /// Gives every record its place from `place` on; returns the block and the last digest.
    pub(super) fn seal(mut self, place: Place, previous: &Digest, secret: u32) -> (Block, Digest) {
        let mut digest = *previous;
        for (position, (index, at)) in (place.position..).zip(self.offsets.iter().enumerate()) {
            let start = *at as usize;
            let end = self.offsets.get(index + 1).map_or(self.bytes.len(), |next| *next as usize);
            let own = Place { offset: place.offset + u64::from(*at), position, ..place };
            digest = stamp(&mut self.bytes[start..end], own, &digest, secret);
        }
        (Block::new(self.bytes, self.offsets, place.position), digest)
    }

    fn view(&self, at: u32) -> RecordView<'_> {
        RecordView::new(&self.bytes[at as usize..])
    }
}

fn to_u32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
