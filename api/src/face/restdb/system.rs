//! System fields: their names, which of them an answer shows, and what a body may not say.
//!
//! Guarantees: what a caller sees under these names comes from the engine, never from a body.

use std::sync::Arc;

use headwater_engine::restrict::{Fact, Metadata};
use headwater_engine::value::{Object, Value};

use crate::session::Session;

/// What the engine knows, by the names of the face.
const FACTS: [(&str, Fact); 7] = [
    ("_created", Fact::Created),
    ("_changed", Fact::Changed),
    ("_createdby", Fact::CreatedBy),
    ("_changedby", Fact::ChangedBy),
    ("_version", Fact::Version),
    ("_keywords", Fact::Words),
    ("_tags", Fact::WordsText),
];
/// How many of them the answer to a write shows.
const OF_WRITES: usize = 4;
/// Who has no e-mail address.
pub(super) const KEY: &str = "api";

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

/// A body without what it may not say; an `_id` stays where `id` says so.
pub(super) fn without(body: Object, id: impl Fn(&Value) -> bool) -> Object {
    let kept = |(name, value): &(String, Value)| {
        if name == "_id" { id(value) } else { !is_ignored(name) }
    };
    body.into_iter().filter(kept).collect()
}
