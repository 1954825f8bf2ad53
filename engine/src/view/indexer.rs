//! Keeping indexes up: what each event does to entries, and building the entries of documents that were there before.
//!
//! Guarantees: what an event does depends on the event and the definitions alone, so that applying it again ends in the same
//! entries; an index counts as ready only once every document's entries stand in the tree, in the same or an earlier
//! memtable as the fact itself.
//! Leaves to others: unique checks (the sequencer), when to build (`crate::index` and the engine).

use std::ops::Bound;
use std::sync::Arc;

use super::collections::Collections;
use super::keys::{self, CollectionId};
use super::row::Row;
use super::store::{Store, StoreSnapshot, Tree};
use crate::error::Result;
use crate::event::{Event, EventKind};
use crate::index::keys::{Fact, end, entry, fact, prefix, split, value};
use crate::index::{Entries, Index, IndexKind, Indexes};
use crate::value::Raw;

/// The name of the system collection that describes indexes.
pub(crate) const INDEXES: &str = "_indexes";

/// Memtables are sealed at this size while many entries are made.
const MEMTABLE_BYTES: u64 = 32 << 20;

/// The indexes of one store.
pub(super) struct Indexer {
    indexes: Arc<Indexes>,
    /// How far the sweep of a dropped index has come.
    swept: Option<(u64, Vec<u8>)>,
}

impl Indexer {
    /// The indexes that the trees describe.
    pub(super) fn load(store: &Arc<Store>, collections: &Collections, position: u64) -> Self {
        let mut indexes = Indexes::default();
        let number = collections.number(INDEXES).unwrap_or_default();
        let snapshot = store.newest_snapshot();
        let from = Bound::Included(keys::collection_start(number));
        let to = Bound::Excluded(keys::collection_end(number));
        for row in snapshot.range(Tree::Documents, from, to) {
            let read = row.and_then(|(_, row)| {
                let row = Row::decode(row)?;
                Index::read(row.body(), row.position())
            });
            match read {
                // The trees may be ahead of the position from which events are applied again.
                Ok(index) if index.number > position => {}
                Ok(index) => {
                    if let Some(collection) = collections.number(&index.collection) {
                        recall(store, &index);
                        indexes.define(collection, Arc::new(index));
                    }
                }
                Err(error) => tracing::error!(%error, "an index cannot be read"),
            }
        }
        Self { indexes: Arc::new(indexes), swept: None }
    }

    pub(super) fn indexes(&self) -> Arc<Indexes> {
        Arc::clone(&self.indexes)
    }

    pub(super) fn unbuilt(&self) -> Vec<Arc<Index>> {
        let unbuilt =
            |index: &&Arc<Index>| !index.state.is_ready() && index.state.failure().is_none();
        self.indexes.iter().map(|(_, index)| index).filter(unbuilt).cloned().collect()
    }

    /// Takes notice of a document of `_indexes`.
    pub(super) fn define(
        &mut self,
        collections: &Collections,
        id: Raw<'_>,
        body: Option<Raw<'_>>,
        position: u64,
    ) -> Result<()> {
        let id = id.as_str().unwrap_or_default();
        let (collection, name) = id.split_once('/').unwrap_or((id, ""));
        let indexes = Arc::make_mut(&mut self.indexes);
        indexes.remove(collection, name);
        if let (Some(body), Some(number)) = (body, collections.number(collection)) {
            indexes.define(number, Arc::new(Index::read(body, position)?));
        }
        Ok(())
    }

    /// Does what an event does to the indexes of its collection.
    pub(super) fn apply(
        &self,
        store: &Store,
        event: &Event<'_>,
        number: CollectionId,
        id_key: &[u8],
        sequence: u64,
    ) -> Result<()> {
        let indexes = self.indexes.of(number);
        if indexes.is_empty() {
            return Ok(());
        }
        let mut before = None;
        for index in indexes {
            // While it is built, an update must leave all entries: the builder leaves out what changed.
            let untouched = event.kind == EventKind::DocumentUpdated && !is_touched(index, event);
            if untouched && index.state.is_ready() {
                continue;
            }
            if event.kind != EventKind::DocumentCreated {
                let old = before.get_or_insert_with(|| event.body_before());
                if let Some(old) = old {
                    let entries = entries_of(index, Raw::trusted(old));
                    for old in &entries.list {
                        store.remove(Tree::Indexes, &entry(index.number, old, id_key), sequence);
                    }
                }
            }
            if event.kind != EventKind::DocumentDeleted
                && let Some(body) = event.body()
            {
                self.insert(store, index, &entries_of(index, body), id_key, sequence);
            }
        }
        Ok(())
    }

    /// Puts the entries of a document in.
    pub(super) fn insert(
        &self,
        store: &Store,
        index: &Index,
        entries: &Entries,
        id_key: &[u8],
        sequence: u64,
    ) {
        for new in &entries.list {
            store.insert(Tree::Indexes, &entry(index.number, new, id_key), &value(new), sequence);
        }
        if entries.multikey && index.state.set_multikey() {
            store.insert(Tree::Indexes, &fact(index.number, Fact::Multikey), &[], sequence);
        }
        if entries.cut && index.state.set_cut() {
            store.insert(Tree::Indexes, &fact(index.number, Fact::Cut), &[], sequence);
        }
    }

    /// Says that an index is built, or why it cannot be.
    pub(super) fn finish(
        &self,
        store: &Store,
        index: &Index,
        outcome: Result<(), String>,
        sequence: u64,
    ) {
        match outcome {
            Ok(()) => {
                store.insert(Tree::Indexes, &fact(index.number, Fact::Ready), &[], sequence);
                store.remove(Tree::Indexes, &fact(index.number, Fact::Failed), sequence);
                index.state.set_ready(sequence);
            }
            Err(reason) => {
                store.remove(Tree::Indexes, &fact(index.number, Fact::Ready), sequence);
                let key = fact(index.number, Fact::Failed);
                store.insert(Tree::Indexes, &key, reason.as_bytes(), sequence);
                index.state.set_failure(&reason);
            }
        }
    }

