//! `$rename`: taking values out at their old names, before they are put in at their new ones.
//!
//! Guarantees: a source that is not there leaves everything as it is; one behind an array, or behind a value that is neither
//! object nor array, is refused. Work does not grow with the product of renames and members.
//! Leaves to others: the new place (`run`).

use super::action::{Action, Leaf};
use super::node::{Node, Opened};
use super::path::Part;
use super::plan::{Branch, Step};
use super::run::find_member;
use crate::error::Result;

/// Takes the values of all old places out; `renamed` has a place for each by its number.
pub(super) fn take<'a>(
    sources: &Branch,
    node: &mut Node<'a>,
    renamed: &mut [Option<Node<'a>>],
) -> Result<()> {
    let members = match node.open() {
        Opened::Object(members) => members,
        Opened::Array(_) => return refused(sources, "leads through an array"),
        Opened::Scalar => {
            return refused(sources, "leads through a value that is neither object nor array");
        }
    };
    let find = find_member(members, sources.children().count());
    for (part, step) in sources.children() {
        let (Part::Name(name) | Part::Index(_, name)) = part else { continue };
        let Some((_, node)) = find(name, members).and_then(|place| members.get_mut(place)) else {
            continue;
        };
        match step {
            Step::Branch(inner) => take(inner, node, renamed)?,
            Step::Leaf(Leaf { action: Action::RenameFrom(number), .. }) => {
                if let Some(place) = renamed.get_mut(*number) {
                    *place = Some(std::mem::replace(node, Node::Gone));
                }
            }
            Step::Leaf(_) => {}
        }
    }
    Ok(())
}

fn refused(sources: &Branch, what: &str) -> Result<()> {
    let leaf = sources.children().find_map(|(_, step)| step.find_leaf(&|_| true));
    leaf.map_or(Ok(()), |leaf| Err(leaf.refused("path_not_viable", what)))
}
