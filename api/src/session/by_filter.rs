//! What writes by filter have in common: their targets, what came of them, when they are tried again.
//!
//! Guarantees: what is counted comes from the outcomes alone, so that a repetition under an idempotency key is counted
//! as the first time was.

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::query::find::FoundRow;
use headwater_engine::restrict::Restriction;
use headwater_engine::value::{Raw, document};
use headwater_engine::write::{Committed, DocumentId, Effect, Touch};
use headwater_engine::{Engine, Error, ErrorKind, Result};

use super::{Session, asked};
use crate::error::ApiError;

/// How often a write of one document is tried that others change at the same time.
pub(super) const ATTEMPTS: usize = 10;

/// The code of the refusal of a document that no longer matches.
pub(super) const NO_LONGER_MATCHES: &str = "no_longer_matches";

/// What came of a write by filter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Affected {
    /// Documents that matched when they were written.
    pub(crate) matched: u64,
    /// Those of them that changed.
    pub(crate) modified: u64,
    /// Those that were removed.
    pub(crate) deleted: u64,
    /// The id of the document that was made because none matched; encoded.
    pub(crate) upserted_id: Option<Bytes>,
    /// What was committed.
    pub(crate) position: u64,
    /// Whether this repeats an earlier answer.
    pub(crate) repeated: bool,
}

impl Affected {
    /// Counts the outcomes of a command.
    pub(super) fn of(committed: &Committed) -> Self {
        let Committed { outcomes, position, repeated } = committed;
        let mut affected = Self { position: *position, repeated: *repeated, ..Self::default() };
        for outcome in outcomes {
            match outcome.effect {
                Effect::Updated => {
                    affected.matched += 1;
                    affected.modified += 1;
                }
                Effect::Unchanged => affected.matched += 1,
                Effect::Deleted => affected.deleted += 1,
                Effect::Created => affected.upserted_id = Some(outcome.id.clone()),
                Effect::Skipped | Effect::Published | Effect::Erased => {}
            }
        }
        affected
    }
}

impl Session {
    /// Among which documents a write by filter chooses: those that the caller may see and touch. A filter tells what is in
    /// documents, so it needs the right to read, unless it is by `_id` alone.
    pub(super) fn choice(
        &self,
        collection: &str,
        filter: &[u8],
        touch: Touch,
    ) -> Result<Option<Arc<Restriction>>, ApiError> {
        let filter = Raw::trusted(filter);
        let by_id_alone = filter.object_iter().all(|(name, _)| name == document::ID);
        if !by_id_alone {
            self.check_query(collection, asked::searches(filter))?;
        }
        if self.grant.is_full() || !self.grant.is_guarded(collection) {
            return Ok(None);
        }
        let fields = self.grant.shown_fields(collection);
        let filter = self.grant.choosable(collection, touch);
        let made_by = self.grant.maker(collection);
        Ok(Some(Arc::new(Restriction { made_by, filter, fields, metadata: None })))
    }
}

/// The id of a document that was found.
pub(super) fn id_of(found: &FoundRow) -> Result<DocumentId> {
    let id = found.row.body().get(document::ID);
    let id = id.ok_or_else(|| Error::internal("a stored document has no _id"))?;
    Ok(DocumentId {
        raw: Bytes::copy_from_slice(Raw::as_bytes(id)),
        key: Bytes::copy_from_slice(&found.place.id_key),
    })
}

/// Refuses one document more than a command may have.
pub(super) fn check_count(engine: &Engine, count: usize) -> Result<()> {
    let max = engine.limits().batch_documents;
    if count < max as usize {
        return Ok(());
    }
    let message = format!(
        "more than {max} documents match (limits.batch_documents); narrow the filter and repeat"
    );
    Err(Error::limit("limits.batch_documents", u64::from(max), message))
}

/// Whether another writer came in between, so that looking again helps.
pub(super) fn came_in_between(error: &Error) -> bool {
    error.code() == NO_LONGER_MATCHES
        || matches!(error.kind(), ErrorKind::NotFound | ErrorKind::VersionMismatch)
}

/// What is answered where others are always faster.
pub(super) fn contended(collection: &str) -> Error {
    let message = format!(
        "the document of `{collection}` was changed by others {ATTEMPTS} times in between; try again"
    );
    Error::unavailable("write_contended", message)
}
