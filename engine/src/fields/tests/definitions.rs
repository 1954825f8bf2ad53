//! What a definition may say, and by which names it is refused.

use super::super::unique::index_name;
use super::super::{FieldType, Fields};
use super::{encoded, fields, shown};
use crate::index::{Definition, check_name};
use crate::limits::Limits;
use crate::value::Raw;

#[test]
fn a_definition_is_read_as_it_is_written() {
    let read = fields(
        r#"{"first-name":{"type":"text","required":true,"pattern":"^[A-Z]","default":"X"},
            "age":{"type":"number","unique":true},
            "mother":{"type":"lookup","collection":"people","required":false,"pattern":null}}"#,
    );
    let names: Vec<_> = read.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["first-name", "age", "mother"]);
    let name = read.get("first-name").unwrap();
    assert!(name.required && !name.unique && name.kind == FieldType::Text);
    assert_eq!(name.pattern(), Some("^[A-Z]"));
    assert_eq!(read.get("mother").unwrap().collection.as_deref(), Some("people"));
    assert!(read.get("age").unwrap().unique && read.get("nobody").is_none());
    for nothing in [r#"{}"#, r#"{"fields":{}}"#, r#"{"fields":null}"#] {
        assert!(Fields::of(Raw::trusted(&encoded(nothing))).unwrap().is_none());
    }
}

#[test]
fn what_is_wrong_is_named() {
    let rows = [
        (r#"{"a":{"type":"txt"}}"#, "a", "type"),
        (r#"{"a":{}}"#, "a", "type"),
        (r#"{"a":{"type":7}}"#, "a", "type"),
        (r#"{"a":{"type":"text","wings":2}}"#, "a", "wings"),
        (r#"{"a":{"type":"text","required":1}}"#, "a", "required"),
        (r#"{"a":{"type":"text","unique":"yes"}}"#, "a", "unique"),
        (r#"{"a":{"type":"text","pattern":"("}}"#, "a", "pattern"),
        (r#"{"a":{"type":"text","pattern":5}}"#, "a", "pattern"),
        (r#"{"a":{"type":"number","pattern":"5"}}"#, "a", "pattern"),
        (r#"{"a":{"type":"number","default":"five"}}"#, "a", "default"),
        (r#"{"a":{"type":"number","default":""}}"#, "a", "default"),
        (r#"{"a":{"type":"text","pattern":"^x","default":"y"}}"#, "a", "default"),
        (r#"{"a":{"type":"email","default":"y"}}"#, "a", "default"),
        (r#"{"a":{"type":"lookup","collection":"b","default":[null]}}"#, "a", "default"),
        (r#"{"a":{"type":"lookup"}}"#, "a", "collection"),
        (r#"{"a":{"type":"child"}}"#, "a", "collection"),
        (r#"{"a":{"type":"child","collection":"b","required":true}}"#, "a", "required"),
        (r#"{"a":{"type":"child","collection":"b","default":[]}}"#, "a", "default"),
        (r#"{"a":{"type":"text","collection":"b"}}"#, "a", "collection"),
        (r#"{"a":{"type":"lookup","collection":"b/c"}}"#, "a", "collection"),
        (r#"{"a":{"type":"lookup","collection":".."}}"#, "a", "collection"),
        (r#"{"a":{"type":"lookup","collection":"b","unique":true}}"#, "a", "unique"),
        (r#"{"a":{"type":"json","unique":true}}"#, "a", "unique"),
        (r#"{"ok":{"type":"text"},"a":5}"#, "a", ""),
        (r#"{"_a":{"type":"text"}}"#, "_a", ""),
        (r#"{"$a":{"type":"text"}}"#, "$a", ""),
        (r#"{"a$":{"type":"text"}}"#, "a$", ""),
        (r#"{"a.b":{"type":"text"}}"#, "a.b", ""),
        (r#"{"":{"type":"text"}}"#, "", ""),
        (r#"[]"#, "", "fields"),
        (r#""text""#, "", "fields"),
    ];
    for (text, field, member) in rows {
        let definition = encoded(&format!(r#"{{"fields":{text}}}"#));
        let error = Fields::of(Raw::trusted(&definition)).unwrap_err();
        let detail = |name| match error.detail(name) {
            Some(crate::Detail::Text(text)) => text.as_str(),
            _ => "",
        };
        assert_eq!((detail("field"), detail("member")), (field, member), "{text}: {error}");
        assert!(matches!(error.code(), "invalid_fields" | "unknown_member"), "{text}");
    }
    let many: Vec<_> = (0..501).map(|n| format!(r#""f{n}":{{"type":"text"}}"#)).collect();
    let definition = encoded(&format!(r#"{{"fields":{{{}}}}}"#, many.join(",")));
    assert_eq!(Fields::of(Raw::trusted(&definition)).unwrap_err().code(), "limit_exceeded");
}

#[test]
fn each_unique_field_has_an_index_of_its_own_that_can_be_defined() {
    let read = fields(
        r#"{"a":{"type":"text","unique":true},"b":{"type":"text"},"a b":{"type":"number","unique":true}}"#,
    );
    let indexes = read.unique_indexes();
    let names: Vec<_> = indexes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["field_a", "field_a.20b"]);
    for (name, definition) in &indexes {
        check_name(name).unwrap();
        let shown = shown(definition);
        assert!(shown.contains(r#""unique":true"#), "{shown}");
        let mut members = Raw::trusted(definition).to_value();
        members.as_object_mut().unwrap().remove(crate::index::FIELD).unwrap();
        let members = members.to_bytes();
        Definition::read(Raw::trusted(&members), &Limits::default()).unwrap();
    }
    // No two names of fields, which have no dots, give one name of an index.
    assert_ne!(index_name("é"), index_name("e"));
    assert_eq!(index_name("first-name_2"), "field_first-name_2");
    let long = format!(r#"{{"fields":{{"{}":{{"type":"text","unique":true}}}}}}"#, "é".repeat(20));
    let error = Fields::of(Raw::trusted(&encoded(&long))).unwrap_err();
    assert_eq!(error.detail("member"), Some(&"unique".into()));
}
