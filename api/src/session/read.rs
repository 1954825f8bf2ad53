//! Reading documents: one, a page of them, the history of one.

use headwater_engine::log::Block;
use headwater_engine::view::{CollectionId, Row, Snapshot, Window};
use headwater_engine::write::DocumentId;
use headwater_engine::{Engine, Error, Result};

use super::at::At;
use super::cursor::{self, Cursor};
use super::{Session, blocking, target};
use crate::auth::Action;
use crate::error::ApiError;

/// Pages up to this size are read where the request runs.
const INLINE_ROWS: usize = 200;

/// Which documents a list asks for.
#[derive(Clone, Debug)]
pub(crate) struct ListQuery {
    /// Most documents to give.
    pub(crate) limit: usize,
    /// Documents to pass over.
    pub(crate) skip: usize,
    /// Where an earlier page ended.
    pub(crate) cursor: Option<String>,
    /// When to look.
    pub(crate) at: At,
    /// Whether to count all, too.
    pub(crate) count: bool,
}

/// A page of documents.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The documents, in `_id` order.
    pub(crate) rows: Vec<Row>,
    /// The position that was seen.
    pub(crate) position: u64,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<String>,
    /// How many there are in all, if that was asked for.
    pub(crate) count: Option<u64>,
}

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

    /// A page of a collection.
    pub(crate) async fn list(
        &self,
        collection: &str,
        query: ListQuery,
    ) -> Result<Listing, ApiError> {
        self.check(collection, Action::Read)?;
        let snapshot = self.engine.snapshot();
        let number = self.number(&snapshot, collection)?;
        let small = query.limit <= INLINE_ROWS && query.skip <= INLINE_ROWS && query.at == At::Now;
        if small && query.cursor.is_none() {
            return Ok(list(&self.engine, &snapshot, collection, number, &query)?);
        }
        let (engine, name) = (self.engine.clone(), collection.to_owned());
        let work = move || list(&engine, &snapshot, &name, number, &query);
        Ok(blocking(&self.engine, work).await?)
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
    fn number(
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

fn list(
    engine: &Engine,
    snapshot: &Snapshot,
    collection: &str,
    number: Option<CollectionId>,
    query: &ListQuery,
) -> Result<Listing> {
    let cursor = query.cursor.as_deref().map(Cursor::decode).transpose()?;
    let asked = query.at.resolve(engine, snapshot)?;
    let at = match &cursor {
        Some(Cursor { at: Some(at), .. }) if asked.is_some_and(|asked| asked != *at) => {
            return Err(cursor::invalid());
        }
        // Retention may have gone past the position since.
        Some(Cursor { at: Some(at), .. }) => At::Position(*at).resolve(engine, snapshot)?,
        // A list that began with what was newest may be held to its first page's position.
        Some(Cursor { at: None, .. }) | None => asked,
    };
    let number = match at {
        Some(position) => snapshot.collection_at(collection, position)?,
        None => number,
    };
    let position = at.unwrap_or_else(|| snapshot.position());
    let Some(number) = number else {
        let count = query.count.then_some(0);
        return Ok(Listing { position, count, ..Listing::default() });
    };
    if cursor.as_ref().is_some_and(|cursor| cursor.collection != number) {
        return Err(cursor::invalid());
    }
    let window = Window {
        after: cursor.as_ref().map(|cursor| cursor.after.as_slice()),
        skip: query.skip,
        limit: query.limit,
    };
    let page = match at {
        Some(position) => snapshot.page_at(number, position, window)?,
        None => snapshot.page(number, window)?,
    };
    let next =
        page.next.map(|after| Cursor { collection: number, at, after: after.to_vec() }.encode());
    let count = query.count.then(|| count(snapshot, number, at)).transpose()?;
    Ok(Listing { rows: page.rows, position, next, count })
}

fn count(snapshot: &Snapshot, number: CollectionId, at: Option<u64>) -> Result<u64> {
    let Some(position) = at else { return Ok(snapshot.counters(number)?.count) };
    let mut count = 0;
    let mut after: Option<bytes::Bytes> = None;
    loop {
        let window = Window { after: after.as_deref(), skip: 0, limit: 1000 };
        let page = snapshot.page_at(number, position, window)?;
        count += page.rows.len() as u64;
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(count),
        }
    }
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
