//! The overlay: what the group under construction has changed and the views do not hold yet.
//!
//! Guarantees: a lookup sees the views plus everything resolved before it in this group; a refused command leaves no
//! trace ([`Overlay::undo_to`]); after the group is applied the overlay is empty.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Result;
use crate::fields::Fields;
use crate::index::{Entry, Indexes, keys as index_keys};
use crate::view::{CollectionId, CollectionSchema, Collections, Row, Store, Tree, keys};

/// A live document as the sequencer sees it.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) body: Bytes,
    pub(super) created_ms: u64,
    pub(super) created_by: Arc<str>,
}

/// The newest state of an id.
#[derive(Clone, Debug, Default)]
pub(super) struct DocumentState {
    /// 0 if there never was such a document.
    pub(super) version: u64,
    /// The position of its last event.
    pub(super) position: u64,
    /// `None` if it is deleted or never was.
    pub(super) live: Option<Live>,
}

type DocumentKey = (CollectionId, Bytes);

enum Undo {
    Document(DocumentKey, Option<DocumentState>),
    Collection(Arc<str>, Option<Option<CollectionId>>),
    Highest(CollectionId),
    Holder(EntryKey, Option<Option<Bytes>>),
}

/// An entry of a unique index.
type EntryKey = (u64, Entry);

/// Changes of one group on top of a store.
pub(super) struct Overlay {
    store: Arc<Store>,
    collections: Arc<Collections>,
    indexes: Arc<Indexes>,
    /// Which document has an entry of a unique index, where this group changed it.
    holders: HashMap<EntryKey, Option<Bytes>>,
    documents: HashMap<DocumentKey, DocumentState>,
    names: HashMap<Arc<str>, Option<CollectionId>>,
    /// Version floors of collections made in this group; a number that is taken back is set anew when it is given again.
    floors: HashMap<CollectionId, u64>,
    highest: CollectionId,
    undo: Vec<Undo>,
}

impl Overlay {
    pub(super) fn new(store: Arc<Store>) -> Self {
        let published = store.published();
        let highest = published.collections.highest();
        Self {
            store,
            collections: published.collections,
            indexes: published.indexes,
            holders: HashMap::new(),
            documents: HashMap::new(),
            names: HashMap::new(),
            floors: HashMap::new(),
            highest,
            undo: Vec::new(),
        }
    }

    /// Starts over on what the store holds now.
    pub(super) fn reset(&mut self, store: &Arc<Store>) {
        self.store = Arc::clone(store);
        let published = store.published();
        self.collections = published.collections;
        self.indexes = published.indexes;
        self.holders.clear();
        self.highest = self.collections.highest();
        self.documents.clear();
        self.names.clear();
        self.floors.clear();
        self.undo.clear();
    }

    /// A place to go back to.
    pub(super) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Takes back every change since `mark`.
    pub(super) fn undo_to(&mut self, mark: usize) {
        for undo in self.undo.drain(mark..).rev() {
            match undo {
                Undo::Document(key, Some(state)) => {
                    self.documents.insert(key, state);
                }
                Undo::Document(key, None) => {
                    self.documents.remove(&key);
                }
                Undo::Collection(name, Some(number)) => {
                    self.names.insert(name, number);
                }
                Undo::Collection(name, None) => {
                    self.names.remove(&name);
                }
                Undo::Highest(number) => self.highest = number,
                Undo::Holder(key, Some(holder)) => {
                    self.holders.insert(key, holder);
                }
                Undo::Holder(key, None) => {
                    self.holders.remove(&key);
                }
            }
        }
    }

    /// The number of a collection.
    pub(super) fn number(&self, name: &str) -> Option<CollectionId> {
        match self.names.get(name) {
            Some(number) => *number,
            None => self.collections.number(name),
        }
    }

    /// A number that no collection ever had.
    pub(super) fn allot_number(&mut self) -> CollectionId {
        self.undo.push(Undo::Highest(self.highest));
        self.highest += 1;
        self.highest
    }

    /// What the versions of a collection's documents begin above.
    pub(super) fn version_floor(&self, name: &str) -> u64 {
        let made = self.number(name).and_then(|number| self.floors.get(&number).copied());
        made.unwrap_or_else(|| self.collections.version_floor(name))
    }

    /// Sets it for a collection that is made.
    pub(super) fn set_version_floor(&mut self, number: CollectionId, floor: u64) {
        self.floors.insert(number, floor);
    }

    /// Says what a name stands for from now on.
    pub(super) fn set_number(&mut self, name: &Arc<str>, number: Option<CollectionId>) {
        let before = self.names.insert(Arc::clone(name), number);
        self.undo.push(Undo::Collection(Arc::clone(name), before));
    }

    /// The schema of a collection; a group ends behind what changes it.
    pub(super) fn schema(&self, name: &str) -> Option<Arc<CollectionSchema>> {
        // What this group made has none.
        self.collections.schema(name)
    }

    /// The typed fields of a collection; a group ends behind what changes them.
    pub(super) fn fields(&self, name: &str) -> Option<Arc<Fields>> {
        // What this group made has none.
        self.collections.fields(name)
    }

    /// The indexes; a group ends behind what changes them.
    pub(super) fn indexes(&self) -> Arc<Indexes> {
        Arc::clone(&self.indexes)
    }

    /// The key of the `_id` of the document that has an entry of a unique index.
    pub(super) fn holder(&self, index: u64, entry: &Entry) -> Result<Option<Bytes>> {
        if !self.holders.is_empty()
            && let Some(holder) = self.holders.get(&(index, entry.clone()))
        {
            return Ok(holder.clone());
        }
        let from = index_keys::entry(index, entry, &[]);
        let mut to = from.clone();
        to.push(0xff);
        let found = self.store.newest_keys(Tree::Indexes, from.clone(), to, 1)?;
        Ok(found.first().filter(|key| key.starts_with(&from)).map(|key| key.slice(from.len()..)))
    }

    /// Says which document has an entry from now on.
    pub(super) fn set_holder(&mut self, index: u64, entry: &Entry, holder: Option<Bytes>) {
        let key = (index, entry.clone());
        let before = self.holders.insert(key.clone(), holder);
        self.undo.push(Undo::Holder(key, before));
    }

    /// The newest state of an id.
    pub(super) fn document(&self, number: CollectionId, id_key: &Bytes) -> Result<DocumentState> {
        // Most groups touch each id once; an empty overlay saves the clone of the key.
        if !self.documents.is_empty()
            && let Some(state) = self.documents.get(&(number, id_key.clone()))
        {
            return Ok(state.clone());
        }
        let key = keys::document(number, id_key);
        if let Some(bytes) = self.store.newest(Tree::Documents, &key)? {
            let row = Row::decode(bytes)?;
            let live = Live {
                body: row.body_bytes(),
                created_ms: row.created_ms(),
                created_by: Arc::from(row.created_by()),
            };
            return Ok(DocumentState {
                version: row.version(),
                position: row.position(),
                live: Some(live),
            });
        }
        let deleted = self.store.newest(Tree::Deleted, &key)?;
        let deleted = deleted.and_then(|value| crate::view::decode_request(&value));
        let (version, position) = deleted.unwrap_or_default();
        Ok(DocumentState { version, position, live: None })
    }

    /// Sets the newest state of an id.
    pub(super) fn set_document(
        &mut self,
        number: CollectionId,
        id_key: &Bytes,
        state: DocumentState,
    ) {
        let key = (number, id_key.clone());
        let before = self.documents.insert(key.clone(), state);
        self.undo.push(Undo::Document(key, before));
    }
}
