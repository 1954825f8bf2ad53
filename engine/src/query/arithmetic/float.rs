//! Rounding doubles and integers to places.
//!
//! Guarantees: doubles are rounded by their exact value in 34 digits, as MongoDB does (1.005, which is a little less, to two
//! places is 1.0); ties go to the even digit. No overflow goes unnoticed.
//! Leaves to others: decimals (`decimal`).

use super::decimal::{self, Rounding};

/// The bound past which a double is no long.
const LONG_END: f64 = 9_223_372_036_854_775_808.0;

/// The integer, if the double is one and fits.
pub(super) fn to_i64_exact(value: f64) -> Option<i64> {
    let fits = value.fract() == 0.0 && (-LONG_END..LONG_END).contains(&value);
    fits.then_some(value as i64)
}

/// Rounds a double to places.
pub(super) fn round(value: f64, places: i32, rounding: Rounding) -> f64 {
    if !value.is_finite() {
        return value;
    }
    if places == 0 {
        return match rounding {
            Rounding::HalfEven => value.round_ties_even(),
            Rounding::Truncate => value.trunc(),
            Rounding::Floor => value.floor(),
            Rounding::Ceiling => value.ceil(),
        };
    }
    let Ok(exact) = format!("{value:.33e}").parse() else { return value };
    decimal::to_f64(decimal::quantize(exact, places, rounding))
}

/// Rounds an integer to places; `None` where the result does not fit.
pub(super) fn round_integer(value: i64, places: i32, rounding: Rounding) -> Option<i64> {
    if places >= 0 {
        return Some(value);
    }
    let rounded = decimal::quantize(decimal::from_i64(value), places, rounding);
    decimal::to_i64_exact(rounded)
}
