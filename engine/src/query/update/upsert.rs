//! The document that an upsert begins with: the equalities of its filter.
//!
//! Guarantees: `{x: v}`, `$eq`, `$in` and `$all` of one value count, anywhere under `$and` and under an `$or` of one branch;
//! nothing else does. Two values for a path, or for a path and one that it begins with, are refused.
//! Leaves to others: the operators that come after.

use std::collections::HashMap;

use super::action::{Action, Leaf};
use super::path::{self, PathRules};
use super::plan::Branch;
use crate::error::Result;
use crate::limits::Limits;
use crate::query::filter::{Filter, Node, Test};
use crate::value::document::ID;
use crate::value::path::Path;

/// The equalities of a filter as a plan; `only_id` leaves out all but those about `_id`.
pub(super) fn equalities(filter: &Filter, only_id: bool, limits: &Limits) -> Result<Branch> {
    let mut found = Vec::new();
    collect(filter.root(), &mut found);
    let ids = HashMap::new();
    let rules = PathRules { limits, filters: &ids };
    let mut plan = Branch::default();
    for (path, value) in found {
        if only_id && path.parts().first().is_none_or(|part| part.name() != ID) {
            continue;
        }
        let operator = "upsert";
        let parts = path::parse(path.as_str(), operator, &rules)?;
        let leaf = Leaf {
            operator,
            path: path.as_str().into(),
            action: Action::Set(value.into()),
            insert_only: false,
        };
        plan.insert(parts, leaf)?;
    }
    Ok(plan)
}

fn collect<'f>(node: &'f Node, found: &mut Vec<(&'f Path, &'f [u8])>) {
    match node {
        Node::And(nodes) => nodes.iter().for_each(|node| collect(node, found)),
        Node::Or(nodes) => {
            if let [node] = nodes.as_slice() {
                collect(node, found);
            }
        }
        Node::Field { path, test } => collect_test(path, test, found),
        _ => {}
    }
}

fn collect_test<'f>(path: &'f Path, test: &'f Test, found: &mut Vec<(&'f Path, &'f [u8])>) {
    match test {
        Test::Equal(value) => found.push((path, value)),
        Test::In { values, .. } => {
            if let [value] = &**values {
                found.push((path, value));
            }
        }
        // Several equalities at once are an `$all` of several values, which says nothing about the field.
        Test::All(tests)
            if tests.iter().filter(|test| matches!(test, Test::Equal(_))).count() < 2 =>
        {
            tests.iter().for_each(|test| collect_test(path, test, found));
        }
        _ => {}
    }
}
