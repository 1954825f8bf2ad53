//! Reading a segment from start to end in large pieces, and telling a torn tail from damage.
//!
//! Guarantees: [`scan_active`] only reads. It says where the whole batches end and whether something that proves
//! damage stands behind. Leaves to others: comparing with the head, and repairing.

use std::path::Path;
use std::sync::Arc;

use super::header::SegmentHeader;
use super::index::SparseIndex;
use super::layout::{ALIGNMENT, CHUNK_BYTES, Digest, PAGE_BYTES, damaged_at, u64_at};
use super::record::{
    Flaw, RECORD_HEADER_BYTES, RecordView, check, claimed_len, claimed_offset, claimed_position,
};
use super::segment::Growing;
use super::trailer::Summary;
use crate::error::{Error, Result};
use crate::fs::File;

/// A window over a file's bytes `[0, end)` that moves forward.
pub(super) struct Window<'a> {
    file: Arc<dyn File>,
    path: &'a Path,
    end: u64,
    bytes: Vec<u8>,
    start: u64,
}

impl<'a> Window<'a> {
    pub(super) fn new(file: Arc<dyn File>, path: &'a Path, end: u64) -> Self {
        Self { file, path, end, bytes: Vec::new(), start: 0 }
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Up to `len` bytes at `offset`; fewer only at the end.
    pub(super) fn get(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        let len = len.min(usize::try_from(self.end.saturating_sub(offset)).unwrap_or(usize::MAX));
        let inside =
            offset >= self.start && offset + len as u64 <= self.start + self.bytes.len() as u64;
        if !inside {
            let room = usize::try_from(self.end - offset.min(self.end)).unwrap_or(usize::MAX);
            self.bytes.resize(len.max(CHUNK_BYTES).min(room), 0);
            self.file
                .read_exact_at(&mut self.bytes, offset)
                .map_err(|error| Error::io("read", self.path, &error))?;
            self.start = offset;
        }
        let at = usize::try_from(offset - self.start).unwrap_or(0);
        Ok(&self.bytes[at..at + len])
    }

    /// The record at `offset`, or what is wrong there.
    pub(super) fn record(
        &mut self,
        offset: u64,
        secret: u32,
    ) -> Result<Result<RecordView<'_>, Flaw>> {
        let header = self.get(offset, RECORD_HEADER_BYTES)?;
        if header.len() < RECORD_HEADER_BYTES {
            return Ok(Err(Flaw::Length));
        }
        let Some(len) = claimed_len(header) else { return Ok(Err(Flaw::Length)) };
        if offset + len as u64 > self.end {
            return Ok(Err(Flaw::Length));
        }
        let bytes = self.get(offset, len)?;
        Ok(check(bytes, offset, secret))
    }
}

/// Walks records and checks that each follows the one before.
pub(super) struct Walk {
    /// What the records so far add up to.
    pub(super) summary: Summary,
    /// The sparse index that belongs to them.
    pub(super) index: SparseIndex,
    group_start: u64,
}

impl Walk {
    pub(super) fn new(header: &SegmentHeader, last_time_ms: u64) -> Self {
        Self {
            summary: Summary::empty(header, last_time_ms),
            index: SparseIndex::default(),
            group_start: PAGE_BYTES,
        }
    }

    /// Checks that `record` follows, and takes it in.
    pub(super) fn accept(&mut self, record: RecordView<'_>) -> Result<(), Flaw> {
        let position = record.position();
        if position != self.summary.last_position + 1 {
            return Err(Flaw::Position);
        }
        let group = record.group_start();
        if group < self.group_start || group > record.offset() || !group.is_multiple_of(8) {
            return Err(Flaw::Group);
        }
        let digest = record.digest();
        if record.chained(&self.summary.last_digest) != digest {
            return Err(Flaw::Chain);
        }
        if self.summary.is_empty() {
            self.summary.first_time_ms = record.time_ms();
        }
        self.group_start = group;
        self.index.note(position, record.offset(), record.time_ms());
        self.summary.last_position = position;
        self.summary.last_time_ms = record.time_ms();
        self.summary.last_digest = digest;
        self.summary.records_end = record.offset() + record.len() as u64;
        self.summary.erased += u64::from(record.is_erased());
        Ok(())
    }
}

