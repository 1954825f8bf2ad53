//! Fields: which are shown, which may be written, and two rules joined.
//!
//! Guarantees: of a document that is replaced, whatever may not be written stays as it was; of a new one it is not there.
//! Joining two rules never shows more than either of them.
//! Leaves to others: fields that are hidden (the guard puts them back), patterns (the engine's `FieldRule`).

use std::collections::HashMap;
use std::sync::Arc;

use headwater_engine::restrict::FieldRule;
use headwater_engine::value::{Object, Raw, Value};
use headwater_engine::{Error, ErrorKind, Result};

use super::reader::Reader;

/// Most patterns in one list.
const PATTERNS_MAX: usize = 100;

/// The `fields` of a grant or of an entry of a role.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields {
    shown: Patterns,
    /// Further narrows what may be written.
    written: Option<Arc<FieldRule>>,
}

/// Lists of patterns, as they were given.
#[derive(Clone, Debug, Default, PartialEq)]
struct Patterns {
    include: Vec<String>,
    exclude: Vec<String>,
}

impl Fields {
    /// Reads `fields`.
    pub(super) fn parse(reader: Reader, member: &str, fields: Raw<'_>) -> Result<Self> {
        let malformed = || reader.refuse(member, "must be an object of `include` and `exclude`");
        let mut shown = Patterns::default();
        let mut written = None;
        for (name, value) in fields.as_object().ok_or_else(malformed)? {
            let inner = format!("{member}.{name}");
            match name {
                "write" => {
                    let mut patterns = Patterns::default();
                    for (name, value) in value.as_object().ok_or_else(malformed)? {
                        patterns.read(reader, &format!("{inner}.{name}"), name, value)?;
                    }
                    written = patterns.rule().map_err(|error| reader.within(&inner, &error))?;
                }
                _ => shown.read(reader, &inner, name, value)?,
            }
        }
        shown.rule().map_err(|error| reader.within(member, &error))?;
        Ok(Self { shown, written: written.map(Arc::new) })
    }

    /// Whether it was left out, or hides nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.shown.is_open() && self.shown.exclude.is_empty() && self.written.is_none()
    }

    /// What two rules show both.
    pub(super) fn shown(rules: &[&Self]) -> Result<Option<Arc<FieldRule>>> {
        let mut joined = Patterns::default();
        for rule in rules {
            joined = joined.join(&rule.shown);
        }
        Ok(joined.rule()?.map(Arc::new))
    }

    /// What may be written of what is shown; `None`: all of it.
    pub(super) fn written(&self) -> Option<&Arc<FieldRule>> {
        self.written.as_ref()
    }
}

impl Patterns {
    fn read(&mut self, reader: Reader, member: &str, name: &str, value: Raw<'_>) -> Result<()> {
        let list = match name {
            "include" => &mut self.include,
            "exclude" => &mut self.exclude,
            _ => return Err(reader.refuse(member, "is not known")),
        };
        let patterns = reader.texts(member, value, PATTERNS_MAX)?;
        *list = patterns.into_iter().map(str::to_owned).collect();
        Ok(())
    }

    fn rule(&self) -> Result<Option<FieldRule>> {
        if self.include.is_empty() && self.exclude.is_empty() {
            return Ok(None);
        }
        FieldRule::parse(&self.include, &self.exclude)
    }

    /// Whether everything is included.
    fn is_open(&self) -> bool {
        self.include.is_empty() || self.include.iter().any(|pattern| pattern == "*")
    }

    /// What both show. Of two lists of what is included, only patterns stay that are plainly within the other list: equal
    /// to one of its patterns, or beneath one without a star.
    fn join(&self, other: &Self) -> Self {
        let mut exclude = self.exclude.clone();
        exclude.extend(other.exclude.iter().filter(|p| !self.exclude.contains(p)).cloned());
        let include = match (self.is_open(), other.is_open()) {
            (true, _) => other.include.clone(),
            (false, true) => self.include.clone(),
            (false, false) => {
                let mut both: Vec<String> = Vec::new();
                for (one, list) in [(self, other), (other, self)] {
                    let inner = one.include.iter().filter(|p| is_within(p, &list.include));
                    let new: Vec<_> = inner.filter(|p| !both.contains(p)).cloned().collect();
                    both.extend(new);
                }
                if both.is_empty() {
                    // An empty list would include everything.
                    exclude = vec!["*".to_owned()];
                }
                both
            }
        };
        Self { include, exclude }
    }
}

