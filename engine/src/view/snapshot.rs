//! Reading the views: every answer of one snapshot comes from one position.
//!
//! Guarantees: a snapshot never changes while it is held; it sees whole groups only; it tells its position.
//! Leaves to others: filters and sorts (the query language), what may be seen (the access layer).

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::apply::Counters;
use super::collections::{Collection, Collections};
use super::keys::{self, CollectionId};
use super::row::{Row, RowParts};
use super::store::{StoreSnapshot, Tree};
use crate::error::{Error, Result};
use crate::event::{Event, EventKind};
use crate::index::{Index, Indexes};
use crate::log::{Block, LogReader};
use crate::value::{self, Raw};

/// The views at one position.
pub struct Snapshot {
    store: StoreSnapshot,
    log: LogReader,
}

/// One entry of a document's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The event's position.
    pub position: u64,
    /// The event's kind number.
    kind: u8,
}

/// A page of a scan: rows with their id keys, and whether more follow.
pub struct Page {
    /// The rows, in `_id` order.
    pub rows: Vec<Row>,
    /// The id key to go on after, if more rows follow.
    pub next: Option<Bytes>,
}

/// Which part of a collection a scan gives.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// Go on after this id key.
    pub after: Option<&'a [u8]>,
    /// Rows to pass over first.
    pub skip: usize,
    /// Most rows to give.
    pub limit: usize,
}

impl Snapshot {
    /// Joins a snapshot of the trees with the log that their bodies of earlier times are in.
    pub(crate) fn new(store: StoreSnapshot, log: LogReader) -> Self {
        Self { store, log }
    }

    /// The position that this snapshot shows.
    pub fn position(&self) -> u64 {
        self.store.published().position
    }

    /// The position before which there is no history, or 0.
    pub fn base(&self) -> u64 {
        self.store.published().base
    }

    /// The time of the event at that position, UTC ms.
    pub fn time_ms(&self) -> u64 {
        self.store.published().time_ms
    }

    /// The collections there are.
    pub fn collections(&self) -> &Arc<Collections> {
        &self.store.published().collections
    }

    /// A collection by name.
    pub fn collection(&self, name: &str) -> Option<Arc<Collection>> {
        self.collections().get(name)
    }

    /// The indexes there are.
    pub fn indexes(&self) -> &Arc<Indexes> {
        &self.store.published().indexes
    }

    /// Whether an index holds every document that this snapshot sees.
    pub fn can_use(&self, index: &Index) -> bool {
        index.state.is_ready_at(self.store.published().sequence)
    }

    /// The entries of an index from one key on and before another (`index::keys`), in order or (from the back) against
    /// it: key and value.
    pub fn entries(
        &self,
        from: Vec<u8>,
        to: Vec<u8>,
    ) -> impl DoubleEndedIterator<Item = Result<(Bytes, Bytes)>> + Send + use<> {
        self.store.range(Tree::Indexes, Bound::Included(from), Bound::Excluded(to))
    }

    /// A live document.
    pub fn get(&self, number: CollectionId, id_key: &[u8]) -> Result<Option<Row>> {
        let key = keys::document(number, id_key);
        self.store.get(Tree::Documents, &key)?.map(Row::decode).transpose()
    }

    /// How many documents a collection has, and their bytes.
    pub fn counters(&self, number: CollectionId) -> Result<Counters> {
        let stored = self.store.get(Tree::Meta, &keys::counters(number))?;
        Ok(stored.map_or_else(Counters::default, |bytes| Counters::decode(&bytes)))
    }

    /// The live documents of a collection after an id key, in `_id` order.
    pub fn scan(
        &self,
        number: CollectionId,
        after: Option<&[u8]>,
    ) -> impl Iterator<Item = Result<(Bytes, Row)>> + Send + use<> {
        let from = match after {
            Some(id_key) => Bound::Excluded(keys::document(number, id_key)),
            None => Bound::Included(keys::collection_start(number)),
        };
        let to = Bound::Excluded(keys::collection_end(number));
        self.store.range(Tree::Documents, from, to).map(|entry| {
            let (key, value) = entry?;
            Ok((key.slice(4..), Row::decode(value)?))
        })
    }

