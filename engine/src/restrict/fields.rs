//! Field rules: which fields of a document are shown, by lists of patterns.
//!
//! A pattern is a dotted path without array positions, in which `*` stands for any characters, dots included; it means the
//! field and everything beneath it. `include` names what is shown (nothing listed, or `*` alone: everything), `exclude`
//! what is hidden nevertheless. `_id` is always shown.
//!
//! Guarantees: what is not shown is not in the cut document, at any depth, through arrays within arrays, and under names
//! with dots inside, which stand in a path as they are. A part of a *document's* path that looks like a number is a name
//! like others; only where a path is given from outside may it be the position in an array, too.
//! Leaves to others: who may see which fields.

mod cut;
mod pattern;
mod restore;
#[cfg(test)]
mod tests;

use self::pattern::{Patterns, Reach};
use crate::error::Result;
use crate::value::Raw;
use crate::value::path::array_index;

/// Most patterns of a list.
const PATTERNS_MAX: usize = 256;
/// Most bytes of a pattern.
const PATTERN_BYTES_MAX: usize = 256;
/// Most parts of a path that may be positions, before nothing of it is shown: each doubles the ways to read it.
const POSITIONS_MAX: usize = 8;
/// The field that is always shown.
const ID: &[u8] = b"_id";

/// Which fields are shown; hides something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRule {
    /// `None`: everything.
    include: Option<Patterns>,
    /// `None`: nothing.
    exclude: Option<Patterns>,
}

impl FieldRule {
    /// Compiles lists of patterns; `None` where they hide nothing. Malformed patterns are refused by name
    /// (`invalid_field_pattern`).
    pub fn parse(include: &[String], exclude: &[String]) -> Result<Option<Self>> {
        let shown: Vec<&str> = include.iter().map(String::as_str).collect();
        let hidden: Vec<&str> = exclude.iter().map(String::as_str).collect();
        let (included, excluded) = (Patterns::parse(&shown)?, Patterns::parse(&hidden)?);
        let everything = shown.is_empty() || shown.contains(&"*");
        let nothing = hidden.iter().all(|pattern| is_of_id(pattern));
        if everything && nothing {
            return Ok(None);
        }
        let include = (!everything).then_some(included);
        let exclude = (!nothing).then_some(excluded);
        Ok(Some(Self { include, exclude }))
    }

    /// Whether everything at and beneath a dotted path is shown, whatever the document: so that an index over the path
    /// says of the shown documents what it says of the stored ones.
    pub fn shows_all_of(&self, path: &str) -> bool {
        if is_of_id(path) {
            return true;
        }
        // A position in an array is the same element only while nothing was taken out of the array.
        let place = parts(path).skip(1).find(|(_, part)| array_index(part).is_some());
        let path = place.map_or(path, |(at, _)| &path[..at - 1]);
        let includes =
            self.include.as_ref().is_none_or(|all| matches!(all.reach(path), Reach::Whole));
        includes
            && self.exclude.as_ref().is_none_or(|all| matches!(all.reach(path), Reach::Nothing))
    }

    /// Whether something at or beneath a dotted path may be shown. Parts of the path may be positions in arrays: it is
    /// hidden where it is excluded with them or without them, so `items.0.cost` is where `items.cost` is.
    pub fn shows_some_of(&self, path: &str) -> bool {
        if is_of_id(path) {
            return true;
        }
        let Some(readings) = readings(path) else { return false };
        let included = self.include.as_ref().is_none_or(|patterns| {
            readings.iter().any(|path| !matches!(patterns.reach(path), Reach::Nothing))
        });
        let excluded = self.exclude.as_ref().is_some_and(|patterns| {
            readings.iter().any(|path| matches!(patterns.reach(path), Reach::Whole))
        });
        included && !excluded
    }

    /// The shown part of an encoded document.
    ///
    /// An object of which nothing is left stays as `{}` where it is itself shown; where it is there only for fields within
    /// it that are, it goes with the last of them. Arrays the same, and their elements.
    pub fn cut(&self, document: Raw<'_>) -> Vec<u8> {
        self.cut_document(document)
    }

    /// The first path of an encoded document that is not shown, without positions; `None` exactly where
    /// [`FieldRule::cut`] changes nothing. Of an object that is shown in part, what within it is not.
    pub fn first_hidden(&self, document: Raw<'_>) -> Option<String> {
        self.first_hidden_of(document)
    }

    /// Puts the hidden part of `before` back into `shown`, a document of which every field is shown
    /// ([`FieldRule::first_hidden`] says so; what it hides nevertheless counts less than what `before` has).
    ///
    /// Members come in the order of `before`, new ones at the end. A hidden field also stays when the object around it is
    /// taken away, in an object of its own. Refused as forbidden: `hidden_fields_in_array` where an array with hidden parts
    /// was changed or taken away, because it cannot be told which element they belong to; `hidden_fields_under_value` where
    /// another value takes the place of a hidden one, or of an object with hidden fields. Arrays and objects with nothing
    /// in them are no fields in this: a value may take their place.
    pub fn restore(&self, before: Raw<'_>, shown: Raw<'_>) -> Result<Vec<u8>> {
        self.restore_document(before, shown)
    }
}

/// Whether a path is `_id` or beneath it.
fn is_of_id(path: &str) -> bool {
    path.as_bytes().strip_prefix(ID).is_some_and(|rest| rest.is_empty() || rest[0] == b'.')
}

/// The parts of a path with where they begin.
fn parts(path: &str) -> impl Iterator<Item = (usize, &str)> {
    path.split('.').scan(0, |start, part| {
        let at = *start;
        *start += part.len() + 1;
        Some((at, part))
    })
}

/// The path with each of its numbers taken as a name or as a position, which is left out; `None` where that is too much.
fn readings(path: &str) -> Option<Vec<String>> {
    let mut readings = vec![String::new()];
    let mut positions = 0;
    for (at, part) in parts(path) {
        // A document is no array.
        let both = at > 0 && array_index(part).is_some();
        positions += usize::from(both);
        if positions > POSITIONS_MAX {
            return None;
        }
        let without = if both { readings.clone() } else { Vec::new() };
        for reading in &mut readings {
            if at > 0 {
                reading.push('.');
            }
            reading.push_str(part);
        }
        readings.extend(without);
    }
    Some(readings)
}
