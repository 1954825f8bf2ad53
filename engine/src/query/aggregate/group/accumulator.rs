//! Accumulators as they are compiled: which one, and the expressions that feed it.
//!
//! Guarantees: unknown accumulators and malformed operands are refused by name and path.
//! Leaves to others: what they gather (`state`).

use super::super::operand::{constant, invalid, options, required, text, unsupported};
use super::super::parse::Parser;
use super::super::stream::Env;
use crate::error::Result;
use crate::query::arithmetic::Number;
use crate::query::expression::{Expression, Scope};
use crate::query::{Item, Sort};
use crate::value::{Object, Raw};

/// The accumulators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Sum,
    Avg,
    Min,
    Max,
    Push,
    AddToSet,
    First,
    Last,
    StdDevPop,
    StdDevSamp,
    MergeObjects,
    Count,
    FirstN,
    LastN,
    MinN,
    MaxN,
    Top,
    TopN,
    Bottom,
    BottomN,
    Percentile,
    Median,
}

/// A compiled accumulator.
#[derive(Clone, Debug)]
pub(in super::super) struct Spec {
    pub(super) kind: Kind,
    input: Option<Expression>,
    n: Option<Expression>,
    sort: Option<Sort>,
    pub(super) percentiles: Vec<f64>,
}

/// What a document gives to an accumulator.
#[derive(Clone, Debug)]
pub(in super::super) enum Input<'a> {
    /// A value.
    One(Item<'a>),
    /// A value with the key that decides its place.
    Keyed(Vec<u8>, Item<'a>),
}

impl Input<'_> {
    /// Apart from the document.
    pub(in super::super) fn into_owned(self) -> Input<'static> {
        match self {
            Self::One(item) => Input::One(item.into_owned()),
            Self::Keyed(key, item) => Input::Keyed(key, item.into_owned()),
        }
    }

    /// About how much memory it needs.
    pub(in super::super) fn size(&self) -> usize {
        let (key, item) = match self {
            Self::One(item) => (0, item),
            Self::Keyed(key, item) => (key.len(), item),
        };
        size_of::<Self>() + key + item.raw().map_or(0, |raw| raw.as_bytes().len())
    }
}

fn kind_of(name: &str) -> Option<Kind> {
    Some(match name {
        "$sum" => Kind::Sum,
        "$avg" => Kind::Avg,
        "$min" => Kind::Min,
        "$max" => Kind::Max,
        "$push" => Kind::Push,
        "$addToSet" => Kind::AddToSet,
        "$first" => Kind::First,
        "$last" => Kind::Last,
        "$stdDevPop" => Kind::StdDevPop,
        "$stdDevSamp" => Kind::StdDevSamp,
        "$mergeObjects" => Kind::MergeObjects,
        "$count" => Kind::Count,
        "$firstN" => Kind::FirstN,
        "$lastN" => Kind::LastN,
        "$minN" => Kind::MinN,
        "$maxN" => Kind::MaxN,
        "$top" => Kind::Top,
        "$topN" => Kind::TopN,
        "$bottom" => Kind::Bottom,
        "$bottomN" => Kind::BottomN,
        "$percentile" => Kind::Percentile,
        "$median" => Kind::Median,
        _ => return None,
    })
}

