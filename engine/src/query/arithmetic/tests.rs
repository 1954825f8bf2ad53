//! Numbers: result types, overflow, and decimals against known values.

use super::{Number, Overflow, Rounding, decimal};
use crate::value::Decimal128;

const MAX: i64 = i64::MAX;

fn dec(text: &str) -> Decimal128 {
    text.parse().unwrap()
}

fn number(text: &str) -> Number {
    Number::Decimal(dec(text))
}

#[test]
fn result_types_are_those_of_mongodb() {
    use Number::{Double, Int32, Int64};
    assert_eq!(Int32(1).add(Int32(2)), Ok(Int32(3)));
    assert_eq!(Int32(i32::MAX).add(Int32(1)), Ok(Int64(2_147_483_648)));
    assert_eq!(Int32(i32::MIN).subtract(Int32(1)), Ok(Int64(-2_147_483_649)));
    assert_eq!(Int32(1 << 20).multiply(Int32(1 << 20)), Ok(Int64(1 << 40)));
    assert_eq!(Int32(1).add(Int64(2)), Ok(Int64(3)));
    assert_eq!(Int64(1).add(Double(2.0)), Ok(Double(3.0)));
    assert_eq!(Int32(1).add(number("0.5")), Ok(number("1.5")));
    assert_eq!(Double(0.1).add(number("1")), Ok(number("1.100000000000000")));
    assert_eq!(Int64(MAX).add(Int32(1)), Err(Overflow));
    assert_eq!(Int64(MAX).add_widening(Int32(1)), Double(9_223_372_036_854_775_808.0));
    assert_eq!(Int64(i64::MIN).multiply(Int32(-1)), Err(Overflow));
    assert_eq!(Int64(i64::MIN).remainder(Int64(-1)), Some(Int64(0)));
    assert_eq!(Int32(i32::MIN).remainder(Int32(-1)), Some(Int32(0)));
    assert_eq!(Int32(-7).remainder(Int32(4)), Some(Int32(-3)));
    assert_eq!(Int32(6).divide(Int32(4)), Some(Double(1.5)));
    assert_eq!(Int32(6).divide(Double(0.0)), None);
    assert_eq!(Int32(i32::MIN).absolute(), Ok(Int64(2_147_483_648)));
    assert_eq!(Int64(i64::MIN).absolute(), Err(Overflow));
    assert_eq!(Int32(6).bitwise(Int32(3), |a, b| a & b), Some(Int32(2)));
    assert_eq!(Int32(-1).bitwise(Int64(3), |a, b| a ^ b), Some(Int64(-4)));
    assert_eq!(Double(1.0).bitwise(Int32(1), |a, b| a | b), None);
}

#[test]
fn rounding_goes_half_to_even_at_any_place() {
    use Number::{Double, Int32, Int64};
    let half = |number: Number, places| number.rounded(places, Rounding::HalfEven);
    assert_eq!(half(Double(2.5), 0), Double(2.0));
    assert_eq!(half(Double(3.5), 0), Double(4.0));
    assert_eq!(half(Double(19.25), 1), Double(19.2));
    assert_eq!(half(Double(1234.5), -2), Double(1200.0));
    assert_eq!(half(Int32(1250), -2), Int32(1200));
    assert_eq!(half(Int32(1350), -2), Int32(1400));
    assert_eq!(half(Int32(i32::MAX), -1), Int64(2_147_483_650));
    assert_eq!(half(Int64(MAX), -1), Double(9_223_372_036_854_775_807.0));
    assert_eq!(half(number("2.5"), 0), number("2"));
    assert_eq!(half(number("-2.675"), 2), number("-2.68"));
    assert_eq!(half(number("1.5"), 3), number("1.500"));
    let cut = |number: Number, places| number.rounded(places, Rounding::Truncate);
    assert_eq!(cut(Double(-7.85), 1), Double(-7.8));
    assert_eq!(cut(number("-1.99"), 0), number("-1"));
    assert_eq!(number("-1.01").rounded(0, Rounding::Floor), number("-2"));
    assert_eq!(number("1.01").rounded(0, Rounding::Ceiling), number("2"));
    assert_eq!(number("1E+20").to_i64_exact(), None);
    assert_eq!(number("12E+2").to_i64_exact(), Some(1200));
    assert_eq!(number("12.00").to_i64_exact(), Some(12));
    assert_eq!(number("12.50").to_i64_exact(), None);
    assert_eq!(number("12.50").to_i64_truncated(), Some(12));
    assert_eq!(Double(9.3e18).to_i64_truncated(), None);
}

