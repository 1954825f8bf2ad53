//! The laws of the order and of its keys.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::model::{number, value};
use crate::value::key::{self, Direction};
use crate::value::{Object, Raw, Value, compare};

fn order(a: &Value, b: &Value) -> Ordering {
    compare::compare(Raw::trusted(&a.to_bytes()), Raw::trusted(&b.to_bytes()))
}

fn key(value: &Value) -> Vec<u8> {
    key::encode(Raw::trusted(&value.to_bytes()))
}

fn decimal(text: &str) -> Value {
    Value::Decimal(text.parse().unwrap())
}

fn object(members: &[(&str, Value)]) -> Value {
    Value::Object(
        members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Object>(),
    )
}

/// Asserts that every value sorts before the ones after it, by order and by key.
fn assert_rises(values: &[Value]) {
    for (i, a) in values.iter().enumerate() {
        for (j, b) in values.iter().enumerate() {
            assert_eq!(order(a, b), i.cmp(&j), "{a:?} and {b:?}");
            assert_eq!(key(a).cmp(&key(b)), i.cmp(&j), "keys of {a:?} and {b:?}");
            assert!(i == j || !key(a).starts_with(&key(b)), "keys of {a:?} and {b:?}");
        }
    }
}

#[test]
fn types_follow_the_table_of_ranks() {
    assert_rises(&[
        Value::MinKey,
        Value::Null,
        Value::Double(f64::NAN),
        Value::Int32(5),
        Value::from(""),
        object(&[]),
        Value::Array(vec![]),
        Value::Binary { subtype: 0, bytes: vec![] },
        Value::ObjectId([0; 12]),
        Value::Bool(false),
        Value::Bool(true),
        Value::Date(i64::MIN),
        Value::Timestamp { t: 0, i: 0 },
        Value::Regex { pattern: String::new(), options: String::new() },
        Value::MaxKey,
    ]);
}

#[test]
fn numbers_follow_their_mathematical_value_over_all_types() {
    assert_rises(&[
        Value::Double(f64::NAN),
        Value::Double(f64::NEG_INFINITY),
        decimal("-1E+6144"),
        Value::Double(f64::MIN),
        Value::Int64(i64::MIN),
        Value::Int64(-(1 << 53) - 1),
        Value::Double(-9_007_199_254_740_992.0),
        decimal("-1.5"),
        Value::Int32(-1),
        decimal("-0.1"),
        Value::Double(-5e-324),
        decimal("-1E-6176"),
        Value::Int32(0),
        decimal("1E-6176"),
        decimal("4.940656458412465441765687928682213E-324"),
        Value::Double(5e-324),
        decimal("4.940656458412465441765687928682214E-324"),
        decimal("2.225073858507200889024586876085859E-308"),
        Value::Double(f64::MIN_POSITIVE.next_down()),
        decimal("2.225073858507200889024586876085860E-308"),
        decimal("2.225073858507201383090232717332404E-308"),
        Value::Double(f64::MIN_POSITIVE),
        decimal("2.225073858507201383090232717332405E-308"),
        // The double 0.1 is a little more than a tenth.
        decimal("0.1"),
        decimal("0.1000000000000000055511151231257827"),
        Value::Double(0.1),
        decimal("0.1000000000000000055511151231257828"),
        Value::Int32(1),
        Value::Double(9_007_199_254_740_992.0),
        decimal("9007199254740992.5"),
        Value::Int64((1 << 53) + 1),
        Value::Int64(i64::MAX),
        Value::Double(9_223_372_036_854_775_808.0),
        decimal("9223372036854775808.1"),
        Value::Double(18_446_744_073_709_551_616.0),
        decimal("18446744073709551617"),
        decimal("1267650600228229401496703205375"),
        Value::Double(1_267_650_600_228_229_401_496_703_205_376.0),
        decimal("1267650600228229401496703205377"),
        Value::Double(f64::MAX),
        decimal("1E+6144"),
        Value::Double(f64::INFINITY),
    ]);
}

#[test]
fn equal_numbers_of_different_types_are_equal_and_have_one_key() {
    let sets = [
        vec![Value::Int32(1), Value::Int64(1), Value::Double(1.0), decimal("1"), decimal("1.000")],
        vec![
            Value::Int32(0),
            Value::Int64(0),
            Value::Double(-0.0),
            Value::Double(0.0),
            decimal("-0"),
            decimal("0E+3"),
        ],
        vec![Value::Double(f64::NAN), Value::Double(-f64::NAN), decimal("NaN")],
        vec![Value::Double(f64::INFINITY), decimal("Infinity")],
        vec![Value::Double(0.5), decimal("0.5"), decimal("0.50")],
        vec![decimal("0.1"), decimal("0.10")],
        vec![
            Value::Int64(i64::MIN),
            Value::Double(-9_223_372_036_854_775_808.0),
            decimal("-9223372036854775808"),
        ],
        vec![Value::Double(1e22), decimal("1E+22"), decimal("10000000000000000000000")],
    ];
    for set in sets {
        for a in &set {
            for b in &set {
                assert_eq!(order(a, b), Ordering::Equal, "{a:?} and {b:?}");
                assert_eq!(key(a), key(b), "{a:?} and {b:?}");
                let (x, y) = (object(&[("n", a.clone())]), object(&[("n", b.clone())]));
                assert!(compare::equal(Raw::trusted(&x.to_bytes()), Raw::trusted(&y.to_bytes())));
                assert_eq!(key(&x), key(&y));
            }
        }
    }
}

