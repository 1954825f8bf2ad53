//! The functions over windows: which there are, and the values that they give.
//!
//! Guarantees: unknown functions, and functions without the sort or window that they need, are refused by name.
//! Leaves to others: derivatives and their kin (`series`).

use std::ops::Range;

use super::super::group::{Spec, State};
use super::super::operand::{constant, integer, invalid, members, number, options, required, text};
use super::super::parse::Parser;
use super::super::stream::Held;
use super::super::units::Unit;
use super::bounds::Window;
use super::{View, is_single_ascending, series};
use crate::error::Result;
use crate::query::expression::Expression;
use crate::query::{Encoded, Item, Sort};
use crate::value::{Raw, encode};

/// A compiled function.
#[derive(Clone, Debug)]
pub(super) enum Function {
    Accumulate(Spec),
    Rank,
    DenseRank,
    DocumentNumber,
    Shift { output: Expression, by: i64, default: Item<'static> },
    Derivative { input: Expression, unit: Option<Unit> },
    Integral { input: Expression, unit: Option<Unit> },
    MovingAverage { input: Expression, alpha: f64 },
    Covariance { x: Expression, y: Expression, is_sample: bool },
    LinearFill(Expression),
    CarryForward(Expression),
}

impl Function {
    pub(super) fn parse(
        stage: &str,
        name: &str,
        raw: Raw<'_>,
        parser: &Parser<'_>,
    ) -> Result<Self> {
        let expression = |raw: Raw<'_>| Expression::parse(raw, parser.context, parser.variables);
        Ok(match name {
            "$rank" | "$denseRank" | "$documentNumber" => {
                if members(stage, name, raw)?.next().is_some() {
                    return Err(invalid(stage, name, "takes no arguments"));
                }
                match name {
                    "$rank" => Self::Rank,
                    "$denseRank" => Self::DenseRank,
                    _ => Self::DocumentNumber,
                }
            }
            "$shift" => {
                let [output, by, default] = options(stage, name, raw, ["output", "by", "default"])?;
                let by = integer(required(stage, "by", by)?)
                    .ok_or_else(|| invalid(stage, "by", "must be a whole number"))?;
                let default = default.map(|raw| constant(stage, "default", raw, parser.context));
                Self::Shift {
                    output: expression(required(stage, "output", output)?)?,
                    by,
                    default: default.transpose()?.unwrap_or(Item::NULL),
                }
            }
            "$derivative" | "$integral" => {
                let [input, unit] = options(stage, name, raw, ["input", "unit"])?;
                let input = expression(required(stage, "input", input)?)?;
                let unit = unit.map(|raw| parse_unit(stage, raw)).transpose()?;
                match name {
                    "$derivative" => Self::Derivative { input, unit },
                    _ => Self::Integral { input, unit },
                }
            }
            "$expMovingAvg" => parse_moving_average(stage, name, raw, parser)?,
            "$covariancePop" | "$covarianceSamp" => {
                let mut list = raw.array_iter();
                let (Some(x), Some(y), None) = (list.next(), list.next(), list.next()) else {
                    return Err(invalid(stage, name, "takes a list of two expressions"));
                };
                let is_sample = name == "$covarianceSamp";
                Self::Covariance { x: expression(x)?, y: expression(y)?, is_sample }
            }
            "$linearFill" => Self::LinearFill(expression(raw)?),
            "$locf" => Self::CarryForward(expression(raw)?),
            "$mergeObjects" => return Err(invalid(stage, name, "is no function over windows")),
            _ => Self::Accumulate(Spec::parse(stage, name, raw, parser)?),
        })
    }

    /// Refuses a function without what it needs.
    pub(super) fn check(
        &self,
        stage: &str,
        path: &str,
        sort: Option<&Sort>,
        has_window: bool,
    ) -> Result<()> {
        let single = sort.is_some_and(|sort| sort.fields().len() == 1);
        let (sorted, windowed) = match self {
            Self::Accumulate(_) | Self::Covariance { .. } => return Ok(()),
            Self::Rank | Self::DenseRank | Self::LinearFill(_) => (single, !has_window),
            Self::Derivative { .. } => (is_single_ascending(sort), has_window),
            Self::Integral { .. } => (is_single_ascending(sort), true),
            _ => (sort.is_some(), !has_window),
        };
        if !sorted {
            return Err(invalid(stage, path, "needs another `sortBy`"));
        }
        if !windowed {
            return Err(invalid(stage, path, "needs a window, or must have none"));
        }
        Ok(())
    }