#[test]
fn decimals_agree_with_known_sums() {
    let sums = [
        ("1.10", "2.2", "3.30"),
        ("1", "-1", "0"),
        ("1E+10", "1", "10000000001"),
        ("1E+40", "1", "1.000000000000000000000000000000000E+40"),
        ("1E+6000", "-1E-6000", "1.000000000000000000000000000000000E+6000"),
        ("9999999999999999999999999999999999", "1", "1.000000000000000000000000000000000E+34"),
        ("9999999999999999999999999999999999", "0.5", "1.000000000000000000000000000000000E+34"),
        ("9999999999999999999999999999999998", "0.5", "9999999999999999999999999999999998"),
        ("9999999999999999999999999999999998", "0.51", "9999999999999999999999999999999999"),
        ("9.999999999999999999999999999999999E+6144", "1E+6144", "Infinity"),
        ("Infinity", "-Infinity", "NaN"),
        ("0E+3", "1.5", "1.5"),
        ("1.000000000000000000000000000000000", "-1E-60", "1.000000000000000000000000000000000"),
    ];
    for (a, b, sum) in sums {
        assert_eq!(decimal::add(dec(a), dec(b)).to_string(), sum, "{a} + {b}");
        assert_eq!(decimal::add(dec(b), dec(a)).to_string(), sum, "{b} + {a}");
    }
}

#[test]
fn decimals_agree_with_known_products_and_quotients() {
    let third = "0.3333333333333333333333333333333333";
    let products = [
        ("1.20", "3", "3.60"),
        ("-2.5", "0.4", "-1.00"),
        (third, "3", "0.9999999999999999999999999999999999"),
        (
            "9999999999999999999999999999999999",
            "9999999999999999999999999999999999",
            "9.999999999999999999999999999999998E+67",
        ),
        ("1E-6176", "0.5", "0E-6176"),
        ("1E-6176", "0.51", "1E-6176"),
        ("0", "Infinity", "NaN"),
    ];
    for (a, b, product) in products {
        assert_eq!(decimal::multiply(dec(a), dec(b)).to_string(), product, "{a} * {b}");
    }
    let quotients = [
        ("1", "3", third),
        ("2", "3", "0.6666666666666666666666666666666667"),
        ("6", "3", "2"),
        ("1", "8", "0.125"),
        ("2.40", "2", "1.20"),
        ("100", "0.5", "2.0E+2"),
        ("1", "9999999999999999999999999999999999", "1.000000000000000000000000000000000E-34"),
        ("-1", "0", "-Infinity"),
        ("0", "0", "NaN"),
    ];
    for (a, b, quotient) in quotients {
        let got = decimal::divide(dec(a), dec(b)).to_string();
        assert_eq!(got, quotient, "{a} / {b}");
    }
    let remainders = [
        ("7", "3", "1"),
        ("-7.5", "2", "-1.5"),
        ("1E+6000", "7", "1"),
        ("5", "1E+10", "5"),
        ("5", "1E+100", "5"),
        ("0.3", "0.1", "0.0"),
    ];
    for (a, b, remainder) in remainders {
        assert_eq!(decimal::remainder(dec(a), dec(b)).to_string(), remainder, "{a} mod {b}");
    }
    let roots = [
        ("2", "1.414213562373095048801688724209698"),
        ("9", "3"),
        ("0.25", "0.5"),
        ("1E+3", "31.62277660168379331998893544432719"),
        ("-1", "NaN"),
        ("0.00", "0.0"),
    ];
    for (a, root) in roots {
        assert_eq!(decimal::square_root(dec(a)).to_string(), root, "root of {a}");
    }
}

#[test]
fn doubles_become_decimals_of_15_digits() {
    assert_eq!(Number::Double(2.5).to_decimal().to_string(), "2.50000000000000");
    assert_eq!(Number::Double(0.1).to_decimal().to_string(), "0.100000000000000");
    assert_eq!(Number::Double(f64::INFINITY).to_decimal().to_string(), "Infinity");
    assert_eq!(number("0.1").to_f64(), 0.1);
}
