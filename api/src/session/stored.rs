//! Documents with what the engine knows of them: who made them, when, in which version.
//!
//! Guarantees: what is said of a document that was just written is said of that very version, also where another was
//! written since.

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::Result;
use headwater_engine::fields::Fields;
use headwater_engine::restrict::{Metadata, ShowActor};
use headwater_engine::value::{Object, Raw, Value, key};
use headwater_engine::view::{Row, Snapshot};
use headwater_engine::write::{Committed, Effect, Outcome};

use super::Session;
use crate::collection_name;
use crate::error::ApiError;

impl Session {
    /// The typed fields of a collection that the caller sees, which is refused where it is not there.
    pub(crate) fn existing(&self, collection: &str) -> Result<Option<Arc<Fields>>, ApiError> {
        let found = self.engine.snapshot().collection(collection);
        let found = found.ok_or_else(|| collection_name::not_found(collection))?;
        Ok(found.fields.clone().map(|fields| self.seen_of(collection, fields)))
    }

    /// The typed fields of a collection that the caller sees, if it has any.
    pub(crate) fn fields(&self, collection: &str) -> Option<Arc<Fields>> {
        let fields = self.engine.snapshot().collections().fields(collection)?;
        Some(self.seen_of(collection, fields))
    }

    /// Fields without those that are hidden: they are as if they were not there.
    fn seen_of(&self, collection: &str, fields: Arc<Fields>) -> Arc<Fields> {
        match self.grant.shown_fields(collection) {
            None => fields,
            Some(rule) => Arc::new(fields.only(|name| rule.shows_some_of(name))),
        }
    }

    /// A filter in which what is compared with typed fields is as those would take it.
    pub(crate) fn typed(fields: Option<&Fields>, filter: Object) -> Object {
        let Some(fields) = fields else { return filter };
        match Raw::trusted(&fields.typed_filter(Raw::trusted(&filter.to_bytes()))).to_value() {
            Value::Object(typed) => typed,
            _ => filter,
        }
    }

    /// Shows a user by its e-mail address, and every other actor as `other`.
    pub(crate) fn show_users(&self, other: &'static str) -> Arc<ShowActor> {
        let actors = Arc::clone(&self.actors);
        Arc::new(move |actor: &str| actors.show(actor, other))
    }

    /// The documents of a write as their writer may see them, with what the engine knows of each.
    pub(crate) fn written_with(
        &self,
        collection: &str,
        committed: &Committed,
        metadata: &Metadata,
    ) -> Result<Vec<Bytes>> {
        let snapshot = self.engine.snapshot();
        let with = |outcome: &Outcome| {
            let body = self.written(collection, outcome)?;
            // Whoever is shown nothing but the id is not told when and by whom either.
            let is_shown = self.grant.is_full()
                || outcome.effect == Effect::Created
                || Raw::trusted(&body).member_count() > 1;
            if !is_shown {
                return Some(Ok(body));
            }
            let row = match row_of(&snapshot, collection, outcome) {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            };
            Some(Ok(row.map_or_else(
                || body.clone(),
                |row| metadata.added(&row, Raw::trusted(&body)).into(),
            )))
        };
        committed.outcomes.iter().filter_map(with).collect()
    }
}

/// The row of a document in the state that a write gave it.
pub(super) fn row_of(
    snapshot: &Snapshot,
    collection: &str,
    outcome: &Outcome,
) -> Result<Option<Row>> {
    let Some(number) = snapshot.collections().number(collection) else { return Ok(None) };
    let id_key = key::encode(Raw::trusted(&outcome.id));
    match snapshot.get(number, &id_key)? {
        Some(row) if row.version() == outcome.version => Ok(Some(row)),
        _ => snapshot.get_at(number, &id_key, outcome.position),
    }
}
