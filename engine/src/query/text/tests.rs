//! Words, phrases, exclusions, scores.

use super::*;
use crate::limits::Limits;
use crate::value::Raw;
use crate::value::json::parse_value;
use crate::value::path::Path;

fn encoded(json: &str) -> Vec<u8> {
    parse_value(json.as_bytes(), &Limits::default()).unwrap()
}

fn query(operand: &str) -> TextQuery {
    let mut query = TextQuery::parse(Raw::trusted(&encoded(operand))).unwrap();
    query.bind(&[Path::new("t"), Path::new("n.t")]);
    query
}

fn search(search: &str, text: &str) -> bool {
    let query = query(&format!(r#"{{"$search": {search:?}}}"#));
    query.matches(Raw::trusted(&encoded(&format!(r#"{{"t": {text:?}}}"#)))).unwrap()
}

#[test]
fn words_are_folded() {
    let all: Vec<_> = words("Crème-BRÛLÉE, 2nd  Straße; e\u{301}té Ёлка ΆΣ").collect();
    assert_eq!(all, ["creme", "brulee", "2nd", "strasse", "ete", "елка", "ασ"]);
    assert_eq!(words(" -- \u{301} ").count(), 0);
}

#[test]
fn terms_are_alternatives() {
    assert!(search("tea coffee", "black coffee"));
    assert!(!search("tea", "teapot"));
    assert!(!search("", "tea"));
    assert!(!search("-tea", "coffee"));
}

#[test]
fn phrases_and_exclusions() {
    assert!(search("\"black coffee\"", "Strong BLACK coffee."));
    assert!(!search("\"black coffee\"", "coffee black"));
    assert!(!search("milk \"black coffee\"", "milk"));
    assert!(!search("coffee -black", "black coffee"));
    assert!(search("coffee -black", "white coffee"));
    assert!(search("pre-market", "the market"));
    assert!(!search("coffee -\"black tea\"", "coffee, black tea"));
    assert!(search("coffee -\"black tea\"", "black coffee, tea"));
}

#[test]
fn case_and_diacritics_count_when_asked_for() {
    let document = encoded(r#"{"t": "Café"}"#);
    let document = Raw::trusted(&document);
    let hit = |operand: &str| query(operand).matches(document).unwrap();
    assert!(hit(r#"{"$search": "cafe"}"#));
    assert!(!hit(r#"{"$search": "cafe", "$diacriticSensitive": true}"#));
    assert!(hit(r#"{"$search": "café", "$diacriticSensitive": true}"#));
    assert!(!hit(r#"{"$search": "cafe", "$caseSensitive": true}"#));
    assert!(hit(r#"{"$search": "Cafe", "$caseSensitive": true, "$language": "none"}"#));
    let exact =
        query(r#"{"$search": "Café", "$caseSensitive": true, "$diacriticSensitive": true}"#);
    assert_eq!(exact.terms().collect::<Vec<_>>(), ["cafe"]);
}

#[test]
fn every_field_and_arrays() {
    let document = encoded(r#"{"n": [{"t": ["one", "two"]}, {"x": {"y": "three"}}]}"#);
    let document = Raw::trusted(&document);
    let mut query = query(r#"{"$search": "two"}"#);
    assert!(query.matches(document).unwrap());
    query = TextQuery::parse(Raw::trusted(&encoded(r#"{"$search": "three"}"#))).unwrap();
    query.bind(&[Path::new("$**")]);
    assert!(query.matches(document).unwrap());
}

#[test]
fn scores_rise_with_frequency_and_fall_with_length() {
    let score = |text: &str| {
        let document = encoded(&format!(r#"{{"t": {text:?}}}"#));
        query(r#"{"$search": "tea"}"#).score(Raw::trusted(&document))
    };
    assert!(score("tea") > score("tea pot"));
    assert!(score("tea tea pot pot") > score("tea pot pot pot"));
    assert_eq!(score("coffee"), 0.0);
}

#[test]
fn malformed_operands() {
    for operand in ["1", "{}", r#"{"$search": 1}"#, r#"{"$search": "a", "x": 1}"#] {
        assert!(TextQuery::parse(Raw::trusted(&encoded(operand))).is_err(), "{operand}");
    }
}
