//! Filters: compiled once, then evaluated on encoded documents without building a tree.

mod ast;

pub use ast::{ElementTest, Node, Test};

use super::Context;
use crate::error::{Error, Result};
use crate::value::Raw;

/// A compiled filter.
#[derive(Clone, Debug)]
pub struct Filter {
    root: Node,
}

/// Where a filter was satisfied inside arrays: what the positional operator `$` stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The index of the first element that satisfied a condition with an implicit traversal.
    pub element: Option<usize>,
}

impl Filter {
    /// Compiles a filter; `{}` matches everything.
    pub fn parse(filter: Raw<'_>, context: &Context<'_>) -> Result<Self> {
        let _ = (filter, context);
        Err(Error::invalid("unsupported", "filters are not there yet"))
    }

    /// Whether a document satisfies it. Fails only where an expression (`$expr`) does.
    pub fn matches(&self, document: Raw<'_>) -> Result<bool> {
        let _ = document;
        Ok(false)
    }

    /// As [`Filter::matches`], with the element for the positional operator; `None` if the document does not match.
    pub fn find_position(&self, document: Raw<'_>) -> Result<Option<Position>> {
        let _ = document;
        Ok(None)
    }

    /// The compiled conditions, for the planner and for upserts.
    pub fn root(&self) -> &Node {
        &self.root
    }
}
