//! The total order over all values, and equality, on encoded bytes.
//!
//! Guarantees: a total order as the query language's reference, section 1, has it: by type rank, then by value. Numbers
//! compare by mathematical value over all four types; NaN is the lowest number and equal to itself. Objects compare
//! member by member in stored order: type rank, name, value. Equality is this order's, so `1 == 1.0`.
//! Leaves to others: type bracketing and NaN in filters, missing values, collations.

use std::cmp::Ordering;

use super::number::{Exact, compare_decimals};
use super::raw::Raw;
use super::token::{Cursor, Token};

/// The total order.
pub fn compare(a: Raw<'_>, b: Raw<'_>) -> Ordering {
    compare_next(&mut Cursor::new(a.as_bytes()), &mut Cursor::new(b.as_bytes()))
}

/// Equality of the query language: [`compare`] says equal.
pub fn equal(a: Raw<'_>, b: Raw<'_>) -> bool {
    a.as_bytes() == b.as_bytes() || compare(a, b) == Ordering::Equal
}

/// Compares the next values; where they are equal, both cursors have moved past them.
fn compare_next(a: &mut Cursor<'_>, b: &mut Cursor<'_>) -> Ordering {
    let (Some(left), Some(right)) = (a.next_token(), b.next_token()) else {
        // Only damaged bytes come here; any answer will do, as long as it is an order.
        return a.rest().len().cmp(&b.rest().len());
    };
    match (left, right) {
        (Token::Int32(x), Token::Int32(y)) => x.cmp(&y),
        (Token::String(x), Token::String(y)) => x.cmp(y),
        (Token::Object(x), Token::Object(y)) => compare_objects(a, x, b, y),
        (Token::Array(x), Token::Array(y)) => compare_arrays(a, x, b, y),
        (Token::Binary(s, x), Token::Binary(t, y)) => (x.len(), s, x).cmp(&(y.len(), t, y)),
        (Token::ObjectId(x), Token::ObjectId(y)) => x.cmp(y),
        (Token::Bool(x), Token::Bool(y)) => x.cmp(&y),
        (Token::Date(x), Token::Date(y)) => x.cmp(&y),
        (Token::Timestamp(t, i), Token::Timestamp(u, j)) => (t, i).cmp(&(u, j)),
        (Token::Regex(p, o), Token::Regex(q, r)) => (p, o).cmp(&(q, r)),
        _ => compare_ranks_and_numbers(left, right),
    }
}

fn compare_ranks_and_numbers(left: Token<'_>, right: Token<'_>) -> Ordering {
    match (integer(left), integer(right)) {
        (Some(x), Some(y)) => return x.cmp(&y),
        _ if left.kind().rank() != right.kind().rank() => {
            return left.kind().rank().cmp(&right.kind().rank());
        }
        _ => {}
    }
    match (left, right) {
        (Token::Double(x), Token::Double(y)) if !x.is_nan() && !y.is_nan() => {
            x.partial_cmp(&y).unwrap_or(Ordering::Equal)
        }
        (Token::Decimal(x), Token::Decimal(y)) => compare_decimals(x, y),
        _ => exact(left).cmp(&exact(right)),
    }
}

fn integer(token: Token<'_>) -> Option<i64> {
    match token {
        Token::Int32(value) => Some(i64::from(value)),
        Token::Int64(value) => Some(value),
        _ => None,
    }
}

/// The exact form of a number; `None` for anything else.
pub(super) fn exact(token: Token<'_>) -> Option<Exact> {
    match token {
        Token::Int32(value) => Some(Exact::from_i64(i64::from(value))),
        Token::Int64(value) => Some(Exact::from_i64(value)),
        Token::Double(value) => Some(Exact::from_f64(value)),
        Token::Decimal(value) => Some(Exact::from_decimal(value)),
        _ => None,
    }
}

fn compare_arrays(a: &mut Cursor<'_>, x: usize, b: &mut Cursor<'_>, y: usize) -> Ordering {
    for _ in 0..x.min(y) {
        let order = compare_next(a, b);
        if order.is_ne() || a.rest().is_empty() && b.rest().is_empty() {
            return order.then(x.cmp(&y));
        }
    }
    x.cmp(&y)
}

fn compare_objects(a: &mut Cursor<'_>, x: usize, b: &mut Cursor<'_>, y: usize) -> Ordering {
    for _ in 0..x.min(y) {
        let names = a.name().cmp(&b.name());
        let ranks = rank(a).cmp(&rank(b));
        let order = ranks.then(names).then_with(|| compare_next(a, b));
        if order.is_ne() || a.rest().is_empty() && b.rest().is_empty() {
            return order.then(x.cmp(&y));
        }
    }
    x.cmp(&y)
}

fn rank(cursor: &Cursor<'_>) -> u8 {
    cursor.peek().map_or(0, |token| token.kind().rank())
}
