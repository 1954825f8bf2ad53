//! Both dialects, violations with their paths, references that recurse.

use super::*;
use crate::error::Error;
use crate::limits::Limits;
use crate::query::Trust;
use crate::value::ejson::{Mode, parse_value};

fn encoded(json: &str) -> Vec<u8> {
    parse_value(json.as_bytes(), &Limits::default(), Mode::Data).unwrap()
}

fn parse(schema: &str, dialect: Dialect) -> Result<Schema, Error> {
    let limits = Limits::default();
    let context = Context { limits: &limits, now_ms: 0, trust: Trust::Ordinary };
    Schema::parse(Raw::trusted(&encoded(schema)), &context, dialect)
}

fn violations(schema: &str, value: &str) -> Vec<(String, &'static str)> {
    let schema = parse(schema, Dialect::Collection).unwrap();
    let value = encoded(value);
    let mut all = Vec::new();
    schema.violations(Raw::trusted(&value), &mut all);
    assert_eq!(all.is_empty(), schema.matches(Raw::trusted(&value)), "{all:?}");
    all.into_iter().map(|violation| (violation.path, violation.keyword)).collect()
}

fn fits(schema: &str, value: &str) -> bool {
    violations(schema, value).is_empty()
}

#[test]
fn a_query_knows_its_subset_alone() {
    for schema in [
        r#"{"type": "integer"}"#,
        r#"{"format": "email"}"#,
        r##"{"$ref": "#"}"##,
        r#"{"const": 1}"#,
        r#"{"default": 1}"#,
        r#"{"exclusiveMinimum": 3}"#,
        r#"{"exclusiveMinimum": true}"#,
        r#"{"required": []}"#,
        r#"{"foo": 1}"#,
        r#"{"type": "string", "bsonType": "string"}"#,
        r#"{"bsonType": "float"}"#,
        r#"{"properties": {"a": true}}"#,
        r#"{"minLength": -1}"#,
        r#"{"multipleOf": 0}"#,
        r#"{"enum": []}"#,
        r#"{"title": 1}"#,
    ] {
        assert!(parse(schema, Dialect::Query).is_err(), "{schema}");
    }
    let schema = r#"{"title": "t", "description": "d", "minimum": 1, "exclusiveMinimum": true,
        "items": [{"type": "string"}], "additionalItems": false, "dependencies": {"a": ["b"]}}"#;
    assert!(parse(schema, Dialect::Query).is_ok());
    let error = parse(r#"{"properties": {"a": {"foo": 1}}}"#, Dialect::Collection).unwrap_err();
    assert_eq!(error.code(), "unknown_keyword");
    assert!(error.message().contains("`foo` at `properties.a`"), "{error}");
}

