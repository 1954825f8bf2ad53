//! The one writer: a group becomes one write and one sync.
//!
//! Guarantees: when [`LogWriter::append`] returns a block, it is durable (in `Sync` mode) and visible to readers. After
//! a failed write or sync nothing more is written on that handle: the append that failed is `write_unknown` (its group
//! may or may not be there after a restart), or `disk_full` where space was missing; later ones are `log_failed`.
//! [`LogWriter::resume`] goes on after a full disk, with the state of the last durable group.

use std::sync::Arc;

use super::block::Block;
use super::group::GroupBuilder;
use super::head::Epoch;
use super::layout::{CHUNK_BYTES, rewrite, write_zeros};
use super::record::Place;
use super::roll::{self, SealError};
use super::segment::Segment;
use super::shared::{Point, Shared};
use super::{Durability, head::HeadFile};
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{File, OpenMode};

/// Appends to the log; there is one.
pub struct LogWriter {
    pub(super) shared: Arc<Shared>,
    active: Option<Active>,
    end: Point,
    group_bytes: usize,
}

/// The segment that is written to.
pub(super) struct Active {
    pub(super) segment: Arc<Segment>,
    pub(super) capacity: u64,
    /// How far bytes may have been written, durable or not.
    attempted_end: u64,
    /// A seal was begun; nothing may follow but its repetition.
    seal_begun: bool,
}

impl Active {
    pub(super) fn new(segment: Arc<Segment>, capacity: u64) -> Self {
        Self { segment, capacity, attempted_end: 0, seal_begun: false }
    }
}

impl LogWriter {
    pub(super) fn new(shared: Arc<Shared>, active: Option<Active>) -> Self {
        let end = shared.end();
        Self { shared, active, end, group_bytes: 0 }
    }

    /// The position that the next record will get.
    pub fn next_position(&self) -> u64 {
        self.end.position + 1
    }

    /// The time of the last record, ms; no later record may have an earlier one.
    pub fn last_time_ms(&self) -> u64 {
        self.end.time_ms
    }

    /// An empty group with room for as much as the last one held.
    pub fn group(&self) -> GroupBuilder {
        GroupBuilder::with_capacity(self.group_bytes)
    }

    /// The present epoch.
    pub fn epoch(&self) -> Epoch {
        *self.shared.epoch.lock()
    }

    /// Whether and why writing stopped: `Some(DiskFull)` can be resumed, `Some(Unavailable)` cannot.
    pub fn failed(&self) -> Option<ErrorKind> {
        self.shared.writable().err().map(|error| error.kind())
    }

    /// Commits a group: all of it, durably, or an error (see the module).
    pub fn append(&mut self, group: GroupBuilder) -> Result<Arc<Block>> {
        self.shared.writable()?;
        group.check(self.end.time_ms)?;
        let len = group.bytes() as u64;
        self.make_room(len)?;
        let relaxed = self.shared.options.durability == Durability::Relaxed;
        let (active, file) = self.active_file()?;
        let offset = active.segment.summary().records_end;
        let group_start = if relaxed { active.segment.synced_end() } else { offset };
        let place = Place { offset, group_start, position: self.end.position + 1 };
        let bytes = group.bytes();
        let (block, digest) = group.seal(place, &self.end.digest, self.shared.secret);
        self.write_block(&*file, &block, offset)?;
        self.publish(&block, offset, digest);
        self.group_bytes = bytes.next_power_of_two().min(CHUNK_BYTES);
        Ok(Arc::new(block))
    }

    /// Goes on after a full disk: on a fresh handle, what a failed append may have left is overwritten with zeros and
    /// synced. Nothing to do if the log did not fail; refused after any other failure.
    pub fn resume(&mut self) -> Result<()> {
        match self.shared.failure() {
            None => return Ok(()),
            Some(failure) if !failure.disk_full => return self.shared.writable(),
            Some(_) => {}
        }
        let reopened = self.reopen_active().and_then(|()| self.reopen_head());
        if let Err(error) = reopened {
            self.shared.fail(&error);
            return Err(error);
        }
        self.shared.clear_failure();
        self.shared.write_both_heads(false)
    }

    /// Begins a new epoch at the present end, durably: for a restored backup that goes on as a history of its own.
    pub fn begin_epoch(&mut self) -> Result<Epoch> {
        let mut id = [0; 16];
        self.shared.clock.fill_random(&mut id);
        self.set_epoch(Epoch { id, start: self.end.position })
    }

    /// Sets the epoch, durably.
    pub fn set_epoch(&mut self, epoch: Epoch) -> Result<Epoch> {
        self.shared.writable()?;
        *self.shared.epoch.lock() = epoch;
        self.shared.write_both_heads(false)?;
        Ok(epoch)
    }

    /// Writes the head now; see [`super::HeadKeeper`] for the usual way.
    pub fn write_head(&mut self) -> Result<()> {
        self.shared.write_head().map(|_| ())
    }

    /// Makes what was appended so far durable, where appending did not; before views that hold it may become so.
    pub fn settle(&mut self) -> Result<()> {
        match self.shared.options.durability {
            Durability::Sync => Ok(()),
            Durability::Relaxed => self.write_head(),
        }
    }

    /// A clean stop: both slots of the head say so. The directory stays locked until readers and keepers are dropped.
    pub fn close(self) -> Result<()> {
        self.shared.write_both_heads(true)
    }

