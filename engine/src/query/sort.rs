//! Sort patterns, and the keys of documents under them; index entries are the same keys.
//!
//! Guarantees: comparing two keys byte by byte is comparing the documents in the order of the pattern (`value::key`). A
//! document with an array under a path has a key for each element; for a sort the first of them counts, which is the
//! smallest element ascending and the largest descending. Several paths under the same array are taken as tuples, element by
//! element; two different arrays are refused. A missing value counts as null, an empty array sorts below null (reference,
//! section 7).
//! Leaves to others: ties (documents with equal keys come in `_id` order).

use super::Context;
use crate::error::{Error, Result};
use crate::value::key::{self, Direction};
use crate::value::path::{Path, PathPart};
use crate::value::{Raw, Value};

/// The key of an empty array: between the min key and null.
const EMPTY_ARRAY: u8 = 0x18;

/// A compiled sort pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    fields: Vec<SortField>,
}

/// One path of a pattern with its direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortField {
    /// The path.
    pub path: Path,
    /// Its direction.
    pub direction: Direction,
}

/// What a walk along a path came to.
#[derive(Clone, Copy)]
enum Walk<'a, 'p> {
    /// A value that is no array, or one that must not be opened.
    Value(Raw<'a>),
    Missing,
    /// An array, with the parts of the path that are left.
    Array(Raw<'a>, &'p [PathPart]),
}

impl Sort {
    /// Compiles a sort: an object of paths with 1 or -1.
    pub fn parse(sort: Raw<'_>, context: &Context<'_>) -> Result<Self> {
        let members = sort.as_object().ok_or_else(|| invalid("a sort must be an object", ""))?;
        let mut fields = Vec::new();
        for (path, direction) in members {
            check_path(path)?;
            let direction = direction_of(direction).ok_or_else(|| {
                invalid(&format!("the direction of `{path}` in a sort must be 1 or -1"), path)
            })?;
            fields.push(SortField { path: Path::new(path), direction });
        }
        if fields.len() > context.limits.query_depth as usize {
            return Err(Error::limit(
                "limits.query_depth",
                u64::from(context.limits.query_depth),
                format!(
                    "a sort of more than {} paths (limits.query_depth)",
                    context.limits.query_depth
                ),
            ));
        }
        Ok(Self { fields })
    }

    /// A pattern of paths.
    pub fn new(fields: Vec<SortField>) -> Self {
        Self { fields }
    }

    /// The paths with their directions.
    pub fn fields(&self) -> &[SortField] {
        &self.fields
    }

    /// Whether it orders nothing.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// A sort that begins with `_id` is a sort by `_id`: nothing is left to order.
    pub fn by_id_alone(&self) -> Option<Self> {
        let first = self.fields.first().filter(|first| first.path.as_str() == "_id")?;
        (self.fields.len() > 1).then(|| Self { fields: vec![first.clone()] })
    }

    /// Whether it is the order of the documents themselves: by `_id`, ascending.
    pub fn is_by_id(&self) -> bool {
        let first = self.fields.first();
        first.is_some_and(|first| {
            first.path.as_str() == "_id" && first.direction == Direction::Ascending
        })
    }

    /// Writes the key of a document, which decides its place.
    pub fn write_key(&self, document: Raw<'_>, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        let mut least: Option<Vec<u8>> = None;
        each_key(&self.fields, document, out, &mut |key| {
            if least.as_deref().is_none_or(|least| key < least) {
                least = Some(key.to_vec());
            }
        })?;
        if let Some(least) = least {
            out.truncate(start);
            out.extend_from_slice(&least);
        }
        Ok(())
    }

    /// The key of a document.
    pub fn key(&self, document: Raw<'_>) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(16 * self.fields.len());
        self.write_key(document, &mut out)?;
        Ok(out)
    }

    /// Every key of a document, as an index holds them: sorted, without doubles. Whether an array was opened.
    pub fn keys(&self, document: Raw<'_>, keys: &mut Vec<Vec<u8>>) -> Result<bool> {
        let mut single = Vec::with_capacity(16 * self.fields.len());
        let opened =
            each_key(&self.fields, document, &mut single, &mut |key| keys.push(key.to_vec()))?;
        if opened {
            keys.sort_unstable();
            keys.dedup();
        } else {
            keys.push(single);
        }
        Ok(opened)
    }

