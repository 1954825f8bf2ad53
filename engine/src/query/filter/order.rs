//! Comparing a value with the operand of a condition.
//!
//! Guarantees: equality and order are those of `value::compare`; a comparison holds only within the type rank of its
//! operand (min key and max key compare with everything), and for NaN only as equality. A missing value equals null.
//! Leaves to others: the walk to the values.

use std::cmp::Ordering;

use crate::value::compare::{compare, equal};
use crate::value::decimal::DecimalParts;
use crate::value::token::Token;
use crate::value::{Raw, ValueKind};

/// Which order satisfies a comparison.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side {
    /// Smaller values, else larger ones.
    pub(super) less: bool,
    /// Equal values too.
    pub(super) equal: bool,
}

impl Side {
    fn accepts(self, order: Ordering) -> bool {
        match order {
            Ordering::Equal => self.equal,
            Ordering::Less => self.less,
            Ordering::Greater => !self.less,
        }
    }
}

/// Whether a value equals the operand.
#[inline]
pub(super) fn equals(value: Option<Raw<'_>>, operand: Raw<'_>) -> bool {
    let Some(value) = value else { return operand.is_null() };
    if value.as_bytes() == operand.as_bytes() {
        return true;
    }
    match (value.token(), operand.token()) {
        (Token::Int32(x), Token::Int32(y)) => x == y,
        (Token::Double(x), Token::Double(y)) => x == y || x.is_nan() && y.is_nan(),
        (Token::Int32(x), Token::Double(y)) | (Token::Double(y), Token::Int32(x)) => {
            f64::from(x) == y
        }
        // One value has one encoding, so these would have been the same bytes.
        (
            _,
            Token::String(_) | Token::Null | Token::Bool(_) | Token::ObjectId(_) | Token::Date(_),
        ) => false,
        (left, right) => left.kind().rank() == right.kind().rank() && equal(value, operand),
    }
}

/// Whether a value stands on a side of the operand.
#[inline]
pub(super) fn compares(value: Option<Raw<'_>>, operand: Raw<'_>, side: Side) -> bool {
    let value = value.unwrap_or(Raw::NULL);
    let order = match (value.token(), operand.token()) {
        (Token::Int32(x), Token::Int32(y)) => x.cmp(&y),
        (Token::String(x), Token::String(y)) => x.cmp(y),
        (Token::Date(x), Token::Date(y)) => x.cmp(&y),
        (Token::Double(x), Token::Double(y)) => return doubles(x, y, side),
        (Token::Int32(x), Token::Double(y)) => return doubles(f64::from(x), y, side),
        (Token::Double(x), Token::Int32(y)) => return doubles(x, f64::from(y), side),
        (left, right) => {
            let ranks = (left.kind().rank(), right.kind().rank());
            if matches!(right.kind(), ValueKind::MinKey | ValueKind::MaxKey) {
                ranks.0.cmp(&ranks.1)
            } else if ranks.0 != ranks.1 {
                return false;
            } else if is_nan(left) || is_nan(right) {
                return side.equal && is_nan(left) && is_nan(right);
            } else {
                compare(value, operand)
            }
        }
    };
    side.accepts(order)
}

fn doubles(x: f64, y: f64, side: Side) -> bool {
    match x.partial_cmp(&y) {
        Some(order) => side.accepts(order),
        None => side.equal && x.is_nan() && y.is_nan(),
    }
}

fn is_nan(token: Token<'_>) -> bool {
    match token {
        Token::Double(value) => value.is_nan(),
        Token::Decimal(value) => matches!(value.parts(), DecimalParts::NaN),
        _ => false,
    }
}

/// Whether a value is among values in their order.
pub(super) fn is_among(value: Raw<'_>, values: &[Box<[u8]>]) -> bool {
    values.binary_search_by(|other| compare(Raw::trusted(other), value)).is_ok()
}
