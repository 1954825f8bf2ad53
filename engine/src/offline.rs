//! What works on a stopped data directory: verify, rebuild, backup.
//!
//! Guarantees: the directory's lock is taken, so a running server is never disturbed; verify and backup change nothing
//! but what lies under `views/`, which may be deleted at any time anyway.

use std::path::Path;
use std::sync::Arc;

use crate::backup::{BackedUp, write_backup};
use crate::clock::SystemClock;
use crate::error::{Error, Result};
use crate::fs::{SharedFileSystem, SystemFileSystem};
use crate::limits::Limits;
use crate::log::{self, LogOptions, OpenKind, Opened};
use crate::rebuild::{Verified, verify as verify_log};
use crate::view::{Progress, StoreOptions, Views, fold};

struct Stopped {
    opened: Opened,
    fs: SharedFileSystem,
}

fn inspect(data: &Path) -> Result<Stopped> {
    let fs = SystemFileSystem::shared();
    let options = LogOptions { open: OpenKind::Inspect, ..LogOptions::default() };
    let opened = log::open(data, options, Arc::clone(&fs), SystemClock::shared())?;
    Ok(Stopped { opened, fs })
}

impl Stopped {
    fn views(&self, data: &Path) -> Result<Arc<Views>> {
        let reader = self.opened.reader.clone();
        let fs = Arc::clone(&self.fs);
        let dir = data.join("views");
        let (views, _) = Views::open(&dir, fs, reader, StoreOptions::default(), Vec::new())?;
        Ok(views)
    }
}

/// Recomputes the chain of a stopped directory and compares its views with the fold of its log.
pub fn verify(data: &Path, progress: &Progress) -> Result<Verified> {
    let stopped = inspect(data)?;
    let views = stopped.views(data)?;
    let snapshot = views.snapshot();
    let kept_ms = Limits::default().idempotency_seconds * 1000;
    let since_ms = snapshot.time_ms().saturating_sub(kept_ms);
    verify_log(&views, &stopped.opened.reader, &snapshot, since_ms, progress)
}

/// Rebuilds the views of a stopped directory from its log; gives the position they stand at.
pub fn rebuild(data: &Path, progress: &Progress) -> Result<u64> {
    let stopped = inspect(data)?;
    let reader = stopped.opened.reader.clone();
    let dir = data.join("views");
    if dir.exists() {
        std::fs::remove_dir_all(&dir).map_err(|error| Error::io("remove", &dir, &error))?;
    }
    let views = stopped.views_of_nothing(&dir)?;
    let (generation, applier) = fold(&views, reader.durable_position(), progress)?;
    applier.store().rotate();
    views.checkpoint(&generation, &applier.state())?;
    Ok(applier.position())
}

/// Writes a backup of a stopped directory.
pub fn backup(data: &Path, output: &Path, progress: &Progress) -> Result<BackedUp> {
    let stopped = inspect(data)?;
    if data.join(crate::erasure::NOTE).exists() {
        let message = "an erasure is unfinished; start the server once, it finishes it";
        return Err(Error::invalid("erasure_unfinished", message));
    }
    write_backup(|| stopped.opened.reader.snapshot(), data, output, progress)
}

impl Stopped {
    /// Views that hold nothing yet, to fold beside.
    fn views_of_nothing(&self, dir: &Path) -> Result<Views> {
        Views::empty(dir, Arc::clone(&self.fs), self.opened.reader.clone(), StoreOptions::default())
    }
}
