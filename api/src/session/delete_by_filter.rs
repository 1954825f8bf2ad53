//! Deletions by filter: what matches is found on a snapshot, and looked at again by the writer.
//!
//! Guarantees: all documents or none; a document that no longer matches when its turn comes is left alone; a deletion of
//! one document goes on to the next that matches.

use std::sync::Arc;

use headwater_engine::query::Budget;
use headwater_engine::query::find;
use headwater_engine::restrict::Restriction;
use headwater_engine::view::{CollectionId, Snapshot};
use headwater_engine::write::{Operation, Touch};
use headwater_engine::{Engine, Result};

use super::by_filter::{ATTEMPTS, Affected, came_in_between, check_count, contended, id_of};
use super::run::{Size, run};
use super::{RequestKey, Session, asked};
use crate::auth::Action;
use crate::error::ApiError;

impl Session {
    /// Deletes what an encoded filter finds: all of it, or the first.
    pub(crate) async fn delete_by_filter(
        &self,
        collection: &str,
        (filter, multi): (Vec<u8>, bool),
        key: Option<RequestKey>,
    ) -> Result<Affected, ApiError> {
        self.check(collection, Action::Delete)?;
        let restriction = self.choice(collection, &filter, Touch::Delete)?;
        if let Some(committed) = self.answered_before(key.as_ref()).await? {
            return Ok(Affected::of(&committed));
        }
        let size = if asked::is_light(&filter) { Size::Unknown } else { Size::Large };
        let (name, filter): (Arc<str>, Arc<[u8]>) = (Arc::from(collection), Arc::from(filter));
        for _ in 0..ATTEMPTS {
            let snapshot = self.engine.snapshot();
            let number = self.number(&snapshot, collection)?;
            let (engine, name, filter) =
                (self.engine.clone(), Arc::clone(&name), Arc::clone(&filter));
            let restriction = restriction.clone();
            let plan = move |budget: &Arc<Budget>| {
                let planner = Planner { engine: &engine, snapshot: &snapshot, number, multi };
                planner.operations(&name, (&filter, restriction.clone()), budget)
            };
            let operations = run(&self.engine, size, plan).await?;
            match self.commit(operations, key.clone()).await {
                Ok(committed) => return Ok(Affected::of(&committed)),
                Err(error) if !multi && came_in_between(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended(collection).into())
    }
}

struct Planner<'a> {
    engine: &'a Engine,
    snapshot: &'a Snapshot,
    number: Option<CollectionId>,
    multi: bool,
}

impl Planner<'_> {
    fn operations(
        &self,
        collection: &Arc<str>,
        (filter, restriction): (&[u8], Option<Arc<Restriction>>),
        budget: &Budget,
    ) -> Result<Vec<Operation>> {
        let filter = asked::filter(Some(filter), self.engine, self.snapshot, self.number)?;
        let mut operations = Vec::new();
        let Some(number) = self.number else { return Ok(operations) };
        let asked = Arc::clone(&filter);
        for found in find::stream(self.snapshot, number, asked, restriction, None, budget)? {
            check_count(self.engine, operations.len())?;
            let found = found?;
            // One document is held to the version that matched: if it changed, the next look decides.
            operations.push(Operation::Delete {
                collection: Arc::clone(collection),
                id: id_of(&found)?,
                if_version: (!self.multi).then(|| found.row.version()),
                only_if: self.multi.then(|| Arc::clone(&filter)),
            });
            if !self.multi {
                break;
            }
        }
        Ok(operations)
    }
}
