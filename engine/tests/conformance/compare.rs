//! Comparing what came with what is expected.

use headwater_engine::value::compare;
use headwater_engine::value::{Object, Raw, Value, ValueKind};

use super::case::Case;

/// Whether two values agree under the flags of the case.
pub fn agree(case: &Case, expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| agree(case, a, b))
        }
        (Value::Object(a), Value::Object(b)) => objects_agree(case, a, b),
        _ if is_number(expected) && is_number(got) => numbers_agree(case, expected, got),
        _ => equal(expected, got),
    }
}

/// Whether two lists agree, in any order if the case says so.
pub fn lists_agree(case: &Case, expected: &[Value], got: &[Value]) -> bool {
    if expected.len() != got.len() {
        return false;
    }
    if !case.unordered {
        return expected.iter().zip(got).all(|(a, b)| agree(case, a, b));
    }
    let mut left: Vec<_> = got.iter().collect();
    expected.iter().all(|wanted| {
        let found = left.iter().position(|got| agree(case, wanted, got));
        found.map(|place| left.remove(place)).is_some()
    })
}

fn objects_agree(case: &Case, a: &Object, b: &Object) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if case.strict_order && a.iter().zip(b.iter()).any(|((a, _), (b, _))| a != b) {
        return false;
    }
    a.iter().all(|(name, value)| b.get(name).is_some_and(|other| agree(case, value, other)))
}

fn is_number(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::Int32 | ValueKind::Int64 | ValueKind::Double | ValueKind::Decimal
    )
}

fn numbers_agree(case: &Case, a: &Value, b: &Value) -> bool {
    if case.strict_types && a.kind() != b.kind() {
        return false;
    }
    if equal(a, b) {
        return true;
    }
    match (case.approx, double(a), double(b)) {
        (true, Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
        _ => false,
    }
}

fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Int32(value) => Some(f64::from(*value)),
        Value::Int64(value) => Some(*value as f64),
        Value::Double(value) => Some(*value),
        Value::Decimal(value) => value.to_string().parse().ok(),
        _ => None,
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    compare::equal(Raw::trusted(&a.to_bytes()), Raw::trusted(&b.to_bytes()))
}
