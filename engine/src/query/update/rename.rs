//! `$rename`: taking values out at their old names, before they are put in at their new ones.
//!
//! Guarantees: a source that is not there leaves everything as it is; one behind an array, or behind a value that is neither
//! object nor array, is refused.
//! Leaves to others: the new place (`run`).

use super::action::refused;
use super::node::{Node, Opened};
use crate::error::Result;
use crate::value::path::{Path, PathPart};

/// One `$rename`.
#[derive(Clone, Debug)]
pub(super) struct Rename {
    /// The old place.
    pub(super) from: Path,
}

impl Rename {
    /// Takes the value out.
    pub(super) fn take<'a>(&self, root: &mut Node<'a>) -> Result<Option<Node<'a>>> {
        self.take_at(root, self.from.parts())
    }

    fn take_at<'a>(&self, node: &mut Node<'a>, parts: &[PathPart]) -> Result<Option<Node<'a>>> {
        let Some((part, rest)) = parts.split_first() else { return Ok(None) };
        let refused =
            |what: &str| Err(refused("path_not_viable", "$rename", self.from.as_str(), what));
        match node.open() {
            Opened::Array(_) => refused("leads through an array"),
            Opened::Scalar => refused("leads through a value that is neither object nor array"),
            Opened::Object(members) => {
                let found =
                    members.iter_mut().find(|(name, node)| *name == part.name() && !node.is_gone());
                match found {
                    None => Ok(None),
                    Some((_, node)) if rest.is_empty() => {
                        Ok(Some(std::mem::replace(node, Node::Gone)))
                    }
                    Some((_, node)) => self.take_at(node, rest),
                }
            }
        }
    }
}
