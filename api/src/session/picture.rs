//! The documents of a collection that match and may be seen, at one position, read part by part.
//!
//! Guarantees: all parts are of the position at which it was taken; a part is bounded in documents and, one document aside, in
//! bytes. Each part has a query's budget of its own.
//! Leaves to others: how long somebody may take over it (it keeps the state of its position from being compacted away).

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::query::Budget;
use headwater_engine::query::find::{self, FoundRow, Place, Query};
use headwater_engine::restrict::Restriction;
use headwater_engine::subscribe::{BodyFilter, STEPS_MAX};
use headwater_engine::view::{CollectionId, Snapshot};
use headwater_engine::{Engine, Error, ErrorKind, Result};

use super::asked::Asked;
use super::run::{Size, run};
use super::sight::Sight;

/// Most documents of a part, in `_id` order.
const PART_ROWS: usize = 500;
/// Most documents of a part in another order: finding them may mean looking at all.
const SORTED_ROWS: usize = 5000;
/// Bytes that a part should have at most.
const PART_BYTES: usize = 1 << 20;
/// Bytes that are found at once, in another order.
const SORTED_BYTES: usize = 16 << 20;

/// A reader of documents at one position.
pub(crate) struct Picture {
    engine: Engine,
    shared: Arc<Shared>,
    after: Option<Place>,
    /// Found and not given yet; it is found in larger parts where each means looking at everything.
    pending: VecDeque<Bytes>,
    is_read: bool,
}

struct Shared {
    engine: Engine,
    snapshot: Snapshot,
    number: Option<CollectionId>,
    restriction: Option<Arc<Restriction>>,
    asked: Asked,
    filter: Option<BodyFilter>,
    rows: usize,
}

impl Picture {
    /// One of the newest position.
    pub(crate) fn take(
        engine: &Engine,
        sight: &Sight,
        collection: &str,
        (asked, filter): (&Asked, Option<&BodyFilter>),
    ) -> Result<Self> {
        let snapshot = engine.snapshot();
        let number = snapshot.collections().number(collection);
        let rows = if asked.is_sorted() { SORTED_ROWS } else { PART_ROWS };
        let shared = Shared {
            engine: engine.clone(),
            restriction: sight.restriction(collection),
            asked: asked.clone(),
            filter: filter.cloned(),
            snapshot,
            number,
            rows,
        };
        Ok(Self {
            engine: engine.clone(),
            shared: Arc::new(shared),
            after: None,
            pending: VecDeque::new(),
            is_read: false,
        })
    }

    /// The position.
    pub(crate) fn position(&self) -> u64 {
        self.shared.snapshot.position()
    }

    /// The next documents, encoded, in their order, and whether they are the last.
    pub(crate) async fn next(&mut self) -> Result<(Vec<Bytes>, bool)> {
        if self.pending.is_empty() && !self.is_read {
            let (shared, after) = (Arc::clone(&self.shared), self.after.take());
            let work = move |budget: &Arc<Budget>| shared.read(after.as_ref(), budget);
            let (documents, after) = run(&self.engine, Size::Unknown, work).await?;
            (self.pending, self.is_read) = (documents.into(), after.is_none());
            self.after = after;
        }
        let (mut documents, mut bytes) = (Vec::new(), 0);
        while let Some(document) = self.pending.front() {
            bytes += document.len();
            if bytes > PART_BYTES && !documents.is_empty() {
                break;
            }
            documents.extend(self.pending.pop_front());
        }
        Ok((documents, self.is_read && self.pending.is_empty()))
    }
}

impl Shared {
    fn read(&self, after: Option<&Place>, budget: &Budget) -> Result<(Vec<Bytes>, Option<Place>)> {
        let compiled = self.asked.compile(&self.engine, &self.snapshot, self.number)?;
        let Some(number) = self.number else { return Ok((Vec::new(), None)) };
        let query = Query {
            sort: compiled.sort.as_ref(),
            limit: self.rows,
            part_bytes: if self.asked.is_sorted() { SORTED_BYTES } else { PART_BYTES },
            is_result: false,
            after,
            restriction: self.restriction.as_deref(),
            ..Query::all(&compiled.filter)
        };
        let found = find::find(&self.snapshot, number, &query, budget)?;
        check_pace(self.filter.as_ref(), &found.rows)?;
        let last = found.rows.last().filter(|_| found.more).map(|row| row.place.clone());
        Ok((found.rows.iter().map(find::FoundRow::body_bytes).collect(), last))
    }
}

/// Refuses a filter that takes longer on these documents than one that is followed may: changes of them would not be told.
pub(super) fn check_pace(filter: Option<&BodyFilter>, rows: &[FoundRow]) -> Result<()> {
    let Some(filter) = filter else { return Ok(()) };
    if rows.iter().all(|row| filter.matches_state(row.body(), row.row.changed_ms())) {
        return Ok(());
    }
    let message =
        format!("the filter takes more than {STEPS_MAX} steps on a document; a live query cannot");
    Err(Error::new(ErrorKind::LimitExceeded, "filter_too_slow", message))
}
