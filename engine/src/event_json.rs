//! An event as JSON: the one form that streams, pages, histories and webhook deliveries show.
//!
//! Guarantees: the same event always gives the same bytes, on one line, valid UTF-8; erasure alone changes them. No tree is
//! built: the body goes from its encoding straight to text. Only the values of documents and custom events follow the
//! caller's dialect; the envelope is plain JSON. Of an event that is seen in part, nothing but that part is written: hidden
//! fields are neither in the document nor named among the paths, and one that left the caller's sight has no content.
//! Leaves to others: what is seen of an event (`restrict`), envelopes.

use std::borrow::Cow;

use crate::event::{Event, EventKind, TouchedPath};
use crate::restrict::{FieldRule, Seen};
use crate::subscribe::BodyProjection;
use crate::value::{self, Raw, date};

/// Appends a value in some dialect of JSON, on one line: [`value::json::write`], [`value::ejson::write`].
pub type ValueWriter = fn(Raw<'_>, &mut Vec<u8>);

/// Appends an event, its values as plain JSON.
pub fn write(event: &Event<'_>, out: &mut Vec<u8>) {
    write_with(event, out, value::json::write);
}

/// Appends an event, its values by `value_writer`.
///
/// An event of a document: `position`, `time`, `kind`, `collection`, `id`, `version`, `previous`, `actor`, `document`, and
/// for an update `changed` and `removed`. A custom event has `event`, `data` and, where there is one, `channel` instead of
/// the document's members; `webhook.disabled` has `data`. What was erased reads null and `"erased":true` follows.
pub fn write_with(event: &Event<'_>, out: &mut Vec<u8>, value_writer: ValueWriter) {
    write_event(event, (None, None), out, value_writer);
}

/// Appends what is seen of an event, its values by `value_writer` and its document as `projection` shows it; `Seen::Nothing`
/// appends nothing.
///
/// `Whole` is as [`write_with`]. `Cut` has the shown part of the document, and of `changed` and `removed` the paths at or
/// beneath which something is shown. `Gone` has `position`, the kind `document.hidden`, `collection` and `id`.
pub fn write_seen(
    event: &Event<'_>,
    seen: &Seen,
    projection: Option<&BodyProjection>,
    out: &mut Vec<u8>,
    value_writer: ValueWriter,
) {
    match seen {
        Seen::Nothing => {}
        Seen::Whole => write_event(event, (None, projection), out, value_writer),
        Seen::Cut(rule) => write_event(event, (Some(rule), projection), out, value_writer),
        Seen::Gone => {
            write_position(event, out);
            out.extend_from_slice(b",\"kind\":\"document.hidden\"");
            write_place(event, out, value_writer);
            out.push(b'}');
        }
    }
}

/// Appends that a document has left somebody's sight, where the kind is said elsewhere: `position`, `collection`, `id`.
pub fn write_gone(event: &Event<'_>, out: &mut Vec<u8>, value_writer: ValueWriter) {
    write_position(event, out);
    write_place(event, out, value_writer);
    out.push(b'}');
}

/// The beginning of every event.
fn write_position(event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"position\":");
    number(event.position, out);
}

/// What is shown of a document: by rights, then by what was asked for.
type Showing<'a> = (Option<&'a FieldRule>, Option<&'a BodyProjection>);

fn write_event(
    event: &Event<'_>,
    showing: Showing<'_>,
    out: &mut Vec<u8>,
    value_writer: ValueWriter,
) {
    out.reserve(256 + event.body_bytes as usize * 2);
    write_head(event, event.kind.as_str(), out);
    match event.kind {
        EventKind::EventPublished => write_custom(event, out, value_writer),
        EventKind::WebhookDisabled => {
            write_actor(event, out);
            member("data", event.body(), out, value_writer);
        }
        EventKind::RequestRecorded => write_actor(event, out),
        EventKind::DocumentCreated
        | EventKind::DocumentUpdated
        | EventKind::DocumentDeleted
        | EventKind::DocumentErased => write_document(event, showing, out, value_writer),
    }
    if event.erased() {
        out.extend_from_slice(b",\"erased\":true");
    }
    out.push(b'}');
}

