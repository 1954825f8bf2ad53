//! A file system in memory that a test owns: it knows what was synced, loses what was not, and fails when told to.
//!
//! Guarantees: a crash state holds every synced byte and directory entry, plus an arbitrary subset of the unsynced
//! ones, writes torn at 512-byte sectors. After a failed sync the unsynced bytes stay readable but later syncs do not
//! make them durable, as on Linux. Leaves to others: permissions, links, subdirectories' own durability.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::fs::{DirectoryLock, File, FileSystem, OpenMode, SharedFileSystem};

const SECTOR: usize = 512;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The device fails; half of a write may have happened.
    Io,
    /// There is no space; half of a write may have happened.
    NoSpace,
    /// A write takes only half of its bytes, without an error.
    ShortWrite,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

#[derive(Clone, Debug, Default)]
struct Inode {
    content: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum EntryChange {
    Link(PathBuf, usize),
    Rename(PathBuf, PathBuf, usize),
    Unlink(PathBuf),
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    first: u64,
    last: u64,
    fault: Fault,
}

#[derive(Clone, Default)]
struct Disk {
    inodes: Vec<Inode>,
    entries: BTreeMap<PathBuf, usize>,
    synced_entries: BTreeMap<PathBuf, usize>,
    unsynced_entries: Vec<EntryChange>,
    directories: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
    calls: u64,
    plan: Option<Plan>,
    crash_at: Option<u64>,
    writes: u64,
}

/// The file system; clones share it.
#[derive(Clone, Default)]
pub struct MemoryFileSystem {
    disk: Arc<Mutex<Disk>>,
}

struct MemoryFile {
    disk: Arc<Mutex<Disk>>,
    inode: usize,
}

struct MemoryLock {
    disk: Arc<Mutex<Disk>>,
    path: PathBuf,
}

impl MemoryFileSystem {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// As the log takes it.
    pub fn shared(&self) -> SharedFileSystem {
        Arc::new(self.clone())
    }

    /// How many calls were made that reach the disk.
    pub fn calls(&self) -> u64 {
        self.disk.lock().calls
    }

    /// How many of them changed something.
    pub fn writes(&self) -> u64 {
        self.disk.lock().writes
    }

    /// Lets the call after `n` further ones fail.
    pub fn fail_nth(&self, n: u64, fault: Fault) {
        let mut disk = self.disk.lock();
        let at = disk.calls + n + 1;
        disk.plan = Some(Plan { first: at, last: at, fault });
    }

    /// Lets all calls after `n` further ones fail, until [`Self::heal`].
    pub fn fail_from(&self, n: u64, fault: Fault) {
        let mut disk = self.disk.lock();
        let first = disk.calls + n + 1;
        disk.plan = Some(Plan { first, last: u64::MAX, fault });
    }

    /// No more faults.
    pub fn heal(&self) {
        self.disk.lock().plan = None;
    }

    /// Whether a planned single fault was met.
    pub fn fault_met(&self) -> bool {
        let disk = self.disk.lock();
        disk.plan.is_some_and(|plan| disk.calls >= plan.first)
    }

    /// The power goes after `n` further calls: they all fail and change nothing.
    pub fn crash_after(&self, n: u64) {
        let mut disk = self.disk.lock();
        disk.crash_at = Some(disk.calls + n);
    }

    /// Whether the power has gone.
    pub fn is_crashed(&self) -> bool {
        let disk = self.disk.lock();
        disk.crash_at.is_some_and(|at| disk.calls > at)
    }

    /// A disk as it may be found after the power went now.
    pub fn crash_state(&self, seed: u64) -> Self {
        let disk = self.disk.lock();
        let mut random = StdRng::seed_from_u64(seed);
        let mut found = Disk { directories: disk.directories.clone(), ..Disk::default() };
        for inode in &disk.inodes {
            let content = torn(inode, &mut random);
            found.inodes.push(Inode { synced: content.clone(), content, ..Inode::default() });
        }
        found.entries = disk.synced_entries.clone();
        let chance = [0.0, 0.5, 1.0][random.random_range(0..3)];
        for change in &disk.unsynced_entries {
            if random.random_bool(chance) {
                change.apply(&mut found.entries);
            }
        }
        found.synced_entries = found.entries.clone();
        Self { disk: Arc::new(Mutex::new(found)) }
    }

