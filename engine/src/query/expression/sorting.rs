//! `$sortArray`.
//!
//! Guarantees: the order of `value::compare`, or of a sort pattern over the elements; equal elements keep their places.
//! Leaves to others: sort patterns (`query::sort`).

use smallvec::SmallVec;

use super::arith;
use super::failure::wrong;
use super::node::Node;
use super::parse::Parser;
use super::scope::Env;
use crate::error::Result;
use crate::query::{Item, Sort};
use crate::value::compare::compare;
use crate::value::{Raw, encode};

/// The operator.
#[derive(Clone, Debug)]
pub(super) struct SortArray {
    input: Node,
    order: Order,
}

#[derive(Clone, Debug)]
enum Order {
    Ascending,
    Descending,
    Pattern(Sort),
}

impl SortArray {
    pub(super) fn parse(parser: &mut Parser<'_>, argument: Raw<'_>) -> Result<Self> {
        let parts = parser.named("$sortArray", argument, &["input", "sortBy"], 2)?;
        let [Some(input), Some(by)] = parts.as_slice() else {
            return Err(parser.refuse("$sortArray", "needs input and sortBy"));
        };
        let order = match arith::integer(&Item::Raw(*by)) {
            Some(1) => Order::Ascending,
            Some(-1) => Order::Descending,
            _ if by.as_object().is_some() && by.member_count() > 0 => {
                Order::Pattern(Sort::parse(*by, parser.context)?)
            }
            _ => return Err(parser.refuse("$sortArray", "sortBy must be 1, -1 or a sort pattern")),
        };
        Ok(Self { input: parser.at("input", *input)?, order })
    }

    pub(super) fn eval<'e>(&'e self, env: &Env<'_, 'e>) -> Result<Item<'e>> {
        let input = self.input.eval(env)?;
        let array = match input.raw() {
            None => return Ok(Item::NULL),
            Some(raw) if raw.is_null() => return Ok(Item::NULL),
            Some(raw) if raw.as_array().is_some() => raw,
            Some(_) => return Err(wrong("$sortArray", "an array as input", &input)),
        };
        env.shared.check_count("$sortArray", array.member_count())?;
        env.shared.spend(1 + (array.as_bytes().len() >> 4))?;
        let mut elements: Vec<_> = array.array_iter().collect();
        match &self.order {
            Order::Ascending => elements.sort_by(|a, b| compare(*a, *b)),
            Order::Descending => elements.sort_by(|a, b| compare(*b, *a)),
            Order::Pattern(sort) => {
                let mut keyed = elements
                    .iter()
                    .map(|element| Ok((sort.key(*element)?, *element)))
                    .collect::<Result<Vec<_>>>()?;
                keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
                elements = keyed.into_iter().map(|(_, element)| element).collect();
            }
        }
        let mut out = Vec::with_capacity(array.as_bytes().len());
        encode::write_array_header(elements.len(), &mut out);
        for element in elements {
            out.extend_from_slice(element.as_bytes());
        }
        Ok(Item::Made(SmallVec::from_vec(out)))
    }
}
