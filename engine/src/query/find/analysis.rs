//! What the planner asks of a filter as a whole.

use super::super::filter::{Filter, Node, Test};
use crate::index::Area;
use crate::value::path::Path;

impl Filter {
    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        matches!(self.root(), Node::And(list) if list.is_empty())
    }

    /// For each `$or` at the top the branches, of which every match satisfies one; each together with the other conditions.
    pub(super) fn branches(&self) -> impl Iterator<Item = Vec<Self>> {
        let list = if let Node::And(list) = self.root() { list.as_slice() } else { &[] };
        list.iter().enumerate().filter_map(move |(place, node)| {
            let Node::Or(branches) = node else { return None };
            let with_others = |branch: &Node| {
                let others = list.iter().enumerate().filter(|(other, _)| *other != place);
                let mut all: Vec<Node> = others.map(|(_, node)| node.clone()).collect();
                match branch {
                    Node::And(more) => all.extend(more.iter().cloned()),
                    other => all.push(other.clone()),
                }
                self.with_root(Node::And(all))
            };
            Some(branches.iter().map(with_others).collect())
        })
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
