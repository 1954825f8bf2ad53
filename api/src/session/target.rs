//! Which document a path segment or an id in a body means.

use headwater_engine::limits::Limits;
use headwater_engine::value::document::{self, IdRule};
use headwater_engine::value::{Raw, key};
use headwater_engine::view::{CollectionId, Row, Snapshot};
use headwater_engine::write::DocumentId;
use headwater_engine::{Error, Result};

/// The ids that a path segment can mean, in the order to try them; at least one.
pub(super) fn candidates(segment: &str, limits: &Limits) -> Result<Vec<DocumentId>> {
    let mut found = Vec::with_capacity(1);
    for raw in document::parse_path_id(segment) {
        found.push(with_key(raw, limits)?);
    }
    Ok(found)
}

/// The id in a body.
pub(crate) fn from_raw(raw: Raw<'_>, rule: IdRule, limits: &Limits) -> Result<DocumentId> {
    with_key(document::read_id(raw, rule)?, limits)
}

fn with_key(raw: Vec<u8>, limits: &Limits) -> Result<DocumentId> {
    let id_key = key::encode(Raw::trusted(&raw));
    document::check_id_key(&id_key, limits)?;
    Ok(DocumentId { raw: raw.into(), key: id_key.into() })
}

/// The first candidate that is there, with its row.
pub(super) fn find(
    snapshot: &Snapshot,
    number: CollectionId,
    candidates: Vec<DocumentId>,
) -> Result<Option<(DocumentId, Row)>> {
    for id in candidates {
        if let Some(row) = snapshot.get(number, &id.key)? {
            return Ok(Some((id, row)));
        }
    }
    Ok(None)
}

/// The document that a write to a path segment is for: the first candidate that is there, else the first.
pub(super) fn choose(
    snapshot: &Snapshot,
    collection: &str,
    mut candidates: Vec<DocumentId>,
) -> Result<DocumentId> {
    if candidates.len() > 1
        && let Some(number) = snapshot.collections().number(collection)
    {
        for (index, id) in candidates.iter().enumerate() {
            if snapshot.get(number, &id.key)?.is_some() {
                return Ok(candidates.swap_remove(index));
            }
        }
    }
    candidates.truncate(1);
    candidates.pop().ok_or_else(|| Error::internal("a path segment means no id"))
}
