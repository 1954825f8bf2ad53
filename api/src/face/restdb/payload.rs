//! Webhooks in RestDB.io's form: `{"0": document, "event": {"db", "collection", "method", "payload": [document]}}`.
//!
//! Guarantees: one event, one delivery, so that there is one numbered member; a document has the system fields that
//! RestDB.io's has, from the log. A document that is deleted, erased, or has left its owner's sight is told by its id.
//! Leaves to others: what is seen of an event, order, retries and signatures (the engine).

use std::fmt;
use std::sync::Arc;

use headwater_engine::event_json::shown_document;
use headwater_engine::restrict::Seen;
use headwater_engine::subscribe::BodyProjection;
use headwater_engine::value::{Raw, json};
use headwater_engine::webhook::Form;
use headwater_engine::{Event, EventKind};

use super::system::{self, Told};
use crate::auth::{Access, Actors};
use crate::reply::write_text;

/// The form, as `format` of a webhook names it.
const NAME: &str = "restdb";
/// What a document is told with.
const TOLD: [Told; 5] =
    [Told::Version, Told::Created, Told::CreatedBy, Told::Changed, Told::ChangedBy];

/// RestDB.io's form of deliveries.
pub(crate) struct Payload {
    database: String,
    actors: Arc<Actors>,
}

impl Payload {
    /// For a database of that name.
    pub(crate) fn new(database: &str, access: &Access) -> Self {
        Self { database: database.to_owned(), actors: Arc::clone(access.actors()) }
    }

    /// A document or an id, once.
    fn subject(
        &self,
        event: &Event<'_>,
        seen: &Seen,
        projection: Option<&BodyProjection>,
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(event.body_bytes as usize * 2 + 200);
        if let Some(document) = shown_document(event, seen, projection) {
            let document = (event, Raw::trusted(&document));
            system::write_document(document, &self.actors, &TOLD, &mut out);
            return out;
        }
        let subject = match event.kind {
            EventKind::EventPublished => event.body().and_then(|body| body.get("data")),
            EventKind::WebhookDisabled => event.body(),
            _ => event.id(),
        };
        match subject {
            Some(subject) => json::write(subject, &mut out),
            None => out.extend_from_slice(b"null"),
        }
        out
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").field("database", &self.database).finish_non_exhaustive()
    }
}

impl Form for Payload {
    fn name(&self) -> &'static str {
        NAME
    }

    fn write(
        &self,
        event: &Event<'_>,
        seen: &Seen,
        projection: Option<&BodyProjection>,
        out: &mut Vec<u8>,
    ) {
        let subject = self.subject(event, seen, projection);
        out.extend_from_slice(b"{\"0\":");
        out.extend_from_slice(&subject);
        out.extend_from_slice(b",\"event\":{\"db\":");
        write_text(&self.database, out);
        out.extend_from_slice(b",\"collection\":");
        write_text(event.collection, out);
        out.extend_from_slice(b",\"method\":\"");
        out.extend_from_slice(method(event.kind, seen).as_bytes());
        out.push(b'"');
        if event.kind == EventKind::EventPublished {
            let name = event.body().and_then(|body| body.get("event")).and_then(Raw::as_str);
            out.extend_from_slice(b",\"event\":");
            write_text(name.unwrap_or_default(), out);
        }
        out.extend_from_slice(b",\"payload\":[");
        out.extend_from_slice(&subject);
        out.extend_from_slice(b"]}}");
    }
}

/// The method that makes such an event. The log does not know whether a change was asked for by PUT or by PATCH.
fn method(kind: EventKind, seen: &Seen) -> &'static str {
    match kind {
        _ if *seen == Seen::Gone => "DELETE",
        EventKind::DocumentCreated => "POST",
        EventKind::DocumentUpdated => "PUT",
        EventKind::DocumentDeleted | EventKind::DocumentErased => "DELETE",
        EventKind::EventPublished | EventKind::RequestRecorded | EventKind::WebhookDisabled => {
            "PUBLISH"
        }
    }
}
