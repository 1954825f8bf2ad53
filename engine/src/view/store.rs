//! The trees that hold the views: opening, reading at a sequence number, rotating, flushing, compacting.
//!
//! Guarantees: what is written under one sequence number is seen together or not at all; a snapshot keeps what it sees
//! from being compacted away. Nothing here is synced by the write path, and there is no journal: after a crash a tree
//! holds what its tables hold, and the log is applied again from the checkpoint (`docs/decisions/0002`).
//! Leaves to others: what the keys and values mean, and when to flush.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use lsm_tree::compaction::Leveled;
use lsm_tree::config::{
    BlockSizePolicy, BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry,
    PinningPolicy, RestartIntervalPolicy,
};
use lsm_tree::{
    AbstractTree, AnyTree, Cache, CompressionType, DescriptorTable, Guard, SeqNo,
    SequenceNumberCounter,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::collections::Collections;
use super::manifest;
use crate::error::{Error, Result};
use crate::index::Indexes;

/// One of the trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tree {
    /// Live documents.
    Documents = 0,
    /// One entry per event of a document.
    History = 1,
    /// Last versions of deleted documents.
    Deleted = 2,
    /// Counters and remembered requests.
    Meta = 3,
    /// The entries of indexes, and what is known of each index.
    Indexes = 4,
}

impl Tree {
    /// Every tree, in the order of its number.
    pub const ALL: [Self; 5] =
        [Self::Documents, Self::History, Self::Deleted, Self::Meta, Self::Indexes];

    fn folder(self) -> &'static str {
        match self {
            Self::Documents => "documents",
            Self::History => "history",
            Self::Deleted => "deleted",
            Self::Meta => "meta",
            Self::Indexes => "indexes",
        }
    }
}

/// Sizes of the store.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// Bytes of blocks kept in memory.
    pub cache_bytes: u64,
    /// Target size of a table, bytes.
    pub table_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { cache_bytes: 32 << 20, table_bytes: 64 << 20 }
    }
}

/// Sees every write.
const NEWEST: SeqNo = SeqNo::MAX >> 1;

/// Whether the trees of a store must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// They hold what a checkpoint vouches for.
    Required,
    /// The folder is new.
    New,
}

/// The trees of one generation of views.
pub struct Store {
    trees: [AnyTree; 5],
    sequence: SequenceNumberCounter,
    table_bytes: u64,
    readers: Mutex<Readers>,
    /// Serialises compactions.
    compacting: Mutex<()>,
    /// Something in the tables does not check.
    damaged: AtomicBool,
    /// Who heals is woken through this.
    notice: Arc<Notify>,
}

struct Readers {
    open: BTreeMap<SeqNo, usize>,
    published: Published,
}

/// What readers may see: everything written under numbers below `sequence`.
#[derive(Clone)]
pub struct Published {
    /// The first sequence number that is not visible.
    pub sequence: SeqNo,
    /// The position that the views stand at.
    pub position: u64,
    /// The position before which there is no history, or 0.
    pub base: u64,
    /// The time of the event at that position, UTC ms.
    pub time_ms: u64,
    /// The collections at that position.
    pub collections: Arc<Collections>,
    /// The indexes at that position.
    pub indexes: Arc<Indexes>,
}

/// A point in time of a store; what it sees stays until it is dropped.
pub struct StoreSnapshot {
    store: Arc<Store>,
    /// What it reads: everything written under numbers below this one.
    reads: SeqNo,
    published: Published,
}

/// A key with its value.
pub(super) type Entry = (Bytes, Bytes);

