//! Numbers of the four types, and what adding, multiplying and the like makes of them.
//!
//! Guarantees: int with int gives int, or long where it does not fit; int with long gives long; anything with a double
//! gives a double, anything with a decimal a decimal (reference, section 5). A long that overflows is [`Overflow`], or a
//! double in the widening forms, which aggregation uses. No rounding but that of doubles and decimals themselves.
//! Leaves to others: what null, missing and other types mean, and the wording of errors.

pub(crate) mod decimal;
mod float;
#[cfg(test)]
mod tests;
mod wide;

use std::cmp::Ordering;

pub(crate) use decimal::Rounding;

use super::Item;
use crate::value::token::Token;
use crate::value::{Decimal128, Raw, compare, encode};

/// A number with its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int32(i32),
    Int64(i64),
    Double(f64),
    Decimal(Decimal128),
}

/// The result is an integer that does not fit a long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

/// Two numbers brought to their common type.
enum Pair {
    Int32(i32, i32),
    Int64(i64, i64),
    Double(f64, f64),
    Decimal(Decimal128, Decimal128),
}

impl Number {
    /// The number, if the value is one.
    #[inline]
    pub(crate) fn read(raw: Raw<'_>) -> Option<Self> {
        match raw.token() {
            Token::Int32(value) => Some(Self::Int32(value)),
            Token::Int64(value) => Some(Self::Int64(value)),
            Token::Double(value) => Some(Self::Double(value)),
            Token::Decimal(value) => Some(Self::Decimal(value)),
            _ => None,
        }
    }

    /// An int where it fits, else a long.
    pub(crate) fn integer(value: i64) -> Self {
        i32::try_from(value).map_or(Self::Int64(value), Self::Int32)
    }

