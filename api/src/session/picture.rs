//! The documents of a collection that match and may be seen, at one position, read part by part.
//!
//! Guarantees: all parts are of the position at which it was taken; a part is bounded in documents, and in bytes as far as
//! documents are of the collection's average size. Each part has a query's budget of its own.
//! Leaves to others: how long somebody may take over it (it keeps the state of its position from being compacted away).

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::query::find::{self, Place, Query};
use headwater_engine::restrict::Restriction;
use headwater_engine::view::{CollectionId, Snapshot};
use headwater_engine::{Engine, Result};

use super::asked::Asked;
use super::run::{Size, run};
use super::sight::Sight;

/// Most documents of a part, in `_id` order.
const PART_ROWS: usize = 500;
/// Most documents of a part in another order: finding them may mean looking at all.
const SORTED_ROWS: usize = 5000;
/// Bytes that a part should have at most.
const PART_BYTES: u64 = 1 << 20;

/// A reader of documents at one position.
pub(crate) struct Picture {
    engine: Engine,
    shared: Arc<Shared>,
    after: Option<Place>,
}

struct Shared {
    engine: Engine,
    snapshot: Snapshot,
    number: Option<CollectionId>,
    restriction: Option<Arc<Restriction>>,
    asked: Asked,
    rows: usize,
}

impl Picture {
    /// One of the newest position.
    pub(crate) fn take(
        engine: &Engine,
        sight: &Sight,
        collection: &str,
        asked: &Asked,
    ) -> Result<Self> {
        let snapshot = engine.snapshot();
        let number = snapshot.collections().number(collection);
        let counters = number.map(|number| snapshot.counters(number)).transpose()?;
        let counters = counters.unwrap_or_default();
        let average = (counters.bytes / counters.count.max(1)).max(1);
        let most = if asked.is_sorted() { SORTED_ROWS } else { PART_ROWS };
        let rows = usize::try_from(PART_BYTES / average).unwrap_or(most).clamp(1, most);
        let shared = Shared {
            engine: engine.clone(),
            restriction: sight.restriction(collection),
            asked: asked.clone(),
            snapshot,
            number,
            rows,
        };
        Ok(Self { engine: engine.clone(), shared: Arc::new(shared), after: None })
    }

    /// The position.
    pub(crate) fn position(&self) -> u64 {
        self.shared.snapshot.position()
    }

    /// The next documents, encoded, in their order, and whether they are the last.
    pub(crate) async fn next(&mut self) -> Result<(Vec<Bytes>, bool)> {
        let (shared, after) = (Arc::clone(&self.shared), self.after.take());
        let part =
            run(&self.engine, Size::Unknown, move |budget| shared.read(after.as_ref(), budget));
        let (documents, after) = part.await?;
        let is_last = after.is_none();
        self.after = after;
        Ok((documents, is_last))
    }
}

impl Shared {
    fn read(
        &self,
        after: Option<&Place>,
        budget: &headwater_engine::query::Budget,
    ) -> Result<(Vec<Bytes>, Option<Place>)> {
        let compiled = self.asked.compile(&self.engine, &self.snapshot, self.number)?;
        let Some(number) = self.number else { return Ok((Vec::new(), None)) };
        let query = Query {
            sort: compiled.sort.as_ref(),
            limit: self.rows,
            after,
            restriction: self.restriction.as_deref(),
            ..Query::all(&compiled.filter)
        };
        let found = find::find(&self.snapshot, number, &query, budget)?;
        let last = found.rows.last().filter(|_| found.more).map(|row| row.place.clone());
        Ok((found.rows.iter().map(find::FoundRow::body_bytes).collect(), last))
    }
}
