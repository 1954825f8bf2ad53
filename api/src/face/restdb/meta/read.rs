//! Reading a document of definitions, in the shape in which `GET /rest/_meta` gives it.
//!
//! Guarantees: a refusal names the collection, the field and the member that it is about; no member is passed over that would
//! mean something.
//! Leaves to others: whether a definition makes sense (the engine).

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::types::{is_true, names, type_of};
use crate::error::{ApiError, ApiResult, shortened};
use crate::session::is_user_collection;

/// Members of a field that are the same here and in definitions of the server: its name for them, and RestDB.io's.
pub(super) const CARRIED: [(&str, &str); 3] =
    [("default", "default"), ("pattern", "regex"), ("collection", "collection")];

/// Members that say nothing of what is stored.
const SAID_ONLY: [&str; 8] =
    ["description", "icon", "rest", "displayname", "title", "placeholder", "label", "_id"];
/// How a field says that it has several values.
const SEVERAL: &str = "multiple";

/// The fields of one collection, as the server defines them.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) collection: String,
    pub(super) fields: Map<String, Value>,
}

/// The definitions in a document: `{"collections":[..]}`, or one collection.
pub(super) fn definitions(document: &Value) -> ApiResult<Vec<Definition>> {
    let collections = match document.get("collections") {
        Some(Value::Array(collections)) => {
            only(document, &["name", "collections"], "the document")?;
            collections.as_slice()
        }
        None if document.get("fields").is_some() => std::slice::from_ref(document),
        _ => return Err(wrong("the document needs an array `collections`")),
    };
    let mut known = HashSet::new();
    let definitions = collections.iter().enumerate().map(|(place, collection)| {
        let definition = definition(place, collection)?;
        if !known.insert(definition.collection.clone()) {
            return Err(wrong(format!("collection `{}` is there twice", definition.collection)));
        }
        Ok(definition)
    });
    definitions.collect()
}

fn definition(place: usize, collection: &Value) -> ApiResult<Definition> {
    let name = collection.get("name").and_then(Value::as_str);
    let name = name.ok_or_else(|| wrong(format!("collections[{place}] needs a text `name`")))?;
    let shown = shortened(name);
    if !is_user_collection(name) {
        return Err(wrong(format!(
            "collection `{shown}`: the name must be 1 to 120 of A-Z a-z 0-9 _ . -, and not begin with _"
        )));
    }
    let about = format!("collection `{shown}`");
    only(collection, &["name", "fields"], &about)?;
    let Some(Value::Array(given)) = collection.get("fields") else {
        return Err(wrong(format!("{about} needs an array `fields`")));
    };
    let mut fields = Map::new();
    for (place, given) in given.iter().enumerate() {
        let (name, field) = field(&about, place, given)?;
        if fields.contains_key(&name) {
            return Err(wrong(format!("{about}: field `{}` is there twice", shortened(&name))));
        }
        fields.insert(name, field);
    }
    Ok(Definition { collection: name.to_owned(), fields })
}

fn field(about: &str, place: usize, given: &Value) -> ApiResult<(String, Value)> {
    let name = given.get("fieldname").or_else(|| given.get("name")).and_then(Value::as_str);
    let name = name.ok_or_else(|| wrong(format!("{about}: fields[{place}] needs `fieldname`")))?;
    let about = format!("{about}: field `{}`", shortened(name));
    let kind = given.get("type").and_then(Value::as_str);
    let kind = kind.ok_or_else(|| wrong(format!("{about} needs a text `type`")))?;
    let known = type_of(kind, is_true(given.get(SEVERAL))).ok_or_else(|| {
        let kind = shortened(kind);
        wrong(format!("{about}: there is no type `{kind}`; there are {}", names()))
    })?;
    let mut field = Map::new();
    field.insert("type".to_owned(), Value::from(known));
    for flag in ["required", "unique"] {
        match given.get(flag) {
            None | Some(Value::Null | Value::Bool(false)) => {}
            Some(Value::Bool(true)) => drop(field.insert(flag.to_owned(), Value::Bool(true))),
            Some(_) => return Err(wrong(format!("{about}: `{flag}` must be true or false"))),
        }
    }
    for (own, name) in CARRIED {
        if let Some(value) = given.get(name).filter(|value| !is_nothing(name, value)) {
            field.insert(own.to_owned(), value.clone());
        }
    }
    let carried = CARRIED.map(|(_, name)| name);
    let known = [&["fieldname", "name", "type", "required", "unique", SEVERAL], &carried[..]];
    only(given, &known.concat(), &about)?;
    Ok((name.to_owned(), Value::Object(field)))
}

