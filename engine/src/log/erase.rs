//! Erasure: the erasable parts of some records are replaced by their digests, so that the chain still verifies.
//!
//! Guarantees: each touched segment is written anew as a whole, synced, and put in place by one rename; a crash leaves
//! the old or the new one. Positions, times and digests stay. Readers that have the old file open go on with it; they
//! never see a mix. Erasing twice is harmless. Leaves to others: copies outside the log (views, bases, backups, the
//! tail; see [`super::Tail::clear`]).

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use super::LogWriter;
use super::layout::{CHUNK_BYTES, damaged_at, temp_path};
use super::record::{Flaw, RecordView, check, erased, put_place};
use super::scan::{Walk, Window};
use super::segment::Segment;
use super::shared::Shared;
use super::trailer::{Summary, encode_seal};
use crate::error::{Error, Result};
use crate::fs::{File, OpenMode};

impl LogWriter {
    /// Erases the erasable parts of the records at `positions`; gives how many were not erased before. Touching the
    /// active segment seals it first.
    pub fn erase(&mut self, positions: &[u64]) -> Result<u64> {
        self.shared.writable()?;
        self.check_range(positions)?;
        let mut positions = positions.to_vec();
        positions.sort_unstable();
        positions.dedup();
        let active_first =
            self.shared.segments().last().map(|s| (s.is_active(), s.first_position()));
        if let (Some((true, first)), Some(last)) = (active_first, positions.last())
            && *last >= first
        {
            self.seal_active()?;
        }
        let mut count = 0;
        for (at, segment) in self.shared.segments().iter().enumerate() {
            let summary = segment.summary();
            let from = positions.partition_point(|p| *p < summary.first_position);
            let to = positions.partition_point(|p| *p <= summary.last_position);
            if from < to {
                count += self.erase_in(at, segment, &positions[from..to])?;
            }
        }
        let failed = |error| Error::io("erase", &self.shared.log_dir, &error);
        self.shared.fs.sync_dir(&self.shared.log_dir).map_err(failed)?;
        Ok(count)
    }

    fn erase_in(&self, at: usize, segment: &Arc<Segment>, positions: &[u64]) -> Result<u64> {
        let temp = temp_path(&segment.path);
        let rewritten = Rewrite::run(&self.shared, segment, positions, &temp);
        let (summary, count) = match rewritten {
            Ok(done) => done,
            Err(error) => {
                // The space is wanted back; what remains is removed at the next open at the latest.
                let _ = self.shared.fs.remove(&temp);
                return Err(error);
            }
        };
        let failed = |error| Error::io("erase", &segment.path, &error);
        if count == 0 {
            return self.shared.fs.remove(&temp).map(|()| 0).map_err(failed);
        }
        self.shared.fs.rename(&temp, &segment.path).map_err(failed)?;
        let fresh = Segment::closed(segment.header.clone(), segment.path.clone(), summary);
        self.shared.change_segments(|segments| segments[at] = fresh);
        Ok(count)
    }
}

/// A segment being written anew.
struct Rewrite<'a> {
    segment: &'a Segment,
    file: Arc<dyn File>,
    path: &'a Path,
    buffer: Vec<u8>,
    written: u64,
    /// The records as they are, and as they become.
    old: Walk,
    new: Walk,
    /// Old and new offsets of records that a later one may name as its group's start.
    starts: VecDeque<(u64, u64)>,
    erased: u64,
}

impl<'a> Rewrite<'a> {
    fn run(
        shared: &Shared,
        segment: &'a Arc<Segment>,
        positions: &[u64],
        temp: &'a Path,
    ) -> Result<(Summary, u64)> {
        let loaded = segment.load(&shared.open_files)?;
        let mut out = Self::create(shared, segment, temp)?;
        let records_end = loaded.trailer.summary.records_end;
        let mut window = Window::new(Arc::clone(&loaded.file), &segment.path, records_end);
        while out.old.summary.records_end < records_end {
            let offset = out.old.summary.records_end;
            let record = window.record(offset, segment.header.secret)?;
            record.and_then(|record| out.take(record, positions)).map_err(|flaw| {
                damaged_at("segment_damaged", &segment.path, offset, flaw.describe())
            })?;
            out.flush_over(CHUNK_BYTES)?;
        }
        let (summary, secret) = (out.new.summary, segment.header.secret);
        let (seal, _) = encode_seal(&summary, &out.new.index, &shared.log_id, secret);
        out.buffer.extend_from_slice(&seal);
        out.flush_over(0)?;
        out.file.sync_data().map_err(|error| Error::io("sync", temp, &error))?;
        Ok((summary, out.erased))
    }

    fn create(shared: &Shared, segment: &'a Segment, temp: &'a Path) -> Result<Self> {
        match shared.fs.remove(temp) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("erase", temp, &error));
            }
            _ => {}
        }
        let created = shared.fs.open(temp, OpenMode::CreateNew);
        Ok(Self {
            segment,
            file: created.map_err(|error| Error::io("create", temp, &error))?,
            path: temp,
            buffer: segment.header.encode(),
            written: 0,
            old: Walk::new(&segment.header, 0),
            new: Walk::new(&segment.header, 0),
            starts: VecDeque::new(),
            erased: 0,
        })
    }

    /// Takes in the next record, erased if it is one of `positions`, and gives it its new place.
    fn take(&mut self, record: RecordView<'_>, positions: &[u64]) -> Result<(), Flaw> {
        self.old.accept(record)?;
        let wanted = positions.binary_search(&record.position()).is_ok() && !record.is_erased();
        let mut bytes = if wanted { erased(record) } else { record.bytes().to_vec() };
        self.erased += u64::from(wanted);
        let new_offset = self.new.summary.records_end;
        self.starts.push_back((record.offset(), new_offset));
        while self.starts.front().is_some_and(|(old, _)| *old < record.group_start()) {
            self.starts.pop_front();
        }
        let group = self.starts.front().filter(|(old, _)| *old == record.group_start());
        let secret = self.segment.header.secret;
        put_place(&mut bytes, new_offset, group.ok_or(Flaw::Group)?.1, secret);
        self.new.accept(check(&bytes, new_offset, secret)?)?;
        self.buffer.extend_from_slice(&bytes);
        Ok(())
    }

    fn flush_over(&mut self, bytes: usize) -> Result<()> {
        if self.buffer.len() < bytes {
            return Ok(());
        }
        self.file
            .write_all_at(&self.buffer, self.written)
            .map_err(|error| Error::io("write", self.path, &error))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
