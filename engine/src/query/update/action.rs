//! What one operator does at one path: parsing its operand, and applying it to the value that is there, or is not.
//!
//! Guarantees: malformed operands are refused when parsed, with operator and path; a value of the wrong type when applied.
//! Leaves to others: finding the place (`run`), arrays (`push`, `set`, `pull`), what numbers give (`arithmetic`).

use std::cmp::Ordering;

use super::bits::Bits;
use super::node::{Node, Room};
use super::pull::Pull;
use super::push::Push;
use super::set::{AddToSet, PullAll};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::query::Context;
use crate::query::arithmetic::{Number, Overflow};
use crate::value::{Decimal128, Raw, compare, encode};

/// One operator at one path.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// The operator, with its `$`.
    pub(super) operator: &'static str,
    /// The path as it was written.
    pub(super) path: Box<str>,
    /// What it does.
    pub(super) action: Action,
    /// Whether it acts only where an upsert inserts.
    pub(super) insert_only: bool,
}

/// What an operator does.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// `$set`, `$setOnInsert`, `$currentDate`.
    Set(Box<[u8]>),
    /// `$unset`.
    Unset,
    /// `$inc`.
    Add(Number),
    /// `$mul`.
    Multiply(Number),
    /// `$min` and `$max`: the value, and how it must compare with the old one to replace it.
    Extreme(Box<[u8]>, Ordering),
    /// The old place of the `$rename` with this number.
    RenameFrom(usize),
    /// The new place of the `$rename` with this number.
    RenameTo(usize),
    /// `$bit`.
    Bit(Bits),
    /// `$push`.
    Push(Push),
    /// `$addToSet`.
    AddToSet(AddToSet),
    /// `$pop`: whether it takes the first element.
    Pop { first: bool },
    /// `$pull`.
    Pull(Pull),
    /// `$pullAll`.
    PullAll(PullAll),
}

/// What becomes of the place that an operator was applied to.
pub(super) enum Fate<'a> {
    /// The node has been changed, or was not.
    Keep,
    /// The member goes.
    Remove,
    /// The member goes, and comes back last with this value.
    Last(Node<'a>),
}

impl Leaf {
    /// Whether it takes values away only, so that a path that leads nowhere is nothing to it.
    pub(super) fn is_unset(&self) -> bool {
        matches!(self.action, Action::Unset)
    }

    /// Whether it is one of the two places of a `$rename`.
    pub(super) fn is_rename(&self) -> bool {
        matches!(self.action, Action::RenameFrom(_) | Action::RenameTo(_))
    }

    /// Applies it to a value that is there.
    pub(super) fn apply<'a>(&'a self, node: &mut Node<'a>, room: &Room<'_>) -> Result<Fate<'a>> {
        let limits = room.limits;
        match &self.action {
            Action::Set(value) => {
                room.take(value.len())?;
                *node = Node::Raw(Raw::trusted(value));
            }
            Action::Unset => return Ok(Fate::Remove),
            Action::Add(amount) => self.calculate(node, *amount, limits, Number::add)?,
            Action::Multiply(factor) => self.calculate(node, *factor, limits, Number::multiply)?,
            Action::Extreme(value, wanted) => {
                let value = Raw::trusted(value);
                if compare::compare(value, node.raw(limits)?) == *wanted {
                    room.take(value.as_bytes().len())?;
                    *node = Node::Raw(value);
                }
            }
            Action::RenameFrom(_) | Action::RenameTo(_) => {}
            Action::Bit(bits) => {
                let value = node.raw(limits)?;
                let new = bits.apply(value).ok_or_else(|| self.wrong_type(value, "an integer"))?;
                *node = Node::Made(new);
            }
            Action::Push(push) => push.apply(self.elements(node, limits)?, room)?,
            Action::AddToSet(add) => add.apply(self.elements(node, limits)?, room)?,
            Action::Pop { first } => {
                let elements = self.elements(node, limits)?;
                if *first && !elements.is_empty() {
                    elements.remove(0);
                } else {
                    elements.pop();
                }
            }
            Action::Pull(pull) => pull.apply(self.elements(node, limits)?, limits)?,
            Action::PullAll(pull) => pull.apply(self.elements(node, limits)?, limits)?,
        }
        Ok(Fate::Keep)
    }

    /// What it makes where nothing is.
    pub(super) fn create<'a>(&'a self, room: &Room<'_>) -> Result<Option<Node<'a>>> {
        Ok(Some(match &self.action {
            Action::Set(value) | Action::Extreme(value, _) => {
                room.take(value.len())?;
                Node::Raw(Raw::trusted(value))
            }
            Action::Add(amount) => made(*amount),
            Action::Multiply(factor) => made(zero_like(*factor)),
            Action::Bit(bits) => match bits.apply(Raw::trusted(&[0])) {
                Some(new) => Node::Made(new),
                None => return Ok(None),
            },
            Action::Push(push) => {
                let mut elements = Vec::new();
                push.apply(&mut elements, room)?;
                Node::Array(elements)
            }
            Action::AddToSet(add) => {
                let mut elements = Vec::new();
                add.apply(&mut elements, room)?;
                Node::Array(elements)
            }
            Action::Unset
            | Action::RenameFrom(_)
            | Action::RenameTo(_)
            | Action::Pop { .. }
            | Action::Pull(_)
            | Action::PullAll(_) => return Ok(None),
        }))
    }

    fn calculate(
        &self,
        node: &mut Node<'_>,
        operand: Number,
        limits: &Limits,
        with: fn(Number, Number) -> Result<Number, Overflow>,
    ) -> Result<()> {
        let value = node.raw(limits)?;
        let number = Number::read(value).ok_or_else(|| self.wrong_type(value, "a number"))?;
        let result = with(number, operand)
            .map_err(|Overflow| self.refused("overflow", "would no longer fit a long"))?;
        *node = made(result);
        Ok(())
    }

    fn elements<'n, 'a>(
        &self,
        node: &'n mut Node<'a>,
        limits: &Limits,
    ) -> Result<&'n mut Vec<Node<'a>>> {
        if node.open_array().is_none() {
            return Err(self.wrong_type(node.raw(limits)?, "an array"));
        }
        node.open_array().ok_or_else(|| Error::internal("an array that does not stay one"))
    }

    fn wrong_type(&self, value: Raw<'_>, wanted: &str) -> Error {
        self.refused(
            "wrong_type",
            &format!("holds a value of type {}, not {wanted}", value.kind().alias()),
        )
    }

    /// An error about this operator at its path.
    pub(super) fn refused(&self, code: &'static str, what: &str) -> Error {
        refused(code, self.operator, &self.path, what)
    }
}

