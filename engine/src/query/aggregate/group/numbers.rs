//! Sums, averages and standard deviations.
//!
//! Guarantees: integers are added exactly; a sum has the widest type of its numbers, and a long that overflows becomes a
//! double. Doubles are added with the lost low bits carried along.
//! Leaves to others: arithmetic of decimals.

use crate::query::arithmetic::Number;
use crate::value::{Raw, encode};

/// A sum of numbers of all types, and how many they were.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Sum {
    integers: i128,
    doubles: f64,
    /// What the doubles lost when they were rounded.
    lost: f64,
    decimals: Option<Number>,
    count: i64,
    long: bool,
    double: bool,
}

impl Sum {
    /// Adds a value; what is no number does nothing.
    #[inline]
    pub(super) fn add(&mut self, raw: Raw<'_>) {
        let Some(number) = Number::read(raw) else { return };
        self.count += 1;
        match number {
            Number::Int32(value) => self.integers += i128::from(value),
            Number::Int64(value) => {
                self.long = true;
                self.integers += i128::from(value);
            }
            Number::Double(value) => {
                self.double = true;
                self.add_double(value);
            }
            Number::Decimal(_) => {
                self.decimals = Some(match self.decimals {
                    None => number,
                    Some(sum) => sum.add_widening(number),
                });
            }
        }
    }

    fn add_double(&mut self, value: f64) {
        let sum = self.doubles + value;
        self.lost += if self.doubles.abs() >= value.abs() {
            (self.doubles - sum) + value
        } else {
            (value - sum) + self.doubles
        };
        self.doubles = sum;
    }

    fn as_double(&self) -> f64 {
        let mut total = *self;
        let high = total.integers as f64;
        total.add_double(high);
        // What the conversion to a double rounded away.
        total.add_double((total.integers - high as i128) as f64);
        if total.doubles.is_finite() { total.doubles + total.lost } else { total.doubles }
    }

    /// The sum.
    pub(super) fn total(&self) -> Number {
        if let Some(decimals) = self.decimals {
            let mut total = decimals;
            if self.double {
                total = total.add_widening(Number::Double(self.doubles + self.lost));
            }
            return match i64::try_from(self.integers) {
                Ok(integers) => total.add_widening(Number::Int64(integers)),
                Err(_) => total.add_widening(Number::Double(self.integers as f64)),
            };
        }
        if self.double {
            return Number::Double(self.as_double());
        }
        match i64::try_from(self.integers) {
            Ok(total) if self.long => Number::Int64(total),
            Ok(total) => Number::integer(total),
            Err(_) => Number::Double(self.integers as f64),
        }
    }

    /// Writes the average; null of nothing.
    pub(super) fn write_average(&self, out: &mut Vec<u8>) {
        if self.count == 0 {
            encode::write_null(out);
            return;
        }
        let total = match self.decimals {
            Some(_) => self.total(),
            None => Number::Double(self.as_double()),
        };
        match total.divide(Number::Int64(self.count)) {
            Some(average) => average.write(out),
            None => encode::write_null(out),
        }
    }
}

/// Mean and spread of doubles, updated one by one.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Deviation {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Deviation {
    /// Adds a number.
    pub(super) fn add(&mut self, raw: Raw<'_>) {
        let Some(number) = Number::read(raw).map(Number::to_f64) else { return };
        self.count += 1.0;
        let before = number - self.mean;
        self.mean += before / self.count;
        self.squares += before * (number - self.mean);
    }

    /// Writes the deviation of a whole population or of a sample; null of too few numbers.
    pub(super) fn write(&self, is_sample: bool, out: &mut Vec<u8>) {
        let divisor = if is_sample { self.count - 1.0 } else { self.count };
        if divisor <= 0.0 {
            encode::write_null(out);
        } else {
            encode::write_double((self.squares / divisor).sqrt(), out);
        }
    }
}
