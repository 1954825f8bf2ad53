//! Users and sessions as documents: finding them, and the indexes that this takes.
//!
//! Guarantees: no two users have the same address or the same identity, by unique indexes of the engine; sessions that are
//! over are deleted by an expiring one.
//! Leaves to others: what is in the documents.

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::index::{Built, Definition};
use headwater_engine::limits::Limits;
use headwater_engine::query::find::{self, Found, Place, Query};
use headwater_engine::query::{Budget, Context, Filter, Trust};
use headwater_engine::value::{Object, Raw, Value, key, object_id};
use headwater_engine::view::{CollectionId, Row, Snapshot};
use headwater_engine::write::{Absent, Change, Command, DocumentId, Operation};
use headwater_engine::{Engine, Error, Result};

/// The system collection of users.
pub(crate) const USERS: &str = "_users";
/// The system collection of sessions.
pub(crate) const SESSIONS: &str = "_sessions";

/// Collection, name and path of an index; whether it is unique, else whether it expires.
const INDEXES: [(&str, &str, &str, bool, bool); 4] = [
    (USERS, "email", "email_key", true, false),
    (USERS, "identity", "identities.key", true, false),
    (SESSIONS, "user", "user", false, false),
    (SESSIONS, "expiry", "expires_at", false, true),
];

/// Makes the indexes that are not there. Cheap where all are; to be called before anything is written.
pub(crate) async fn prepare(engine: &Engine) -> Result<()> {
    for (collection, name, path, unique, expires) in INDEXES {
        let ready = {
            let snapshot = engine.snapshot();
            let number = number(&snapshot, collection)?;
            snapshot.indexes().get(number, name).is_some_and(|index| index.state.is_ready())
        };
        if !ready {
            define(engine, (collection, name), path, unique, expires).await?;
        }
    }
    Ok(())
}

async fn define(
    engine: &Engine,
    (collection, name): (&'static str, &'static str),
    path: &str,
    unique: bool,
    expires: bool,
) -> Result<()> {
    let mut keys = Object::new();
    keys.insert(path, 1);
    let mut definition = Object::new();
    definition.insert("keys", keys);
    definition.insert("unique", unique);
    definition.insert("sparse", true);
    if expires {
        definition.insert("expire_after_seconds", 0);
    }
    let definition = Definition::read(Raw::trusted(&definition.to_bytes()), engine.limits())?;
    let operation = Operation::DefineIndex {
        collection: Arc::from(collection),
        name: Arc::from(name),
        definition: definition.members.to_bytes().into(),
    };
    let actor = Arc::from("system");
    let command = Command { operations: vec![operation], actor, ..Command::default() };
    let committed = engine.write(command).await?;
    let index = committed.outcomes.first().map(|outcome| outcome.position);
    let index = index.ok_or_else(|| Error::internal("defining an index had no outcome"))?;
    let held = engine.clone();
    let built = engine.tasks().blocking(move || held.build_index(collection, index)).await;
    match built.ok_or_else(|| Error::internal("building an index panicked"))?? {
        Built::Ready => Ok(()),
        Built::Gone => Err(Error::unavailable("stopping", "an index was not built to its end")),
        Built::Failed(reason) => {
            let message = format!("the index `{name}` of `{collection}` cannot be built: {reason}");
            Err(Error::internal(message))
        }
    }
}

/// The number of a system collection.
pub(crate) fn number(snapshot: &Snapshot, collection: &str) -> Result<CollectionId> {
    let number = snapshot.collections().number(collection);
    number.ok_or_else(|| Error::internal(format!("there is no collection {collection}")))
}

/// The id of a document, in both forms.
pub(crate) fn document_id(id: [u8; 12]) -> DocumentId {
    let raw = Value::ObjectId(id).to_bytes();
    let key = key::encode(Raw::trusted(&raw));
    DocumentId { raw: raw.into(), key: key.into() }
}