    /// The pattern as it was written.
    pub fn to_value(&self) -> Value {
        let mut object = crate::value::Object::new();
        for field in &self.fields {
            let direction = if field.direction == Direction::Ascending { 1 } else { -1 };
            object.insert(field.path.as_str(), Value::Int32(direction));
        }
        object.into()
    }
}

/// The direction that a number means.
fn direction_of(raw: Raw<'_>) -> Option<Direction> {
    let number = raw.as_i64().map(|number| number as f64).or_else(|| raw.as_double())?;
    match number {
        1.0 => Some(Direction::Ascending),
        -1.0 => Some(Direction::Descending),
        _ => None,
    }
}

/// Refuses paths with empty parts or a part that begins with `$`.
pub(crate) fn check_path(path: &str) -> Result<()> {
    if path.split('.').any(|part| part.is_empty() || part.starts_with('$')) {
        return Err(invalid(&format!("`{path}` is not the path of a field"), path));
    }
    Ok(())
}

fn invalid(message: &str, path: &str) -> Error {
    Error::invalid("invalid_sort", message).with("path", path)
}

/// Where no array is met, writes the one key onto `out`; else gives each key to `each`. Whether an array was opened.
fn each_key(
    fields: &[SortField],
    document: Raw<'_>,
    out: &mut Vec<u8>,
    each: &mut dyn FnMut(&[u8]),
) -> Result<bool> {
    let start = out.len();
    for field in fields {
        match walk(document, field.path.parts()) {
            Walk::Value(value) => key::write_directed(value, field.direction, out),
            Walk::Missing => key::write_directed(Raw::NULL, field.direction, out),
            Walk::Array(..) => {
                out.truncate(start);
                let walks: Vec<_> =
                    fields.iter().map(|field| walk(document, field.path.parts())).collect();
                open(fields, &walks, each)?;
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn walk<'a, 'p>(mut at: Raw<'a>, mut parts: &'p [PathPart]) -> Walk<'a, 'p> {
    loop {
        let Some((part, rest)) = parts.split_first() else {
            return if at.as_array().is_some() { Walk::Array(at, parts) } else { Walk::Value(at) };
        };
        if at.as_array().is_some() {
            let Some(index) = part.index() else { return Walk::Array(at, parts) };
            match at.at(index) {
                // An element taken by its place is not opened.
                Some(element) if rest.is_empty() => return Walk::Value(element),
                Some(element) => at = element,
                None => return Walk::Missing,
            }
        } else {
            match at.get(part.name()) {
                Some(value) => at = value,
                None => return Walk::Missing,
            }
        }
        parts = rest;
    }
}

/// Opens the one array that the walks stopped at, element by element.
fn open(fields: &[SortField], walks: &[Walk<'_, '_>], each: &mut dyn FnMut(&[u8])) -> Result<()> {
    let mut array: Option<Raw<'_>> = None;
    for walk in walks {
        let Walk::Array(found, _) = walk else { continue };
        match array {
            Some(first) if !std::ptr::eq(first.as_bytes(), found.as_bytes()) => {
                return Err(parallel(fields));
            }
            _ => array = Some(*found),
        }
    }
    let Some(array) = array else {
        each(&key_of(fields, walks));
        return Ok(());
    };
    if array.member_count() == 0 {
        let mut out = Vec::new();
        for (field, walk) in fields.iter().zip(walks) {
            match walk {
                Walk::Array(_, []) => {
                    let byte = EMPTY_ARRAY;
                    out.push(if field.direction == Direction::Ascending { byte } else { !byte });
                }
                Walk::Array(..) | Walk::Missing => {
                    key::write_directed(Raw::NULL, field.direction, &mut out)
                }
                Walk::Value(value) => key::write_directed(*value, field.direction, &mut out),
            }
        }
        each(&out);
        return Ok(());
    }
    let mut inner = walks.to_vec();
    for element in array.array_iter() {
        for (inner, outer) in inner.iter_mut().zip(walks) {
            let Walk::Array(_, parts) = outer else { continue };
            *inner = match parts {
                [] => Walk::Value(element),
                _ if element.as_object().is_some() => walk(element, parts),
                _ => Walk::Missing,
            };
        }
        open(fields, &inner, each)?;
    }
    Ok(())
}

fn key_of(fields: &[SortField], walks: &[Walk<'_, '_>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 * fields.len());
    for (field, walk) in fields.iter().zip(walks) {
        let value = if let Walk::Value(value) = walk { *value } else { Raw::NULL };
        key::write_directed(value, field.direction, &mut out);
    }
    out
}

fn parallel(fields: &[SortField]) -> Error {
    let paths: Vec<_> = fields.iter().map(|field| field.path.as_str()).collect();
    Error::invalid(
        "parallel_arrays",
        format!("a document has two different arrays under the paths {}", paths.join(", ")),
    )
    .with("paths", paths.join(", "))
}
