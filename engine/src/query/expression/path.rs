//! Field paths: the value at a path, mapped over arrays of documents.
//!
//! Guarantees: as MongoDB's field paths: digits are names, elements that are no documents and documents without the field
//! are left out, an array on the way gives an array. A path through documents alone borrows and allocates nothing.
//! Leaves to others: what the path begins at.

use crate::query::Item;
use crate::value::path::PathPart;
use crate::value::{Raw, encode};

/// The value of a field of a document.
#[inline]
pub(super) fn field<'e>(document: Raw<'e>, parts: &[PathPart]) -> Item<'e> {
    let mut at = document;
    for (place, part) in parts.iter().enumerate() {
        match at.get(part.name()) {
            Some(value) => at = value,
            None if place > 0 && at.as_array().is_some() => {
                return over(at, parts.get(place..).unwrap_or_default());
            }
            None => return Item::Missing,
        }
    }
    Item::Raw(at)
}

/// As [`field`], but the value that the path begins at may be an array itself.
pub(super) fn field_of<'e>(value: Raw<'e>, parts: &[PathPart]) -> Item<'e> {
    if value.as_array().is_some() { over(value, parts) } else { field(value, parts) }
}

/// The field of each document in an array.
fn over(array: Raw<'_>, parts: &[PathPart]) -> Item<'static> {
    Item::made(|out| {
        let (start, mut len) = (encode::open(out), 0);
        for element in array.array_iter() {
            if element.as_object().is_none() {
                continue;
            }
            if let Some(value) = field(element, parts).raw() {
                out.extend_from_slice(value.as_bytes());
                len += 1;
            }
        }
        encode::close_array(start, len, out);
    })
}
