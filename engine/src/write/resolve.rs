//! Resolving: a command against the newest state becomes events, or a refusal.
//!
//! Guarantees: all operations of a command or none; later operations see earlier ones; every event carries what apply
//! needs, so that applying never has to look back.
//! Leaves to others: operations on one document and the guard of a command (`documents.rs`), unique indexes and schemas
//! (`indexes.rs`), durability and visibility (the sequencer), permission (the access layer).

use std::sync::Arc;

use bytes::Bytes;

use super::command::{Checks, Command, DocumentId, Effect, Guard, Operation, Outcome};
use super::draft::Draft;
use super::overlay::{DocumentState, Live, Overlay};
use super::seal::Sealed;
use crate::error::{Error, ErrorKind, Result};
use crate::event::EventKind;
use crate::fields::Fields;
use crate::value::change::diff;
use crate::value::{self, Raw, Value};
use crate::view::{CollectionId, keys};

/// What a command came to.
#[derive(Default)]
pub(super) struct Resolved {
    pub(super) drafts: Vec<Draft>,
    pub(super) outcomes: Vec<Outcome>,
}

/// Whether writes may bring collections into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// The first write makes a collection.
    Implicit,
    /// Collections are defined before they are written.
    Strict,
}

/// Resolves the operations of one command.
pub(super) struct Resolver<'a> {
    pub(super) overlay: &'a mut Overlay,
    pub(super) actor: &'a Arc<str>,
    pub(super) time_ms: u64,
    /// The position that the command's first event will have.
    pub(super) first_position: u64,
    pub(super) strictness: Strictness,
    /// Most bytes of a document, after its typed fields were converted.
    pub(super) document_bytes: u64,
    /// Asked about every document that the command touches.
    pub(super) guard: Option<&'a dyn Guard>,
    /// Whether new states must satisfy typed fields and schemas.
    pub(super) checks: Checks,
    operations: &'a [Operation],
    pub(super) resolved: Resolved,
    /// The sealed part of the operation at hand.
    pub(super) sealed: Option<Sealed>,
}

