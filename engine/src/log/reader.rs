//! Reading the log: forward, backward, by position, by time. Readers never wait for appends.
//!
//! Guarantees: nothing past the durable end is seen; every record handed out had its checksum, offset and position
//! checked (the chain is [`super::verify`]'s). Leaves to others: following live ([`super::Tail`]).

use std::sync::Arc;

use super::block::Block;
use super::head::Epoch;
use super::index::{INDEX_STEP, IndexEntry};
use super::layout::{Digest, damaged_at};
use super::record::{
    Flaw, RECORD_HEADER_BYTES, check, claimed_len, claimed_offset, claimed_position,
};
use super::segment::{OpenFiles, Segment};
use super::shared::Shared;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::File;

/// Most bytes that one backward read takes in.
const BACKWARD_BYTES: u64 = 1 << 20;

/// Reads the log; cheap to clone.
#[derive(Clone)]
pub struct LogReader {
    pub(super) shared: Arc<Shared>,
}

/// A stretch of one segment to read records from.
struct Stretch {
    file: Arc<dyn File>,
    segment: Arc<Segment>,
    /// Where to begin, at or before `from`.
    entry: IndexEntry,
    /// End of the segment's durable records.
    end: u64,
    /// The first position wanted.
    from: u64,
}

impl LogReader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The random id of the log.
    pub fn log_id(&self) -> [u8; 16] {
        self.shared.log_id
    }

    /// The present epoch.
    pub fn epoch(&self) -> Epoch {
        *self.shared.epoch.lock()
    }

    /// The first position that can be read, or the next one where there is none.
    pub fn first_position(&self) -> u64 {
        let list = self.shared.segments();
        list.first().map_or(self.durable_position() + 1, |segment| segment.first_position())
    }

    /// The last durable position, 0 before the first.
    pub fn durable_position(&self) -> u64 {
        self.shared.durable_position()
    }

    /// Why the log does not take writes now, if it does not.
    pub fn failure(&self) -> Option<Error> {
        self.shared.writable().err()
    }

    /// Records after `after`, whole ones, about `max_bytes` of them but at least one; `None` at the end.
    pub fn read(&self, after: u64, max_bytes: usize) -> Result<Option<Block>> {
        let durable = self.durable_position();
        if after > durable {
            return Err(self.ahead(after, durable));
        }
        if after == durable {
            return Ok(None);
        }
        let stretch = self.stretch(after + 1)?;
        read_stretch(&stretch, max_bytes, usize::MAX).map(Some)
    }

    /// Up to `max_records` records right before `position`, in ascending order (iterate the block in reverse); `None`
    /// where there are none. Gives fewer where they are large; ask again with the block's first position.
    pub fn read_before(&self, position: u64, max_records: usize) -> Result<Option<Block>> {
        let durable = self.durable_position();
        if position > durable + 1 {
            return Err(self.ahead(position, durable));
        }
        let first = self.first_position();
        if position <= first || max_records == 0 {
            return if position < first { Err(self.gone(position)) } else { Ok(None) };
        }
        let last = position - 1;
        let segment = self.segment_of(last)?;
        let wanted = position.saturating_sub(max_records as u64).max(segment.first_position());
        let (_, from) = self.look_up(&segment, |index, _| {
            let end = index.at_position(last).map_or(0, |entry| entry.offset);
            let low = index.within(last, end, BACKWARD_BYTES).map_or(last, |entry| entry.position);
            wanted.max(low)
        })?;
        let stretch = self.stretch(from)?;
        let count = usize::try_from(position - from).unwrap_or(usize::MAX);
        read_stretch(&stretch, usize::MAX, count).map(Some)
    }

    /// The record at `position`, as a block of one.
    pub fn get(&self, position: u64) -> Result<Block> {
        let durable = self.durable_position();
        if position > durable {
            return Err(self.ahead(position, durable));
        }
        let stretch = self.stretch(position)?;
        read_stretch(&stretch, 0, 1)
    }

    /// The first position whose time is `time_ms` or later; the one after the last where there is none.
    pub fn position_at(&self, time_ms: u64) -> Result<u64> {
        let durable = self.durable_position();
        let list = self.shared.segments();
        let at = list.partition_point(|segment| {
            let summary = segment.summary();
            // Only the last one can be empty: it was begun and nothing is in it yet.
            !summary.is_empty() && summary.last_time_ms < time_ms
        });
        let Some(segment) = list.get(at).filter(|segment| !segment.summary().is_empty()) else {
            return Ok(durable + 1);
        };
        let (_, entry) = self.look_up(segment, |index, _| index.before_time(time_ms))?;
        let mut after = entry.map_or(segment.first_position(), |entry| entry.position) - 1;
        while let Some(block) = self.read(after, INDEX_STEP as usize)? {
            if let Some(found) = block.iter().find(|record| record.time_ms() >= time_ms) {
                return Ok(found.position());
            }
            after = block.last_position();
        }
        Ok(durable + 1)
    }

    /// The chain digest up to and including `position`, which may be the one before the first.
    pub fn digest_at(&self, position: u64) -> Result<Digest> {
        let list = self.shared.segments();
        let starts = list.iter().find(|segment| segment.first_position() == position + 1);
        if let Some(segment) = starts {
            return Ok(segment.header.digest_before);
        }
        let end = self.shared.end();
        if end.position == position {
            return Ok(end.digest);
        }
        let block = self.get(position)?;
        block.get(position).map(|record| record.digest()).ok_or_else(|| self.gone(position))
    }

    /// The segment that holds `position`, which is not past the end.
    fn segment_of(&self, position: u64) -> Result<Arc<Segment>> {
        let list = self.shared.segments();
        let after = list.partition_point(|segment| segment.first_position() <= position);
        after.checked_sub(1).and_then(|at| list.get(at)).cloned().ok_or_else(|| self.gone(position))
    }

    fn stretch(&self, from: u64) -> Result<Stretch> {
        let segment = self.segment_of(from)?;
        let (file, (entry, end)) = self
            .look_up(&segment, |index, summary| (index.at_position(from), summary.records_end))?;
        let entry = entry.ok_or_else(|| no_entry(&segment))?;
        Ok(Stretch { file, segment, entry, end, from })
    }

    fn look_up<T>(
        &self,
        segment: &Arc<Segment>,
        ask: impl FnOnce(&super::index::SparseIndex, &super::trailer::Summary) -> T,
    ) -> Result<(Arc<dyn File>, T)> {
        segment.look_up(&self.shared.open_files, ask).map_err(|error| {
            // Retention may have dropped it between the list and the open.
            if segment.first_position() < self.first_position() {
                self.gone(segment.first_position())
            } else {
                error
            }
        })
    }

    fn gone(&self, position: u64) -> Error {
        let first = self.first_position();
        let message = format!("position {position} is gone: the log begins at {first}");
        Error::new(ErrorKind::Gone, "position_gone", message).with("first", first)
    }

    fn ahead(&self, position: u64, durable: u64) -> Error {
        let message = format!("position {position} is past the end of the log, {durable}");
        Error::new(ErrorKind::Gone, "position_ahead", message)
            .with("first", self.first_position())
            .with("last", durable)
    }
}

