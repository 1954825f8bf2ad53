//! Indexes and schemas as the sequencer sees them: definitions of indexes, unique checks, and what a schema forbids.
//!
//! Guarantees: no two live documents ever have an entry of a unique index in common, also not within one group; the check
//! holds from the event that defines the index on. A document that an index cannot take (two parallel arrays) is refused. No
//! new state is written that the collection's schema forbids, but by commands that are not to be checked. A refusal by an index shows no value to a guarded caller.
//! Leaves to others: documents that were there before the index (building it finds their doubles).

use std::sync::Arc;

use bytes::Bytes;

use super::command::{Checks, DocumentId, Outcome};
use super::resolve::{Resolver, Target, collection_document, no_collection, show};
use crate::error::{Error, ErrorKind, Result};
use crate::index::{self, Definition, Entries, Index};
use crate::query::json_schema::Violation;
use crate::value::{Object, Raw, Value};
use crate::view::{CollectionId, INDEXES, keys};

/// Most indexes of one collection.
const INDEXES_MAX: usize = 64;

/// The system collections that may have indexes: those that are looked into by more than their ids.
const INDEXABLE: [&str; 2] = ["_users", "_sessions"];

impl Resolver<'_> {
    /// Refuses a new state of a document that a unique index forbids; takes notice of it otherwise.
    pub(super) fn check_new_state(
        &mut self,
        target: &Target<'_>,
        before: Option<&Bytes>,
        after: Option<&Bytes>,
    ) -> Result<()> {
        if let Some(after) = after
            && self.checks == Checks::All
        {
            self.check_schema(target, Raw::trusted(after))?;
        }
        let guarded = self.guard.is_some();
        let indexes = self.overlay.indexes();
        for index in indexes.of(target.number) {
            if index.state.failure().is_some() {
                continue;
            }
            if !index.is_enforced() {
                if let Some(after) = after
                    && index.definition.may_refuse(after.len())
                {
                    entries(index, after).map_err(|error| refused(index, &error, guarded))?;
                }
                continue;
            }
            // One from before the index that it cannot take has no entries.
            let old = before.and_then(|body| entries(index, body).ok()).unwrap_or_default();
            let new = after
                .map(|body| entries(index, body))
                .transpose()
                .map_err(|error| refused(index, &error, guarded))?
                .unwrap_or_default();
            for entry in new.list.iter().filter(|entry| !old.has(entry)) {
                let holder = self.overlay.holder(index.number, entry)?;
                if holder.is_some_and(|holder| holder != target.id.key) {
                    return Err(if guarded {
                        guarded_violation(index)
                    } else {
                        violation(index, after, target.id)
                    });
                }
                self.overlay.set_holder(index.number, entry, Some(target.id.key.clone()));
            }
            for entry in old.list.iter().filter(|entry| !new.has(entry)) {
                self.overlay.set_holder(index.number, entry, None);
            }
        }
        Ok(())
    }

    /// Refuses a new state that the collection's typed fields or its schema forbid, with every violation and its path.
    fn check_schema(&self, target: &Target<'_>, document: Raw<'_>) -> Result<()> {
        let mut violations = Vec::new();
        if let Some(fields) = self.overlay.fields(target.name) {
            fields.violations(document, &mut violations);
        }
        if let Some(schema) = self.overlay.schema(target.name) {
            violations.extend(schema.violations(document));
        }
        if violations.is_empty() { Ok(()) } else { Err(schema_violation(target, &violations)) }
    }

    pub(super) fn define_index(
        &mut self,
        collection: &Arc<str>,
        name: &Arc<str>,
        definition: Raw<'_>,
    ) -> Result<Outcome> {
        if collection.starts_with('_') && !INDEXABLE.contains(&&**collection) {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "system_collection",
                format!("`{collection}` belongs to the system"),
            ));
        }
        let number = self.writable(collection)?;
        let id = index_document(collection, name);
        let system: Arc<str> = Arc::from(INDEXES);
        let target = Target { name: &system, number: INDEXES_NUMBER, id: &id };
        let body = describe(collection, name, definition);
        // What the views could not take must not be written.
        let index = Index::read(Raw::trusted(&body), 0)?;
        let is_text = |index: &Index| matches!(index.definition.kind, index::IndexKind::Text(_));
        let others = self.overlay.indexes();
        let mut others = others.of(number).iter().filter(|other| other.name != *name);
        if is_text(&index) && others.any(|other| is_text(other)) {
            let message = format!("`{collection}` has a text index already; a collection has one");
            return Err(Error::new(ErrorKind::Conflict, "text_index_exists", message));
        }
        self.check_kind(number, &index)?;
        let state = self.overlay.document(INDEXES_NUMBER, &id.key)?;
        let Some(live) = state.live.clone() else {
            if self.overlay.indexes().of(number).len() >= INDEXES_MAX {
                let message =
                    format!("`{collection}` has {INDEXES_MAX} indexes, which is the most");
                return Err(Error::limit("indexes_per_collection", INDEXES_MAX as u64, message));
            }
            return self.created(target, &state, &body);
        };
        if live.body == body {
            return self.updated(target, &state, &live, body);
        }
        self.delete(&system, &id)?;
        let state = self.overlay.document(INDEXES_NUMBER, &id.key)?;
        self.created(target, &state, &body)
    }

    pub(super) fn drop_index(&mut self, collection: &Arc<str>, name: &Arc<str>) -> Result<Outcome> {
        if self.overlay.number(collection).is_none() {
            return Err(no_collection(collection));
        }
        let system: Arc<str> = Arc::from(INDEXES);
        self.delete(&system, &index_document(collection, name)).map_err(|error| {
            if error.kind() == ErrorKind::NotFound {
                return Error::not_found(
                    "index_not_found",
                    format!("`{collection}` has no index `{name}`"),
                );
            }
            error
        })
    }

    /// Ends all indexes of a collection that is dropped.
    pub(super) fn drop_indexes(&mut self, collection: &Arc<str>) -> Result<()> {
        let Some(number) = self.overlay.number(collection) else { return Ok(()) };
        for index in self.overlay.indexes().of(number) {
            self.drop_index(collection, &index.name)?;
        }
        Ok(())
    }
}

