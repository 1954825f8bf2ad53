//! Dates from text: ISO 8601, or a format.
//!
//! Guarantees: fields out of their range are refused, a time zone in the text and one beside it exclude each other.
//! Leaves to others: writing (`date_format`).

use super::calendar::{days_from, days_from_iso, moment};
use super::date_format::{MONTHS, check};
use super::failure::failed;
use super::node::Ctx;
use super::parse::text_of;
use super::zone::{self, Zone};
use crate::error::Result;
use crate::query::Item;
use crate::value::date;

/// What was read of a date.
#[derive(Default)]
struct Read {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    iso_year: Option<i64>,
    iso_week: Option<i64>,
    iso_weekday: Option<i64>,
    /// Milliseconds of the day.
    time: i64,
    /// Minutes east of UTC.
    offset: Option<i64>,
}

/// The rest of a text.
struct Input<'t>(&'t str);

impl Input<'_> {
    fn take(&mut self, char: char) -> bool {
        match self.0.strip_prefix(char) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// A number of at least one and at most so many digits, and how many there were.
    fn digits(&mut self, most: usize) -> Option<(i64, usize)> {
        let count = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at_checked(count)?;
        let number = digits.parse().ok()?;
        self.0 = rest;
        Some((number, count))
    }

    fn number(&mut self, most: usize, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        self.digits(most).map(|(number, _)| number).filter(|number| range.contains(number))
    }

    /// As [`Self::number`], with all the digits.
    fn exactly(&mut self, count: usize, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let (number, found) = self.digits(count)?;
        (found == count && range.contains(&number)).then_some(number)
    }

    /// `+hh`, `+hhmm`, `+hh:mm`, in minutes.
    fn offset(&mut self) -> Option<i64> {
        let negative = self.take('-');
        if !negative && !self.take('+') {
            return None;
        }
        let hours = self.exactly(2, 0..=23)?;
        let minutes = if self.take(':') {
            self.exactly(2, 0..=59)?
        } else {
            match self.digits(2) {
                Some((minutes @ 0..=59, 2)) => minutes,
                Some(_) => return None,
                None => 0,
            }
        };
        let all = hours * 60 + minutes;
        Some(if negative { -all } else { all })
    }

    fn month_name(&mut self, letters: Option<usize>) -> Option<i64> {
        for (place, month) in MONTHS.iter().enumerate() {
            let name = letters.and_then(|count| month.get(..count)).unwrap_or(month);
            let head = self.0.get(..name.len());
            if head.is_some_and(|head| head.eq_ignore_ascii_case(name)) {
                self.0 = self.0.get(name.len()..).unwrap_or_default();
                return i64::try_from(place + 1).ok();
            }
        }
        None
    }
}

impl Read {
    /// Milliseconds since the epoch.
    fn moment(&self, zone: &Zone) -> Option<i64> {
        let days = match (self.year, self.iso_year) {
            (Some(year), None) => match self.day_of_year {
                Some(day) => days_from(year, 1, day)?,
                None => {
                    let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
                    if day > date::days_in_month(year, month) {
                        return None;
                    }
                    days_from(year, month, day)?
                }
            },
            (None, Some(year)) => {
                days_from_iso(year, self.iso_week.unwrap_or(1), self.iso_weekday.unwrap_or(1))?
            }
            _ => return None,
        };
        let local = moment(days, self.time)?;
        match self.offset {
            Some(offset) => local.checked_sub(offset * 60_000),
            None => Some(zone.moment(local)),
        }
    }
}

/// ISO 8601 with as much as is there, at least a year, a month and a day; UTC where no zone is named.
pub(super) fn parse(text: &str) -> Option<i64> {
    date::parse_ms(text).or_else(|| parse_iso(text)?.moment(&Zone::UTC))
}

