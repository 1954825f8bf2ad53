//! Arithmetic on decimals of 34 digits, rounding half to even, as IEEE 754-2008 has it.
//!
//! Guarantees: sums, products, quotients, remainders and square roots are the exact results rounded once; too large
//! results are infinite, invalid operations (`Infinity - Infinity`, `0 / 0`) give NaN. Never a panic.
//! Leaves to others: which errors a division by zero is, functions beyond these, comparison (`value::compare`).

use super::wide::Wide;
use crate::value::Decimal128;
use crate::value::decimal::DecimalParts;

const DIGITS: u32 = 34;
const COEFFICIENT_MAX: u128 = 10_u128.pow(DIGITS) - 1;
const EXPONENT_MIN: i32 = -6176;
/// How far the larger summand is spread out; nothing of the smaller one that matters is lost then.
const SPREAD: u32 = 38;

/// How to round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// To the nearest, ties to the even one.
    HalfEven,
    /// Toward zero.
    Truncate,
    /// Toward minus infinity.
    Floor,
    /// Toward infinity.
    Ceiling,
}

#[derive(Clone, Copy)]
struct Finite {
    negative: bool,
    coefficient: u128,
    exponent: i32,
}

impl Finite {
    const ZERO: Finite = Finite { negative: false, coefficient: 0, exponent: 0 };

    fn held(self) -> Decimal128 {
        round(self.negative, Wide::new(self.coefficient), self.exponent, false)
    }
}

/// NaN.
pub(crate) fn nan() -> Decimal128 {
    parse("NaN")
}

/// An infinity.
pub(crate) fn infinity(negative: bool) -> Decimal128 {
    parse(if negative { "-Infinity" } else { "Infinity" })
}

/// Zero.
pub(crate) fn zero() -> Decimal128 {
    from_i64(0)
}

fn parse(text: &str) -> Decimal128 {
    text.parse().unwrap_or(Decimal128::from_bytes([0; 16]))
}

/// A decimal of an integer.
pub(crate) fn from_i64(value: i64) -> Decimal128 {
    Finite { negative: value < 0, coefficient: u128::from(value.unsigned_abs()), exponent: 0 }
        .held()
}

/// A decimal of a double, rounded to 15 digits.
pub(crate) fn from_f64(value: f64) -> Decimal128 {
    if value.is_nan() {
        return nan();
    }
    if value.is_infinite() {
        return infinity(value < 0.0);
    }
    if value == 0.0 {
        return Finite { negative: value.is_sign_negative(), ..Finite::ZERO }.held();
    }
    parse(&format!("{value:.14e}"))
}

/// The nearest double.
pub(crate) fn to_f64(value: Decimal128) -> f64 {
    match value.parts() {
        DecimalParts::NaN => f64::NAN,
        DecimalParts::Infinite { negative: false } => f64::INFINITY,
        DecimalParts::Infinite { negative: true } => f64::NEG_INFINITY,
        DecimalParts::Finite { .. } => value.to_string().parse().unwrap_or(f64::NAN),
    }
}

/// The integer, if it is one and fits.
pub(crate) fn to_i64_exact(value: Decimal128) -> Option<i64> {
    let DecimalParts::Finite { negative, mut coefficient, mut exponent } = value.parts() else {
        return None;
    };
    if coefficient == 0 {
        return Some(0);
    }
    while exponent < 0 {
        if !coefficient.is_multiple_of(10) {
            return None;
        }
        coefficient /= 10;
        exponent += 1;
    }
    let size = 10_u128.checked_pow(exponent.unsigned_abs())?.checked_mul(coefficient)?;
    let size = i128::try_from(size).ok()?;
    i64::try_from(if negative { -size } else { size }).ok()
}

#[allow(dead_code, reason = "for updates and stages")]
/// Whether it is finite and has no fraction.
pub(crate) fn is_integral(value: Decimal128) -> bool {
    let DecimalParts::Finite { coefficient, exponent, .. } = value.parts() else { return false };
    let power = 10_u128.checked_pow(exponent.min(0).unsigned_abs());
    coefficient == 0 || power.is_some_and(|power| coefficient.is_multiple_of(power))
}

/// The number with the other sign.
pub(crate) fn negate(value: Decimal128) -> Decimal128 {
    let mut bytes = value.to_bytes();
    bytes[15] ^= 0x80;
    Decimal128::from_bytes(bytes)
}

/// Whether its sign is negative, for zero as well.
pub(crate) fn is_negative(value: Decimal128) -> bool {
    match value.parts() {
        DecimalParts::NaN => false,
        DecimalParts::Infinite { negative } | DecimalParts::Finite { negative, .. } => negative,
    }
}

/// Whether it is zero.
pub(crate) fn is_zero(value: Decimal128) -> bool {
    matches!(value.parts(), DecimalParts::Finite { coefficient: 0, .. })
}

