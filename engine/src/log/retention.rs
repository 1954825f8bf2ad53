//! Retention: whole closed segments go, oldest first, and only behind a sound base.
//!
//! Guarantees: before anything is removed, a base at or after the last dropped position was read whole and stands in
//! this chain, and the head knows a position that stays. Each removal is durable before the next, so that a crash
//! never leaves a gap. Leaves to others: what to keep how long, and what a base holds.

use std::sync::Arc;

use super::LogWriter;
use super::base::{BaseHeader, BaseReader, BaseWriter, base_positions};
use super::layout::base_name;
use super::reader::LogReader;
use super::segment::Segment;
use crate::error::{Error, ErrorKind, Result};

/// What was dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// How many segments.
    pub segments: u64,
    /// How many bytes of disk they took.
    pub bytes: u64,
}

/// A closed segment, for deciding what to drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedSegment {
    /// First position.
    pub first_position: u64,
    /// Last position.
    pub last_position: u64,
    /// Time of the last record, UTC ms.
    pub last_time_ms: u64,
    /// Bytes of records.
    pub bytes: u64,
}

impl LogReader {
    /// The closed segments that retention may drop, oldest first; the last segment always stays.
    pub fn closed_segments(&self) -> Vec<ClosedSegment> {
        let list = self.shared.segments();
        let but_last = list.len().saturating_sub(1);
        let closed = |segment: &Arc<Segment>| {
            let summary = segment.summary();
            ClosedSegment {
                first_position: summary.first_position,
                last_position: summary.last_position,
                last_time_ms: summary.last_time_ms,
                bytes: summary.records_end,
            }
        };
        list[..but_last].iter().map(closed).collect()
    }

    /// Begins a base at `position`, which must be durable and still in the log (or the one before its first).
    pub fn write_base(&self, position: u64) -> Result<BaseWriter> {
        self.shared.writable()?;
        let header = BaseHeader {
            log_id: self.shared.log_id,
            position,
            digest: self.digest_at(position)?,
            time_ms: self.shared.clock.now_ms(),
        };
        BaseWriter::create(Arc::clone(&self.shared.fs), &self.shared.data_dir, &header)
    }

    /// Positions of the base files, ascending; nothing about them is checked.
    pub fn bases(&self) -> Result<Vec<u64>> {
        base_positions(&*self.shared.fs, &self.shared.data_dir)
    }

    /// Opens the base at `position`, checks every byte of it and that it stands in this log's chain.
    pub fn open_base(&self, position: u64) -> Result<BaseReader> {
        let reader = BaseReader::open(&*self.shared.fs, &self.shared.data_dir, position)?;
        self.check_base(&reader)?;
        Ok(reader)
    }

    /// Opens the newest base that the log still reaches, if there is one.
    pub fn newest_base(&self) -> Result<Option<BaseReader>> {
        let durable = self.durable_position();
        let newest = self.bases()?.into_iter().rev().find(|position| *position <= durable);
        newest.map(|position| self.open_base(position)).transpose()
    }

    fn check_base(&self, base: &BaseReader) -> Result<()> {
        let header = base.header();
        let digest = self.digest_at(header.position)?;
        if header.log_id == self.shared.log_id && header.digest == digest {
            return Ok(());
        }
        let path = self.shared.log_dir.join(base_name(header.position));
        let what = "the base does not stand in this log's chain";
        Err(super::layout::damaged_file("base_damaged", &path, what))
    }
}

impl LogWriter {
    /// Drops the closed segments whose last position is at most `position`, as far as a sound base allows.
    pub fn drop_before(&mut self, position: u64) -> Result<Dropped> {
        let mut dropped = Dropped::default();
        let reader = LogReader::new(Arc::clone(&self.shared));
        let closed = reader.closed_segments();
        if closed.first().is_none_or(|oldest| oldest.last_position > position) {
            return Ok(dropped);
        }
        self.shared.writable()?;
        let Some(base) = reader.newest_base()? else { return Ok(dropped) };
        let limit = position.min(base.header().position);
        let count = closed.iter().take_while(|segment| segment.last_position <= limit).count();
        if count == 0 {
            return Ok(dropped);
        }
        self.shared.write_head()?;
        for segment in self.shared.segments().iter().take(count) {
            // Readers let go of it first: what they have open stays readable to them.
            self.shared.change_segments(|segments| {
                segments.remove(0);
            });
            let failed = |error| Error::io("drop", &segment.path, &error);
            self.shared.fs.remove(&segment.path).map_err(failed)?;
            self.shared.fs.sync_dir(&self.shared.log_dir).map_err(failed)?;
            dropped.segments += 1;
            dropped.bytes += segment.summary().records_end;
        }
        Ok(dropped)
    }

    /// Removes bases older than the newest sound one; gives how many.
    pub fn drop_old_bases(&mut self) -> Result<u64> {
        let reader = LogReader::new(Arc::clone(&self.shared));
        let Some(newest) = reader.newest_base()? else { return Ok(0) };
        let mut dropped = 0;
        for position in reader.bases()? {
            if position >= newest.header().position {
                break;
            }
            let path = self.shared.log_dir.join(base_name(position));
            match self.shared.fs.remove(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("drop", &path, &error));
                }
                _ => dropped += 1,
            }
        }
        let failed = |error| Error::io("drop", &self.shared.log_dir, &error);
        self.shared.fs.sync_dir(&self.shared.log_dir).map_err(failed)?;
        Ok(dropped)
    }

    /// Removes bases that the log's first segment left behind, which an interrupted retention may leave.
    pub fn drop_unreachable_bases(&mut self) -> Result<()> {
        let reader = LogReader::new(Arc::clone(&self.shared));
        let before = reader.first_position() - 1;
        let failed = |path: &std::path::Path, error| Error::io("drop", path, &error);
        for position in reader.bases()?.into_iter().filter(|position| *position < before) {
            let path = self.shared.log_dir.join(base_name(position));
            self.shared.fs.remove(&path).map_err(|error| failed(&path, error))?;
        }
        let dir = &self.shared.log_dir;
        self.shared.fs.sync_dir(dir).map_err(|error| failed(dir, error))
    }

    /// Refuses positions that are not in the log.
    pub(super) fn check_range(&self, positions: &[u64]) -> Result<()> {
        let reader = LogReader::new(Arc::clone(&self.shared));
        let first = reader.first_position();
        let last = reader.durable_position();
        match positions.iter().find(|position| !(first..=last).contains(*position)) {
            None => Ok(()),
            Some(position) => {
                let code = if *position < first { "position_gone" } else { "position_ahead" };
                let message = format!("position {position} is not in the log ({first} to {last})");
                Err(Error::new(ErrorKind::Gone, code, message).with("first", first))
            }
        }
    }
}
