//! The event that a test delivery carries.

use super::feed;
use super::registration::{Registration, Scope};
use super::worker::Payload;
use crate::event::{Content, Event, EventKind};
use crate::restrict::Seen;
use crate::value::{Object, Value};

/// An event as a test sends it, through the webhook's projection: of position 0, which no real event has.
pub(super) fn sample(registration: &Registration, now_ms: u64) -> Payload {
    let mut document = Object::new();
    document.insert("_id", "sample");
    document.insert("message", "a test delivery of headwater");
    let (id, body) = (Value::from("sample").to_bytes(), document.to_bytes());
    let collection = match &registration.scope {
        Scope::All => "sample",
        Scope::Named(names) => names.first().map_or("sample", |name| name),
    };
    let event = Event {
        position: 0,
        time_ms: now_ms,
        kind: EventKind::DocumentCreated,
        collection,
        version: 1,
        previous: 0,
        actor: "test",
        batch: 0,
        batch_end: true,
        body_bytes: u32::try_from(body.len()).unwrap_or(u32::MAX),
        body_bytes_before: 0,
        origin: None,
        request: None,
        digest: [0; 32],
        content: Some(Content {
            id: &id,
            body: &body,
            changed: Vec::new(),
            removed: Vec::new(),
            before: &[],
        }),
    };
    feed::payload(&event, &Seen::Whole, registration)
}
