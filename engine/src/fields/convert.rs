//! Converting what was given to what is stored.
//!
//! Guarantees: a value that fits its type already stays byte for byte; one that cannot be converted does, too.
//! Leaves to others: saying that something does not fit (`check`).

use super::time::time_of;
use super::{Field, FieldType, Fields};
use crate::limits::Limits;

use crate::value::{Raw, ValueKind, encode, json, object_id};

/// What becomes of a value that does not stay.
pub(super) enum Change {
    /// It is stored so.
    Value(Vec<u8>),
    /// It is not stored.
    Left,
}

/// Whether a document is new, and so gets defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It was not there before.
    New,
    /// It was.
    Known,
}

impl Fields {
    /// The document with every typed field converted; `None` where nothing changes.
    pub(crate) fn convert(&self, document: Raw<'_>, stage: Stage) -> Option<Vec<u8>> {
        let mut changes = Vec::new();
        for (place, (name, value)) in document.object_iter().enumerate() {
            let Some(field) = self.get(name) else { continue };
            if let Some(change) = convert(field.kind, value) {
                changes.push((place, change));
            }
        }
        let missing = match stage {
            Stage::New => self.missing(document),
            Stage::Known => Vec::new(),
        };
        if changes.is_empty() && missing.is_empty() {
            return None;
        }
        Some(rewrite(document, changes, &missing))
    }

    /// The fields that have a default and are not there.
    fn missing(&self, document: Raw<'_>) -> Vec<(&Field, &[u8])> {
        let with_default = self.iter().filter_map(|field| Some((field, field.default.as_deref()?)));
        with_default.filter(|(field, _)| document.get(&field.name).is_none()).collect()
    }
}

fn rewrite(
    document: Raw<'_>,
    changes: Vec<(usize, Change)>,
    missing: &[(&Field, &[u8])],
) -> Vec<u8> {
    let left = changes.iter().filter(|(_, change)| matches!(change, Change::Left)).count();
    let mut out = Vec::with_capacity(document.as_bytes().len() + 64);
    encode::write_object_header(document.member_count() - left + missing.len(), &mut out);
    let mut changes = changes.into_iter().peekable();
    for (place, (name, value)) in document.object_iter().enumerate() {
        let change = changes.next_if(|(changed, _)| *changed == place);
        let bytes = match &change {
            Some((_, Change::Left)) => continue,
            Some((_, Change::Value(bytes))) => bytes,
            None => value.as_bytes(),
        };
        encode::write_str(name, &mut out);
        out.extend_from_slice(bytes);
    }
    for (field, default) in missing {
        encode::write_str(&field.name, &mut out);
        out.extend_from_slice(default);
    }
    out
}

/// What a value of a type becomes; `None`: it stays.
pub(super) fn convert(kind: FieldType, value: Raw<'_>) -> Option<Change> {
    if kind == FieldType::Child {
        return Some(Change::Left);
    }
    if kind.is_text() {
        return None;
    }
    let text = value.as_str();
    // A form has no other way to say that there is nothing.
    let is_nothing = text.is_some_and(|text| text.trim().is_empty());
    if kind.is_list() && (is_nothing || value.is_null()) {
        return Some(Change::Value(no_ids()));
    }
    if value.is_null() {
        return None;
    }
    if is_nothing {
        return Some(Change::Value(null()));
    }
    let converted = match kind {
        FieldType::Number => parse_number(text?),
        FieldType::Boolean => boolean(value).map(|truth| {
            let mut out = Vec::with_capacity(1);
            encode::write_bool(truth, &mut out);
            out
        }),
        FieldType::Date | FieldType::DateTime => time_of(value).map(date),
        FieldType::Json => parse_json(text?),
        FieldType::Lookup => list(value, document_id),
        FieldType::Image | FieldType::File => list(value, file_id),
        _ => None,
    };
    converted.map(Change::Value)
}