    /// Makes the entries of every document that is there, with nothing else going on.
    pub(super) fn build(
        &self,
        store: &Arc<Store>,
        number: CollectionId,
        index: &Index,
    ) -> Result<()> {
        let snapshot = store.newest_snapshot();
        let from = Bound::Included(keys::collection_start(number));
        let to = Bound::Excluded(keys::collection_end(number));
        let sequence = store.next_sequence();
        for row in snapshot.range(Tree::Documents, from, to) {
            let (key, row) = row?;
            let row = Row::decode(row)?;
            let entries = match Entries::of(&index.definition, row.body()) {
                Ok(entries) => entries,
                Err(error) => {
                    self.finish(store, index, Err(error.to_string()), store.next_sequence());
                    return Ok(());
                }
            };
            self.insert(store, index, &entries, keys::id_of_document(&key), sequence);
            if store.active_bytes() > MEMTABLE_BYTES {
                store.rotate();
                store.flush()?;
            }
        }
        drop(snapshot);
        let all = store.newest_snapshot();
        let doubled = if index.definition.unique { find_double(&all, index)? } else { None };
        let outcome = doubled.map_or(Ok(()), |_| Err(index.describe_doubles()));
        self.finish(store, index, outcome, store.next_sequence());
        Ok(())
    }

    /// Removes some entries of a dropped index; whether none are left.
    pub(super) fn sweep(
        &mut self,
        store: &Store,
        index: u64,
        most: usize,
        sequence: u64,
    ) -> Result<bool> {
        // What was removed before is passed over at once.
        let from = match self.swept.take() {
            Some((swept, last)) if swept == index => last,
            _ => prefix(index),
        };
        let found = store.newest_keys(Tree::Indexes, from, end(index), most)?;
        self.swept = found.last().map(|last| (index, last.to_vec()));
        for key in found.iter().filter(|key| key.starts_with(&prefix(index))) {
            store.remove(Tree::Indexes, key, sequence);
        }
        if found.len() == most {
            return Ok(false);
        }
        for known in [Fact::Ready, Fact::Failed, Fact::Multikey, Fact::Cut] {
            store.remove(Tree::Indexes, &fact(index, known), sequence);
        }
        Ok(true)
    }
}

/// The entries of a document that was accepted; one that has none where it should is a document from before the index.
fn entries_of(index: &Index, document: Raw<'_>) -> Entries {
    Entries::of(&index.definition, document).unwrap_or_else(|error| {
        tracing::debug!(%error, index = &*index.name, "a document cannot be indexed");
        Entries::default()
    })
}

/// What two documents of a unique index have in common, if any do, in words.
pub(crate) fn find_double(snapshot: &StoreSnapshot, index: &Index) -> Result<Option<String>> {
    let from = Bound::Included(prefix(index.number));
    let to = Bound::Excluded(end(index.number));
    let mut last: Option<(bytes::Bytes, bytes::Bytes)> = None;
    for found in snapshot.range(Tree::Indexes, from, to) {
        let (key, value) = found?;
        if let Some((last_key, last_value)) = &last {
            let both = split(last_key, last_value).zip(split(&key, &value));
            if let Some(((a, _), (b, id))) = both
                && a == b
            {
                return Ok(Some(describe_double(snapshot, index, id)?));
            }
        }
        last = Some((key, value));
    }
    Ok(None)
}

fn describe_double(snapshot: &StoreSnapshot, index: &Index, id_key: &[u8]) -> Result<String> {
    let published = snapshot.published();
    let number = published.collections.number(&index.collection).unwrap_or_default();
    let row = snapshot.get(Tree::Documents, &keys::document(number, id_key))?;
    let row = row.map(Row::decode).transpose()?;
    let values = row.map(|row| crate::index::shown_values(index, row.body())).unwrap_or_default();
    Ok(format!("several documents have {values}"))
}

/// Whether an update can change the entries of an index.
fn is_touched(index: &Index, event: &Event<'_>) -> bool {
    let Some(content) = &event.content else { return true };
    if index.definition.partial.is_some() {
        return true;
    }
    let overlaps = |path: &str| {
        let meets = |indexed: &crate::value::path::Path| {
            let indexed = indexed.as_str();
            if indexed == "$**" {
                return true;
            }
            let (short, long) =
                if path.len() < indexed.len() { (path, indexed) } else { (indexed, path) };
            long.starts_with(short)
                && (long.len() == short.len() || long.as_bytes()[short.len()] == b'.')
        };
        match &index.definition.kind {
            IndexKind::Ordered(sort) => sort.fields().iter().any(|field| meets(&field.path)),
            IndexKind::Text(paths) => paths.iter().any(meets),
            IndexKind::Point(path) => meets(path),
        }
    };
    // The old body tells of members that only moved, which no path names.
    !content.before.is_empty()
        || content.changed.iter().chain(&content.removed).any(|touched| overlaps(touched.path))
}

fn recall(store: &Store, index: &Index) {
    let known =
        |which: Fact| store.newest(Tree::Indexes, &fact(index.number, which)).ok().flatten();
    if known(Fact::Multikey).is_some() {
        index.state.set_multikey();
    }
    if known(Fact::Cut).is_some() {
        index.state.set_cut();
    }
    if let Some(reason) = known(Fact::Failed) {
        index.state.set_failure(&String::from_utf8_lossy(&reason));
    }
    if known(Fact::Ready).is_some() {
        index.state.set_ready(1);
    }
}
