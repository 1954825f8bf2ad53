//! Applying events: the one way in which views change.
//!
//! Guarantees: what an event does depends on the event alone (and on counters at the position before), so applying the
//! same range again ends in the same views. Nothing here refuses: what could not be applied was refused before it was
//! appended, and what fails here is a damaged view.
//! Leaves to others: visibility (the caller publishes after a whole group) and durability (checkpoints).

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::collections::Collections;
use super::indexer::{INDEXES, Indexer};
use super::keys::{self, CollectionId};
use super::row::RowParts;
use super::store::{Published, Store, Tree};
use crate::error::{Error, Result};
use crate::event::{Event, EventKind};
use crate::index::{Entries, Index};
use crate::log::Block;
use crate::value::{self, Raw};

/// How many documents a collection has, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counters {
    /// Live documents.
    pub count: u64,
    /// Bytes of their encoded bodies.
    pub bytes: u64,
}

impl Counters {
    /// The stored bytes.
    pub(super) fn encode(self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.count.to_le_bytes());
        out[8..].copy_from_slice(&self.bytes.to_le_bytes());
        out
    }

    /// Reads the stored bytes.
    pub(super) fn decode(bytes: &[u8]) -> Self {
        let number = |at: usize| {
            let slice = bytes.get(at..at + 8).and_then(|slice| slice.try_into().ok());
            slice.map_or(0, u64::from_le_bytes)
        };
        Self { count: number(0), bytes: number(8) }
    }
}

/// Told of every change of a system collection, in order, before it becomes visible.
pub trait SystemFollower: Send + Sync {
    /// The system collections it wants to hear of.
    fn collections(&self) -> &[&'static str];
    /// Everything known is void; `documents` follow as [`SystemFollower::changed`], of the collections that it remembers.
    fn reset(&self);
    /// A document of a system collection is now `body`, or gone.
    fn changed(&self, collection: &str, id: Raw<'_>, body: Option<Raw<'_>>, position: u64);
    /// Whether it keeps what it hears of a collection. The documents of one that it does not keep are not told after a
    /// [`SystemFollower::reset`]: a start or a rebuild reads none of them.
    fn remembers(&self, _collection: &str) -> bool {
        true
    }
    /// Everything there is has been told after a [`SystemFollower::reset`].
    fn settled(&self) {}
}

/// Applies events to one store.
pub struct Applier {
    store: Arc<Store>,
    collections: Arc<Collections>,
    counters: HashMap<CollectionId, Counters>,
    touched: Vec<CollectionId>,
    indexer: Indexer,
    followers: Vec<Arc<dyn SystemFollower>>,
    position: u64,
    base: u64,
    time_ms: u64,
    id_key: Vec<u8>,
    /// Whether dropped collections may have rows left.
    sweeping: bool,
    /// Whether an event was applied whose content had been erased before.
    met_erased: bool,
    /// Whether applying failed half-way.
    failed: bool,
}

/// What an applier needs to go on from a position.
#[derive(Clone, Debug, Default)]
pub struct ApplierState {
    /// The last position applied.
    pub position: u64,
    /// The position of the base that the history begins with, or 0.
    pub base: u64,
    /// Its time, UTC ms.
    pub time_ms: u64,
    /// The collections there.
    pub collections: Collections,
    /// The counters there.
    pub counters: HashMap<CollectionId, Counters>,
}

impl Applier {
    /// An applier that goes on from `state`.
    pub fn new(
        store: Arc<Store>,
        state: ApplierState,
        followers: Vec<Arc<dyn SystemFollower>>,
    ) -> Self {
        let indexer = Indexer::load(&store, &state.collections, state.position);
        let applier = Self {
            store,
            collections: Arc::new(state.collections),
            counters: state.counters,
            touched: Vec::new(),
            indexer,
            followers,
            position: state.position,
            base: state.base,
            time_ms: state.time_ms,
            id_key: Vec::new(),
            sweeping: true,
            met_erased: false,
            failed: false,
        };
        applier.publish();
        applier
    }

    /// The last position applied.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The position of the base that the history begins with, or 0.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Whether an event was applied whose content had been erased before: only a fold from the base can do without it.
    pub(super) fn met_erased(&self) -> bool {
        self.met_erased
    }

    /// The store that it writes.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// What it would need to go on from here.
    pub fn state(&self) -> ApplierState {
        ApplierState {
            position: self.position,
            base: self.base,
            time_ms: self.time_ms,
            collections: (*self.collections).clone(),
            counters: self.counters.clone(),
        }
    }

