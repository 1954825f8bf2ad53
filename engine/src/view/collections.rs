//! The registry of collections: which names stand for which numbers, and what is defined for them.
//!
//! Guarantees: a value of this type never changes once shared, so that a snapshot keeps the names it saw. Numbers are
//! never reused, also not after a drop.
//! Leaves to others: persistence (the documents of `_collections` are the truth).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::keys::{self, CollectionId};
use super::schema::CollectionSchema;
use crate::error::{Error, Result};
use crate::fields::Fields;
use crate::value::Raw;

/// The name of the member of a `_collections` document that holds its number.
pub const NUMBER: &str = "number";
/// The name of the member that holds a collection's [`Collection::version_floor`], where it is not 0.
pub const VERSION_FLOOR: &str = "version_floor";

/// One collection.
#[derive(Clone, Debug)]
pub struct Collection {
    /// Its name, the same in all faces.
    pub name: Arc<str>,
    /// Its number.
    pub number: CollectionId,
    /// Its `_collections` document, encoded; empty for system collections.
    pub definition: Bytes,
    /// Versions of its documents begin above this: no earlier collection of the name had higher ones.
    pub version_floor: u64,
    /// What every new state of its documents must satisfy.
    pub schema: Option<Arc<CollectionSchema>>,
    /// What its documents are converted to and checked against before that.
    pub fields: Option<Arc<Fields>>,
}

/// Schema and fields follow from the definition.
impl PartialEq for Collection {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.number, &self.definition)
            == (&other.name, other.number, &other.definition)
    }
}

impl Eq for Collection {}

/// All collections at one position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collections {
    by_name: BTreeMap<Arc<str>, Arc<Collection>>,
    highest: CollectionId,
}

impl Default for Collections {
    fn default() -> Self {
        Self { by_name: BTreeMap::new(), highest: keys::FIRST_USER - 1 }
    }
}

impl Collections {
    /// The user's collection or system collection of a name.
    pub fn get(&self, name: &str) -> Option<Arc<Collection>> {
        if let Some(found) = self.by_name.get(name) {
            return Some(Arc::clone(found));
        }
        let (name, number) = keys::SYSTEM.iter().find(|(system, _)| *system == name)?;
        Some(Arc::new(Collection {
            name: Arc::from(*name),
            number: *number,
            definition: Bytes::new(),
            version_floor: 0,
            schema: None,
            fields: None,
        }))
    }

    /// The number of a collection by its name.
    pub fn number(&self, name: &str) -> Option<CollectionId> {
        if let Some(found) = self.by_name.get(name) {
            return Some(found.number);
        }
        keys::SYSTEM.iter().find(|(system, _)| *system == name).map(|(_, number)| *number)
    }

    /// What the versions of a collection's documents begin above.
    pub fn version_floor(&self, name: &str) -> u64 {
        self.by_name.get(name).map_or(0, |collection| collection.version_floor)
    }

    /// The schema of a collection.
    pub fn schema(&self, name: &str) -> Option<Arc<CollectionSchema>> {
        self.by_name.get(name).and_then(|collection| collection.schema.clone())
    }

    /// The typed fields of a collection.
    pub fn fields(&self, name: &str) -> Option<Arc<Fields>> {
        self.by_name.get(name).and_then(|collection| collection.fields.clone())
    }

    /// The users' collections in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Collection>> {
        self.by_name.values()
    }

    /// The highest number ever given.
    pub fn highest(&self) -> CollectionId {
        self.highest
    }

    /// Takes notice of a number given earlier.
    pub fn raise_highest(&mut self, number: CollectionId) {
        self.highest = self.highest.max(number);
    }

    /// Puts a `_collections` document into the registry.
    pub fn define(&mut self, definition: Bytes) -> Result<()> {
        let (name, number) = describe(Raw::trusted(&definition))?;
        self.highest = self.highest.max(number);
        let name: Arc<str> = Arc::from(name);
        let version_floor = Raw::trusted(&definition).get(VERSION_FLOOR).and_then(|n| n.as_i64());
        let version_floor = version_floor.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        // What does not compile was refused before it was written.
        let schema = CollectionSchema::of(Raw::trusted(&definition)).ok().flatten().map(Arc::new);
        let fields = Fields::of(Raw::trusted(&definition)).ok().flatten().map(Arc::new);
        let collection = Arc::new(Collection {
            name: Arc::clone(&name),
            number,
            definition,
            version_floor,
            schema,
            fields,
        });
        self.by_name.insert(name, collection);
        Ok(())
    }

    /// Removes a collection.
    pub fn drop_collection(&mut self, name: &str) -> Option<Arc<Collection>> {
        self.by_name.remove(name)
    }
}

/// The name and number in a `_collections` document.
pub(super) fn describe(definition: Raw<'_>) -> Result<(String, CollectionId)> {
    let name = definition.get("_id").and_then(|id| id.as_str().map(str::to_owned));
    let number = definition.get(NUMBER).and_then(|number| number.as_i64());
    match (name, number.and_then(|number| CollectionId::try_from(number).ok())) {
        (Some(name), Some(number)) => Ok((name, number)),
        _ => Err(Error::damaged(
            "collection_undecodable",
            "a document of `_collections` lacks its name or number",
        )),
    }
}