pub(super) struct Target<'a> {
    pub(super) name: &'a Arc<str>,
    pub(super) number: CollectionId,
    pub(super) id: &'a DocumentId,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(
        overlay: &'a mut Overlay,
        command: &'a Command,
        time_ms: u64,
        first_position: u64,
        strictness: Strictness,
        document_bytes: u64,
    ) -> Self {
        Self {
            overlay,
            actor: &command.actor,
            time_ms,
            first_position,
            strictness,
            document_bytes,
            guard: command.guard.as_deref(),
            checks: command.checks,
            operations: &command.operations,
            resolved: Resolved::default(),
            sealed: None,
        }
    }

    /// Resolves all operations or none.
    pub(super) fn resolve(mut self, sealed: &mut [Option<Sealed>]) -> Result<Resolved> {
        self.resolved.drafts.reserve(self.operations.len());
        self.resolved.outcomes.reserve(self.operations.len());
        for (index, operation) in self.operations.iter().enumerate() {
            self.sealed = sealed.get_mut(index).and_then(Option::take);
            let outcome = self.operation(operation).map_err(|error| {
                if self.operations.len() == 1 {
                    error
                } else {
                    error.with("operation", index as u64)
                }
            })?;
            self.resolved.outcomes.push(outcome);
        }
        Ok(self.resolved)
    }

    fn operation(&mut self, operation: &Operation) -> Result<Outcome> {
        match operation {
            Operation::Create { collection, id, body } => self.create(collection, id, body),
            Operation::Replace { collection, id, body, if_version, absent } => {
                self.replace(collection, id, body, *if_version, *absent)
            }
            Operation::Change { collection, id, change, if_version, absent } => {
                self.change(collection, id, &**change, *if_version, *absent)
            }
            Operation::Delete { collection, id, if_version, only_if } => {
                self.delete_if(collection, id, *if_version, only_if.as_deref())
            }
            Operation::Define { collection, definition } => self.define(collection, definition),
            Operation::Drop { collection } => self.drop_collection(collection),
            Operation::DefineIndex { collection, name, definition } => {
                self.define_index(collection, name, Raw::trusted(definition))
            }
            Operation::DropIndex { collection, name } => {
                self.check_free(collection, name)?;
                self.drop_index(collection, name)
            }
            Operation::Erase { collection, id } => self.erase(collection, id),
            Operation::WebhookDisabled { body } => {
                Ok(self.publish(EventKind::WebhookDisabled, "_webhooks", body))
            }
            Operation::Publish { body } => Ok(self.publish(EventKind::EventPublished, "", body)),
        }
    }

    pub(super) fn next_position(&self) -> u64 {
        self.first_position + self.resolved.drafts.len() as u64
    }

    pub(super) fn created(
        &mut self,
        target: Target<'_>,
        state: &DocumentState,
        body: &Bytes,
    ) -> Result<Outcome> {
        self.check_new_state(&target, None, Some(body))?;
        let floor = if state.version == 0 { self.overlay.version_floor(target.name) } else { 0 };
        let version = state.version.max(floor) + 1;
        let live = Live {
            body: body.clone(),
            created_ms: self.time_ms,
            created_by: Arc::clone(self.actor),
        };
        let draft = Draft {
            kind: EventKind::DocumentCreated,
            collection: Arc::clone(target.name),
            id: target.id.raw.clone(),
            version,
            previous: state.position,
            body: body.clone(),
            body_bytes_before: 0,
            origin: None,
            diff: None,
            sealed: None,
        };
        Ok(self.write(target, draft, Some(live), Effect::Created))
    }

    pub(super) fn existing<'t>(
        &self,
        name: &'t Arc<str>,
        id: &'t DocumentId,
    ) -> Result<(Target<'t>, DocumentState, Live)> {
        let number = self.overlay.number(name).ok_or_else(|| no_document(name, id))?;
        let state = self.overlay.document(number, &id.key)?;
        let live = state.live.clone().ok_or_else(|| no_document(name, id))?;
        Ok((Target { name, number, id }, state, live))
    }

    pub(super) fn updated(
        &mut self,
        target: Target<'_>,
        state: &DocumentState,
        live: &Live,
        body: Bytes,
    ) -> Result<Outcome> {
        if live.body == body {
            return Ok(Outcome {
                id: target.id.raw.clone(),
                version: state.version,
                position: state.position,
                body: Some(body),
                effect: Effect::Unchanged,
            });
        }
        self.check_new_state(&target, Some(&live.body), Some(&body))?;
        let draft = Draft {
            kind: EventKind::DocumentUpdated,
            collection: Arc::clone(target.name),
            id: target.id.raw.clone(),
            version: state.version + 1,
            previous: state.position,
            body: body.clone(),
            body_bytes_before: size(&live.body),
            origin: Some((live.created_ms, Arc::clone(&live.created_by))),
            diff: Some(diff(Raw::trusted(&live.body), Raw::trusted(&body))),
            sealed: None,
        };
        let now = Live { body, ..live.clone() };
        Ok(self.write(target, draft, Some(now), Effect::Updated))
    }

    /// Deletes a document without asking the guard.
    pub(super) fn delete(&mut self, name: &Arc<str>, id: &DocumentId) -> Result<Outcome> {
        let (target, state, live) = self.existing(name, id)?;
        self.deleted(target, &state, live)
    }

    pub(super) fn deleted(
        &mut self,
        target: Target<'_>,
        state: &DocumentState,
        live: Live,
    ) -> Result<Outcome> {
        self.check_new_state(&target, Some(&live.body), None)?;
        let draft = Draft {
            kind: EventKind::DocumentDeleted,
            collection: Arc::clone(target.name),
            id: target.id.raw.clone(),
            version: state.version + 1,
            previous: state.position,
            body_bytes_before: size(&live.body),
            body: live.body,
            origin: Some((live.created_ms, live.created_by)),
            diff: None,
            sealed: None,
        };
        Ok(self.write(target, draft, None, Effect::Deleted))
    }

    /// Deletes the document if it is there, and marks the place from which on it is forgotten.
    fn erase(&mut self, name: &Arc<str>, id: &DocumentId) -> Result<Outcome> {
        // The documents of a dropped collection are gone already; their events are not.
        let number = self.overlay.number(name).unwrap_or(0);
        if self.overlay.document(number, &id.key)?.live.is_some() {
            self.delete(name, id)?;
        }
        let previous = self.overlay.document(number, &id.key)?.position;
        let draft = Draft {
            kind: EventKind::DocumentErased,
            collection: Arc::clone(name),
            id: id.raw.clone(),
            version: 0,
            previous,
            body: Bytes::new(),
            body_bytes_before: 0,
            origin: None,
            diff: None,
            sealed: None,
        };
        let mut outcome = self.write(Target { name, number, id }, draft, None, Effect::Erased);
        outcome.version = 0;
        let forgotten = DocumentState::default();
        self.overlay.set_document(number, &id.key, forgotten);
        Ok(outcome)
    }

    /// Takes a draft into the batch and its result into the overlay.
    fn write(
        &mut self,
        target: Target<'_>,
        draft: Draft,
        live: Option<Live>,
        effect: Effect,
    ) -> Outcome {
        let position = self.next_position();
        let outcome = Outcome {
            id: draft.id.clone(),
            version: draft.version,
            position,
            body: live.as_ref().map(|live| live.body.clone()),
            effect,
        };
        let state = DocumentState { version: draft.version, position, live };
        self.overlay.set_document(target.number, &target.id.key, state);
        self.resolved.drafts.push(draft);
        outcome
    }

    fn publish(&mut self, kind: EventKind, collection: &str, body: &Bytes) -> Outcome {
        let position = self.next_position();
        self.resolved.drafts.push(Draft {
            kind,
            collection: Arc::from(collection),
            id: Bytes::new(),
            version: 0,
            previous: 0,
            body: body.clone(),
            body_bytes_before: 0,
            origin: None,
            diff: None,
            sealed: None,
        });
        let body = Some(body.clone());
        Outcome { id: Bytes::new(), version: 0, position, body, effect: Effect::Published }
    }

    /// The number of a collection that is written to; brings it into being where that is allowed.
    pub(super) fn writable(&mut self, name: &Arc<str>) -> Result<CollectionId> {
        if let Some(number) = self.overlay.number(name) {
            return Ok(number);
        }
        if self.strictness == Strictness::Strict || name.starts_with('_') {
            return Err(no_collection(name));
        }
        let empty = Value::Object(value::Object::new()).to_bytes();
        self.define(name, &empty.into())?;
        self.overlay.number(name).ok_or_else(|| no_collection(name))
    }

    fn define(&mut self, name: &Arc<str>, definition: &Bytes) -> Result<Outcome> {
        if name.starts_with('_') {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "system_collection",
                format!("`{name}` belongs to the system"),
            ));
        }
        let known = self.overlay.number(name);
        let number = match known {
            Some(number) => number,
            None => self.overlay.allot_number(),
        };
        let id = collection_document(name);
        let collections: Arc<str> = Arc::from(keys::SYSTEM[0].0);
        let state = self.overlay.document(keys::COLLECTIONS, &id.key)?;
        crate::view::CollectionSchema::of(Raw::trusted(definition))?;
        let fields = Fields::of(Raw::trusted(definition))?;
        // No version is higher than the position of the event that has it.
        let floor = match known {
            Some(_) => self.overlay.version_floor(name),
            None if state.version > 0 => self.next_position(),
            None => 0,
        };
        let body = describe(name, number, floor, Raw::trusted(definition));
        let target = Target { name: &collections, number: keys::COLLECTIONS, id: &id };
        let outcome = match state.live.clone() {
            Some(live) => self.updated(target, &state, &live, body)?,
            None => self.created(target, &state, &body)?,
        };
        if known.is_none() {
            self.overlay.set_number(name, Some(number));
            self.overlay.set_version_floor(number, floor);
        }
        self.settle_unique(name, number, fields.as_ref())?;
        Ok(outcome)
    }

    fn drop_collection(&mut self, name: &Arc<str>) -> Result<Outcome> {
        if name.starts_with('_') || self.overlay.number(name).is_none() {
            return Err(no_collection(name));
        }
        self.drop_indexes(name)?;
        let collections: Arc<str> = Arc::from(keys::SYSTEM[0].0);
        let outcome = self.delete(&collections, &collection_document(name))?;
        self.overlay.set_number(name, None);
        Ok(outcome)
    }
}

