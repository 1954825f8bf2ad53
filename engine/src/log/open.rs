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

use super::base::{BaseReader, base_positions};
use super::head::{self, Epoch, HeadFile, HeadState};
use super::header::SegmentHeader;
use super::keeper::{HeadKeeper, SegmentPreparer};
use super::layout::{
    Digest, HEAD_TEMP_NAME, LOCK_NAME, LOG_DIR, NameKind, damaged_file, name_kind, segment_name,
    temp_path, write_zeros,
};
use super::reader::LogReader;
use super::record::genesis;
use super::roll;
use super::scan::{Scan, scan_active};
use super::segment::{OpenFiles, Segment};
use super::shared::{Point, Shared, SharedParts};
use super::trailer::Trailer;
use super::writer::{Active, LogWriter, rewrite};
use super::{LogOptions, OpenKind, Opened, Recovery};
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{DirectoryLock, File, OpenMode, SharedFileSystem};

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

struct Opening<'a> {
    data_dir: &'a Path,
    log_dir: PathBuf,
    options: LogOptions,
    fs: SharedFileSystem,
    clock: SharedClock,
}

/// The last segment: soundly sealed, or with its scan.
struct Last {
    segment: Arc<Segment>,
    file: Arc<dyn File>,
    file_len: u64,
    scan: Option<Scan>,
}

