//! Dotted paths over encoded values.
//!
//! Guarantees: [`Path::get`] takes an object's member by name and an array's element by index, without decoding what it
//! passes. A part is an index only in its shortest decimal form: `0`, `17`; `00`, `+1` and `-1` are names.
//! Leaves to others: the traversal of filters (every element of an array, reference section 2), which walks
//! [`Path::parts`] itself; whether a path is fit for a filter or an update (empty parts, `$`).

use super::raw::Raw;

/// A dotted path, split once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    text: Box<str>,
    parts: Box<[PathPart]>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPart {
    name: Box<str>,
    index: Option<usize>,
}

impl Path {
    /// Splits a path at its dots; `""` is one part with an empty name.
    pub fn new(text: &str) -> Self {
        let parts =
            text.split('.').map(|name| PathPart { name: name.into(), index: array_index(name) });
        Self { parts: parts.collect(), text: text.into() }
    }

    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The steps; at least one.
    pub fn parts(&self) -> &[PathPart] {
        &self.parts
    }

    /// The value at this path, if every step is there.
    pub fn get<'a>(&self, raw: Raw<'a>) -> Option<Raw<'a>> {
        self.parts.iter().try_fold(raw, |at, part| step(at, &part.name))
    }
}

impl PathPart {
    /// The step as a member name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The step as an array index, where it can be one.
    pub fn index(&self) -> Option<usize> {
        self.index
    }
}

/// The value at a dotted path, if every step is there.
pub fn get_path<'a>(raw: Raw<'a>, path: &str) -> Option<Raw<'a>> {
    path.split('.').try_fold(raw, step)
}

/// The index that a path part means in an array: decimal digits without a leading zero.
pub fn array_index(part: &str) -> Option<usize> {
    let plain = part == "0" || !part.starts_with(['0', '+']);
    if plain { part.parse().ok() } else { None }
}

fn step<'a>(at: Raw<'a>, part: &str) -> Option<Raw<'a>> {
    match at.as_array() {
        Some(mut elements) => elements.nth(array_index(part)?),
        None => at.get(part),
    }
}