impl Store {
    /// Opens the trees in `dir`, which must all be there, or creates them.
    pub fn open(
        dir: &Path,
        options: StoreOptions,
        presence: Presence,
        notice: &Arc<Notify>,
    ) -> Result<Arc<Self>> {
        if presence == Presence::Required {
            for tree in Tree::ALL {
                let Some(flaw) = manifest::flaw(&dir.join(tree.folder())) else { continue };
                let name = tree.folder();
                return Err(Error::damaged(
                    "view_damaged",
                    format!("the view `{name}` {flaw}; it can be rebuilt from the log"),
                ));
            }
        }
        let sequence = SequenceNumberCounter::default();
        let visible = SequenceNumberCounter::default();
        let cache = Arc::new(Cache::with_capacity_bytes(options.cache_bytes));
        let descriptors = Arc::new(DescriptorTable::new(256));
        let open = |tree: Tree| -> Result<AnyTree> {
            lsm_tree::Config::new(dir.join(tree.folder()), sequence.clone(), visible.clone())
                .use_cache(Arc::clone(&cache))
                .use_descriptor_table(Some(Arc::clone(&descriptors)))
                .data_block_size_policy(BlockSizePolicy::all(4096))
                .data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
                .filter_policy(FilterPolicy::all(FilterPolicyEntry::Bloom(
                    BloomConstructionPolicy::BitsPerKey(10.0),
                )))
                // Kept with their tables, which saves a read by id from looking each of them up in the cache.
                .filter_block_pinning_policy(PinningPolicy::all(true))
                .index_block_pinning_policy(PinningPolicy::all(true))
                .data_block_restart_interval_policy(RestartIntervalPolicy::all(4))
                .open()
                .map_err(|error| tree_error(tree, &error))
        };
        let trees = [
            open(Tree::Documents)?,
            open(Tree::History)?,
            open(Tree::Deleted)?,
            open(Tree::Meta)?,
            open(Tree::Indexes)?,
        ];
        let highest = trees.iter().filter_map(AbstractTree::get_highest_seqno).max();
        sequence.set(highest.map_or(1, |highest| highest + 1));
        Ok(Arc::new(Self {
            trees,
            sequence,
            table_bytes: options.table_bytes,
            readers: Mutex::new(Readers {
                open: BTreeMap::new(),
                published: Published {
                    sequence: 0,
                    position: 0,
                    base: 0,
                    time_ms: 0,
                    collections: Arc::default(),
                    indexes: Arc::default(),
                },
            }),
            compacting: Mutex::new(()),
            damaged: AtomicBool::new(false),
            notice: Arc::clone(notice),
        }))
    }

    fn tree(&self, tree: Tree) -> &AnyTree {
        &self.trees[tree as usize]
    }

    /// Says that what the tables hold cannot be trusted.
    pub fn report_damage(&self) {
        if !self.damaged.swap(true, Ordering::AcqRel) {
            self.notice.notify_one();
        }
    }

