//! Comparison and truth.
//!
//! Guarantees: the total order of values without type bracketing, a missing value between the min key and null.
//! Leaves to others: `$and`, `$or`, conditions (`forms`).

use std::cmp::Ordering;

use super::node::Ctx;
use crate::error::Result;
use crate::query::Item;
use crate::query::arithmetic::Number;
use crate::value::compare::compare;
use crate::value::token::Token;
use crate::value::{Raw, ValueKind};

/// Whether a value counts as true.
pub(super) fn is_true(item: &Item<'_>) -> bool {
    let Some(raw) = item.raw() else { return false };
    match raw.token() {
        Token::Null => false,
        Token::Bool(value) => value,
        _ => Number::read(raw).is_none_or(|number| !number.is_zero()),
    }
}

/// The order of two values, one of which may be missing.
pub(super) fn order(a: Option<Raw<'_>>, b: Option<Raw<'_>>) -> Ordering {
    let above_missing = |raw: Raw<'_>| match raw.kind() {
        ValueKind::MinKey => Ordering::Less,
        _ => Ordering::Greater,
    };
    match (a, b) {
        (Some(a), Some(b)) => compare(a, b),
        (Some(a), None) => above_missing(a),
        (None, Some(b)) => above_missing(b).reverse(),
        (None, None) => Ordering::Equal,
    }
}

fn both(args: &[Item<'_>]) -> Ordering {
    match args {
        [a, b] => order(a.raw(), b.raw()),
        _ => Ordering::Equal,
    }
}

pub(super) fn eq<'e>(_: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    Ok(Item::boolean(both(args).is_eq()))
}

pub(super) fn ne<'e>(_: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    Ok(Item::boolean(both(args).is_ne()))
}

pub(super) fn gt<'e>(_: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    Ok(Item::boolean(both(args).is_gt()))
}

pub(super) fn gte<'e>(_: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    Ok(Item::boolean(both(args).is_ge()))
}

pub(super) fn lt<'e>(_: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    Ok(Item::boolean(both(args).is_lt()))
}

pub(super) fn lte<'e>(_: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    Ok(Item::boolean(both(args).is_le()))
}

pub(super) fn cmp<'e>(_: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    Ok(Item::int32(both(args) as i32))
}

pub(super) fn not<'e>(_: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    Ok(Item::boolean(!args.first().is_some_and(is_true)))
}