fn parse_iso(text: &str) -> Option<Read> {
    let mut input = Input(text);
    let mut read = Read { year: Some(input.exactly(4, 0..=9999)?), ..Read::default() };
    let dashes = input.take('-');
    read.month = Some(input.exactly(2, 1..=12)?);
    if dashes && !input.take('-') {
        return None;
    }
    read.day = Some(input.exactly(2, 1..=31)?);
    if input.0.is_empty() {
        return Some(read);
    }
    if !input.take('T') && !input.take('t') && !input.take(' ') {
        return None;
    }
    read.time = input.exactly(2, 0..=23)? * 3_600_000;
    if input.take(':') || input.0.starts_with(|char: char| char.is_ascii_digit()) {
        read.time += input.exactly(2, 0..=59)? * 60_000;
        if input.take(':') || input.0.starts_with(|char: char| char.is_ascii_digit()) {
            read.time += input.exactly(2, 0..=59)? * 1000;
            if input.take('.') || input.take(',') {
                let (fraction, count) = input.digits(3)?;
                read.time += fraction * [100, 10, 1].get(count.checked_sub(1)?)?;
                while input.digits(9).is_some() {}
            }
        }
    }
    input.0 = input.0.trim_start_matches(' ');
    if input.take('Z') || input.take('z') {
        read.offset = Some(0);
    } else if !input.0.is_empty() {
        read.offset = Some(input.offset()?);
    }
    input.0.is_empty().then_some(read)
}

fn parse_format(text: &str, format: &str) -> Option<Read> {
    let (mut input, mut read) = (Input(text), Read::default());
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            if !input.take(char) {
                return None;
            }
            continue;
        }
        match chars.next()? {
            'd' => read.day = Some(input.number(2, 1..=31)?),
            'G' => read.iso_year = Some(input.exactly(4, 0..=9999)?),
            'H' => read.time += input.number(2, 0..=23)? * 3_600_000,
            'j' => read.day_of_year = Some(input.number(3, 1..=366)?),
            'L' => read.time += input.number(3, 0..=999)?,
            'm' => read.month = Some(input.number(2, 1..=12)?),
            'M' => read.time += input.number(2, 0..=59)? * 60_000,
            'S' => read.time += input.number(2, 0..=59)? * 1000,
            'u' => read.iso_weekday = Some(input.number(1, 1..=7)?),
            'V' => read.iso_week = Some(input.number(2, 1..=53)?),
            'Y' => read.year = Some(input.exactly(4, 0..=9999)?),
            'z' => {
                let utc = input.take('Z');
                read.offset = Some(if utc { 0 } else { input.offset()? });
            }
            'Z' => {
                let negative = input.take('-');
                let _plus = !negative && input.take('+');
                let minutes = input.number(4, 0..=1439)?;
                read.offset = Some(if negative { -minutes } else { minutes });
            }
            'b' => read.month = Some(input.month_name(Some(3))?),
            'B' => read.month = Some(input.month_name(None)?),
            '%' if input.take('%') => {}
            _ => return None,
        }
    }
    input.0.is_empty().then_some(read)
}

pub(super) fn from_string<'e>(ctx: &Ctx<'_>, args: &mut [Item<'e>]) -> Result<Item<'e>> {
    let [text, format, timezone, on_error, on_null] = args else { return Ok(Item::NULL) };
    if text.is_nullish() {
        return Ok(if ctx.has(4) { std::mem::take(on_null) } else { Item::NULL });
    }
    let Some(zone) = zone::argument(ctx.name, ctx.has(2), Some(timezone))? else {
        return Ok(Item::NULL);
    };
    if ctx.has(1) && format.is_nullish() {
        return Ok(Item::NULL);
    }
    let result = read_string(ctx, text, format, &zone);
    match result {
        Err(_) if ctx.has(3) => Ok(std::mem::take(on_error)),
        result => result,
    }
}

fn read_string(
    ctx: &Ctx<'_>,
    text: &Item<'_>,
    format: &Item<'_>,
    zone: &Zone,
) -> Result<Item<'static>> {
    let text = text_of(ctx.name, "dateString", text)?;
    let read = match ctx.has(1) {
        false => parse_iso(text),
        true => {
            let format = text_of(ctx.name, "format", format)?;
            check(format, true).map_err(|message| failed(ctx.name, message))?;
            parse_format(text, format)
        }
    };
    let shown: String = text.chars().take(40).collect();
    let Some(read) = read else {
        return Err(failed(ctx.name, format_args!("\"{shown}\" is no date of the format")));
    };
    if read.offset.is_some() && ctx.has(2) {
        return Err(failed(ctx.name, "the time zone is given twice"));
    }
    match read.moment(zone) {
        Some(ms) => Ok(Item::date(ms)),
        None => Err(failed(ctx.name, format_args!("\"{shown}\" is no date of the calendar"))),
    }
}
