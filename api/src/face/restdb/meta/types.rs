//! Types of fields by RestDB.io's names.
//!
//! Guarantees: a name that is written is read as the same type. What RestDB.io tells apart and this server does not (money
//! and numbers, options and texts) is read, and written as the type that it became.

use serde_json::Value;

/// Names that are written, with the server's own.
const WRITTEN: [(&str, &str); 13] = [
    ("text", "text"),
    ("number", "number"),
    ("date", "date"),
    ("datetime", "datetime"),
    ("bool", "boolean"),
    ("JSON", "json"),
    ("email", "email"),
    ("url", "url"),
    ("phone", "phone"),
    ("lookup many", "lookup"),
    ("child list", "child"),
    ("image", "image"),
    ("file", "file"),
];

/// Names that are read besides, in small letters and with blanks for dashes and underscores.
const READ: [(&str, &str); 17] = [
    ("multiline text", "text"),
    ("markdown", "text"),
    ("rich text", "text"),
    ("html", "text"),
    ("integer", "number"),
    ("float number", "number"),
    ("float", "number"),
    ("money", "number"),
    ("autonumber", "number"),
    ("time", "datetime"),
    ("boolean", "boolean"),
    ("object", "json"),
    ("collection", "lookup"),
    ("lookup", "lookup"),
    ("lookup one", "lookup"),
    ("child", "child"),
    ("children", "child"),
];

/// RestDB.io's name of a type of the server.
pub(in crate::face::restdb) fn type_name(kind: &str) -> &'static str {
    WRITTEN.iter().find(|(_, own)| *own == kind).map_or("", |(name, _)| *name)
}

/// The server's type of a name, in any case; `several`: whether the field says that it has more than one value.
pub(super) fn type_of(name: &str, several: bool) -> Option<&'static str> {
    let plain = name.trim().to_ascii_lowercase().replace(['-', '_'], " ");
    if plain == "option" {
        return Some(if several { "json" } else { "text" });
    }
    let written = WRITTEN.iter().find(|(known, _)| known.eq_ignore_ascii_case(&plain));
    let found = written.or_else(|| READ.iter().find(|(known, _)| *known == plain));
    found.map(|(_, own)| *own)
}

/// The names that can be read, for messages.
pub(super) fn names() -> String {
    let names = WRITTEN.iter().chain(&READ).map(|(name, _)| *name);
    names.chain(["option"]).collect::<Vec<_>>().join(", ")
}

/// A flag of a field.
pub(super) fn is_true(value: Option<&Value>) -> bool {
    value == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::fields::FieldType;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for (name, own) in WRITTEN {
            assert_eq!(type_of(name, false), Some(own));
            assert_eq!(type_name(own), name);
            assert!(FieldType::named(own).is_some(), "{own}");
        }
        assert!(READ.iter().all(|(_, own)| FieldType::named(own).is_some()));
    }

    #[test]
    fn names_are_read_in_any_case() {
        let rows = [
            ("Float_Number", Some("number")),
            ("rich-text", Some("text")),
            ("JSON", Some("json")),
            ("option", Some("text")),
            ("geo", None),
            ("", None),
        ];
        for (name, wanted) in rows {
            assert_eq!(type_of(name, false), wanted, "{name}");
        }
        assert_eq!(type_of("option", true), Some("json"));
    }
}
