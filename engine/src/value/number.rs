//! Numbers of the four types in one exact form, which orders as their mathematical values do.
//!
//! Guarantees: [`Exact`] of two numbers compares as the numbers, with NaN below everything and equal to itself, and
//! `-0.0` equal to `0`. Nothing goes through a rounding conversion.
//!
//! The form: sign, the exponent of two of the leading bit, and the first 64 bits. Every integer and double ends there.
//! A decimal that goes on past 64 bits (0.1 never ends) also carries its decimal digits, which order it among the
//! decimals with the same 64 bits; nothing else can have those bits and more.
//! Leaves to others: types and arithmetic.

use std::cmp::Ordering;

use super::decimal::{Decimal128, DecimalParts};

/// Where a number lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    NaN,
    MinusInfinity,
    Negative,
    Zero,
    Positive,
    Infinity,
}

/// A number: its class and, unless that says all, its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exact {
    pub(super) class: Class,
    pub(super) size: Size,
}

/// The size of a number without its sign. Orders by value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Size {
    /// The power of two of the leading bit.
    pub(super) exponent: i32,
    /// The first 64 bits; the highest one is set.
    pub(super) bits: u64,
    /// The digits, where `bits` are not all.
    pub(super) tail: Option<Digits>,
}

/// A decimal's digits. Orders by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Digits {
    /// The power of ten of the leading digit.
    pub(super) exponent: i32,
    /// The digits, filled up with zeros to 34.
    pub(super) coefficient: u128,
}

impl Exact {
    pub(super) fn from_i64(value: i64) -> Self {
        let class = match value.signum() {
            -1 => Class::Negative,
            0 => return Self::only(Class::Zero),
            _ => Class::Positive,
        };
        let size = value.unsigned_abs();
        let zeros = size.leading_zeros();
        Self { class, size: Size { exponent: 63 - zeros as i32, bits: size << zeros, tail: None } }
    }

    pub(super) fn from_f64(value: f64) -> Self {
        if value.is_nan() {
            return Self::only(Class::NaN);
        }
        if value == 0.0 {
            return Self::only(Class::Zero);
        }
        if value.is_infinite() {
            return Self::only(if value > 0.0 { Class::Infinity } else { Class::MinusInfinity });
        }
        let class = if value > 0.0 { Class::Positive } else { Class::Negative };
        let (field, fraction) =
            ((value.to_bits() >> 52 & 0x7ff) as i32, value.to_bits() & ((1 << 52) - 1));
        // Subnormal numbers have no hidden bit and the exponent of the smallest normal ones.
        let (power, mantissa) =
            if field == 0 { (1, fraction) } else { (field, fraction | 1 << 52) };
        let zeros = mantissa.leading_zeros();
        let exponent = power - 1023 + 11 - zeros as i32;
        Self { class, size: Size { exponent, bits: mantissa << zeros, tail: None } }
    }

    pub(super) fn from_decimal(value: Decimal128) -> Self {
        let (class, digits) = decimal_digits(value);
        let size = digits.map_or_else(Size::default, size_of_decimal);
        Self { class, size }
    }

    fn only(class: Class) -> Self {
        Self { class, size: Size::default() }
    }
}

/// Compares two decimals as [`Exact`] does, by their digits alone.
pub(super) fn compare_decimals(a: Decimal128, b: Decimal128) -> Ordering {
    let (class_a, digits_a) = decimal_digits(a);
    let (class_b, digits_b) = decimal_digits(b);
    let by_size = match class_a {
        Class::Negative => digits_b.cmp(&digits_a),
        _ => digits_a.cmp(&digits_b),
    };
    class_a.cmp(&class_b).then(by_size)
}

