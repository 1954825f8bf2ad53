//! Judging a document that a query made: size, nesting, names.
//!
//! Guarantees: no recursion; a document that passes may be written and read by everything else in the engine.
//! Leaves to others: its `_id`.

pub(in crate::query) use super::node::check_size;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::value::check::NESTING_MAX;
use crate::value::token::{Cursor, Token};

/// Refuses a document that is over a limit.
pub(in crate::query) fn document(bytes: &[u8], limits: &Limits) -> Result<()> {
    check_size(bytes.len(), limits)?;
    let depth_max = limits.nesting.min(NESTING_MAX) as usize;
    // What is left of every open object (true) or array (false).
    let mut open: Vec<(bool, usize)> = Vec::new();
    let mut cursor = Cursor::new(bytes);
    loop {
        while open.last().is_some_and(|(_, left)| *left == 0) {
            open.pop();
        }
        if let Some((is_object, left)) = open.last_mut() {
            *left -= 1;
            if *is_object && cursor.name().is_some_and(|name| is_long(name, limits)) {
                return Err(long_name(limits));
            }
        }
        let Some(token) = cursor.next_token() else { return Ok(()) };
        match token {
            Token::Array(len) => open.push((false, len)),
            Token::Object(len) => open.push((true, len)),
            _ if open.is_empty() => return Ok(()),
            _ => continue,
        }
        if open.len() > depth_max {
            return Err(too_deep(limits));
        }
    }
}

fn is_long(name: &[u8], limits: &Limits) -> bool {
    name.len() as u64 > u64::from(limits.member_name_bytes)
}

fn long_name(limits: &Limits) -> Error {
    let max = u64::from(limits.member_name_bytes);
    let message = format!(
        "the document would have a member name of more than {max} bytes (limits.member_name_bytes)"
    );
    Error::limit("limits.member_name_bytes", max, message)
}

fn too_deep(limits: &Limits) -> Error {
    let max = u64::from(limits.nesting);
    let message = format!("the document would be nested more than {max} deep (limits.nesting)");
    Error::limit("limits.nesting", max, message)
}