    /// The value.
    pub(crate) fn to_item(self) -> Item<'static> {
        match self {
            Self::Int32(value) => Item::int32(value),
            Self::Int64(value) => Item::int64(value),
            Self::Double(value) => Item::double(value),
            Self::Decimal(value) => Item::decimal(value),
        }
    }

    #[allow(dead_code, reason = "for updates and stages")]
    /// Writes the value.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Int32(value) => encode::write_int32(value, out),
            Self::Int64(value) => encode::write_int64(value, out),
            Self::Double(value) => encode::write_double(value, out),
            Self::Decimal(value) => encode::write_decimal(value, out),
        }
    }

    /// The nearest double.
    #[inline]
    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Self::Int32(value) => f64::from(value),
            Self::Int64(value) => value as f64,
            Self::Double(value) => value,
            Self::Decimal(value) => decimal::to_f64(value),
        }
    }

    /// The decimal; a double is rounded to 15 digits, as MongoDB does.
    pub(crate) fn to_decimal(self) -> Decimal128 {
        match self {
            Self::Int32(value) => decimal::from_i64(i64::from(value)),
            Self::Int64(value) => decimal::from_i64(value),
            Self::Double(value) => decimal::from_f64(value),
            Self::Decimal(value) => value,
        }
    }

    /// The integer, if the number is one and fits a long.
    pub(crate) fn to_i64_exact(self) -> Option<i64> {
        match self {
            Self::Int32(value) => Some(i64::from(value)),
            Self::Int64(value) => Some(value),
            Self::Double(value) => float::to_i64_exact(value),
            Self::Decimal(value) => decimal::to_i64_exact(value),
        }
    }

    /// The integer after cutting the fraction off, if that fits a long. NaN and infinities do not.
    pub(crate) fn to_i64_truncated(self) -> Option<i64> {
        self.rounded(0, Rounding::Truncate).to_i64_exact()
    }

    #[allow(dead_code, reason = "for updates and stages")]
    /// Whether it is finite and has no fraction.
    pub(crate) fn is_integral(self) -> bool {
        match self {
            Self::Int32(_) | Self::Int64(_) => true,
            Self::Double(value) => value.is_finite() && value.fract() == 0.0,
            Self::Decimal(value) => decimal::is_integral(value),
        }
    }

    /// Whether it is zero.
    pub(crate) fn is_zero(self) -> bool {
        match self {
            Self::Int32(value) => value == 0,
            Self::Int64(value) => value == 0,
            Self::Double(value) => value == 0.0,
            Self::Decimal(value) => decimal::is_zero(value),
        }
    }

    /// Whether it is NaN.
    pub(crate) fn is_nan(self) -> bool {
        match self {
            Self::Int32(_) | Self::Int64(_) => false,
            Self::Double(value) => value.is_nan(),
            Self::Decimal(value) => {
                matches!(value.parts(), crate::value::decimal::DecimalParts::NaN)
            }
        }
    }

    /// Whether it is neither NaN nor infinite.
    pub(crate) fn is_finite(self) -> bool {
        match self {
            Self::Int32(_) | Self::Int64(_) => true,
            Self::Double(value) => value.is_finite(),
            Self::Decimal(value) => {
                matches!(value.parts(), crate::value::decimal::DecimalParts::Finite { .. })
            }
        }
    }

    /// Whether it is less than zero.
    pub(crate) fn is_negative(self) -> bool {
        match self {
            Self::Int32(value) => value < 0,
            Self::Int64(value) => value < 0,
            Self::Double(value) => value < 0.0,
            Self::Decimal(value) => decimal::is_negative(value) && !decimal::is_zero(value),
        }
    }

    #[allow(dead_code, reason = "for updates and stages")]
    /// The total order of numbers: by mathematical value, NaN the lowest.
    pub(crate) fn compare(self, other: Self) -> Ordering {
        let (mut a, mut b) = (Vec::with_capacity(18), Vec::with_capacity(18));
        match (self, other) {
            (Self::Int32(a), Self::Int32(b)) => return a.cmp(&b),
            (Self::Int64(a), Self::Int64(b)) => return a.cmp(&b),
            _ => {}
        }
        self.write(&mut a);
        other.write(&mut b);
        compare::compare(Raw::trusted(&a), Raw::trusted(&b))
    }

    /// The sum.
    pub(crate) fn add(self, other: Self) -> Result<Self, Overflow> {
        Ok(match self.pair(other) {
            Pair::Int32(a, b) => Self::integer(i64::from(a) + i64::from(b)),
            Pair::Int64(a, b) => Self::Int64(a.checked_add(b).ok_or(Overflow)?),
            Pair::Double(a, b) => Self::Double(a + b),
            Pair::Decimal(a, b) => Self::Decimal(decimal::add(a, b)),
        })
    }

    /// The difference.
    pub(crate) fn subtract(self, other: Self) -> Result<Self, Overflow> {
        Ok(match self.pair(other) {
            Pair::Int32(a, b) => Self::integer(i64::from(a) - i64::from(b)),
            Pair::Int64(a, b) => Self::Int64(a.checked_sub(b).ok_or(Overflow)?),
            Pair::Double(a, b) => Self::Double(a - b),
            Pair::Decimal(a, b) => Self::Decimal(decimal::subtract(a, b)),
        })
    }

    /// The product.
    pub(crate) fn multiply(self, other: Self) -> Result<Self, Overflow> {
        Ok(match self.pair(other) {
            Pair::Int32(a, b) => Self::integer(i64::from(a) * i64::from(b)),
            Pair::Int64(a, b) => Self::Int64(a.checked_mul(b).ok_or(Overflow)?),
            Pair::Double(a, b) => Self::Double(a * b),
            Pair::Decimal(a, b) => Self::Decimal(decimal::multiply(a, b)),
        })
    }

    /// The sum, a double where a long overflows.
    pub(crate) fn add_widening(self, other: Self) -> Self {
        self.add(other).unwrap_or_else(|_| Self::Double(self.to_f64() + other.to_f64()))
    }

    /// The difference, a double where a long overflows.
    pub(crate) fn subtract_widening(self, other: Self) -> Self {
        self.subtract(other).unwrap_or_else(|_| Self::Double(self.to_f64() - other.to_f64()))
    }

    /// The product, a double where a long overflows.
    pub(crate) fn multiply_widening(self, other: Self) -> Self {
        self.multiply(other).unwrap_or_else(|_| Self::Double(self.to_f64() * other.to_f64()))
    }

    /// The quotient, a double or a decimal; `None` for a divisor of zero.
    pub(crate) fn divide(self, other: Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        Some(match self.pair(other) {
            Pair::Decimal(a, b) => Self::Decimal(decimal::divide(a, b)),
            _ => Self::Double(self.to_f64() / other.to_f64()),
        })
    }

    /// The remainder with the sign of `self`; `None` for a divisor of zero.
    pub(crate) fn remainder(self, other: Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        Some(match self.pair(other) {
            // The least integer divided by -1 does not fit, but its remainder is 0.
            Pair::Int32(a, b) => Self::Int32(a.wrapping_rem(b)),
            Pair::Int64(a, b) => Self::Int64(a.wrapping_rem(b)),
            Pair::Double(a, b) => Self::Double(a % b),
            Pair::Decimal(a, b) => Self::Decimal(decimal::remainder(a, b)),
        })
    }

    /// The number with the other sign.
    pub(crate) fn negate(self) -> Result<Self, Overflow> {
        Ok(match self {
            Self::Int32(value) => Self::integer(-i64::from(value)),
            Self::Int64(value) => Self::Int64(value.checked_neg().ok_or(Overflow)?),
            Self::Double(value) => Self::Double(-value),
            Self::Decimal(value) => Self::Decimal(decimal::negate(value)),
        })
    }

    /// The number without its sign.
    pub(crate) fn absolute(self) -> Result<Self, Overflow> {
        match self {
            Self::Double(value) => Ok(Self::Double(value.abs())),
            Self::Decimal(value) if decimal::is_negative(value) => self.negate(),
            _ if self.is_negative() => self.negate(),
            _ => Ok(self),
        }
    }

    /// Rounded to `places` digits after the point (negative: before it), of the same type; an int that no longer fits
    /// is a long, a long that no longer fits a double.
    pub(crate) fn rounded(self, places: i32, rounding: Rounding) -> Self {
        match self {
            Self::Int32(value) => match float::round_integer(i64::from(value), places, rounding) {
                Some(rounded) => Self::integer(rounded),
                None => self,
            },
            Self::Int64(value) => match float::round_integer(value, places, rounding) {
                Some(rounded) => Self::Int64(rounded),
                None => Self::Double(float::round(value as f64, places, rounding)),
            },
            Self::Double(value) => Self::Double(float::round(value, places, rounding)),
            Self::Decimal(value) => Self::Decimal(decimal::quantize(value, places, rounding)),
        }
    }

    /// The square root, a double or a decimal; NaN of a negative number.
    pub(crate) fn square_root(self) -> Self {
        match self {
            Self::Decimal(value) => Self::Decimal(decimal::square_root(value)),
            _ => Self::Double(self.to_f64().sqrt()),
        }
    }

    /// Combines the bits of two integers (an int with an int gives an int); `None` for other numbers.
    pub(crate) fn bitwise(self, other: Self, combine: fn(i64, i64) -> i64) -> Option<Self> {
        match (self, other) {
            (Self::Int32(a), Self::Int32(b)) => {
                Some(Self::Int32(combine(i64::from(a), i64::from(b)) as i32))
            }
            (Self::Int32(_) | Self::Int64(_), Self::Int32(_) | Self::Int64(_)) => {
                Some(Self::Int64(combine(self.to_i64_exact()?, other.to_i64_exact()?)))
            }
            _ => None,
        }
    }

    /// Inverts the bits of an integer; `None` for other numbers.
    pub(crate) fn bitwise_not(self) -> Option<Self> {
        match self {
            Self::Int32(value) => Some(Self::Int32(!value)),
            Self::Int64(value) => Some(Self::Int64(!value)),
            _ => None,
        }
    }

    fn pair(self, other: Self) -> Pair {
        match (self, other) {
            (Self::Int32(a), Self::Int32(b)) => Pair::Int32(a, b),
            (Self::Decimal(_), _) | (_, Self::Decimal(_)) => {
                Pair::Decimal(self.to_decimal(), other.to_decimal())
            }
            (Self::Double(_), _) | (_, Self::Double(_)) => {
                Pair::Double(self.to_f64(), other.to_f64())
            }
            (Self::Int32(a), Self::Int64(b)) => Pair::Int64(i64::from(a), b),
            (Self::Int64(a), Self::Int32(b)) => Pair::Int64(a, i64::from(b)),
            (Self::Int64(a), Self::Int64(b)) => Pair::Int64(a, b),
        }
    }
}
