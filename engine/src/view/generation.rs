//! Generations of views: where they lie on disk, which one is current, and how another takes its place.
//!
//! Layout: `views/current` names the folder of the current generation; each folder holds the trees and a checkpoint.
//! Guarantees: `current` is replaced atomically, and only by a generation that has a checkpoint; folders that it does
//! not name are leftovers and are removed at the next open. Everything under `views/` may be deleted while stopped.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use super::apply::{Applier, ApplierState, SystemFollower};
use super::checkpoint;
use super::fold::{self, Progress};
use super::snapshot::Snapshot;
use super::store::{Presence, Store, StoreOptions};
use crate::error::{Error, Result};
use crate::fs::{OpenMode, SharedFileSystem};
use crate::log::LogReader;

const CURRENT: &str = "current";

/// One set of trees with its folder.
pub struct Generation {
    /// The trees.
    pub store: Arc<Store>,
    /// The folder that they lie in.
    pub dir: PathBuf,
    /// Another one has taken its place.
    retired: AtomicBool,
}

/// The handle through which the current generation is read; it can be swapped while readers go on.
pub struct Views {
    dir: PathBuf,
    fs: SharedFileSystem,
    log: LogReader,
    options: StoreOptions,
    current: RwLock<Arc<Generation>>,
    /// Flushes, rebuilds and erasures write checkpoints, each on a thread of its own.
    checkpointing: Mutex<()>,
    /// Raised when a store finds that its tables do not check.
    notice: Arc<Notify>,
}

impl Views {
    /// Opens the current generation and applies what the log has beyond its checkpoint; rebuilds from the log where
    /// there is no generation that can be trusted.
    pub fn open(
        dir: &Path,
        fs: SharedFileSystem,
        log: LogReader,
        options: StoreOptions,
        followers: Vec<Arc<dyn SystemFollower>>,
    ) -> Result<(Arc<Self>, Applier)> {
        fs.create_dir_all(dir).map_err(|error| Error::io("create", dir, &error))?;
        let notice = Arc::new(Notify::new());
        let start = |(generation, state): (Generation, ApplierState)| {
            let store = Arc::clone(&generation.store);
            let mut applier = Applier::new(store, state, followers.clone());
            fold::catch_up(&log, &mut applier, log.durable_position(), &Progress::default())?;
            applier.build_indexes()?;
            applier.tell_followers()?;
            Ok((generation, applier))
        };
        let opened = open_current(dir, &fs, &log, options, &notice)
            .and_then(|opened| opened.map(start).transpose())
            .and_then(|opened| opened.map(not_before_erasure).transpose());
        let (generation, applier) = match opened {
            Ok(Some(opened)) => opened,
            Ok(None) => start((fresh(dir, &fs, options, &notice)?, ApplierState::default()))?,
            // Damage of the log shows again when it is read for the rebuild.
            Err(error) => {
                tracing::warn!(%error, "the views cannot be used; they are rebuilt from the log");
                start((fresh(dir, &fs, options, &notice)?, ApplierState::default()))?
            }
        };
        remove_others(dir, &generation.dir);
        let views = Self {
            dir: dir.to_owned(),
            fs,
            log,
            options,
            current: RwLock::new(Arc::new(generation)),
            checkpointing: Mutex::default(),
            notice,
        };
        Ok((Arc::new(views), applier))
    }

    /// Views that hold nothing, to fold other generations beside.
    pub(crate) fn empty(
        dir: &Path,
        fs: SharedFileSystem,
        log: LogReader,
        options: StoreOptions,
    ) -> Result<Self> {
        fs.create_dir_all(dir).map_err(|error| Error::io("create", dir, &error))?;
        let notice = Arc::new(Notify::new());
        let generation = Arc::new(fresh(dir, &fs, options, &notice)?);
        let current = RwLock::new(generation);
        let checkpointing = Mutex::default();
        Ok(Self { dir: dir.to_owned(), fs, log, options, current, checkpointing, notice })
    }

    /// The current generation.
    pub fn current(&self) -> Arc<Generation> {
        Arc::clone(&self.current.read())
    }