/// The id of a collection's document in `_collections`.
pub(super) fn collection_document(name: &str) -> DocumentId {
    let mut raw = Vec::with_capacity(name.len() + 5);
    value::encode::write_str(name, &mut raw);
    let key = value::key::encode(Raw::trusted(&raw));
    DocumentId { raw: raw.into(), key: key.into() }
}

fn describe(name: &str, number: CollectionId, floor: u64, definition: Raw<'_>) -> Bytes {
    let mut object = value::Object::new();
    object.insert("_id", Value::String(name.to_owned()));
    object.insert(crate::view::NUMBER, Value::Int64(i64::from(number)));
    if floor > 0 {
        let floor = i64::try_from(floor).unwrap_or(i64::MAX);
        object.insert(crate::view::VERSION_FLOOR, Value::Int64(floor));
    }
    for (member, value) in definition.object_iter() {
        if !["_id", crate::view::NUMBER, crate::view::VERSION_FLOOR].contains(&member) {
            object.insert(member, value.to_value());
        }
    }
    object.to_bytes().into()
}

pub(super) fn check_version(
    target: &Target<'_>,
    state: &DocumentState,
    if_version: Option<u64>,
) -> Result<()> {
    match if_version {
        Some(wanted) if wanted != state.version => Err(Error::new(
            ErrorKind::VersionMismatch,
            "version_mismatch",
            format!(
                "document {} of `{}` has version {}, not {wanted}",
                show(target.id),
                target.name,
                state.version
            ),
        )
        .with("version", state.version)),
        _ => Ok(()),
    }
}

fn size(body: &Bytes) -> u32 {
    u32::try_from(body.len()).unwrap_or(u32::MAX)
}

pub(super) fn show(id: &DocumentId) -> String {
    let mut text = Vec::new();
    value::json::write(Raw::trusted(&id.raw), &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

pub(super) fn no_document(name: &str, id: &DocumentId) -> Error {
    let message = format!("`{name}` has no document with the _id {}", show(id));
    Error::not_found("document_not_found", message)
}

pub(super) fn no_collection(name: &str) -> Error {
    Error::not_found("collection_not_found", format!("there is no collection `{name}`"))
}
