//! Disks for the tests: one that keeps everything but the views in memory, where it can be torn and made to fail, and
//! copies of a data directory as a killed process leaves it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_engine::fs::{
    DirectoryLock, File, FileSystem, OpenMode, SharedFileSystem, SystemFileSystem,
};
use headwater_engine::log::testing::MemoryFileSystem;

/// Log, head and notes in memory; what lies under `views` on the machine's disk, since the trees go there themselves.
#[derive(Clone)]
pub struct SplitFileSystem {
    pub memory: MemoryFileSystem,
    views: PathBuf,
    available: Arc<AtomicU64>,
}

impl SplitFileSystem {
    pub fn new(memory: MemoryFileSystem, data: &Path) -> Self {
        let available = Arc::new(AtomicU64::new(u64::MAX));
        Self { memory, views: data.join("views"), available }
    }

    pub fn shared(&self) -> SharedFileSystem {
        Arc::new(self.clone())
    }

    /// Says how many bytes are free from now on.
    pub fn set_available(&self, bytes: u64) {
        self.available.store(bytes, Ordering::SeqCst);
    }

    fn of(&self, path: &Path) -> &dyn FileSystem {
        if path.starts_with(&self.views) { &SystemFileSystem } else { &self.memory }
    }
}

impl FileSystem for SplitFileSystem {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        self.of(path).open(path, mode)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.of(path).list(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.of(path).create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.of(from).rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.of(path).remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.of(path).sync_dir(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.of(path).exists(path)
    }

    fn available_bytes(&self, _path: &Path) -> io::Result<u64> {
        Ok(self.available.load(Ordering::SeqCst))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DirectoryLock>> {
        self.of(path).lock(path)
    }
}

/// Copies a data directory while an engine has it open and nobody writes: the state after a kill at about now. What
/// leads comes before what follows it (head before log, checkpoint before trees), since the copy takes time.
pub fn copy_running(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("log")).unwrap();
    copy_file(&from.join("head"), &to.join("head"));
    copy_file(&from.join("erasing"), &to.join("erasing"));
    copy_files(&from.join("log"), &to.join("log"));
    copy_views(&from.join("views"), &to.join("views"));
}

/// Copies the views alone.
pub fn copy_views(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    copy_file(&from.join("current"), &to.join("current"));
    for generation in folders(from) {
        let target = to.join(generation.file_name().unwrap());
        std::fs::create_dir_all(&target).unwrap();
        copy_file(&generation.join("checkpoint"), &target.join("checkpoint"));
        for tree in folders(&generation) {
            copy_tree(&tree, &target.join(tree.file_name().unwrap()));
        }
    }
}

/// A tree of files: what names others comes last, so that a table that is gone meanwhile shows.
fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for folder in folders(from) {
        copy_tree(&folder, &to.join(folder.file_name().unwrap()));
    }
    copy_files(from, to);
    copy_file(&from.join("current"), &to.join("current"));
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn copy_files(from: &Path, to: &Path) {
    let Ok(entries) = std::fs::read_dir(from) else { return };
    for entry in entries.flatten() {
        if entry.path().is_file() {
            copy_file(&entry.path(), &to.join(entry.file_name()));
        }
    }
}

/// A file that is gone meanwhile is no loss: a crash may have come just after.
fn copy_file(from: &Path, to: &Path) {
    match std::fs::copy(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("copy {from:?}: {error}"),
        _ => {}
    }
}

/// Every file below a folder, in order.
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(dir) else { return files };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}
