//! Projections and reshaping stages where the cases of the query language do not look.

use super::*;
use crate::error::Detail;
use crate::query::Trust;
use crate::value::ejson::{self, Mode as Reading};
use crate::value::{check as encoding, json};

fn bytes(text: &str) -> Vec<u8> {
    ejson::parse_value(text.as_bytes(), &Limits::default(), Reading::Filter).unwrap()
}

fn text(encoded: &[u8]) -> String {
    encoding::validate(encoded).unwrap();
    let mut out = Vec::new();
    json::write(Raw::trusted(encoded), &mut out);
    String::from_utf8(out).unwrap()
}

fn context(limits: &Limits) -> Context<'_> {
    Context { limits, now_ms: 1_700_000_000_123, trust: Trust::Ordinary }
}

fn parse(projection: &str) -> Result<Projection> {
    Projection::parse(Raw::trusted(&bytes(projection)), &context(&Limits::default()))
}

fn project(document: &str, projection: &str) -> String {
    let mut out = Vec::new();
    parse(projection).unwrap().apply(Raw::trusted(&bytes(document)), None, &mut out).unwrap();
    text(&out)
}

fn reshape_with(limits: &Limits, document: &str, name: &str, operand: &str) -> Result<String> {
    let stage = Reshape::parse(name, Raw::trusted(&bytes(operand)), &context(limits), &[])?;
    let document = bytes(document);
    let root = Raw::trusted(&document);
    let mut out = Vec::new();
    stage.apply(&Scope { root, current: root, now_ms: 0, variables: &[] }, &mut out)?;
    Ok(text(&out))
}

fn reshape(document: &str, name: &str, operand: &str) -> Result<String> {
    reshape_with(&Limits::default(), document, name, operand)
}