const INDEXES_NUMBER: CollectionId = keys::SYSTEM[7].1;

impl Definition {
    /// Whether making entries of a document can fail.
    fn may_refuse(&self, bytes: usize) -> bool {
        if bytes > index::ENTRIES_MAX {
            return true;
        }
        match &self.kind {
            index::IndexKind::Ordered(sort) => sort.fields().len() > 1 || self.partial.is_some(),
            _ => self.partial.is_some(),
        }
    }
}

fn entries(index: &Index, body: &Bytes) -> Result<Entries> {
    Entries::of(&index.definition, Raw::trusted(body))
}

/// That an index cannot take a document; to a guarded caller without a reason, which may lie in what is hidden.
fn refused(index: &Index, error: &Error, guarded: bool) -> Error {
    let message = format!("the index `{}` cannot take the document", index.name);
    let message = if guarded { message } else { format!("{message}: {error}") };
    Error::new(error.kind(), error.code(), message).with("index", &*index.name)
}

/// A violation as a guarded caller gets it: the values may be hidden ones, of this document or another.
fn guarded_violation(index: &Index) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "unique_violation",
        format!(
            "another document of `{}` has the same values: the index `{}` is unique",
            index.collection, index.name
        ),
    )
    .with("index", &*index.name)
    .with("collection", &*index.collection)
    .with_field(index)
}

fn violation(index: &Index, body: Option<&Bytes>, id: &DocumentId) -> Error {
    let body = body.map(|body| Raw::trusted(body)).unwrap_or(Raw::NULL);
    let values = index::shown_values(index, body);
    Error::new(
        ErrorKind::Conflict,
        "unique_violation",
        format!(
            "the document {} of `{}` has {values}, which another one has, too: the index `{}` is unique",
            show(id),
            index.collection,
            index.name
        ),
    )
    .with("index", &*index.name)
    .with("value", values)
    .with_field(index)
}

impl Error {
    /// Names the unique field that an index is for.
    fn with_field(self, index: &Index) -> Self {
        match &index.field {
            Some(field) => self.with("field", &**field),
            None => self,
        }
    }
}

/// Violations shown in a message.
const SHOWN: usize = 3;

fn schema_violation(target: &Target<'_>, violations: &[Violation]) -> Error {
    let shown = violations.iter().take(SHOWN).map(|one| one.message.as_str());
    let more = violations.len().saturating_sub(SHOWN);
    let mut text = shown.collect::<Vec<_>>().join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    let list: Vec<_> = violations
        .iter()
        .map(|one| serde_json::json!({"path": one.path, "keyword": one.keyword, "message": one.message}))
        .collect();
    Error::new(
        ErrorKind::Unprocessable,
        "schema_violation",
        format!(
            "the document {} does not satisfy the schema of `{}`: {text}",
            show(target.id),
            target.name
        ),
    )
    .with("violations", serde_json::Value::from(list).to_string())
}

/// The id of an index's document in `_indexes`.
fn index_document(collection: &str, name: &str) -> DocumentId {
    collection_document(&format!("{collection}/{name}"))
}

fn describe(collection: &str, name: &str, definition: Raw<'_>) -> Bytes {
    let mut object = Object::new();
    object.insert("_id", Value::String(format!("{collection}/{name}")));
    object.insert("collection", collection);
    object.insert("name", name);
    for (member, value) in definition.object_iter() {
        object.insert(member, value.to_value());
    }
    object.to_bytes().into()
}
