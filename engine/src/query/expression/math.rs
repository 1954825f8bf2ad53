//! Powers, roots, logarithms and trigonometry.
//!
//! Guarantees: arguments outside a function's domain are errors, NaN gives NaN. Powers of integers stay integers where they
//! fit; square roots of decimals have 34 digits.
//! Leaves to others: other functions of decimals to more than a double's digits: those are worked out as doubles.

use super::arith::{one, two};
use super::failure::failed;
use super::node::Ctx;
use crate::error::Result;
use crate::query::Item;
use crate::query::arithmetic::{Number, decimal};

/// The type that a function's result has.
fn like(model: Number, value: f64) -> Number {
    match model {
        Number::Decimal(_) => Number::Decimal(decimal::from_f64(value)),
        _ => Number::Double(value),
    }
}

pub(super) fn sqrt<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    one(ctx, args, |number| match number.is_negative() {
        true => Err(failed(ctx.name, "needs a number of at least 0")),
        false => Ok(number.square_root()),
    })
}

/// A function of one number.
pub(super) fn unary<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    one(ctx, args, |number| {
        let x = number.to_f64();
        let within = |valid: bool, domain: &str| match valid || x.is_nan() {
            true => Ok(()),
            false => Err(failed(ctx.name, format_args!("needs a number {domain}"))),
        };
        let value = match ctx.name {
            "$exp" => x.exp(),
            "$ln" => {
                within(x > 0.0, "greater than 0")?;
                x.ln()
            }
            "$log10" => {
                within(x > 0.0, "greater than 0")?;
                x.log10()
            }
            "$sin" | "$cos" | "$tan" => {
                within(x.is_finite(), "that is finite")?;
                match ctx.name {
                    "$sin" => x.sin(),
                    "$cos" => x.cos(),
                    _ => x.tan(),
                }
            }
            "$asin" | "$acos" | "$atanh" => {
                within((-1.0..=1.0).contains(&x), "from -1 to 1")?;
                match ctx.name {
                    "$asin" => x.asin(),
                    "$acos" => x.acos(),
                    _ => x.atanh(),
                }
            }
            "$atan" => x.atan(),
            "$sinh" => x.sinh(),
            "$cosh" => x.cosh(),
            "$tanh" => x.tanh(),
            "$asinh" => x.asinh(),
            "$acosh" => {
                within(x >= 1.0, "of at least 1")?;
                x.acosh()
            }
            "$degreesToRadians" => x.to_radians(),
            _ => x.to_degrees(),
        };
        Ok(like(number, value))
    })
}

pub(super) fn atan2<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    two(ctx, args, |a, b| {
        let model = if matches!(b, Number::Decimal(_)) { b } else { a };
        Ok(like(model, a.to_f64().atan2(b.to_f64())))
    })
}

pub(super) fn log<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    two(ctx, args, |number, base| {
        let (x, b) = (number.to_f64(), base.to_f64());
        if x <= 0.0 || b <= 0.0 || b == 1.0 {
            return Err(failed(ctx.name, "needs a number and a base greater than 0, no base of 1"));
        }
        let model = if matches!(base, Number::Decimal(_)) { base } else { number };
        Ok(like(model, x.ln() / b.ln()))
    })
}

pub(super) fn pow<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    two(ctx, args, |base, exponent| {
        if base.is_zero() && exponent.is_negative() {
            return Err(failed(ctx.name, "zero has no negative powers"));
        }
        if let (Some(times), false) = (small(exponent), base.is_nan()) {
            match base {
                Number::Int32(_) | Number::Int64(_) if !is_double(exponent) => {
                    if let Some(whole) =
                        base.to_i64_exact().and_then(|base| base.checked_pow(times))
                    {
                        let long = matches!(base, Number::Int64(_))
                            || matches!(exponent, Number::Int64(_));
                        let result =
                            if long { Number::Int64(whole) } else { Number::integer(whole) };
                        return Ok(decimal_if(exponent, result));
                    }
                }
                Number::Decimal(value) => return Ok(Number::Decimal(decimal_power(value, times))),
                _ => {}
            }
        }
        let model = if matches!(exponent, Number::Decimal(_)) { exponent } else { base };
        Ok(like(model, base.to_f64().powf(exponent.to_f64())))
    })
}

fn is_double(number: Number) -> bool {
    matches!(number, Number::Double(_))
}

fn decimal_if(model: Number, number: Number) -> Number {
    match model {
        Number::Decimal(_) => Number::Decimal(number.to_decimal()),
        _ => number,
    }
}

/// An exponent that is worked out by multiplying.
fn small(exponent: Number) -> Option<u32> {
    exponent.to_i64_exact().and_then(|whole| u32::try_from(whole).ok()).filter(|n| *n <= 10_000)
}

fn decimal_power(base: crate::value::Decimal128, mut times: u32) -> crate::value::Decimal128 {
    let (mut result, mut square) = (decimal::from_i64(1), base);
    while times > 0 {
        if times & 1 == 1 {
            result = decimal::multiply(result, square);
        }
        times >>= 1;
        if times > 0 {
            square = decimal::multiply(square, square);
        }
    }
    result
}

pub(super) fn rand<'e>(_: &Ctx<'_>, _: &mut [Item<'e>]) -> Result<Item<'e>> {
    Ok(Item::double(::rand::random::<f64>()))
}