/// The sum.
pub(crate) fn add(a: Decimal128, b: Decimal128) -> Decimal128 {
    match (a.parts(), b.parts()) {
        (DecimalParts::NaN, _) | (_, DecimalParts::NaN) => nan(),
        (DecimalParts::Infinite { negative: x }, DecimalParts::Infinite { negative: y }) => {
            if x == y { a } else { nan() }
        }
        (DecimalParts::Infinite { .. }, _) => a,
        (_, DecimalParts::Infinite { .. }) => b,
        (
            DecimalParts::Finite { negative: m, coefficient: c, exponent: e },
            DecimalParts::Finite { negative: n, coefficient: d, exponent: f },
        ) => add_finite(
            Finite { negative: m, coefficient: c, exponent: e },
            Finite { negative: n, coefficient: d, exponent: f },
        ),
    }
}

/// The difference.
pub(crate) fn subtract(a: Decimal128, b: Decimal128) -> Decimal128 {
    add(a, negate(b))
}

fn add_finite(a: Finite, b: Finite) -> Decimal128 {
    let (high, low) = if a.exponent >= b.exponent { (a, b) } else { (b, a) };
    if high.coefficient == 0 {
        let zero = low.coefficient == 0;
        let negative = if zero { high.negative && low.negative } else { low.negative };
        return Finite { negative, ..low }.held();
    }
    let distance = (high.exponent - low.exponent).unsigned_abs();
    let spread = distance.min(SPREAD);
    let exponent = high.exponent - spread.cast_signed();
    let large = Wide::new(high.coefficient).times_ten(spread);
    let (small, lost) = if distance > spread {
        let power = 10_u128.checked_pow(distance - spread);
        let parts = power.map(|power| (low.coefficient / power, low.coefficient % power != 0));
        parts.unwrap_or((0, low.coefficient != 0))
    } else {
        (low.coefficient, false)
    };
    let small = Wide::new(small);
    if high.negative == low.negative {
        return round(high.negative, large.plus(small), exponent, lost);
    }
    if lost {
        let rest = large.minus(small).minus(Wide::new(1));
        return round(high.negative, rest, exponent, true);
    }
    match large.cmp(&small) {
        std::cmp::Ordering::Equal => Finite { exponent, ..Finite::ZERO }.held(),
        std::cmp::Ordering::Greater => round(high.negative, large.minus(small), exponent, false),
        std::cmp::Ordering::Less => round(low.negative, small.minus(large), exponent, false),
    }
}

/// The product.
pub(crate) fn multiply(a: Decimal128, b: Decimal128) -> Decimal128 {
    let negative = is_negative(a) != is_negative(b);
    match (a.parts(), b.parts()) {
        (DecimalParts::NaN, _) | (_, DecimalParts::NaN) => nan(),
        (DecimalParts::Infinite { .. }, _) | (_, DecimalParts::Infinite { .. }) => {
            if is_zero(a) || is_zero(b) { nan() } else { infinity(negative) }
        }
        (
            DecimalParts::Finite { coefficient: c, exponent: e, .. },
            DecimalParts::Finite { coefficient: d, exponent: f, .. },
        ) => round(negative, Wide::product(c, d), e + f, false),
    }
}

/// The quotient.
pub(crate) fn divide(a: Decimal128, b: Decimal128) -> Decimal128 {
    let negative = is_negative(a) != is_negative(b);
    match (a.parts(), b.parts()) {
        (DecimalParts::NaN, _) | (_, DecimalParts::NaN) => nan(),
        (DecimalParts::Infinite { .. }, DecimalParts::Infinite { .. }) => nan(),
        (DecimalParts::Infinite { .. }, _) => infinity(negative),
        (_, DecimalParts::Infinite { .. }) => {
            Finite { negative, coefficient: 0, exponent: EXPONENT_MIN }.held()
        }
        (
            DecimalParts::Finite { coefficient: c, exponent: e, .. },
            DecimalParts::Finite { coefficient: d, exponent: f, .. },
        ) => match (c, d) {
            (0, 0) => nan(),
            (_, 0) => infinity(negative),
            (0, _) => Finite { negative, coefficient: 0, exponent: e - f }.held(),
            _ => divide_finite(negative, (c, e), (d, f)),
        },
    }
}

fn divide_finite(negative: bool, (c, e): (u128, i32), (d, f): (u128, i32)) -> Decimal128 {
    let scale = (DIGITS + 1 + d.ilog10() + 1).saturating_sub(c.ilog10());
    let (mut quotient, remainder) = Wide::new(c).times_ten(scale).divided_by(d);
    let mut exponent = e - f - scale.cast_signed();
    if remainder == 0 {
        while exponent < e - f {
            let (shorter, digit, _) = quotient.without_digits(1);
            if digit != 0 {
                break;
            }
            quotient = shorter;
            exponent += 1;
        }
    }
    round(negative, quotient, exponent, remainder != 0)
}

