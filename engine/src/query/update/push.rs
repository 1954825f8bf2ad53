//! `$push`: elements at a position, then sorting, then cutting.
//!
//! Guarantees: the order of work of the reference, section 5; the sort is stable; what is added is no more than a document
//! may hold.
//! Leaves to others: targets that are not arrays.

use std::cmp::Ordering;

use super::action::{integer, refused};
use super::node::{Node, Room};
use crate::error::Result;
use crate::limits::Limits;
use crate::query::{Context, Sort};
use crate::value::key::Direction;
use crate::value::{Raw, compare};

/// A compiled `$push`.
#[derive(Clone, Debug)]
pub(super) struct Push {
    /// The new elements, encoded.
    values: Vec<Box<[u8]>>,
    position: Option<i64>,
    slice: Option<i64>,
    sort: Option<ElementSort>,
}

/// How the elements are sorted.
#[derive(Clone, Debug)]
enum ElementSort {
    /// As whole values.
    Whole(Direction),
    /// By paths inside them.
    Paths(Sort),
}

const OPERATOR: &str = "$push";

impl Push {
    /// Reads a value, or `{$each: [...]}` with its modifiers.
    pub(super) fn parse(operand: Raw<'_>, path: &str, context: &Context<'_>) -> Result<Self> {
        let wrong = |what: &str| refused("invalid_operand", OPERATOR, path, what);
        let mut push = Self { values: Vec::new(), position: None, slice: None, sort: None };
        let Some(each) = operand.get("$each") else {
            let first = operand.object_iter().next().map(|(name, _)| name);
            if matches!(first, Some("$position" | "$slice" | "$sort")) {
                return Err(wrong("has modifiers without $each"));
            }
            push.values.push(operand.as_bytes().into());
            return Ok(push);
        };
        let each = each.as_array().ok_or_else(|| wrong("needs an array as $each"))?;
        push.values.extend(each.map(|value| Box::from(value.as_bytes())));
        for (name, value) in operand.object_iter() {
            match name {
                "$each" => {}
                "$position" => {
                    let position =
                        integer(value).ok_or_else(|| wrong("needs an integer as $position"))?;
                    push.position = Some(position);
                }
                "$slice" => {
                    let slice =
                        integer(value).ok_or_else(|| wrong("needs an integer as $slice"))?;
                    push.slice = Some(slice);
                }
                "$sort" => push.sort = Some(ElementSort::parse(value, path, context)?),
                _ => {
                    let what = format!("has an unknown modifier {name} next to $each");
                    return Err(refused("unknown_operator", OPERATOR, path, &what));
                }
            }
        }
        Ok(push)
    }

    /// Applies it to the elements of an array.
    pub(super) fn apply<'a>(&'a self, elements: &mut Vec<Node<'a>>, room: &Room<'_>) -> Result<()> {
        room.take(self.values.iter().map(|value| value.len()).sum())?;
        let new = self.values.iter().map(|value| Node::Raw(Raw::trusted(value)));
        match self.position {
            None => elements.extend(new),
            Some(position) => {
                let place = place(position, elements.len());
                elements.splice(place..place, new);
            }
        }
        if let Some(sort) = &self.sort {
            sort.apply(elements, room.limits)?;
        }
        match self.slice {
            None => {}
            Some(slice) if slice >= 0 => elements.truncate(size(slice)),
            Some(slice) => {
                let from = elements.len().saturating_sub(size(slice));
                elements.drain(..from);
            }
        }
        Ok(())
    }
}

impl ElementSort {
    fn parse(raw: Raw<'_>, path: &str, context: &Context<'_>) -> Result<Self> {
        let wrong = || {
            let what = "needs 1, -1 or an object of paths with 1 or -1 as $sort";
            refused("invalid_operand", OPERATOR, path, what)
        };
        if raw.as_object().is_some() {
            let sort = Sort::parse(raw, context)?;
            return if sort.is_empty() { Err(wrong()) } else { Ok(Self::Paths(sort)) };
        }
        match integer(raw) {
            Some(1) => Ok(Self::Whole(Direction::Ascending)),
            Some(-1) => Ok(Self::Whole(Direction::Descending)),
            _ => Err(wrong()),
        }
    }

    fn apply(&self, elements: &mut Vec<Node<'_>>, limits: &Limits) -> Result<()> {
        let mut order = Vec::with_capacity(elements.len());
        let mut values = Vec::with_capacity(elements.len());
        for (place, element) in elements.iter_mut().enumerate() {
            values.push(element.raw(limits)?);
            order.push(place);
        }
        order.sort_by(|a, b| self.compare(values[*a], values[*b]));
        drop(values);
        let mut taken: Vec<_> = std::mem::take(elements);
        let sorted = order.iter().map(|place| {
            taken.get_mut(*place).map_or(Node::NULL, |node| std::mem::replace(node, Node::Gone))
        });
        *elements = sorted.collect();
        Ok(())
    }

    fn compare(&self, a: Raw<'_>, b: Raw<'_>) -> Ordering {
        match self {
            Self::Whole(direction) => directed(compare::compare(a, b), *direction),
            Self::Paths(sort) => sort
                .fields()
                .iter()
                .map(|field| {
                    let value = |raw| field_of(raw, field.path.as_str());
                    directed(compare::compare(value(a), value(b)), field.direction)
                })
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal),
        }
    }
}

/// The value at a path of an element that is an object; else null.
fn field_of<'a>(element: Raw<'a>, path: &str) -> Raw<'a> {
    match element.as_object() {
        Some(_) => crate::value::path::get_path(element, path).unwrap_or(Raw::NULL),
        None => Raw::NULL,
    }
}

fn directed(order: Ordering, direction: Direction) -> Ordering {
    match direction {
        Direction::Ascending => order,
        Direction::Descending => order.reverse(),
    }
}

/// Where `$position` is in an array of `len` elements.
fn place(position: i64, len: usize) -> usize {
    if position >= 0 { size(position).min(len) } else { len.saturating_sub(size(position)) }
}

/// The size of a number without its sign.
fn size(number: i64) -> usize {
    usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX)
}
