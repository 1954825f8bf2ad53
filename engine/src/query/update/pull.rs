//! `$pull`: taking out the elements that satisfy a condition.
//!
//! Guarantees: a plain value takes out equal elements; an object whose first name is a value operator, or a regular
//! expression, is a condition on each element; any other object is a filter on the elements that are objects.
//! Leaves to others: what filters mean.

use super::node::Node;
use crate::error::Result;
use crate::limits::Limits;
use crate::query::{Context, Filter};
use crate::value::{Raw, compare, encode};

/// The name under which an element is put to a condition on values.
const ELEMENT: &str = "element";

/// A compiled `$pull`.
#[derive(Clone, Debug)]
pub(super) enum Pull {
    /// Equal elements; encoded.
    Equal(Box<[u8]>),
    /// Elements that satisfy a condition on values.
    Value(Box<Filter>),
    /// Objects that satisfy a filter.
    Document(Box<Filter>),
}

impl Pull {
    /// Reads a condition.
    pub(super) fn parse(operand: Raw<'_>, context: &Context<'_>) -> Result<Self> {
        let first = operand.object_iter().next().map(|(name, _)| name);
        let is_value = first.is_some_and(|name| name.starts_with('$') && !is_top_level(name));
        if is_value || operand.as_regex().is_some() {
            let filter = Filter::parse(Raw::trusted(&wrap(ELEMENT, operand)), context)?;
            return Ok(Self::Value(Box::new(filter)));
        }
        if operand.as_object().is_some() {
            return Ok(Self::Document(Box::new(Filter::parse(operand, context)?)));
        }
        Ok(Self::Equal(operand.as_bytes().into()))
    }

    /// Takes out what satisfies it.
    pub(super) fn apply(&self, elements: &mut Vec<Node<'_>>, limits: &Limits) -> Result<()> {
        let mut refused = Ok(());
        elements.retain_mut(|element| {
            if refused.is_err() {
                return true;
            }
            match element.raw(limits).and_then(|raw| self.takes(raw)) {
                Ok(takes) => !takes,
                Err(error) => {
                    refused = Err(error);
                    true
                }
            }
        });
        refused
    }

    fn takes(&self, element: Raw<'_>) -> Result<bool> {
        match self {
            Self::Equal(value) => Ok(compare::equal(element, Raw::trusted(value))),
            Self::Value(filter) => filter.matches(Raw::trusted(&wrap(ELEMENT, element))),
            Self::Document(filter) => Ok(element.as_object().is_some() && filter.matches(element)?),
        }
    }
}

/// Operators that stand at the top of a filter, so that an object that begins with one is a filter.
fn is_top_level(name: &str) -> bool {
    matches!(
        name,
        "$and" | "$or" | "$nor" | "$expr" | "$jsonSchema" | "$comment" | "$where" | "$text"
    )
}

/// The object `{name: value}`.
pub(in crate::query) fn wrap(name: &str, value: Raw<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + value.as_bytes().len() + 8);
    encode::write_object_header(1, &mut out);
    encode::write_str(name, &mut out);
    out.extend_from_slice(value.as_bytes());
    out
}