/// A document by its id as shown.
pub(crate) fn by_id(snapshot: &Snapshot, collection: &str, id: &str) -> Result<Option<Row>> {
    let Some(id) = object_id::parse(id) else { return Ok(None) };
    snapshot.get(number(snapshot, collection)?, &document_id(id).key)
}

/// Documents of which a field has a value (`None`: all), in the order of their ids. Blocking where there are many.
pub(crate) fn list(
    snapshot: &Snapshot,
    collection: &str,
    field: Option<(&str, Value)>,
    after: Option<&Place>,
    limit: usize,
) -> Result<Found> {
    let mut filter = Object::new();
    if let Some((field, value)) = field {
        filter.insert(field, value);
    }
    let limits = Limits::for_stored_queries();
    let context = Context { limits: &limits, now_ms: 0, trust: Trust::Ordinary };
    let filter = Filter::parse(Raw::trusted(&filter.to_bytes()), &context)?;
    let query = Query { limit, after, ..Query::all(&filter) };
    find::find(snapshot, number(snapshot, collection)?, &query, &Budget::unlimited())
}

/// The first document of which a field has a value.
pub(crate) fn find_by(
    snapshot: &Snapshot,
    collection: &str,
    field: &str,
    value: &str,
) -> Result<Option<Row>> {
    let value = Value::String(value.to_owned());
    let found = list(snapshot, collection, Some((field, value)), None, 1)?;
    Ok(found.rows.into_iter().next().map(|found| found.row))
}

/// A change of a document by a function.
pub(crate) struct By<F>(pub(crate) F);

impl<F: Fn(Raw<'_>) -> Result<Vec<u8>> + Send + Sync> Change for By<F> {
    fn apply(&self, current: Raw<'_>) -> Result<Option<Vec<u8>>> {
        (self.0)(current).map(Some)
    }
}

/// A change of a document that must be there.
pub(crate) fn changing(
    collection: &str,
    id: [u8; 12],
    change: impl Fn(Raw<'_>) -> Result<Vec<u8>> + Send + Sync + 'static,
) -> Operation {
    Operation::Change {
        collection: Arc::from(collection),
        id: document_id(id),
        change: Arc::new(By(change)),
        if_version: None,
        absent: Absent::Refuse,
    }
}

/// A change of a document that is passed over where it is gone.
pub(crate) fn changing_if_there(
    collection: &str,
    id: [u8; 12],
    change: impl Fn(Raw<'_>) -> Result<Vec<u8>> + Send + Sync + 'static,
) -> Operation {
    Operation::Change {
        collection: Arc::from(collection),
        id: document_id(id),
        change: Arc::new(By(change)),
        if_version: None,
        absent: Absent::Skip,
    }
}

/// A new document.
pub(crate) fn creating(collection: &str, id: [u8; 12], body: Vec<u8>) -> Operation {
    Operation::Create {
        collection: Arc::from(collection),
        id: document_id(id),
        body: Bytes::from(body),
    }
}

/// The end of a document; one that is gone already is passed over.
pub(crate) fn deleting(collection: &str, id: DocumentId) -> Result<Operation> {
    let limits = Limits::for_stored_queries();
    let context = Context { limits: &limits, now_ms: 0, trust: Trust::Ordinary };
    let any = Filter::parse(Raw::trusted(&Object::new().to_bytes()), &context)?;
    let (collection, only_if) = (Arc::from(collection), Some(Arc::new(any)));
    Ok(Operation::Delete { collection, id, if_version: None, only_if })
}

/// The body of a document with some members changed; `None` takes one out.
pub(crate) fn with_members(body: Raw<'_>, members: Vec<(&'static str, Option<Value>)>) -> Vec<u8> {
    let Value::Object(mut object) = body.to_value() else { return body.as_bytes().to_vec() };
    for (name, value) in members {
        match value {
            Some(value) => drop(object.insert(name, value)),
            None => drop(object.remove(name)),
        }
    }
    object.to_bytes()
}
