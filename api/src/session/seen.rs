//! What of a document that was just written its writer is shown.
//!
//! Guarantees: nothing that the caller may not read, but for what it has just sent itself.

use bytes::Bytes;
use headwater_engine::restrict::{Restriction, Subject};
use headwater_engine::value::{Raw, document};
use headwater_engine::view::Row;
use headwater_engine::write::{Effect, Outcome};

use super::Session;
use super::stored::row_of;
use crate::auth::Action;

impl Session {
    /// The body of a written document as its writer may see it; `None` where there is none.
    pub(crate) fn written(&self, collection: &str, outcome: &Outcome) -> Option<Bytes> {
        let body = outcome.body.as_ref()?;
        if self.grant.is_full() {
            return Some(body.clone());
        }
        let raw = Raw::trusted(body);
        if self.grant.allows(collection, Action::Read) {
            match self.restriction(collection, Action::Read) {
                None => return Some(body.clone()),
                Some(restriction) => {
                    let row = self.maker_of(collection, outcome, &restriction);
                    let made_by = row.as_ref().map_or("", Row::created_by);
                    let written = Subject { body: raw, made_by };
                    if let Some(view) = restriction.view(written) {
                        return Some(Bytes::copy_from_slice(&view));
                    }
                }
            }
        }
        // What it has made itself it knows; of what was there before, only the id.
        if outcome.effect != Effect::Created {
            return Some(document::id_alone(raw).into());
        }
        Some(match self.grant.shown_fields(collection) {
            Some(fields) => fields.cut(raw).into(),
            None => body.clone(),
        })
    }

    /// The row of what was written, where it matters who made it: what is answered again may be an earlier write of other
    /// rights.
    fn maker_of(
        &self,
        collection: &str,
        outcome: &Outcome,
        restriction: &Restriction,
    ) -> Option<Row> {
        restriction.made_by.as_ref()?;
        row_of(&self.engine.snapshot(), collection, outcome).unwrap_or_else(|error| {
            tracing::warn!(%error, "a document that was written could not be read");
            None
        })
    }
}
