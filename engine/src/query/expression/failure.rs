//! The errors of expressions.
//!
//! Guarantees: every message and the detail `operator` name the operator.
//! Leaves to others: paths, which the parser adds.

use std::fmt::Display;

use crate::error::Error;
use crate::query::Item;

/// Something went wrong while evaluating.
pub(super) fn failed(operator: &str, message: impl Display) -> Error {
    Error::invalid("expression_failed", format!("{operator}: {message}")).with("operator", operator)
}

/// A value of the wrong type.
pub(super) fn wrong(operator: &str, needed: &str, got: &Item<'_>) -> Error {
    failed(operator, format_args!("needs {needed}, not {}", kind(got)))
}

/// The name of a value's type, `missing` for none.
pub(super) fn kind(item: &Item<'_>) -> &'static str {
    item.raw().map_or("missing", |raw| raw.kind().alias())
}
