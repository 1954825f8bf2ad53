//! Pipelines over a snapshot: what the first stages ask of an index, and where the others find other collections.
//!
//! Guarantees: every stage sees the same snapshot; what does not fit into memory goes to files without a name, in the
//! data directory's own file system. A stage is given only what the caller may see of a collection, its own or another:
//! there is no other way to documents than `documents` and `input`, and both ask for the restriction.
//! Leaves to others: which collections may be read (the access layer asks [`Pipeline::collections`] first), and who is
//! restricted how.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::aggregate::{Collections, Documents, Pipeline, Prefix};
use super::find::{self, Query};
use super::{Budget, Context, Filter, Trust};
use crate::error::Result;
use crate::limits::Limits;
use crate::restrict::Restriction;
use crate::value::{Object, Raw};
use crate::view::{CollectionId, Snapshot};

/// Windows of a sort up to this are found as one.
const WINDOW_MAX: usize = 10_000;

/// What may be seen of a collection; `None`: all of it.
pub type Restrictions = dyn Fn(&str) -> Option<Arc<Restriction>> + Send + Sync;

/// One snapshot's collections.
pub struct SnapshotCollections {
    snapshot: Arc<Snapshot>,
    /// The position to look at, where it is not the snapshot's own.
    at: Option<u64>,
    limits: Limits,
    budget: Arc<Budget>,
    folder: PathBuf,
    now_ms: i64,
    restrictions: Option<Arc<Restrictions>>,
}

impl SnapshotCollections {
    /// The collections of `snapshot`; files go to `folder`.
    pub fn new(
        snapshot: Arc<Snapshot>,
        at: Option<u64>,
        limits: Limits,
        budget: Arc<Budget>,
        folder: PathBuf,
    ) -> Self {
        Self { snapshot, at, limits, budget, folder, now_ms: 0, restrictions: None }
    }

    /// The same at the time of a request, UTC ms: what `$$NOW` is in filters.
    #[must_use]
    pub fn now(mut self, now_ms: i64) -> Self {
        self.now_ms = now_ms;
        self
    }

    /// The same for a caller who may not see everything.
    #[must_use]
    pub fn restricted(mut self, restrictions: Arc<Restrictions>) -> Self {
        self.restrictions = Some(restrictions);
        self
    }

    fn filter(&self, filter: Option<Raw<'_>>) -> Result<Filter> {
        let empty = Object::new().to_bytes();
        let filter = filter.unwrap_or(Raw::trusted(&empty));
        let limits =
            Limits { query_clauses: u32::MAX, query_in_values: u32::MAX, ..self.limits.clone() };
        Filter::parse(
            filter,
            &Context { limits: &limits, now_ms: self.now_ms, trust: Trust::Ordinary },
        )
    }

    fn restriction(&self, collection: &str) -> Option<Arc<Restriction>> {
        self.restrictions.as_ref().and_then(|restrictions| restrictions(collection))
    }

    fn number(&self, collection: &str) -> Result<Option<CollectionId>> {
        match self.at {
            Some(position) => self.snapshot.collection_at(collection, position),
            None => Ok(self.snapshot.collections().number(collection)),
        }
    }
}

impl Collections for SnapshotCollections {
    fn documents(&self, collection: &str, filter: Option<Raw<'_>>) -> Result<Documents<'_>> {
        let Some(number) = self.number(collection)? else {
            return Ok(Box::new(std::iter::empty()));
        };
        let filter = Arc::new(find::bind(self.filter(filter)?, &self.snapshot, Some(number))?);
        let (at, restriction) = (self.at, self.restriction(collection));
        let found = find::stream(&self.snapshot, number, filter, restriction, at, &self.budget)?;
        Ok(Box::new(found.map(|found| Ok(found?.body_bytes()))))
    }

    fn spill(&self) -> Option<std::io::Result<std::fs::File>> {
        Some(tempfile::tempfile_in(&self.folder))
    }
}

/// Runs a pipeline over a collection, of which there may be none; `each` is given every document of the result.
pub fn aggregate(
    pipeline: &Pipeline,
    own: &Arc<SnapshotCollections>,
    collection: &str,
    each: &mut dyn FnMut(&Bytes) -> Result<()>,
) -> Result<()> {
    let others: Arc<dyn Collections> = Arc::<SnapshotCollections>::clone(own);
    let prefix = pipeline.prefix();
    let number = if pipeline.reads_no_input() { None } else { own.number(collection)? };
    let (consumed, input): (usize, Documents<'_>) = match number {
        None => (0, Box::new(std::iter::empty())),
        Some(number) => own.input(number, collection, &prefix)?,
    };
    for document in pipeline.run_after(consumed, input, &others, &own.budget)? {
        each(&document?)?;
    }
    Ok(())
}

impl SnapshotCollections {
    /// What the first stages let through, and how many of them that were.
    fn input(
        &self,
        number: CollectionId,
        collection: &str,
        prefix: &Prefix<'_>,
    ) -> Result<(usize, Documents<'_>)> {
        let restriction = self.restriction(collection);
        let filter = self.filter(prefix.filter.as_deref().map(Raw::trusted))?;
        let filter = Arc::new(find::bind(filter, &self.snapshot, Some(number))?);
        let limit = prefix.limit.and_then(|limit| usize::try_from(limit).ok());
        if let (Some(sort), Some(limit)) = (prefix.sort, limit.filter(|limit| *limit <= WINDOW_MAX))
        {
            let all = Query::all(&filter);
            let restriction = restriction.as_deref();
            let query = Query {
                sort: Some(sort),
                limit,
                at: self.at,
                is_result: false,
                part_bytes: usize::MAX,
                restriction,
                ..all
            };
            let found = find::find(&self.snapshot, number, &query, &self.budget)?;
            let documents = found.rows.into_iter().map(|found| Ok(found.body_bytes()));
            return Ok((prefix.consumed, Box::new(documents)));
        }
        let at = self.at;
        let found = find::stream(&self.snapshot, number, filter, restriction, at, &self.budget)?;
        Ok((prefix.after_filter, Box::new(found.map(|found| Ok(found?.body_bytes())))))
    }
}
