//! Pages of documents: all of a collection, or what a filter finds, in the order of a sort.
//!
//! Guarantees: a page comes from one position; the pages of one list neither repeat nor skip a document that stayed as it
//! was. Without filter and sort a page is read straight from the documents.

use bytes::Bytes;
use headwater_engine::query::Budget;
use headwater_engine::query::find::{self, Place, Plan, Query};
use headwater_engine::restrict::Restriction;
use headwater_engine::view::{CollectionId, Snapshot, Window};
use headwater_engine::{Engine, Error, Result};

use super::Session;
use super::asked::{Asked, Compiled};
use super::at::At;
use super::cursor::{self, Cursor};
use super::run::{Size, run};
use crate::auth::Action;
use crate::error::ApiError;

/// Pages up to this size are read where the request runs.
const INLINE_ROWS: usize = 200;
/// Documents larger than this on average are not looked at there.
const INLINE_DOCUMENT_BYTES: u64 = 16 << 10;

/// Which documents a list asks for.
#[derive(Clone, Debug)]
pub(crate) struct ListQuery {
    /// Filter, sort and projection.
    pub(crate) asked: Asked,
    /// Most documents to give.
    pub(crate) limit: usize,
    /// Documents to pass over.
    pub(crate) skip: usize,
    /// Where an earlier page ended.
    pub(crate) cursor: Option<Cursor>,
    /// When to look.
    pub(crate) at: At,
    /// Whether to count all, too.
    pub(crate) count: bool,
    /// Whether to tell how it was found, instead.
    pub(crate) explain: bool,
}

/// A page of documents.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The documents, encoded, in their order.
    pub(crate) documents: Vec<Bytes>,
    /// The position that was seen.
    pub(crate) position: u64,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<String>,
    /// How many there are in all, if that was asked for.
    pub(crate) count: Option<u64>,
    /// How they were found.
    pub(crate) plan: Plan,
}

impl Session {
    /// Checks that a collection may be queried; the action that it is.
    pub(super) fn check_query(
        &self,
        collection: &str,
        is_search: bool,
    ) -> Result<Action, ApiError> {
        self.check(collection, Action::Read)?;
        if !is_search {
            return Ok(Action::Read);
        }
        self.check(collection, Action::Search)?;
        Ok(Action::Search)
    }

    /// Bytes of a document of a collection, on average; for choosing how many to read at once.
    pub(crate) fn average_bytes(&self, collection: &str) -> Result<u64, ApiError> {
        let snapshot = self.engine.snapshot();
        let number = self.number(&snapshot, collection)?;
        let counters = number.map(|number| snapshot.counters(number)).transpose()?;
        let counters = counters.unwrap_or_default();
        Ok(counters.bytes / counters.count.max(1))
    }

    /// A page of a collection.
    pub(crate) async fn list(
        &self,
        collection: &str,
        query: ListQuery,
    ) -> Result<Listing, ApiError> {
        let action = self.check_query(collection, query.asked.is_search())?;
        let restriction = self.restriction(collection, action);
        let snapshot = self.engine.snapshot();
        let number = self.number(&snapshot, collection)?;
        let size = size(&snapshot, number, &query)?;
        if size == Size::Unknown && query.is_straight() && restriction.is_none() {
            let budget = Budget::unlimited();
            let place = (collection, number);
            return Ok(list(&self.engine, &snapshot, place, None, &query, &budget)?);
        }
        let (engine, name) = (self.engine.clone(), collection.to_owned());
        let work = move |budget: &std::sync::Arc<Budget>| {
            list(&engine, &snapshot, (&name, number), restriction.as_deref(), &query, budget)
        };
        Ok(run(&self.engine, size, work).await?)
    }
}

impl ListQuery {
    /// All that is asked for, as it is now, and nothing but the documents.
    pub(crate) fn new(asked: Asked) -> Self {
        Self {
            asked,
            limit: usize::MAX,
            skip: 0,
            cursor: None,
            at: At::Now,
            count: false,
            explain: false,
        }
    }

    /// Whether it is read straight from the documents.
    fn is_straight(&self) -> bool {
        self.asked.is_nothing() && !self.explain && self.skip <= INLINE_ROWS
    }

    fn is_of_now(&self) -> bool {
        self.at == At::Now && self.cursor.as_ref().is_none_or(|cursor| cursor.at.is_none())
    }
}

/// Whether a page may be read where the request runs.
fn size(snapshot: &Snapshot, number: Option<CollectionId>, query: &ListQuery) -> Result<Size> {
    let few = query.limit <= INLINE_ROWS && query.skip <= INLINE_ROWS && query.is_of_now();
    if !few || !query.asked.is_light() {
        return Ok(Size::Large);
    }
    if query.is_straight() {
        return Ok(Size::Unknown);
    }
    let counters = number.map(|number| snapshot.counters(number)).transpose()?.unwrap_or_default();
    let large = counters.bytes / counters.count.max(1) > INLINE_DOCUMENT_BYTES;
    Ok(if large { Size::Large } else { Size::Unknown })
}