    /// Goes on from another state, which the trees hold already (a loaded base).
    pub(super) fn restart(&mut self, state: ApplierState) {
        self.indexer = Indexer::load(&self.store, &state.collections, state.position);
        self.collections = Arc::new(state.collections);
        self.counters = state.counters;
        self.position = state.position;
        self.base = state.base;
        self.time_ms = state.time_ms;
        self.publish();
    }

    /// Takes over the followers of another applier, which stands at the same position.
    pub fn take_followers(&mut self, other: &mut Self) {
        self.followers = std::mem::take(&mut other.followers);
    }

    /// Applies the events of a block that are past the present position, up to `to`, and publishes them together. After a
    /// failure nothing more is published.
    pub fn apply(&mut self, block: &Block, to: u64) -> Result<()> {
        self.failed = true;
        let sequence = self.store.next_sequence();
        for record in block.iter() {
            if record.position() <= self.position || record.position() > to {
                continue;
            }
            let event = Event::decode(&record)?;
            self.met_erased |= event.erased();
            self.apply_event(&event, sequence)?;
            self.position = event.position;
            self.time_ms = event.time_ms;
        }
        self.write_counters(sequence);
        self.failed = false;
        self.publish();
        Ok(())
    }

    fn publish(&self) {
        // Half a group must never be seen.
        if self.failed {
            return;
        }
        self.store.publish(Published {
            sequence: self.store.next_sequence(),
            position: self.position,
            base: self.base,
            time_ms: self.time_ms,
            collections: Arc::clone(&self.collections),
            indexes: self.indexer.indexes(),
        });
    }

    /// The indexes that do not hold every document yet, and could.
    pub fn unbuilt(&self) -> Vec<Arc<Index>> {
        self.indexer.unbuilt()
    }

    /// Builds every index that is not built yet. For who holds off everything else: a start, a fold.
    pub fn build_indexes(&mut self) -> Result<()> {
        for index in self.indexer.unbuilt() {
            let Some(number) = self.collections.number(&index.collection) else { continue };
            self.indexer.build(&self.store, number, &index)?;
        }
        self.publish();
        Ok(())
    }

    /// Whether an index is still defined.
    pub(crate) fn has_index(&self, number: u64) -> bool {
        self.indexer.indexes().iter().any(|(_, index)| index.number == number)
    }

    /// The position that last wrote a live document.
    pub(crate) fn row_position(&self, collection: &str, id_key: &[u8]) -> Result<Option<u64>> {
        let Some(number) = self.collections.number(collection) else { return Ok(None) };
        let row = self.store.newest(Tree::Documents, &keys::document(number, id_key))?;
        Ok(row.map(super::row::Row::decode).transpose()?.map(|row| row.position()))
    }

    /// Puts entries into an index that is being built. `finish` says that there are no more: it holds all from now on, or
    /// has failed.
    pub(crate) fn add_entries(
        &mut self,
        index: &Index,
        entries: &[(Entries, Bytes)],
        finish: Option<Result<(), String>>,
    ) {
        let sequence = self.store.next_sequence();
        for (entries, id_key) in entries {
            self.indexer.insert(&self.store, index, entries, id_key, sequence);
        }
        if let Some(outcome) = finish {
            self.indexer.finish(&self.store, index, outcome, sequence);
        }
        self.publish();
    }

    fn write_counters(&mut self, sequence: u64) {
        self.touched.sort_unstable();
        self.touched.dedup();
        for number in self.touched.drain(..) {
            let counters = self.counters.get(&number).copied().unwrap_or_default();
            self.store.insert(Tree::Meta, &keys::counters(number), &counters.encode(), sequence);
        }
    }

    fn apply_event(&mut self, event: &Event<'_>, sequence: u64) -> Result<()> {
        if let Some(request) = &event.request {
            self.remember_request(event, request.key, sequence);
        }
        match event.kind {
            EventKind::DocumentCreated
            | EventKind::DocumentUpdated
            | EventKind::DocumentDeleted => self.apply_document(event, sequence),
            EventKind::DocumentErased => self.apply_erased(event, sequence),
            EventKind::EventPublished | EventKind::RequestRecorded | EventKind::WebhookDisabled => {
                Ok(())
            }
        }
    }