    /// Seals the active segment if it holds records, so that only closed segments hold any.
    pub(super) fn seal_active(&mut self) -> Result<()> {
        let Some(active) = self.active.as_mut() else { return Ok(()) };
        if active.segment.summary().is_empty() {
            return Ok(());
        }
        active.seal_begun = true;
        match roll::seal(&self.shared, &active.segment) {
            Ok(closed) => {
                self.shared.change_segments(|segments| {
                    segments.pop();
                    segments.push(closed);
                });
                self.active = None;
                Ok(())
            }
            Err(SealError::Write(error)) if error.kind() == ErrorKind::DiskFull => Err(error),
            Err(SealError::Write(error) | SealError::Sync(error)) => {
                self.shared.fail(&error);
                Err(Self::failed_before_write(&error))
            }
        }
    }

    /// Sees to it that the active segment can take `len` bytes.
    fn make_room(&mut self, len: u64) -> Result<()> {
        if let Some(active) = &self.active {
            let summary = active.segment.summary();
            let fits = summary.is_empty() || summary.records_end + len <= active.capacity;
            if fits && !active.seal_begun {
                if self.shared.prepared.lock().is_none()
                    && summary.records_end > active.capacity / 2
                {
                    self.shared.prepared_wanted.raise();
                }
                return Ok(());
            }
            self.seal_active()?;
        }
        self.create_next()
    }

    fn create_next(&mut self) -> Result<()> {
        match roll::create(&self.shared, self.end) {
            Ok((segment, capacity)) => {
                self.shared.change_segments(|segments| segments.push(Arc::clone(&segment)));
                self.active = Some(Active::new(segment, capacity));
                Ok(())
            }
            // Nothing of the group was written and the next append makes another file: no failure of the log.
            Err(error) if error.kind() == ErrorKind::DiskFull => Err(error),
            Err(error) => {
                self.shared.fail(&error);
                Err(Self::failed_before_write(&error))
            }
        }
    }

    fn write_block(&mut self, file: &dyn File, block: &Block, offset: u64) -> Result<()> {
        let bytes = block.bytes();
        let sync = self.shared.options.durability == Durability::Sync;
        let (active, _) = self.active_file()?;
        active.attempted_end = offset + bytes.len() as u64;
        let path = &active.segment.path;
        let written = file
            .write_all_at(bytes, offset)
            .map_err(|error| Error::io("write", path, &error))
            .and_then(|()| {
                let synced = if sync { file.sync_data() } else { Ok(()) };
                synced.map_err(|error| Error::io("sync", path, &error))
            });
        written.map_err(|error| {
            self.shared.fail(&error);
            let first = block.first_position();
            match error.kind() {
                ErrorKind::DiskFull => error.with("position", first),
                _ => {
                    let message =
                        format!("whether position {first} was written is unknown: {error}");
                    Error::unavailable("write_unknown", message).with("position", first)
                }
            }
        })
    }

    fn publish(&mut self, block: &Block, offset: u64, digest: super::Digest) {
        let Some(active) = &self.active else { return };
        let Some((_, growing)) = active.segment.growing() else { return };
        let end_offset = offset + block.bytes().len() as u64;
        let mut last_time = self.end.time_ms;
        {
            let mut growing = growing.write();
            for record in block.iter() {
                growing.index.note(record.position(), record.offset(), record.time_ms());
                last_time = record.time_ms();
            }
            if growing.summary.is_empty() {
                growing.summary.first_time_ms =
                    block.iter().next().map_or(last_time, |record| record.time_ms());
            }
            growing.summary.last_position = block.last_position();
            growing.summary.last_time_ms = last_time;
            growing.summary.last_digest = digest;
            growing.summary.records_end = end_offset;
        }
        if self.shared.options.durability == Durability::Sync {
            active.segment.note_synced(end_offset);
        }
        self.end = Point { position: block.last_position(), digest, time_ms: last_time };
        self.shared.advance(self.end);
    }

    fn active_file(&mut self) -> Result<(&mut Active, Arc<dyn File>)> {
        let missing = || Error::internal("the log has no active segment");
        let active = self.active.as_mut().ok_or_else(missing)?;
        let file =
            active.segment.growing().map(|(file, _)| Arc::clone(file)).ok_or_else(missing)?;
        Ok((active, file))
    }

    fn failed_before_write(error: &Error) -> Error {
        let kind = match error.kind() {
            ErrorKind::DiskFull => ErrorKind::DiskFull,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, "log_failed", format!("nothing of the group was written: {error}"))
    }

    fn reopen_active(&mut self) -> Result<()> {
        let Some(active) = self.active.as_mut() else { return Ok(()) };
        let path = &active.segment.path;
        let failed = |error| Error::io("resume", path, &error);
        let Some((old, growing)) = active.segment.growing() else { return Ok(()) };
        let growing = growing.read().clone();
        let end = growing.summary.records_end;
        let file = self.shared.fs.open(path, OpenMode::ReadWrite).map_err(failed)?;
        let file_len = file.len().map_err(failed)?;
        rewrite(&**old, &*file, active.segment.synced_end(), end).map_err(failed)?;
        // A seal that was begun may reach further than any group; all behind the records is cleared alike.
        let to = if active.seal_begun { file_len } else { active.attempted_end.min(file_len) };
        write_zeros(&*file, end, to).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        let fresh = Segment::active(active.segment.header.clone(), path.clone(), file, growing);
        self.shared.change_segments(|segments| {
            segments.pop();
            segments.push(Arc::clone(&fresh));
        });
        active.segment = fresh;
        Ok(())
    }

    fn reopen_head(&mut self) -> Result<()> {
        let mut head = self.shared.head.lock();
        if let Some(old) = head.as_ref() {
            *head = Some(HeadFile::open(&*self.shared.fs, &self.shared.data_dir, *old.state())?);
        }
        Ok(())
    }
}
