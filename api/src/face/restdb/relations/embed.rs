//! Putting documents into others: looked-up ones in the place of their ids, children under the name of their field.
//!
//! Guarantees: an id of a document that is not there or may not be read stays as `{"_id": id}`, so that who writes back what
//! it has read loses nothing. An answer with what is embedded stays within `limits.query_result_bytes`.
//! Leaves to others: finding the documents.

use std::collections::HashMap;

use bytes::Bytes;
use headwater_engine::value::{Object, Raw, Value, encode, key, object_id};
use headwater_engine::{Error, Result};

use super::is_left_out;
use crate::face::restdb::system;
use crate::session::{ByKey, Session};

/// What may still be written of an answer.
#[derive(Clone, Debug)]
pub(super) struct Room {
    left: u64,
    max: u64,
}

impl Room {
    /// What is left beside an answer's documents.
    pub(super) fn beside(session: &Session, documents: &[Bytes]) -> Result<Self> {
        let max = session.engine().limits().query_result_bytes;
        let mut room = Self { left: max, max };
        documents.iter().try_for_each(|document| room.take(document.len()))?;
        Ok(room)
    }

    /// So many bytes.
    #[cfg(test)]
    pub(super) fn of(max: u64) -> Self {
        Self { left: max, max }
    }

    /// Takes bytes; fails where there are not so many.
    pub(super) fn take(&mut self, bytes: usize) -> Result<()> {
        match self.left.checked_sub(bytes as u64) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                let max = self.max;
                let message = format!(
                    "the answer takes more than {max} bytes with what is embedded in it \
                     (limits.query_result_bytes); ask for fewer documents by max"
                );
                Err(Error::limit("limits.query_result_bytes", max, message))
            }
        }
    }
}

/// What some members of a document become.
pub(super) fn replaced(
    document: Raw<'_>,
    mut with: impl FnMut(&str, Raw<'_>) -> Result<Option<Vec<u8>>>,
) -> Result<Option<Bytes>> {
    let mut changed = Vec::new();
    for (place, (name, value)) in document.object_iter().enumerate() {
        if let Some(bytes) = with(name, value)? {
            changed.push((place, bytes));
        }
    }
    if changed.is_empty() {
        return Ok(None);
    }
    let added: usize = changed.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut out = Vec::with_capacity(document.as_bytes().len() + added);
    encode::write_object_header(document.member_count(), &mut out);
    let mut changed = changed.into_iter().peekable();
    for (place, (name, value)) in document.object_iter().enumerate() {
        encode::write_str(name, &mut out);
        match changed.next_if(|(at, _)| *at == place) {
            Some((_, bytes)) => out.extend_from_slice(&bytes),
            None => out.extend_from_slice(value.as_bytes()),
        }
    }
    Ok(Some(out.into()))
}

/// The ids that a lookup holds, encoded; what is no id is left out.
pub(super) fn ids(value: Raw<'_>) -> impl Iterator<Item = Vec<u8>> {
    let elements: Vec<Raw<'_>> = match value.as_array() {
        Some(elements) => elements.collect(),
        None => vec![value],
    };
    elements.into_iter().filter_map(id_of)
}

/// The id that an element of a lookup means: the element, its `_id` where it is an object.
fn id_of(element: Raw<'_>) -> Option<Vec<u8>> {
    let id = if element.as_object().is_some() { element.get("_id")? } else { element };
    if id.is_null() || id.as_array().is_some() {
        return None;
    }
    // What was stored before the field was defined may be text.
    match id.as_str().and_then(object_id::parse) {
        Some(id) => Some(Value::ObjectId(id).to_bytes()),
        None => Some(id.as_bytes().to_vec()),
    }
}

