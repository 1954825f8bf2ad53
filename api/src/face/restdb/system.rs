//! System fields: their names, which of them an answer shows, how an event's document has them, and what a body may not say.
//!
//! Guarantees: what a caller sees under these names comes from the engine, never from a body.

use std::sync::Arc;

use headwater_engine::Event;
use headwater_engine::restrict::{Fact, Metadata};
use headwater_engine::value::{Object, Raw, Value, date, json};

use crate::auth::Actors;
use crate::reply::{write_number, write_text};
use crate::session::Session;

const CREATED: &str = "_created";
const CHANGED: &str = "_changed";
const CREATED_BY: &str = "_createdby";
const CHANGED_BY: &str = "_changedby";
const VERSION: &str = "_version";

/// What the engine knows, by the names of the face.
const FACTS: [(&str, Fact); 7] = [
    (CREATED, Fact::Created),
    (CHANGED, Fact::Changed),
    (CREATED_BY, Fact::CreatedBy),
    (CHANGED_BY, Fact::ChangedBy),
    (VERSION, Fact::Version),
    ("_keywords", Fact::Words),
    ("_tags", Fact::WordsText),
];
/// How many of them the answer to a write shows.
const OF_WRITES: usize = 4;
/// What an event tells of its document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    Created,
    Changed,
    CreatedBy,
    ChangedBy,
    Version,
}

impl Told {
    fn write(self, event: &Event<'_>, actors: &Actors, out: &mut Vec<u8>) {
        let origin = event.origin;
        match self {
            Self::Created => {
                member(CREATED, out);
                write_time(origin.map_or(event.time_ms, |origin| origin.created_ms), out);
            }
            Self::Changed => {
                member(CHANGED, out);
                write_time(event.time_ms, out);
            }
            Self::CreatedBy => {
                member(CREATED_BY, out);
                let by = origin.map_or(event.actor, |origin| origin.created_by);
                write_text(&actors.show(by, KEY), out);
            }
            Self::ChangedBy => {
                member(CHANGED_BY, out);
                write_text(&actors.show(event.actor, KEY), out);
            }
            Self::Version => {
                member(VERSION, out);
                write_number(event.version, out);
            }
        }
    }
}

/// Who has no e-mail address.
const KEY: &str = "api";

/// Whether a member of a document is a system field that the engine has.
pub(super) fn is_fact(name: &str) -> bool {
    FACTS.iter().any(|(known, _)| *known == name)
}

/// The names of the system fields that the engine has.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FACTS.iter().map(|(name, _)| *name)
}

/// Whether a body's member is ignored: a path whose first part is a system field.
pub(super) fn is_ignored(path: &str) -> bool {
    let top = path.split('.').next().unwrap_or_default();
    top == "_id" || top == "_mock" || is_fact(top)
}

/// What answers to writes have of the engine's knowledge.
pub(super) fn of_writes(session: &Session) -> Metadata {
    Metadata::new(FACTS[..OF_WRITES].to_vec(), session.show_users(KEY))
}

/// The names of those that the answer to a write shows.
pub(super) fn names_of_writes() -> Vec<String> {
    FACTS[..OF_WRITES].iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// The session whose queries see the system fields that are wanted; the same where none are.
pub(super) fn shown_to(session: &Session, wanted: impl Fn(&str) -> bool) -> Session {
    let facts: Vec<_> = FACTS.iter().filter(|(name, _)| wanted(name)).copied().collect();
    if facts.is_empty() {
        return session.clone();
    }
    session.with_metadata(Arc::new(Metadata::new(facts, session.show_users(KEY))))
}

/// Writes the document of an event, and behind its members what is told of it, in that order. A member that passes for a
/// system field is left out.
pub(super) fn write_document(
    (event, document): (&Event<'_>, Raw<'_>),
    actors: &Actors,
    told: &[Told],
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    let start = out.len();
    let separate = |out: &mut Vec<u8>| {
        if out.len() > start {
            out.push(b',');
        }
    };
    for (name, value) in document.object_iter().filter(|(name, _)| !is_fact(name)) {
        separate(out);
        member(name, out);
        json::write(value, out);
    }
    for told in told {
        separate(out);
        told.write(event, actors, out);
    }
    out.push(b'}');
}

/// Writes a time as system fields have it: RFC 3339 UTC with milliseconds, as a text.
pub(super) fn write_time(ms: u64, out: &mut Vec<u8>) {
    out.push(b'"');
    date::write_ms(i64::try_from(ms).unwrap_or(i64::MAX), out);
    out.push(b'"');
}

fn member(name: &str, out: &mut Vec<u8>) {
    write_text(name, out);
    out.push(b':');
}

/// A body without what it may not say; an `_id` stays where `id` says so.
pub(super) fn without(body: Object, id: impl Fn(&Value) -> bool) -> Object {
    let kept = |(name, value): &(String, Value)| {
        if name == "_id" { id(value) } else { !is_ignored(name) }
    };
    body.into_iter().filter(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Access, AccessOptions, testing};
    use headwater_engine::clock::{ManualClock, SharedClock};
    use headwater_engine::{EventKind, Origin};

    fn written(event: &Event<'_>, told: &[Told]) -> String {
        let clock = ManualClock::new(testing::NOW_MS, 1);
        let vault = testing::vault(&clock);
        let access = Access::new(None, clock as SharedClock, vault, AccessOptions::default());
        let document = [("_id", "a\"b"), ("_created", "mine"), ("t", "x")];
        let document: Object =
            document.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
        let mut out = Vec::new();
        let document = document.to_bytes();
        write_document((event, Raw::trusted(&document)), access.actors(), told, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn event(origin: Option<Origin<'static>>) -> Event<'static> {
        Event {
            position: 42,
            time_ms: 1_700_000_000_123,
            kind: EventKind::DocumentUpdated,
            collection: "orders",
            version: 2,
            previous: 17,
            actor: "k1",
            batch: 42,
            batch_end: true,
            body_bytes: 0,
            body_bytes_before: 0,
            origin,
            request: None,
            digest: [0; 32],
            content: None,
        }
    }

    #[test]
    fn a_document_is_told_with_what_is_known_of_it_in_order() {
        let made = Origin { created_ms: 1_600_000_000_000, created_by: "k2" };
        assert_eq!(
            written(&event(Some(made)), &[Told::Version, Told::Created, Told::CreatedBy]),
            r#"{"_id":"a\"b","t":"x","_version":2,"_created":"2020-09-13T12:26:40.000Z","_createdby":"api"}"#
        );
        assert_eq!(
            written(&event(None), &[Told::Created, Told::Changed, Told::ChangedBy]),
            r#"{"_id":"a\"b","t":"x","_created":"2023-11-14T22:13:20.123Z","_changed":"2023-11-14T22:13:20.123Z","_changedby":"api"}"#
        );
        assert_eq!(written(&event(None), &[]), r#"{"_id":"a\"b","t":"x"}"#);
    }
}
