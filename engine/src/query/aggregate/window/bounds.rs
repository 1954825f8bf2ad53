//! Which neighbours a window holds.
//!
//! Guarantees: windows by documents and by range, with units of time for dates; a range needs one ascending path to sort
//! by.
//! Leaves to others: what is done with them.

use std::ops::Range;

use super::super::operand::{integer, invalid, number, options, text};
use super::super::units::Unit;
use super::{View, is_single_ascending};
use crate::error::Result;
use crate::query::Sort;
use crate::value::Raw;

/// A compiled window. `None` means unbounded.
#[derive(Clone, Debug)]
pub(super) enum Window {
    /// The whole partition.
    Whole,
    /// So many documents before and after.
    Documents(Option<i64>, Option<i64>),
    /// Documents whose place is so far away.
    Range(Option<f64>, Option<f64>, Option<Unit>),
}

impl Window {
    pub(super) fn parse(
        stage: &str,
        path: &str,
        raw: Raw<'_>,
        sort: Option<&Sort>,
    ) -> Result<Self> {
        let [documents, range, unit] = options(stage, path, raw, ["documents", "range", "unit"])?;
        match (documents, range) {
            (Some(_), Some(_)) => {
                Err(invalid(stage, path, "a window has `documents` or `range`, not both"))
            }
            (Some(documents), None) => {
                if unit.is_some() {
                    return Err(invalid(stage, path, "`unit` needs a `range`"));
                }
                parse_documents(stage, path, documents, sort)
            }
            (None, Some(range)) => parse_range(stage, path, range, unit, sort),
            (None, None) if unit.is_some() => Err(invalid(stage, path, "`unit` needs a `range`")),
            (None, None) => Ok(Self::Whole),
        }
    }

    /// The window of each document of a partition.
    pub(super) fn ranges(&self, view: View<'_>) -> Result<Vec<Range<usize>>> {
        let len = view.entries.len();
        match self {
            Self::Whole => Ok(vec![0..len; len]),
            Self::Documents(low, high) => Ok((0..len)
                .map(|index| {
                    let start = low.map_or(0, |low| offset(index, low, len));
                    let end = high.map_or(len, |high| offset(index, high.saturating_add(1), len));
                    start..end.max(start)
                })
                .collect()),
            Self::Range(low, high, unit) => ranges_by_place(view, *low, *high, *unit),
        }
    }

    /// Whether each window begins where the partition does.
    pub(super) fn starts_with_partition(&self) -> bool {
        matches!(self, Self::Whole | Self::Documents(None, _) | Self::Range(None, ..))
    }
}

fn offset(index: usize, by: i64, len: usize) -> usize {
    let place = i64::try_from(index).unwrap_or(i64::MAX).saturating_add(by);
    usize::try_from(place.max(0)).unwrap_or(usize::MAX).min(len)
}

fn ranges_by_place(
    view: View<'_>,
    low: Option<f64>,
    high: Option<f64>,
    unit: Option<Unit>,
) -> Result<Vec<Range<usize>>> {
    let axis = view.axis()?;
    if axis.is_date != unit.is_some() && !axis.places.is_empty() {
        let message = "a range over dates needs a `unit`, one over numbers must have none";
        return Err(invalid("$setWindowFields", "window", message));
    }
    let away = |place: f64, by: f64| match unit {
        None => place + by,
        Some(unit) => unit.add(place as i64, by as i64) as f64,
    };
    let places = &axis.places;
    Ok(places
        .iter()
        .map(|place| {
            let start = low.map_or(0, |low| {
                let low = away(*place, low);
                places.partition_point(|other| *other < low)
            });
            let end = high.map_or(places.len(), |high| {
                let high = away(*place, high);
                places.partition_point(|other| *other <= high)
            });
            start..end.max(start)
        })
        .collect())
}

/// The two bounds as they were written.
fn pair<'r>(stage: &str, path: &str, raw: Raw<'r>) -> Result<(Raw<'r>, Raw<'r>)> {
    let mut list = raw.array_iter();
    match (list.next(), list.next(), list.next()) {
        (Some(low), Some(high), None) => Ok((low, high)),
        _ => Err(invalid(stage, path, "a window has two bounds")),
    }
}

/// A bound: unbounded, or what `read` makes of a number.
fn bound<T>(
    stage: &str,
    path: &str,
    raw: Raw<'_>,
    current: T,
    read: impl FnOnce(Raw<'_>) -> Result<T>,
) -> Result<Option<T>> {
    match raw.as_str() {
        Some("unbounded") => Ok(None),
        Some("current") => Ok(Some(current)),
        Some(_) => Err(invalid(stage, path, "a bound is `unbounded`, `current` or a number")),
        None => read(raw).map(Some),
    }
}

fn parse_documents(stage: &str, path: &str, raw: Raw<'_>, sort: Option<&Sort>) -> Result<Window> {
    let (low, high) = pair(stage, path, raw)?;
    let read = |raw: Raw<'_>| {
        integer(raw).ok_or_else(|| invalid(stage, path, "a bound must be a whole number"))
    };
    let (low, high) = (bound(stage, path, low, 0, read)?, bound(stage, path, high, 0, read)?);
    if matches!((low, high), (Some(low), Some(high)) if low > high) {
        return Err(invalid(stage, path, "the lower bound is above the upper one"));
    }
    if sort.is_none() && (low.is_some() || high.is_some()) {
        return Err(invalid(stage, path, "a bounded window needs a `sortBy`"));
    }
    Ok(Window::Documents(low, high))
}

fn parse_range(
    stage: &str,
    path: &str,
    raw: Raw<'_>,
    unit: Option<Raw<'_>>,
    sort: Option<&Sort>,
) -> Result<Window> {
    if !is_single_ascending(sort) {
        let message = "a range needs a `sortBy` of one ascending path";
        return Err(invalid(stage, path, message));
    }
    let unit = unit
        .map(|raw| {
            Unit::named(text(stage, path, raw)?)
                .ok_or_else(|| invalid(stage, path, "is no unit of time"))
        })
        .transpose()?;
    let (low, high) = pair(stage, path, raw)?;
    let read = |raw: Raw<'_>| -> Result<f64> {
        let number = number(stage, path, raw)?;
        if number.is_nan() || unit.is_some() && !number.is_integral() {
            return Err(invalid(stage, path, "with a `unit` a bound must be a whole number"));
        }
        Ok(number.to_f64())
    };
    let (low, high) = (bound(stage, path, low, 0.0, read)?, bound(stage, path, high, 0.0, read)?);
    if matches!((low, high), (Some(low), Some(high)) if low > high) {
        return Err(invalid(stage, path, "the lower bound is above the upper one"));
    }
    Ok(Window::Range(low, high, unit))
}