/// Begins the object, with what every event has.
fn write_head(event: &Event<'_>, kind: &str, out: &mut Vec<u8>) {
    write_position(event, out);
    out.extend_from_slice(b",\"time\":\"");
    date::write_ms(i64::try_from(event.time_ms).unwrap_or(i64::MAX), out);
    out.extend_from_slice(b"\",\"kind\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.push(b'"');
}

/// Which document an event is of.
fn write_place(event: &Event<'_>, out: &mut Vec<u8>, value_writer: ValueWriter) {
    out.extend_from_slice(b",\"collection\":");
    text(event.collection, out);
    member("id", event.id(), out, value_writer);
}

fn write_document(
    event: &Event<'_>,
    (rule, projection): Showing<'_>,
    out: &mut Vec<u8>,
    value_writer: ValueWriter,
) {
    write_place(event, out, value_writer);
    out.extend_from_slice(b",\"version\":");
    number(event.version, out);
    out.extend_from_slice(b",\"previous\":");
    number(event.previous, out);
    write_actor(event, out);
    let document = document(event, (rule, projection));
    member("document", document.as_deref().map(Raw::trusted), out, value_writer);
    if event.kind == EventKind::DocumentUpdated
        && let Some(content) = &event.content
    {
        paths("changed", &content.changed, rule, out);
        paths("removed", &content.removed, rule, out);
    }
}

/// The document after an event that makes or changes one, as far as it may be seen and as `projection` shows it, encoded;
/// `None` after any other event, and where it was erased or is not seen.
pub fn shown_document<'a>(
    event: &Event<'a>,
    seen: &Seen,
    projection: Option<&BodyProjection>,
) -> Option<Cow<'a, [u8]>> {
    match seen {
        Seen::Nothing | Seen::Gone => None,
        Seen::Whole => document(event, (None, projection)),
        Seen::Cut(rule) => document(event, (Some(rule), projection)),
    }
}

fn document<'a>(event: &Event<'a>, (rule, projection): Showing<'_>) -> Option<Cow<'a, [u8]>> {
    if !matches!(event.kind, EventKind::DocumentCreated | EventKind::DocumentUpdated) {
        return None;
    }
    let whole = Cow::Borrowed(event.body()?.as_bytes());
    let cut = match rule {
        Some(rule) => Cow::Owned(rule.cut(Raw::trusted(&whole))),
        None => whole,
    };
    Some(match projection {
        Some(projection) => Cow::Owned(projection.apply(Raw::trusted(&cut))),
        None => cut,
    })
}

fn write_custom(event: &Event<'_>, out: &mut Vec<u8>, value_writer: ValueWriter) {
    let body = event.body();
    member("event", body.and_then(|body| body.get("event")), out, value_writer);
    if let Some(channel) = body.and_then(|body| body.get("channel")).filter(|c| !c.is_null()) {
        member("channel", Some(channel), out, value_writer);
    }
    write_actor(event, out);
    member("data", body.and_then(|body| body.get("data")), out, value_writer);
}

fn write_actor(event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"actor\":");
    text(event.actor, out);
}

/// Appends a member, null where there is no value. The name needs no escape.
fn member(name: &str, value: Option<Raw<'_>>, out: &mut Vec<u8>, value_writer: ValueWriter) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    match value {
        Some(value) => value_writer(value, out),
        None => out.extend_from_slice(b"null"),
    }
}

fn paths(name: &str, touched: &[TouchedPath<'_>], rule: Option<&FieldRule>, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":[");
    let shown = |path: &str| rule.is_none_or(|rule| rule.shows_some_of(path));
    for (index, touched) in touched.iter().filter(|touched| shown(touched.path)).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        text(touched.path, out);
    }
    out.push(b']');
}

