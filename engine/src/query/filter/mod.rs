//! Filters: compiled once, then evaluated on encoded documents without building a tree.
//!
//! Guarantees: what the reference's sections 1 to 3 say is what matches. Unknown operators and malformed operands are
//! refused when the filter is compiled, with the operator and the path in the message and in the details. Depth,
//! conditions and lists of values are bounded by `limits.query_*`.
//! Leaves to others: indexes (the planner reads [`Filter::root`]), the order of `$near`, finding the fields of a text
//! index ([`Filter::bind_text`]).

mod ast;
mod evaluate;
mod numeric;
mod operands;
mod operators;
mod order;
mod parse;
mod type_set;
mod walk;

#[cfg(test)]
mod tests;

pub use ast::{ElementTest, Node, Test};
pub use numeric::Bits;
pub use type_set::TypeSet;

pub(super) use numeric::{double, integral};
pub(super) use walk::walk;

use std::sync::Arc;

use super::expression::Work;
use super::geo::Near;
use super::text::TextQuery;
use super::{Context, Item};
use crate::error::Result;
use crate::value::Raw;
use crate::value::path::Path;

/// A compiled filter.
#[derive(Clone, Debug)]
pub struct Filter {
    root: Node,
    now_ms: i64,
}

/// Where a filter was satisfied inside arrays: what the positional operator `$` stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The index of the element that satisfied the last condition which traversed an array implicitly; in the outermost
    /// array where there are several. None where no condition did.
    pub element: Option<usize>,
}

impl Filter {
    /// Compiles a filter; `{}` matches everything.
    pub fn parse(filter: Raw<'_>, context: &Context<'_>) -> Result<Self> {
        Self::parse_with(filter, context, &[])
    }

    /// As [`Filter::parse`], with the names (without `$$`) of variables that `$expr` may use.
    pub fn parse_with(
        filter: Raw<'_>,
        context: &Context<'_>,
        variables: &[String],
    ) -> Result<Self> {
        Ok(Self { root: parse::parse(filter, context, variables)?, now_ms: context.now_ms })
    }

    /// The filter that a document satisfies when it satisfies all of these; of none, the one that everything satisfies. Its
    /// time (`$$NOW`) is that of the first: give filters that were compiled at the same time.
    pub fn and(filters: &[Arc<Self>]) -> Self {
        let all: Vec<&Self> = filters.iter().map(Arc::as_ref).collect();
        Self::all_of(&all)
    }

    /// As [`Filter::and`].
    pub(super) fn all_of(filters: &[&Self]) -> Self {
        let mut all = Vec::new();
        for filter in filters {
            match &filter.root {
                Node::And(nodes) => all.extend(nodes.iter().cloned()),
                other => all.push(other.clone()),
            }
        }
        let now_ms = filters.first().map_or(0, |filter| filter.now_ms);
        Self { root: Node::And(all), now_ms }
    }

    /// Whether a document satisfies it. Fails only where an expression (`$expr`) does, where a regular expression takes
    /// too many steps, and where a `$text` has no index.
    pub fn matches(&self, document: Raw<'_>) -> Result<bool> {
        self.matches_with(document, &[])
    }

    /// As [`Filter::matches`], at another time than the one it was compiled at (what `$$NOW` is, UTC ms), and within so many
    /// steps of its expressions.
    pub fn matches_at(&self, document: Raw<'_>, now_ms: i64, steps: u64) -> Result<bool> {
        let _work = Work::within(steps);
        evaluate::Evaluation::new(now_ms, &[]).run(&self.root, document, &mut None)
    }

    /// As [`Filter::matches`], with the values of the variables that `$expr` may use.
    pub fn matches_with(
        &self,
        document: Raw<'_>,
        variables: &[(String, Item<'static>)],
    ) -> Result<bool> {
        let _work = Work::begin();
        evaluate::Evaluation::new(self.now_ms, variables).run(&self.root, document, &mut None)
    }

    /// As [`Filter::matches`], with the element for the positional operator; `None` if the document does not match.
    pub fn find_position(&self, document: Raw<'_>) -> Result<Option<Position>> {
        let _work = Work::begin();
        let mut element = None;
        let found =
            evaluate::Evaluation::new(self.now_ms, &[]).run(&self.root, document, &mut element)?;
        Ok(found.then_some(Position { element }))
    }

    /// A filter of other conditions, at the same time.
    pub(crate) fn with_root(&self, root: Node) -> Self {
        Self { root, now_ms: self.now_ms }
    }

    /// The compiled conditions, for the planner and for upserts.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// The `$near` or `$nearSphere`, by whose distance the results are ordered.
    pub fn near(&self) -> Option<&Near> {
        self.top().find_map(|node| match node {
            Node::Field { test, .. } => near_of(test),
            _ => None,
        })
    }

    /// The `$text`.
    pub fn text(&self) -> Option<&TextQuery> {
        self.top().find_map(|node| match node {
            Node::Text(text) => Some(&**text),
            _ => None,
        })
    }

    /// Tells a `$text` the fields of the collection's text index; `$**` stands for all of them.
    pub fn bind_text(&mut self, fields: &[Path]) {
        let Node::And(nodes) = &mut self.root else { return };
        for node in nodes {
            if let Node::Text(text) = node {
                text.bind(fields);
            }
        }
    }

    /// The conditions that must all hold.
    fn top(&self) -> impl Iterator<Item = &Node> {
        match &self.root {
            Node::And(nodes) => nodes.iter(),
            _ => [].iter(),
        }
    }
}

fn near_of(test: &Test) -> Option<&Near> {
    match test {
        Test::Near(near) => Some(near),
        Test::All(tests) => tests.iter().find_map(near_of),
        _ => None,
    }
}
