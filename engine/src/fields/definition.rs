//! Reading `fields` of a collection's definition.
//!
//! Guarantees: what is accepted compiles again later, also under lower limits. Every refusal names the field and the member.
//! Leaves to others: what the types mean (`convert`, `check`).

use std::collections::HashMap;

use super::convert::{Change, convert};
use super::{FIELDS, FIELDS_MAX, Field, FieldType, Fields, unique};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::query::regex::Pattern;
use crate::value::Raw;

impl Fields {
    /// The typed fields in a collection's definition, if it has any.
    pub fn of(definition: Raw<'_>) -> Result<Option<Self>> {
        let Some(given) = definition.get(FIELDS).filter(|fields| !fields.is_null()) else {
            return Ok(None);
        };
        let Some(members) = given.as_object() else {
            let message = "`fields` must be an object of fields by their names";
            return Err(Error::invalid("invalid_fields", message).with("member", FIELDS));
        };
        if given.member_count() > FIELDS_MAX {
            let message = format!("a collection has {FIELDS_MAX} typed fields at most");
            return Err(Error::limit("fields_per_collection", FIELDS_MAX as u64, message));
        }
        let list = members
            .map(|(name, field)| {
                Field::read(name, field).map_err(|error| error.with("field", name))
            })
            .collect::<Result<Vec<_>>>()?;
        let places = list.iter().enumerate();
        let by_name: HashMap<_, _> =
            places.map(|(place, field)| (field.name.clone(), place)).collect();
        Ok((!list.is_empty()).then_some(Self { list, by_name }))
    }
}

impl Field {
    fn read(name: &str, definition: Raw<'_>) -> Result<Self> {
        check_name(name)?;
        let Some(members) = definition.as_object() else {
            let message =
                format!("the field `{name}` must be an object such as {{\"type\":\"text\"}}");
            return Err(Error::invalid("invalid_fields", message));
        };
        let kind = read_kind(name, definition)?;
        let mut field = Self {
            name: name.to_owned(),
            kind,
            required: false,
            unique: false,
            default: None,
            pattern: None,
            collection: None,
        };
        let mut default = None;
        for (member, value) in members {
            match member {
                "type" => {}
                "required" => field.required = flag(name, "required", value)?,
                "unique" => field.unique = flag(name, "unique", value)?,
                "default" if value.is_null() => {}
                "default" => default = Some(value),
                "pattern" if value.is_null() => {}
                "pattern" => field.pattern = Some(read_pattern(name, value)?),
                "collection" if value.is_null() => {}
                "collection" => field.collection = Some(read_collection(name, value)?),
                _ => {
                    let message = format!(
                        "the field `{name}` has no member `{}`; there are type, required, unique, default, pattern and \
                         collection",
                        short(member)
                    );
                    return Err(Error::invalid("unknown_member", message).with("member", member));
                }
            }
        }
        field.check_members(default.is_some())?;
        if let Some(default) = default {
            field.default = Some(field.read_default(default)?);
        }
        Ok(field)
    }

    /// Refuses members that a field of this type cannot have, or lacks.
    fn check_members(&self, has_default: bool) -> Result<()> {
        let (name, kind) = (&self.name, self.kind);
        if kind.refers() && self.collection.is_none() {
            return Err(wrong(
                name,
                "collection",
                "must name a collection: lookup and child need one",
            ));
        }
        let given = [
            ("collection", self.collection.is_some(), kind.refers()),
            ("pattern", self.pattern.is_some(), kind.is_text()),
            ("unique", self.unique, kind.may_be_unique()),
            ("required", self.required, kind != FieldType::Child),
            ("default", has_default, kind != FieldType::Child),
        ];
        for (member, is_given, fits) in given {
            if is_given && !fits {
                let what = format!("does not go with the type {}", kind.name());
                return Err(wrong(name, member, &what));
            }
        }
        if self.unique && unique::index_name(name).len() > unique::NAME_MAX {
            return Err(wrong(name, "unique", "needs a shorter name of the field"));
        }
        Ok(())
    }

    /// A default as it is stored: converted, and found good.
    fn read_default(&self, given: Raw<'_>) -> Result<Vec<u8>> {
        let converted = match convert(self.kind, given) {
            Some(Change::Value(bytes)) => bytes,
            _ => given.as_bytes().to_vec(),
        };
        let value = Raw::trusted(&converted);
        let flaw = if value.is_null() { None } else { self.flaw(value) };
        match flaw {
            Some((_, reason)) => Err(wrong(&self.name, "default", &reason)),
            None if value.is_null() => {
                Err(wrong(&self.name, "default", &format!("must be {}", self.kind.wanted())))
            }
            None => Ok(converted),
        }
    }
}

fn read_kind(name: &str, definition: Raw<'_>) -> Result<FieldType> {
    let given = definition.get("type");
    let kind = given.and_then(|kind| kind.as_str()).and_then(FieldType::named);
    kind.ok_or_else(|| {
        let what = format!("must be one of {}", FieldType::names());
        wrong(name, "type", &what)
    })
}

fn check_name(name: &str) -> Result<()> {
    let flaw = if name.is_empty() {
        "must not be empty"
    } else if name.starts_with('_') {
        "must not begin with `_`, which is the system's"
    } else if name.contains(['$', '.', '\0']) {
        "must have no `$`, no dot and no NUL"
    } else if name.len() > Limits::default().member_name_bytes as usize {
        "is too long"
    } else {
        return Ok(());
    };
    let message = format!("the name of the field `{}` {flaw}", short(name));
    Err(Error::invalid("invalid_fields", message))
}

fn read_pattern(name: &str, value: Raw<'_>) -> Result<Pattern> {
    let Some(pattern) = value.as_str() else {
        return Err(wrong(name, "pattern", "must be a regular expression as a text"));
    };
    Pattern::new(pattern, "", &Limits::for_stored_queries())
        .map_err(|error| wrong(name, "pattern", &format!("does not compile: {error}")))
}

fn read_collection(name: &str, value: Raw<'_>) -> Result<String> {
    let known = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let fits = |text: &&str| {
        !text.is_empty()
            && text.len() <= 120
            && !matches!(*text, "." | "..")
            && text.chars().all(known)
    };
    let text = value.as_str().filter(fits);
    text.map(str::to_owned)
        .ok_or_else(|| wrong(name, "collection", "must be the name of a collection"))
}

fn flag(name: &str, member: &'static str, value: Raw<'_>) -> Result<bool> {
    value.as_bool().ok_or_else(|| wrong(name, member, "must be true or false"))
}

fn wrong(name: &str, member: &'static str, what: &str) -> Error {
    let message = format!("`{member}` of the field `{}` {what}", short(name));
    Error::invalid("invalid_fields", message).with("member", member)
}

fn short(name: &str) -> String {
    name.chars().take(120).collect()
}
