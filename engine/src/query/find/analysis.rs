//! What the planner asks of a filter as a whole.

use super::super::filter::{Filter, Node};
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
            Self::from_root(Node::And(all))
        };
        Some(branches.iter().map(with_others).collect())
    }

    /// Boxes that hold every point at a path with which a document can match.
    pub(super) fn boxes(&self, path: &Path) -> Option<Vec<Area>> {
        let _ = path;
        None
    }
}
