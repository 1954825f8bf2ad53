//! Shifting, subtracting and truncating dates by units of time.
//!
//! Guarantees: months are clamped to their last day; days and longer units follow the local calendar of the time zone,
//! hours and shorter ones pass in absolute time. Differences count boundaries that were crossed.
//! Leaves to others: the calendar.

use super::arith;
use super::calendar::{DAY_MS, Parts, add_months, moment};
use super::convert::time;
use super::failure::failed;
use super::node::Ctx;
use super::zone::{self, Zone};
use crate::error::Result;
use crate::query::Item;
use crate::value::{Raw, date};

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

impl Unit {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "year" => Self::Year,
            "quarter" => Self::Quarter,
            "month" => Self::Month,
            "week" => Self::Week,
            "day" => Self::Day,
            "hour" => Self::Hour,
            "minute" => Self::Minute,
            "second" => Self::Second,
            "millisecond" => Self::Millisecond,
            _ => return None,
        })
    }

    /// Months in it, for the units that are made of months.
    fn months(self) -> Option<i64> {
        match self {
            Self::Year => Some(12),
            Self::Quarter => Some(3),
            Self::Month => Some(1),
            _ => None,
        }
    }

    fn milliseconds(self) -> i64 {
        match self {
            Self::Week => 7 * DAY_MS,
            Self::Hour => 3_600_000,
            Self::Minute => 60_000,
            Self::Second => 1000,
            Self::Millisecond => 1,
            _ => DAY_MS,
        }
    }

    fn follows_calendar(self) -> bool {
        self.months().is_some() || matches!(self, Self::Week | Self::Day)
    }
}

/// The number of a weekday, Sunday 0.
pub(super) fn weekday(text: &str) -> Option<i64> {
    let names = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
    let text = text.to_ascii_lowercase();
    let place = names.iter().position(|name| *name == text || name.get(..3) == Some(&text))?;
    i64::try_from(place).ok()
}

/// The unit in an argument; `None` where it is null.
fn unit(ctx: &Ctx<'_>, item: &Item<'_>) -> Result<Option<Unit>> {
    if item.is_nullish() {
        return Ok(None);
    }
    match item.raw().and_then(Raw::as_str).and_then(Unit::parse) {
        Some(unit) => Ok(Some(unit)),
        None => Err(failed(ctx.name, "the unit is not known")),
    }
}

/// The first day of the week, Sunday without one; `None` where it is null.
fn first_weekday(ctx: &Ctx<'_>, place: u32, item: &Item<'_>) -> Result<Option<i64>> {
    if !ctx.has(place) {
        return Ok(Some(0));
    }
    if item.is_nullish() {
        return Ok(None);
    }
    match item.raw().and_then(Raw::as_str).and_then(weekday) {
        Some(day) => Ok(Some(day)),
        None => Err(failed(ctx.name, "startOfWeek is no day of the week")),
    }
}

pub(super) fn add<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    shift(ctx, args, 1)
}

pub(super) fn subtract<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    shift(ctx, args, -1)
}