    /// The views at the published position.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.current.read().store.snapshot(), self.log.clone())
    }

    /// The position that a snapshot taken now would show.
    pub fn position(&self) -> u64 {
        self.current.read().store.published().position
    }

    /// Bytes free on the disk, if that can be told.
    pub fn available_bytes(&self) -> Option<u64> {
        self.fs.available_bytes(&self.dir).ok()
    }

    /// A new, empty generation beside the current one.
    pub fn beside(&self) -> Result<Generation> {
        fresh(&self.dir, &self.fs, self.options, &self.notice)
    }

    /// A snapshot of another generation.
    pub fn snapshot_of(&self, generation: &Generation) -> Snapshot {
        Snapshot::new(generation.store.snapshot(), self.log.clone())
    }

    /// The file system that the views' own files are reached through.
    pub fn fs(&self) -> &SharedFileSystem {
        &self.fs
    }

    /// The log that the views follow.
    pub fn log(&self) -> &LogReader {
        &self.log
    }

    /// Resolves once the current views are found to be damaged.
    pub async fn damaged(&self) {
        while !self.current().store.is_damaged() {
            self.notice.notified().await;
        }
    }

    /// Makes readers use another generation; gives back the one before.
    pub fn swap(&self, generation: Arc<Generation>) -> Arc<Generation> {
        let before = std::mem::replace(&mut *self.current.write(), generation);
        before.retired.store(true, Ordering::SeqCst);
        before
    }

    /// Makes everything up to `state` durable in a generation, and that generation the one to open next time. Every
    /// tree must have been rotated at `state` or after. Nothing to do where another generation took its place.
    pub fn checkpoint(&self, generation: &Generation, state: &ApplierState) -> Result<()> {
        let _one = self.checkpointing.lock();
        if generation.retired.load(Ordering::SeqCst) {
            return Ok(());
        }
        generation.store.flush()?;
        checkpoint::write(
            &*self.fs,
            &generation.dir,
            &identity(&self.log, state.position)?,
            state,
        )?;
        name_current(&self.dir, &self.fs, &generation.dir)
    }

    /// Removes the files of a generation that nobody reads any more.
    pub fn remove(&self, generation: Generation) {
        let dir = generation.dir.clone();
        drop(generation);
        remove_folder(&dir);
    }
}

/// An erasure blanks events only after a checkpoint past them. Views that still have such events before them are older
/// (a copy that was put back): they may hold the erased document, and nothing says which one it is.
fn not_before_erasure(opened: (Generation, Applier)) -> Result<(Generation, Applier)> {
    if opened.1.met_erased() {
        return Err(Error::damaged("view_damaged", "the views are from before an erasure"));
    }
    Ok(opened)
}

/// What ties a checkpoint to a log: its id, and the chain digest at the position.
fn identity(log: &LogReader, position: u64) -> Result<Vec<u8>> {
    let mut identity = log.log_id().to_vec();
    identity.extend_from_slice(&log.digest_at(position)?);
    Ok(identity)
}

fn open_current(
    dir: &Path,
    fs: &SharedFileSystem,
    log: &LogReader,
    options: StoreOptions,
    notice: &Arc<Notify>,
) -> Result<Option<(Generation, ApplierState)>> {
    let pointer = dir.join(CURRENT);
    let Ok(file) = fs.open(&pointer, OpenMode::Read) else { return Ok(None) };
    let mut name = [0; 64];
    let len = file.read_at(&mut name, 0).map_err(|error| Error::io("read", &pointer, &error))?;
    let name = String::from_utf8_lossy(&name[..len]).trim().to_owned();
    let folder = dir.join(&name);
    let valid = name.starts_with("generation-") && folder.is_dir();
    if !valid {
        return Ok(None);
    }
    let Some((position, base)) = checkpoint::place(&**fs, &folder) else { return Ok(None) };
    if position > log.durable_position() || base != fold::base_position(log)?.unwrap_or(0) {
        return Ok(None);
    }
    let Some(state) = checkpoint::read(&**fs, &folder, &identity(log, position)?) else {
        return Ok(None);
    };
    let store = Store::open(&folder, options, Presence::Required, notice)?;
    Ok(Some((Generation { store, dir: folder, retired: AtomicBool::new(false) }, state)))
}

fn fresh(
    dir: &Path,
    fs: &SharedFileSystem,
    options: StoreOptions,
    notice: &Arc<Notify>,
) -> Result<Generation> {
    let names = fs.list(dir).map_err(|error| Error::io("list", dir, &error))?;
    let highest = names
        .iter()
        .filter_map(|name| name.strip_prefix("generation-")?.parse::<u64>().ok())
        .max()
        .unwrap_or(0);
    let folder = dir.join(format!("generation-{:06}", highest + 1));
    fs.create_dir_all(&folder).map_err(|error| Error::io("create", &folder, &error))?;
    let store = Store::open(&folder, options, Presence::New, notice)?;
    Ok(Generation { store, dir: folder, retired: AtomicBool::new(false) })
}

fn name_current(dir: &Path, fs: &SharedFileSystem, folder: &Path) -> Result<()> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let pointer = dir.join(CURRENT);
    if std::fs::read_to_string(&pointer).is_ok_and(|present| present == name) {
        return Ok(());
    }
    checkpoint::replace(&**fs, dir, CURRENT, name.as_bytes())
}

fn remove_others(dir: &Path, keep: &Path) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if entry.path().is_dir() && entry.path() != keep {
            remove_folder(&entry.path());
        }
    }
}

fn remove_folder(dir: &Path) {
    if let Err(error) = std::fs::remove_dir_all(dir) {
        tracing::warn!(folder = %dir.display(), %error, "an unused generation of views stays on disk");
    }
}
