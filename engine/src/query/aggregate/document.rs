//! Making one document of another with a few fields changed, and building new ones.
//!
//! Guarantees: other fields keep their bytes and their places; a new field comes last. Setting `a.b` makes documents on
//! the way and replaces what is none.
//! Leaves to others: the traversal of arrays, computed fields (`Reshape`).

use crate::value::token::{Cursor, Token};
use crate::value::{Raw, encode};

/// The encoding of an empty object.
pub(super) const EMPTY: &[u8] = &[0x80];

/// Where a member lies in its object: the start of its name, of its value, and its end.
struct Place {
    name: usize,
    value: usize,
    end: usize,
}

/// The number of members, where the first begins, and where the member `name` lies.
fn find(document: &[u8], name: &str) -> Option<(usize, usize, Option<Place>)> {
    let mut cursor = Cursor::new(document);
    let Some(Token::Object(len)) = cursor.next_token() else { return None };
    let place = |cursor: &Cursor<'_>| document.len() - cursor.rest().len();
    let body = place(&cursor);
    for _ in 0..len {
        let start = place(&cursor);
        let found = cursor.name()? == name.as_bytes();
        let value = place(&cursor);
        cursor.skip()?;
        if found {
            return Some((len, body, Some(Place { name: start, value, end: place(&cursor) })));
        }
    }
    Some((len, body, None))
}

/// Writes `document` with the member `name` set, or without it where `value` is `None`. What is no object counts as an
/// empty one.
pub(super) fn set_field(document: Raw<'_>, name: &str, value: Option<&[u8]>, out: &mut Vec<u8>) {
    let bytes = document.as_bytes();
    let found = find(bytes, name);
    match (found, value) {
        (Some((_, _, Some(place))), Some(value)) => {
            out.extend_from_slice(&bytes[..place.value]);
            out.extend_from_slice(value);
            out.extend_from_slice(&bytes[place.end..]);
        }
        (Some((len, body, Some(place))), None) => {
            encode::write_object_header(len - 1, out);
            out.extend_from_slice(&bytes[body..place.name]);
            out.extend_from_slice(&bytes[place.end..]);
        }
        (Some((len, body, None)), Some(value)) => {
            encode::write_object_header(len + 1, out);
            out.extend_from_slice(&bytes[body..]);
            encode::write_str(name, out);
            out.extend_from_slice(value);
        }
        (Some((_, _, None)), None) => out.extend_from_slice(bytes),
        (None, Some(value)) => {
            encode::write_object_header(1, out);
            encode::write_str(name, out);
            out.extend_from_slice(value);
        }
        (None, None) => encode::write_object_header(0, out),
    }
}

/// As [`set_field`], for a dotted path. Removing what is not there changes nothing.
pub(super) fn set_path(document: Raw<'_>, path: &str, value: Option<&[u8]>, out: &mut Vec<u8>) {
    let Some((name, rest)) = path.split_once('.') else {
        set_field(document, path, value, out);
        return;
    };
    let inner = document.get(name).filter(|inner| inner.as_object().is_some());
    if inner.is_none() && value.is_none() {
        out.extend_from_slice(document.as_bytes());
        return;
    }
    let mut changed = Vec::new();
    set_path(inner.unwrap_or(Raw::trusted(EMPTY)), rest, value, &mut changed);
    set_field(document, name, Some(&changed), out);
}

/// As [`set_path`], mapping over arrays as `$addFields` does: every element gets the field, what is no document becomes
/// one.
pub(super) fn add_path(document: Raw<'_>, path: &str, value: &[u8], out: &mut Vec<u8>) {
    if let Some(elements) = document.as_array() {
        let start = encode::open(out);
        let mut len = 0;
        for element in elements {
            add_path(element, path, value, out);
            len += 1;
        }
        encode::close_array(start, len, out);
        return;
    }
    let Some((name, rest)) = path.split_once('.') else {
        set_field(document, path, Some(value), out);
        return;
    };
    let mut changed = Vec::new();
    let inner = document.get(name).unwrap_or(Raw::trusted(EMPTY));
    add_path(inner, rest, value, &mut changed);
    set_field(document, name, Some(&changed), out);
}

/// The value at a dotted path through documents alone.
pub(super) fn get_nested<'a>(document: Raw<'a>, path: &str) -> Option<Raw<'a>> {
    path.split('.').try_fold(document, |at, part| at.get(part))
}

/// An array of values written one after another.
pub(super) fn array_of(len: usize, values: &[u8], out: &mut Vec<u8>) {
    encode::write_array_header(len, out);
    out.extend_from_slice(values);
}
