//! The values that a dotted path leads to, for joins.
//!
//! Guarantees: [`foreign`] yields what equality in a filter looks at (reference, section 2); [`local`] yields the values
//! that a local field asks for: elements instead of their array, null where there is nothing.
//! Leaves to others: comparing them.

use crate::value::Raw;
use crate::value::path::{Path, PathPart};

/// Gives `each` every value that `{path: value}` compares with, and null for each place where it is missing.
pub(super) fn foreign<'a>(document: Raw<'a>, path: &Path, each: &mut dyn FnMut(Raw<'a>)) {
    walk_foreign(document, path.parts(), each);
}

fn walk_foreign<'a>(at: Raw<'a>, parts: &[PathPart], each: &mut dyn FnMut(Raw<'a>)) {
    let Some((part, rest)) = parts.split_first() else {
        each_and_elements(at, each);
        return;
    };
    if let Some(elements) = at.as_array() {
        for (index, element) in elements.enumerate() {
            if element.as_object().is_some() {
                walk_foreign(element, parts, each);
            }
            if part.index() == Some(index) {
                if rest.is_empty() {
                    each(element);
                } else {
                    walk_foreign(element, rest, each);
                }
            }
        }
        return;
    }
    match at.get(part.name()) {
        Some(value) => walk_foreign(value, rest, each),
        None => each(Raw::NULL),
    }
}

fn each_and_elements<'a>(value: Raw<'a>, each: &mut dyn FnMut(Raw<'a>)) {
    for element in value.array_iter() {
        each(element);
    }
    each(value);
}

/// The values of a local field.
pub(super) fn local<'a>(document: Raw<'a>, path: &str) -> Vec<Raw<'a>> {
    let parts: Vec<&str> = path.split('.').collect();
    let (mut values, mut found) = (Vec::new(), false);
    walk_local(document, &parts, &mut values, &mut found);
    if !found {
        values.push(Raw::NULL);
    }
    values
}

fn walk_local<'a>(at: Raw<'a>, parts: &[&str], values: &mut Vec<Raw<'a>>, found: &mut bool) {
    let Some((part, rest)) = parts.split_first() else {
        *found = true;
        match at.as_array() {
            Some(elements) => values.extend(elements),
            None => values.push(at),
        }
        return;
    };
    if let Some(elements) = at.as_array() {
        for element in elements.filter(|element| element.as_object().is_some()) {
            walk_local(element, parts, values, found);
        }
    } else if let Some(value) = at.get(part) {
        walk_local(value, rest, values, found);
    }
}

/// The values that are at a path, elements instead of their array; none where there is nothing.
pub(super) fn present<'a>(document: Raw<'a>, path: &Path) -> Vec<Raw<'a>> {
    let parts: Vec<&str> = path.parts().iter().map(PathPart::name).collect();
    let (mut values, mut found) = (Vec::new(), false);
    walk_local(document, &parts, &mut values, &mut found);
    values
}
