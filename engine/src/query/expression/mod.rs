//! Aggregation expressions: compiled once, evaluated on encoded values.

use super::{Context, Item};
use crate::error::{Error, Result};
use crate::value::Raw;

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Expression {}

/// What an expression is evaluated in: the document and the variables.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// `$$ROOT`: the document of the stage.
    pub root: Raw<'a>,
    /// `$$CURRENT`: what field paths begin at; the root, but for `$redact`.
    pub current: Raw<'a>,
    /// `$$NOW`, UTC ms.
    pub now_ms: i64,
    /// Variables set from outside (`$lookup`'s `let`, update pipelines), by name without `$$`.
    pub variables: &'a [(String, Item<'static>)],
}

impl Expression {
    /// Compiles an expression. `variables` are the names (without `$$`) that [`Scope::variables`] will have.
    pub fn parse(expression: Raw<'_>, context: &Context<'_>, variables: &[String]) -> Result<Self> {
        let _ = (expression, context, variables);
        Err(Error::invalid("unsupported", "expressions are not there yet"))
    }

    /// The value of the expression.
    pub fn evaluate<'a>(&'a self, scope: &Scope<'a>) -> Result<Item<'a>> {
        let _ = scope;
        Ok(Item::Missing)
    }
}

/// Whether a value counts as true: all but false, null, missing and 0.
pub fn is_true(item: &Item<'_>) -> bool {
    let _ = item;
    false
}