    /// The disk as a killed process leaves it: everything written is there, synced or not.
    pub fn kill_state(&self) -> Self {
        let mut disk = self.disk.lock().clone();
        disk.plan = None;
        disk.crash_at = None;
        disk.locks.clear();
        Self { disk: Arc::new(Mutex::new(disk)) }
    }

    /// Every file's path, in order.
    pub fn files(&self) -> Vec<PathBuf> {
        self.disk.lock().entries.keys().cloned().collect()
    }

    /// A file's bytes as a process reads them.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let disk = self.disk.lock();
        disk.entries.get(path).map(|inode| disk.inodes[*inode].content.clone())
    }

    /// Replaces a file's bytes, durably, behind the log's back.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut disk = self.disk.lock();
        let content = bytes.to_vec();
        disk.inodes.push(Inode { synced: content.clone(), content, ..Inode::default() });
        let inode = disk.inodes.len() - 1;
        disk.entries.insert(path.to_owned(), inode);
        disk.synced_entries.insert(path.to_owned(), inode);
    }

    /// Removes a file, durably, behind the log's back.
    pub fn take(&self, path: &Path) {
        let mut disk = self.disk.lock();
        disk.entries.remove(path);
        disk.synced_entries.remove(path);
    }
}

/// What may be found of a file after the power went.
fn torn(inode: &Inode, random: &mut StdRng) -> Vec<u8> {
    let mut content = inode.synced.clone();
    let chance = [0.0, 0.3, 0.7, 1.0][random.random_range(0..4)];
    for change in &inode.unsynced {
        match change {
            Change::SetLen(len) if random.random_bool(chance) => content.resize(*len, 0),
            Change::SetLen(_) => {}
            Change::Write { offset, bytes } => {
                let mut at = 0;
                while at < bytes.len() {
                    let end = ((offset + at) / SECTOR + 1) * SECTOR - offset;
                    let end = end.min(bytes.len());
                    if random.random_bool(chance) {
                        put(&mut content, offset + at, &bytes[at..end]);
                    }
                    at = end;
                }
            }
        }
    }
    content
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => put(content, *offset, bytes),
            Self::SetLen(len) => content.resize(*len, 0),
        }
    }
}

impl EntryChange {
    fn apply(&self, entries: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Link(path, inode) => {
                entries.insert(path.clone(), *inode);
            }
            Self::Rename(from, to, inode) => {
                entries.remove(from);
                entries.insert(to.clone(), *inode);
            }
            Self::Unlink(path) => {
                entries.remove(path);
            }
        }
    }

    fn directory(&self) -> Option<&Path> {
        match self {
            Self::Link(path, _) | Self::Rename(_, path, _) | Self::Unlink(path) => path.parent(),
        }
    }
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Self::NoSpace => io::ErrorKind::StorageFull.into(),
            Self::Io | Self::ShortWrite => io::Error::from_raw_os_error(5),
        }
    }
}

impl Disk {
    /// Counts a call; gives the fault that it must meet.
    fn call(&mut self) -> io::Result<Option<Fault>> {
        self.calls += 1;
        if self.crash_at.is_some_and(|at| self.calls > at) {
            return Err(io::Error::other("the power is gone"));
        }
        let calls = self.calls;
        let plan = self.plan.filter(|plan| (plan.first..=plan.last).contains(&calls));
        Ok(plan.map(|plan| plan.fault))
    }

    /// Counts a call that cannot be short.
    fn whole_call(&mut self) -> io::Result<()> {
        match self.call()? {
            None | Some(Fault::ShortWrite) => Ok(()),
            Some(fault) => Err(fault.error()),
        }
    }

    fn changing_call(&mut self) -> io::Result<()> {
        self.writes += 1;
        self.whole_call()
    }

    fn change(&mut self, inode: usize, change: Change) {
        change.apply(&mut self.inodes[inode].content);
        self.inodes[inode].unsynced.push(change);
    }

    fn change_entry(&mut self, change: EntryChange) {
        change.apply(&mut self.entries);
        self.unsynced_entries.push(change);
    }
}

