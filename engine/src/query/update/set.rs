//! `$addToSet` and `$pullAll`: arrays as sets of whole values.
//!
//! Guarantees: equality is that of the query language, with the order of members; elements that are there stay as they are.
//! Work does not grow with the product of both lists.
//! Leaves to others: targets that are not arrays.

use std::collections::HashSet;

use super::node::{Node, Room};
use crate::error::Result;
use crate::limits::Limits;
use crate::value::{Raw, compare, key};

/// Up to this many values, elements are compared with each.
const LINEAR_VALUES_MAX: usize = 8;

/// A compiled `$addToSet`: the values, encoded, without doubles.
#[derive(Clone, Debug)]
pub(super) struct AddToSet {
    values: Vec<Box<[u8]>>,
    keys: Option<Vec<Vec<u8>>>,
}

impl AddToSet {
    /// Reads a value, or `{$each: [...]}`.
    pub(super) fn parse(operand: Raw<'_>) -> Result<Self, &'static str> {
        let mut seen = HashSet::new();
        let mut values = Vec::new();
        match operand.get("$each") {
            None => values.push(Box::from(operand.as_bytes())),
            Some(_) if operand.member_count() != 1 => return Err("takes nothing next to $each"),
            Some(each) => {
                for value in each.as_array().ok_or("needs an array as $each")? {
                    if seen.insert(key::encode(value)) {
                        values.push(Box::from(value.as_bytes()));
                    }
                }
            }
        }
        let many = values.len() > LINEAR_VALUES_MAX;
        let keys = many.then(|| values.iter().map(|v| key::encode(Raw::trusted(v))).collect());
        Ok(Self { values, keys })
    }

    /// Adds the values that are not there.
    pub(super) fn apply<'a>(&'a self, elements: &mut Vec<Node<'a>>, room: &Room<'_>) -> Result<()> {
        let mut found = vec![false; self.values.len()];
        if let Some(keys) = &self.keys {
            let mut present = HashSet::with_capacity(elements.len());
            for element in elements.iter_mut() {
                present.insert(key::encode(element.raw(room.limits)?));
            }
            for (found, key) in found.iter_mut().zip(keys) {
                *found = present.contains(key);
            }
        } else {
            for element in elements.iter_mut() {
                let element = element.raw(room.limits)?;
                for (found, value) in found.iter_mut().zip(&self.values) {
                    *found |= compare::equal(element, Raw::trusted(value));
                }
            }
        }
        let new = self.values.iter().zip(found).filter(|(_, found)| !found);
        for (value, _) in new {
            room.take(value.len())?;
            elements.push(Node::Raw(Raw::trusted(value)));
        }
        Ok(())
    }
}

/// A compiled `$pullAll`: the values, encoded and sorted.
#[derive(Clone, Debug)]
pub(super) struct PullAll {
    values: Vec<Box<[u8]>>,
}

impl PullAll {
    /// Reads an array of values.
    pub(super) fn parse(operand: Raw<'_>) -> Result<Self, &'static str> {
        let values = operand.as_array().ok_or("needs an array as its operand")?;
        let mut values: Vec<Box<[u8]>> = values.map(|value| value.as_bytes().into()).collect();
        values.sort_by(|a, b| compare::compare(Raw::trusted(a), Raw::trusted(b)));
        Ok(Self { values })
    }

    /// Takes the values out.
    pub(super) fn apply(&self, elements: &mut Vec<Node<'_>>, limits: &Limits) -> Result<()> {
        let mut refused = Ok(());
        elements.retain_mut(|element| match element.raw(limits) {
            Ok(raw) => {
                self.values.binary_search_by(|v| compare::compare(Raw::trusted(v), raw)).is_err()
            }
            Err(error) => {
                refused = Err(error);
                true
            }
        });
        refused
    }
}