    /// The live documents of a collection whose id keys lie in a range, in `_id` order or (from the back) against it.
    pub fn rows(
        &self,
        number: CollectionId,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
    ) -> impl DoubleEndedIterator<Item = Result<(Bytes, Row)>> + Send + use<> {
        let key = |id_key: &[u8]| keys::document(number, id_key);
        let from = match from {
            Bound::Unbounded => Bound::Included(keys::collection_start(number)),
            bound => bound.map(key),
        };
        let to = match to {
            Bound::Unbounded => Bound::Excluded(keys::collection_end(number)),
            bound => bound.map(key),
        };
        self.store.range(Tree::Documents, from, to).map(|entry| {
            let (key, value) = entry?;
            Ok((key.slice(4..), Row::decode(value)?))
        })
    }

    /// A page of live documents.
    pub fn page(&self, number: CollectionId, window: Window<'_>) -> Result<Page> {
        collect_page(self.scan(number, window.after), window)
    }

    /// A page of the documents as they were at `position`, which must be neither ahead nor before retention.
    pub fn page_at(&self, number: CollectionId, position: u64, window: Window<'_>) -> Result<Page> {
        let from = match window.after {
            Some(id_key) => Bound::Excluded(keys::history(number, id_key, u64::MAX)),
            None => Bound::Included(keys::collection_start(number)),
        };
        let to = Bound::Excluded(keys::collection_end(number));
        let mut entries = self.store.range(Tree::History, from, to).peekable();
        let states = std::iter::from_fn(|| {
            while let Some(entry) = entries.next() {
                let (key, value) = match newest_until(entry, &mut entries, position) {
                    Ok(Some(found)) => found,
                    Ok(None) => continue,
                    Err(error) => return Some(Err(error)),
                };
                let id_key = Bytes::copy_from_slice(keys::id_of_history(&key));
                match self.state_at(number, &key, &value) {
                    Ok(Some(row)) => return Some(Ok((id_key, row))),
                    Ok(None) => {}
                    Err(error) => return Some(Err(error)),
                }
            }
            None
        });
        collect_page(states, window)
    }

    /// A document as it was at `position`.
    pub fn get_at(
        &self,
        number: CollectionId,
        id_key: &[u8],
        position: u64,
    ) -> Result<Option<Row>> {
        let from = Bound::Included(keys::history(number, id_key, 0));
        let to = Bound::Included(keys::history(number, id_key, position));
        match self.store.range(Tree::History, from, to).next_back() {
            Some(entry) => {
                let (key, value) = entry?;
                self.state_at(number, &key, &value)
            }
            None => Ok(None),
        }
    }

    /// The collection that had a name at `position`.
    pub fn collection_at(&self, name: &str, position: u64) -> Result<Option<CollectionId>> {
        if name.starts_with('_') {
            return Ok(self.collections().number(name));
        }
        let id_key = key_of_name(name);
        match self.get_at(keys::COLLECTIONS, &id_key, position)? {
            Some(row) => Ok(Some(super::collections::describe(row.body())?.1)),
            None => Ok(None),
        }
    }

    /// The state that a history entry stands for. Its value is the event's kind, and, where the log no longer has
    /// the event (it is before the base), the row itself.
    fn state_at(
        &self,
        number: CollectionId,
        history_key: &[u8],
        value: &Bytes,
    ) -> Result<Option<Row>> {
        if value.first() == Some(&(EventKind::DocumentDeleted as u8)) {
            return Ok(None);
        }
        if value.len() > 1 {
            return Row::decode(value.slice(1..)).map(Some);
        }
        let position = keys::history_position(history_key).unwrap_or_default();
        // The present row often is the one wanted; it saves a read of the log.
        if let Some(row) = self.get(number, keys::id_of_history(history_key))?
            && row.position() == position
        {
            return Ok(Some(row));
        }
        let block = self.log.get(position)?;
        row_of_block(&block)
    }