#[test]
fn texts_follow_the_bytes_of_utf8() {
    assert_rises(
        &[
            "",
            "\0",
            "\0\0",
            "\0a",
            "Z",
            "a",
            "a\0",
            "a\0b",
            "a\u{1}",
            "ab",
            "\u{ffff}",
            "\u{10000}",
        ]
        .map(Value::from),
    );
}

#[test]
fn objects_follow_type_then_name_then_value_in_stored_order() {
    assert_rises(&[
        object(&[]),
        object(&[("b", Value::Null)]),
        object(&[("a", Value::Int32(1))]),
        object(&[("a", Value::Int32(1)), ("b", Value::Int32(2))]),
        object(&[("a", Value::Int32(2))]),
        object(&[("b", Value::Int32(1))]),
        object(&[("b", Value::Int32(2)), ("a", Value::Int32(1))]),
        object(&[("a", Value::from("x"))]),
    ]);
}

#[test]
fn arrays_and_binaries_follow_their_rules() {
    let binary = |subtype, bytes: &[u8]| Value::Binary { subtype, bytes: bytes.to_vec() };
    assert_rises(&[
        Value::Array(vec![]),
        Value::Array(vec![Value::MinKey]),
        Value::Array(vec![Value::Int32(1)]),
        Value::Array(vec![Value::Int32(1), Value::MinKey]),
        Value::Array(vec![Value::Int32(2)]),
        binary(9, &[]),
        binary(0, &[9]),
        binary(1, &[0]),
        binary(1, &[1]),
        binary(0, &[0, 0]),
    ]);
}

#[test]
fn common_keys_are_short() {
    assert_eq!(key(&Value::Int32(5)).len(), 4);
    assert_eq!(key(&Value::Int64(1_700_000_000_000)).len(), 8);
    assert_eq!(key(&Value::Double(0.1)).len(), 11);
    assert_eq!(key(&Value::ObjectId([1; 12])).len(), 13);
    assert_eq!(key(&Value::from("abc")).len(), 6);
}

fn assert_key_agrees(a: &Value, b: &Value) -> Result<(), TestCaseError> {
    let (left, right) = (key(a), key(b));
    prop_assert_eq!(order(a, b), left.cmp(&right), "{:?} and {:?}", a, b);
    if left != right {
        prop_assert!(!left.starts_with(&right) && !right.starts_with(&left));
    }
    Ok(())
}

fn compound(a: &Value, b: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    key::write_directed(Raw::trusted(&a.to_bytes()), Direction::Descending, &mut out);
    key::write_directed(Raw::trusted(&b.to_bytes()), Direction::Ascending, &mut out);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn keys_of_numbers_agree_with_the_order(a in number(), b in number()) {
        assert_key_agrees(&a, &b)?;
    }

    #[test]
    fn keys_of_values_agree_with_the_order(a in value(), b in value()) {
        assert_key_agrees(&a, &b)?;
    }

    #[test]
    fn integers_and_doubles_agree_with_a_comparison_in_128_bits(a: i64, ulp in -3..=3_i64) {
        let double = f64::from_bits(((a as f64).to_bits().cast_signed() + ulp).cast_unsigned());
        // Doubles of this size are whole, so the conversion is exact.
        if double.abs() >= 4_503_599_627_370_496.0 {
            let expected = i128::from(a).cmp(&(double as i128));
            prop_assert_eq!(order(&Value::Int64(a), &Value::Double(double)), expected);
        }
    }

    #[test]
    fn doubles_agree_with_their_own_decimal_digits(a in -1e15..1e15_f64) {
        // A double of this size with a step of 1/8 at most has few decimals, all of which fit.
        let double = (a * 8.0).round() / 8.0;
        let exact = decimal(&format!("{double:.3}"));
        prop_assert_eq!(order(&Value::Double(double), &exact), Ordering::Equal);
    }

    #[test]
    fn decimals_agree_with_whole_numbers_at_one_scale(
        a in -10_i128.pow(33)..10_i128.pow(33),
        b in -10_i128.pow(33)..10_i128.pow(33),
        near in -2..=2_i128,
        close: bool,
        scale in -6000..6000_i32,
    ) {
        let b = if close { a + near } else { b };
        let at = |n: i128| {
            let decimal = crate::value::Decimal128::from_parts(n < 0, n.unsigned_abs(), scale);
            Value::Decimal(decimal.expect("in range"))
        };
        prop_assert_eq!(order(&at(a), &at(b)), a.cmp(&b));
    }

    #[test]
    fn the_order_is_antisymmetric_and_reflexive(a in value(), b in value()) {
        prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
        prop_assert_eq!(order(&a, &a), Ordering::Equal);
    }

    #[test]
    fn the_order_is_transitive(mut values in prop::collection::vec(prop_oneof![number(), value()], 3..4)) {
        values.sort_by(order);
        prop_assert!(order(&values[0], &values[2]).is_le());
        if order(&values[0], &values[1]).is_eq() {
            prop_assert_eq!(order(&values[0], &values[2]), order(&values[1], &values[2]));
        }
    }

    #[test]
    fn compound_keys_follow_their_parts_and_directions(
        a in prop_oneof![number(), value()], b in value(), c in prop_oneof![number(), value()], d in value(),
    ) {
        let expected = order(&a, &c).reverse().then(order(&b, &d));
        prop_assert_eq!(compound(&a, &b).cmp(&compound(&c, &d)), expected);
    }
}