fn number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn text(text: &str, out: &mut Vec<u8>) {
    // Writing a text into a vector cannot fail.
    drop(serde_json::to_writer(out, text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Content;
    use crate::value::{Object, Value};

    fn event<'a>(kind: EventKind, content: Option<Content<'a>>) -> Event<'a> {
        Event {
            position: 42,
            time_ms: 1_700_000_000_123,
            kind,
            collection: "orders",
            version: 2,
            previous: 17,
            actor: "k\"1",
            batch: 42,
            batch_end: true,
            body_bytes: 0,
            body_bytes_before: 0,
            origin: None,
            request: None,
            digest: [0; 32],
            content,
        }
    }

    fn json(event: &Event<'_>) -> String {
        let mut out = Vec::new();
        write(event, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn body(members: &[(&str, Value)]) -> Vec<u8> {
        let mut object = Object::new();
        for (name, value) in members {
            object.insert(*name, value.clone());
        }
        object.to_bytes()
    }

    fn content<'a>(id: &'a [u8], body: &'a [u8]) -> Content<'a> {
        let changed = vec![TouchedPath { path: "total", before: &[] }];
        Content { id, body, changed, removed: Vec::new(), before: &[] }
    }

    const HEAD: &str = r#"{"position":42,"time":"2023-11-14T22:13:20.123Z","kind":"#;

    #[test]
    fn an_update_has_every_member() {
        let id = Value::from("a").to_bytes();
        let body = body(&[("_id", "a".into()), ("total", 7.into())]);
        let expected = r#""document.updated","collection":"orders","id":"a","version":2,"previous":17,"actor":"k\"1","document":{"_id":"a","total":7},"changed":["total"],"removed":[]}"#;
        let event = event(EventKind::DocumentUpdated, Some(content(&id, &body)));
        assert_eq!(json(&event), format!("{HEAD}{expected}"));
    }

    #[test]
    fn deleted_and_erased_have_no_document() {
        let id = Value::from("a").to_bytes();
        let last = body(&[("_id", "a".into())]);
        let deleted = json(&event(EventKind::DocumentDeleted, Some(content(&id, &last))));
        let tail = r#""id":"a","version":2,"previous":17,"actor":"k\"1","document":null}"#;
        assert!(deleted.ends_with(tail), "{deleted}");
        let erased = json(&event(EventKind::DocumentUpdated, None));
        let tail =
            r#""id":null,"version":2,"previous":17,"actor":"k\"1","document":null,"erased":true}"#;
        assert!(erased.ends_with(tail), "{erased}");
    }

    #[test]
    fn values_follow_the_dialect_and_the_envelope_does_not() {
        let id = Value::ObjectId([7; 12]).to_bytes();
        let body = body(&[("_id", Value::ObjectId([7; 12])), ("total", 7.into())]);
        let event = event(EventKind::DocumentCreated, Some(content(&id, &body)));
        let mut out = Vec::new();
        write_with(&event, &mut out, value::ejson::write);
        let text = String::from_utf8(out).unwrap();
        let id = r#"{"$oid":"070707070707070707070707"}"#;
        let tail = format!(
            r#""collection":"orders","id":{id},"version":2,"previous":17,"actor":"k\"1","document":{{"_id":{id},"total":{{"$numberInt":"7"}}}}}}"#
        );
        assert!(text.ends_with(&tail), "{text}");
    }

    #[test]
    fn custom_events_have_data() {
        let sent =
            body(&[("event", "answer".into()), ("data", 42.into()), ("channel", "c".into())]);
        let event = event(EventKind::EventPublished, Some(content(&[], &sent)));
        let expected =
            r#""event.published","event":"answer","channel":"c","actor":"k\"1","data":42}"#;
        assert_eq!(json(&event), format!("{HEAD}{expected}"));
    }
}
