//! Decimal128: the bits of IEEE 754-2008 BID, and its text after the BSON specification.
//!
//! Guarantees: parsing never rounds (a number that does not fit exactly is refused), and what [`Decimal128`] displays
//! parses back to the same bits, save for forms that IEEE calls non-canonical, which read as zero, and payloads of NaN.
//! Leaves to others: comparison (`number`) and arithmetic.

use std::fmt;
use std::str::FromStr;

const DIGITS_MAX: usize = 34;
const COEFFICIENT_MAX: u128 = 10_u128.pow(34) - 1;
const EXPONENT_MIN: i32 = -6176;
const EXPONENT_MAX: i32 = 6111;
const SIGN: u128 = 1 << 127;
const INFINITY: u128 = 0b11110 << 122;
const NAN: u128 = 0b11111 << 122;

/// A decimal floating-point number of 34 digits. `==` compares bits: `1.0` and `1.00` differ here, and are equal in
/// `compare`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal128([u8; 16]);

/// What a decimal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalParts {
    /// Not a number.
    NaN,
    /// An infinity.
    Infinite {
        /// Whether it is the negative one.
        negative: bool,
    },
    /// `coefficient * 10^exponent`, with a sign that zero has, too.
    Finite {
        /// The sign.
        negative: bool,
        /// At most 34 digits.
        coefficient: u128,
        /// From -6176 to 6111.
        exponent: i32,
    },
}

/// The text is no decimal, or needs more than 34 digits or too large an exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecimalError;

impl Decimal128 {
    /// From the 16 bytes of BSON (little-endian BID).
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes of BSON.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// `coefficient * 10^exponent`, if it can be held exactly.
    pub fn from_parts(negative: bool, coefficient: u128, exponent: i32) -> Option<Self> {
        let (coefficient, exponent) = fit(coefficient, exponent)?;
        let biased = u128::try_from(exponent - EXPONENT_MIN).ok()?;
        let sign = if negative { SIGN } else { 0 };
        Some(Self((sign | biased << 113 | coefficient).to_le_bytes()))
    }

    /// What the bits mean.
    pub fn parts(self) -> DecimalParts {
        let bits = u128::from_le_bytes(self.0);
        let negative = bits & SIGN != 0;
        match bits >> 122 & 0b11111 {
            0b11111 => DecimalParts::NaN,
            0b11110 => DecimalParts::Infinite { negative },
            // The large form would hold more than 34 digits: IEEE reads it as zero.
            0b11000.. => {
                let exponent = (bits >> 111 & 0x3fff) as i32 + EXPONENT_MIN;
                DecimalParts::Finite { negative, coefficient: 0, exponent }
            }
            _ => {
                let exponent = (bits >> 113 & 0x3fff) as i32 + EXPONENT_MIN;
                let digits = bits & ((1 << 113) - 1);
                let coefficient = if digits > COEFFICIENT_MAX { 0 } else { digits };
                DecimalParts::Finite { negative, coefficient, exponent }
            }
        }
    }
}

/// Moves zeros between coefficient and exponent until both are in range, if that is possible without rounding.
fn fit(mut coefficient: u128, mut exponent: i32) -> Option<(u128, i32)> {
    if coefficient == 0 {
        return Some((0, exponent.clamp(EXPONENT_MIN, EXPONENT_MAX)));
    }
    while (coefficient > COEFFICIENT_MAX || exponent < EXPONENT_MIN)
        && coefficient.is_multiple_of(10)
    {
        coefficient /= 10;
        exponent += 1;
    }
    while exponent > EXPONENT_MAX && coefficient <= COEFFICIENT_MAX / 10 {
        coefficient *= 10;
        exponent -= 1;
    }
    let fits = coefficient <= COEFFICIENT_MAX && (EXPONENT_MIN..=EXPONENT_MAX).contains(&exponent);
    fits.then_some((coefficient, exponent))
}

impl FromStr for Decimal128 {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let (negative, unsigned) = match text.as_bytes() {
            [b'-', ..] => (true, &text[1..]),
            [b'+', ..] => (false, &text[1..]),
            _ => (false, text),
        };
        let sign = if negative { SIGN } else { 0 };
        if unsigned.eq_ignore_ascii_case("nan") {
            return Ok(Self(NAN.to_le_bytes()));
        }
        if unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity") {
            return Ok(Self((sign | INFINITY).to_le_bytes()));
        }
        let (coefficient, exponent) = parse_number(unsigned).ok_or(DecimalError)?;
        Self::from_parts(negative, coefficient, exponent).ok_or(DecimalError)
    }
}

/// Digits with at most one point, then an exponent perhaps.
fn parse_number(text: &str) -> Option<(u128, i32)> {
    let (mantissa, power) = match text.split_once(['e', 'E']) {
        Some((mantissa, power)) => (mantissa, parse_power(power)?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.len() + fraction.len() == 0 || !digits().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let mut coefficient = 0_u128;
    // Zeros that had no room in the coefficient; another digit after them has none either.
    let mut zeros = 0_i64;
    for digit in digits().map(|digit| u128::from(digit - b'0')) {
        if digit == 0 && coefficient > COEFFICIENT_MAX / 10 {
            zeros += 1;
            continue;
        }
        if coefficient > COEFFICIENT_MAX / 10 {
            return None;
        }
        coefficient = coefficient * 10 + digit;
    }
    let exponent = power + zeros - i64::try_from(fraction.len()).ok()?;
    Some((coefficient, exponent.clamp(-1_000_000, 1_000_000) as i32))
}

fn parse_power(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // Past this, no coefficient of any accepted length brings the number back into range.
    let size = digits.trim_start_matches('0').parse().map_or_else(
        |_| if digits.bytes().all(|digit| digit == b'0') { 0 } else { 1 << 40 },
        |size: i64| size.min(1 << 40),
    );
    Some(if text.starts_with('-') { -size } else { size })
}

impl fmt::Display for Decimal128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (negative, coefficient, exponent) = match self.parts() {
            DecimalParts::NaN => return f.write_str("NaN"),
            DecimalParts::Infinite { negative: false } => return f.write_str("Infinity"),
            DecimalParts::Infinite { negative: true } => return f.write_str("-Infinity"),
            DecimalParts::Finite { negative, coefficient, exponent } => {
                (negative, coefficient, exponent)
            }
        };
        if negative {
            f.write_str("-")?;
        }
        let digits = coefficient.to_string();
        let count = digits.len().min(DIGITS_MAX) as i32;
        let scientific = exponent + count - 1;
        if exponent > 0 || scientific < -6 {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            return write!(f, "{first}{point}{rest}E{scientific:+}");
        }
        if exponent == 0 {
            return f.write_str(&digits);
        }
        if scientific >= 0 {
            let (whole, fraction) = digits.split_at((count + exponent) as usize);
            return write!(f, "{whole}.{fraction}");
        }
        let zeros = (-scientific - 1) as usize;
        write!(f, "0.{:0<zeros$}{digits}", "")
    }
}

impl fmt::Debug for Decimal128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal128({self})")
    }
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no decimal of at most 34 digits")
    }
}

impl std::error::Error for DecimalError {}

#[cfg(test)]
mod tests;
