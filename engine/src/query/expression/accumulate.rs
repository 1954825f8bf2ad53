//! Sums, averages, extremes, deviations and percentiles, over arguments or the elements of one array.
//!
//! Guarantees: sums of doubles are compensated, and so do not depend on small losses of each step; result types are those
//! of the numbers that went in. What is no number is left out.
//! Leaves to others: groups, which can use [`Total`] and [`Deviation`].

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::failure::failed;
use super::node::Ctx;
use crate::error::Result;
use crate::query::Item;
use crate::query::arithmetic::{Number, decimal};
use crate::value::compare::compare;
use crate::value::{Decimal128, Raw, encode};

/// A sum of numbers of mixed types.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Total {
    count: u64,
    whole: i128,
    has_long: bool,
    double: f64,
    lost: f64,
    has_double: bool,
    decimal: Option<Decimal128>,
}

impl Total {
    /// Adds a number.
    pub(crate) fn add(&mut self, number: Number) {
        self.count += 1;
        match number {
            Number::Int32(value) => self.whole = self.whole.saturating_add(i128::from(value)),
            Number::Int64(value) => {
                self.has_long = true;
                self.whole = self.whole.saturating_add(i128::from(value));
            }
            Number::Double(value) => {
                self.has_double = true;
                self.add_double(value);
            }
            Number::Decimal(value) => {
                let sum = self.decimal.unwrap_or_else(decimal::zero);
                self.decimal = Some(decimal::add(sum, value));
            }
        }
    }

    /// Adds a value if it is a number.
    pub(crate) fn add_raw(&mut self, raw: Raw<'_>) {
        if let Some(number) = Number::read(raw) {
            self.add(number);
        }
    }

    /// Neumaier's sum: what a step loses is kept apart.
    fn add_double(&mut self, value: f64) {
        let sum = self.double + value;
        if sum.is_finite() {
            self.lost += match self.double.abs() >= value.abs() {
                true => (self.double - sum) + value,
                false => (value - sum) + self.double,
            };
        }
        self.double = sum;
    }

    #[allow(dead_code, reason = "for the accumulators of groups")]
    /// How many numbers were added.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The sum; an int 0 of nothing.
    pub(crate) fn sum(&self) -> Number {
        if let Some(sum) = self.decimal {
            let rest = if self.has_double {
                Number::Double(self.as_double())
            } else {
                self.whole_number()
            };
            return Number::Decimal(decimal::add(sum, rest.to_decimal()));
        }
        if self.has_double { Number::Double(self.as_double()) } else { self.whole_number() }
    }

    /// The average, a double or a decimal; `None` of nothing.
    pub(crate) fn average(&self) -> Option<Number> {
        let count = i64::try_from(self.count).ok().filter(|count| *count > 0)?;
        self.sum().divide(Number::Int64(count))
    }

    fn whole_number(&self) -> Number {
        match i64::try_from(self.whole) {
            Ok(whole) if self.has_long => Number::Int64(whole),
            Ok(whole) => Number::integer(whole),
            Err(_) => Number::Double(self.whole as f64),
        }
    }

    fn as_double(&self) -> f64 {
        let mut all = *self;
        all.add_double(self.whole as f64);
        if all.double.is_finite() { all.double + all.lost } else { all.double }
    }
}

/// A standard deviation, by Welford's method.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deviation {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Deviation {
    /// Adds a number.
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1;
        let before = value - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (value - self.mean);
    }

    /// The deviation of all there is; `None` of nothing.
    pub(crate) fn population(&self) -> Option<f64> {
        (self.count > 0).then(|| (self.squares / self.count as f64).sqrt())
    }

    /// The deviation of a sample; `None` of less than two numbers.
    pub(crate) fn sample(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.squares / (self.count - 1) as f64).sqrt())
    }
}