fn shift<'e>(ctx: &Ctx<'_>, args: &[Item<'e>], sign: i64) -> Result<Item<'e>> {
    let [start, unit_item, amount, timezone] = args else { return Ok(Item::NULL) };
    let (start, unit) = (time(ctx.name, start)?, unit(ctx, unit_item)?);
    let zone = zone::argument(ctx.name, ctx.has(3), Some(timezone))?;
    if amount.is_nullish() {
        return Ok(Item::NULL);
    }
    let amount = arith::integer(amount)
        .ok_or_else(|| failed(ctx.name, "the amount must be an integer"))?
        .checked_mul(sign);
    let (Some(start), Some(unit), Some(zone)) = (start, unit, zone) else {
        return Ok(Item::NULL);
    };
    match amount.and_then(|amount| shifted(start, unit, amount, &zone)) {
        Some(ms) => Ok(Item::date(ms)),
        None => Err(failed(ctx.name, "the date is out of range")),
    }
}

/// A moment moved by an amount of a unit.
fn shifted(ms: i64, unit: Unit, amount: i64, zone: &Zone) -> Option<i64> {
    if let Some(months) = unit.months() {
        let local = add_months(zone.local(ms), amount.checked_mul(months)?)?;
        return Some(zone.moment(local));
    }
    let by = amount.checked_mul(unit.milliseconds())?;
    if unit.follows_calendar() {
        return Some(zone.moment(zone.local(ms).checked_add(by)?));
    }
    ms.checked_add(by)
}

pub(super) fn diff<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [start, end, unit_item, timezone, week] = &*args else { return Ok(Item::NULL) };
    let (start, end) = (time(ctx.name, start)?, time(ctx.name, end)?);
    let (unit, week) = (unit(ctx, unit_item)?, first_weekday(ctx, 4, week)?);
    let zone = zone::argument(ctx.name, ctx.has(3), Some(timezone))?;
    let (Some(start), Some(end), Some(unit), Some(week), Some(zone)) =
        (start, end, unit, week, zone)
    else {
        return Ok(Item::NULL);
    };
    let counted = |ms: i64| {
        let parts = Parts::of(zone.local(ms));
        match unit {
            Unit::Year => parts.year,
            Unit::Quarter => parts.year * 4 + (parts.month - 1) / 3,
            Unit::Month => parts.year * 12 + parts.month - 1,
            // The epoch was a Thursday.
            Unit::Week => (parts.days + 4 - week).div_euclid(7),
            Unit::Day => parts.days,
            // The same offset on both sides: hours pass in absolute time.
            _ => ms.saturating_add(zone.offset(start)).div_euclid(unit.milliseconds()),
        }
    };
    Ok(Item::int64(counted(end).saturating_sub(counted(start))))
}

pub(super) fn trunc<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [date, unit_item, bin, timezone, week] = &*args else { return Ok(Item::NULL) };
    let (date, unit) = (time(ctx.name, date)?, unit(ctx, unit_item)?);
    let (zone, week) =
        (zone::argument(ctx.name, ctx.has(3), Some(timezone))?, first_weekday(ctx, 4, week)?);
    let bin = match ctx.has(2) {
        false => 1,
        true if bin.is_nullish() => return Ok(Item::NULL),
        true => arith::integer(bin)
            .filter(|size| *size > 0)
            .ok_or_else(|| failed(ctx.name, "binSize must be a positive integer"))?,
    };
    let (Some(ms), Some(unit), Some(zone), Some(week)) = (date, unit, zone, week) else {
        return Ok(Item::NULL);
    };
    match truncated(ms, unit, bin, &zone, week) {
        Some(ms) => Ok(Item::date(ms)),
        None => Err(failed(ctx.name, "the date or binSize is out of range")),
    }
}

/// The start of the bin that a moment is in; bins are counted from the start of the year 2000.
fn truncated(ms: i64, unit: Unit, bin: i64, zone: &Zone, week: i64) -> Option<i64> {
    let local = zone.local(ms);
    if let Some(months) = unit.months() {
        let size = months.checked_mul(bin)?;
        let parts = Parts::of(local);
        let since = (parts.year - 2000) * 12 + parts.month - 1;
        let start = since.div_euclid(size).checked_mul(size)?;
        let year = 2000_i64.checked_add(start.div_euclid(12))?;
        if year.abs() > 400_000_000 {
            return None;
        }
        let days = date::days(year, start.rem_euclid(12) + 1, 1);
        return Some(zone.moment(moment(days, 0)?));
    }
    let size = unit.milliseconds().checked_mul(bin)?;
    // The year began on a Saturday; the first week of it begins on the first day that weeks begin on.
    let first = date::days(2000, 1, 1);
    let first = if unit == Unit::Week { first + (week + 1) % 7 } else { first };
    let reference = moment(first, 0)?;
    if unit.follows_calendar() {
        let since = local.checked_sub(reference)?;
        return Some(
            zone.moment(reference.checked_add(since.div_euclid(size).checked_mul(size)?)?),
        );
    }
    let reference = zone.moment(reference);
    let since = ms.checked_sub(reference)?;
    reference.checked_add(since.div_euclid(size).checked_mul(size)?)
}