fn list(
    engine: &Engine,
    snapshot: &Snapshot,
    (collection, number): (&str, Option<CollectionId>),
    restriction: Option<&Restriction>,
    query: &ListQuery,
    budget: &Budget,
) -> Result<Listing> {
    let at = position_of(engine, snapshot, query)?;
    let number = match at {
        Some(position) => snapshot.collection_at(collection, position)?,
        None => number,
    };
    let position = at.unwrap_or_else(|| snapshot.position());
    let digest = query.asked.digest();
    if let Some(cursor) = &query.cursor {
        if cursor.digest != digest {
            return Err(Error::invalid(
                "invalid_cursor",
                "the cursor belongs to a list with another filter or sort",
            ));
        }
        if number.is_some_and(|number| cursor.collection != number) {
            return Err(cursor::invalid());
        }
    }
    let page = Page { snapshot, at, restriction, query, budget };
    let (mut listing, last) = match number {
        None => {
            query.asked.compile(engine, snapshot, None)?;
            (Listing { count: query.count.then_some(0), ..Listing::default() }, None)
        }
        Some(number) if query.is_straight() && restriction.is_none() => page.straight(number)?,
        Some(number) => {
            page.found(number, &query.asked.compile(engine, snapshot, Some(number))?)?
        }
    };
    let cursor = |(collection, after)| Cursor { collection, at, digest, after }.encode();
    listing.next = number.zip(last).map(cursor);
    listing.position = position;
    Ok(listing)
}

/// The position that is looked at, if not the newest.
fn position_of(engine: &Engine, snapshot: &Snapshot, query: &ListQuery) -> Result<Option<u64>> {
    let asked = query.at.resolve(engine, snapshot)?;
    match &query.cursor {
        Some(Cursor { at: Some(at), .. }) if asked.is_some_and(|asked| asked != *at) => {
            Err(cursor::invalid())
        }
        // Retention may have gone past the position since.
        Some(Cursor { at: Some(at), .. }) => At::Position(*at).resolve(engine, snapshot),
        // A list that began with what was newest may be held to its first page's position.
        Some(Cursor { at: None, .. }) | None => Ok(asked),
    }
}

/// A page of a collection that is there.
struct Page<'a> {
    snapshot: &'a Snapshot,
    at: Option<u64>,
    restriction: Option<&'a Restriction>,
    query: &'a ListQuery,
    budget: &'a Budget,
}

impl Page<'_> {
    /// The documents as they stand, and the place after which more follow.
    fn straight(&self, number: CollectionId) -> Result<(Listing, Option<Place>)> {
        let after = self.query.cursor.as_ref().map(|cursor| cursor.after.id_key.as_slice());
        let window = Window { after, skip: self.query.skip, limit: self.query.limit };
        let page = match self.at {
            Some(position) => self.snapshot.page_at(number, position, window)?,
            None => self.snapshot.page(number, window)?,
        };
        let count = self.query.count.then(|| self.count_all(number)).transpose()?;
        let documents = page.rows.iter().map(|row| row.body_bytes()).collect();
        let last = page.next.map(|id_key| Place { key: Vec::new(), id_key: id_key.to_vec() });
        Ok((Listing { documents, count, ..Listing::default() }, last))
    }

    /// What a filter finds, and the place after which more follows.
    fn found(&self, number: CollectionId, compiled: &Compiled) -> Result<(Listing, Option<Place>)> {
        let Compiled { filter, sort, projection } = compiled;
        let query = Query {
            filter,
            sort: sort.as_ref(),
            skip: self.query.skip,
            limit: self.query.limit,
            after: self.query.cursor.as_ref().map(|cursor| &cursor.after),
            at: self.at,
            hint: None,
            is_result: true,
            part_bytes: usize::MAX,
            restriction: self.restriction,
        };
        let count = self.query.count && !self.query.explain;
        let count = count.then(|| find::count(self.snapshot, number, &query, self.budget));
        let count = count.transpose()?.map(|(count, _)| count);
        let found = find::find(self.snapshot, number, &query, self.budget)?;
        let last = found.rows.last().filter(|_| found.more).map(|row| row.place.clone());
        let mut documents = Vec::with_capacity(found.rows.len());
        for row in &found.rows {
            let Some(projection) = projection else {
                documents.push(row.body_bytes());
                continue;
            };
            self.budget.check()?;
            let mut shown = Vec::new();
            projection.apply(row.body(), Some(filter), &mut shown)?;
            self.budget.take_result(shown.len())?;
            documents.push(shown.into());
        }
        Ok((Listing { documents, count, plan: found.plan, ..Listing::default() }, last))
    }

    fn count_all(&self, number: CollectionId) -> Result<u64> {
        let Some(position) = self.at else { return Ok(self.snapshot.counters(number)?.count) };
        let mut count = 0;
        let mut after: Option<Bytes> = None;
        loop {
            self.budget.check()?;
            let window = Window { after: after.as_deref(), skip: 0, limit: 1000 };
            let page = self.snapshot.page_at(number, position, window)?;
            count += page.rows.len() as u64;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(count),
            }
        }
    }
}
