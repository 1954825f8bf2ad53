//! What an index is: read from a request, kept as a document of `_indexes`.
//!
//! Guarantees: what cannot work is refused by name: unknown members, directions, two array kinds at once, an expiry that is
//! not one field. Leaves to others: the name's collection, the number.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::query::filter::{Node, Test};
use crate::query::sort::{Sort, SortField};
use crate::query::{Context, Filter, Trust};
use crate::value::key::Direction;
use crate::value::path::Path;
use crate::value::{Object, Raw, Value};

/// How an index makes entries of a document.
#[derive(Clone, Debug)]
pub enum IndexKind {
    /// The values at its paths, in order.
    Ordered(Sort),
    /// The words of the texts at its paths.
    Text(Vec<Path>),
    /// The place of the point at its path.
    Point(Path),
}

/// The definition of an index.
#[derive(Clone, Debug)]
pub struct Definition {
    /// How entries are made.
    pub kind: IndexKind,
    /// No two documents have an entry in common.
    pub unique: bool,
    /// Documents that have none of the paths are left out.
    pub sparse: bool,
    /// Only documents that match are in it.
    pub partial: Option<Arc<Filter>>,
    /// Documents expire so many seconds after the date at its path.
    pub expire_after_seconds: Option<u64>,
    /// The members as they were given, in the order of the contract.
    pub members: Object,
}

/// Checks the name of an index.
pub fn check_name(name: &str) -> Result<()> {
    let known = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if !name.is_empty() && name.len() <= 120 && name.chars().all(known) && name != "_id" {
        return Ok(());
    }
    Err(Error::invalid(
        "invalid_index_name",
        format!(
            "an index cannot be named `{}`: 1 to 120 of A-Z a-z 0-9 _ . -, and not `_id`",
            short(name)
        ),
    ))
}

fn short(name: &str) -> String {
    name.chars().take(130).collect()
}

impl Definition {
    /// Reads a definition.
    pub fn read(definition: Raw<'_>, limits: &Limits) -> Result<Self> {
        let given = definition.as_object().ok_or_else(|| invalid("definition", "an object"))?;
        let (mut keys, mut partial, mut expire) = (None, None, None);
        let (mut unique, mut sparse) = (false, false);
        for (name, value) in given {
            match name {
                "keys" => keys = Some(value),
                "unique" => unique = flag("unique", value)?,
                "sparse" => sparse = flag("sparse", value)?,
                "partial_filter" if value.is_null() => {}
                "partial_filter" => partial = Some(value),
                "expire_after_seconds" if value.is_null() => {}
                "expire_after_seconds" => expire = Some(seconds(value)?),
                _ => {
                    let message = format!("an index has no member `{name}`");
                    return Err(Error::invalid("unknown_member", message).with("member", name));
                }
            }
        }
        let keys = keys.ok_or_else(|| invalid("keys", "an object of paths"))?;
        let kind = read_keys(keys)?;
        if unique && !matches!(kind, IndexKind::Ordered(_)) {
            return Err(invalid("unique", "false for text and 2d indexes"));
        }
        if expire.is_some() {
            match &kind {
                IndexKind::Ordered(sort) if sort.fields().len() == 1 => {}
                _ => return Err(invalid("expire_after_seconds", "given for an index of one path")),
            }
        }
        let mut members = Object::new();
        members.insert("keys", keys.to_value());
        members.insert("unique", unique);
        members.insert("sparse", sparse);
        members.insert("partial_filter", partial.map_or(Value::Null, Raw::to_value));
        let seconds = expire.and_then(|seconds| i64::try_from(seconds).ok());
        members.insert("expire_after_seconds", seconds.map_or(Value::Null, Value::integer));
        let partial = partial.map(|filter| read_partial(filter, limits)).transpose()?;
        Ok(Self { kind, unique, sparse, partial, expire_after_seconds: expire, members })
    }
}

fn read_partial(filter: Raw<'_>, limits: &Limits) -> Result<Arc<Filter>> {
    let context = Context { limits, now_ms: 0, trust: Trust::Ordinary };
    let compiled = Filter::parse(filter, &context)?;
    if !is_plain(compiled.root()) {
        let wanted = "a filter without $expr, $text, $near and $nearSphere";
        return Err(invalid("partial_filter", wanted));
    }
    Ok(Arc::new(compiled))
}

/// Whether a condition depends on the document alone.
fn is_plain(node: &Node) -> bool {
    match node {
        Node::And(list) | Node::Or(list) | Node::Nor(list) => list.iter().all(is_plain),
        Node::Field { test, .. } => !is_near(test),
        Node::Expression(_) | Node::Text(_) => false,
        Node::Schema(_) => true,
    }
}

fn is_near(test: &Test) -> bool {
    match test {
        Test::Near(_) => true,
        Test::All(tests) | Test::Any(tests) => tests.iter().any(is_near),
        _ => false,
    }
}

/// A number without a fraction.
fn whole(value: Raw<'_>) -> Option<i64> {
    let double = || value.as_double().filter(|number| number.fract() == 0.0 && number.abs() < 1e15);
    value.as_i64().or_else(|| double().map(|number| number as i64))
}

fn read_keys(keys: Raw<'_>) -> Result<IndexKind> {
    let members = keys.as_object().ok_or_else(|| invalid("keys", "an object of paths"))?;
    let (mut fields, mut texts, mut points) = (Vec::new(), Vec::new(), Vec::new());
    for (path, kind) in members {
        // Every text of a document.
        if path != "$**" || kind.as_str() != Some("text") {
            crate::query::sort::check_path(path)?;
        }
        let direction = whole(kind);
        match (kind.as_str(), direction) {
            (Some("text"), _) => texts.push(Path::new(path)),
            (Some("2d"), _) => points.push(Path::new(path)),
            (None, Some(1)) => {
                fields.push(SortField { path: Path::new(path), direction: Direction::Ascending })
            }
            (None, Some(-1)) => {
                fields.push(SortField { path: Path::new(path), direction: Direction::Descending })
            }
            _ => {
                return Err(
                    invalid("keys", "paths with 1, -1, \"text\" or \"2d\"").with("path", path)
                );
            }
        }
    }
    match (fields.len(), texts.len(), points.len()) {
        (1..=32, 0, 0) => Ok(IndexKind::Ordered(Sort::new(fields))),
        (0, 1..=32, 0) => Ok(IndexKind::Text(texts)),
        (0, 0, 1) => points.pop().map(IndexKind::Point).ok_or_else(|| invalid("keys", "one path")),
        _ => Err(invalid(
            "keys",
            "1 to 32 paths with 1 or -1, 1 to 32 with \"text\", or one with \"2d\"",
        )),
    }
}

fn flag(name: &'static str, value: Raw<'_>) -> Result<bool> {
    value.as_bool().ok_or_else(|| invalid(name, "true or false"))
}

fn seconds(value: Raw<'_>) -> Result<u64> {
    let number = whole(value)
        .and_then(|number| u64::try_from(number).ok())
        .filter(|number| *number <= i32::MAX as u64);
    number.ok_or_else(|| invalid("expire_after_seconds", "a whole number from 0 to 2147483647"))
}

fn invalid(name: &'static str, wanted: &str) -> Error {
    Error::invalid("invalid_index", format!("`{name}` of an index must be {wanted}"))
        .with("member", name)
}
