//! Opening: what is on disk, whether it may be trusted, and only then its repair.
//!
//! Steps: lock; read names, head, segment headers, trailers; scan the last segment; compare neighbours, base and head;
//! decide. Up to here nothing was changed, and any damage was refused. Then, when serving: temporary files go, a torn
//! tail is overwritten with zeros, records past the head are written again and synced (a sync that failed before the
//! crash may have left them in memory only, marked clean), the file gets its full length back, and the head is written.
//!
//! A fresh directory is made in an order in which every crash leaves a state that is either still empty, or has a head
//! at position 0 that says no segment was ever made (so a missing one is no loss): head, first segment, head again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::base::base_positions;
use super::head::{self, Epoch, HeadFile, HeadState};
use super::header::SegmentHeader;
use super::keeper::{HeadKeeper, SegmentPreparer};
use super::layout::{
    HEAD_TEMP_NAME, LOCK_NAME, LOG_DIR, NameKind, damaged_file, name_kind, segment_name, temp_path,
};
use super::reader::LogReader;
use super::record::genesis;
use super::roll;
use super::shared::{Shared, SharedParts};
use super::writer::{Active, LogWriter};
use super::{LogOptions, OpenKind, Opened, Recovery};
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{DirectoryLock, SharedFileSystem};

/// Opens the log in `data_dir`, or makes one where there is none (see the module for what is checked and repaired).
pub fn open(
    data_dir: &Path,
    options: LogOptions,
    fs: SharedFileSystem,
    clock: SharedClock,
) -> Result<Opened> {
    let opening = Opening { data_dir, log_dir: data_dir.join(LOG_DIR), options, fs, clock };
    let lock = opening.lock()?;
    let (segments, bases) = opening.names()?;
    let state = head::read(&*opening.fs, data_dir)?;
    let state = match (segments.is_empty(), state) {
        (true, None) if bases.is_empty() => opening.make_head()?,
        (true, Some(state)) if state.position == 0 && !state.started && bases.is_empty() => state,
        (true, Some(_)) => {
            let what = "the head file names a log, but there is no segment";
            return Err(damaged_file("segments_missing", &opening.log_dir, what));
        }
        (_, None) => {
            let path = data_dir.join(super::layout::HEAD_NAME);
            return Err(damaged_file("head_missing", &path, "the log has files, but no head"));
        }
        (false, Some(state)) => return opening.existing(&segments, &bases, state, lock),
    };
    if opening.options.open == OpenKind::Inspect {
        return Err(opening.nothing_here());
    }
    opening.remove_temporaries()?;
    let first = opening.make_first_segment(&state)?;
    opening.existing(&[first], &[], state, lock)
}

/// An opening under way.
pub(super) struct Opening<'a> {
    pub(super) data_dir: &'a Path,
    pub(super) log_dir: PathBuf,
    pub(super) options: LogOptions,
    pub(super) fs: SharedFileSystem,
    clock: SharedClock,
}