/// Each value: the elements where there is one argument and it is an array, else the arguments.
fn each(args: &[Item<'_>], mut take: impl FnMut(Raw<'_>)) {
    let single = match args {
        [one] => one.raw().and_then(Raw::as_array),
        _ => None,
    };
    match single {
        Some(elements) => elements.for_each(take),
        None => args.iter().filter_map(Item::raw).for_each(&mut take),
    }
}

pub(super) fn sum<'e>(_: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let mut total = Total::default();
    each(args, |raw| total.add_raw(raw));
    Ok(total.sum().to_item())
}

pub(super) fn avg<'e>(_: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let mut total = Total::default();
    each(args, |raw| total.add_raw(raw));
    Ok(total.average().map_or(Item::NULL, Number::to_item))
}

pub(super) fn min<'e>(_: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    Ok(extreme(args, Ordering::Less))
}

pub(super) fn max<'e>(_: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    Ok(extreme(args, Ordering::Greater))
}

fn extreme(args: &[Item<'_>], wanted: Ordering) -> Item<'static> {
    let mut best: Option<Vec<u8>> = None;
    each(args, |raw| {
        let better = !raw.is_null()
            && best.as_deref().is_none_or(|best| compare(raw, Raw::trusted(best)) == wanted);
        if better {
            let bytes = best.get_or_insert_default();
            bytes.clear();
            bytes.extend_from_slice(raw.as_bytes());
        }
    });
    best.map_or(Item::NULL, |bytes| Item::made(|out| out.extend_from_slice(&bytes)))
}

/// `$stdDevPop`, `$stdDevSamp`.
pub(super) fn deviation<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let mut deviation = Deviation::default();
    each(args, |raw| {
        if let Some(number) = Number::read(raw) {
            deviation.add(number.to_f64());
        }
    });
    let result = match ctx.name {
        "$stdDevPop" => deviation.population(),
        _ => deviation.sample(),
    };
    Ok(result.map_or(Item::NULL, Item::double))
}

/// The numbers of an input in order.
fn sorted(item: &Item<'_>) -> Vec<f64> {
    let Some(raw) = item.raw() else { return Vec::new() };
    let mut numbers: Vec<f64> = match raw.as_array() {
        Some(elements) => elements.filter_map(Number::read).map(Number::to_f64).collect(),
        None => Number::read(raw).map(Number::to_f64).into_iter().collect(),
    };
    numbers.sort_by(f64::total_cmp);
    numbers
}

/// The number at a share of sorted ones.
pub(crate) fn percentile_of(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank.min(sorted.len()).checked_sub(1)?).copied()
}

pub(super) fn percentile<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [input, shares, method] = &*args else { return Ok(Item::NULL) };
    check_method(ctx, method)?;
    let wanted = || failed(ctx.name, "p must be an array of numbers from 0 to 1");
    let list = shares.raw().and_then(Raw::as_array).ok_or_else(wanted)?;
    let numbers = sorted(input);
    let mut out = Vec::new();
    let (start, mut len) = (encode::open(&mut out), 0);
    for share in list {
        let share = Number::read(share).map(Number::to_f64);
        let share = share.filter(|share| (0.0..=1.0).contains(share)).ok_or_else(wanted)?;
        match percentile_of(&numbers, share) {
            Some(number) => encode::write_double(number, &mut out),
            None => encode::write_null(&mut out),
        }
        len += 1;
    }
    if len == 0 {
        return Err(wanted());
    }
    encode::close_array(start, len, &mut out);
    Ok(Item::Made(SmallVec::from_vec(out)))
}

pub(super) fn median<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [input, method] = &*args else { return Ok(Item::NULL) };
    check_method(ctx, method)?;
    Ok(percentile_of(&sorted(input), 0.5).map_or(Item::NULL, Item::double))
}

fn check_method(ctx: &Ctx<'_>, method: &Item<'_>) -> Result<()> {
    match method.raw().and_then(Raw::as_str) {
        Some("approximate") => Ok(()),
        _ => Err(failed(ctx.name, "the method must be \"approximate\"")),
    }
}
