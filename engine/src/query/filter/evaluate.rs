//! Evaluation of a compiled filter on one encoded document.
//!
//! Guarantees: no tree is built, and the usual conditions allocate nothing. Recursion is bounded by the depth of the
//! filter and the length of its paths.
//! Leaves to others: parsing. What fails on the way (an expression, a pattern that takes too long, a `$text` without an
//! index) counts as no match until the end and is then the error of the whole.

use std::cell::Cell;

use super::ast::{ElementTest, Node, Test};
use super::numeric;
use super::order::{self, Side};
use super::walk::walk;
use crate::error::{Error, Result};
use crate::query::Item;
use crate::query::expression::{Scope, is_true};
use crate::query::regex::Pattern;
use crate::value::Raw;
use crate::value::path::PathPart;
use crate::value::token::Token;

/// One evaluation: what expressions may refer to, and the first failure.
pub(super) struct Evaluation<'e> {
    now_ms: i64,
    variables: &'e [(String, Item<'static>)],
    failure: Cell<Option<Error>>,
    /// Whether it failed; nothing costly is looked at any more.
    failed: Cell<bool>,
}

impl<'e> Evaluation<'e> {
    pub(super) fn new(now_ms: i64, variables: &'e [(String, Item<'static>)]) -> Self {
        Self { now_ms, variables, failure: Cell::new(None), failed: Cell::new(false) }
    }

    /// Whether the document matches; `element` becomes the one for the positional operator.
    pub(super) fn run(
        self,
        root: &Node,
        document: Raw<'_>,
        element: &mut Option<usize>,
    ) -> Result<bool> {
        let matches = self.node(root, document, element);
        match self.failure.into_inner() {
            Some(error) => Err(error),
            None => Ok(matches),
        }
    }

    fn node(&self, node: &Node, document: Raw<'_>, element: &mut Option<usize>) -> bool {
        if self.failed.get() {
            return false;
        }
        match node {
            Node::And(nodes) => nodes.iter().all(|node| self.node(node, document, element)),
            Node::Field { path, test } => self.field(path.parts(), test, document, element),
            // A branch gives no position: another one might have matched elsewhere.
            Node::Or(nodes) => nodes.iter().any(|node| self.node(node, document, &mut None)),
            Node::Nor(nodes) => !nodes.iter().any(|node| self.node(node, document, &mut None)),
            Node::Schema(schema) => schema.matches(document),
            Node::Expression(expression) => {
                let scope = Scope {
                    root: document,
                    current: document,
                    now_ms: self.now_ms,
                    variables: self.variables,
                };
                self.settle(expression.evaluate(&scope).map(|item| is_true(&item)))
            }
            Node::Text(text) => self.settle(text.matches(document)),
        }
    }

    /// Whether the values at a path satisfy a test.
    fn field(
        &self,
        parts: &[PathPart],
        test: &Test,
        document: Raw<'_>,
        element: &mut Option<usize>,
    ) -> bool {
        let mut outer = None;
        let found = match test {
            Test::All(tests) => {
                return tests.iter().all(|test| self.field(parts, test, document, element));
            }
            Test::Any(tests) => {
                return tests.iter().any(|test| self.field(parts, test, document, element));
            }
            Test::Not(test) => return !self.field(parts, test, document, &mut None),
            Test::Exists(wanted) => {
                let there = walk(document, parts, false, &mut outer, &mut |value| value.is_some());
                if !wanted {
                    return !there;
                }
                there
            }
            Test::Equal(operand) => {
                let operand = Raw::trusted(operand);
                walk(document, parts, true, &mut outer, &mut |value| order::equals(value, operand))
            }
            Test::Element(test) => {
                let mut inner = None;
                let found = walk(document, parts, false, &mut outer, &mut |value| {
                    inner = value.and_then(|value| self.element(test, value));
                    inner.is_some()
                });
                outer = outer.or(inner);
                found
            }
            Test::Size(_) => {
                walk(document, parts, false, &mut outer, &mut |value| self.leaf(test, value))
            }
            _ => match ordering(test) {
                Some((operand, side)) => walk(document, parts, true, &mut outer, &mut |value| {
                    order::compares(value, operand, side)
                }),
                None => {
                    walk(document, parts, true, &mut outer, &mut |value| self.leaf(test, value))
                }
            },
        };
        if outer.is_some() {
            *element = outer;
        }
        found
    }

    /// Whether one value, which is not opened, satisfies a test.
    fn value(&self, test: &Test, value: Raw<'_>) -> bool {
        match test {
            Test::All(tests) => tests.iter().all(|test| self.value(test, value)),
            Test::Any(tests) => tests.iter().any(|test| self.value(test, value)),
            Test::Not(test) => !self.value(test, value),
            Test::Exists(wanted) => *wanted,
            _ => self.leaf(test, Some(value)),
        }
    }

    fn leaf(&self, test: &Test, value: Option<Raw<'_>>) -> bool {
        if let Test::In { values } = test {
            let value = value.unwrap_or(Raw::NULL);
            return order::is_among(value, values);
        }
        if let Test::Equal(operand) = test {
            return order::equals(value, Raw::trusted(operand));
        }
        if let Some((operand, side)) = ordering(test) {
            return order::compares(value, operand, side);
        }
        let Some(value) = value else { return false };
        match test {
            Test::Regex(pattern) => self.regex(pattern, value),
            Test::Type(types) => types.contains(value.kind()),
            Test::Modulo { divisor, remainder } => numeric::leaves(value, *divisor, *remainder),
            Test::Size(size) => matches!(value.token(), Token::Array(len) if len == *size),
            Test::Bits(bits) => bits.test(value),
            Test::Element(test) => self.element(test, value).is_some(),
            Test::Geo(test) => test.matches(value),
            Test::Near(near) => near.matches(value),
            _ => false,
        }
    }

    fn regex(&self, pattern: &Pattern, value: Raw<'_>) -> bool {
        if self.failed.get() {
            return false;
        }
        match value.token() {
            Token::String(_) => {
                value.as_str().is_some_and(|text| self.settle(pattern.is_match(text)))
            }
            Token::Regex(source, options) => {
                source == pattern.source().as_bytes() && options == pattern.options().as_bytes()
            }
            _ => false,
        }
    }

    /// The first element of an array that satisfies an `$elemMatch`.
    fn element(&self, test: &ElementTest, array: Raw<'_>) -> Option<usize> {
        let mut elements = array.as_array()?;
        match test {
            ElementTest::Value(tests) => {
                elements.position(|element| tests.iter().all(|test| self.value(test, element)))
            }
            ElementTest::Document(node) => elements.position(|element| {
                matches!(element.token(), Token::Object(_) | Token::Array(_))
                    && self.node(node, element, &mut None)
            }),
        }
    }

    /// The answer, or the failure for the end.
    fn settle(&self, answer: Result<bool>) -> bool {
        answer.unwrap_or_else(|error| {
            self.failure.set(Some(error));
            self.failed.set(true);
            false
        })
    }
}

/// The operand and the side of a comparison.
fn ordering(test: &Test) -> Option<(Raw<'_>, Side)> {
    Some(match test {
        Test::Less(operand) => (Raw::trusted(operand), Side { less: true, equal: false }),
        Test::LessOrEqual(operand) => (Raw::trusted(operand), Side { less: true, equal: true }),
        Test::Greater(operand) => (Raw::trusted(operand), Side { less: false, equal: false }),
        Test::GreaterOrEqual(operand) => (Raw::trusted(operand), Side { less: false, equal: true }),
        _ => return None,
    })
}
