//! Operators that evaluate a part for each element of an array: `$map`, `$filter`, `$reduce`.
//!
//! Guarantees: elements are borrowed, results are written straight onto the array that is made; each turn costs a step.
//! Leaves to others: arrays as a whole (`array`).

use smallvec::SmallVec;

use super::failure::{failed, wrong};
use super::node::Node;
use super::parse::Parser;
use super::scope::{Env, Frame};
use super::{arith, logic};
use crate::error::Result;
use crate::query::Item;
use crate::value::{Raw, encode};

/// A loop.
#[derive(Clone, Debug)]
pub(super) struct Loop {
    name: &'static str,
    input: Node,
    body: Node,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Map,
    Filter { limit: Option<Node> },
    Reduce { initial: Node },
}

impl Loop {
    pub(super) fn parse(parser: &mut Parser<'_>, name: &str, argument: Raw<'_>) -> Result<Self> {
        match name {
            "$map" => Self::parse_map(parser, argument),
            "$filter" => Self::parse_filter(parser, argument),
            _ => Self::parse_reduce(parser, argument),
        }
    }

    fn parse_map(parser: &mut Parser<'_>, argument: Raw<'_>) -> Result<Self> {
        let parts = parser.named("$map", argument, &["input", "in", "as"], 2)?;
        let [Some(input), Some(body), name] = parts.as_slice() else {
            return Err(parser.refuse("$map", "needs input and in"));
        };
        let variable = variable(parser, "$map", *name)?;
        let input = parser.at("input", *input)?;
        let body = parser.inside("in", *body, vec![variable])?;
        Ok(Self { name: "$map", input, body, kind: Kind::Map })
    }

    fn parse_filter(parser: &mut Parser<'_>, argument: Raw<'_>) -> Result<Self> {
        let parts = parser.named("$filter", argument, &["input", "cond", "as", "limit"], 2)?;
        let [Some(input), Some(condition), name, limit] = parts.as_slice() else {
            return Err(parser.refuse("$filter", "needs input and cond"));
        };
        let variable = variable(parser, "$filter", *name)?;
        let limit = limit.map(|limit| parser.at("limit", limit)).transpose()?;
        if let Some(constant) = limit.as_ref().and_then(Node::constant)
            && limit_of(&Item::Raw(constant)).is_err()
        {
            return Err(parser.refuse("$filter", "the limit must be a positive integer"));
        }
        let input = parser.at("input", *input)?;
        let body = parser.inside("cond", *condition, vec![variable])?;
        Ok(Self { name: "$filter", input, body, kind: Kind::Filter { limit } })
    }

    fn parse_reduce(parser: &mut Parser<'_>, argument: Raw<'_>) -> Result<Self> {
        let parts = parser.named("$reduce", argument, &["input", "initialValue", "in"], 3)?;
        let [Some(input), Some(initial), Some(body)] = parts.as_slice() else {
            return Err(parser.refuse("$reduce", "needs input, initialValue and in"));
        };
        let input = parser.at("input", *input)?;
        let initial = parser.at("initialValue", *initial)?;
        let names = vec!["value".to_owned(), "this".to_owned()];
        let body = parser.inside("in", *body, names)?;
        Ok(Self { name: "$reduce", input, body, kind: Kind::Reduce { initial } })
    }

    pub(super) fn eval<'e>(&'e self, env: &Env<'_, 'e>) -> Result<Item<'e>> {
        let input = self.input.eval(env)?;
        let array = match input.raw() {
            None => return Ok(Item::NULL),
            Some(raw) if raw.is_null() => return Ok(Item::NULL),
            Some(raw) if raw.as_array().is_some() => raw,
            Some(_) => return Err(wrong(self.name, "an array as input", &input)),
        };
        match &self.kind {
            Kind::Map => self.map(array, env),
            Kind::Filter { limit } => {
                let limit = match limit {
                    Some(limit) => limit_of(&limit.eval(env)?)?,
                    None => usize::MAX,
                };
                self.filter(array, limit, env)
            }
            Kind::Reduce { initial } => {
                let initial = initial.eval(env)?.into_owned();
                self.reduce(array, initial, env)
            }
        }
    }

    fn map(&self, array: Raw<'_>, env: &Env<'_, '_>) -> Result<Item<'static>> {
        let mut out = Vec::with_capacity(array.as_bytes().len());
        let (start, mut len) = (encode::open(&mut out), 0);
        for element in array.array_iter() {
            env.shared.spend(1)?;
            let values = [Some(element)];
            let frame = Frame { values: &values, parent: env.locals };
            let item = self.body.eval(&env.inside(&frame))?;
            out.extend_from_slice(item.raw_or_null().as_bytes());
            env.shared.check_size(self.name, out.len())?;
            len += 1;
        }
        encode::close_array(start, len, &mut out);
        Ok(Item::Made(SmallVec::from_vec(out)))
    }

    fn filter(&self, array: Raw<'_>, limit: usize, env: &Env<'_, '_>) -> Result<Item<'static>> {
        let mut out = Vec::new();
        let (start, mut len) = (encode::open(&mut out), 0);
        for element in array.array_iter() {
            env.shared.spend(1)?;
            let values = [Some(element)];
            let frame = Frame { values: &values, parent: env.locals };
            if !logic::is_true(&self.body.eval(&env.inside(&frame))?) {
                continue;
            }
            out.extend_from_slice(element.as_bytes());
            env.shared.check_size(self.name, out.len())?;
            len += 1;
            if len >= limit {
                break;
            }
        }
        encode::close_array(start, len, &mut out);
        Ok(Item::Made(SmallVec::from_vec(out)))
    }

    fn reduce(
        &self,
        array: Raw<'_>,
        initial: Item<'static>,
        env: &Env<'_, '_>,
    ) -> Result<Item<'static>> {
        let mut value = initial;
        for element in array.array_iter() {
            env.shared.spend(1)?;
            let values = [value.raw(), Some(element)];
            let frame = Frame { values: &values, parent: env.locals };
            let next = self.body.eval(&env.inside(&frame))?.into_owned();
            if let Some(raw) = next.raw() {
                env.shared.check_size(self.name, raw.as_bytes().len())?;
                env.shared.spend(raw.as_bytes().len() >> 4)?;
                env.shared.check_nesting(self.name, raw)?;
            }
            value = next;
        }
        Ok(value)
    }
}

fn variable(parser: &Parser<'_>, operator: &str, name: Option<Raw<'_>>) -> Result<String> {
    let Some(raw) = name else { return Ok("this".to_owned()) };
    match raw.as_str() {
        Some(name) => parser.variable_name(operator, name),
        None => Err(parser.refuse(operator, "`as` must be a string")),
    }
}

fn limit_of(item: &Item<'_>) -> Result<usize> {
    if item.is_nullish() {
        return Ok(usize::MAX);
    }
    let limit = arith::integer(item).and_then(|limit| usize::try_from(limit).ok());
    limit
        .filter(|limit| *limit > 0)
        .ok_or_else(|| failed("$filter", "the limit must be a positive integer"))
}
