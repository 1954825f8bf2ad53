//! The guard: a caller's rights on documents and fields, asked on the writer's thread about the newest state.
//!
//! Guarantees: what the caller cannot read does not exist for its writes; what it can read but not touch is refused; hidden
//! fields can neither be set nor lost.

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::restrict::{FieldRule, Restriction, Subject};
use headwater_engine::value::Raw;
use headwater_engine::write::{Guard, Operation, Touch};
use headwater_engine::{Detail, Error, ErrorKind, Result};

use crate::auth::{Action, Grant};
use crate::collection_name;

/// A grant as the writer asks it.
pub(super) struct GrantGuard {
    grant: Arc<Grant>,
    /// Most bytes of a document, hidden parts included.
    bytes_max: u64,
}

impl GrantGuard {
    pub(super) fn new(grant: Arc<Grant>, bytes_max: u64) -> Self {
        Self { grant, bytes_max }
    }

    /// What the caller sees of a collection; `None`: all of it.
    fn restriction(&self, collection: &str) -> Option<Arc<Restriction>> {
        self.grant.restriction(collection, Action::Read)
    }
}

impl Guard for GrantGuard {
    fn view(
        &self,
        collection: &str,
        touch: Touch,
        current: Subject<'_>,
    ) -> Result<Option<Vec<u8>>> {
        // Entries of the audit trail and the like are the server's own.
        if collection_name::is_system(collection) {
            return Ok(None);
        }
        let restriction = self.restriction(collection);
        let reads = self.grant.allows(collection, Action::Read);
        let is_seen = reads && restriction.as_ref().is_none_or(|seen| seen.admits(current));
        let allowed = self.grant.check_touch(collection, touch, current);
        match allowed {
            // One who may not know that the document is there is told that it is not.
            Err(_) if !is_seen => {
                return Err(Error::not_found("document_not_found", "there is no such document"));
            }
            allowed => allowed?,
        }
        if reads && !is_seen {
            return Err(Error::not_found("document_not_found", "there is no such document"));
        }
        Ok(self.grant.shown_fields(collection).map(|fields| fields.cut(current.body)))
    }

    fn settle(&self, collection: &str, current: Option<Raw<'_>>, wanted: Bytes) -> Result<Bytes> {
        if collection_name::is_system(collection) {
            return Ok(wanted);
        }
        let Some(fields) = self.grant.shown_fields(collection) else {
            return Ok(wanted);
        };
        if let Some(path) = fields.first_hidden(Raw::trusted(&wanted)) {
            let message = format!("the credential does not allow to write `{path}`");
            let error = Error::new(ErrorKind::Forbidden, "field_forbidden", message);
            return Err(error.with("field", path));
        }
        let whole = match current {
            Some(current) => fields.restore(current, Raw::trusted(&wanted))?.into(),
            None => wanted,
        };
        if whole.len() as u64 > self.bytes_max {
            let message = "the document is too large with what is hidden of it";
            return Err(Error::limit("limits.document_bytes", self.bytes_max, message));
        }
        Ok(whole)
    }

    fn check(
        &self,
        collection: &str,
        current: Option<Raw<'_>>,
        settled: Raw<'_>,
        after: Raw<'_>,
    ) -> Result<()> {
        if collection_name::is_system(collection) {
            return Ok(());
        }
        let touch = if current.is_some() { Touch::Update } else { Touch::Create };
        self.grant.check_write(collection, touch, current, Some(after))?;
        // A default may fill in what the caller may not write; a date that is sent back as it was read is the same only
        // once it is converted.
        self.grant.check_written(collection, current, settled).or_else(|error| {
            self.grant.check_written(collection, current, after).map_err(|_| error)
        })
    }
}

/// The field rules under which a refusal is told.
pub(super) fn hidden_fields(grant: &Grant, operations: &[Operation]) -> Vec<Arc<FieldRule>> {
    let collections = operations.iter().filter_map(Operation::collection);
    collections.filter_map(|collection| grant.shown_fields(collection)).collect()
}

/// A refusal without what it says of hidden fields: a schema looks at all of them, and so do unique fields.
pub(super) fn scrubbed(error: Error, hidden: &[Arc<FieldRule>]) -> Error {
    if hidden.is_empty() {
        return error;
    }
    match error.code() {
        "schema_violation" => scrubbed_schema(error, hidden),
        "unique_violation" => scrubbed_unique(error, hidden),
        _ => error,
    }
}

/// The name of an index of a field has the field's.
fn scrubbed_unique(error: Error, hidden: &[Arc<FieldRule>]) -> Error {
    let Some(Detail::Text(field)) = error.detail("field") else { return error };
    if hidden.iter().all(|fields| fields.shows_all_of(field)) {
        return error;
    }
    let message = "another document has the same value of a unique field";
    Error::new(ErrorKind::Conflict, "unique_violation", message)
}

fn scrubbed_schema(error: Error, hidden: &[Arc<FieldRule>]) -> Error {
    let Some(Detail::Text(list)) = error.detail("violations") else { return error };
    let list: Vec<serde_json::Value> = serde_json::from_str(list).unwrap_or_default();
    let is_shown = |violation: &serde_json::Value| {
        let path = violation["path"].as_str().unwrap_or_default();
        !path.is_empty() && hidden.iter().all(|fields| fields.shows_all_of(path))
    };
    let shown: Vec<_> = list.into_iter().filter(is_shown).collect();
    let texts: Vec<&str> = shown.iter().filter_map(|one| one["message"].as_str()).collect();
    let text =
        if texts.is_empty() { "a rule about the whole document".into() } else { texts.join("; ") };
    let message = format!("the document does not satisfy the schema: {text}");
    let list = serde_json::Value::from(shown).to_string();
    Error::new(ErrorKind::Unprocessable, "schema_violation", message).with("violations", list)
}