    fn remember_request(&self, event: &Event<'_>, key: &str, sequence: u64) {
        let mut value = event.position.to_le_bytes().to_vec();
        value.extend_from_slice(&event.time_ms.to_le_bytes());
        self.store.insert(Tree::Meta, &keys::request(key), &value, sequence);
        let by_time = keys::request_by_time(event.time_ms, key);
        self.store.insert(Tree::Meta, &by_time, &[], sequence);
    }

    fn apply_document(&mut self, event: &Event<'_>, sequence: u64) -> Result<()> {
        // A collection that was dropped later in an erased part of history has no name any more.
        let Some(number) = self.collections.number(event.collection) else {
            return Err(Error::damaged(
                "view_damaged",
                format!(
                    "event {} names the collection `{}`, which is not there",
                    event.position, event.collection
                ),
            ));
        };
        self.count(event, number);
        let (Some(id), Some(content)) = (event.id(), event.content.as_ref()) else {
            return Ok(());
        };
        self.id_key.clear();
        value::key::write(id, &mut self.id_key);
        self.write_document(event, number, content.body, sequence);
        self.indexer.apply(&self.store, event, number, &self.id_key, sequence)?;
        if number < keys::FIRST_USER {
            self.apply_system(event, number, id, sequence)?;
        }
        Ok(())
    }

    fn count(&mut self, event: &Event<'_>, number: CollectionId) {
        let counters = self.counters.entry(number).or_default();
        let body = u64::from(event.body_bytes);
        let before = u64::from(event.body_bytes_before);
        match event.kind {
            EventKind::DocumentCreated => {
                counters.count += 1;
                counters.bytes += body;
            }
            EventKind::DocumentUpdated => {
                counters.bytes = (counters.bytes + body).saturating_sub(before);
            }
            _ => {
                counters.count = counters.count.saturating_sub(1);
                counters.bytes = counters.bytes.saturating_sub(before);
            }
        }
        if self.touched.last() != Some(&number) {
            self.touched.push(number);
        }
    }

    fn write_document(&self, event: &Event<'_>, number: CollectionId, body: &[u8], sequence: u64) {
        let key = keys::document(number, &self.id_key);
        if event.kind == EventKind::DocumentDeleted {
            self.store.remove(Tree::Documents, &key, sequence);
            let mut last = event.version.to_le_bytes().to_vec();
            last.extend_from_slice(&event.position.to_le_bytes());
            self.store.insert(Tree::Deleted, &key, &last, sequence);
        } else {
            let origin = event.origin;
            let row = RowParts {
                version: event.version,
                position: event.position,
                created_ms: origin.map_or(event.time_ms, |origin| origin.created_ms),
                changed_ms: event.time_ms,
                created_by: origin.map_or(event.actor, |origin| origin.created_by),
                changed_by: event.actor,
                body,
            };
            self.store.insert(Tree::Documents, &key, &row.encode(), sequence);
            if event.kind == EventKind::DocumentCreated && event.version > 1 {
                self.store.remove(Tree::Deleted, &key, sequence);
            }
        }
        let history = keys::history(number, &self.id_key, event.position);
        self.store.insert(Tree::History, &history, &[event.kind as u8], sequence);
    }

    fn apply_system(
        &mut self,
        event: &Event<'_>,
        number: CollectionId,
        id: Raw<'_>,
        sequence: u64,
    ) -> Result<()> {
        let live = event.kind != EventKind::DocumentDeleted;
        let body = if live { event.body() } else { None };
        if number == keys::COLLECTIONS {
            let collections = Arc::make_mut(&mut self.collections);
            match body {
                Some(body) => collections.define(Bytes::copy_from_slice(body.as_bytes()))?,
                None => {
                    let dropped = collections.drop_collection(id.as_str().unwrap_or_default());
                    if let Some(dropped) = dropped {
                        let key = keys::sweep(dropped.number);
                        self.store.insert(Tree::Meta, &key, &[], sequence);
                        self.sweeping = true;
                    }
                }
            }
        }
        if event.collection == INDEXES {
            self.indexer.define(&self.collections, id, body, event.position)?;
            if !live {
                // Documents of `_indexes` are made and removed, never changed.
                let key = keys::sweep_index(event.previous);
                self.store.insert(Tree::Meta, &key, &[], sequence);
                self.sweeping = true;
            }
        }
        for follower in &self.followers {
            if follower.collections().contains(&event.collection) {
                follower.changed(event.collection, id, body, event.position);
            }
        }
        Ok(())
    }

