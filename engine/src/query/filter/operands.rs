//! The operands of single operators.
//!
//! Guarantees: what is wrong is said as the rest of a sentence that begins with the operator.
//! Leaves to others: naming operator and path.

use std::sync::Arc;

use super::numeric::{Bits, integral, truncated};
use super::type_set::TypeSet;
use crate::value::Raw;
use crate::value::compare::compare;
use crate::value::token::Token;

/// The highest position of a bit that a mask may name.
const MAX_POSITION: i64 = 1 << 27;

/// What `$exists` takes: everything but false, null and 0 is true.
pub(super) fn truth(operand: Raw<'_>) -> bool {
    match operand.token() {
        Token::Null | Token::Bool(false) | Token::Int32(0) | Token::Int64(0) => false,
        Token::Double(value) => value != 0.0,
        Token::Decimal(_) => integral(operand) != Some(0),
        _ => true,
    }
}

/// What `$type` takes: a name, a code, or a list of them.
pub(super) fn types(operand: Raw<'_>) -> Result<TypeSet, String> {
    let one = |raw: Raw<'_>| {
        TypeSet::from_raw(raw).ok_or_else(|| format!("does not know the type {raw:?}"))
    };
    let Some(types) = operand.as_array() else { return one(operand) };
    if operand.member_count() == 0 {
        return Err("takes at least one type".to_owned());
    }
    types.into_iter().try_fold(TypeSet::default(), |set, raw| Ok(set.union(one(raw)?)))
}

/// What `$mod` takes: a divisor and a remainder.
pub(super) fn modulo(operand: Raw<'_>) -> Result<(i64, i64), String> {
    let wrong = || "takes a list of a divisor and a remainder, both numbers".to_owned();
    let mut numbers = operand.as_array().ok_or_else(wrong)?;
    let (Some(divisor), Some(remainder), None) = (numbers.next(), numbers.next(), numbers.next())
    else {
        return Err(wrong());
    };
    match (truncated(divisor), truncated(remainder)) {
        (Some(0), _) => Err("cannot divide by 0".to_owned()),
        (Some(divisor), Some(remainder)) => Ok((divisor, remainder)),
        _ => Err(wrong()),
    }
}

/// What `$size` takes.
pub(super) fn size(operand: Raw<'_>) -> Result<usize, String> {
    integral(operand)
        .and_then(|size| usize::try_from(size).ok())
        .ok_or_else(|| "takes a whole number of at least 0".to_owned())
}

/// What `$bitsAllSet` and its like take: a number, a binary, or a list of positions.
pub(super) fn bits(name: &str, operand: Raw<'_>) -> Result<Bits, String> {
    let mut positions = Positions::default();
    if let Some((_, bytes)) = operand.as_binary() {
        for (at, byte) in (0_u64..).zip(bytes) {
            (0..8).filter(|bit| byte >> bit & 1 == 1).for_each(|bit| positions.add(8 * at + bit));
        }
    } else if let Some(list) = operand.as_array() {
        for position in list {
            let position = integral(position).filter(|at| (0..=MAX_POSITION).contains(at));
            let position = position.and_then(|at| u64::try_from(at).ok());
            positions.add(position.ok_or_else(|| {
                format!("takes positions that are whole numbers from 0 to {MAX_POSITION}")
            })?);
        }
    } else {
        let mask = integral(operand).and_then(|mask| u64::try_from(mask).ok());
        positions.low = mask.ok_or_else(|| {
            "takes a whole number of at least 0, a list of positions, or a binary".to_owned()
        })?;
    }
    Ok(Bits {
        low: positions.low,
        high: positions.high.into(),
        set: name.ends_with("Set"),
        every: name.contains("All"),
    })
}

#[derive(Default)]
struct Positions {
    low: u64,
    high: Vec<u64>,
}

impl Positions {
    fn add(&mut self, at: u64) {
        if at < 64 {
            self.low |= 1 << at;
        } else {
            self.high.push(at);
        }
    }
}

/// Values in their order, without doubles.
pub(super) fn sorted(mut values: Vec<Raw<'_>>) -> Arc<[Box<[u8]>]> {
    values.sort_by(|a, b| compare(*a, *b));
    values.dedup_by(|a, b| compare(*a, *b).is_eq());
    values.into_iter().map(|value| value.as_bytes().into()).collect()
}
