//! `$match`.
//!
//! Guarantees: a filter as in a find. Inside a pipeline with variables (`$lookup`'s `let`) a `$expr` at the top level or
//! below `$and`, `$or`, `$nor` sees them.
//! Leaves to others: the filter language (`Filter`).

use super::operand::invalid;
use super::parse::Parser;
use super::stream::Env;
use crate::error::Result;
use crate::query::Filter;
use crate::query::expression::{Expression, is_true};
use crate::value::{Object, Raw, encode};

const STAGE: &str = "$match";

/// A compiled `$match`.
#[derive(Clone, Debug)]
pub(super) struct Match {
    test: Test,
    /// The filter as it was written, where it stands alone.
    source: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Test {
    Plain(Box<Filter>),
    Expression(Box<Expression>),
    All(Vec<Test>),
    Any(Vec<Test>),
    None(Vec<Test>),
}

impl Match {
    pub(super) fn parse(raw: Raw<'_>, parser: &Parser<'_>) -> Result<Self> {
        if raw.as_object().is_none() {
            return Err(invalid(STAGE, "", "must be an object"));
        }
        if !parser.variables.is_empty() && has_expression(raw) {
            return Ok(Self { test: parse_test(raw, parser, 0)?, source: None });
        }
        let filter = Filter::parse(raw, parser.context)?;
        Ok(Self { test: Test::Plain(Box::new(filter)), source: Some(raw.as_bytes().to_vec()) })
    }

    /// The filter document, where no variable takes part.
    pub(super) fn source(&self) -> Option<&[u8]> {
        self.source.as_deref()
    }

    pub(super) fn matches(&self, document: Raw<'_>, env: &Env<'_>) -> Result<bool> {
        holds(&self.test, document, env)
    }
}

fn holds(test: &Test, document: Raw<'_>, env: &Env<'_>) -> Result<bool> {
    match test {
        Test::Plain(filter) => filter.matches(document),
        Test::Expression(expression) => Ok(is_true(&expression.evaluate(&env.scope(document))?)),
        Test::All(tests) => {
            for test in tests {
                if !holds(test, document, env)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Test::Any(tests) => any(tests, document, env),
        Test::None(tests) => Ok(!any(tests, document, env)?),
    }
}

fn any(tests: &[Test], document: Raw<'_>, env: &Env<'_>) -> Result<bool> {
    for test in tests {
        if holds(test, document, env)? {
            return Ok(true);
        }
    }
    Ok(false)
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

fn parse_test(filter: Raw<'_>, parser: &Parser<'_>, depth: u32) -> Result<Test> {
    parser.check_depth(depth)?;
    if !has_expression(filter) {
        return Ok(Test::Plain(Box::new(Filter::parse(filter, parser.context)?)));
    }
    let (mut tests, mut plain) = (Vec::new(), Object::new());
    for (name, value) in filter.object_iter() {
        match name {
            "$expr" => {
                let expression = Expression::parse(value, parser.context, parser.variables)?;
                tests.push(Test::Expression(Box::new(expression)));
            }
            "$and" => tests.push(Test::All(parse_list(name, value, parser, depth)?)),
            "$or" => tests.push(Test::Any(parse_list(name, value, parser, depth)?)),
            "$nor" => tests.push(Test::None(parse_list(name, value, parser, depth)?)),
            _ => {
                plain.insert(name, value.to_value());
            }
        }
    }
    if !plain.is_empty() {
        let mut bytes = Vec::new();
        encode::encode_object(&plain, &mut bytes);
        let filter = Filter::parse(Raw::trusted(&bytes), parser.context)?;
        tests.insert(0, Test::Plain(Box::new(filter)));
    }
    Ok(Test::All(tests))
}

fn parse_list(name: &str, list: Raw<'_>, parser: &Parser<'_>, depth: u32) -> Result<Vec<Test>> {
    let elements = list
        .as_array()
        .filter(|_| list.member_count() > 0)
        .ok_or_else(|| invalid(STAGE, name, "must be a list of filters that is not empty"))?;
    elements
        .map(|element| match element.as_object() {
            Some(_) => parse_test(element, parser, depth + 1),
            None => Err(invalid(STAGE, name, "must be a list of filters")),
        })
        .collect()
}