impl Opening<'_> {
    pub(super) fn serves(&self) -> bool {
        self.options.open == OpenKind::Serve
    }

    fn lock(&self) -> Result<Option<Box<dyn DirectoryLock>>> {
        let path = self.data_dir.join(LOCK_NAME);
        if self.serves() {
            self.fs
                .create_dir_all(&self.log_dir)
                .map_err(|error| Error::io("create", &self.log_dir, &error))?;
        } else if !self.fs.exists(&path).map_err(|error| Error::io("read", &path, &error))? {
            return Ok(None);
        }
        match self.fs.lock(&path) {
            Ok(lock) => Ok(Some(lock)),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let message = format!("{} is in use by another process", self.data_dir.display());
                Err(Error::new(ErrorKind::Conflict, "data_directory_in_use", message))
            }
            Err(error) => Err(Error::io("lock", &path, &error)),
        }
    }

    /// First positions of the segments and positions of the bases, ascending.
    fn names(&self) -> Result<(Vec<u64>, Vec<u64>)> {
        let names = match self.fs.list(&self.log_dir) {
            Ok(names) => names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Error::io("list", &self.log_dir, &error)),
        };
        let mut segments = Vec::new();
        for name in &names {
            if let NameKind::Segment(first) = name_kind(name) {
                segments.push(first);
            }
        }
        segments.sort_unstable();
        let bases =
            if names.is_empty() { Vec::new() } else { base_positions(&*self.fs, self.data_dir)? };
        Ok((segments, bases))
    }

    fn nothing_here(&self) -> Error {
        Error::not_found("no_log", format!("{} holds no log", self.data_dir.display()))
    }

    fn make_head(&self) -> Result<HeadState> {
        if !self.serves() {
            return Err(self.nothing_here());
        }
        let mut log_id = [0; 16];
        self.clock.fill_random(&mut log_id);
        let state = HeadState {
            log_id,
            generation: 0,
            position: 0,
            digest: genesis(&log_id),
            clean: false,
            started: false,
            epoch: Epoch { id: log_id, start: 0 },
        };
        // The directories' own entries have to last as long as what is in them.
        let parent = match self.data_dir.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        match self.fs.sync_dir(parent) {
            // Whoever made the directory for us, in a place we may not read, sees to that.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
            synced => synced.map_err(|error| Error::io("sync", parent, &error))?,
        }
        HeadFile::create(&*self.fs, self.data_dir, state)?;
        Ok(state)
    }

    fn make_first_segment(&self, state: &HeadState) -> Result<u64> {
        let mut secret = [0; 4];
        self.clock.fill_random(&mut secret);
        let header = SegmentHeader {
            log_id: state.log_id,
            secret: u32::from_le_bytes(secret),
            first_position: 1,
            created_ms: self.clock.now_ms(),
            digest_before: genesis(&state.log_id),
        };
        let path = self.log_dir.join(segment_name(1));
        let file = roll::make_file(&*self.fs, temp_path(&path), self.options.segment_bytes)?;
        roll::install(&*self.fs, &self.log_dir, &file, &header, &path)?;
        Ok(1)
    }

    fn remove_temporaries(&self) -> Result<()> {
        let remove = |path: &Path| match self.fs.remove(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", path, &error))
            }
            _ => Ok(()),
        };
        let names = self
            .fs
            .list(&self.log_dir)
            .map_err(|error| Error::io("list", &self.log_dir, &error))?;
        for name in names.iter().filter(|name| name_kind(name) == NameKind::Temporary) {
            remove(&self.log_dir.join(name))?;
        }
        remove(&self.data_dir.join(HEAD_TEMP_NAME))
    }

    fn existing(
        self,
        firsts: &[u64],
        bases: &[u64],
        state: HeadState,
        lock: Option<Box<dyn DirectoryLock>>,
    ) -> Result<Opened> {
        let headers = self.headers(firsts, &state)?;
        let (mut segments, last) = self.segments(&headers, &state)?;
        let end = last.point();
        let first = &headers[0];
        self.check_start(first, bases, &segments, &last, end)?;
        let head_offset = self.check_head(&state, first, &segments, &last, end)?;
        let clean = state.clean && state.position == end.position && last.trimmed_bytes() == 0;
        let recovery = Recovery {
            clean,
            trimmed_bytes: last.trimmed_bytes(),
            first_position: first.first_position,
            last_position: end.position,
            records_past_head: end.position - state.position,
        };
        let mut capacity = last.file_len;
        let mut head = None;
        if self.serves() {
            self.remove_temporaries()?;
            capacity = self.repair(&last, head_offset, &recovery)?;
            head = Some(HeadFile::open(&*self.fs, self.data_dir, state)?);
        }
        let active = last.scan.is_some().then(|| Active::new(Arc::clone(&last.segment), capacity));
        segments.push(last.segment);
        let parts = SharedParts {
            log_id: state.log_id,
            secret: first.secret,
            options: self.options,
            epoch: state.epoch,
            fs: self.fs,
            clock: self.clock,
            head,
            segments,
            end,
            lock,
        };
        opened(Shared::new(self.data_dir, parts), active, recovery)
    }
}

fn opened(shared: Arc<Shared>, active: Option<Active>, recovery: Recovery) -> Result<Opened> {
    if shared.options.open == OpenKind::Serve {
        // Also says that segments exist and that no clean stop followed.
        shared.write_both_heads(false)?;
    }
    Ok(Opened {
        writer: LogWriter::new(Arc::clone(&shared), active),
        reader: LogReader::new(Arc::clone(&shared)),
        head_keeper: HeadKeeper::new(Arc::clone(&shared)),
        preparer: SegmentPreparer::new(shared),
        recovery,
    })
}
