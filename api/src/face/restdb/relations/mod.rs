//! Documents that belong to others: lookups and children, as the definitions of their collections say.
//!
//! Guarantees: what is embedded is what the caller could read by a request of its own, as it is at that moment, and one level
//! deep. All that a request embeds is bounded in bytes as the result of a query is, and in time. A collection without typed fields pays for none of it.
//! Leaves to others: reading (the session), routes (`children`, `documents`, `list`).
//!
//! `parent_scope` is a list of children, `embed` puts lookups and children into documents, `filter` asks for what looked-up
//! documents hold (`conditions` are its parts), `asked` holds a request to `filter` and `parent_scope`, `paths` reads other
//! parameters that name paths into lookups, `operators` reads ids in update operators, `links` and `flat` change the form,
//! `referring` finds who refers to a document, and `expansion` does what a request asks for in its order.

mod asked;
mod conditions;
mod embed;
mod expansion;
mod filter;
mod flat;
mod links;
mod operators;
mod parent_scope;
mod paths;
mod patience;
mod referring;

use headwater_engine::fields::{Field, FieldType, Fields};

use super::system;

pub(super) use asked::asked_of;
pub(super) use expansion::Expansion;
pub(super) use links::Base;
pub(super) use operators::with_ids;
pub(super) use parent_scope::{ParentScope, child_collection};
pub(super) use paths::take_paths;
pub(super) use referring::referring;

/// A field whose values are documents of another collection.
#[derive(Clone, Debug)]
struct Relation {
    field: String,
    collection: String,
}

/// The fields that refer to documents in a way.
fn relations(fields: Option<&Fields>, kind: FieldType) -> Vec<Relation> {
    let Some(fields) = fields else { return Vec::new() };
    let all = fields.iter().filter(|field| field.kind == kind);
    let relation = |field: &Field| {
        let collection = field.collection.clone()?;
        Some(Relation { field: field.name.clone(), collection })
    };
    all.filter_map(relation).collect()
}

/// Whether a member of a looked-up document is left out where it is embedded.
fn is_left_out(name: &str) -> bool {
    system::is_fact(name) || name == "_mock" || parent_scope::MEMBERS.contains(&name)
}

/// A path's first name, and what follows it without a position in an array: `a.0.b` is `a`, `0` and `b`.
fn parts(path: &str) -> (&str, Option<&str>, &str) {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let (next, after) = rest.split_once('.').unwrap_or((rest, ""));
    if !next.is_empty() && next.bytes().all(|byte| byte.is_ascii_digit()) {
        return (first, Some(next), after);
    }
    (first, None, rest)
}
