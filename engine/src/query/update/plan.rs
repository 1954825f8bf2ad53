//! All operators of an update as one tree over their paths.
//!
//! Guarantees: no path is there twice and none is a prefix of another; numbers and names are not mixed with `$[]` and
//! `$[id]` under one array. The members of a branch come in the order in which they are applied.
//! Leaves to others: conflicts that show only in a document (`$[a]` and `$[b]` on one element).

use std::collections::BTreeMap;

use super::action::Leaf;
use super::path::Part;
use crate::error::{Error, Result};

/// What is to be done under one path.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Something deeper.
    Branch(Branch),
    /// An operator.
    Leaf(Leaf),
}

/// The paths that go on from here.
#[derive(Clone, Debug, Default)]
pub(super) struct Branch {
    children: BTreeMap<Part, Step>,
}

impl Branch {
    /// The steps in order.
    pub(super) fn children(&self) -> impl Iterator<Item = (&Part, &Step)> {
        self.children.iter()
    }

    /// Adds an operator at a path.
    pub(super) fn insert(&mut self, parts: Vec<Part>, leaf: Leaf) -> Result<()> {
        let mut branch = self;
        let last = parts.len().saturating_sub(1);
        for (place, part) in parts.into_iter().enumerate() {
            let many = part.is_many();
            if branch.children.keys().next().is_some_and(|first| first.is_many() != many) {
                return Err(conflict(&leaf));
            }
            if place == last {
                if branch.children.contains_key(&part) {
                    return Err(conflict(&leaf));
                }
                branch.children.insert(part, Step::Leaf(leaf));
                return Ok(());
            }
            let next = branch.children.entry(part).or_insert_with(|| Step::Branch(Self::default()));
            match next {
                Step::Branch(next) => branch = next,
                Step::Leaf(_) => return Err(conflict(&leaf)),
            }
        }
        Ok(())
    }
}

impl Step {
    /// The first operator for which `wanted` holds.
    pub(super) fn find_leaf(&self, wanted: &dyn Fn(&Leaf) -> bool) -> Option<&Leaf> {
        match self {
            Self::Leaf(leaf) => wanted(leaf).then_some(leaf),
            Self::Branch(branch) => {
                branch.children.values().find_map(|step| step.find_leaf(wanted))
            }
        }
    }
}

/// Two operators at one place.
pub(super) fn conflict(leaf: &Leaf) -> Error {
    Error::invalid(
        "conflicting_paths",
        format!(
            "{}: path `{}` conflicts with another path of the update",
            leaf.operator, leaf.path
        ),
    )
    .with("operator", leaf.operator)
    .with("path", &*leaf.path)
}