#[test]
fn nothing_said_shows_everything() {
    let document = r#"{"_id":1,"b":{"c":[1,2]},"a":null}"#;
    assert_eq!(project(document, "{}"), document);
    assert_eq!(project(document, r#"{"_id": 0}"#), r#"{"b":{"c":[1,2]},"a":null}"#);
}

#[test]
fn inclusion_keeps_the_order_and_appends_to_what_is_there() {
    let document = bytes(r#"{"_id":1,"z":1,"b":{"c":2,"d":3},"a":4}"#);
    let mut out = vec![0xc0];
    parse(r#"{"a": 1, "b.c": 1, "z": 1}"#)
        .unwrap()
        .apply(Raw::trusted(&document), None, &mut out)
        .unwrap();
    assert_eq!(out[0], 0xc0);
    assert_eq!(text(&out[1..]), r#"{"_id":1,"z":1,"b":{"c":2},"a":4}"#);
}

#[test]
fn many_members_have_a_longer_header() {
    let members: Vec<_> = (0..40).map(|n| format!(r#""f{n}":{n}"#)).collect();
    let document = format!(r#"{{"_id":1,{}}}"#, members.join(","));
    assert_eq!(project(&document, r#"{"nope": 0}"#), document);
    let fields: Vec<_> = (0..40).map(|n| format!(r#""f{n}":1"#)).collect();
    assert_eq!(project(&document, &format!("{{{}}}", fields.join(","))), document);
}

#[test]
fn a_plain_inclusion_tells_its_paths() {
    assert_eq!(parse(r#"{"a": 1, "b": {"c": 1}}"#).unwrap().paths(), Some(vec!["a", "b.c", "_id"]));
    assert_eq!(parse(r#"{"a": 1, "_id": 0}"#).unwrap().paths(), Some(vec!["a"]));
    for other in [
        "{}",
        r#"{"a": 0}"#,
        r#"{"a": {"$slice": 1}}"#,
        r#"{"a": 1, "b": {"$slice": 1}}"#,
        r#"{"a.$": 1}"#,
    ] {
        assert_eq!(parse(other).unwrap().paths(), None, "{other}");
    }
}

#[test]
fn refusals_name_the_path() {
    let cases = [
        (r#"{"a": 1, "b": 0}"#, "invalid_projection"),
        (r#"{"a": {}}"#, "invalid_projection"),
        (r#"{"a..b": 1}"#, "invalid_projection"),
        (r#"{"": 1}"#, "invalid_projection"),
        (r#"{"a.$b": 1}"#, "invalid_projection"),
        (r#"{"$": 1}"#, "invalid_projection"),
        (r#"{"a.$.b": 1}"#, "invalid_projection"),
        (r#"{"a.$": 1, "b.$": 1}"#, "invalid_projection"),
        (r#"{"a": {"$slice": "x"}}"#, "invalid_projection"),
        (r#"{"a": {"$slice": [1, 2, 3]}}"#, "invalid_projection"),
        (r#"{"a": {"$elemMatch": 5}}"#, "invalid_projection"),
        (r#"{"a": {"b": 1}, "a.b": 1}"#, "conflicting_paths"),
        (r#"{"_id": 0, "_id.x": 1}"#, "conflicting_paths"),
    ];
    for (projection, code) in cases {
        assert_eq!(parse(projection).unwrap_err().code(), code, "{projection}");
    }
    let error = parse(r#"{"a.b": 1, "a": 1}"#).unwrap_err();
    assert_eq!(error.detail("path"), Some(&Detail::from("a")));
    let deep = format!(r#"{{"{}": 1}}"#, vec!["a"; 101].join("."));
    assert_eq!(parse(&deep).unwrap_err().detail("limit"), Some(&Detail::from("limits.nesting")));
}

#[test]
fn stages_add_merge_and_remove() {
    let document = r#"{"_id":1,"a":{"x":1},"l":[1,{"y":2},[3]],"s":"t"}"#;
    let added =
        reshape(document, "$addFields", r#"{"a.z": "$s", "n": {"$literal": 5}, "s": "$nope"}"#);
    assert_eq!(added.unwrap(), r#"{"_id":1,"a":{"x":1,"z":"t"},"l":[1,{"y":2},[3]],"n":5}"#);
    let mapped = reshape(document, "$set", r#"{"l": {"k": "$s"}}"#).unwrap();
    assert_eq!(
        mapped,
        r#"{"_id":1,"a":{"x":1},"l":[{"k":"t"},{"y":2,"k":"t"},[{"k":"t"}]],"s":"t"}"#
    );
    let unset = reshape(document, "$unset", r#"["a.x", "l", "_id"]"#).unwrap();
    assert_eq!(unset, r#"{"a":{},"s":"t"}"#);
    let shown = reshape(document, "$project", r#"{"s": 1, "a": {"x": 1, "w": "$s"}, "_id": 0}"#);
    assert_eq!(shown.unwrap(), r#"{"a":{"x":1,"w":"t"},"s":"t"}"#);
    let swapped = reshape(document, "$project", r#"{"_id": "$s"}"#).unwrap();
    assert_eq!(swapped, r#"{"_id":"t"}"#);
    assert_eq!(reshape(document, "$replaceWith", r#""$a""#).unwrap(), r#"{"x":1}"#);
}

#[test]
fn stages_refuse_what_they_cannot_do() {
    let document = r#"{"_id":1,"s":"t"}"#;
    for (name, operand, code) in [
        ("$project", "{}", "invalid_stage"),
        ("$addFields", "{}", "invalid_stage"),
        ("$addFields", "5", "invalid_stage"),
        ("$unset", "[]", "invalid_stage"),
        ("$unset", "[5]", "invalid_stage"),
        ("$replaceRoot", r#"{"new": 1}"#, "invalid_stage"),
        ("$replaceRoot", r#"{"newRoot": "$s"}"#, "not_an_object"),
        ("$replaceWith", r#""$nope""#, "not_an_object"),
        ("$match", "{}", "unknown_operator"),
        ("$project", r#"{"a": 0, "b": "$s"}"#, "invalid_projection"),
    ] {
        assert_eq!(reshape(document, name, operand).unwrap_err().code(), code, "{name} {operand}");
    }
}

#[test]
fn what_a_stage_makes_obeys_the_limits() {
    let limits = Limits { document_bytes: 100, nesting: 5, ..Limits::default() };
    let long = format!(r#"{{"_id":1,"l":[1,1,1,1],"s":"{}"}}"#, "x".repeat(60));
    for (document, operand, limit) in [
        (long.as_str(), r#"{"t": "$s"}"#, "limits.document_bytes"),
        (long.as_str(), r#"{"l.t": "$s"}"#, "limits.document_bytes"),
        (r#"{"_id":1,"a":{"b":{"c":{"d":1}}}}"#, r#"{"x.y": "$$ROOT"}"#, "limits.nesting"),
    ] {
        let error = reshape_with(&limits, document, "$set", operand).unwrap_err();
        assert_eq!(error.detail("limit"), Some(&Detail::from(limit)), "{operand}");
    }
}

#[test]
fn every_kind_of_field_over_every_kind_of_document() {
    const DOCUMENTS: [&str; 4] = [
        r#"{"_id":1}"#,
        r#"{"_id":1,"a":5,"b":null,"c":"x"}"#,
        r#"{"_id":1,"a":[1,[2,{"b":4}],{"b":3,"c":[]},null],"b":{"c":[{"d":1},{"d":[4]}]}}"#,
        r#"{"_id":{"a":1},"a":{"0":{"b":[]},"b":[[[]]]},"c":[]}"#,
    ];
    const PATHS: [&str; 9] = ["a", "a.b", "a.0", "b.c.d", "_id", "_id.a", "c", "a.$", "b.c.$"];
    const WHAT: [&str; 12] = [
        "0",
        "1",
        "true",
        r#"{"$slice": 1}"#,
        r#"{"$slice": [-2, 1]}"#,
        r#"{"$slice": {"$numberLong": "-9223372036854775808"}}"#,
        r#"{"$elemMatch": {"b": 3}}"#,
        r#"{"$elemMatch": {"$gte": 1}}"#,
        r#""$a""#,
        r#""$nope""#,
        r#"{"x": 1}"#,
        r#"{"x": {"y": "$b"}}"#,
    ];
    let limits = Limits::default();
    let filter = bytes(r#"{"a": {"$in": [1, 5, null]}}"#);
    let filter = Filter::parse(Raw::trusted(&filter), &context(&limits)).unwrap();
    let mut shown = 0;
    for path in PATHS {
        for what in WHAT {
            for rest in ["", r#", "z": 1"#, r#", "z": 0"#, r#", "a.c": "$_id""#, r#", "_id": 0"#] {
                if path == "_id" && rest.contains(r#""_id": 0"#) {
                    continue;
                }
                let Ok(projection) = parse(&format!(r#"{{"{path}": {what}{rest}}}"#)) else {
                    continue;
                };
                for document in DOCUMENTS {
                    let mut out = Vec::new();
                    let document = bytes(document);
                    let done = projection.apply(Raw::trusted(&document), Some(&filter), &mut out);
                    if done.is_ok() {
                        encoding::validate(&out).unwrap();
                        shown += 1;
                    }
                }
            }
        }
    }
    assert!(shown > 500, "{shown}");
}
