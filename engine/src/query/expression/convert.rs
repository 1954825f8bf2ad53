//! Types: what a value is, and conversions between types.
//!
//! Guarantees: a conversion that loses more than a fraction or digits past what the type holds is an error, and `onError`
//! takes its place; null gives null, or `onNull`.
//! Leaves to others: dates in text (`date_parse`).

use std::borrow::Cow;

use super::arith;
use super::date_parse;
use super::failure::{failed, kind, wrong};
use super::node::Ctx;
use crate::error::Result;
use crate::query::Item;
use crate::query::arithmetic::{Number, decimal};
use crate::value::token::Token;
use crate::value::{Decimal128, Raw, date, encode, object_id};

/// What can be converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Double,
    String,
    ObjectId,
    Bool,
    Date,
    Int,
    Long,
    Decimal,
}

/// Whether a value names a type to convert to.
pub(super) fn is_target(raw: Raw<'_>) -> bool {
    Target::of(raw).is_some()
}

impl Target {
    fn of(raw: Raw<'_>) -> Option<Self> {
        match raw.as_str() {
            Some(alias) => Self::of_alias(alias),
            None => arith::integer(&Item::Raw(raw)).and_then(Self::of_code),
        }
    }

    fn of_alias(alias: &str) -> Option<Self> {
        Some(match alias {
            "double" => Self::Double,
            "string" => Self::String,
            "objectId" => Self::ObjectId,
            "bool" => Self::Bool,
            "date" => Self::Date,
            "int" => Self::Int,
            "long" => Self::Long,
            "decimal" => Self::Decimal,
            _ => return None,
        })
    }

    fn of_code(code: i64) -> Option<Self> {
        Some(match code {
            1 => Self::Double,
            2 => Self::String,
            7 => Self::ObjectId,
            8 => Self::Bool,
            9 => Self::Date,
            16 => Self::Int,
            18 => Self::Long,
            19 => Self::Decimal,
            _ => return None,
        })
    }

    fn of_operator(name: &str) -> Self {
        match name {
            "$toString" => Self::String,
            "$toInt" => Self::Int,
            "$toLong" => Self::Long,
            "$toDouble" => Self::Double,
            "$toDecimal" => Self::Decimal,
            "$toBool" => Self::Bool,
            "$toDate" => Self::Date,
            _ => Self::ObjectId,
        }
    }

    fn alias(self) -> &'static str {
        match self {
            Self::Double => "double",
            Self::String => "string",
            Self::ObjectId => "objectId",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Int => "int",
            Self::Long => "long",
            Self::Decimal => "decimal",
        }
    }
}

pub(super) fn type_of<'e>(_: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    Ok(Item::text(args.first().map_or("missing", kind)))
}

pub(super) fn is_number<'e>(_: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    Ok(Item::boolean(args.first().and_then(arith::read).is_some()))
}

/// `$toInt` and the like.
pub(super) fn to_named<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [item] = &*args else { return Ok(Item::NULL) };
    match item.raw().filter(|raw| !raw.is_null()) {
        Some(raw) => converted(ctx.name, raw, Target::of_operator(ctx.name)),
        None => Ok(Item::NULL),
    }
}

pub(super) fn convert<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [input, to, on_error, on_null] = args else { return Ok(Item::NULL) };
    let target = match to.raw().filter(|raw| !raw.is_null()) {
        None => None,
        Some(raw) => match Target::of(raw) {
            Some(target) => Some(target),
            None => return Err(failed(ctx.name, "`to` names no type to convert to")),
        },
    };
    let Some(raw) = input.raw().filter(|raw| !raw.is_null()) else {
        return Ok(if ctx.has(3) { std::mem::take(on_null) } else { Item::NULL });
    };
    let Some(target) = target else { return Ok(Item::NULL) };
    match converted(ctx.name, raw, target) {
        Err(_) if ctx.has(2) => Ok(std::mem::take(on_error)),
        result => result,
    }
}

