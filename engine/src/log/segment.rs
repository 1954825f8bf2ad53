//! One segment as readers see it, and the bounded set of files kept open.
//!
//! Guarantees: a closed segment's file, trailer and index are loaded together from one handle, so that a reader never
//! mixes a segment with the rewritten one that replaced it. Of an active segment only what is durable is visible.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

use super::header::SegmentHeader;
use super::index::SparseIndex;
use super::layout::damaged_file;
use super::trailer::{Summary, Trailer};
use crate::error::{Error, Result};
use crate::fs::{File, OpenMode, SharedFileSystem};

/// Closed segments whose file and index stay loaded.
const OPEN_SEGMENTS_MAX: usize = 128;

/// A segment of the log.
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    pub(super) path: PathBuf,
    body: Body,
}

enum Body {
    Active { file: Arc<dyn File>, growing: RwLock<Growing>, synced_end: AtomicU64 },
    Closed { summary: Summary, loaded: Mutex<Option<Arc<Loaded>>> },
}

/// What grows while a segment is active.
#[derive(Clone)]
pub(super) struct Growing {
    pub(super) summary: Summary,
    pub(super) index: SparseIndex,
}

/// A closed segment's file with what its end says.
pub(super) struct Loaded {
    pub(super) file: Arc<dyn File>,
    pub(super) index: SparseIndex,
    pub(super) trailer: Trailer,
}

impl Segment {
    pub(super) fn active(
        header: SegmentHeader,
        path: PathBuf,
        file: Arc<dyn File>,
        growing: Growing,
    ) -> Arc<Self> {
        let synced_end = AtomicU64::new(growing.summary.records_end);
        let body = Body::Active { file, growing: RwLock::new(growing), synced_end };
        Arc::new(Self { header, path, body })
    }

    pub(super) fn closed(header: SegmentHeader, path: PathBuf, summary: Summary) -> Arc<Self> {
        let body = Body::Closed { summary, loaded: Mutex::new(None) };
        Arc::new(Self { header, path, body })
    }

    pub(super) fn first_position(&self) -> u64 {
        self.header.first_position
    }

    pub(super) fn is_active(&self) -> bool {
        matches!(self.body, Body::Active { .. })
    }

    /// What the segment's (durable) records add up to.
    pub(super) fn summary(&self) -> Summary {
        match &self.body {
            Body::Active { growing, .. } => growing.read().summary,
            Body::Closed { summary, .. } => *summary,
        }
    }

    /// Gives the file together with what `ask` found in its index and summary.
    pub(super) fn look_up<T>(
        self: &Arc<Self>,
        open_files: &OpenFiles,
        ask: impl FnOnce(&SparseIndex, &Summary) -> T,
    ) -> Result<(Arc<dyn File>, T)> {
        match &self.body {
            Body::Active { file, growing, .. } => {
                let growing = growing.read();
                Ok((Arc::clone(file), ask(&growing.index, &growing.summary)))
            }
            Body::Closed { .. } => {
                let loaded = self.load(open_files)?;
                let answer = ask(&loaded.index, &loaded.trailer.summary);
                Ok((Arc::clone(&loaded.file), answer))
            }
        }
    }

    /// File, index and trailer of a closed segment.
    pub(super) fn load(self: &Arc<Self>, open_files: &OpenFiles) -> Result<Arc<Loaded>> {
        let Body::Closed { loaded, .. } = &self.body else {
            return Err(Error::internal(format!("{} is not closed", self.path.display())));
        };
        if let Some(loaded) = &*loaded.lock() {
            return Ok(Arc::clone(loaded));
        }
        let file =
            open_files.fs.open(&self.path, OpenMode::Read).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => {
                    damaged_file("segment_missing", &self.path, "the segment is missing")
                }
                _ => Error::io("open", &self.path, &error),
            })?;
        let unsealed =
            || damaged_file("segment_damaged", &self.path, "the segment's end does not check");
        let trailer = Trailer::read(&*file, &self.path, &self.header)?.ok_or_else(unsealed)?;
        let index = trailer.read_index(&*file, &self.path, self.header.secret)?;
        let fresh = Arc::new(Loaded { file, index, trailer });
        *loaded.lock() = Some(Arc::clone(&fresh));
        open_files.opened(self);
        Ok(fresh)
    }

    /// The growing part and the file of an active segment.
    pub(super) fn growing(&self) -> Option<(&Arc<dyn File>, &RwLock<Growing>)> {
        match &self.body {
            Body::Active { file, growing, .. } => Some((file, growing)),
            Body::Closed { .. } => None,
        }
    }

    /// Offset up to which an active segment is known to be synced.
    pub(super) fn synced_end(&self) -> u64 {
        match &self.body {
            Body::Active { synced_end, .. } => synced_end.load(Ordering::Acquire),
            Body::Closed { summary, .. } => summary.records_end,
        }
    }

    /// Notes that an active segment is synced up to `offset`.
    pub(super) fn note_synced(&self, offset: u64) {
        if let Body::Active { synced_end, .. } = &self.body {
            synced_end.fetch_max(offset, Ordering::AcqRel);
        }
    }

    fn unload(&self) {
        if let Body::Closed { loaded, .. } = &self.body {
            *loaded.lock() = None;
        }
    }
}

/// The closed segments that are loaded, oldest load first.
pub(super) struct OpenFiles {
    fs: SharedFileSystem,
    queue: Mutex<VecDeque<Weak<Segment>>>,
}

impl OpenFiles {
    pub(super) fn new(fs: SharedFileSystem) -> Self {
        Self { fs, queue: Mutex::new(VecDeque::new()) }
    }

    fn opened(&self, segment: &Arc<Segment>) {
        let mut queue = self.queue.lock();
        queue.push_back(Arc::downgrade(segment));
        while queue.len() > OPEN_SEGMENTS_MAX {
            if let Some(oldest) = queue.pop_front().and_then(|weak| weak.upgrade()) {
                oldest.unload();
            }
        }
    }
}
