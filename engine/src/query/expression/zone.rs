//! Time zones: by their Olson names, from a database that is part of the program, and by fixed offsets.
//!
//! Guarantees: the same answers on every machine. A local time that comes twice is the first of the two, one that is
//! skipped is moved forward by what is skipped.
//! Leaves to others: the calendar.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::calendar::DAY_MS;
use super::failure::failed;
use crate::error::Result;
use crate::query::Item;
use crate::value::Raw;

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone.
#[derive(Clone, Debug)]
pub(super) enum Zone {
    /// Milliseconds east of UTC.
    Fixed(i64),
    /// One with a history.
    Named(TimeZone),
}

impl Zone {
    pub(super) const UTC: Zone = Zone::Fixed(0);

    /// `Europe/Berlin`, `UTC`, `Z`, `+02`, `+0200`, `+02:00`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.as_bytes() {
            b"UTC" | b"GMT" | b"Z" => Some(Self::UTC),
            [sign @ (b'+' | b'-'), digits @ ..] => {
                let minutes = offset_minutes(digits)?;
                Some(Self::Fixed(if *sign == b'-' { -minutes } else { minutes } * 60_000))
            }
            _ => DATABASE.get(text).ok().map(Self::Named),
        }
    }

    /// Milliseconds east of UTC at a moment.
    pub(super) fn offset(&self, ms: i64) -> i64 {
        match self {
            Self::Fixed(offset) => *offset,
            Self::Named(zone) => {
                let (least, most) = (Timestamp::MIN, Timestamp::MAX);
                let within = ms.clamp(least.as_millisecond() + 1, most.as_millisecond() - 1);
                let moment = Timestamp::from_millisecond(within).unwrap_or(Timestamp::UNIX_EPOCH);
                i64::from(zone.to_offset(moment).seconds()) * 1000
            }
        }
    }

    /// The local time of a moment.
    pub(super) fn local(&self, ms: i64) -> i64 {
        ms.saturating_add(self.offset(ms))
    }

    /// The moment of a local time.
    pub(super) fn moment(&self, local: i64) -> i64 {
        let before = self.offset(local.saturating_sub(DAY_MS));
        let after = self.offset(local.saturating_add(DAY_MS));
        let first = local.saturating_sub(before);
        if before == after || self.offset(first) == before {
            return first;
        }
        let second = local.saturating_sub(after);
        if self.offset(second) == after { second } else { first }
    }
}

/// `hh`, `hhmm` or `hh:mm` in minutes.
fn offset_minutes(digits: &[u8]) -> Option<i64> {
    let number = |tens: u8, ones: u8| {
        let valid = tens.is_ascii_digit() && ones.is_ascii_digit();
        valid.then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let (hours, minutes) = match digits {
        [a, b] => (number(*a, *b)?, 0),
        [a, b, c, d] | [a, b, b':', c, d] => (number(*a, *b)?, number(*c, *d)?),
        _ => return None,
    };
    (hours <= 23 && minutes <= 59).then_some(hours * 60 + minutes)
}

/// The zone in an optional argument: UTC where it is not given, `None` where it is null.
pub(super) fn argument(name: &str, given: bool, item: Option<&Item<'_>>) -> Result<Option<Zone>> {
    let Some(item) = item.filter(|_| given) else { return Ok(Some(Zone::UTC)) };
    if item.is_nullish() {
        return Ok(None);
    }
    match item.raw().and_then(Raw::as_str).and_then(Zone::parse) {
        Some(zone) => Ok(Some(zone)),
        None => Err(failed(name, "the time zone is not known")),
    }
}