impl File for MemoryFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.disk.lock();
        disk.whole_call()?;
        let content = &disk.inodes[self.inode].content;
        let start = (offset as usize).min(content.len());
        let len = bytes.len().min(content.len() - start);
        bytes[..len].copy_from_slice(&content[start..start + len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.disk.lock();
        disk.writes += 1;
        let fault = disk.call()?;
        let len = if fault.is_some() { bytes.len() / 2 } else { bytes.len() };
        if len > 0 {
            let change = Change::Write { offset: offset as usize, bytes: bytes[..len].to_vec() };
            disk.change(self.inode, change);
        }
        match fault {
            Some(fault @ (Fault::Io | Fault::NoSpace)) => Err(fault.error()),
            Some(Fault::ShortWrite) if len == 0 => Err(io::ErrorKind::Interrupted.into()),
            _ => Ok(len),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.disk.lock();
        let synced = disk.changing_call();
        if synced.is_err() && disk.crash_at.is_some_and(|at| disk.calls > at) {
            return synced;
        }
        // What a failed sync left on disk is decided once; no later sync writes the rest.
        let mut random = StdRng::seed_from_u64(disk.calls);
        let inode = &mut disk.inodes[self.inode];
        if synced.is_err() {
            inode.synced = torn(inode, &mut random);
        } else {
            inode.unsynced.iter().for_each(|change| change.apply(&mut inode.synced));
        }
        inode.unsynced.clear();
        synced
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.changing_call()?;
        if disk.inodes[self.inode].content.len() < len as usize {
            disk.change(self.inode, Change::SetLen(len as usize));
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.changing_call()?;
        disk.change(self.inode, Change::SetLen(len as usize));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let mut disk = self.disk.lock();
        disk.whole_call()?;
        Ok(disk.inodes[self.inode].content.len() as u64)
    }
}

impl FileSystem for MemoryFileSystem {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut disk = self.disk.lock();
        disk.whole_call()?;
        let inode = match (disk.entries.get(path).copied(), mode) {
            (Some(_), OpenMode::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(inode), _) => inode,
            (None, OpenMode::CreateNew) => {
                disk.writes += 1;
                disk.inodes.push(Inode::default());
                let inode = disk.inodes.len() - 1;
                disk.change_entry(EntryChange::Link(path.to_owned(), inode));
                inode
            }
            (None, _) => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Arc::new(MemoryFile { disk: Arc::clone(&self.disk), inode }))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut disk = self.disk.lock();
        disk.whole_call()?;
        if !disk.directories.contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = disk.entries.keys().filter(|entry| entry.parent() == Some(path));
        let name = |entry: &PathBuf| entry.file_name().map(|n| n.to_string_lossy().into_owned());
        Ok(inside.filter_map(name).collect())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.changing_call()?;
        let ancestors: Vec<_> = path.ancestors().map(Path::to_owned).collect();
        disk.directories.extend(ancestors);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.changing_call()?;
        let inode = disk.entries.get(from).copied().ok_or(io::ErrorKind::NotFound)?;
        disk.change_entry(EntryChange::Rename(from.to_owned(), to.to_owned(), inode));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.changing_call()?;
        if !disk.entries.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.change_entry(EntryChange::Unlink(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.changing_call()?;
        let changes = std::mem::take(&mut disk.unsynced_entries);
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| change.directory() == Some(path));
        here.iter().for_each(|change| change.apply(&mut disk.synced_entries));
        disk.unsynced_entries = elsewhere;
        Ok(())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let mut disk = self.disk.lock();
        disk.whole_call()?;
        Ok(disk.entries.contains_key(path) || disk.directories.contains(path))
    }

    fn available_bytes(&self, _path: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DirectoryLock>> {
        let mut disk = self.disk.lock();
        disk.whole_call()?;
        if !disk.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if !disk.entries.contains_key(path) {
            disk.inodes.push(Inode::default());
            let inode = disk.inodes.len() - 1;
            disk.change_entry(EntryChange::Link(path.to_owned(), inode));
        }
        Ok(Box::new(MemoryLock { disk: Arc::clone(&self.disk), path: path.to_owned() }))
    }
}

impl DirectoryLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.disk.lock().locks.remove(&self.path);
    }
}
