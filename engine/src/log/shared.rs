//! What writer, readers and keepers of one log share.
//!
//! Guarantees: readers take one short lock for the list of segments; nobody holds it over I/O. The first failure of
//! the write path is kept and decides what is refused from then on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, RwLock};

use super::head::{Epoch, HeadFile, HeadState};
use super::layout::Digest;
use super::segment::{OpenFiles, Segment};
use super::{Durability, LogOptions, OpenKind};
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{DirectoryLock, File, SharedFileSystem};

/// The end of the log: the last committed record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) position: u64,
    pub(super) digest: Digest,
    pub(super) time_ms: u64,
}

/// Why nothing is written any more.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) disk_full: bool,
    pub(super) message: String,
}

/// A segment file made ahead.
pub(super) struct Prepared {
    pub(super) file: Arc<dyn File>,
    pub(super) path: PathBuf,
    pub(super) capacity: u64,
}

/// The segments in order of position.
pub(super) type SegmentList = Arc<Vec<Arc<Segment>>>;

pub(super) struct Shared {
    pub(super) fs: SharedFileSystem,
    pub(super) clock: SharedClock,
    pub(super) data_dir: PathBuf,
    pub(super) log_dir: PathBuf,
    pub(super) log_id: [u8; 16],
    pub(super) secret: u32,
    pub(super) options: LogOptions,
    pub(super) open_files: OpenFiles,
    pub(super) head: Mutex<Option<HeadFile>>,
    pub(super) epoch: Mutex<Epoch>,
    pub(super) prepared: Mutex<Option<Prepared>>,
    pub(super) preparing: Mutex<()>,
    pub(super) head_wanted: Signal,
    pub(super) prepared_wanted: Signal,
    segments: RwLock<SegmentList>,
    end: Mutex<Point>,
    durable_position: AtomicU64,
    failure: Mutex<Option<Failure>>,
    failed: AtomicBool,
    _lock: Option<Box<dyn DirectoryLock>>,
}

/// What [`Shared::new`] needs besides paths.
pub(super) struct SharedParts {
    pub(super) fs: SharedFileSystem,
    pub(super) clock: SharedClock,
    pub(super) log_id: [u8; 16],
    pub(super) secret: u32,
    pub(super) options: LogOptions,
    pub(super) head: Option<HeadFile>,
    pub(super) epoch: Epoch,
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) end: Point,
    pub(super) lock: Option<Box<dyn DirectoryLock>>,
}

impl Shared {
    pub(super) fn new(data_dir: &Path, parts: SharedParts) -> Arc<Self> {
        Arc::new(Self {
            open_files: OpenFiles::new(Arc::clone(&parts.fs)),
            fs: parts.fs,
            clock: parts.clock,
            data_dir: data_dir.to_owned(),
            log_dir: data_dir.join(super::layout::LOG_DIR),
            log_id: parts.log_id,
            secret: parts.secret,
            options: parts.options,
            head: Mutex::new(parts.head),
            epoch: Mutex::new(parts.epoch),
            prepared: Mutex::new(None),
            preparing: Mutex::new(()),
            head_wanted: Signal::default(),
            prepared_wanted: Signal::default(),
            segments: RwLock::new(Arc::new(parts.segments)),
            durable_position: AtomicU64::new(parts.end.position),
            end: Mutex::new(parts.end),
            failure: Mutex::new(None),
            failed: AtomicBool::new(false),
            _lock: parts.lock,
        })
    }

    pub(super) fn segments(&self) -> SegmentList {
        Arc::clone(&self.segments.read())
    }

    /// Replaces the list by what `change` makes of it.
    pub(super) fn change_segments(&self, change: impl FnOnce(&mut Vec<Arc<Segment>>)) {
        let mut list = self.segments.write();
        let mut segments = list.as_ref().clone();
        change(&mut segments);
        *list = Arc::new(segments);
    }

    pub(super) fn durable_position(&self) -> u64 {
        self.durable_position.load(Ordering::Acquire)
    }

    pub(super) fn end(&self) -> Point {
        *self.end.lock()
    }

