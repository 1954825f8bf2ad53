//! Reading documents by id: one, the history of one.

use headwater_engine::log::Block;
use headwater_engine::view::{CollectionId, Row, Snapshot};
use headwater_engine::write::DocumentId;
use headwater_engine::{Engine, Error, Result};

use super::at::At;
use super::{Session, blocking, target};
use crate::auth::Action;
use crate::error::ApiError;

impl Session {
    /// A document; with the position that was seen.
    pub(crate) async fn get(
        &self,
        collection: &str,
        id: &str,
        at: At,
    ) -> Result<(Row, u64), ApiError> {
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
        Ok(found.ok_or_else(|| no_document(collection, id))?)
    }

    /// Up to `limit` events of a document before a position, newest first, each as a block of one; the position to go on
    /// before, if there are more; and the position that was seen.
    pub(crate) async fn history(
        &self,
        collection: &str,
        id: &str,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(Vec<Block>, Option<u64>, u64), ApiError> {
        self.check(collection, Action::Read)?;
        let candidates = target::candidates(id, self.engine.limits())?;
        let snapshot = self.engine.snapshot();
        let position = snapshot.position();
        let number = self.number(&snapshot, collection)?;
        let engine = self.engine.clone();
        let before = before.unwrap_or(u64::MAX);
        let found = blocking(&self.engine, move || {
            let Some(number) = number else { return Ok(None) };
            history(&engine, &snapshot, number, &candidates, before, limit)
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

type History = (Vec<Block>, Option<u64>);

fn history(
    engine: &Engine,
    snapshot: &Snapshot,
    number: CollectionId,
    candidates: &[DocumentId],
    before: u64,
    limit: usize,
) -> Result<Option<History>> {
    for id in candidates {
        if snapshot.history(number, &id.key, u64::MAX).next().is_none() {
            continue;
        }
        // What retention took is known by its position alone.
        let first = engine.log().first_position();
        let mut blocks = Vec::new();
        let mut last = 0;
        for entry in snapshot.history(number, &id.key, before) {
            let entry = entry?;
            if entry.position < first {
                break;
            }
            if blocks.len() == limit {
                return Ok(Some((blocks, Some(last))));
            }
            last = entry.position;
            blocks.push(engine.log().get(entry.position)?);
        }
        return Ok(Some((blocks, None)));
    }
    Ok(None)
}

fn no_document(collection: &str, id: &str) -> Error {
    let shown: String = id.chars().take(100).collect();
    let message = format!("`{collection}` has no document with the _id {shown}");
    Error::not_found("document_not_found", message)
}
