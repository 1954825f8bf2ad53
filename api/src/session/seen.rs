//! What of a document that was just written its writer is shown.
//!
//! Guarantees: nothing that the caller may not read, but for what it has just sent itself.

use bytes::Bytes;
use headwater_engine::restrict::Subject;
use headwater_engine::value::{Raw, document};
use headwater_engine::write::{Effect, Outcome};

use super::Session;
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
                    // Whoever may write only what it made, made what it wrote.
                    let written = Subject { body: raw, made_by: &self.principal.id };
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
}
