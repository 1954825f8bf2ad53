//! Backup: a consistent prefix of the log, copied while it is written to, as a directory that opens like any other.
//!
//! Guarantees: what is copied ends at one durable position, the head says so, and the head is written last: a copy that
//! was not finished has none and is refused. A segment erased or sealed meanwhile is copied whole, as it was or as it
//! became. Leaves to others: archives, and beginning a new epoch in what was restored ([`super::LogWriter::begin_epoch`]).

use std::path::Path;
use std::sync::Arc;

use super::head::HeadState;
use super::layout::{CHUNK_BYTES, HEAD_NAME, LOG_DIR, base_name, segment_name, temp_path};
use super::reader::LogReader;
use super::segment::Segment;
use super::shared::Point;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{File, FileSystem, OpenMode};

/// A consistent prefix of the log.
pub struct LogSnapshot {
    reader: LogReader,
    end: Point,
    segments: Vec<Arc<Segment>>,
    /// Bytes of the last segment, where that is active.
    active_len: u64,
    bases: Vec<u64>,
}

/// A file of a [`LogSnapshot`].
pub struct SnapshotFile {
    /// Path below the data directory.
    pub name: String,
    /// Bytes to copy.
    pub bytes: u64,
    source: Source,
}

enum Source {
    File(Arc<dyn File>),
    Bytes(Vec<u8>),
}

impl SnapshotFile {
    /// Reads from the file; 0 at the end.
    pub fn read_at(&self, bytes: &mut [u8], offset: u64) -> std::io::Result<usize> {
        let left = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = bytes.len().min(left);
        match &self.source {
            Source::File(file) => file.read_at(&mut bytes[..len], offset),
            Source::Bytes(source) => {
                let at = usize::try_from(offset).unwrap_or(usize::MAX).min(source.len());
                bytes[..len].copy_from_slice(&source[at..at + len]);
                Ok(len)
            }
        }
    }
}

impl LogReader {
    /// A snapshot of the log up to its present end.
    pub fn snapshot(&self) -> Result<LogSnapshot> {
        let segments = self.shared.segments().as_ref().clone();
        let last = segments.last().ok_or_else(|| Error::internal("the log has no segment"))?;
        // Taken in one look, so that position, digest and length belong together.
        let summary = last.summary();
        let end = Point {
            position: summary.last_position,
            digest: summary.last_digest,
            time_ms: summary.last_time_ms,
        };
        let durable = self.durable_position();
        let reached = end.position.min(durable);
        // The newest base is enough: it holds what the older ones hold, and more.
        let newest = self.bases()?.into_iter().rfind(|position| *position <= reached);
        let bases = newest.into_iter().collect();
        let reader = self.clone();
        Ok(LogSnapshot { reader, end, active_len: summary.records_end, segments, bases })
    }

    /// Copies the log up to its present end into `to_dir`, which must hold no log; gives the position.
    pub fn export(&self, to_dir: &Path, fs: &dyn FileSystem) -> Result<u64> {
        let snapshot = self.snapshot()?;
        snapshot.copy_to(to_dir, fs)?;
        Ok(snapshot.position())
    }
}

impl LogSnapshot {
    /// The position that the snapshot ends with.
    pub fn position(&self) -> u64 {
        self.end.position
    }

    /// Calls `each` with every file, the head last; all of them together make a data directory.
    pub fn for_each_file(&self, mut each: impl FnMut(&SnapshotFile) -> Result<()>) -> Result<()> {
        let shared = &self.reader.shared;
        for position in &self.bases {
            let path = shared.log_dir.join(base_name(*position));
            let failed = |error| Error::io("read", &path, &error);
            let file = shared.fs.open(&path, OpenMode::Read).map_err(failed)?;
            let bytes = file.len().map_err(failed)?;
            let name = format!("{LOG_DIR}/{}", base_name(*position));
            each(&SnapshotFile { name, bytes, source: Source::File(file) })?;
        }
        for segment in &self.segments {
            let (file, bytes) = match segment.growing() {
                Some((file, _)) => (Arc::clone(file), self.active_len),
                None => {
                    let loaded = segment.load(&shared.open_files)?;
                    (Arc::clone(&loaded.file), loaded.trailer.file_len)
                }
            };
            let name = format!("{LOG_DIR}/{}", segment_name(segment.first_position()));
            each(&SnapshotFile { name, bytes, source: Source::File(file) })?;
        }
        let head = HeadState {
            log_id: shared.log_id,
            generation: 0,
            position: self.end.position,
            digest: self.end.digest,
            clean: true,
            started: true,
            epoch: self.reader.epoch(),
        };
        let bytes = head.encode_file();
        let name = HEAD_NAME.to_owned();
        each(&SnapshotFile { name, bytes: bytes.len() as u64, source: Source::Bytes(bytes) })
    }

    /// Copies the files into `to_dir`, durably.
    pub fn copy_to(&self, to_dir: &Path, fs: &dyn FileSystem) -> Result<()> {
        let log_dir = to_dir.join(LOG_DIR);
        let failed = |error| Error::io("write", to_dir, &error);
        fs.create_dir_all(&log_dir).map_err(failed)?;
        let taken = fs.exists(&to_dir.join(HEAD_NAME)).map_err(failed)?
            || !fs.list(&log_dir).map_err(failed)?.is_empty();
        if taken {
            let message = format!("{} already holds a log", to_dir.display());
            return Err(Error::new(ErrorKind::Conflict, "directory_not_empty", message));
        }
        self.for_each_file(|file| {
            if file.name == HEAD_NAME {
                fs.sync_dir(&log_dir).map_err(failed)?;
            }
            copy(file, &to_dir.join(&file.name), fs)
        })?;
        fs.sync_dir(to_dir).map_err(failed)
    }
}

fn copy(file: &SnapshotFile, path: &Path, fs: &dyn FileSystem) -> Result<()> {
    let failed = |error| Error::io("write", path, &error);
    let temp = temp_path(path);
    let target = fs.open(&temp, OpenMode::CreateNew).map_err(failed)?;
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut offset = 0;
    while offset < file.bytes {
        let len = file.read_at(&mut buffer, offset).map_err(failed)?;
        if len == 0 {
            return Err(failed(std::io::ErrorKind::UnexpectedEof.into()));
        }
        target.write_all_at(&buffer[..len], offset).map_err(failed)?;
        offset += len as u64;
    }
    target.sync_data().map_err(failed)?;
    fs.rename(&temp, path).map_err(failed)
}
