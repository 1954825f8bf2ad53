//! Comparing two sets of views at the same position: the proof that views equal the fold of the log.
//!
//! Compared are the live documents, the deleted ones, the history and the counters of every collection there is, the entries
//! of its indexes that are built, and the remembered requests that have not expired. What a drop left behind for compaction is not part of the views.

use std::ops::Bound;

use super::fold::forgotten;
use super::keys::{self, CollectionId};
use super::snapshot::Snapshot;
use super::store::{Entry, Tree};
use crate::error::{Error, Result};
use crate::index::keys as index_keys;

/// What a comparison found equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Entries compared.
    pub entries: u64,
    /// BLAKE3 over all keys and values compared, hex.
    pub digest: String,
}

/// Compares two snapshots; a difference is an error that names it. Requests remembered before `requests_since_ms` do
/// not count.
pub fn compare(views: &Snapshot, fold: &Snapshot, requests_since_ms: u64) -> Result<Comparison> {
    if views.position() != fold.position() {
        return Err(differ(format!(
            "the views stand at {} and the fold at {}",
            views.position(),
            fold.position()
        )));
    }
    if views.collections() != fold.collections() {
        return Err(differ("the registry of collections differs".to_owned()));
    }
    let mut hasher = blake3::Hasher::new();
    let mut entries = 0;
    for number in numbers(views) {
        for tree in [Tree::Documents, Tree::Deleted, Tree::History] {
            let from = Bound::Included(keys::collection_start(number));
            let to = Bound::Excluded(keys::collection_end(number));
            let ours = views.store().range(tree, from.clone(), to.clone());
            let theirs = fold.store().range(tree, from, to);
            entries += equal_runs(tree, ours, theirs, &mut hasher)?;
        }
        if views.counters(number)? != fold.counters(number)? {
            return Err(differ(format!("the counters of collection {number} differ")));
        }
    }
    for (_, index) in views.indexes().iter().filter(|(_, index)| views.can_use(index)) {
        let range = || (index_keys::prefix(index.number), index_keys::end(index.number));
        let ((from, to), (from_too, to_too)) = (range(), range());
        let (ours, theirs) = (views.entries(from, to), fold.entries(from_too, to_too));
        entries += equal_runs(Tree::Indexes, ours, theirs, &mut hasher)?;
    }
    let remembered = |snapshot: &Snapshot| {
        snapshot.store().range(Tree::Meta, Bound::Included(vec![b'r']), Bound::Unbounded).filter(
            move |entry| {
                entry.as_ref().map_or(true, |(key, value)| {
                    keys::swept(key).is_none()
                        && keys::swept_index(key).is_none()
                        && !forgotten(key, value, requests_since_ms)
                })
            },
        )
    };
    entries += equal_runs(Tree::Meta, remembered(views), remembered(fold), &mut hasher)?;
    Ok(Comparison { entries, digest: hasher.finalize().to_hex().to_string() })
}

fn numbers(snapshot: &Snapshot) -> Vec<CollectionId> {
    let system = keys::SYSTEM.iter().map(|(_, number)| *number);
    system.chain(snapshot.collections().iter().map(|collection| collection.number)).collect()
}

fn equal_runs(
    tree: Tree,
    ours: impl Iterator<Item = Result<Entry>>,
    mut theirs: impl Iterator<Item = Result<Entry>>,
    hasher: &mut blake3::Hasher,
) -> Result<u64> {
    let mut entries = 0;
    for entry in ours {
        let entry = entry?;
        let other = theirs.next().transpose()?;
        if !other.as_ref().is_some_and(|other| same(tree, &entry, other)) {
            return Err(differ(format!("{tree:?} differ at key {}", hex(&entry.0))));
        }
        hasher.update(&entry.0);
        hasher.update(if tree == Tree::History { &entry.1[..1] } else { &entry.1 });
        entries += 1;
    }
    match theirs.next().transpose()? {
        Some(extra) => Err(differ(format!("{tree:?} lack the key {}", hex(&extra.0)))),
        None => Ok(entries),
    }
}

/// A history entry may hold the body itself (after a base) or leave it to the log.
fn same(tree: Tree, a: &Entry, b: &Entry) -> bool {
    if tree != Tree::History {
        return a == b;
    }
    a.0 == b.0
}

fn differ(what: String) -> Error {
    Error::damaged(
        "views_differ",
        format!("the views are not the fold of the log: {what}; rebuild them"),
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
