//! What the cases do not cover: limits, refusals, positions, and binding.

use super::*;
use crate::error::ErrorKind;
use crate::limits::Limits;
use crate::query::Trust;
use crate::value::ejson::{Mode, parse_value};

fn encoded(json: &str, mode: Mode) -> Vec<u8> {
    parse_value(json.as_bytes(), &Limits::default(), mode).unwrap()
}

fn parse_within(json: &str, limits: &Limits) -> Result<Filter> {
    let context = Context { limits, now_ms: 0, trust: Trust::Ordinary };
    Filter::parse(Raw::trusted(&encoded(json, Mode::Filter)), &context)
}

fn parse(json: &str) -> Result<Filter> {
    parse_within(json, &Limits::default())
}

fn matches(filter: &str, document: &str) -> bool {
    let document = encoded(document, Mode::Data);
    parse(filter).unwrap().matches(Raw::trusted(&document)).unwrap()
}

fn position(filter: &str, document: &str) -> Option<Option<usize>> {
    let document = encoded(document, Mode::Data);
    let found = parse(filter).unwrap().find_position(Raw::trusted(&document)).unwrap();
    found.map(|position| position.element)
}

fn code(filter: &str) -> &'static str {
    parse(filter).expect_err(filter).code()
}

#[test]
fn refusals_name_operator_and_path() {
    let error = parse(r#"{"a.b": {"$size": -1}}"#).unwrap_err();
    assert_eq!(error.detail("operator"), Some(&"$size".into()));
    assert_eq!(error.detail("path"), Some(&"a.b".into()));
    assert!(error.message().contains("`$size` at `a.b`"), "{error}");
    for filter in [
        r#"{"a": {"$foo": 1}}"#,
        r#"{"$foo": 1}"#,
        r#"{"$where": "true"}"#,
        r#"{"a": {"$where": "true"}}"#,
        r#"{"a": {"$and": []}}"#,
        r#"{"a": {"$elemMatch": {"$where": "x"}}}"#,
    ] {
        assert_eq!(code(filter), "unknown_operator", "{filter}");
    }
    for filter in [
        r#"{"a": {"$gt": 1, "b": 2}}"#,
        r#"{"a": {"$options": "i"}}"#,
        r#"{"a": {"$not": 5}}"#,
        r#"{"a": {"$maxDistance": 5}}"#,
        r#"{"a": {"$in": [{"$gt": 1}]}}"#,
        r#"{"a": {"$all": [1, {"$elemMatch": {}}]}}"#,
        r#"{"a": {"$bitsAllSet": -1}}"#,
        r#"{"a": {"$bitsAllSet": 1.5}}"#,
        r#"{"a": {"$mod": [4]}}"#,
        r#"{"a": {"$mod": [4, 1, 1]}}"#,
        r#"{"$or": [{"$text": {"$search": "x"}}]}"#,
        r#"{"a": {"$elemMatch": {"$jsonSchema": {}}}}"#,
    ] {
        assert_eq!(code(filter), "invalid_operand", "{filter}");
    }
    assert_eq!(code("[]"), "invalid_filter");
    assert_eq!(code(r#"{"a": {"$regex": "("}}"#), "invalid_regex");
}

#[test]
fn limits_are_named() {
    let limits =
        Limits { query_depth: 3, query_clauses: 4, query_in_values: 2, ..Limits::default() };
    let limit = |filter: &str| {
        let error = parse_within(filter, &limits).expect_err(filter);
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        error.detail("limit").cloned().unwrap()
    };
    for filter in [
        r#"{"$and": [{"$or": [{"$and": [{"$nor": [{"a": 1}]}]}]}]}"#,
        r#"{"a": {"$not": {"$not": {"$not": {"$not": {"$gt": 1}}}}}}"#,
        r#"{"a": {"$elemMatch": {"$elemMatch": {"$elemMatch": {"$elemMatch": {"$gt": 1}}}}}}"#,
    ] {
        assert_eq!(limit(filter), "limits.query_depth".into(), "{filter}");
    }
    for filter in [
        r#"{"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}"#,
        r#"{"a": {"$gt": 1, "$lt": 2}, "$or": [{"b": 1}, {"b": 2}, {"b": 3}]}"#,
        r#"{"$or": [{}, {}, {}, {}, {}]}"#,
    ] {
        assert_eq!(limit(filter), "limits.query_clauses".into(), "{filter}");
    }
    for name in ["$in", "$nin", "$all"] {
        let filter = format!(r#"{{"a": {{"{name}": [1, 2, 3]}}}}"#);
        assert_eq!(limit(&filter), "limits.query_in_values".into());
    }
    assert!(parse_within(r#"{"a": {"$in": [1, 2]}, "b": 1, "c": 1}"#, &limits).is_ok());
    let path = format!(r#"{{"{}": 1}}"#, vec!["a"; 101].join("."));
    assert_eq!(limit(&path), "limits.nesting".into());
}

#[test]
fn the_position_is_that_of_an_implicit_traversal() {
    assert_eq!(position(r#"{"a": 5}"#, r#"{"a": [4, 5]}"#), Some(Some(1)));
    assert_eq!(position(r#"{"a": 5}"#, r#"{"a": 5}"#), Some(None));
    assert_eq!(position(r#"{"a": 5}"#, r#"{"a": 4}"#), None);
    assert_eq!(position(r#"{"a.1": 5}"#, r#"{"a": [4, 5]}"#), Some(None));
    assert_eq!(position(r#"{"a.b": 2}"#, r#"{"a": [{"b": 1}, {"b": 2}]}"#), Some(Some(1)));
    assert_eq!(position(r#"{"a.0.b": 2}"#, r#"{"a": [{"b": [1, 2]}]}"#), Some(Some(1)));
    assert_eq!(position(r#"{"a.b": 2}"#, r#"{"a": [{"b": [1]}, {"b": [3, 2]}]}"#), Some(Some(1)));
    assert_eq!(position(r#"{"a": {"$in": [3, 9]}}"#, r#"{"a": [1, 2, 3]}"#), Some(Some(2)));
    assert_eq!(
        position(r#"{"a": {"$elemMatch": {"$gt": 1, "$lt": 4}}}"#, r#"{"a": [1, 3, 2]}"#),
        Some(Some(1))
    );
    assert_eq!(
        position(r#"{"a": {"$elemMatch": {"b": 2}}}"#, r#"{"a": [{"b": 1}, {"b": 2}]}"#),
        Some(Some(1))
    );
    // The last condition that traversed an array.
    let document = r#"{"a": [1, 2], "b": [1, 2], "c": 1}"#;
    assert_eq!(position(r#"{"a": 2, "b": 1, "c": 1}"#, document), Some(Some(0)));
    assert_eq!(position(r#"{"b": 1, "a": 2, "c": 1}"#, document), Some(Some(1)));
    // Alternatives and negations give none; one alternative is none.
    assert_eq!(position(r#"{"$or": [{"a": 2}, {"b": 2}]}"#, document), Some(None));
    assert_eq!(position(r#"{"$or": [{"a": 2}]}"#, document), Some(Some(1)));
    assert_eq!(position(r#"{"a": {"$ne": 7}}"#, document), Some(None));
}

#[test]
fn missing_values_equal_null_but_nothing_else() {
    assert!(matches(r#"{"a": {"$in": [1, null]}}"#, "{}"));
    assert!(matches(r#"{"a": {"$lte": null}}"#, "{}"));
    assert!(!matches(r#"{"a": {"$exists": 1}}"#, "{}"));
    assert!(matches(r#"{"a": {"$exists": null}}"#, "{}"));
    assert!(matches(r#"{"a.$id": 1}"#, r#"{"a": {"$id": 1}}"#));
    assert!(!matches(r#"{"a": {"$all": []}}"#, r#"{"a": []}"#));
    assert!(matches(r#"{"a": {"$nin": []}}"#, "{}"));
}

#[test]
fn numbers_of_all_types_are_found_among_values() {
    let filter = r#"{"a": {"$in": [3, "x", 1, 2.5, {"$numberLong": "1"}, null, /x/]}}"#;
    let filter =
        filter.replace("/x/", r#"{"$regularExpression": {"pattern": "^y", "options": ""}}"#);
    for document in ["1", "1.0", "2.5", r#""x""#, r#""yes""#, "null", "[7, 3]"] {
        assert!(matches(&filter, &format!(r#"{{"a": {document}}}"#)), "{document}");
    }
    for document in ["2", r#""z""#, "true", "[[3]]"] {
        assert!(!matches(&filter, &format!(r#"{{"a": {document}}}"#)), "{document}");
    }
}

#[test]
fn bits_and_remainders_of_decimals() {
    let decimal = |text: &str| format!(r#"{{"a": {{"$numberDecimal": "{text}"}}}}"#);
    assert!(matches(r#"{"a": {"$mod": [3, 1]}}"#, &decimal("10.9")));
    assert!(!matches(r#"{"a": {"$mod": [3, 1]}}"#, &decimal("NaN")));
    assert!(!matches(r#"{"a": {"$mod": [3, 1]}}"#, &decimal("1E+40")));
    assert!(matches(r#"{"a": {"$bitsAllSet": 4}}"#, &decimal("4")));
    assert!(!matches(r#"{"a": {"$bitsAllSet": 4}}"#, &decimal("4.5")));
    assert!(matches(
        r#"{"a": {"$mod": [-1, 0]}}"#,
        r#"{"a": {"$numberLong": "-9223372036854775808"}}"#
    ));
}

#[test]
fn one_near_at_the_top() {
    let near = r#"{"at": {"$near": [0, 0], "$maxDistance": 5}}"#;
    let filter = parse(near).unwrap();
    let distance = |document: &str| {
        let document = encoded(document, Mode::Data);
        filter.near().unwrap().distance(Raw::trusted(&document))
    };
    assert_eq!(distance(r#"{"at": [3, 4]}"#), Some(5.0));
    assert_eq!(distance(r#"{"at": [[9, 9], [3, 0]]}"#), Some(3.0));
    assert_eq!(distance(r#"{"at": [30, 4]}"#), None);
    assert!(matches(near, r#"{"at": {"x": 1, "y": 1}}"#));
    assert!(!matches(near, r#"{"at": [6, 0]}"#));
    assert!(parse(&format!(r#"{{"$and": [{near}]}}"#)).unwrap().near().is_some());
    for filter in [
        format!(r#"{{"$or": [{near}, {{}}]}}"#),
        format!(r#"{{"$nor": [{near}]}}"#),
        r#"{"at": {"$not": {"$near": [0, 0]}}}"#.to_owned(),
        format!(r#"{{"a": {{"$elemMatch": {near}}}}}"#),
        format!(r#"{{"$and": [{near}, {near}]}}"#),
    ] {
        assert_eq!(code(&filter), "invalid_operand", "{filter}");
    }
}

#[test]
fn text_needs_its_fields() {
    let mut filter = parse(r#"{"$text": {"$search": "cafe"}, "n": 1}"#).unwrap();
    let document = encoded(r#"{"title": "Le Café", "n": 1}"#, Mode::Data);
    let document = Raw::trusted(&document);
    assert_eq!(filter.matches(document).unwrap_err().code(), "text_index_needed");
    assert_eq!(filter.text().unwrap().terms().collect::<Vec<_>>(), ["cafe"]);
    filter.bind_text(&[Path::new("body")]);
    assert!(!filter.matches(document).unwrap());
    filter.bind_text(&[Path::new("body"), Path::new("title")]);
    assert!(filter.matches(document).unwrap());
    assert!(filter.text().unwrap().score(document) > 0.0);
}

#[test]
fn a_slow_pattern_is_an_error_of_the_whole() {
    let filter = parse(r#"{"a": {"$not": {"$regex": "^(a|a|aa)+(?!a)(a+)+\\2b$"}}}"#).unwrap();
    let document = encoded(&format!(r#"{{"a": "{}"}}"#, "a".repeat(60)), Mode::Data);
    let error = filter.matches(Raw::trusted(&document)).unwrap_err();
    assert_eq!(error.code(), "regex_too_slow");
}

#[test]
fn damaged_documents_match_nothing_and_do_no_harm() {
    let filter = parse(r#"{"a.b.0": {"$gt": 1}, "c": {"$elemMatch": {"d": 1}}}"#).unwrap();
    let document = encoded(r#"{"a": [{"b": [2, 3]}], "c": [{"d": 1}]}"#, Mode::Data);
    assert!(filter.matches(Raw::trusted(&document)).unwrap());
    for len in 0..document.len() {
        let _ = filter.matches(Raw::trusted(&document[..len])).unwrap();
        let mut damaged = document.clone();
        damaged[len] ^= 0x55;
        let _ = filter.matches(Raw::trusted(&damaged)).unwrap();
    }
}

#[test]
fn damaged_filters_do_no_harm() {
    let document = encoded(r#"{"a": [{"b": 1}, "x", 5], "at": [1, 2], "t": "word"}"#, Mode::Data);
    let limits = Limits::default();
    let context = Context { limits: &limits, now_ms: 0, trust: Trust::Ordinary };
    for filter in [
        r#"{"a.b": {"$in": [1, "x", null]}, "$or": [{"t": {"$regex": "^w[a-z]+d$", "$options": "i"}}]}"#,
        r#"{"a": {"$elemMatch": {"b": {"$mod": [2, 1]}}, "$size": 3, "$type": ["array", 16]}}"#,
        r#"{"at": {"$near": [0, 0], "$maxDistance": 5, "$minDistance": 0.5}}"#,
        r#"{"at": {"$geoWithin": {"$centerSphere": [[0, 0], 1]}, "$bitsAnySet": [1, 70]}}"#,
        r#"{"at": {"$geoIntersects": {"$geometry": {"type": "Polygon", "coordinates": [[[0,0],[9,0],[9,9],[0,0]]]}}}}"#,
        r#"{"$jsonSchema": {"properties": {"t": {"bsonType": "string", "minLength": 2, "pattern": "d$"}}, "required": ["t"]}}"#,
    ] {
        let filter = encoded(filter, Mode::Filter);
        for at in 0..filter.len() {
            for change in [0x01, 0x10, 0x80, 0xff, 0x24] {
                let mut damaged = filter.clone();
                damaged[at] ^= change;
                let Ok(raw) = Raw::validated(&damaged) else { continue };
                if let Ok(filter) = Filter::parse(raw, &context) {
                    let _ = filter.find_position(Raw::trusted(&document));
                }
            }
        }
    }
}