/// An error about an operator at a path.
pub(super) fn refused(code: &'static str, operator: &str, path: &str, what: &str) -> Error {
    Error::invalid(code, format!("{operator}: path `{path}` {what}"))
        .with("operator", operator)
        .with("path", path)
}

fn made(number: Number) -> Node<'static> {
    let mut out = Vec::with_capacity(18);
    number.write(&mut out);
    Node::Made(out)
}

/// The zero of a number's type.
fn zero_like(number: Number) -> Number {
    match number {
        Number::Int32(_) => Number::Int32(0),
        Number::Int64(_) => Number::Int64(0),
        Number::Double(_) => Number::Double(0.0),
        Number::Decimal(one) => Number::Decimal(Decimal128::from_parts(false, 0, 0).unwrap_or(one)),
    }
}

/// Reads the operand of an operator at a path.
pub(super) fn parse(
    operator: &'static str,
    path: &str,
    operand: Raw<'_>,
    context: &Context<'_>,
) -> Result<Action> {
    let bytes = || Box::<[u8]>::from(operand.as_bytes());
    let wrong = |what: &str| refused("invalid_operand", operator, path, what);
    let number = || Number::read(operand).ok_or_else(|| wrong("needs a number as its operand"));
    Ok(match operator {
        "$set" | "$setOnInsert" => Action::Set(bytes()),
        "$unset" => Action::Unset,
        "$inc" => Action::Add(number()?),
        "$mul" => Action::Multiply(number()?),
        "$min" => Action::Extreme(bytes(), Ordering::Less),
        "$max" => Action::Extreme(bytes(), Ordering::Greater),
        "$currentDate" => Action::Set(current_date(operand, context).ok_or_else(|| {
            wrong("needs `true`, {$type: \"date\"} or {$type: \"timestamp\"} as its operand")
        })?),
        "$bit" => Action::Bit(Bits::parse(operand).map_err(wrong)?),
        "$push" => Action::Push(Push::parse(operand, path, context)?),
        "$addToSet" => Action::AddToSet(AddToSet::parse(operand).map_err(wrong)?),
        "$pop" => match integer(operand) {
            Some(1) => Action::Pop { first: false },
            Some(-1) => Action::Pop { first: true },
            _ => return Err(wrong("needs 1 or -1 as its operand")),
        },
        "$pull" => Action::Pull(Pull::parse(operand, context)?),
        "$pullAll" => Action::PullAll(PullAll::parse(operand).map_err(wrong)?),
        _ => return Err(wrong("has an operator that is not known")),
    })
}

fn current_date(operand: Raw<'_>, context: &Context<'_>) -> Option<Box<[u8]>> {
    let mut out = Vec::with_capacity(10);
    let kind = match operand.as_object() {
        None => operand.as_bool().map(|_| "date")?,
        Some(_) if operand.member_count() == 1 => operand.get("$type")?.as_str()?,
        Some(_) => return None,
    };
    match kind {
        "date" => encode::write_date(context.now_ms, &mut out),
        "timestamp" => {
            let seconds = u32::try_from(context.now_ms / 1000).unwrap_or(0);
            encode::write_timestamp(seconds, 1, &mut out);
        }
        _ => return None,
    }
    Some(out.into())
}

/// The integer that a number of any type stands for, if it does.
pub(in crate::query) fn integer(raw: Raw<'_>) -> Option<i64> {
    if let Some(double) = raw.as_double() {
        let fits = double.trunc() == double && double.abs() < 9_007_199_254_740_992.0;
        return fits.then_some(double as i64);
    }
    match raw.as_decimal() {
        Some(decimal) => decimal.to_string().parse().ok(),
        None => raw.as_i64(),
    }
}
