//! Parsing a filter: documents, and the operators that stand where a field could.
//!
//! Guarantees: what passes is well-formed throughout; every refusal names operator and path. Recursion ends at
//! `limits.query_depth`.
//! Leaves to others: the operators of a field (`operators`).

use std::sync::Arc;

use super::ast::{Node, Test};
use super::operators;
use crate::error::{Error, Result};
use crate::query::Context;
use crate::query::expression::Expression;
use crate::query::json_schema::{Dialect, Schema};
use crate::query::text::TextQuery;
use crate::value::path::Path;
use crate::value::{ArrayIter, Raw};

/// Where a condition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It must hold for every match.
    Top,
    /// Under `$or`, `$nor` or `$not`.
    Branch,
    /// Under `$elemMatch`.
    Element,
}

/// The state of parsing one filter.
pub(super) struct Parser<'c> {
    pub(super) context: &'c Context<'c>,
    variables: &'c [String],
    clauses: u32,
    has_near: bool,
    has_text: bool,
}

/// Parses a whole filter.
pub(super) fn parse(filter: Raw<'_>, context: &Context<'_>, variables: &[String]) -> Result<Node> {
    let mut parser = Parser { context, variables, clauses: 0, has_near: false, has_text: false };
    let mut nodes = Vec::new();
    parser.document(filter, 0, Place::Top, "", &mut nodes)?;
    Ok(Node::And(nodes))
}

