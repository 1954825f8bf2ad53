//! The calendar: a moment's parts in local time, weeks, and dates from parts.
//!
//! Guarantees: every moment of an `i64` of milliseconds has its parts; dates from parts may lie outside their ranges (month
//! 14) and carry over.
//! Leaves to others: time zones (`zone`).

use crate::value::date;

pub(super) const DAY_MS: i64 = 86_400_000;

/// Milliseconds of a local time, in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) millisecond: i64,
    /// Days since the epoch.
    pub(super) days: i64,
}

impl Parts {
    /// The parts of a local time in milliseconds since the epoch.
    pub(super) fn of(local: i64) -> Self {
        let (days, time) = (local.div_euclid(DAY_MS), local.rem_euclid(DAY_MS));
        let (year, month, day) = date::civil(days);
        Self {
            year,
            month,
            day,
            hour: time / 3_600_000,
            minute: time / 60_000 % 60,
            second: time / 1000 % 60,
            millisecond: time % 1000,
            days,
        }
    }

    /// The day of the year, from 1.
    pub(super) fn day_of_year(&self) -> i64 {
        self.days - date::days(self.year, 1, 1) + 1
    }

    /// The day of the week, Sunday 0.
    pub(super) fn weekday(&self) -> i64 {
        (self.days + 4).rem_euclid(7)
    }

    /// The day of the week, Monday 1 to Sunday 7.
    pub(super) fn iso_weekday(&self) -> i64 {
        (self.days + 3).rem_euclid(7) + 1
    }

    /// The week of the year; weeks begin on Sunday, days before the first one are in week 0.
    pub(super) fn week(&self) -> i64 {
        (self.day_of_year() - 1 + 7 - self.weekday()) / 7
    }

    /// The ISO year and week.
    pub(super) fn iso_week(&self) -> (i64, i64) {
        // The week belongs to the year of its Thursday.
        let thursday = self.days + 4 - self.iso_weekday();
        let (year, ..) = date::civil(thursday);
        (year, (thursday - date::days(year, 1, 1)) / 7 + 1)
    }
}

/// Days since the epoch of a date whose month and day may be out of range.
pub(super) fn days_from(year: i64, month: i64, day: i64) -> Option<i64> {
    let months = year.checked_mul(12)?.checked_add(month.checked_sub(1)?)?;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    // Years of six digits hold every moment that milliseconds can.
    if !(-400_000_000..=400_000_000).contains(&year) {
        return None;
    }
    date::days(year, month, 1).checked_add(day.checked_sub(1)?)
}

/// Days since the epoch of an ISO year, week and weekday.
pub(super) fn days_from_iso(year: i64, week: i64, weekday: i64) -> Option<i64> {
    // The fourth of January is always in week 1.
    let fourth = days_from(year, 1, 4)?;
    let monday = fourth - (fourth + 3).rem_euclid(7);
    monday.checked_add(week.checked_sub(1)?.checked_mul(7)?)?.checked_add(weekday.checked_sub(1)?)
}

/// Milliseconds of days and a time of day.
pub(super) fn moment(days: i64, time: i64) -> Option<i64> {
    days.checked_mul(DAY_MS)?.checked_add(time)
}

/// A local time moved by months; a day that the month does not have becomes its last one.
pub(super) fn add_months(local: i64, months: i64) -> Option<i64> {
    let parts = Parts::of(local);
    let all = parts.year.checked_mul(12)?.checked_add(parts.month - 1)?.checked_add(months)?;
    let (year, month) = (all.div_euclid(12), all.rem_euclid(12) + 1);
    if !(-400_000_000..=400_000_000).contains(&year) {
        return None;
    }
    let day = parts.day.min(date::days_in_month(year, month));
    moment(date::days(year, month, day), local.rem_euclid(DAY_MS))
}
