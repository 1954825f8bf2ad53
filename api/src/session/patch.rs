//! Patches of one document: plain members that are merged, then operators of an update.
//!
//! Guarantees: a patch whose two halves touch the same path is refused; what changes is decided by the writer, on the
//! newest state.

use std::collections::HashSet;
use std::sync::Arc;

use headwater_engine::limits::Limits;
use headwater_engine::query::{Trust, Update};
use headwater_engine::value::change::merge;
use headwater_engine::value::document::IdRule;
use headwater_engine::value::{Raw, encode};
use headwater_engine::write::Change;
use headwater_engine::{Engine, Error, Result};

use super::asked;

/// A patch as it came: its plain members and its operators, encoded objects.
#[derive(Clone, Debug)]
pub(crate) struct Patch {
    plain: Vec<u8>,
    operators: Option<Vec<u8>>,
    held: Vec<Held>,
}

/// A member of a document that has one of some values, encoded.
pub(crate) type Held = (&'static str, Vec<Vec<u8>>);

impl Patch {
    /// Whether an encoded patch has operators.
    pub(crate) fn has_operators(patch: Raw<'_>) -> bool {
        patch.object_iter().any(|(name, _)| name.starts_with('$'))
    }

    /// Takes the plain members from `data`, and the operators from `query`, the same patch read as the query language
    /// reads it.
    pub(crate) fn new(data: Raw<'_>, query: Option<Raw<'_>>) -> Result<Self> {
        if data.as_object().is_none() {
            return Err(Error::invalid("not_an_object", "a patch must be an object"));
        }
        let Some(query) = query else {
            return Ok(Self { plain: data.as_bytes().to_vec(), operators: None, held: Vec::new() });
        };
        let plain = part(data, |name| !name.starts_with('$'));
        let operators = part(query, |name| name.starts_with('$'));
        check_apart(Raw::trusted(&plain), Raw::trusted(&operators))?;
        Ok(Self { plain, operators: Some(operators), held: Vec::new() })
    }

    /// The same patch of a document that has these members and keeps them; any other one is not there.
    pub(crate) fn held_to(self, held: Vec<Held>) -> Self {
        Self { held, ..self }
    }

    /// The change that it makes; `rule` says how a text in its `_id` is read.
    pub(super) fn change(self, engine: &Engine, rule: IdRule) -> Result<Arc<dyn Change>> {
        let context = asked::context(engine, Trust::Ordinary);
        let update = self.operators.as_deref().map(Raw::trusted);
        let update =
            update.map(|operators| Update::parse(operators, None, &context)).transpose()?;
        let bytes_max = engine.limits().document_bytes;
        Ok(Arc::new(Patching { plain: self.plain, rule, update, bytes_max, held: self.held }))
    }
}

/// The members whose names are wanted.
fn part(object: Raw<'_>, wanted: impl Fn(&str) -> bool) -> Vec<u8> {
    let members = || object.object_iter().filter(|(name, _)| wanted(name));
    let mut out = Vec::with_capacity(object.as_bytes().len());
    encode::write_object_header(members().count(), &mut out);
    for (name, value) in members() {
        encode::write_str(name, &mut out);
        out.extend_from_slice(value.as_bytes());
    }
    out
}

/// Refuses operators on what the plain members replace.
fn check_apart(plain: Raw<'_>, operators: Raw<'_>) -> Result<()> {
    let replaced: HashSet<&str> = plain.object_iter().map(|(name, _)| name).collect();
    let check = |operator: &str, path: &str| {
        let first = path.split('.').next().unwrap_or_default();
        if !replaced.contains(first) {
            return Ok(());
        }
        let message = format!("`{first}` is set by the patch itself and changed by {operator}");
        Err(Error::invalid("conflicting_paths", message).with("path", path))
    };
    for (operator, operand) in operators.object_iter() {
        for (path, value) in operand.object_iter() {
            check(operator, path)?;
            if let Some(target) = value.as_str().filter(|_| operator == "$rename") {
                check(operator, target)?;
            }
        }
    }
    Ok(())
}

struct Patching {
    plain: Vec<u8>,
    rule: IdRule,
    update: Option<Update>,
    bytes_max: u64,
    held: Vec<Held>,
}

impl Change for Patching {
    fn apply(&self, current: Raw<'_>) -> Result<Option<Vec<u8>>> {
        if !has(current, &self.held) {
            return Err(Error::not_found("document_not_found", "there is no such document"));
        }
        let merged = merge(current, Raw::trusted(&self.plain), self.rule)?;
        let changed = match &self.update {
            Some(update) => update.apply(Raw::trusted(&merged), None)?,
            None => merged,
        };
        check_size(&changed, self.bytes_max)?;
        if let Some((name, _)) = self.held.iter().find(|(name, _)| {
            current.get(name).map(Raw::as_bytes)
                != Raw::trusted(&changed).get(name).map(Raw::as_bytes)
        }) {
            let message = format!("`{name}` says whose child the document is, and stays");
            return Err(Error::invalid("parent_stays", message).with("path", *name));
        }
        Ok(Some(changed))
    }
}

/// Whether a document has members with one of their values each.
pub(crate) fn has(document: Raw<'_>, held: &[Held]) -> bool {
    held.iter().all(|(name, values)| {
        let value = document.get(name);
        value.is_some_and(|value| values.iter().any(|one| one.as_slice() == value.as_bytes()))
    })
}

/// Refuses a document that is larger than `limits.document_bytes`.
pub(super) fn check_document(document: &[u8], limits: &Limits) -> Result<()> {
    check_size(document, limits.document_bytes)
}

fn check_size(document: &[u8], bytes_max: u64) -> Result<()> {
    if document.len() as u64 <= bytes_max {
        return Ok(());
    }
    let message = format!("the document takes {} bytes", document.len());
    Err(Error::limit("limits.document_bytes", bytes_max, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::value::json;

    fn patch(text: &str) -> Result<Patch> {
        let bytes = json::parse_value(text.as_bytes(), &Limits::default()).unwrap();
        let raw = Raw::trusted(&bytes);
        Patch::new(raw, Patch::has_operators(raw).then_some(raw))
    }

    #[test]
    fn plain_members_and_operators_are_told_apart() {
        let both = patch(r#"{"a":1,"$inc":{"b.c":1}}"#).unwrap();
        assert!(Raw::trusted(&both.plain).get("$inc").is_none());
        assert!(Raw::trusted(&both.operators.unwrap()).get("a").is_none());
        assert!(patch(r#"{"a":1}"#).unwrap().operators.is_none());
        assert!(patch("[]").is_err());
    }

    #[test]
    fn what_is_held_stays_and_what_is_not_there_is_not_changed() {
        let bytes = |text: &str| json::parse_value(text.as_bytes(), &Limits::default()).unwrap();
        let apply = |patch: Patch, current: &str| {
            let held = vec![("p", vec![bytes("\"x\""), bytes("\"y\"")])];
            let Patch { plain, held, .. } = patch.held_to(held);
            let (rule, bytes_max) = (IdRule::PlainJson, 1 << 10);
            let patching = Patching { plain, rule, update: None, bytes_max, held };
            patching.apply(Raw::trusted(&bytes(current))).map_err(|error| error.code())
        };
        assert!(apply(patch(r#"{"a":1}"#).unwrap(), r#"{"p":"y"}"#).unwrap().is_some());
        let moved = apply(patch(r#"{"a":1}"#).unwrap(), r#"{"p":"z"}"#);
        assert_eq!(moved.unwrap_err(), "document_not_found");
        let moving = apply(patch(r#"{"p":"y"}"#).unwrap(), r#"{"p":"x"}"#);
        assert_eq!(moving.unwrap_err(), "parent_stays");
    }

    #[test]
    fn the_same_path_in_both_is_refused() {
        for text in [
            r#"{"a":1,"$inc":{"a":1}}"#,
            r#"{"a":{},"$set":{"a.b":1}}"#,
            r#"{"a":1,"$rename":{"b":"a"}}"#,
        ] {
            assert_eq!(patch(text).unwrap_err().code(), "conflicting_paths", "{text}");
        }
        assert!(patch(r#"{"a":1,"$set":{"ab":1}}"#).is_ok());
    }
}
