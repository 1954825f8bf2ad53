//! Operations on one document, through the guard of a command that has one.
//!
//! Guarantees: whoever may see or touch only a part of the documents works on the view that the guard gives, and what is
//! stored is what the guard settles, both decided on the newest state. A document that the guard hides answers as one that
//! is not there, before its version or a condition on it is looked at; whether an id is taken is said only to those who may
//! create the document.
//! Typed fields are converted here, before the guard judges the result.
//! Leaves to others: what may be seen and touched (the guard); events, indexes and schemas (`resolve.rs`, `indexes.rs`).

use std::sync::Arc;

use bytes::Bytes;

use super::command::{Absent, Change, DocumentId, Effect, Outcome, Touch};
use super::overlay::{DocumentState, Live};
use super::resolve::{Resolver, Target, check_version, no_document, show};
use crate::error::{Error, ErrorKind, Result};
use crate::fields::Stage;
use crate::query::Filter;
use crate::restrict::Subject;
use crate::value::Raw;

/// A document that may be touched.
struct Viewed<'a> {
    target: Target<'a>,
    state: DocumentState,
    live: Live,
    /// What the caller sees of it; `None`: all of it.
    view: Option<Vec<u8>>,
}

impl Resolver<'_> {
    pub(super) fn create(
        &mut self,
        name: &Arc<str>,
        id: &DocumentId,
        body: &Bytes,
    ) -> Result<Outcome> {
        let sealed = self.sealed.take();
        let settled = self.prepare(name, id, None, body)?;
        let number = self.writable(name)?;
        let state = self.overlay.document(number, &id.key)?;
        if state.live.is_some() {
            return Err(duplicate(name, id));
        }
        let outcome = self.created(Target { name, number, id }, &state, &settled)?;
        // What was hashed before the queue is another body, if the guard or a typed field changed it.
        if settled == *body
            && let Some(draft) = self.resolved.drafts.last_mut()
        {
            draft.sealed = sealed;
        }
        Ok(outcome)
    }

    pub(super) fn replace(
        &mut self,
        name: &Arc<str>,
        id: &DocumentId,
        body: &Bytes,
        if_version: Option<u64>,
        absent: Absent,
    ) -> Result<Outcome> {
        match self.existing(name, id) {
            Ok((target, state, live)) => {
                if let Err(refusal) = self.view(&target, Touch::Update, &live) {
                    return Err(self.as_absent(&target, body, if_version, absent, refusal));
                }
                check_version(&target, &state, if_version)?;
                let settled = self.prepare(name, id, Some(&live), body)?;
                self.updated(target, &state, &live, settled)
            }
            Err(error) if error.kind() == ErrorKind::NotFound && absent == Absent::Create => {
                let settled = self.prepare(name, id, None, body)?;
                let target = Target { name, number: self.writable(name)?, id };
                let state = self.overlay.document(target.number, &id.key)?;
                check_version(&target, &DocumentState::default(), if_version)?;
                self.created(target, &state, &settled)
            }
            Err(error) => Err(error),
        }
    }

    /// The refusal to replace a document that is there. Where an absent one would be created, a hidden one is refused for
    /// the reasons for which the absent one would be.
    fn as_absent(
        &self,
        target: &Target<'_>,
        body: &Bytes,
        if_version: Option<u64>,
        absent: Absent,
        refusal: Error,
    ) -> Error {
        if refusal.kind() != ErrorKind::NotFound || absent != Absent::Create {
            return refusal;
        }
        let settled = self.prepare(target.name, target.id, None, body);
        let checked =
            settled.and_then(|_| check_version(target, &DocumentState::default(), if_version));
        checked.err().unwrap_or(refusal)
    }

    pub(super) fn change(
        &mut self,
        name: &Arc<str>,
        id: &DocumentId,
        change: &dyn Change,
        if_version: Option<u64>,
        absent: Absent,
    ) -> Result<Outcome> {
        let Viewed { target, state, live, view } = match self.viewed(name, id, Touch::Update) {
            Err(error) if absent == Absent::Skip && error.kind() == ErrorKind::NotFound => {
                return Ok(skipped(id));
            }
            viewed => viewed?,
        };
        check_version(&target, &state, if_version)?;
        let current = view.as_deref().unwrap_or(&live.body);
        let Some(body) = change.apply(Raw::trusted(current))? else { return Ok(skipped(id)) };
        if body == current {
            let body = live.body.clone();
            return self.updated(target, &state, &live, body);
        }
        let settled = self.prepare(name, id, Some(&live), &Bytes::from(body))?;
        self.updated(target, &state, &live, settled)
    }

    /// Deletes a document; with `only_if`, passes over one that is gone or does not match.
    pub(super) fn delete_if(
        &mut self,
        name: &Arc<str>,
        id: &DocumentId,
        if_version: Option<u64>,
        only_if: Option<&Filter>,
    ) -> Result<Outcome> {
        let Viewed { target, state, live, view } = match self.viewed(name, id, Touch::Delete) {
            Err(error) if only_if.is_some() && error.kind() == ErrorKind::NotFound => {
                return Ok(skipped(id));
            }
            viewed => viewed?,
        };
        let current = view.as_deref().unwrap_or(&live.body);
        if let Some(filter) = only_if
            && !filter.matches(Raw::trusted(current))?
        {
            return Ok(skipped(id));
        }
        check_version(&target, &state, if_version)?;
        self.deleted(target, &state, live)
    }

    /// A document that is there and that the guard lets the caller touch.
    fn viewed<'t>(
        &self,
        name: &'t Arc<str>,
        id: &'t DocumentId,
        touch: Touch,
    ) -> Result<Viewed<'t>> {
        let (target, state, live) = self.existing(name, id)?;
        let view = self.view(&target, touch, &live)?;
        Ok(Viewed { target, state, live, view })
    }

    /// What the guard shows of a document; `None`: all of it.
    fn view(&self, target: &Target<'_>, touch: Touch, live: &Live) -> Result<Option<Vec<u8>>> {
        let Some(guard) = self.guard else { return Ok(None) };
        let current = Subject { body: Raw::trusted(&live.body), made_by: &live.created_by };
        guard
            .view(target.name, touch, current)
            .map_err(|error| hidden(target.name, target.id, error))
    }

    /// What is stored for a body: what the guard settles, with typed fields converted.
    fn prepare(
        &self,
        name: &str,
        id: &DocumentId,
        live: Option<&Live>,
        wanted: &Bytes,
    ) -> Result<Bytes> {
        let stage = if live.is_some() { Stage::Known } else { Stage::New };
        let Some(guard) = self.guard else { return self.convert(name, stage, wanted.clone()) };
        let current = live.map(|live| Raw::trusted(&live.body));
        let told = |error| match live {
            Some(_) => hidden(name, id, error),
            None => error,
        };
        let settled = guard.settle(name, current, wanted.clone()).map_err(told)?;
        let converted = self.convert(name, stage, settled.clone())?;
        let (before, after) = (Raw::trusted(&settled), Raw::trusted(&converted));
        guard.check(name, current, before, after).map_err(told)?;
        Ok(converted)
    }

    /// A body with the collection's typed fields converted.
    fn convert(&self, name: &str, stage: Stage, body: Bytes) -> Result<Bytes> {
        let Some(fields) = self.overlay.fields(name) else { return Ok(body) };
        let Some(converted) = fields.convert(Raw::trusted(&body), stage) else { return Ok(body) };
        if converted.len() as u64 > self.document_bytes {
            let message = "the document is too large with its typed fields converted";
            return Err(Error::limit("limits.document_bytes", self.document_bytes, message));
        }
        Ok(converted.into())
    }
}

/// A guard's refusal; one that hides the document reads as if it were not there.
fn hidden(name: &str, id: &DocumentId, refusal: Error) -> Error {
    match refusal.kind() {
        ErrorKind::NotFound => no_document(name, id),
        _ => refusal,
    }
}

fn skipped(id: &DocumentId) -> Outcome {
    Outcome { id: id.raw.clone(), version: 0, position: 0, body: None, effect: Effect::Skipped }
}

fn duplicate(name: &str, id: &DocumentId) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "duplicate_id",
        format!("`{name}` already has a document with the _id {}", show(id)),
    )
    .with("collection", name)
    .with("id", show(id))
}