impl Opening<'_> {
    fn serves(&self) -> bool {
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
            capacity = self.repair(&last, head_offset, clean)?;
            head = Some(HeadFile::open(&*self.fs, self.data_dir, state)?);
        }
        let active = last.scan.is_some().then(|| Active::new(Arc::clone(&last.segment), capacity));
        segments.push(last.segment);
        let parts = SharedParts {
            log_id: state.log_id,
            secret: headers[0].secret,
            options: self.options,
            epoch: state.epoch,
            fs: self.fs,
            clock: self.clock,
            head,
            segments,
            end,
            lock,
        };
        let shared = Shared::new(self.data_dir, parts);
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

    fn headers(&self, firsts: &[u64], state: &HeadState) -> Result<Vec<SegmentHeader>> {
        let mut headers: Vec<SegmentHeader> = Vec::with_capacity(firsts.len());
        for first in firsts {
            let path = self.log_dir.join(segment_name(*first));
            let file = self
                .fs
                .open(&path, OpenMode::Read)
                .map_err(|error| Error::io("open", &path, &error))?;
            let header = SegmentHeader::read(&*file, &path)?;
            if header.log_id != state.log_id {
                let what = "the segment belongs to another log than the head";
                return Err(damaged_file("foreign_segment", &path, what));
            }
            let differs = headers.first().is_some_and(|h| h.secret != header.secret);
            if differs || header.first_position != *first {
                let what = "the segment's header does not fit its place";
                return Err(damaged_file("segment_damaged", &path, what));
            }
            headers.push(header);
        }
        Ok(headers)
    }

    /// The closed segments but the last, and the last one.
    fn segments(
        &self,
        headers: &[SegmentHeader],
        state: &HeadState,
    ) -> Result<(Vec<Arc<Segment>>, Last)> {
        let mut closed = Vec::with_capacity(headers.len());
        let mut last_time_ms = 0;
        for (header, next) in headers.iter().zip(&headers[1..]) {
            let path = self.log_dir.join(segment_name(header.first_position));
            let file = self.open_file(&path, OpenMode::Read)?;
            let trailer = Trailer::read(&*file, &path, header)?.ok_or_else(|| {
                let what = "the segment has a successor, but its own end does not check";
                damaged_file("segment_damaged", &path, what)
            })?;
            let summary = trailer.summary;
            if next.first_position != summary.last_position + 1 {
                let what = format!(
                    "the log is not continuous: positions {} to {} are missing",
                    summary.last_position + 1,
                    next.first_position.saturating_sub(1)
                );
                return Err(damaged_file("segment_missing", &path, &what));
            }
            if next.digest_before != summary.last_digest {
                let what = "the next segment continues another chain";
                return Err(damaged_file("chain_broken", &path, what));
            }
            last_time_ms = summary.last_time_ms;
            closed.push(Segment::closed(header.clone(), path, summary));
        }
        let header = &headers[headers.len() - 1];
        let last = self.last_segment(header, last_time_ms, state.position)?;
        Ok((closed, last))
    }

    fn last_segment(&self, header: &SegmentHeader, last_time_ms: u64, watch: u64) -> Result<Last> {
        let path = self.log_dir.join(segment_name(header.first_position));
        let mode = if self.serves() { OpenMode::ReadWrite } else { OpenMode::Read };
        let file = self.open_file(&path, mode)?;
        let file_len = file.len().map_err(|error| Error::io("read", &path, &error))?;
        let scan = scan_active(&file, &path, header, last_time_ms, watch)?;
        // The seal of a last segment may not be durable yet, so it counts only if all of it fits the records.
        let trailer = Trailer::read(&*file, &path, header)?
            .filter(|trailer| trailer.summary == scan.kept.summary)
            .filter(|trailer| {
                let index = trailer.read_index(&*file, &path, header.secret);
                index.is_ok_and(|index| index == scan.kept.index)
            });
        if let Some(trailer) = trailer {
            let segment = Segment::closed(header.clone(), path, trailer.summary);
            return Ok(Last { segment, file, file_len, scan: None });
        }
        let segment = Segment::active(header.clone(), path, Arc::clone(&file), scan.kept.clone());
        Ok(Last { segment, file, file_len, scan: Some(scan) })
    }

    fn open_file(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn File>> {
        self.fs.open(path, mode).map_err(|error| Error::io("open", path, &error))
    }

    /// The log must begin at position 1, or at most one after a base that stands in its chain.
    fn check_start(
        &self,
        first: &SegmentHeader,
        bases: &[u64],
        segments: &[Arc<Segment>],
        last: &Last,
        end: Point,
    ) -> Result<()> {
        let path = self.log_dir.join(segment_name(first.first_position));
        if first.first_position == 1 {
            if first.digest_before == genesis(&first.log_id) {
                return Ok(());
            }
            let what = "the chain does not begin with this log's first digest";
            return Err(damaged_file("chain_broken", &path, what));
        }
        let before = first.first_position.saturating_sub(1);
        let mut problem = None;
        for position in bases.iter().rev().filter(|p| **p >= before && **p <= end.position) {
            let base = self.log_dir.join(super::layout::base_name(*position));
            match BaseReader::open_ends(&*self.fs, &base, *position) {
                Ok(reader) => {
                    let digest = self.digest_at(*position, first, segments, last, end)?;
                    if reader.header().log_id == first.log_id && reader.header().digest == digest {
                        return Ok(());
                    }
                    let what = "the base does not stand in this log's chain";
                    problem.get_or_insert(damaged_file("base_damaged", &base, what));
                }
                Err(error) => {
                    problem.get_or_insert(error);
                }
            }
        }
        let what = format!("positions up to {before} are missing and no base holds them");
        Err(problem.unwrap_or_else(|| damaged_file("segment_missing", &path, &what)))
    }

    fn digest_at(
        &self,
        position: u64,
        first: &SegmentHeader,
        segments: &[Arc<Segment>],
        last: &Last,
        end: Point,
    ) -> Result<Digest> {
        if position + 1 == first.first_position {
            return Ok(first.digest_before);
        }
        if position == end.position {
            return Ok(end.digest);
        }
        let all = segments.iter().chain([&last.segment]);
        let holds = |s: &&Arc<Segment>| {
            position >= s.first_position() && position <= s.summary().last_position
        };
        let segment = all.clone().find(holds).ok_or_else(|| {
            Error::internal(format!("position {position} is in no segment of the log"))
        })?;
        let open_files = OpenFiles::new(Arc::clone(&self.fs));
        let record = super::reader::one_record(segment, &open_files, position)?;
        Ok(record.iter().next().map(|record| record.digest()).unwrap_or_default())
    }

    /// The log must hold the head's position with the head's digest. Gives the offset just after that record if it is
    /// in the last segment.
    fn check_head(
        &self,
        state: &HeadState,
        first: &SegmentHeader,
        segments: &[Arc<Segment>],
        last: &Last,
        end: Point,
    ) -> Result<Option<u64>> {
        let path = &last.segment.path;
        if end.position < state.position {
            let flaw = last.scan.as_ref().and_then(|scan| scan.flaw);
            let (at, why) = match flaw {
                Some((offset, flaw)) => (offset, flaw.describe()),
                None => (last.segment.summary().records_end, "the log ends"),
            };
            let what = format!(
                "{why} there, after position {}, but the head file says that position {} was durable",
                end.position, state.position
            );
            let error = super::layout::damaged_at("log_cut_short", path, at, &what);
            return Err(error.with("position", end.position + 1));
        }
        if state.position + 1 < first.first_position {
            let what = "the head file is behind the log's first segment";
            return Err(damaged_file("head_damaged", &self.data_dir.join("head"), what));
        }
        let watched = last.scan.as_ref().and_then(|scan| scan.watched);
        let digest = match watched {
            Some((digest, _)) => digest,
            None => self.digest_at(state.position, first, segments, last, end)?,
        };
        if digest != state.digest {
            let what = format!(
                "the chain digest at position {} differs from the head file's",
                state.position
            );
            return Err(damaged_file("chain_broken", path, &what).with("position", state.position));
        }
        Ok(watched.map(|(_, offset)| offset))
    }

    /// Brings the last segment's file into the state that was decided; gives its capacity.
    fn repair(&self, last: &Last, head_offset: Option<u64>, clean: bool) -> Result<u64> {
        let path = &last.segment.path;
        let failed = |error| Error::io("repair", path, &error);
        let summary = last.segment.summary();
        let (durable, known_end) = match &last.scan {
            Some(scan) => {
                write_zeros(&*last.file, summary.records_end, scan.nonzero_end.min(last.file_len))
                    .map_err(failed)?;
                (head_offset.unwrap_or(super::layout::PAGE_BYTES), summary.records_end)
            }
            None => (super::layout::PAGE_BYTES, last.file_len),
        };
        let is_behind = !clean && durable < known_end;
        if is_behind {
            rewrite(&*last.file, &*last.file, durable, known_end).map_err(failed)?;
        }
        if is_behind || last.trimmed_bytes() > 0 {
            last.file.sync_data().map_err(failed)?;
        }
        let wanted = self.options.segment_bytes;
        if last.scan.is_none() || last.file_len >= wanted {
            return Ok(last.file_len);
        }
        match roll::fill(&*last.file, last.file_len.max(known_end), wanted) {
            Ok(()) => Ok(wanted),
            // The log opens on a full disk, too; writing will say so.
            Err(error) if Error::io("", path, &error).kind() == ErrorKind::DiskFull => {
                Ok(last.file_len)
            }
            Err(error) => Err(failed(error)),
        }
    }
}

impl Last {
    fn point(&self) -> Point {
        let summary = self.segment.summary();
        Point {
            position: summary.last_position,
            digest: summary.last_digest,
            time_ms: summary.last_time_ms,
        }
    }

    fn trimmed_bytes(&self) -> u64 {
        let scan = self.scan.as_ref();
        scan.map_or(0, |scan| scan.nonzero_end - scan.kept.summary.records_end)
    }
}
