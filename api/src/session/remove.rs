//! Deletions of several documents by their ids.
//!
//! Guarantees: all that are there or none; what is not there, may not be seen or no longer matches is passed over, and is
//! not among the ids that come back.

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::value::document::IdRule;
use headwater_engine::value::{Object, Raw};
use headwater_engine::write::{Effect, Operation};

use super::by_filter::check_count;
use super::{Session, asked, target};
use crate::auth::Action;
use crate::error::ApiError;

/// What was deleted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Removed {
    /// The ids, encoded, in the order in which they were asked for.
    pub(crate) ids: Vec<Bytes>,
    /// The position of what was committed.
    pub(crate) position: u64,
}

impl Session {
    /// Deletes the documents with these ids, encoded, as far as they match an encoded filter (`None`: whatever they hold).
    pub(crate) async fn remove(
        &self,
        collection: &str,
        ids: &[Vec<u8>],
        filter: Option<&[u8]>,
    ) -> Result<Removed, ApiError> {
        self.check(collection, Action::Delete)?;
        let snapshot = self.engine.snapshot();
        let number = self.number(&snapshot, collection)?;
        let empty = Object::new().to_bytes();
        let filter = filter.unwrap_or(&empty);
        let only_if = asked::filter(Some(filter), &self.engine, &snapshot, number)?;
        let name: Arc<str> = Arc::from(collection);
        let mut operations = Vec::with_capacity(ids.len());
        for id in ids {
            check_count(&self.engine, operations.len())?;
            operations.push(Operation::Delete {
                collection: Arc::clone(&name),
                id: target::from_raw(Raw::trusted(id), IdRule::Typed, self.engine.limits())?,
                if_version: None,
                only_if: Some(Arc::clone(&only_if)),
            });
        }
        if operations.is_empty() {
            return Ok(Removed { ids: Vec::new(), position: snapshot.position() });
        }
        let committed = self.commit(operations, None).await?;
        let deleted = committed.outcomes.into_iter().filter(|one| one.effect == Effect::Deleted);
        Ok(Removed { ids: deleted.map(|one| one.id).collect(), position: committed.position })
    }
}
