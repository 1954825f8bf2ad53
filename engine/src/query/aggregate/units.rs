//! Units of time, for windows and gaps over dates.
//!
//! Guarantees: months, quarters and years go by the calendar (UTC) and stop at the end of a shorter month; nothing
//! overflows, what is out of range is the first or last date there is.
//! Leaves to others: time zones.

use crate::value::date::{civil, days, days_in_month};

const DAY_MS: i64 = 86_400_000;
/// More months than there are in all dates.
const MOST_MONTHS: i64 = 8_000_000_000;

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// So many months.
    Months(i64),
    /// So many milliseconds.
    Fixed(i64),
}

impl Unit {
    /// The unit with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "year" => Self::Months(12),
            "quarter" => Self::Months(3),
            "month" => Self::Months(1),
            "week" => Self::Fixed(7 * DAY_MS),
            "day" => Self::Fixed(DAY_MS),
            "hour" => Self::Fixed(3_600_000),
            "minute" => Self::Fixed(60_000),
            "second" => Self::Fixed(1000),
            "millisecond" => Self::Fixed(1),
            _ => return None,
        })
    }

    /// Its length, if it is always the same.
    pub(super) fn fixed_ms(self) -> Option<i64> {
        match self {
            Self::Months(_) => None,
            Self::Fixed(ms) => Some(ms),
        }
    }

    /// The date so many units later.
    pub(super) fn add(self, date: i64, count: i64) -> i64 {
        let months = match self {
            Self::Fixed(ms) => return date.saturating_add(ms.saturating_mul(count)),
            Self::Months(months) => months.saturating_mul(count).clamp(-MOST_MONTHS, MOST_MONTHS),
        };
        let (day, time) = (date.div_euclid(DAY_MS), date.rem_euclid(DAY_MS));
        let (year, month, day_of_month) = civil(day);
        let total = year * 12 + month - 1 + months;
        let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
        let day_of_month = day_of_month.min(days_in_month(year, month));
        let later =
            i128::from(days(year, month, day_of_month)) * i128::from(DAY_MS) + i128::from(time);
        i64::try_from(later).unwrap_or(if months < 0 { i64::MIN } else { i64::MAX })
    }
}