fn converted(name: &str, raw: Raw<'_>, target: Target) -> Result<Item<'static>> {
    let result = match target {
        Target::Bool => boolean(raw),
        Target::Int => integer(raw).and_then(|value| i32::try_from(value).ok()).map(Item::int32),
        Target::Long => milliseconds(raw).or_else(|| integer(raw)).map(Item::int64),
        Target::Double => double(raw).map(Item::double),
        Target::Decimal => to_decimal(raw).map(Item::decimal),
        Target::String => text(raw).map(|text| Item::text(&text)),
        Target::Date => to_date(raw).map(Item::date),
        Target::ObjectId => to_object_id(raw),
    };
    result.ok_or_else(|| {
        let from = raw.kind().alias();
        let to = target.alias();
        match raw.as_str() {
            Some(text) => {
                let shown: String = text.chars().take(40).collect();
                failed(name, format_args!("cannot convert the string \"{shown}\" to {to}"))
            }
            None => failed(name, format_args!("cannot convert this {from} to {to}")),
        }
    })
}

fn boolean(raw: Raw<'_>) -> Option<Item<'static>> {
    let value = match raw.as_bool() {
        Some(value) => value,
        // Whatever is no number is true.
        None => Number::read(raw).is_none_or(|number| !number.is_zero()),
    };
    Some(Item::boolean(value))
}

fn milliseconds(raw: Raw<'_>) -> Option<i64> {
    raw.as_date()
}

fn integer(raw: Raw<'_>) -> Option<i64> {
    match raw.token() {
        Token::Bool(value) => Some(i64::from(value)),
        Token::String(_) => raw.as_str()?.parse().ok(),
        _ => Number::read(raw)?.to_i64_truncated(),
    }
}

fn double(raw: Raw<'_>) -> Option<f64> {
    match raw.token() {
        Token::Bool(value) => Some(f64::from(u8::from(value))),
        Token::Date(ms) => Some(ms as f64),
        Token::String(_) => raw.as_str()?.parse().ok(),
        _ => {
            let number = Number::read(raw)?;
            let value = number.to_f64();
            (value.is_finite() || !number.is_finite()).then_some(value)
        }
    }
}

fn to_decimal(raw: Raw<'_>) -> Option<Decimal128> {
    match raw.token() {
        Token::Bool(value) => Some(decimal::from_i64(i64::from(value))),
        Token::Date(ms) => Some(decimal::from_i64(ms)),
        Token::String(_) => raw.as_str()?.parse().ok(),
        _ => Some(Number::read(raw)?.to_decimal()),
    }
}

fn to_date(raw: Raw<'_>) -> Option<i64> {
    match raw.token() {
        Token::Date(ms) => Some(ms),
        Token::ObjectId(id) => Some(object_id_ms(*id)),
        Token::Timestamp(seconds, _) => Some(i64::from(seconds) * 1000),
        Token::String(_) => date_parse::parse(raw.as_str()?),
        // As in MongoDB, an int is no time; a long is.
        Token::Int32(_) => None,
        _ => Number::read(raw)?.to_i64_truncated(),
    }
}

/// The time that an id was made.
pub(super) fn object_id_ms(id: [u8; 12]) -> i64 {
    let [a, b, c, d, ..] = id;
    i64::from(u32::from_be_bytes([a, b, c, d])) * 1000
}

fn to_object_id(raw: Raw<'_>) -> Option<Item<'static>> {
    let id = match raw.as_object_id() {
        Some(id) => id,
        None => object_id::parse(raw.as_str()?)?,
    };
    Some(Item::made(|out| encode::write_object_id(&id, out)))
}

fn text(raw: Raw<'_>) -> Option<Cow<'_, str>> {
    match raw.token() {
        Token::Bool(value) => Some(Cow::Borrowed(if value { "true" } else { "false" })),
        Token::ObjectId(id) => Some(Cow::Owned(object_id::format(id))),
        _ => shown(raw),
    }
}

/// The text of a string, number or date.
pub(super) fn shown(raw: Raw<'_>) -> Option<Cow<'_, str>> {
    Some(Cow::Owned(match raw.token() {
        Token::String(_) => return raw.as_str().map(Cow::Borrowed),
        Token::Int32(value) => value.to_string(),
        Token::Int64(value) => value.to_string(),
        Token::Double(value) => shown_double(value),
        Token::Decimal(value) => value.to_string(),
        Token::Date(ms) => date::format_ms(ms),
        _ => return None,
    }))
}

/// The shortest text that reads as the same double; an exponent where it would have many zeros.
fn shown_double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    let size = value.abs();
    if size != 0.0 && !(1e-5..1e17).contains(&size) {
        let text = format!("{value:e}");
        let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = match power.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', power),
        };
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    value.to_string()
}

/// The time in a date, timestamp or ObjectId; `None` for null.
pub(super) fn time(name: &str, item: &Item<'_>) -> Result<Option<i64>> {
    let Some(raw) = item.raw() else { return Ok(None) };
    match raw.token() {
        Token::Null => Ok(None),
        Token::Date(ms) => Ok(Some(ms)),
        Token::Timestamp(seconds, _) => Ok(Some(i64::from(seconds) * 1000)),
        Token::ObjectId(id) => Ok(Some(object_id_ms(*id))),
        _ => Err(wrong(name, "a date", item)),
    }
}