fn is_within(pattern: &str, list: &[String]) -> bool {
    list.iter().any(|outer| {
        let beneath = || pattern.strip_prefix(outer.as_str()).is_some_and(|p| p.starts_with('.'));
        pattern == outer || !outer.contains('*') && beneath()
    })
}

/// Refuses a write that changes what a rule does not let write (403 `field_forbidden`): the parts of the document that
/// the rule hides have to be the same before and after, element by element where they are in arrays.
pub(super) fn check_written(
    rule: &FieldRule,
    before: Option<Raw<'_>>,
    after: Raw<'_>,
) -> Result<()> {
    let Some(path) = first_change(rule, &mut String::new(), before, Some(after)) else {
        return Ok(());
    };
    let message = format!("the field `{path}` may not be written");
    Err(Error::new(ErrorKind::Forbidden, "field_forbidden", message).with("path", path))
}

/// The first path at which the hidden parts of two values differ.
fn first_change(
    rule: &FieldRule,
    path: &mut String,
    before: Option<Raw<'_>>,
    after: Option<Raw<'_>>,
) -> Option<String> {
    if before.map(Raw::as_bytes) == after.map(Raw::as_bytes) {
        return None;
    }
    if !path.is_empty() {
        if path == "_id" || rule.shows_all_of(path) {
            return None;
        }
        if !rule.shows_some_of(path) {
            return Some(path.clone());
        }
    }
    let objects = |value: Option<Raw<'_>>| value.is_some_and(|value| value.as_object().is_some());
    let arrays = |value: Option<Raw<'_>>| value.is_some_and(|value| value.as_array().is_some());
    // Something of another kind has no members, and is hidden or not by itself.
    for (value, is_before) in [(before, true), (after, false)] {
        let is_leaf = value.is_some() && !objects(value) && !arrays(value);
        let is_end = value.is_some_and(|value| value.member_count() == 0) || is_leaf;
        let other = if is_before { after } else { before };
        if is_end && is_hidden(rule, path, value) && !is_same_end(value, other) {
            return Some(path.clone());
        }
    }
    // Maps, because an object may have very many members.
    let members =
        |value: Option<_>| value.into_iter().flat_map(Raw::object_iter).collect::<HashMap<_, _>>();
    let (olds, news) = (members(before), members(after));
    let added = after.into_iter().flat_map(Raw::object_iter);
    let added = added.filter(|(name, _)| !olds.contains_key(name));
    let names = before.into_iter().flat_map(Raw::object_iter).chain(added);
    let length = path.len();
    for (name, _) in names {
        if length > 0 {
            path.push('.');
        }
        path.push_str(name);
        let (old, new) = (olds.get(name).copied(), news.get(name).copied());
        let found = first_change(rule, path, old, new);
        path.truncate(length);
        if found.is_some() {
            return found;
        }
    }
    let count = |value: Option<Raw<'_>>| value.map_or(0, |value| value.array_iter().count());
    let mut old = before.into_iter().flat_map(Raw::array_iter);
    let mut new = after.into_iter().flat_map(Raw::array_iter);
    (0..count(before).max(count(after)))
        .find_map(|_| first_change(rule, path, old.next(), new.next()))
}

/// Whether a value without members is hidden at a path.
fn is_hidden(rule: &FieldRule, path: &str, value: Option<Raw<'_>>) -> bool {
    let Some(value) = value.filter(|_| !path.is_empty()) else { return false };
    let wrapped = path.rsplit('.').fold(value.to_value(), |inner, name| {
        Value::Object([(name.to_owned(), inner)].into_iter().collect::<Object>())
    });
    rule.first_hidden(Raw::trusted(&wrapped.to_bytes())).is_some()
}

/// Whether two values without members are the same.
fn is_same_end(one: Option<Raw<'_>>, other: Option<Raw<'_>>) -> bool {
    one.map(Raw::as_bytes) == other.map(Raw::as_bytes)
}