    /// Forgets what the views know of an erased document: its id stands in their keys.
    fn apply_erased(&self, event: &Event<'_>, sequence: u64) -> Result<()> {
        let (Some(id), Some(number)) = (event.id(), self.collections.number(event.collection))
        else {
            return Ok(());
        };
        let id_key = value::key::encode(id);
        let key = keys::document(number, &id_key);
        self.store.remove(Tree::Documents, &key, sequence);
        self.store.remove(Tree::Deleted, &key, sequence);
        let from = keys::history(number, &id_key, 0);
        let to = keys::history(number, &id_key, event.position);
        for key in self.store.newest_keys(Tree::History, from, to, usize::MAX)? {
            self.store.remove(Tree::History, &key, sequence);
        }
        Ok(())
    }

    /// Tells the followers everything that the views hold for them.
    pub fn tell_followers(&self) -> Result<()> {
        let snapshot = self.store.snapshot();
        for follower in &self.followers {
            follower.reset();
            for name in follower.collections().iter().filter(|name| follower.remembers(name)) {
                let Some(number) = self.collections.number(name) else { continue };
                let from = Bound::Included(keys::collection_start(number));
                let to = Bound::Excluded(keys::collection_end(number));
                for entry in snapshot.range(Tree::Documents, from, to) {
                    let row = super::row::Row::decode(entry?.1)?;
                    if let Some(id) = row.body().get("_id") {
                        follower.changed(name, id, Some(row.body()), row.position());
                    }
                }
            }
            follower.settled();
        }
        Ok(())
    }

    /// Removes some rows that dropped collections left; whether there may be more. Nothing sees them: a collection's
    /// number is never used again.
    pub fn sweep(&mut self, most: usize) -> Result<bool> {
        if !self.sweeping {
            return Ok(false);
        }
        let (from, to) = (keys::sweep(0), keys::sweep(CollectionId::MAX));
        let dropped = self.store.newest_keys(Tree::Meta, from, to, 1)?;
        let Some(number) = dropped.first().and_then(|key| keys::swept(key)) else {
            return self.sweep_index(most);
        };
        let sequence = self.store.next_sequence();
        let mut left = most;
        for tree in [Tree::Documents, Tree::Deleted] {
            let (from, to) = (keys::collection_start(number), keys::collection_end(number));
            let found = self.store.newest_keys(tree, from, to, left)?;
            left -= found.len();
            for key in &found {
                self.store.remove(tree, key, sequence);
            }
        }
        if left > 0 {
            self.store.remove(Tree::Meta, &keys::sweep(number), sequence);
        }
        self.publish();
        Ok(true)
    }

    fn sweep_index(&mut self, most: usize) -> Result<bool> {
        let (from, to) = (keys::sweep_index(0), keys::sweep_index(u64::MAX));
        let dropped = self.store.newest_keys(Tree::Meta, from, to, 1)?;
        let Some(number) = dropped.first().and_then(|key| keys::swept_index(key)) else {
            self.sweeping = false;
            return Ok(false);
        };
        let sequence = self.store.next_sequence();
        if self.indexer.sweep(&self.store, number, most, sequence)? {
            self.store.remove(Tree::Meta, &keys::sweep_index(number), sequence);
        }
        self.publish();
        Ok(true)
    }

    /// Forgets requests remembered before `time_ms`; they are treated as absent anyway.
    pub fn forget_requests(&mut self, time_ms: u64) -> Result<()> {
        let snapshot = self.store.snapshot();
        let from = Bound::Included(vec![b't']);
        let to = Bound::Excluded(keys::request_by_time(time_ms, ""));
        let sequence = self.store.next_sequence();
        for entry in snapshot.range(Tree::Meta, from, to) {
            let (by_time, _) = entry?;
            let key = keys::request(std::str::from_utf8(&by_time[9..]).unwrap_or_default());
            let current = self.store.newest(Tree::Meta, &key)?;
            // A newer request may have taken the same key since.
            if current.is_some_and(|value| value.get(8..16) == Some(&le_of_be(&by_time[1..9])[..]))
            {
                self.store.remove(Tree::Meta, &key, sequence);
            }
            self.store.remove(Tree::Meta, &by_time, sequence);
        }
        self.publish();
        Ok(())
    }
}

fn le_of_be(big: &[u8]) -> Vec<u8> {
    big.iter().rev().copied().collect()
}
