//! An event as JSON, written straight from its record.
//!
//! The plain form is the engine's, the same that webhooks deliver; the extended form differs in its values alone.

use headwater_engine::value::{Raw, date};
use headwater_engine::{Content, Event, EventKind, TouchedPath, event_json};

use crate::extract::Format;
use crate::reply::{write_number, write_text};

/// Writes an event as one line of JSON.
pub(crate) fn write_event(event: &Event<'_>, format: Format, out: &mut Vec<u8>) {
    match format {
        Format::Plain => event_json::write(event, out),
        Format::Extended => write_extended(event, format, out),
    }
}

fn write_extended(event: &Event<'_>, format: Format, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"position\":");
    write_number(event.position, out);
    out.extend_from_slice(b",\"time\":\"");
    date::write_ms(i64::try_from(event.time_ms).unwrap_or(i64::MAX), out);
    out.extend_from_slice(b"\",\"kind\":\"");
    out.extend_from_slice(event.kind.as_str().as_bytes());
    out.push(b'"');
    match event.kind {
        EventKind::EventPublished => write_custom(event, format, out),
        EventKind::RequestRecorded => write_actor(event, out),
        EventKind::WebhookDisabled => {
            write_actor(event, out);
            write_member("data", event.body(), format, out);
        }
        EventKind::DocumentCreated
        | EventKind::DocumentUpdated
        | EventKind::DocumentDeleted
        | EventKind::DocumentErased => write_document(event, format, out),
    }
    if event.erased() {
        out.extend_from_slice(b",\"erased\":true");
    }
    out.push(b'}');
}

fn write_document(event: &Event<'_>, format: Format, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"collection\":");
    write_text(event.collection, out);
    write_member("id", event.id(), format, out);
    out.extend_from_slice(b",\"version\":");
    write_number(event.version, out);
    out.extend_from_slice(b",\"previous\":");
    write_number(event.previous, out);
    write_actor(event, out);
    let gone = matches!(event.kind, EventKind::DocumentDeleted | EventKind::DocumentErased);
    write_member("document", event.body().filter(|_| !gone), format, out);
    if let (EventKind::DocumentUpdated, Some(Content { changed, removed, .. })) =
        (event.kind, &event.content)
    {
        write_paths("changed", changed, out);
        write_paths("removed", removed, out);
    }
}

fn write_custom(event: &Event<'_>, format: Format, out: &mut Vec<u8>) {
    let member = |name| event.body().and_then(|body| body.get(name));
    write_member("event", member("event"), format, out);
    if let Some(channel) = member("channel") {
        write_member("channel", Some(channel), format, out);
    }
    write_actor(event, out);
    write_member("data", member("data"), format, out);
}

fn write_actor(event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"actor\":");
    write_text(event.actor, out);
}

fn write_member(name: &str, value: Option<Raw<'_>>, format: Format, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    match value {
        Some(value) => format.write(value, out),
        None => out.extend_from_slice(b"null"),
    }
}

fn write_paths(name: &str, paths: &[TouchedPath<'_>], out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":[");
    for (index, touched) in paths.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(touched.path, out);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::value::Value;

    #[test]
    fn the_extended_form_differs_in_its_values_alone() {
        let (id, body) = (Value::from("a").to_bytes(), Value::Null.to_bytes());
        let touched = |path| vec![TouchedPath { path, before: &[] }];
        let content =
            Content { id: &id, body: &body, changed: touched("x"), removed: touched("y") };
        for kind in EventKind::ALL {
            for content in [Some(content.clone()), None] {
                let event = Event {
                    position: 42,
                    time_ms: 1_700_000_000_123,
                    kind,
                    collection: "orders",
                    version: 2,
                    previous: 17,
                    actor: "k",
                    batch: 42,
                    batch_end: true,
                    body_bytes: 0,
                    body_bytes_before: 0,
                    origin: None,
                    request: None,
                    digest: [0; 32],
                    content,
                };
                let (mut plain, mut extended) = (Vec::new(), Vec::new());
                write_event(&event, Format::Plain, &mut plain);
                write_event(&event, Format::Extended, &mut extended);
                assert_eq!(String::from_utf8(plain), String::from_utf8(extended), "{kind:?}");
            }
        }
    }
}