#[test]
fn violations_have_paths() {
    let schema = r#"{
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Person",
        "type": "object", "required": ["name", "mail"], "additionalProperties": false,
        "properties": {
            "name": {"type": "string", "minLength": 2},
            "mail": {"type": "string", "format": "email"},
            "age": {"type": "integer", "minimum": 0, "exclusiveMaximum": 150},
            "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
            "home": {"type": "object", "properties": {"zip": {"type": "string", "pattern": "^[0-9]+$"}}}
        }}"#;
    let good = r#"{"name": "Ann", "mail": "a@example.org", "age": 3.0, "tags": ["x"], "home": {"zip": "1"}}"#;
    assert_eq!(violations(schema, good), []);
    let bad = r#"{"name": "A", "age": 1.5, "tags": [1, "x", "x"], "home": {"zip": "a"}, "foo": 1}"#;
    let mut found = violations(schema, bad);
    found.sort();
    let expected = [
        ("", "required"),
        ("age", "type"),
        ("foo", "additionalProperties"),
        ("home.zip", "pattern"),
        ("name", "minLength"),
        ("tags", "uniqueItems"),
        ("tags.0", "type"),
    ];
    assert_eq!(found, expected.map(|(path, keyword)| (path.to_owned(), keyword)));
    let schema = parse(r#"{"properties": {"a": {"type": "integer"}}}"#, Dialect::Collection);
    let mut all = Vec::new();
    schema.unwrap().violations(Raw::trusted(&encoded(r#"{"a": "x"}"#)), &mut all);
    assert_eq!(all[0].message, "`a` must be integer, but is string");
}

#[test]
fn later_keywords() {
    assert!(!fits(r#"{"const": {"a": 1}}"#, r#"{"a": 2}"#));
    assert!(fits(r#"{"contains": {"type": "string"}}"#, r#"[1, "x"]"#));
    assert!(!fits(r#"{"contains": {"type": "string"}}"#, "[1]"));
    assert!(!fits(r#"{"propertyNames": {"pattern": "^a"}}"#, r#"{"b": 1}"#));
    assert!(fits(r#"{"prefixItems": [{"type": "string"}], "items": false}"#, r#"["x"]"#));
    assert!(!fits(r#"{"prefixItems": [{"type": "string"}], "items": false}"#, r#"["x", 1]"#));
    assert!(!fits(r#"{"dependentRequired": {"a": ["b"]}}"#, r#"{"a": 1}"#));
    assert!(!fits(r#"{"dependentSchemas": {"a": {"required": ["b"]}}}"#, r#"{"a": 1}"#));
    let branch = r#"{"if": {"properties": {"k": {"const": 1}}}, "then": {"required": ["a"]}, "else": {"required": ["b"]}}"#;
    assert!(fits(branch, r#"{"k": 1, "a": 1}"#));
    assert!(!fits(branch, r#"{"k": 1, "b": 1}"#));
    assert!(fits(branch, r#"{"k": 2, "b": 1}"#));
    assert!(!fits(r#"{"properties": {"a": false}}"#, r#"{"a": 1}"#));
    assert!(!fits(r#"{"exclusiveMinimum": 3}"#, "3"));
    assert!(!fits(r#"{"minimum": 3, "exclusiveMinimum": true}"#, "3"));
    assert!(fits(r#"{"multipleOf": 0.1}"#, "0.3"));
    assert!(!fits(r#"{"multipleOf": 3}"#, "10"));
    assert!(!fits(r#"{"oneOf": [{"type": "number"}, {"type": "integer"}]}"#, "1"));
    assert!(fits(r#"{"type": "string"}"#, r#"{"$oid": "64a000000000000000000001"}"#));
}

#[test]
fn references_recurse() {
    let tree = r##"{"$ref": "#/$defs/node", "$defs": {"node": {"type": "object",
        "properties": {"next": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}}}}}"##;
    assert!(fits(tree, r#"{"n": 1, "next": {"n": 2, "next": {}}}"#));
    assert_eq!(
        violations(tree, r#"{"next": {"next": {"n": "x"}}}"#),
        [("next.next.n".to_owned(), "type")]
    );
    assert!(parse(r##"{"$ref": "#/$defs/x"}"##, Dialect::Collection).is_err());
    assert!(parse(r#"{"$ref": "https://example.org"}"#, Dialect::Collection).is_err());
}

#[test]
fn endless_references_end() {
    for schema in [
        r##"{"$ref": "#"}"##,
        r##"{"allOf": [{"$ref": "#"}, {"$ref": "#"}]}"##,
        r##"{"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}"##,
        r##"{"not": {"$ref": "#"}}"##,
    ] {
        let schema = parse(schema, Dialect::Collection).unwrap();
        assert!(!schema.matches(Raw::trusted(&encoded("{}"))));
        let mut all = Vec::new();
        schema.violations(Raw::trusted(&encoded("{}")), &mut all);
        assert!(!all.is_empty());
    }
}

#[test]
fn formats() {
    for (format, good, bad) in [
        ("email", "a.b+c@ex-ample.org", "a b@example.org"),
        ("email", "x@localhost", "@example.org"),
        ("date", "2024-02-29", "2023-02-29"),
        ("date-time", "2024-02-29T12:00:00.5+01:00", "2024-02-29T12:00:00"),
        ("date-time", "2024-02-29t23:59:60Z", "2024-02-29T24:00:00Z"),
        ("uri", "https://example.org/a?b=%20", "/relative"),
        ("uri", "urn:x:1", "http://a b"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000"),
        ("ipv4", "127.0.0.1", "127.0.0.256"),
        ("ipv6", "::1", "1:2"),
        ("unheard-of", "anything", ""),
    ] {
        let schema = format!(r#"{{"format": "{format}"}}"#);
        assert!(fits(&schema, &format!("{good:?}")), "{format} {good}");
        assert_eq!(fits(&schema, &format!("{bad:?}")), format == "unheard-of", "{format} {bad}");
    }
    assert!(fits(r#"{"format": "email"}"#, "5"));
}
