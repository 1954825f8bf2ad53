//! Numbers of conditions: whole numbers of any type, `$mod`, and masks of bits.
//!
//! Guarantees: no rounding: a double or decimal counts as the whole number that it is, or as none. Fractions are cut off
//! only where `$mod` says so. Positions of 64 and more repeat a number's sign; bits of a binary begin at the lowest bit of
//! its first byte.
//! Leaves to others: parsing the operands' shapes.

use crate::value::decimal::DecimalParts;
use crate::value::token::Token;
use crate::value::{Decimal128, Raw};

/// 2^63: the first double too large for an i64.
const TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;

/// The whole number that a value is.
pub(in crate::query) fn integral(raw: Raw<'_>) -> Option<i64> {
    match raw.token() {
        Token::Int32(value) => Some(i64::from(value)),
        Token::Int64(value) => Some(value),
        Token::Double(value) if value.fract() == 0.0 => whole(value),
        Token::Decimal(value) => decimal(value).filter(|(_, exact)| *exact).map(|(value, _)| value),
        _ => None,
    }
}

/// The number without its fraction.
pub(in crate::query) fn truncated(raw: Raw<'_>) -> Option<i64> {
    match raw.token() {
        Token::Int32(value) => Some(i64::from(value)),
        Token::Int64(value) => Some(value),
        Token::Double(value) => whole(value.trunc()),
        Token::Decimal(value) => decimal(value).map(|(value, _)| value),
        _ => None,
    }
}

/// The number as a double, rounded where it must be.
pub(in crate::query) fn double(raw: Raw<'_>) -> Option<f64> {
    match raw.token() {
        Token::Int32(value) => Some(f64::from(value)),
        Token::Int64(value) => Some(value as f64),
        Token::Double(value) => Some(value),
        Token::Decimal(value) => value.to_string().parse().ok(),
        _ => None,
    }
}

fn whole(value: f64) -> Option<i64> {
    (-TOO_LARGE..TOO_LARGE).contains(&value).then_some(value as i64)
}

/// A decimal without its fraction, and whether it had none.
fn decimal(value: Decimal128) -> Option<(i64, bool)> {
    let DecimalParts::Finite { negative, coefficient, exponent } = value.parts() else {
        return None;
    };
    let (size, exact) = if coefficient == 0 {
        (0, true)
    } else if exponent >= 0 {
        let power = 10_u128.checked_pow(exponent.cast_unsigned())?;
        (coefficient.checked_mul(power)?, true)
    } else {
        match 10_u128.checked_pow(exponent.unsigned_abs()) {
            Some(power) => (coefficient / power, coefficient.is_multiple_of(power)),
            None => (0, false),
        }
    };
    let size = i128::try_from(size).ok()?;
    i64::try_from(if negative { -size } else { size }).ok().map(|value| (value, exact))
}

/// Whether a value leaves a remainder.
pub(super) fn leaves(raw: Raw<'_>, divisor: i64, remainder: i64) -> bool {
    truncated(raw).is_some_and(|value| value.wrapping_rem(divisor) == remainder)
}

/// Which bits must be set or clear, and how many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bits {
    /// The positions below 64.
    pub(super) low: u64,
    /// The positions from 64 on.
    pub(super) high: Box<[u64]>,
    /// Set, or clear.
    pub(super) set: bool,
    /// Every one of them, or any.
    pub(super) every: bool,
}

impl Bits {
    /// Whether the bits of a value are so; only whole numbers and binaries have bits.
    pub(super) fn test(&self, raw: Raw<'_>) -> bool {
        if let Some((_, bytes)) = raw.as_binary() {
            return self.judge(binary_word(bytes), |at| {
                let byte = usize::try_from(at / 8).ok().and_then(|byte| bytes.get(byte));
                byte.is_some_and(|byte| byte >> (at % 8) & 1 == 1)
            });
        }
        let Some(number) = integral(raw) else { return false };
        self.judge(number.cast_unsigned(), |_| number < 0)
    }

    fn judge(&self, word: u64, high: impl Fn(u64) -> bool) -> bool {
        let word = if self.set { word } else { !word };
        if self.every {
            word & self.low == self.low && self.high.iter().all(|at| high(*at) == self.set)
        } else {
            word & self.low != 0 || self.high.iter().any(|at| high(*at) == self.set)
        }
    }
}

/// The first 64 bits of a binary.
fn binary_word(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}
