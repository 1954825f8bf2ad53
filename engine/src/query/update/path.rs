//! The paths of update operators: names, indexes and the positional forms.
//!
//! Guarantees: a path that was read has no empty part, no part that begins with `$` but is none of `$`, `$[]` and `$[id]`,
//! at most one `$`, and none of these in the first place; it is no deeper than a document may be, and no part is longer
//! than a member name. Parts order as they are applied: by number, then by name.
//! Leaves to others: whether two paths conflict, and what is at the path.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::value::check::NESTING_MAX;
use crate::value::path::array_index;

/// One step of an update's path. The order of the variants is the order of application.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// A number: an element of an array, or a member with that name.
    Index(usize, Box<str>),
    /// A member.
    Name(Box<str>),
    /// `$`.
    Position,
    /// `$[]`.
    All,
    /// `$[id]`: the number of its array filter.
    Filter(usize),
}

impl Part {
    fn named(name: &str) -> Self {
        match array_index(name) {
            Some(index) => Self::Index(index, name.into()),
            None => Self::Name(name.into()),
        }
    }

    /// Whether it stands for several elements of an array.
    pub(super) fn is_many(&self) -> bool {
        matches!(self, Self::All | Self::Filter(_))
    }

    /// Whether it is a name or a number.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Index(..) | Self::Name(_))
    }
}

/// What reading a path needs to know.
pub(super) struct PathRules<'a> {
    /// The limits on depth and names.
    pub(super) limits: &'a Limits,
    /// The ids of the array filters with their numbers.
    pub(super) filters: &'a HashMap<String, usize>,
}

/// Reads the path of an operator.
pub(super) fn parse(path: &str, operator: &str, rules: &PathRules<'_>) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for text in path.split('.') {
        if parts.len() as u32 >= rules.limits.nesting.min(NESTING_MAX) {
            let nesting = u64::from(rules.limits.nesting);
            let message =
                format!("{operator}: a path is more than {nesting} deep (limits.nesting)");
            return Err(Error::limit("limits.nesting", nesting, message));
        }
        let part = part(text, path, operator, rules)?;
        if parts.is_empty() && !part.is_plain() {
            return Err(bad(operator, path, "begins with a positional operator"));
        }
        if part == Part::Position && parts.contains(&Part::Position) {
            return Err(bad(operator, path, "has more than one positional `$`"));
        }
        parts.push(part);
    }
    Ok(parts)
}

fn part(text: &str, path: &str, operator: &str, rules: &PathRules<'_>) -> Result<Part> {
    if text.is_empty() {
        return Err(bad(operator, path, "has an empty part"));
    }
    let name_max = rules.limits.member_name_bytes;
    if text.len() as u64 > u64::from(name_max) {
        let message = format!(
            "{operator}: a member name has {} bytes (limits.member_name_bytes)",
            text.len()
        );
        return Err(Error::limit("limits.member_name_bytes", u64::from(name_max), message));
    }
    if !text.starts_with('$') {
        return Ok(Part::named(text));
    }
    match text {
        "$" => Ok(Part::Position),
        "$[]" => Ok(Part::All),
        _ => {
            let id = text.strip_prefix("$[").and_then(|rest| rest.strip_suffix(']'));
            let id = id.ok_or_else(|| bad(operator, path, "has a name that begins with `$`"))?;
            let number = rules.filters.get(id).ok_or_else(|| {
                Error::invalid(
                    "missing_array_filter",
                    format!("{operator}: no array filter for `$[{id}]` in path `{path}`"),
                )
                .with("operator", operator)
                .with("path", path)
            })?;
            Ok(Part::Filter(*number))
        }
    }
}

fn bad(operator: &str, path: &str, what: &str) -> Error {
    Error::invalid("invalid_path", format!("{operator}: path `{path}` {what}"))
        .with("operator", operator)
        .with("path", path)
}