impl Spec {
    pub(in super::super) fn parse(
        stage: &str,
        name: &str,
        operand: Raw<'_>,
        parser: &Parser<'_>,
    ) -> Result<Self> {
        let kind = match kind_of(name) {
            Some(kind) => kind,
            None if matches!(name, "$accumulator" | "$function") => {
                let message = format!("with {name} needs JavaScript, which is not supported");
                return Err(unsupported(stage, message));
            }
            None => return Err(invalid(stage, name, "is no accumulator")),
        };
        let mut spec = Self { kind, input: None, n: None, sort: None, percentiles: Vec::new() };
        let expression = |raw: Raw<'_>| Expression::parse(raw, parser.context, parser.variables);
        match kind {
            Kind::Count => {
                let [] = options(stage, name, operand, [])?;
            }
            Kind::FirstN | Kind::LastN | Kind::MinN | Kind::MaxN => {
                let [input, n] = options(stage, name, operand, ["input", "n"])?;
                spec.input = Some(expression(required(stage, "input", input)?)?);
                spec.n = Some(expression(required(stage, "n", n)?)?);
            }
            Kind::Top | Kind::Bottom => {
                let [sort, output] = options(stage, name, operand, ["sortBy", "output"])?;
                spec.sort = Some(Sort::parse(required(stage, "sortBy", sort)?, parser.context)?);
                spec.input = Some(expression(required(stage, "output", output)?)?);
            }
            Kind::TopN | Kind::BottomN => {
                let [sort, output, n] = options(stage, name, operand, ["sortBy", "output", "n"])?;
                spec.sort = Some(Sort::parse(required(stage, "sortBy", sort)?, parser.context)?);
                spec.input = Some(expression(required(stage, "output", output)?)?);
                spec.n = Some(expression(required(stage, "n", n)?)?);
            }
            Kind::Percentile => {
                let [input, p, method] = options(stage, name, operand, ["input", "p", "method"])?;
                check_method(stage, method)?;
                spec.input = Some(expression(required(stage, "input", input)?)?);
                let p = constant(stage, "p", required(stage, "p", p)?, parser.context)?;
                spec.percentiles = parse_percentiles(stage, p.raw_or_null())?;
            }
            Kind::Median => {
                let [input, method] = options(stage, name, operand, ["input", "method"])?;
                check_method(stage, method)?;
                spec.input = Some(expression(required(stage, "input", input)?)?);
                spec.percentiles = vec![0.5];
            }
            _ => spec.input = Some(expression(single(stage, name, operand)?)?),
        }
        Ok(spec)
    }

    /// What a document gives.
    #[inline]
    pub(in super::super) fn evaluate<'a>(&'a self, scope: &Scope<'a>) -> Result<Input<'a>> {
        let Some(input) = &self.input else { return Ok(Input::One(Item::Missing)) };
        let item = input.evaluate(scope)?;
        match &self.sort {
            None => Ok(Input::One(item)),
            Some(sort) => Ok(Input::Keyed(sort.key(scope.root)?, item)),
        }
    }

    /// Whether what it gives has a key.
    pub(super) fn is_keyed(&self) -> bool {
        self.sort.is_some()
    }

    /// Whether what it gathers grows with every document.
    pub(super) fn grows(&self) -> bool {
        matches!(
            self.kind,
            Kind::Push
                | Kind::AddToSet
                | Kind::MergeObjects
                | Kind::FirstN
                | Kind::LastN
                | Kind::MinN
                | Kind::MaxN
                | Kind::TopN
                | Kind::BottomN
                | Kind::Percentile
                | Kind::Median
        )
    }

    /// How many values it keeps, for those that keep some; may depend on the group's `_id`.
    pub(super) fn kept(&self, id: Raw<'_>, env: &Env<'_>) -> Result<usize> {
        let Some(n) = &self.n else { return Ok(1) };
        let root = match id.as_object() {
            Some(_) => id,
            None => Raw::trusted(super::super::document::EMPTY),
        };
        n.evaluate(&env.scope(root))?
            .raw()
            .and_then(super::super::operand::integer)
            .filter(|n| *n > 0)
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| invalid("$group", "n", "must be a positive whole number"))
    }
}

/// The one argument of an accumulator, which may stand in a list of one.
fn single<'r>(stage: &str, name: &str, operand: Raw<'r>) -> Result<Raw<'r>> {
    match operand.as_array() {
        None => Ok(operand),
        Some(mut list) => match (list.next(), list.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(invalid(stage, name, "takes one argument")),
        },
    }
}

fn check_method(stage: &str, method: Option<Raw<'_>>) -> Result<()> {
    match text(stage, "method", required(stage, "method", method)?)? {
        "approximate" => Ok(()),
        _ => Err(invalid(stage, "method", "must be `approximate`")),
    }
}

fn parse_percentiles(stage: &str, list: Raw<'_>) -> Result<Vec<f64>> {
    let wrong = || invalid(stage, "p", "must be a list of numbers from 0 to 1");
    let numbers: Option<Vec<f64>> = list
        .as_array()
        .ok_or_else(wrong)?
        .map(|raw| Number::read(raw).map(Number::to_f64).filter(|p| (0.0..=1.0).contains(p)))
        .collect();
    numbers.filter(|numbers| !numbers.is_empty()).ok_or_else(wrong)
}

/// The operand of an accumulator over one field, for stages that other stages are made of.
pub(in super::super) fn call(name: &str, operand: crate::value::Value) -> Object {
    let mut object = Object::new();
    object.insert(name, operand);
    object
}
