//! The walk along a dotted path through documents and arrays.
//!
//! Guarantees: what the path leads to is visited as the reference, section 2, says, each value once, until a visit
//! returns true. Recursion goes no deeper than the path has parts; nothing is allocated.
//! Leaves to others: what a visit looks for.

use crate::value::path::PathPart;
use crate::value::token::{Cursor, Token};
use crate::value::{ArrayIter, Raw};

/// Walks from a document; an array counts as a document with the names `0`, `1`, and so on.
///
/// `opens` says whether an array at the end of the path is visited element by element before it is visited itself.
/// `element` is set to the index in the outermost array that was traversed implicitly, when a visit returned true.
#[inline]
pub(in crate::query) fn walk<'a>(
    document: Raw<'a>,
    parts: &[PathPart],
    opens: bool,
    element: &mut Option<usize>,
    visit: &mut impl FnMut(Option<Raw<'a>>) -> bool,
) -> bool {
    let Some((part, rest)) = parts.split_first() else { return visit(Some(document)) };
    match member(document, part) {
        Some(value) => follow(value, rest, opens, element, visit),
        None => visit(None),
    }
}

/// A member of a document, or an element of an array that counts as one.
#[inline]
fn member<'a>(document: Raw<'a>, part: &PathPart) -> Option<Raw<'a>> {
    let mut cursor = Cursor::new(document.as_bytes());
    let len = match cursor.next_token()? {
        Token::Object(len) => len,
        Token::Array(_) => return document.at(part.index()?),
        _ => return None,
    };
    let name = part.name().as_bytes();
    for _ in 0..len {
        let found = next_name(&mut cursor)? == name;
        let value = cursor.skip()?;
        if found {
            return Some(Raw::trusted(value));
        }
    }
    None
}

/// The name that comes next; the short form, which nearly all have, is read here.
#[inline]
fn next_name<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let (tag, rest) = cursor.rest().split_first()?;
    if !matches!(tag, 0xa0..=0xbf) {
        return cursor.name();
    }
    let (name, rest) = rest.split_at_checked(usize::from(tag & 0x1f))?;
    *cursor = Cursor::new(rest);
    Some(name)
}

fn follow<'a>(
    value: Raw<'a>,
    parts: &[PathPart],
    opens: bool,
    element: &mut Option<usize>,
    visit: &mut impl FnMut(Option<Raw<'a>>) -> bool,
) -> bool {
    if parts.is_empty() {
        return end(value, opens, element, visit);
    }
    match value.token() {
        Token::Object(_) => walk(value, parts, opens, element, visit),
        Token::Array(_) => through(value.array_iter(), parts, opens, element, visit),
        _ => visit(None),
    }
}

#[inline]
fn end<'a>(
    value: Raw<'a>,
    opens: bool,
    element: &mut Option<usize>,
    visit: &mut impl FnMut(Option<Raw<'a>>) -> bool,
) -> bool {
    if opens && let Some(elements) = value.as_array() {
        for (index, found) in elements.enumerate() {
            if visit(Some(found)) {
                *element = Some(index);
                return true;
            }
        }
    }
    visit(Some(value))
}

/// An array in the middle of the path: its documents by name, and the element that the next part counts to.
fn through<'a>(
    elements: ArrayIter<'a>,
    parts: &[PathPart],
    opens: bool,
    element: &mut Option<usize>,
    visit: &mut impl FnMut(Option<Raw<'a>>) -> bool,
) -> bool {
    let wanted = parts.first().and_then(PathPart::index);
    for (index, found) in elements.enumerate() {
        let token = found.token();
        if matches!(token, Token::Object(_)) && walk(found, parts, opens, element, visit) {
            *element = Some(index);
            return true;
        }
        if wanted != Some(index) {
            continue;
        }
        let rest = parts.get(1..).unwrap_or_default();
        let hit = match token {
            // Taken by its place it is not opened.
            _ if rest.is_empty() => visit(Some(found)),
            Token::Object(_) | Token::Array(_) => follow(found, rest, opens, element, visit),
            _ => false,
        };
        if hit {
            return true;
        }
    }
    false
}