    /// The value for each document of a partition.
    pub(super) fn column(
        &self,
        view: View<'_>,
        window: &Window,
        held: &mut Held<'_>,
    ) -> Result<Vec<Encoded>> {
        let mut inner = Held::new(view.env.budget);
        let column = match self {
            Self::Accumulate(spec) => accumulate(spec, view, window, &mut inner)?,
            Self::Rank => ranks(view, |rank| rank.place),
            Self::DenseRank => ranks(view, |rank| rank.group),
            Self::DocumentNumber => ranks(view, |rank| rank.number),
            Self::Shift { output, by, default } => {
                let values = view.column(output, &mut inner)?;
                shift(&values, *by, default)
            }
            Self::Derivative { input, unit } => {
                let values = view.column(input, &mut inner)?;
                series::derivative(view, &values, &window.ranges(view)?, *unit)?
            }
            Self::Integral { input, unit } => {
                let values = view.column(input, &mut inner)?;
                series::integral(view, &values, &window.ranges(view)?, *unit)?
            }
            Self::MovingAverage { input, alpha } => {
                series::moving_average(&view.column(input, &mut inner)?, *alpha)
            }
            Self::Covariance { x, y, is_sample } => {
                let (x, y) = (view.column(x, &mut inner)?, view.column(y, &mut inner)?);
                series::covariance(view, &x, &y, &window.ranges(view)?, *is_sample)?
            }
            Self::LinearFill(input) => series::linear_fill(view, &view.column(input, &mut inner)?)?,
            Self::CarryForward(input) => series::carry_forward(&view.column(input, &mut inner)?),
        };
        for value in &column {
            held.take(size_of::<Encoded>() + value.len())?;
        }
        Ok(column)
    }
}

fn parse_unit(stage: &str, raw: Raw<'_>) -> Result<Unit> {
    Unit::named(text(stage, "unit", raw)?)
        .filter(|unit| unit.fixed_ms().is_some())
        .ok_or_else(|| invalid(stage, "unit", "must be a unit of time from week to millisecond"))
}

fn parse_moving_average(
    stage: &str,
    name: &str,
    raw: Raw<'_>,
    parser: &Parser<'_>,
) -> Result<Function> {
    let [input, n, alpha] = options(stage, name, raw, ["input", "N", "alpha"])?;
    let input =
        Expression::parse(required(stage, "input", input)?, parser.context, parser.variables)?;
    let alpha = match (n, alpha) {
        (Some(n), None) => {
            let n = integer(n)
                .filter(|n| *n > 0)
                .ok_or_else(|| invalid(stage, "N", "must be a positive whole number"))?;
            2.0 / (n as f64 + 1.0)
        }
        (None, Some(alpha)) => {
            let alpha = number(stage, "alpha", alpha)?.to_f64();
            if !(alpha > 0.0 && alpha < 1.0) {
                return Err(invalid(stage, "alpha", "must lie between 0 and 1"));
            }
            alpha
        }
        _ => return Err(invalid(stage, name, "needs `N` or `alpha`")),
    };
    Ok(Function::MovingAverage { input, alpha })
}

fn accumulate(
    spec: &Spec,
    view: View<'_>,
    window: &Window,
    held: &mut Held<'_>,
) -> Result<Vec<Encoded>> {
    let budget = view.env.budget;
    let mut inputs = Vec::with_capacity(view.entries.len());
    for index in 0..view.entries.len() {
        budget.check()?;
        let input = spec.evaluate(&view.env.scope(view.root(index)))?.into_owned();
        held.take(input.size())?;
        inputs.push(input);
    }
    let fresh = || State::new(spec, Raw::NULL, &view.env);
    let mut results = Vec::with_capacity(inputs.len());
    // Windows that begin with the partition only grow; so does the state.
    let (mut state, mut filled) = (fresh()?, 0..0);
    for range in window.ranges(view)? {
        budget.check()?;
        let grows = window.starts_with_partition() && filled.end <= range.end;
        if !grows && range != filled {
            state = fresh()?;
            filled = range.start..range.start;
        }
        let added: Range<usize> = filled.end..range.end;
        if added.is_empty()
            && range == filled
            && let Some(last) = results.last().cloned()
        {
            held.take(size_of::<Encoded>())?;
            results.push(last);
            continue;
        }
        for input in inputs.get(added).unwrap_or_default() {
            budget.check()?;
            held.take(state.add(input)?)?;
        }
        filled = range;
        let result = state.result();
        held.take(size_of::<Encoded>() + result.len())?;
        results.push(result);
    }
    Ok(results)
}

/// Where a document stands in its partition.
struct Rank {
    number: i64,
    place: i64,
    group: i64,
}

fn ranks(view: View<'_>, which: fn(&Rank) -> i64) -> Vec<Encoded> {
    let mut rank = Rank { number: 0, place: 0, group: 0 };
    let mut before: Option<&[u8]> = None;
    let mut results = Vec::with_capacity(view.entries.len());
    for entry in view.entries {
        let key: &[u8] = &entry.key;
        rank.number += 1;
        if before != Some(key) {
            rank.place = rank.number;
            rank.group += 1;
        }
        before = Some(key);
        let mut out = Vec::with_capacity(9);
        encode::write_integer(which(&rank), &mut out);
        results.push(Encoded::from_slice(&out));
    }
    results
}

fn shift(values: &[Item<'_>], by: i64, default: &Item<'_>) -> Vec<Encoded> {
    let at = |index: usize| {
        let place = i64::try_from(index).ok()?.checked_add(by)?;
        values.get(usize::try_from(place).ok()?)
    };
    (0..values.len())
        .map(|index| Encoded::from_slice(at(index).unwrap_or(default).raw_or_null().as_bytes()))
        .collect()
}