impl Parser<'_> {
    /// Adds the conditions of a document to `nodes`. `path` is the one of the `$elemMatch` around it.
    pub(super) fn document(
        &mut self,
        document: Raw<'_>,
        depth: u32,
        place: Place,
        path: &str,
        nodes: &mut Vec<Node>,
    ) -> Result<()> {
        self.check_depth(depth)?;
        let Some(members) = document.as_object() else {
            return Err(
                Error::invalid("invalid_filter", "a filter must be an object").with("path", path)
            );
        };
        if document.member_count() == 0 {
            self.count()?;
        }
        for (name, value) in members {
            if name.starts_with('$') {
                self.operator(name, value, depth, place, path, nodes)?;
                continue;
            }
            let test = self.condition(name, value, depth, place)?;
            nodes.push(Node::Field { path: self.path(name)?, test });
        }
        Ok(())
    }

    /// An operator in the place of a field.
    fn operator(
        &mut self,
        name: &str,
        value: Raw<'_>,
        depth: u32,
        place: Place,
        path: &str,
        nodes: &mut Vec<Node>,
    ) -> Result<()> {
        match name {
            "$and" => {
                for branch in branches(name, value, path)? {
                    self.document(branch, depth + 1, place, path, nodes)?;
                }
                return Ok(());
            }
            "$or" => {
                let only = value.member_count() == 1;
                if only && let Some(branch) = branches(name, value, path)?.next() {
                    let place = if place == Place::Top { Place::Branch } else { place };
                    return self.document(branch, depth + 1, place, path, nodes);
                }
                nodes.push(Node::Or(self.branches(name, value, depth, place, path)?));
                return Ok(());
            }
            "$nor" => {
                nodes.push(Node::Nor(self.branches(name, value, depth, place, path)?));
                return Ok(());
            }
            "$comment" => return Ok(()),
            "$where" => return Err(no_javascript(path)),
            "$expr" | "$jsonSchema" | "$text" if place == Place::Element => {
                return Err(refuse(name, path, "stands at the top of a filter only"));
            }
            "$text" if place != Place::Top || self.has_text => {
                return Err(refuse(
                    name,
                    path,
                    "stands once in a filter, at its top or under `$and`",
                ));
            }
            _ => {}
        }
        self.count()?;
        nodes.push(match name {
            "$expr" => {
                let expression = Expression::parse(value, self.context, self.variables)?;
                Node::Expression(Arc::new(expression))
            }
            "$jsonSchema" => {
                Node::Schema(Arc::new(Schema::parse(value, self.context, Dialect::Query)?))
            }
            "$text" => {
                self.has_text = true;
                let text = TextQuery::parse(value).map_err(|what| refuse(name, path, &what))?;
                Node::Text(Box::new(text))
            }
            _ => return Err(unknown(name, path, "at the top of a filter")),
        });
        Ok(())
    }

    fn branches(
        &mut self,
        name: &str,
        value: Raw<'_>,
        depth: u32,
        place: Place,
        path: &str,
    ) -> Result<Vec<Node>> {
        let place = if place == Place::Top { Place::Branch } else { place };
        let mut nodes = Vec::new();
        for branch in branches(name, value, path)? {
            let mut inner = Vec::new();
            self.document(branch, depth + 1, place, path, &mut inner)?;
            nodes.push(match <[Node; 1]>::try_from(inner) {
                Ok([node]) => node,
                Err(inner) => Node::And(inner),
            });
        }
        Ok(nodes)
    }

    /// What follows the name of a field: a value, a regular expression, or operators.
    fn condition(&mut self, path: &str, value: Raw<'_>, depth: u32, place: Place) -> Result<Test> {
        if operators::are_operators(value) {
            return self.operators(path, value, depth, place);
        }
        self.count()?;
        match value.as_regex() {
            Some((pattern, options)) => self.pattern("$regex", path, pattern, options),
            None => Ok(Test::Equal(value.as_bytes().into())),
        }
    }

    fn path(&self, name: &str) -> Result<Path> {
        let max = self.context.limits.nesting;
        let path = Path::new(name);
        if path.parts().len() > max as usize {
            let message = format!("a path of more than {max} parts (limits.nesting)");
            return Err(Error::limit("limits.nesting", u64::from(max), message));
        }
        Ok(path)
    }

    /// Marks the one `$near` that a filter may have.
    pub(super) fn near(&mut self, name: &str, path: &str, place: Place) -> Result<()> {
        if place != Place::Top || self.has_near {
            let what =
                "stands once in a filter, and not under `$or`, `$nor`, `$not` or `$elemMatch`";
            return Err(refuse(name, path, what));
        }
        self.has_near = true;
        Ok(())
    }

    /// Counts one condition.
    pub(super) fn count(&mut self) -> Result<()> {
        let max = self.context.limits.query_clauses;
        self.clauses += 1;
        if self.clauses > max {
            let message = format!("a filter of more than {max} conditions (limits.query_clauses)");
            return Err(Error::limit("limits.query_clauses", u64::from(max), message));
        }
        Ok(())
    }

    pub(super) fn check_depth(&self, depth: u32) -> Result<()> {
        let max = self.context.limits.query_depth;
        if depth > max {
            let message = format!("a filter nested deeper than {max} levels (limits.query_depth)");
            return Err(Error::limit("limits.query_depth", u64::from(max), message));
        }
        Ok(())
    }
}

/// The documents of a `$and`, `$or` or `$nor`.
fn branches<'a>(name: &str, value: Raw<'a>, path: &str) -> Result<ArrayIter<'a>> {
    match value.as_array() {
        Some(elements) if value.member_count() > 0 => Ok(elements),
        _ => Err(refuse(name, path, "takes a list of at least one filter")),
    }
}

/// An operator that does not exist where it stands.
pub(super) fn unknown(operator: &str, path: &str, place: &str) -> Error {
    let at = if path.is_empty() { String::new() } else { format!(" (path `{path}`)") };
    Error::invalid("unknown_operator", format!("there is no operator `{operator}` {place}{at}"))
        .with("operator", operator)
        .with("path", path)
}

/// An operand that is malformed.
pub(super) fn refuse(operator: &str, path: &str, what: &str) -> Error {
    let at = if path.is_empty() { String::new() } else { format!(" at `{path}`") };
    Error::invalid("invalid_operand", format!("`{operator}`{at} {what}"))
        .with("operator", operator)
        .with("path", path)
}

/// `$where` and its like.
pub(super) fn no_javascript(path: &str) -> Error {
    let message = "`$where` needs JavaScript, which is not run here; use `$expr`";
    Error::invalid("unknown_operator", message).with("operator", "$where").with("path", path)
}
