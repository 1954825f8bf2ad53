//! Reading documents by id: one, the history of one.

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::log::Block;
use headwater_engine::restrict::{Seen, judge};
use headwater_engine::value::Raw;
use headwater_engine::view::{CollectionId, Row, Snapshot};
use headwater_engine::write::DocumentId;
use headwater_engine::{Engine, Error, Event, Result};

use super::at::At;
use super::{Session, blocking, target, visibility};
use crate::auth::{Action, Grant};
use crate::error::ApiError;

/// A document as its reader may see it.
pub(crate) struct Shown {
    /// The body, encoded.
    pub(crate) body: Bytes,
    /// Its version.
    pub(crate) version: u64,
    /// The position that was seen.
    pub(crate) position: u64,
}

impl Session {
    /// A document.
    pub(crate) async fn get(&self, collection: &str, id: &str, at: At) -> Result<Shown, ApiError> {
        self.check(collection, Action::Read)?;
        let candidates = target::candidates(id, self.engine.limits())?;
        let snapshot = self.engine.snapshot();
        let found = if at == At::Now {
            let number = self.number(&snapshot, collection)?;
            let found = number.map(|number| target::find(&snapshot, number, candidates));
            let row = found.transpose()?.flatten().map(|(_, row)| row);
            row.map(|row| (row, snapshot.position()))
        } else {
            let (engine, name) = (self.engine.clone(), collection.to_owned());
            blocking(&self.engine, move || get_at(&engine, &snapshot, &name, candidates, at))
                .await?
        };
        let (row, position) = found.ok_or_else(|| no_document(collection, id))?;
        let (version, body) = (row.version(), row.body_bytes());
        let Some(restriction) = self.restriction(collection, Action::Read) else {
            return Ok(Shown { body, version, position });
        };
        let view = restriction.view(row.subject());
        let view = view.ok_or_else(|| no_document(collection, id))?;
        let body = match &restriction.metadata {
            Some(metadata) => metadata.added(&row, Raw::trusted(&view)).into(),
            None => Bytes::copy_from_slice(&view),
        };
        Ok(Shown { body, version, position })
    }

    /// Up to `limit` events of a document before a position, newest first, each as a block of one with what is seen of it;
    /// the position to go on before, if there are more; and the position that was seen.
    pub(crate) async fn history(
        &self,
        collection: &str,
        id: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(Vec<(Block, Seen)>, Option<u64>, u64), ApiError> {
        self.check(collection, Action::Read)?;
        let candidates = target::candidates(id, self.engine.limits())?;
        let snapshot = self.engine.snapshot();
        let position = snapshot.position();
        let number = self.number(&snapshot, collection)?;
        let (engine, grant) = (self.engine.clone(), Arc::clone(&self.grant));
        let found = blocking(&self.engine, move || {
            let Some(number) = number else { return Ok(None) };
            let past = Past { engine: &engine, snapshot: &snapshot, grant: &grant };
            past.history(number, &candidates, before, limit)
        })
        .await?;
        let (blocks, next) = found.ok_or_else(|| no_document(collection, id))?;
        Ok((blocks, next, position))
    }

    /// The number of a collection; under `collections.strict` a missing one is refused.
    pub(super) fn number(
        &self,
        snapshot: &Snapshot,
        collection: &str,
    ) -> Result<Option<CollectionId>, ApiError> {
        let number = snapshot.collections().number(collection);
        if number.is_none() {
            self.check_there(collection)?;
        }
        Ok(number)
    }
}

fn get_at(
    engine: &Engine,
    snapshot: &Snapshot,
    collection: &str,
    candidates: Vec<DocumentId>,
    at: At,
) -> Result<Option<(Row, u64)>> {
    let position = at.resolve(engine, snapshot)?.unwrap_or_else(|| snapshot.position());
    let Some(number) = snapshot.collection_at(collection, position)? else { return Ok(None) };
    for id in candidates {
        if let Some(row) = snapshot.get_at(number, &id.key, position)? {
            return Ok(Some((row, position)));
        }
    }
    Ok(None)
}

type History = (Vec<(Block, Seen)>, Option<u64>);

/// The events of documents, as a grant shows them.
struct Past<'a> {
    engine: &'a Engine,
    snapshot: &'a Snapshot,
    grant: &'a Grant,
}

impl Past<'_> {
    /// The history of the first candidate that has one. One of which nothing may be seen has none.
    fn history(
        &self,
        number: CollectionId,
        candidates: &[DocumentId],
        before: Option<u64>,
        limit: usize,
    ) -> Result<Option<History>> {
        for id in candidates {
            if self.snapshot.history(number, &id.key, u64::MAX).next().is_none() {
                continue;
            }
            let found = self.of(number, id, before.unwrap_or(u64::MAX), limit)?;
            let is_empty = |found: &History| found.0.is_empty() && found.1.is_none();
            let is_hidden = is_empty(&found)
                && !self.grant.is_full()
                && (before.is_none() || is_empty(&self.of(number, id, u64::MAX, 1)?));
            return Ok((!is_hidden).then_some(found));
        }
        Ok(None)
    }

    fn of(
        &self,
        number: CollectionId,
        id: &DocumentId,
        before: u64,
        limit: usize,
    ) -> Result<History> {
        // What retention took is known by its position alone.
        let first = self.engine.log().first_position();
        let mut events = Vec::new();
        let mut last = 0;
        for entry in self.snapshot.history(number, &id.key, before) {
            let entry = entry?;
            if entry.position < first {
                break;
            }
            let block = self.engine.log().get(entry.position)?;
            let seen = self.seen(&block)?;
            if seen == Seen::Nothing {
                continue;
            }
            if events.len() == limit {
                return Ok((events, Some(last)));
            }
            last = entry.position;
            events.push((block, seen));
        }
        Ok((events, None))
    }

    fn seen(&self, block: &Block) -> Result<Seen> {
        let Some(record) = block.iter().next() else { return Ok(Seen::Nothing) };
        let event = Event::decode(&record)?;
        Ok(judge(&event, &visibility(self.grant, &event, Action::Read), None))
    }
}

fn no_document(collection: &str, id: &str) -> Error {
    let shown: String = id.chars().take(100).collect();
    let message = format!("`{collection}` has no document with the _id {shown}");
    Error::not_found("document_not_found", message)
}
