//! The registry of indexes: what is defined at one position, and what each of them is good for.
//!
//! Guarantees: a value of [`Indexes`] never changes once shared, so that a snapshot keeps the definitions that it saw. The
//! state of an index is shared by all of them and only ever moves on.
//! Leaves to others: persistence (the documents of `_indexes`, and the facts in the tree of indexes).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::definition::Definition;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::value::Raw;
use crate::view::CollectionId;

/// One index.
#[derive(Debug)]
pub struct Index {
    /// Its number: the position of the event that defined it, so it is never given twice.
    pub number: u64,
    /// The collection that it belongs to.
    pub collection: Arc<str>,
    /// Its name within the collection.
    pub name: Arc<str>,
    /// The unique field that it is for; `None` for one that was asked for by itself.
    pub field: Option<Arc<str>>,
    /// What it is.
    pub definition: Definition,
    /// How far it has come.
    pub state: IndexState,
}

/// How far an index has come, and what its entries are like.
#[derive(Debug, Default)]
pub struct IndexState {
    /// The sequence number of the views from which on it holds every document; 0 while it is built.
    ready: AtomicU64,
    multikey: AtomicBool,
    cut: AtomicBool,
    /// Documents looked at while it is built, and how many there are.
    done: AtomicU64,
    total: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl IndexState {
    /// Whether a reader of the views below `sequence` can rely on it.
    pub fn is_ready_at(&self, sequence: u64) -> bool {
        let ready = self.ready.load(Ordering::Acquire);
        ready != 0 && ready < sequence
    }

    /// Whether it is built.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) != 0
    }

    /// Whether a document may have several entries.
    pub fn is_multikey(&self) -> bool {
        self.multikey.load(Ordering::Acquire)
    }

    /// Whether an entry may be cut, so that entries do not order as values.
    pub fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// Why it cannot be built, if it cannot.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    /// How far building has come, from 0 to 1.
    pub fn progress(&self) -> f64 {
        if self.is_ready() {
            return 1.0;
        }
        let total = self.total.load(Ordering::Relaxed).max(1);
        (self.done.load(Ordering::Relaxed) as f64 / total as f64).min(0.99)
    }

    pub(crate) fn set_ready(&self, sequence: u64) {
        self.ready.store(sequence.max(1), Ordering::Release);
    }

    pub(crate) fn set_multikey(&self) -> bool {
        !self.multikey.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn set_cut(&self) -> bool {
        !self.cut.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn set_failure(&self, reason: &str) {
        *self.failure.lock() = Some(reason.to_owned());
    }

    pub(crate) fn report(&self, done: u64, total: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }
}

impl Index {
    /// The index that a document of `_indexes` describes.
    pub fn read(document: Raw<'_>, number: u64) -> Result<Self> {
        let text = |name: &str| {
            let text = document.get(name).and_then(|text| text.as_str()).map(Arc::from);
            text.ok_or_else(|| {
                Error::damaged("index_undecodable", format!("an index lacks `{name}`"))
            })
        };
        let mut members = crate::value::Object::new();
        for (name, value) in document.object_iter() {
            if !matches!(name, "_id" | "collection" | "name" | super::FIELD) {
                members.insert(name, value.to_value());
            }
        }
        let members = members.to_bytes();
        Ok(Self {
            number,
            collection: text("collection")?,
            name: text("name")?,
            field: document.get(super::FIELD).and_then(|field| field.as_str()).map(Arc::from),
            definition: Definition::read(Raw::trusted(&members), &Limits::for_stored_queries())?,
            state: IndexState::default(),
        })
    }

    /// Why it cannot be unique, without a word of any document.
    pub(crate) fn describe_doubles(&self) -> String {
        let super::IndexKind::Ordered(sort) = &self.definition.kind else { return String::new() };
        let paths: Vec<_> = sort.fields().iter().map(|field| field.path.as_str()).collect();
        format!("several documents have the same {}", paths.join(", "))
    }

    /// Whether it takes part in unique checks.
    pub fn is_enforced(&self) -> bool {
        self.definition.unique && self.state.failure.lock().is_none()
    }
}

/// All indexes at one position.
#[derive(Clone, Debug, Default)]
pub struct Indexes {
    by_collection: HashMap<CollectionId, Vec<Arc<Index>>>,
}

impl Indexes {
    /// The indexes of a collection, in the order of their names.
    pub fn of(&self, collection: CollectionId) -> &[Arc<Index>] {
        self.by_collection.get(&collection).map_or(&[], Vec::as_slice)
    }

    /// An index of a collection.
    pub fn get(&self, collection: CollectionId, name: &str) -> Option<&Arc<Index>> {
        self.of(collection).iter().find(|index| &*index.name == name)
    }

    /// Every index with its collection.
    pub fn iter(&self) -> impl Iterator<Item = (CollectionId, &Arc<Index>)> {
        let lists = self.by_collection.iter();
        lists.flat_map(|(collection, list)| list.iter().map(move |index| (*collection, index)))
    }

    /// Puts an index in, in the place of one with the same name.
    pub fn define(&mut self, collection: CollectionId, index: Arc<Index>) {
        let list = self.by_collection.entry(collection).or_default();
        list.retain(|other| other.name != index.name);
        list.push(index);
        list.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Takes an index out by its collection's and its own name.
    pub fn remove(&mut self, collection: &str, name: &str) -> Option<Arc<Index>> {
        for list in self.by_collection.values_mut() {
            let place = list
                .iter()
                .position(|index| &*index.collection == collection && &*index.name == name);
            if let Some(place) = place {
                return Some(list.remove(place));
            }
        }
        None
    }
}
