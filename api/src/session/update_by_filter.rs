//! Updates by filter: what matches is found on a snapshot, and looked at again by the writer.
//!
//! Guarantees: all documents or none; a document that no longer matches when it is written is left alone; an update of
//! one document goes on to the next that matches. New states are computed off the writer's thread, and computed again
//! there only for documents that changed in between.

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::query::find::{self, FoundRow};
use headwater_engine::query::update::BoundUpdate;
use headwater_engine::query::{Budget, Filter, Trust, Update};
use headwater_engine::restrict::Restriction;
use headwater_engine::value::Raw;
use headwater_engine::value::document::{self, IdRule};
use headwater_engine::view::{CollectionId, Snapshot};
use headwater_engine::write::{Absent, Change, DocumentId, Operation, Touch};
use headwater_engine::{Engine, Error, ErrorKind, Result};

use super::by_filter::{
    ATTEMPTS, Affected, NO_LONGER_MATCHES, came_in_between, check_count, contended, id_of,
};
use super::run::{Size, run};
use super::{RequestKey, Session, asked};
use crate::auth::Action;
use crate::error::ApiError;

/// Creates that are tried before the refusal of one is the answer.
const CREATES: usize = 3;

/// An update by filter; its parts are encoded.
#[derive(Clone, Debug)]
pub(crate) struct UpdateRequest {
    /// Which documents.
    pub(crate) filter: Vec<u8>,
    /// What becomes of them.
    pub(crate) update: Vec<u8>,
    /// What `$[name]` stands for.
    pub(crate) array_filters: Option<Vec<u8>>,
    /// Whether all of them, or the first.
    pub(crate) multi: bool,
    /// Whether one is made where there is none.
    pub(crate) upsert: bool,
}

impl Session {
    /// Updates what a filter finds.
    pub(crate) async fn update_by_filter(
        &self,
        collection: &str,
        request: UpdateRequest,
        key: Option<RequestKey>,
    ) -> Result<Affected, ApiError> {
        self.check(collection, Action::Update)?;
        if request.upsert {
            self.check(collection, Action::Create)?;
        }
        let restriction = self.choice(collection, &request.filter, Touch::Update)?;
        if let Some(committed) = self.answered_before(key.as_ref()).await? {
            return Ok(Affected::of(&committed));
        }
        let stages = Raw::trusted(&request.update).as_array().is_some();
        let light = !stages && asked::is_light(&request.filter) && asked::is_light(&request.update);
        let size = if light { Size::Unknown } else { Size::Large };
        let (name, request): (Arc<str>, _) = (Arc::from(collection), Arc::new(request));
        let mut creates = 0;
        for _ in 0..ATTEMPTS {
            let snapshot = self.engine.snapshot();
            let number = self.number(&snapshot, collection)?;
            let (engine, request, name) =
                (self.engine.clone(), Arc::clone(&request), Arc::clone(&name));
            let restriction = restriction.clone();
            let plan = move |budget: &Arc<Budget>| {
                let place = (number, restriction.clone());
                let planner = Planner::new(&engine, &snapshot, place, &request)?;
                planner.operations(&name, budget)
            };
            let operations = run(&self.engine, size, plan).await?;
            let is_create = matches!(operations.first(), Some(Operation::Create { .. }));
            creates += usize::from(is_create);
            match self.commit(operations, key.clone()).await {
                Ok(committed) => return Ok(Affected::of(&committed)),
                // What another made in between may match now.
                Err(error)
                    if is_create && error.kind() == ErrorKind::Conflict && creates < CREATES => {}
                Err(error) if !is_create && came_in_between(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended(collection).into())
    }
}

/// A compiled update over a snapshot.
struct Planner<'a> {
    engine: &'a Engine,
    snapshot: &'a Snapshot,
    number: Option<CollectionId>,
    restriction: Option<Arc<Restriction>>,
    request: &'a UpdateRequest,
    filter: Arc<Filter>,
    bound: Arc<BoundUpdate>,
}

impl<'a> Planner<'a> {
    fn new(
        engine: &'a Engine,
        snapshot: &'a Snapshot,
        (number, restriction): (Option<CollectionId>, Option<Arc<Restriction>>),
        request: &'a UpdateRequest,
    ) -> Result<Self> {
        let filter = asked::filter(Some(&request.filter), engine, snapshot, number)?;
        let context = asked::context(engine, Trust::Ordinary);
        let array_filters = request.array_filters.as_deref().map(Raw::trusted);
        let update = Update::parse(Raw::trusted(&request.update), array_filters, &context)?;
        if request.multi && update.is_replacement() {
            let message = "a whole new document cannot replace several: use operators, or one";
            return Err(Error::invalid("replacement_with_multi", message));
        }
        let bound =
            Arc::new(BoundUpdate { update: Arc::new(update), filter: Some(Arc::clone(&filter)) });
        Ok(Self { engine, snapshot, number, restriction, request, filter, bound })
    }

