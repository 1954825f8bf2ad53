//! JSON Schema over encoded values: the operator `$jsonSchema`, and the schemas of collections.
//!
//! Guarantees: compiled once; what a dialect does not know is refused by name. Checking ends: references recurse to a
//! bounded depth and within a bounded number of steps, beyond which a value does not match. Keywords apply only to values
//! of the type that they are about.
//! Leaves to others: where schemas are kept, and what a violation does.

mod check;
mod compile;
mod format;
mod keywords;
mod rules;

#[cfg(test)]
mod tests;

use super::Context;
use crate::error::Result;
use crate::value::Raw;
use rules::Rule;

pub(crate) use format::Format;

/// Which keywords are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `$jsonSchema`: a subset of draft 4 and `bsonType`.
    Query,
    /// The schema of a collection: what drafts 4 to 2020-12 have in common, `bsonType`, and annotations of every kind. `string`
    /// includes ObjectIds, which plain JSON shows as texts.
    Collection,
}

/// A compiled schema.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The schema and the ones inside of it, which refer to each other by index; the first is the whole.
    nodes: Vec<Vec<Rule>>,
}

/// One way in which a value does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The path of the part that does not match, with dots; empty for the whole.
    pub(crate) path: String,
    /// The keyword that says so.
    pub(crate) keyword: &'static str,
    /// What is wrong, with the path.
    pub(crate) message: String,
}

impl Schema {
    /// Compiles a schema.
    pub(crate) fn parse(schema: Raw<'_>, context: &Context<'_>, dialect: Dialect) -> Result<Self> {
        Ok(Self { nodes: compile::compile(schema, context, dialect)? })
    }

    /// Whether a value matches.
    pub(crate) fn matches(&self, value: Raw<'_>) -> bool {
        check::check(&self.nodes, value, None)
    }

    /// Adds every way in which a value does not match, up to a thousand.
    pub(crate) fn violations(&self, value: Raw<'_>, violations: &mut Vec<Violation>) {
        check::check(&self.nodes, value, Some(violations));
    }
}
