//! The entries of a document under an index.

use super::definition::{Definition, IndexKind};
use super::points::{point_entry, shape_entry};
use super::{keys, word_entry};
use crate::error::{Error, Result};
use crate::query::sort::Sort;
use crate::query::{geo, text};
use crate::value::path::Path;
use crate::value::{Raw, ValueKind};

/// Most entries of one document in one index.
pub const ENTRIES_MAX: usize = 20_000;

/// One entry: its bytes order as the values do.
pub type Entry = Vec<u8>;

/// The entries of one document, sorted and without doubles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// The entries.
    pub list: Vec<Entry>,
    /// Whether an array was opened.
    pub multikey: bool,
    /// Whether one had to be cut.
    pub cut: bool,
}

impl Entries {
    /// The entries of `document`. Fails where two different arrays stand under the paths.
    pub fn of(definition: &Definition, document: Raw<'_>) -> Result<Self> {
        let mut entries = Self::default();
        if let Some(partial) = &definition.partial
            && !partial.matches(document)?
        {
            return Ok(entries);
        }
        match &definition.kind {
            IndexKind::Ordered(sort) => {
                if definition.sparse && !has_any(sort, document) {
                    return Ok(entries);
                }
                entries.multikey = sort.keys(document, &mut entries.list)?;
            }
            IndexKind::Text(paths) => {
                entries.multikey = true;
                words(paths, document, &mut entries.list);
            }
            IndexKind::Point(path) => {
                entries.multikey = true;
                points(path, document, &mut entries.list);
            }
        }
        for entry in &mut entries.list {
            entries.cut |= keys::cut(entry);
        }
        if entries.cut {
            entries.list.sort_unstable();
            entries.list.dedup();
        }
        if entries.list.len() > ENTRIES_MAX {
            let message = format!("a document has {} entries", entries.list.len());
            return Err(Error::limit("index_entries", ENTRIES_MAX as u64, message));
        }
        Ok(entries)
    }

    /// Whether an entry is among them.
    pub fn has(&self, entry: &Entry) -> bool {
        self.list.binary_search(entry).is_ok()
    }
}

fn has_any(sort: &Sort, document: Raw<'_>) -> bool {
    sort.fields().iter().any(|field| exists(document, field.path.parts()))
}

/// Whether a path leads anywhere, through arrays, too.
fn exists(at: Raw<'_>, parts: &[crate::value::path::PathPart]) -> bool {
    let Some((part, rest)) = parts.split_first() else { return true };
    if let Some(mut elements) = at.as_array() {
        if let Some(index) = part.index()
            && at.at(index).is_some_and(|element| exists(element, rest))
        {
            return true;
        }
        return elements
            .any(|element| element.kind() == ValueKind::Object && exists(element, parts));
    }
    at.get(part.name()).is_some_and(|value| exists(value, rest))
}

fn words(paths: &[Path], document: Raw<'_>, list: &mut Vec<Entry>) {
    text::each_word(document, paths, &mut |word| list.push(word_entry(&word)));
    list.sort_unstable();
    list.dedup();
}

fn points(path: &Path, document: Raw<'_>, list: &mut Vec<Entry>) {
    geo::each_place(document, path, &mut |point| {
        // A point outside of the grid may be meant modulo the sphere.
        let inside = point.filter(|point| point.x.abs() <= 180.0 && point.y.abs() <= 90.0);
        list.push(inside.map_or_else(shape_entry, |point| point_entry(point.x, point.y)));
    });
    list.sort_unstable();
    list.dedup();
}
