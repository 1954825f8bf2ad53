//! `$match`.
//!
//! Guarantees: a filter as in a find, whose `$expr` also sees the variables of the pipeline (`$lookup`'s `let`). `$near`
//! is refused (`$geoNear` is for that), and `$text` anywhere but in the first stage.
//! Leaves to others: the filter language (`Filter`).

use super::operand::invalid;
use super::parse::{Parser, Place};
use super::stream::Env;
use crate::error::Result;
use crate::query::Filter;
use crate::value::Raw;
use crate::value::path::Path;

const STAGE: &str = "$match";

/// A compiled `$match`.
#[derive(Clone, Debug)]
pub(super) struct Match {
    filter: Box<Filter>,
    /// The filter as it was written, where no variable takes part.
    source: Option<Vec<u8>>,
}

impl Match {
    /// Compiles it; `is_first` in the pipeline.
    pub(super) fn parse(raw: Raw<'_>, parser: &Parser<'_>, is_first: bool) -> Result<Self> {
        if raw.as_object().is_none() {
            return Err(invalid(STAGE, "", "must be an object"));
        }
        let filter = Filter::parse_with(raw, parser.context, parser.variables)?;
        if filter.near().is_some() {
            return Err(invalid(STAGE, "", "may not hold $near or $nearSphere; use $geoNear"));
        }
        if filter.text().is_some() && !(is_first && parser.place == Place::Top) {
            return Err(invalid(STAGE, "", "may hold $text in the first stage only"));
        }
        let is_plain = parser.variables.is_empty() || !has_expression(raw);
        let source = is_plain.then(|| raw.as_bytes().to_vec());
        Ok(Self { filter: Box::new(filter), source })
    }

    /// The filter document, where no variable takes part.
    pub(super) fn source(&self) -> Option<&[u8]> {
        self.source.as_deref()
    }

    /// Tells a `$text` its fields.
    pub(super) fn bind_text(&mut self, fields: &[Path]) {
        self.filter.bind_text(fields);
    }

    #[inline]
    pub(super) fn matches(&self, document: Raw<'_>, env: &Env<'_>) -> Result<bool> {
        self.filter.matches_with(document, env.variables)
    }
}

/// Whether a `$expr` is there, at the top or below `$and`, `$or`, `$nor`.
fn has_expression(filter: Raw<'_>) -> bool {
    let mut left = vec![filter];
    while let Some(filter) = left.pop() {
        for (name, value) in filter.object_iter() {
            match name {
                "$expr" => return true,
                "$and" | "$or" | "$nor" => left.extend(value.array_iter()),
                _ => {}
            }
        }
    }
    false
}
