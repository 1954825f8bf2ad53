//! Functions over the course of a value: derivative, integral, moving average, covariance, filling gaps.
//!
//! Guarantees: what is no number gives null, or is passed over; a gap at the ends stays null.
//! Leaves to others: the windows.

use std::ops::Range;

use super::super::operand::invalid;
use super::super::units::Unit;
use super::{Axis, View};
use crate::error::Result;
use crate::query::arithmetic::Number;
use crate::query::{Encoded, Item};
use crate::value::Raw;

const STAGE: &str = "$setWindowFields";

fn null() -> Encoded {
    Encoded::from_slice(Raw::NULL.as_bytes())
}

fn double(value: f64) -> Encoded {
    encoded(Number::Double(value))
}

fn encoded(number: Number) -> Encoded {
    let mut out = Vec::with_capacity(18);
    number.write(&mut out);
    Encoded::from_slice(&out)
}

fn read(item: &Item<'_>) -> Option<f64> {
    item.raw().and_then(Number::read).map(Number::to_f64)
}

/// How long one unit of the axis is.
fn scale(axis: &Axis, unit: Option<Unit>) -> Result<f64> {
    match (axis.is_date, unit.and_then(Unit::fixed_ms)) {
        (true, Some(ms)) => Ok(ms as f64),
        (true, None) => Ok(1.0),
        (false, None) => Ok(1.0),
        (false, Some(_)) => {
            Err(invalid(STAGE, "unit", "is for dates, and `sortBy` leads to numbers"))
        }
    }
}

/// The change over each window, by the length of the window.
pub(super) fn derivative(
    view: View<'_>,
    values: &[Item<'_>],
    windows: &[Range<usize>],
    unit: Option<Unit>,
) -> Result<Vec<Encoded>> {
    let axis = view.axis()?;
    let scale = scale(&axis, unit)?;
    let change = |window: &Range<usize>| {
        let (first, last) = (window.start, window.end.checked_sub(1)?);
        let rise = read(values.get(last)?)? - read(values.get(first)?)?;
        let run = (axis.places.get(last)? - axis.places.get(first)?) / scale;
        (run != 0.0).then(|| double(rise / run))
    };
    Ok(windows.iter().map(|window| change(window).unwrap_or_else(null)).collect())
}

/// The area under each window, by trapezoids.
pub(super) fn integral(
    view: View<'_>,
    values: &[Item<'_>],
    windows: &[Range<usize>],
    unit: Option<Unit>,
) -> Result<Vec<Encoded>> {
    let axis = view.axis()?;
    let scale = scale(&axis, unit)?;
    let points: Vec<Option<(f64, f64)>> = axis
        .places
        .iter()
        .zip(values)
        .map(|(place, value)| read(value).map(|value| (place / scale, value)))
        .collect();
    let mut results = Vec::with_capacity(windows.len());
    for window in windows {
        let (mut area, mut before) = (None, None);
        for point in points.get(window.clone()).unwrap_or_default().iter().flatten() {
            view.env.budget.check()?;
            let area = area.get_or_insert(0.0);
            if let Some((x, y)) = before {
                *area += (point.0 - x) * (point.1 + y) / 2.0;
            }
            before = Some(*point);
        }
        results.push(area.map_or_else(null, double));
    }
    Ok(results)
}

/// The exponential moving average.
pub(super) fn moving_average(values: &[Item<'_>], alpha: f64) -> Vec<Encoded> {
    let mut average: Option<Number> = None;
    let mut next = |value: &Item<'_>| {
        let number = value.raw().and_then(Number::read)?;
        let new = match average {
            None => number,
            Some(before) => number
                .multiply_widening(Number::Double(alpha))
                .add_widening(before.multiply_widening(Number::Double(1.0 - alpha))),
        };
        average = Some(new);
        Some(encoded(new))
    };
    values.iter().map(|value| next(value).unwrap_or_else(null)).collect()
}

/// The covariance of the pairs of numbers in each window.
pub(super) fn covariance(
    view: View<'_>,
    x: &[Item<'_>],
    y: &[Item<'_>],
    windows: &[Range<usize>],
    is_sample: bool,
) -> Result<Vec<Encoded>> {
    let pairs: Vec<Option<(f64, f64)>> =
        x.iter().zip(y).map(|(x, y)| read(x).zip(read(y))).collect();
    let mut results = Vec::with_capacity(windows.len());
    for window in windows {
        let (mut count, mut mean_x, mut mean_y, mut sum) = (0.0, 0.0, 0.0, 0.0);
        for (x, y) in pairs.get(window.clone()).unwrap_or_default().iter().flatten() {
            view.env.budget.check()?;
            count += 1.0;
            let from_mean = x - mean_x;
            mean_x += from_mean / count;
            mean_y += (y - mean_y) / count;
            sum += from_mean * (y - mean_y);
        }
        let divisor = if is_sample { count - 1.0 } else { count };
        results.push(if divisor > 0.0 { double(sum / divisor) } else { null() });
    }
    Ok(results)
}

/// Fills null between two numbers along a line.
pub(super) fn linear_fill(view: View<'_>, values: &[Item<'_>]) -> Result<Vec<Encoded>> {
    let axis = view.axis()?;
    if axis.places.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
        return Err(invalid(STAGE, "sortBy", "must not repeat a value for $linearFill"));
    }
    let mut results = Vec::with_capacity(values.len());
    let mut last: Option<usize> = None;
    for (index, value) in values.iter().enumerate() {
        view.env.budget.check()?;
        if value.is_nullish() {
            continue;
        }
        let Some(number) = value.raw().and_then(Number::read) else {
            return Err(invalid(STAGE, "$linearFill", "takes numbers and null only"));
        };
        for gap in results.len()..index {
            results.push(between(&axis, values, last, index, gap).map_or_else(null, double));
        }
        results.push(encoded(number));
        last = Some(index);
    }
    results.resize_with(values.len(), null);
    Ok(results)
}

fn between(
    axis: &Axis,
    values: &[Item<'_>],
    left: Option<usize>,
    right: usize,
    at: usize,
) -> Option<f64> {
    let point = |index: usize| Some((*axis.places.get(index)?, read(values.get(index)?)?));
    let ((x0, y0), (x1, y1)) = (point(left?)?, point(right)?);
    Some(y0 + (y1 - y0) * (axis.places.get(at)? - x0) / (x1 - x0))
}

/// Fills null with the last value before it.
pub(super) fn carry_forward(values: &[Item<'_>]) -> Vec<Encoded> {
    let mut last = null();
    let mut next = |value: &Item<'_>| {
        if let Some(raw) = value.raw().filter(|raw| !raw.is_null()) {
            last = Encoded::from_slice(raw.as_bytes());
        }
        last.clone()
    };
    values.iter().map(&mut next).collect()
}