    /// Makes a committed end visible; the segment's growing part already is.
    pub(super) fn advance(&self, end: Point) {
        *self.end.lock() = end;
        self.durable_position.store(end.position, Ordering::Release);
        self.head_wanted.raise();
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        if self.failed.load(Ordering::Acquire) { self.failure.lock().clone() } else { None }
    }

    /// Keeps the first failure; one that is not for want of space replaces one that is.
    pub(super) fn fail(&self, error: &Error) {
        let disk_full = error.kind() == ErrorKind::DiskFull;
        let mut failure = self.failure.lock();
        if failure.as_ref().is_none_or(|first| first.disk_full && !disk_full) {
            tracing::error!(error = %error, "the log stopped writing");
            *failure = Some(Failure { disk_full, message: error.message().to_owned() });
        }
        self.failed.store(true, Ordering::Release);
    }

    pub(super) fn clear_failure(&self) {
        *self.failure.lock() = None;
        self.failed.store(false, Ordering::Release);
    }

    /// Refuses to write when the log failed or is open for inspection.
    pub(super) fn writable(&self) -> Result<()> {
        if self.options.open == OpenKind::Inspect {
            return Err(Error::new(
                ErrorKind::Conflict,
                "inspect_only",
                "the log is open for inspection only",
            ));
        }
        match self.failure() {
            None => Ok(()),
            Some(failure) => {
                let kind =
                    if failure.disk_full { ErrorKind::DiskFull } else { ErrorKind::Unavailable };
                let message = format!("the log stopped writing after: {}", failure.message);
                Err(Error::new(kind, "log_failed", message))
            }
        }
    }

    /// Writes the head if the log went on since; tells whether it did.
    pub(super) fn write_head(&self) -> Result<bool> {
        let mut head = self.head.lock();
        let end = self.end();
        let behind = head.as_ref().is_some_and(|head| head.state().position != end.position);
        if !behind {
            return Ok(false);
        }
        self.put_head(&mut head, end, false)?;
        Ok(true)
    }

    /// Writes both slots, for a clean stop or a change of the epoch.
    pub(super) fn write_both_heads(&self, clean: bool) -> Result<()> {
        let mut head = self.head.lock();
        let end = self.end();
        self.put_head(&mut head, end, clean)?;
        self.put_head(&mut head, end, clean)
    }

    fn put_head(&self, head: &mut Option<HeadFile>, end: Point, clean: bool) -> Result<()> {
        self.writable()?;
        let Some(head) = head.as_mut() else { return Ok(()) };
        if self.options.durability == Durability::Relaxed {
            self.sync_active()?;
        }
        let state = HeadState {
            log_id: self.log_id,
            generation: 0,
            position: end.position,
            digest: end.digest,
            clean,
            started: true,
            epoch: *self.epoch.lock(),
        };
        head.write(state).inspect_err(|error| self.fail(error))
    }

    /// In relaxed mode the head must not run ahead of what is on disk.
    fn sync_active(&self) -> Result<()> {
        let list = self.segments();
        let Some(segment) = list.last() else { return Ok(()) };
        let Some((file, growing)) = segment.growing() else { return Ok(()) };
        let end = growing.read().summary.records_end;
        file.sync_data().map_err(|error| Error::io("sync", &segment.path, &error)).inspect_err(
            |error| {
                self.fail(error);
            },
        )?;
        segment.note_synced(end);
        Ok(())
    }
}

/// A wish that one thread raises and another waits for.
#[derive(Default)]
pub(super) struct Signal {
    raised: AtomicBool,
    lock: Mutex<()>,
    condvar: Condvar,
}

impl Signal {
    pub(super) fn raise(&self) {
        if !self.raised.swap(true, Ordering::AcqRel) {
            let _guard = self.lock.lock();
            self.condvar.notify_all();
        }
    }

    /// Waits until the signal is raised or time is up, and takes it down.
    pub(super) fn wait(&self, at_most: Duration) -> bool {
        let mut guard = self.lock.lock();
        if !self.raised.load(Ordering::Acquire) {
            self.condvar.wait_for(&mut guard, at_most);
        }
        self.raised.swap(false, Ordering::AcqRel)
    }
}
