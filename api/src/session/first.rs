//! The first documents of a query at one snapshot, as they may be seen.
//!
//! Guarantees: one query's budget; off the async threads where it is no small one.
//! Leaves to others: whether the caller may ask.

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::query::Budget;
use headwater_engine::query::find::{self, Query};
use headwater_engine::restrict::Visibility;
use headwater_engine::subscribe::BodyFilter;
use headwater_engine::view::Snapshot;
use headwater_engine::{Engine, Result};

use super::asked::Asked;
use super::picture::check_pace;
use super::run::{Size, run};

/// What to find the first documents of.
#[derive(Clone)]
pub(crate) struct First {
    /// The engine.
    pub(crate) engine: Engine,
    /// The documents at one position.
    pub(crate) snapshot: Arc<Snapshot>,
    /// The collection.
    pub(crate) collection: String,
    /// Filter and order.
    pub(crate) asked: Asked,
    /// The filter as events are looked at with it.
    pub(crate) filter: Option<BodyFilter>,
    /// What of the collection is seen.
    pub(crate) visibility: Visibility,
}

impl First {
    /// Up to so many documents, in order, and whether others follow.
    pub(crate) async fn documents(&self, limit: usize) -> Result<(Vec<Bytes>, bool)> {
        let first = self.clone();
        run(&self.engine, Size::Unknown, move |budget| first.read(limit, budget)).await
    }

    /// Bytes of a document of the collection, on average.
    pub(crate) fn average_bytes(&self) -> Result<u64> {
        let number = self.snapshot.collections().number(&self.collection);
        let counters = number.map(|number| self.snapshot.counters(number)).transpose()?;
        let counters = counters.unwrap_or_default();
        Ok(counters.bytes / counters.count.max(1))
    }

    fn read(&self, limit: usize, budget: &Budget) -> Result<(Vec<Bytes>, bool)> {
        let number = self.snapshot.collections().number(&self.collection);
        let compiled = self.asked.compile(&self.engine, &self.snapshot, number)?;
        let Some(number) = number else { return Ok((Vec::new(), false)) };
        let restriction = match &self.visibility {
            Visibility::Nothing => return Ok((Vec::new(), false)),
            Visibility::Everything => None,
            Visibility::Restricted(restriction) => Some(restriction.as_ref()),
        };
        let query = Query {
            sort: compiled.sort.as_ref(),
            limit,
            restriction,
            ..Query::all(&compiled.filter)
        };
        let found = find::find(&self.snapshot, number, &query, budget)?;
        check_pace(self.filter.as_ref(), &found.rows)?;
        // A document that is kept must not keep the table's block that it was read from.
        let copied = |row: &find::FoundRow| Bytes::copy_from_slice(row.body().as_bytes());
        Ok((found.rows.iter().map(copied).collect(), found.more))
    }
}