/// The remainder of a division that truncates; it has the sign of `a`.
pub(crate) fn remainder(a: Decimal128, b: Decimal128) -> Decimal128 {
    match (a.parts(), b.parts()) {
        (DecimalParts::Finite { .. }, DecimalParts::Infinite { .. }) => a,
        (_, DecimalParts::Finite { coefficient: 0, .. }) => nan(),
        (
            DecimalParts::Finite { negative, coefficient: c, exponent: e },
            DecimalParts::Finite { coefficient: d, exponent: f, .. },
        ) => {
            let distance = (e - f).unsigned_abs();
            if e < f {
                let divisor = Wide::new(d).times_ten(distance.min(SPREAD)).narrow();
                // A divisor that does not fit is larger than what it divides.
                let coefficient = match divisor {
                    Some(divisor) if distance <= SPREAD => c.checked_rem(divisor).unwrap_or(0),
                    _ => c,
                };
                return Finite { negative, coefficient, exponent: e }.held();
            }
            let mut left = distance;
            let mut coefficient = c % d;
            while left > 0 && coefficient != 0 {
                let step = left.min(DIGITS);
                coefficient = Wide::new(coefficient).times_ten(step).divided_by(d).1;
                left -= step;
            }
            Finite { negative, coefficient, exponent: f }.held()
        }
        _ => nan(),
    }
}

/// The square root; NaN of a negative number.
pub(crate) fn square_root(value: Decimal128) -> Decimal128 {
    match value.parts() {
        DecimalParts::Infinite { negative: false } => value,
        DecimalParts::Finite { coefficient: 0, exponent, negative } => {
            Finite { negative, coefficient: 0, exponent: exponent.div_euclid(2) }.held()
        }
        DecimalParts::Finite { negative: false, coefficient, exponent } => {
            let mut scale = 72 - coefficient.ilog10();
            if (exponent - scale.cast_signed()) % 2 != 0 {
                scale += 1;
            }
            let (root, exact) = Wide::new(coefficient).times_ten(scale).square_root();
            let (mut root, mut at) = (root, (exponent - scale.cast_signed()) / 2);
            while exact && at < exponent.div_euclid(2) && root.is_multiple_of(10) {
                root /= 10;
                at += 1;
            }
            round(false, Wide::new(root), at, !exact)
        }
        _ => nan(),
    }
}

/// Rounded to `places` digits after the point; negative places are digits before it.
pub(crate) fn quantize(value: Decimal128, places: i32, rounding: Rounding) -> Decimal128 {
    let DecimalParts::Finite { negative, coefficient, exponent } = value.parts() else {
        return value;
    };
    let wanted = 0_i32.saturating_sub(places);
    let Ok(power @ 1..) = u32::try_from(wanted.saturating_sub(exponent)) else {
        // Zeros are added as far as they have room.
        let zeros = exponent.saturating_sub(wanted).unsigned_abs().min(DIGITS);
        let padded = Wide::new(coefficient).times_ten(zeros).narrow();
        return padded
            .filter(|padded| *padded <= COEFFICIENT_MAX)
            .and_then(|padded| {
                Decimal128::from_parts(negative, padded, exponent - zeros.cast_signed())
            })
            .unwrap_or(value);
    };
    let (kept, digit, lost) = Wide::new(coefficient).without_digits(power.min(2 * DIGITS));
    let kept = kept.narrow().unwrap_or(0);
    let up = match rounding {
        Rounding::HalfEven => digit > 5 || digit == 5 && (lost || kept % 2 == 1),
        Rounding::Truncate => false,
        Rounding::Floor => negative && (digit > 0 || lost),
        Rounding::Ceiling => !negative && (digit > 0 || lost),
    };
    Finite { negative, coefficient: kept + u128::from(up), exponent: wanted }.held()
}

/// What can be held that is nearest to `coefficient * 10^exponent`, plus less than one more unit if `lost`.
fn round(negative: bool, coefficient: Wide, exponent: i32, lost: bool) -> Decimal128 {
    let excess = coefficient.digits().saturating_sub(DIGITS).cast_signed();
    let drop = excess.max(EXPONENT_MIN.saturating_sub(exponent)).max(0);
    let (mut kept, mut exponent) = (coefficient, exponent);
    if drop > 0 {
        let (shorter, digit, more) = coefficient.without_digits(drop.unsigned_abs());
        let odd = shorter.narrow().is_some_and(|kept| kept % 2 == 1);
        let up = digit > 5 || digit == 5 && (more || lost || odd);
        kept = if up { shorter.plus(Wide::new(1)) } else { shorter };
        exponent += drop;
    }
    let Some(kept) = kept.narrow() else { return nan() };
    Decimal128::from_parts(negative, kept, exponent).unwrap_or_else(|| infinity(negative))
}