    /// The positions of a document's events before `before`, newest first.
    pub fn history(
        &self,
        number: CollectionId,
        id_key: &[u8],
        before: u64,
    ) -> impl Iterator<Item = Result<HistoryEntry>> + use<> {
        let from = Bound::Included(keys::history(number, id_key, 0));
        let to = Bound::Excluded(keys::history(number, id_key, before));
        self.store.range(Tree::History, from, to).rev().map(|entry| {
            let (key, kind) = entry?;
            Ok(HistoryEntry {
                position: keys::history_position(&key).unwrap_or_default(),
                kind: kind.first().copied().unwrap_or_default(),
            })
        })
    }

    /// The first position of a remembered request and its time, UTC ms.
    pub fn request(&self, key: &str) -> Result<Option<(u64, u64)>> {
        Ok(self
            .store
            .get(Tree::Meta, &keys::request(key))?
            .and_then(|value| decode_request(&value)))
    }

    /// The trees, for comparing and dumping views.
    pub(crate) fn store(&self) -> &StoreSnapshot {
        &self.store
    }
}

/// The id key of a document whose `_id` is a text.
pub fn key_of_name(name: &str) -> Vec<u8> {
    let mut id = Vec::with_capacity(name.len() + 5);
    value::encode::write_str(name, &mut id);
    value::key::encode(Raw::trusted(&id))
}

impl HistoryEntry {
    /// Whether the event removed the document.
    pub fn is_delete(self) -> bool {
        self.kind == EventKind::DocumentDeleted as u8
    }
}

/// Position and time of a remembered request.
pub(crate) fn decode_request(value: &[u8]) -> Option<(u64, u64)> {
    let position = u64::from_le_bytes(value.get(..8)?.try_into().ok()?);
    let time_ms = u64::from_le_bytes(value.get(8..16)?.try_into().ok()?);
    Some((position, time_ms))
}

/// The state of a document after the one event of a block.
fn row_of_block(block: &Block) -> Result<Option<Row>> {
    let Some(record) = block.iter().next() else {
        return Err(Error::internal("the log gave no record for a position"));
    };
    let event = Event::decode(&record)?;
    let Some(body) = event.body() else { return Ok(None) };
    let origin = event.origin;
    let parts = RowParts {
        version: event.version,
        position: event.position,
        created_ms: origin.map_or(event.time_ms, |origin| origin.created_ms),
        changed_ms: event.time_ms,
        created_by: origin.map_or(event.actor, |origin| origin.created_by),
        changed_by: event.actor,
        body: body.as_bytes(),
    };
    Row::decode(parts.encode().into()).map(Some)
}

type HistoryItem = Result<(Bytes, Bytes)>;

/// The newest entry of the document that `first` belongs to, at or before `position`; passes over its later ones.
fn newest_until(
    first: HistoryItem,
    entries: &mut std::iter::Peekable<impl Iterator<Item = HistoryItem>>,
    position: u64,
) -> Result<Option<(Bytes, Bytes)>> {
    let (mut key, mut value) = first?;
    let mut found = None;
    loop {
        if keys::history_position(&key).unwrap_or_default() <= position {
            found = Some((key.clone(), value.clone()));
        }
        let same = match entries.peek() {
            Some(Ok((next, _))) => next[..next.len() - 8] == key[..key.len() - 8],
            _ => false,
        };
        match entries.next_if(|_| same) {
            Some(entry) => (key, value) = entry?,
            None => return Ok(found),
        }
    }
}

fn collect_page(
    states: impl Iterator<Item = Result<(Bytes, Row)>>,
    window: Window<'_>,
) -> Result<Page> {
    let mut rows = Vec::with_capacity(window.limit.min(1024));
    let mut last = None;
    for state in states.skip(window.skip) {
        let (id_key, row) = state?;
        if rows.len() == window.limit {
            return Ok(Page { rows, next: last });
        }
        rows.push(row);
        last = Some(id_key);
    }
    Ok(Page { rows, next: None })
}