fn no_ids() -> Vec<u8> {
    let mut out = Vec::with_capacity(1);
    encode::write_array_header(0, &mut out);
    out
}

fn null() -> Vec<u8> {
    let mut out = Vec::with_capacity(1);
    encode::write_null(&mut out);
    out
}

fn date(ms: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(9);
    encode::write_date(ms, &mut out);
    out
}

/// A number as a plain JSON body would have it.
pub(super) fn parse_number(text: &str) -> Option<Vec<u8>> {
    let bytes = json::parse_value(text.as_bytes(), &Limits::default()).ok()?;
    Raw::trusted(&bytes).kind().is_number().then_some(bytes)
}

/// What forms, spreadsheets and old programs say for true and false.
pub(super) fn boolean(value: Raw<'_>) -> Option<bool> {
    // A form sends a hidden `false` before the box that was ticked.
    if let Some(boxes) = value.as_array() {
        return boxes.last().filter(|last| last.as_array().is_none()).and_then(boolean);
    }
    let text = value.as_str().map(|text| text.trim().to_ascii_lowercase());
    match (text.as_deref(), value.as_i64()) {
        (Some("true" | "on" | "yes" | "1"), _) | (None, Some(1)) => Some(true),
        (Some("false" | "off" | "no" | "0"), _) | (None, Some(0)) => Some(false),
        _ => None,
    }
}

fn parse_json(text: &str) -> Option<Vec<u8>> {
    let limits = Limits::default();
    // It stands one level deep in its document.
    let limits = Limits { nesting: limits.nesting.saturating_sub(1), ..limits };
    let bytes = json::parse_value(text.as_bytes(), &limits).ok()?;
    matches!(Raw::trusted(&bytes).kind(), ValueKind::Object | ValueKind::Array).then_some(bytes)
}

/// A list of ids, where that is not what is there: a single one becomes a list. One that is no id stays in it.
fn list(value: Raw<'_>, id: impl Fn(Raw<'_>) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let Some(elements) = value.as_array() else {
        let only = id(value);
        let mut out = Vec::new();
        encode::write_array_header(1, &mut out);
        out.extend_from_slice(only.as_deref().unwrap_or_else(|| value.as_bytes()));
        return Some(out);
    };
    let ids: Vec<_> = elements.map(|element| (element, id(element))).collect();
    if ids.iter().all(|(_, converted)| converted.is_none()) {
        return None;
    }
    let mut out = Vec::with_capacity(value.as_bytes().len());
    encode::write_array_header(ids.len(), &mut out);
    for (element, converted) in &ids {
        out.extend_from_slice(converted.as_deref().unwrap_or_else(|| element.as_bytes()));
    }
    Some(out)
}

/// The `_id` of an object, or the value itself.
fn id_in(value: Raw<'_>) -> Raw<'_> {
    if value.as_object().is_some() { value.get("_id").unwrap_or(value) } else { value }
}

/// The id of a document as its `_id` is stored: 24 hexadecimal digits are an ObjectId. `None`: as it is given.
fn document_id(value: Raw<'_>) -> Option<Vec<u8>> {
    let id = id_in(value);
    if let Some(object_id) = id.as_str().and_then(object_id::parse) {
        let mut out = Vec::with_capacity(13);
        encode::write_object_id(&object_id, &mut out);
        return Some(out);
    }
    changed(value, id)
}

/// The id of a file: a text.
fn file_id(value: Raw<'_>) -> Option<Vec<u8>> {
    let id = id_in(value);
    if let Some(object_id) = id.as_object_id() {
        let mut out = Vec::with_capacity(26);
        encode::write_str(&object_id::format(&object_id), &mut out);
        return Some(out);
    }
    changed(value, id)
}

fn changed(value: Raw<'_>, id: Raw<'_>) -> Option<Vec<u8>> {
    (value.as_bytes() != id.as_bytes()).then(|| id.as_bytes().to_vec())
}
