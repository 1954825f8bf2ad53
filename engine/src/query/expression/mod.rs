//! Aggregation expressions: compiled once, evaluated on encoded values.
//!
//! Guarantees: what can be refused is refused when compiled (unknown operators and variables, wrong counts of arguments,
//! constant operands that can only fail), naming operator and path. A made value never grows past the limit on results,
//! nests past the limit on nesting, or takes steps without end. Evaluating a field path or a constant allocates nothing.
//! Leaves to others: stages, accumulators over groups, and what `Scope::variables` holds.

mod accumulate;
mod arith;
mod array;
mod array_make;
mod calendar;
mod convert;
mod date;
mod date_format;
mod date_math;
mod date_parse;
mod failure;
mod forms;
mod logic;
mod loops;
mod math;
mod node;
mod object;
mod operators;
mod parse;
mod path;
mod pattern;
mod regex;
mod scope;
mod set;
mod sorting;
mod string;
mod string_cut;
#[cfg(test)]
mod tests;
mod zone;

use node::Node;
use scope::{Bounds, Env, Shared};

pub(in crate::query) use scope::Work;

use super::{Context, Item};
use crate::error::Result;
use crate::value::Raw;
use crate::value::path::Path;

pub(crate) use accumulate::{Deviation, Total};

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Expression {
    node: Node,
    bounds: Bounds,
}

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

impl<'a> Scope<'a> {
    /// The scope of a document, without variables.
    pub fn new(document: Raw<'a>, now_ms: i64) -> Self {
        Self { root: document, current: document, now_ms, variables: &[] }
    }
}

impl Expression {
    /// Compiles an expression. `variables` are the names (without `$$`) that [`Scope::variables`] will have, in its order.
    pub fn parse(expression: Raw<'_>, context: &Context<'_>, variables: &[String]) -> Result<Self> {
        let node = parse::Parser::new(context, variables).whole(expression)?;
        Ok(Self { node, bounds: Bounds::new(context.limits) })
    }

    /// The value of the expression.
    #[inline]
    pub fn evaluate<'a>(&'a self, scope: &Scope<'a>) -> Result<Item<'a>> {
        match &self.node {
            Node::Field(path) => Ok(path::field(scope.current, path.parts())),
            Node::Constant(bytes) => Ok(Item::Raw(Raw::trusted(bytes))),
            node => self.evaluate_tree(node, scope),
        }
    }

    fn evaluate_tree<'a>(&'a self, node: &'a Node, scope: &Scope<'a>) -> Result<Item<'a>> {
        let shared = Shared::new(self.bounds);
        node.eval(&Env::new(scope, &shared))
    }

    /// The value, if it is always the same.
    pub fn constant(&self) -> Option<Raw<'_>> {
        self.node.constant()
    }

    /// The path, if this is nothing but a field's value.
    pub fn field_path(&self) -> Option<&Path> {
        match &self.node {
            Node::Field(path) => Some(path),
            _ => None,
        }
    }
}

/// Whether a value counts as true: all but false, null, missing and 0.
pub fn is_true(item: &Item<'_>) -> bool {
    logic::is_true(item)
}