/// A lookup with its documents in the place of their ids: always an array, but for null.
pub(super) fn embedded(value: Raw<'_>, found: &ByKey, room: &mut Room) -> Result<Option<Vec<u8>>> {
    // Programs look into what they find: nothing is an empty list.
    let elements: Vec<Raw<'_>> = match value.as_array() {
        Some(elements) => elements.collect(),
        None if value.is_null() => Vec::new(),
        None => vec![value],
    };
    let mut out = Vec::with_capacity(value.as_bytes().len());
    encode::write_array_header(elements.len(), &mut out);
    for element in elements {
        let before = out.len();
        match id_of(element) {
            None => out.extend_from_slice(element.as_bytes()),
            Some(id) => match found.get(&key::encode(Raw::trusted(&id))) {
                Some(document) => out.extend_from_slice(document),
                None => {
                    encode::write_object_header(1, &mut out);
                    encode::write_str("_id", &mut out);
                    out.extend_from_slice(&id);
                }
            },
        }
        room.take(out.len() - before)?;
    }
    Ok(Some(out))
}

/// Documents as they stand in others: without what only a document of its own shows.
pub(super) fn bare(found: ByKey) -> ByKey {
    let each = |(key, document): (Vec<u8>, Bytes)| {
        let left = without(Raw::trusted(&document), is_left_out);
        (key, left.map_or(document, Bytes::from))
    };
    found.into_iter().map(each).collect()
}

/// A document without some members; `None` where it has none of them.
pub(super) fn without(document: Raw<'_>, is_left_out: impl Fn(&str) -> bool) -> Option<Vec<u8>> {
    let stays = || document.object_iter().filter(|(name, _)| !is_left_out(name));
    let count = stays().count();
    if count == document.member_count() {
        return None;
    }
    let mut out = Vec::with_capacity(document.as_bytes().len());
    encode::write_object_header(count, &mut out);
    for (name, value) in stays() {
        encode::write_str(name, &mut out);
        out.extend_from_slice(value.as_bytes());
    }
    Some(out)
}

/// Children by the keys of what they hold of their parents' ids.
#[derive(Default)]
pub(super) struct Children(HashMap<Vec<u8>, Vec<Bytes>>);

impl Children {
    /// Takes a child; system fields are left out unless all are shown.
    pub(super) fn add(&mut self, parent: Raw<'_>, child: Bytes, shows_facts: bool) {
        let left = if shows_facts { None } else { without(Raw::trusted(&child), system::is_fact) };
        let children = self.0.entry(key::encode(parent)).or_default();
        children.push(left.map_or(child, Bytes::from));
    }

    /// The children of a parent, whose id has these forms, as an encoded array.
    pub(super) fn of(&self, forms: &[Value], room: &mut Room) -> Result<Vec<u8>> {
        let keys = forms.iter().map(|form| key::encode(Raw::trusted(&form.to_bytes())));
        let children: Vec<&Bytes> = keys.filter_map(|key| self.0.get(&key)).flatten().collect();
        let mut out = Vec::new();
        encode::write_array_header(children.len(), &mut out);
        for child in children {
            room.take(child.len())?;
            out.extend_from_slice(child);
        }
        Ok(out)
    }
}

/// A document with lists under some names, behind its other members.
pub(super) fn with_lists(document: Raw<'_>, lists: &[(String, Vec<u8>)]) -> Bytes {
    let is_list = |name: &str| lists.iter().any(|(list, _)| list == name);
    let own = || document.object_iter().filter(|(name, _)| !is_list(name));
    let mut out = Vec::with_capacity(document.as_bytes().len() + 64);
    encode::write_object_header(own().count() + lists.len(), &mut out);
    for (name, value) in own() {
        encode::write_str(name, &mut out);
        out.extend_from_slice(value.as_bytes());
    }
    for (name, list) in lists {
        encode::write_str(name, &mut out);
        out.extend_from_slice(list);
    }
    out.into()
}

/// The projection that shows of looked-up documents what was asked for, encoded; the `_id` always.
pub(super) fn projection(shown: &Object) -> Option<Vec<u8>> {
    (!shown.is_empty()).then(|| shown.to_bytes())
}
