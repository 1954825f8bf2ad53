//! The JSON Schema of a collection: every new state of its documents satisfies it.
//!
//! Guarantees: a schema that does not say anything of `_id` is asked about the document without it, so that
//! `additionalProperties: false` does not forbid every document.
//! Leaves to others: the keywords (`query::json_schema`), who may set a schema.

use crate::error::Result;
use crate::limits::Limits;
use crate::query::json_schema::{Dialect, Schema, Violation};
use crate::query::{Context, Trust};
use crate::value::{Raw, encode};

/// The name of the member of a collection's definition that holds its schema.
pub const SCHEMA: &str = "schema";

/// A compiled schema of a collection.
#[derive(Clone, Debug)]
pub struct CollectionSchema {
    schema: Schema,
    has_id: bool,
}

impl CollectionSchema {
    /// The schema in a collection's definition, if it has one.
    pub fn of(definition: Raw<'_>) -> Result<Option<Self>> {
        let Some(given) = definition.get(SCHEMA).filter(|schema| !schema.is_null()) else {
            return Ok(None);
        };
        if given.as_object().is_some() && given.member_count() == 0 {
            return Ok(None);
        }
        let limits = Limits::for_stored_queries();
        let context = Context { limits: &limits, now_ms: 0, trust: Trust::Ordinary };
        let schema = Schema::parse(given, &context, Dialect::Collection)?;
        let named = given.get("properties").is_some_and(|all| all.get("_id").is_some());
        let required = given.get("required").map(Raw::array_iter);
        let required = required.is_some_and(|mut all| all.any(|name| name.as_str() == Some("_id")));
        Ok(Some(Self { schema, has_id: named || required }))
    }

    /// Every way in which a document does not satisfy it; none where it does.
    pub(crate) fn violations(&self, document: Raw<'_>) -> Vec<Violation> {
        let without;
        let checked = if self.has_id {
            document
        } else {
            without = without_id(document);
            Raw::trusted(&without)
        };
        let mut violations = Vec::new();
        if !self.schema.matches(checked) {
            self.schema.violations(checked, &mut violations);
        }
        violations
    }
}

fn without_id(document: Raw<'_>) -> Vec<u8> {
    let members = || document.object_iter().filter(|(name, _)| *name != "_id");
    let mut out = Vec::with_capacity(document.as_bytes().len());
    encode::write_object_header(members().count(), &mut out);
    for (name, value) in members() {
        encode::write_str(name, &mut out);
        out.extend_from_slice(value.as_bytes());
    }
    out
}
