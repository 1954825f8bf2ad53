//! Adding, multiplying, dividing, rounding, and bits.
//!
//! Guarantees: null and missing give null, other types are errors; a long that overflows becomes a double, as in MongoDB.
//! Dates: date and number give a date, date and date a long.
//! Leaves to others: the numbers themselves (`query::arithmetic`), functions (`math`).

use super::failure::{failed, wrong};
use super::node::Ctx;
use crate::error::Result;
use crate::query::Item;
use crate::query::arithmetic::{Number, Rounding};
use crate::value::Raw;

/// The number in a value.
pub(super) fn read(item: &Item<'_>) -> Option<Number> {
    item.raw().and_then(Number::read)
}

/// The integer in a value, of whatever type.
pub(super) fn integer(item: &Item<'_>) -> Option<i64> {
    read(item).and_then(Number::to_i64_exact)
}

/// The number in an argument; `None` for null.
pub(super) fn number(name: &str, item: &Item<'_>) -> Result<Option<Number>> {
    match item.raw() {
        None => Ok(None),
        Some(raw) if raw.is_null() => Ok(None),
        Some(raw) => match Number::read(raw) {
            Some(number) => Ok(Some(number)),
            None => Err(wrong(name, "a number", item)),
        },
    }
}

/// What a function makes of one number.
pub(super) fn one<'e>(
    ctx: &Ctx<'_>,
    args: &[Item<'e>],
    function: impl FnOnce(Number) -> Result<Number>,
) -> Result<Item<'e>> {
    let Some(item) = args.first() else { return Ok(Item::NULL) };
    match number(ctx.name, item)? {
        Some(number) => Ok(function(number)?.to_item()),
        None => Ok(Item::NULL),
    }
}

/// What a function makes of two numbers.
pub(super) fn two<'e>(
    ctx: &Ctx<'_>,
    args: &[Item<'e>],
    function: impl FnOnce(Number, Number) -> Result<Number>,
) -> Result<Item<'e>> {
    let [a, b] = args else { return Ok(Item::NULL) };
    let (a, b) = (number(ctx.name, a)?, number(ctx.name, b)?);
    match (a, b) {
        (Some(a), Some(b)) => Ok(function(a, b)?.to_item()),
        _ => Ok(Item::NULL),
    }
}

pub(super) fn add<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let (mut sum, mut date) = (Number::Int32(0), None);
    for item in args {
        let Some(raw) = item.raw().filter(|raw| !raw.is_null()) else { return Ok(Item::NULL) };
        if let Some(number) = Number::read(raw) {
            sum = sum.add_widening(number);
        } else if let Some(ms) = raw.as_date() {
            if date.replace(ms).is_some() {
                return Err(failed(ctx.name, "only one date can be added"));
            }
        } else {
            return Err(wrong(ctx.name, "numbers or a date", item));
        }
    }
    match date {
        Some(ms) => shifted(ctx.name, ms, sum, i64::checked_add),
        None => Ok(sum.to_item()),
    }
}

/// A date and milliseconds, which are rounded.
fn shifted(
    name: &str,
    ms: i64,
    by: Number,
    shift: fn(i64, i64) -> Option<i64>,
) -> Result<Item<'static>> {
    let by = by.rounded(0, Rounding::HalfEven).to_i64_exact();
    by.and_then(|by| shift(ms, by))
        .map(Item::date)
        .ok_or_else(|| failed(name, "the date is out of range"))
}

pub(super) fn subtract<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [a, b] = &*args else { return Ok(Item::NULL) };
    if a.is_nullish() || b.is_nullish() {
        return Ok(Item::NULL);
    }
    if let Some(from) = a.raw().and_then(Raw::as_date) {
        if let Some(date) = b.raw().and_then(Raw::as_date) {
            let difference = from.checked_sub(date);
            return difference
                .map(Item::int64)
                .ok_or_else(|| failed(ctx.name, "the difference is out of range"));
        }
        return match read(b) {
            Some(by) => shifted(ctx.name, from, by, i64::checked_sub),
            None => Err(wrong(ctx.name, "a number or a date after a date", b)),
        };
    }
    two(ctx, args, |a, b| Ok(a.subtract_widening(b)))
}

pub(super) fn multiply<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let mut product = Number::Int32(1);
    for item in args {
        match number(ctx.name, item)? {
            Some(factor) => product = product.multiply_widening(factor),
            None => return Ok(Item::NULL),
        }
    }
    Ok(product.to_item())
}

pub(super) fn divide<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    two(ctx, args, |a, b| a.divide(b).ok_or_else(|| failed(ctx.name, "division by zero")))
}

pub(super) fn remainder<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    two(ctx, args, |a, b| a.remainder(b).ok_or_else(|| failed(ctx.name, "division by zero")))
}

pub(super) fn abs<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    one(ctx, args, |number| {
        number.absolute().map_err(|_| failed(ctx.name, "the least long has no absolute value"))
    })
}

pub(super) fn ceil<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    one(ctx, args, |number| Ok(number.rounded(0, Rounding::Ceiling)))
}

pub(super) fn floor<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    one(ctx, args, |number| Ok(number.rounded(0, Rounding::Floor)))
}

pub(super) fn round<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    to_places(ctx, args, Rounding::HalfEven)
}

pub(super) fn trunc<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    to_places(ctx, args, Rounding::Truncate)
}

fn to_places<'e>(ctx: &Ctx<'_>, args: &[Item<'e>], rounding: Rounding) -> Result<Item<'e>> {
    let places = match args.get(1) {
        None => 0,
        Some(item) if item.is_nullish() => return Ok(Item::NULL),
        Some(item) => integer(item)
            .filter(|places| (-20..=100).contains(places))
            .ok_or_else(|| failed(ctx.name, "the place must be an integer from -20 to 100"))?,
    };
    one(ctx, args, |number| Ok(number.rounded(places as i32, rounding)))
}

pub(super) fn bit_and<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    bits(ctx, args, -1, |a, b| a & b)
}

pub(super) fn bit_or<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    bits(ctx, args, 0, |a, b| a | b)
}

pub(super) fn bit_xor<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    bits(ctx, args, 0, |a, b| a ^ b)
}

fn bits<'e>(
    ctx: &Ctx<'_>,
    args: &[Item<'e>],
    start: i32,
    combine: fn(i64, i64) -> i64,
) -> Result<Item<'e>> {
    let mut result = Number::Int32(start);
    for item in args {
        let Some(next) = number(ctx.name, item)? else { return Ok(Item::NULL) };
        result =
            result.bitwise(next, combine).ok_or_else(|| wrong(ctx.name, "ints or longs", item))?;
    }
    Ok(result.to_item())
}

pub(super) fn bit_not<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    one(ctx, args, |number| {
        number.bitwise_not().ok_or_else(|| failed(ctx.name, "needs an int or a long"))
    })
}
