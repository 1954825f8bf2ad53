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
use super::layout::{CHUNK_BYTES, PAGE_BYTES, damaged_at, temp_path};
use super::record::{check, erased, put_place};
use super::scan::{Walk, Window};
use super::segment::Segment;
use super::shared::Shared;
use super::trailer::encode_seal;
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
    file: Arc<dyn File>,
    path: &'a Path,
    buffer: Vec<u8>,
    written: u64,
}

impl<'a> Rewrite<'a> {
    fn run(
        shared: &Shared,
        segment: &Arc<Segment>,
        positions: &[u64],
        temp: &'a Path,
    ) -> Result<(super::trailer::Summary, u64)> {
        let loaded = segment.load(&shared.open_files)?;
        match shared.fs.remove(temp) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("erase", temp, &error));
            }
            _ => {}
        }
        let file = shared
            .fs
            .open(temp, OpenMode::CreateNew)
            .map_err(|error| Error::io("create", temp, &error))?;
        let mut out = Self { file, path: temp, buffer: segment.header.encode(), written: 0 };
        let secret = segment.header.secret;
        let flawed = |offset, what| damaged_at("segment_damaged", &segment.path, offset, what);
        let records_end = loaded.trailer.summary.records_end;
        let mut window = Window::new(Arc::clone(&loaded.file), &segment.path, records_end);
        let mut old = Walk::new(&segment.header, 0);
        let mut new = Walk::new(&segment.header, 0);
        let mut groups = VecDeque::from([(PAGE_BYTES, PAGE_BYTES)]);
        let mut count = 0;
        while old.summary.records_end < records_end {
            let offset = old.summary.records_end;
            let record = window
                .record(offset, secret)?
                .and_then(|record| old.accept(record).map(|()| record))
                .map_err(|flaw| flawed(offset, flaw.describe()))?;
            let wanted = positions.binary_search(&record.position()).is_ok() && !record.is_erased();
            let mut bytes = if wanted { erased(record) } else { record.bytes().to_vec() };
            count += u64::from(wanted);
            let new_offset = new.summary.records_end;
            if offset != PAGE_BYTES {
                groups.push_back((offset, new_offset));
            }
            while groups.front().is_some_and(|(old, _)| *old < record.group_start()) {
                groups.pop_front();
            }
            let group = groups.front().filter(|(old, _)| *old == record.group_start());
            let group = group.ok_or_else(|| flawed(offset, "the group starts at no record"))?.1;
            put_place(&mut bytes, new_offset, group, secret);
            let placed = check(&bytes, new_offset, secret).and_then(|record| new.accept(record));
            placed.map_err(|flaw| flawed(offset, flaw.describe()))?;
            out.add(&bytes)?;
        }
        let (seal, _) = encode_seal(&new.summary, &new.index, &shared.log_id, secret);
        out.add(&seal)?;
        out.flush()?;
        out.file.sync_data().map_err(|error| Error::io("sync", temp, &error))?;
        Ok((new.summary, count))
    }

    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.file
            .write_all_at(&self.buffer, self.written)
            .map_err(|error| Error::io("write", self.path, &error))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