/// Whether a member is there but says nothing; an empty text is a default like any other.
fn is_nothing(name: &str, value: &Value) -> bool {
    value.is_null() || name != "default" && value == ""
}

/// Refuses members that are not known.
fn only(given: &Value, known: &[&str], about: &str) -> ApiResult<()> {
    let Some(members) = given.as_object() else {
        return Err(wrong(format!("{about} must be an object")));
    };
    let unknown = |name: &&String| !known.contains(&name.as_str()) && !is_said_only(name);
    match members.keys().find(unknown) {
        None => Ok(()),
        Some(name) => Err(wrong(format!(
            "{about} has no member `{}`; there are {}",
            shortened(name),
            known.join(", ")
        ))),
    }
}

fn is_said_only(name: &str) -> bool {
    SAID_ONLY.contains(&name)
}

fn wrong(message: impl Into<String>) -> ApiError {
    ApiError::bad_request("invalid_definition", message.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_collection_becomes_a_definition() {
        let given = json!({"name": "people", "icon": "user", "fields": [
            {"fieldname": "email", "type": "email", "required": true, "unique": true,
             "description": "where to write", "regex": "@", "collection": ""},
            {"fieldname": "pay", "type": "money", "default": 1, "required": false},
            {"name": "firm", "type": "collection", "collection": "firms"},
        ]});
        let read = definitions(&given).unwrap().remove(0);
        assert_eq!(read.collection, "people");
        let wanted = json!({
            "email": {"type": "email", "required": true, "unique": true, "pattern": "@"},
            "pay": {"type": "number", "default": 1},
            "firm": {"type": "lookup", "collection": "firms"},
        });
        assert_eq!(Value::Object(read.fields), wanted);
    }

    #[test]
    fn a_refusal_names_what_is_wrong() {
        let of = |fields: Value| json!({"collections": [{"name": "people", "fields": fields}]});
        let rows = [
            (json!({}), vec!["collections"]),
            (json!({"collections": [{"fields": []}]}), vec!["collections[0]", "name"]),
            (json!({"collections": [{"name": "_users", "fields": []}]}), vec!["_users"]),
            (json!({"collections": [], "colections": []}), vec!["colections"]),
            (of(json!({})), vec!["people", "fields"]),
            (of(json!([{"type": "text"}])), vec!["people", "fields[0]", "fieldname"]),
            (of(json!([{"fieldname": "a", "type": "geo"}])), vec!["people", "`a`", "`geo`"]),
            (
                of(json!([{"fieldname": "a", "type": "text", "requred": true}])),
                vec!["people", "`a`", "requred"],
            ),
            (
                of(json!([{"fieldname": "a", "type": "text", "required": "yes"}])),
                vec!["people", "`a`", "required"],
            ),
            (
                of(json!([{"fieldname": "a", "type": "text"}, {"fieldname": "a", "type": "text"}])),
                vec!["people", "`a`", "twice"],
            ),
        ];
        for (given, named) in rows {
            let error = definitions(&given).unwrap_err();
            for name in named {
                assert!(error.message().contains(name), "{given}: {}", error.message());
            }
        }
    }
}
