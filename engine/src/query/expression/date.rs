//! The parts of dates, dates from parts, and timestamps.
//!
//! Guarantees: null or missing anywhere gives null; parts out of their range carry over.
//! Leaves to others: text (`date_format`, `date_parse`), shifting and differences (`date_math`).

use super::arith;
use super::calendar::{Parts, days_from, days_from_iso, moment};
use super::convert::time;
use super::date_format;
use super::failure::{failed, wrong};
use super::node::Ctx;
use super::parse::text_of;
use super::zone;
use crate::error::Result;
use crate::query::Item;
use crate::value::{Raw, encode};

/// The names that `$dateFromParts` knows.
pub(super) const PARTS: &[&str] = &[
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "millisecond",
    "isoWeekYear",
    "isoWeek",
    "isoDayOfWeek",
    "timezone",
];

/// The local time in a date and a zone; `None` where one is null.
fn local(ctx: &Ctx<'_>, args: &[Item<'_>]) -> Result<Option<Parts>> {
    let Some(item) = args.first() else { return Ok(None) };
    let Some(ms) = time(ctx.name, item)? else { return Ok(None) };
    let zone = zone::argument(ctx.name, ctx.has(1), args.get(1))?;
    Ok(zone.map(|zone| Parts::of(zone.local(ms))))
}

/// `$year`, `$month` and the like.
pub(super) fn part<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let Some(parts) = local(ctx, args)? else { return Ok(Item::NULL) };
    let number = match ctx.name {
        "$year" => parts.year,
        "$month" => parts.month,
        "$dayOfMonth" => parts.day,
        "$dayOfYear" => parts.day_of_year(),
        "$dayOfWeek" => parts.weekday() + 1,
        "$isoDayOfWeek" => parts.iso_weekday(),
        "$week" => parts.week(),
        "$isoWeek" => parts.iso_week().1,
        "$hour" => parts.hour,
        "$minute" => parts.minute,
        "$second" => parts.second,
        "$millisecond" => parts.millisecond,
        // The ISO year is a long in MongoDB.
        _ => return Ok(Item::int64(parts.iso_week().0)),
    };
    Ok(Item::made(|out| encode::write_integer(number, out)))
}

pub(super) fn to_parts<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let iso = match args.get(2).filter(|_| ctx.has(2)) {
        None => false,
        Some(item) if item.is_nullish() => return Ok(Item::NULL),
        Some(item) => match item.raw().and_then(Raw::as_bool) {
            Some(iso) => iso,
            None => return Err(wrong(ctx.name, "a boolean as iso8601", item)),
        },
    };
    let Some(parts) = local(ctx, args)? else { return Ok(Item::NULL) };
    let (year, week) = parts.iso_week();
    let date = match iso {
        true => [("isoWeekYear", year), ("isoWeek", week), ("isoDayOfWeek", parts.iso_weekday())],
        false => [("year", parts.year), ("month", parts.month), ("day", parts.day)],
    };
    let time = [
        ("hour", parts.hour),
        ("minute", parts.minute),
        ("second", parts.second),
        ("millisecond", parts.millisecond),
    ];
    Ok(Item::made(|out| {
        encode::write_object_header(date.len() + time.len(), out);
        for (name, value) in date.into_iter().chain(time) {
            encode::write_str(name, out);
            encode::write_integer(value, out);
        }
    }))
}

pub(super) fn from_parts<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let mut numbers = [0, 1, 1, 0, 0, 0, 0, 0, 1, 1];
    for (place, (number, item)) in numbers.iter_mut().zip(&*args).enumerate() {
        if !ctx.has(place as u32) {
            continue;
        }
        if item.is_nullish() {
            return Ok(Item::NULL);
        }
        let name = PARTS.get(place).copied().unwrap_or_default();
        let is_year = name == "year" || name == "isoWeekYear";
        let valid = |value: &i64| match name {
            _ if is_year => (1..=9999).contains(value),
            "second" | "millisecond" => value.abs() < 1 << 53,
            _ => (-32_768..=32_767).contains(value),
        };
        *number = arith::integer(item)
            .filter(valid)
            .ok_or_else(|| failed(ctx.name, format_args!("{name} must be an integer in range")))?;
    }
    let [year, month, day, hour, minute, second, ms, iso_year, iso_week, iso_day] = numbers;
    let has = |places: std::ops::Range<u32>| places.into_iter().any(|place| ctx.has(place));
    let days = match (ctx.has(0), ctx.has(7)) {
        (true, false) if !has(8..10) => days_from(year, month, day),
        (false, true) if !has(1..3) => days_from_iso(iso_year, iso_week, iso_day),
        _ => {
            let message =
                "needs either year, month and day or isoWeekYear, isoWeek and isoDayOfWeek";
            return Err(failed(ctx.name, message));
        }
    };
    let Some(zone) = zone::argument(ctx.name, ctx.has(10), args.get(10))? else {
        return Ok(Item::NULL);
    };
    let time = second
        .checked_mul(1000)
        .and_then(|time| time.checked_add(ms))
        .and_then(|time| time.checked_add((hour * 60 + minute) * 60_000));
    let local = days.zip(time).and_then(|(days, time)| moment(days, time));
    match local {
        Some(local) => Ok(Item::date(zone.moment(local))),
        None => Err(failed(ctx.name, "the date is out of range")),
    }
}

pub(super) fn to_string<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [date, format, timezone, on_null] = args else { return Ok(Item::NULL) };
    let Some(ms) = time(ctx.name, date)? else {
        return Ok(if ctx.has(3) { std::mem::take(on_null) } else { Item::NULL });
    };
    let Some(zone) = zone::argument(ctx.name, ctx.has(2), Some(timezone))? else {
        return Ok(Item::NULL);
    };
    let format = match ctx.has(1) {
        true if format.is_nullish() => return Ok(Item::NULL),
        true => text_of(ctx.name, "format", format)?,
        false if ctx.has(2) => "%Y-%m-%dT%H:%M:%S.%L%z",
        false => "%Y-%m-%dT%H:%M:%S.%LZ",
    };
    ctx.shared.spend(format.len() >> 4)?;
    match date_format::format(format, ms, &zone) {
        Ok(text) => Ok(Item::text(&text)),
        Err(message) => Err(failed(ctx.name, message)),
    }
}

pub(super) fn ts_second<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    timestamp(ctx, args, |seconds, _| seconds)
}

pub(super) fn ts_increment<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    timestamp(ctx, args, |_, increment| increment)
}

fn timestamp<'e>(
    ctx: &Ctx<'_>,
    args: &[Item<'e>],
    choose: fn(u32, u32) -> u32,
) -> Result<Item<'e>> {
    let [item] = args else { return Ok(Item::NULL) };
    if item.is_nullish() {
        return Ok(Item::NULL);
    }
    match item.raw().and_then(Raw::as_timestamp) {
        Some((seconds, increment)) => Ok(Item::int64(i64::from(choose(seconds, increment)))),
        None => Err(wrong(ctx.name, "a timestamp", item)),
    }
}
