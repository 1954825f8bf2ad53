//! The steps from one content of a window to another.

use std::collections::{HashMap, HashSet};

use super::super::live::Reason;
use super::order::WindowRow;
use crate::error::Result;

/// A change of what a window tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A document is told of no longer.
    Leave(WindowRow, Reason),
    /// A document that is told of has changed.
    Update(WindowRow),
    /// A document is told of that was not.
    Enter(WindowRow),
}

/// The steps from one content to another: what leaves, what changed, what enters. `reason` says why a document leaves.
pub fn difference(
    before: &[WindowRow],
    after: &[WindowRow],
    mut reason: impl FnMut(&WindowRow) -> Result<Reason>,
) -> Result<Vec<Step>> {
    let had: HashMap<&[u8], &WindowRow> =
        before.iter().map(|row| (row.place.id_key.as_slice(), row)).collect();
    let stay: HashSet<&[u8]> = after.iter().map(|row| row.place.id_key.as_slice()).collect();
    let mut steps = Vec::new();
    for row in before.iter().filter(|row| !stay.contains(row.place.id_key.as_slice())) {
        steps.push(Step::Leave(row.clone(), reason(row)?));
    }
    let mut entered = Vec::new();
    for row in after {
        match had.get(row.place.id_key.as_slice()) {
            None => entered.push(Step::Enter(row.clone())),
            Some(had) if had.document != row.document => steps.push(Step::Update(row.clone())),
            Some(_) => {}
        }
    }
    steps.append(&mut entered);
    Ok(steps)
}