/// The record at `position` of `segment`, which holds it.
pub(super) fn one_record(
    segment: &Arc<Segment>,
    open_files: &OpenFiles,
    position: u64,
) -> Result<Block> {
    let (file, (entry, end)) = segment
        .look_up(open_files, |index, summary| (index.at_position(position), summary.records_end))?;
    let entry = entry.ok_or_else(|| no_entry(segment))?;
    let segment = Arc::clone(segment);
    read_stretch(&Stretch { file, segment, entry, end, from: position }, 0, 1)
}

fn no_entry(segment: &Segment) -> Error {
    damaged_at("segment_damaged", &segment.path, 0, "the index knows no record")
}

/// Reads records of `stretch` until `max_bytes` or `max_records` are reached, at least one.
fn read_stretch(stretch: &Stretch, max_bytes: usize, max_records: usize) -> Result<Block> {
    let start = stretch.entry.offset;
    let room = usize::try_from(stretch.end.saturating_sub(start)).unwrap_or(usize::MAX);
    let first_read = if max_records == usize::MAX { max_bytes } else { max_bytes.min(64 << 10) };
    let mut bytes = vec![0; room.min(first_read.saturating_add(2 * INDEX_STEP as usize))];
    let read = |bytes: &mut [u8], at: usize| {
        let failed = |error| Error::io("read", &stretch.segment.path, &error);
        stretch.file.read_exact_at(bytes, start + at as u64).map_err(failed)
    };
    read(&mut bytes, 0)?;
    let mut offsets = Vec::with_capacity(bytes.len().min(1 << 20) / 256);
    let mut at = 0;
    let mut position = stretch.entry.position;
    let mut kept_bytes = 0;
    while offsets.len() < max_records && at < room {
        let needed = record_len(&bytes, at, room).map_err(|flaw| flawed(stretch, at, flaw))?;
        if at + needed > bytes.len() {
            let enough = !offsets.is_empty() && max_records == usize::MAX;
            if enough {
                break;
            }
            let had = bytes.len();
            let grown =
                if needed > RECORD_HEADER_BYTES { at + needed } else { at + INDEX_STEP as usize };
            bytes.resize(room.min(grown.max(had + had / 2)), 0);
            read(&mut bytes[had..], had)?;
            continue;
        }
        let record = &bytes[at..at + needed];
        if position < stretch.from {
            hop(record, start + at as u64, position).map_err(|flaw| flawed(stretch, at, flaw))?;
        } else {
            let secret = stretch.segment.header.secret;
            let checked = check(record, start + at as u64, secret).and_then(|record| {
                (record.position() == position).then_some(()).ok_or(Flaw::Position)
            });
            checked.map_err(|flaw| flawed(stretch, at, flaw))?;
            if !offsets.is_empty() && kept_bytes + needed > max_bytes && max_records == usize::MAX {
                break;
            }
            offsets.push(u32::try_from(at).unwrap_or(u32::MAX));
            kept_bytes += needed;
        }
        at += needed;
        position += 1;
    }
    if offsets.is_empty() {
        return Err(flawed(stretch, at, Flaw::Position));
    }
    bytes.truncate(at);
    Ok(Block::new(bytes, offsets, stretch.from))
}

/// The length of the record at `at`, or of its header where that is not read yet.
fn record_len(bytes: &[u8], at: usize, room: usize) -> Result<usize, Flaw> {
    if at + RECORD_HEADER_BYTES > room {
        return Err(Flaw::Length);
    }
    let Some(header) = bytes.get(at..at + RECORD_HEADER_BYTES) else {
        return Ok(RECORD_HEADER_BYTES);
    };
    claimed_len(header).filter(|len| at + len <= room).ok_or(Flaw::Length)
}

/// A record that is only passed on the way to the wanted one must at least stand where it says.
fn hop(record: &[u8], offset: u64, position: u64) -> Result<(), Flaw> {
    if claimed_offset(record) != offset {
        return Err(Flaw::Offset);
    }
    if claimed_position(record) != position {
        return Err(Flaw::Position);
    }
    Ok(())
}

fn flawed(stretch: &Stretch, at: usize, flaw: Flaw) -> Error {
    let offset = stretch.entry.offset + at as u64;
    damaged_at("segment_damaged", &stretch.segment.path, offset, flaw.describe())
        .with("position", stretch.from)
}