    /// Whether something in the tables was found not to check.
    pub fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Acquire)
    }

    /// An error of a tree; damage is noticed.
    fn failed(&self, tree: Tree, error: &lsm_tree::Error) -> Error {
        if is_damage(error) {
            self.report_damage();
        }
        tree_error(tree, error)
    }

    /// The sequence number for the next group of writes.
    pub fn next_sequence(&self) -> SeqNo {
        self.sequence.next()
    }

    /// Writes a value under a group's sequence number.
    pub fn insert(&self, tree: Tree, key: &[u8], value: &[u8], sequence: SeqNo) {
        self.tree(tree).insert(key, value, sequence);
    }

    /// Removes a key under a group's sequence number.
    pub fn remove(&self, tree: Tree, key: &[u8], sequence: SeqNo) {
        self.tree(tree).remove(key, sequence);
    }

    /// The newest value of a key, whether published or not; for the sequencer alone.
    pub fn newest(&self, tree: Tree, key: &[u8]) -> Result<Option<Bytes>> {
        self.get_at(tree, key, NEWEST)
    }

    /// The keys between two, both included, at most so many, whether published or not; for the writer alone.
    pub fn newest_keys(
        &self,
        tree: Tree,
        from: Vec<u8>,
        to: Vec<u8>,
        most: usize,
    ) -> Result<Vec<Bytes>> {
        self.tree(tree)
            .range::<Vec<u8>, _>(from..=to, NEWEST, None)
            .take(most)
            .map(|guard| guard.key().map(Bytes::from).map_err(|error| self.failed(tree, &error)))
            .collect()
    }

    fn get_at(&self, tree: Tree, key: &[u8], sequence: SeqNo) -> Result<Option<Bytes>> {
        let found =
            self.tree(tree).get(key, sequence).map_err(|error| self.failed(tree, &error))?;
        Ok(found.map(Bytes::from))
    }

    /// Makes a group visible to new snapshots.
    pub fn publish(&self, published: Published) {
        self.readers.lock().published = published;
    }

    /// What new snapshots see.
    pub fn published(&self) -> Published {
        self.readers.lock().published.clone()
    }

    /// A snapshot of what is published.
    pub fn snapshot(self: &Arc<Self>) -> StoreSnapshot {
        let mut readers = self.readers.lock();
        let published = readers.published.clone();
        *readers.open.entry(published.sequence).or_insert(0) += 1;
        StoreSnapshot { store: Arc::clone(self), reads: published.sequence, published }
    }

    /// A snapshot of everything, whether published or not; for the writer alone.
    pub fn newest_snapshot(self: &Arc<Self>) -> StoreSnapshot {
        let mut snapshot = self.snapshot();
        snapshot.reads = NEWEST;
        snapshot
    }

    /// The number below which old versions may be dropped.
    fn watermark(&self) -> SeqNo {
        let readers = self.readers.lock();
        let oldest = readers.open.keys().next().copied();
        oldest.unwrap_or(readers.published.sequence).min(readers.published.sequence)
    }

    /// Bytes in active memtables.
    pub fn active_bytes(&self) -> u64 {
        self.trees.iter().map(|tree| tree.active_memtable().size()).sum()
    }

    /// Seals the active memtables of all trees; called between groups by the one who writes.
    pub fn rotate(&self) {
        for tree in &self.trees {
            tree.rotate_memtable();
        }
    }

    /// Writes sealed memtables into tables, durable on return.
    pub fn flush(&self) -> Result<()> {
        for tree in Tree::ALL {
            let inner = self.tree(tree);
            let lock = inner.get_flush_lock();
            inner.flush(&lock, self.watermark()).map_err(|error| self.failed(tree, &error))?;
            drop(lock);
            self.sweep(tree)?;
        }
        Ok(())
    }

    /// Compacts until the shape of every tree is as it should be.
    pub fn compact(&self) -> Result<()> {
        let _one = self.compacting.lock();
        for tree in Tree::ALL {
            let inner = self.tree(tree);
            loop {
                let before = inner.current_version().id();
                let leveled = Leveled::default().with_table_target_size(self.table_bytes);
                inner
                    .compact(Arc::new(leveled), self.watermark())
                    .map_err(|error| self.failed(tree, &error))?;
                self.sweep(tree)?;
                if inner.current_version().id() == before {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Rewrites every table, dropping all that no snapshot sees; erasure needs it.
    pub fn compact_fully(&self) -> Result<()> {
        let _one = self.compacting.lock();
        for tree in Tree::ALL {
            self.tree(tree)
                .major_compact(self.table_bytes, self.watermark())
                .map_err(|error| self.failed(tree, &error))?;
            self.sweep(tree)?;
        }
        Ok(())
    }

    /// Lets go of tree versions that no snapshot needs; without it memory and disk grow (measured: half as much again).
    fn sweep(&self, tree: Tree) -> Result<()> {
        let watermark = self.watermark();
        let inner = self.tree(tree);
        let mut versions = inner.get_version_history_lock();
        if versions.free_list_len() > 0 {
            versions
                .maintenance(&inner.tree_config().path, watermark)
                .map_err(|error| self.failed(tree, &error))?;
        }
        Ok(())
    }

    /// Whether the writer should wait: too much is sealed, or too many runs are uncompacted.
    pub fn is_behind(&self) -> bool {
        self.trees.iter().any(|tree| tree.sealed_memtable_count() >= 4 || tree.l0_run_count() >= 20)
    }

    /// Bytes on disk.
    pub fn disk_bytes(&self) -> u64 {
        self.trees.iter().map(AbstractTree::disk_space).sum()
    }
}

impl StoreSnapshot {
    /// The value of a key.
    pub fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Bytes>> {
        self.store.get_at(tree, key, self.reads)
    }

    /// What this snapshot sees.
    pub fn published(&self) -> &Published {
        &self.published
    }

    /// The entries between two keys, in order or (from the back) against it.
    pub fn range(
        &self,
        tree: Tree,
        from: Bound<Vec<u8>>,
        to: Bound<Vec<u8>>,
    ) -> impl DoubleEndedIterator<Item = Result<Entry>> + Send + use<> {
        let store = Arc::clone(&self.store);
        self.store.tree(tree).range::<Vec<u8>, _>((from, to), self.reads, None).map(move |guard| {
            let entry = guard.into_inner();
            let (key, value) = entry.map_err(|error| store.failed(tree, &error))?;
            Ok((Bytes::from(key), Bytes::from(value)))
        })
    }
}

impl Drop for StoreSnapshot {
    fn drop(&mut self) {
        let mut readers = self.store.readers.lock();
        let sequence = self.published.sequence;
        if let Some(count) = readers.open.get_mut(&sequence) {
            *count -= 1;
            if *count == 0 {
                readers.open.remove(&sequence);
            }
        }
    }
}

/// Whether an error means that the files are not what was written, rather than that the machine lacks something.
fn is_damage(error: &lsm_tree::Error) -> bool {
    use std::io::ErrorKind;
    const EIO: i32 = 5;
    match error {
        lsm_tree::Error::Io(error) => {
            matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::UnexpectedEof | ErrorKind::InvalidData
            ) || error.raw_os_error() == Some(EIO)
        }
        _ => true,
    }
}

fn tree_error(tree: Tree, error: &lsm_tree::Error) -> Error {
    Error::damaged(
        "view_damaged",
        format!(
            "the view `{}` cannot be used: {error}; it can be rebuilt from the log",
            tree.folder()
        ),
    )
}
