//! What changed between two states of a document, taking that back, and merging plain fields into one.
//!
//! Guarantees: [`diff`] names a path exactly where the encoded bytes under it differ; objects are compared member by
//! member, arrays and scalars as wholes. Members that only moved are no change. Work grows with the size of the
//! documents, not with its square.
//! Leaves to others: update operators; members whose name holds a dot, whose path looks like a nested one.

use std::collections::HashMap;

use super::compare;
use super::document::{self, IdRule};
use super::encode;
use super::owned::{Object, Value};
use super::raw::{Raw, text};
use crate::{Error, Result};

/// Dotted paths that differ between an old and a new state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Paths with a new value, in the new state's order; with the old value, encoded, where there was one.
    pub changed: Vec<(String, Option<Vec<u8>>)>,
    /// Paths that are gone, in the old state's order, with the old value, encoded.
    pub removed: Vec<(String, Vec<u8>)>,
    /// The old state, encoded, where the paths do not give it back byte for byte.
    pub before: Option<Vec<u8>>,
}

impl Diff {
    /// Whether no path differs.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }
}

/// Compares two objects.
pub fn diff(old: Raw<'_>, new: Raw<'_>) -> Diff {
    let mut diff = Diff::default();
    let exact = diff_objects(old, new, &mut String::new(), &mut diff);
    if !exact {
        diff.before = Some(old.as_bytes().to_vec());
    }
    diff
}

/// Whether [`revert`] gives the old object back byte for byte: the members that stay keep their order, those that go stood
/// behind them, and no name holds what a path cannot say.
fn diff_objects(old: Raw<'_>, new: Raw<'_>, path: &mut String, diff: &mut Diff) -> bool {
    if old.as_bytes() == new.as_bytes() {
        return true;
    }
    let mut before = Members::new(old);
    let mut kept = vec![false; before.list.len()];
    let (mut exact, mut last_kept) = (true, None);
    let len = path.len();
    let mut new_members = new.object_iter();
    while let Some((name, value)) = new_members.next_bytes() {
        let found = before.find(name);
        let old_value = found.map(|index| before.list[index].1);
        if let Some(index) = found {
            kept[index] = true;
            exact &= last_kept.is_none_or(|last| last < index);
            last_kept = last_kept.max(found);
        }
        push(path, name);
        match old_value {
            Some(old_value) if old_value.as_bytes() == value.as_bytes() => {}
            Some(old_value) if old_value.as_object().is_some() && value.as_object().is_some() => {
                exact &= diff_objects(old_value, value, path, diff) && is_plain(name);
            }
            _ => {
                exact &= is_plain(name);
                diff.changed.push((path.clone(), old_value.map(|old| old.as_bytes().to_vec())));
            }
        }
        path.truncate(len);
    }
    for (index, (name, value)) in before.list.iter().enumerate().filter(|(i, _)| !kept[*i]) {
        exact &= last_kept.is_none_or(|last| last < index) && is_plain(name);
        push(path, name);
        diff.removed.push((path.clone(), value.as_bytes().to_vec()));
        path.truncate(len);
    }
    exact
}

/// Whether a name can be a part of a path.
fn is_plain(name: &[u8]) -> bool {
    !name.is_empty() && !name.contains(&b'.')
}

fn push(path: &mut String, name: &[u8]) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(text(name));
}

/// The state before a diff, as far as the diff tells it: members that were removed come at the end, so their order may be
/// another one.
pub fn revert<'a>(
    new: Raw<'_>,
    changed: impl Iterator<Item = (&'a str, &'a [u8])>,
    removed: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> Vec<u8> {
    let mut document = new.to_value();
    for (path, before) in changed {
        let value = (!before.is_empty()).then(|| Raw::trusted(before).to_value());
        put_back(&mut document, path, value);
    }
    for (path, before) in removed {
        put_back(&mut document, path, Some(Raw::trusted(before).to_value()));
    }
    document.to_bytes()
}

fn put_back(document: &mut Value, path: &str, value: Option<Value>) {
    let mut at = document;
    let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
    for part in parents.split('.').filter(|part| !part.is_empty()) {
        let Some(object) = at.as_object_mut() else { return };
        if object.get(part).is_none() {
            object.insert(part, Value::Object(Object::new()));
        }
        let Some(next) = object.get_mut(part) else { return };
        at = next;
    }
    let Some(object) = at.as_object_mut() else { return };
    match value {
        Some(value) => drop(object.insert(name, value)),
        None => drop(object.remove(name)),
    }
}

/// Puts the members of `patch` into `old`: in the place of those with the same name, the others at the end. `rule` says
/// how a text in the patch's `_id` is read.
pub fn merge(old: Raw<'_>, patch: Raw<'_>, rule: IdRule) -> Result<Vec<u8>> {
    let mut members = Members::new(old);
    for (name, value) in patch.object_iter() {
        if name.starts_with('$') {
            let message = format!("operator {name} is not supported here");
            return Err(Error::invalid("unsupported_operator", message).with("operator", name));
        }
        match members.find(name.as_bytes()) {
            Some(index) if name == document::ID => {
                check_same_id(members.list[index].1, value, rule)?
            }
            Some(index) => members.list[index].1 = value,
            None => members.push(name.as_bytes(), value),
        }
    }
    let mut out = Vec::with_capacity(old.as_bytes().len() + patch.as_bytes().len());
    encode::write_object_header(members.list.len(), &mut out);
    for (name, value) in members.list {
        encode::write_str(text(name), &mut out);
        out.extend_from_slice(value.as_bytes());
    }
    Ok(out)
}

fn check_same_id(old: Raw<'_>, new: Raw<'_>, rule: IdRule) -> Result<()> {
    let new = document::read_id(new, rule)?;
    if compare::equal(old, Raw::trusted(&new)) {
        return Ok(());
    }
    Err(Error::invalid("immutable_id", "_id cannot be changed"))
}

/// The members of an object, found by name.
struct Members<'a> {
    list: Vec<(&'a [u8], Raw<'a>)>,
    /// Where the next name is looked for first: two states mostly have the same order.
    next: usize,
    /// Names to places, made when a large object is searched out of order.
    index: Option<HashMap<&'a [u8], usize>>,
}

/// Up to this many members are searched one by one.
const LINEAR_MEMBERS_MAX: usize = 32;

impl<'a> Members<'a> {
    fn new(object: Raw<'a>) -> Self {
        let mut list = Vec::new();
        let mut members = object.object_iter();
        while let Some(member) = members.next_bytes() {
            list.push(member);
        }
        Self { list, next: 0, index: None }
    }

    fn find(&mut self, name: &[u8]) -> Option<usize> {
        let found = match self.list.get(self.next) {
            Some((expected, _)) if *expected == name => Some(self.next),
            _ if self.list.len() <= LINEAR_MEMBERS_MAX => {
                self.list.iter().position(|(member, _)| *member == name)
            }
            _ => {
                let list = &self.list;
                let places =
                    || list.iter().enumerate().map(|(place, (name, _))| (*name, place)).collect();
                self.index.get_or_insert_with(places).get(name).copied()
            }
        };
        if let Some(index) = found {
            self.next = index + 1;
        }
        found
    }

    fn push(&mut self, name: &'a [u8], value: Raw<'a>) {
        if let Some(index) = &mut self.index {
            index.insert(name, self.list.len());
        }
        self.list.push((name, value));
    }
}

#[cfg(test)]
mod tests;