    fn operations(&self, collection: &Arc<str>, budget: &Budget) -> Result<Vec<Operation>> {
        let mut operations = Vec::new();
        if let Some(number) = self.number {
            let filter = Arc::clone(&self.filter);
            let restriction = self.restriction.clone();
            for found in find::stream(self.snapshot, number, filter, restriction, None, budget)? {
                check_count(self.engine, operations.len())?;
                operations.push(self.change(collection, &found?, budget)?);
                if !self.request.multi {
                    break;
                }
            }
        }
        if operations.is_empty() && self.request.upsert {
            operations.push(self.create(collection)?);
        }
        Ok(operations)
    }

    fn change(
        &self,
        collection: &Arc<str>,
        found: &FoundRow,
        budget: &Budget,
    ) -> Result<Operation> {
        budget.check()?;
        let seen = found.body_bytes();
        let new = self.bound.update.apply(Raw::trusted(&seen), Some(&self.filter))?;
        let bytes = seen.len() + new.len();
        let foreseen = if budget.has_memory(bytes) {
            budget.take_memory(bytes)?;
            Some((seen, new))
        } else {
            None
        };
        let bound = Arc::clone(&self.bound);
        let is_only = !self.request.multi;
        Ok(Operation::Change {
            collection: Arc::clone(collection),
            id: id_of(found)?,
            change: Arc::new(Foreseen { foreseen, bound, is_only }),
            if_version: None,
            absent: if is_only { Absent::Refuse } else { Absent::Skip },
        })
    }

    fn create(&self, collection: &Arc<str>) -> Result<Operation> {
        let document = self.bound.update.upsert(&self.filter, self.engine.new_id())?;
        let new_id = || self.engine.new_id();
        let limits = self.engine.limits();
        let prepared = document::prepare(document, IdRule::Typed, limits, new_id)?;
        Ok(Operation::Create {
            collection: Arc::clone(collection),
            id: DocumentId { raw: prepared.id.into(), key: prepared.id_key.into() },
            body: prepared.bytes.into(),
        })
    }
}

/// An update whose result is known already, if the document is still as it was.
struct Foreseen {
    /// A state, and what becomes of it.
    foreseen: Option<(Bytes, Vec<u8>)>,
    bound: Arc<BoundUpdate>,
    /// Whether it is the only document: then another one is looked for if this one no longer matches.
    is_only: bool,
}

impl Change for Foreseen {
    fn apply(&self, current: Raw<'_>) -> Result<Option<Vec<u8>>> {
        if let Some((seen, new)) = &self.foreseen
            && seen.as_ref() == current.as_bytes()
        {
            return Ok(Some(new.clone()));
        }
        match self.bound.apply(current)? {
            None if self.is_only => {
                let message = "the document no longer matches the filter";
                Err(Error::new(ErrorKind::Conflict, NO_LONGER_MATCHES, message))
            }
            changed => Ok(changed),
        }
    }
}
