//! What the planner asks of a filter as a whole.

use super::super::filter::{Filter, Node, Test};
use crate::index::Area;
use crate::value::path::Path;

impl Filter {
    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        matches!(self.root(), Node::And(list) if list.is_empty())
    }

    /// The branches of an `$or` that every match satisfies one of; each together with the other conditions.
    pub(super) fn branches(&self) -> Option<Vec<Self>> {
        let Node::And(list) = self.root() else { return None };
        let place = list.iter().position(|node| matches!(node, Node::Or(_)))?;
        let Node::Or(branches) = &list[place] else { return None };
        let with_others = |branch: &Node| {
            let mut all: Vec<Node> = list
                .iter()
                .enumerate()
                .filter(|(i, _)| *i != place)
                .map(|(_, n)| n.clone())
                .collect();
            match branch {
                Node::And(more) => all.extend(more.iter().cloned()),
                other => all.push(other.clone()),
            }
            self.with_root(Node::And(all))
        };
        Some(branches.iter().map(with_others).collect())
    }

    /// A box that holds a point of every place at a path with which a document can match.
    pub(super) fn area(&self, path: &Path) -> Option<Area> {
        let Node::And(list) = self.root() else { return None };
        list.iter().find_map(|node| match node {
            Node::Field { path: at, test } if at.as_str() == path.as_str() => area(test),
            _ => None,
        })
    }
}

fn area(test: &Test) -> Option<Area> {
    let bounds = match test {
        Test::Geo(geo) => geo.bounds(),
        Test::Near(near) => near.bounds()?,
        Test::All(tests) => return tests.iter().find_map(area),
        _ => return None,
    };
    Some([bounds.min.x, bounds.min.y, bounds.max.x, bounds.max.y])
}