fn decimal_digits(value: Decimal128) -> (Class, Option<Digits>) {
    match value.parts() {
        DecimalParts::NaN => (Class::NaN, None),
        DecimalParts::Infinite { negative: false } => (Class::Infinity, None),
        DecimalParts::Infinite { negative: true } => (Class::MinusInfinity, None),
        DecimalParts::Finite { coefficient: 0, .. } => (Class::Zero, None),
        DecimalParts::Finite { negative, coefficient, exponent } => {
            let class = if negative { Class::Negative } else { Class::Positive };
            (class, Some(digits(coefficient, exponent)))
        }
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_size = match self.class {
            Class::Negative => other.size.cmp(&self.size),
            _ => self.size.cmp(&other.size),
        };
        self.class.cmp(&other.class).then(by_size)
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The largest power of five in 64 bits, and its exponent.
const FIVES: (u64, u32) = (5_u64.pow(27), 27);

/// The size of a decimal that is not 0.
fn size_of_decimal(all: Digits) -> Size {
    let (coefficient, exponent) = shortest(all);
    let power = exponent.unsigned_abs();
    let (limbs, shift, exact) = if exponent >= 0 {
        let mut limbs = split(coefficient, 0);
        each_five(power, |five| multiply(&mut limbs, five));
        (limbs, exponent, true)
    } else {
        // Shifted far enough for the quotient to have 65 bits: 5^n has at most 2.322 n + 1 of them.
        let room = 66 + power * 2322 / 1000 + 1;
        let mut limbs = split(coefficient, room as usize);
        let mut remainder = 0;
        each_five(power, |five| remainder |= divide(&mut limbs, five));
        (limbs, exponent - room as i32, remainder == 0)
    };
    let (bits, length, whole) = leading_bits(&limbs);
    let tail = (!exact || !whole).then_some(all);
    Size { exponent: length - 1 + shift, bits, tail }
}

fn digits(coefficient: u128, exponent: i32) -> Digits {
    let missing = 33 - coefficient.ilog10();
    Digits {
        exponent: exponent + 33 - missing as i32,
        coefficient: coefficient * 10_u128.pow(missing),
    }
}

/// Coefficient and power of ten without the zeros at the end, so that the powers of five below are small.
fn shortest(all: Digits) -> (u128, i32) {
    let (mut coefficient, mut exponent) = (all.coefficient, all.exponent - 33);
    for zeros in [16, 8, 4, 2, 1, 1] {
        let power = 10_u128.pow(zeros);
        if coefficient.is_multiple_of(power) {
            coefficient /= power;
            exponent += zeros.cast_signed();
        }
    }
    (coefficient, exponent)
}

/// Calls with factors whose product is `5^power`.
fn each_five(mut power: u32, mut each: impl FnMut(u64)) {
    while power > 0 {
        let step = power.min(FIVES.1);
        each(if step == FIVES.1 { FIVES.0 } else { 5_u64.pow(step) });
        power -= step;
    }
}

/// `number << shift` as limbs, the lowest first.
fn split(number: u128, shift: usize) -> Vec<u64> {
    let mut limbs = vec![0; shift / 64];
    let (low, high) = (number << (shift % 64), number.checked_shr(128 - (shift % 64) as u32));
    limbs.extend([low as u64, (low >> 64) as u64, high.unwrap_or(0) as u64]);
    limbs
}

fn multiply(limbs: &mut Vec<u64>, factor: u64) {
    let mut carry = 0_u128;
    for limb in limbs.iter_mut() {
        carry += u128::from(*limb) * u128::from(factor);
        *limb = carry as u64;
        carry >>= 64;
    }
    if carry > 0 {
        limbs.push(carry as u64);
    }
}

/// Divides in place and gives the remainder.
fn divide(limbs: &mut Vec<u64>, divisor: u64) -> u64 {
    let mut remainder = 0_u128;
    for limb in limbs.iter_mut().rev() {
        let part = remainder << 64 | u128::from(*limb);
        *limb = (part / u128::from(divisor)) as u64;
        remainder = part % u128::from(divisor);
    }
    while limbs.last() == Some(&0) {
        limbs.pop();
    }
    remainder as u64
}

/// The first 64 bits, the number of bits, and whether only zeros follow.
fn leading_bits(limbs: &[u64]) -> (u64, i32, bool) {
    let top = limbs.iter().rposition(|limb| *limb != 0).unwrap_or(0);
    let zeros = limbs[top].leading_zeros();
    let below = |distance: usize| top.checked_sub(distance).map_or(0, |index| limbs[index]);
    let bits = limbs[top] << zeros | below(1).checked_shr(64 - zeros).unwrap_or(0);
    let left = below(1).checked_shl(zeros).unwrap_or(0) == 0;
    let whole = left && limbs[..top.saturating_sub(1)].iter().all(|limb| *limb == 0);
    (bits, (top as i32 + 1) * 64 - zeros as i32, whole)
}