/// What a scan of the last segment found.
pub(super) struct Scan {
    /// The records up to the last whole batch.
    pub(super) kept: Growing,
    /// Where the file's last byte other than zero ends, if that is behind the whole batches.
    pub(super) nonzero_end: u64,
    /// Digest at the watched position and the offset just after it, if the position is among the kept.
    pub(super) watched: Option<(Digest, u64)>,
    /// The first thing that is no record, where it is not the end: offset and flaw.
    pub(super) flaw: Option<(u64, Flaw)>,
}

/// Scans a segment that has no trailer. Damage that a later group proves is refused here.
pub(super) fn scan_active(
    file: &Arc<dyn File>,
    path: &Path,
    header: &SegmentHeader,
    last_time_ms: u64,
    watch: u64,
) -> Result<Scan> {
    let end = file.len().map_err(|error| Error::io("read", path, &error))?;
    let mut window = Window::new(Arc::clone(file), path, end);
    let mut walk = Walk::new(header, last_time_ms);
    let mut kept = walk.summary;
    let mut watched =
        (watch + 1 == header.first_position).then_some((header.digest_before, PAGE_BYTES));
    let flaw = loop {
        let record = match window.record(walk.summary.records_end, header.secret)? {
            Ok(record) => record,
            Err(flaw) => break flaw,
        };
        if let Err(flaw) = walk.accept(record) {
            break flaw;
        }
        if record.is_batch_end() {
            kept = walk.summary;
        }
        if walk.summary.last_position == watch {
            watched = Some((walk.summary.last_digest, walk.summary.records_end));
        }
    };
    let bad_offset = walk.summary.records_end;
    let rest = look_ahead(&mut window, bad_offset, header.secret)?;
    if let Some(later) = rest.later_group {
        let what = format!(
            "{}, yet a later group with position {} stands at offset {}; position {} is not readable",
            flaw.describe(),
            later.position,
            later.offset,
            walk.summary.last_position + 1
        );
        let error = damaged_at("segment_damaged", path, bad_offset, &what);
        return Err(error.with("position", walk.summary.last_position + 1));
    }
    let is_flawed = rest.nonzero_end > bad_offset;
    let nonzero_end = if is_flawed { rest.nonzero_end } else { bad_offset.max(kept.records_end) };
    walk.index.truncate(kept.records_end);
    Ok(Scan {
        kept: Growing { summary: kept, index: walk.index },
        nonzero_end,
        watched: watched.filter(|(_, offset)| *offset <= kept.records_end),
        flaw: is_flawed.then_some((bad_offset, flaw)),
    })
}

struct Later {
    offset: u64,
    position: u64,
}

struct Rest {
    nonzero_end: u64,
    later_group: Option<Later>,
}

/// Looks for bytes other than zero behind `bad`, and for a record of a group that began behind it.
fn look_ahead(window: &mut Window<'_>, bad: u64, secret: u32) -> Result<Rest> {
    let mut rest = Rest { nonzero_end: bad, later_group: None };
    let mut offset = bad;
    while offset < window.end() {
        let piece = window.get(offset, CHUNK_BYTES)?;
        let len = piece.len();
        if let Some(last) = piece.iter().rposition(|byte| *byte != 0) {
            rest.nonzero_end = offset + last as u64 + 1;
            let own_offset = |at: &usize| {
                let claimed = *at + 16 <= len && u64_at(piece, *at + 8) == offset + *at as u64;
                claimed || *at + 16 > len
            };
            let candidates: Vec<_> = (0..=last).step_by(ALIGNMENT).filter(own_offset).collect();
            for at in candidates {
                if let Some(later) = later_group(window, offset + at as u64, bad, secret)? {
                    rest.later_group.get_or_insert(later);
                }
            }
        }
        offset += len as u64;
    }
    Ok(rest)
}

fn later_group(window: &mut Window<'_>, at: u64, bad: u64, secret: u32) -> Result<Option<Later>> {
    let header = window.get(at, RECORD_HEADER_BYTES)?;
    if header.len() < RECORD_HEADER_BYTES || claimed_offset(header) != at {
        return Ok(None);
    }
    let position = claimed_position(header);
    let found = matches!(window.record(at, secret)?, Ok(record) if record.group_start() > bad);
    Ok(found.then_some(Later { offset: at, position }))
}
