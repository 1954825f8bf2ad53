//! The frames of realtime: `post`, `put`, `delete`, `publish` and `ping`.
//!
//! Guarantees: a document that is told of has the system fields that the answer to its creation has, and no member that
//! passes for one; what was erased is told of by its id at most.

use std::sync::Arc;

use headwater_engine::event_json::shown_document;
use headwater_engine::restrict::Seen;
use headwater_engine::value::{Raw, date, json};
use headwater_engine::{Engine, Event, EventKind};

use super::super::system::{self, Told, write_time};
use crate::auth::{Access, Actors};
use crate::reply::write_text;
use crate::stream::EventEncoder;

/// What a new document is told with: the same as in the answer to its creation.
const TOLD: [Told; 4] = [Told::Created, Told::Changed, Told::CreatedBy, Told::ChangedBy];

/// Tells in the words of RestDB.io.
pub(super) struct Realtime {
    engine: Engine,
    actors: Arc<Actors>,
}

impl Realtime {
    pub(super) fn new(engine: &Engine, access: &Access) -> Self {
        Self { engine: engine.clone(), actors: Arc::clone(access.actors()) }
    }

    /// A new document, as far as it is shown.
    fn post(&self, event: &Event<'_>, seen: &Seen, out: &mut Vec<u8>) -> bool {
        let Some(document) = shown_document(event, seen, None) else { return false };
        let document = (event, Raw::trusted(&document));
        write(event, "post", out, |out| {
            system::write_document(document, &self.actors, &TOLD, out);
        });
        true
    }
}

impl EventEncoder for Realtime {
    fn name(&self) -> &'static str {
        "restdb"
    }

    fn encode(&self, event: &Event<'_>, seen: &Seen, out: &mut Vec<u8>) -> bool {
        match event.kind {
            EventKind::DocumentCreated => self.post(event, seen, out),
            EventKind::DocumentUpdated if *seen != Seen::Gone => put(event, out),
            EventKind::DocumentUpdated | EventKind::DocumentDeleted | EventKind::DocumentErased => {
                delete(event, out)
            }
            EventKind::EventPublished => publish(event, out),
            EventKind::RequestRecorded | EventKind::WebhookDisabled => false,
        }
    }

    fn sign(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: ping\ndata: ");
        let now = i64::try_from(self.engine.clock().now_ms()).unwrap_or(i64::MAX);
        date::write_ms(now, out);
        out.push(b'\n');
    }
}

/// A changed document: its id alone.
fn put(event: &Event<'_>, out: &mut Vec<u8>) -> bool {
    let Some(id) = event.id() else { return false };
    write(event, "put", out, |out| json::write(id, out));
    true
}

/// A document that is gone, or that the caller does not see any more: a list of its id.
fn delete(event: &Event<'_>, out: &mut Vec<u8>) -> bool {
    let Some(id) = event.id() else { return false };
    write(event, "delete", out, |out| {
        out.push(b'[');
        json::write(id, out);
        out.push(b']');
    });
    true
}

/// A custom event: its own name is the `event` of the data, as the generated client compares it.
fn publish(event: &Event<'_>, out: &mut Vec<u8>) -> bool {
    let Some(body) = event.body() else { return false };
    let name = body.get("event").and_then(Raw::as_str).unwrap_or_default();
    let content = body.get("data").unwrap_or(Raw::NULL);
    write_as(event, ("publish", name), out, |out| json::write(content, out));
    true
}

/// The lines of a document's frame.
fn write(event: &Event<'_>, word: &str, out: &mut Vec<u8>, data: impl FnOnce(&mut Vec<u8>)) {
    write_as(event, (word, word), out, data);
}

/// The lines of a frame: the word of its stream, and the name in its data.
fn write_as(
    event: &Event<'_>,
    (word, name): (&str, &str),
    out: &mut Vec<u8>,
    data: impl FnOnce(&mut Vec<u8>),
) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(word.as_bytes());
    out.extend_from_slice(b"\ndata: {\"ts\":");
    write_time(event.time_ms, out);
    out.extend_from_slice(b",\"event\":");
    write_text(name, out);
    if event.kind != EventKind::EventPublished {
        out.extend_from_slice(b",\"collection\":");
        write_text(event.collection, out);
    }
    out.extend_from_slice(b",\"data\":");
    data(out);
    out.extend_from_slice(b"}\n");
}
