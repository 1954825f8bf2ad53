//! Limits, upserts, and updates bound to the filter that found the document.

use std::sync::Arc;

use super::*;
use crate::error::Detail;
use crate::query::update::BoundUpdate;
use crate::write::Change;

fn limit_of(limits: &Limits, document: &str, update: &str) -> Option<Detail> {
    let document = bytes(document);
    let error = parse_with(update, None, limits)
        .and_then(|update| update.apply(Raw::trusted(&document), None))
        .unwrap_err();
    error.detail("limit").cloned()
}

#[test]
fn what_comes_out_obeys_the_limits() {
    let limits =
        Limits { document_bytes: 64, nesting: 4, member_name_bytes: 8, ..Limits::default() };
    let size = Some(Detail::from("limits.document_bytes"));
    let long = format!(r#"{{"$push": {{"a": "{}"}}}}"#, "x".repeat(70));
    assert_eq!(limit_of(&limits, r#"{"_id": 1, "a": []}"#, &long), size);
    let many = format!(r#"{{"$push": {{"a": {{"$each": [{}1]}}}}}}"#, "1,".repeat(80));
    assert_eq!(limit_of(&limits, r#"{"_id": 1}"#, &many), size);
    let every = r#"{"$push": {"a.$[]": "twenty and some letters"}}"#;
    assert_eq!(limit_of(&limits, r#"{"_id": 1, "a": [[], [], [], []]}"#, every), size);
    let nesting = Some(Detail::from("limits.nesting"));
    assert_eq!(limit_of(&limits, r#"{"_id": 1}"#, r#"{"$set": {"a.b.c.d.e": 1}}"#), nesting);
    assert_eq!(
        limit_of(&limits, r#"{"_id": 1}"#, r#"{"$set": {"a.b": {"c": {"d": []}}}}"#),
        nesting
    );
    assert_eq!(
        limit_of(&limits, r#"{"_id": 1, "a": {"b": {"c": {}}}}"#, r#"{"$rename": {"a": "x.a"}}"#),
        nesting
    );
    let name = Some(Detail::from("limits.member_name_bytes"));
    assert_eq!(limit_of(&limits, r#"{"_id": 1}"#, r#"{"$set": {"123456789": 1}}"#), name);
    assert_eq!(limit_of(&limits, r#"{"_id": 1}"#, r#"{"$set": {"a": {"123456789": 1}}}"#), name);
}

#[test]
fn what_is_added_is_bounded_before_it_is_written() {
    let limits = Limits { document_bytes: 100_000, ..Limits::default() };
    let document = format!(
        r#"{{"_id": 1, "a": [{}[]], "b": [{}{{}}]}}"#,
        "[],".repeat(20_000),
        "{},".repeat(20_000)
    );
    let size = Some(Detail::from("limits.document_bytes"));
    let each = format!(
        r#"{{"$push": {{"a.$[]": {{"$each": [{}1], "$slice": 0}}}}}}"#,
        "1,".repeat(50_000)
    );
    assert_eq!(limit_of(&limits, &document, &each), size);
    let deep = format!(r#"{{"$set": {{"b.$[].{}": 1}}}}"#, vec!["a"; 90].join("."));
    assert_eq!(limit_of(&limits, &document, &deep), size);
}

#[test]
fn nulls_before_a_new_element_are_bounded() {
    let document = r#"{"_id": 1, "a": [1], "b": []}"#;
    assert_eq!(refusal(document, r#"{"$set": {"a.1500002": 1}}"#), "index_too_large");
    assert_eq!(refusal(document, r#"{"$set": {"a.18446744073709551614": 1}}"#), "index_too_large");
    assert_eq!(
        refusal(document, r#"{"$set": {"a.1000000": 1, "b.1000000": 1}}"#),
        "index_too_large"
    );
    let new = parse(r#"{"$set": {"a.1500001": 1}}"#).unwrap();
    let new = new.apply(Raw::trusted(&bytes(document)), None).unwrap();
    assert_eq!(Raw::trusted(&new).get("a").unwrap().member_count(), 1_500_002);
    // A number too large to be an index is a name, which an array does not have.
    assert_eq!(refusal(document, r#"{"$set": {"a.99999999999999999999": 1}}"#), "path_not_viable");
}

fn upsert(filter_text: &str, update: &str) -> Result<String> {
    Ok(text(&parse(update)?.upsert(&filter(filter_text), [7; 12])?))
}

#[test]
fn upserts_take_equalities_and_make_an_id() {
    let made = upsert(r#"{"b": 1, "a.c": 2, "x": {"$gt": 3}}"#, r#"{"$inc": {"n": 1}}"#).unwrap();
    assert_eq!(made, r#"{"_id":"070707070707070707070707","a":{"c":2},"b":1,"n":1}"#);
    let given = upsert(r#"{"z": 1}"#, r#"{"$setOnInsert": {"_id": 5, "y": 1}}"#).unwrap();
    assert_eq!(given, r#"{"_id":5,"z":1,"y":1}"#);
    let replaced = upsert(r#"{"_id": 4, "z": 1, "z.y": 2}"#, r#"{"a": 1}"#).unwrap();
    assert_eq!(replaced, r#"{"_id":4,"a":1}"#);
    let staged = upsert(r#"{"_id": 4, "z": 1}"#, r#"[]"#).unwrap();
    assert_eq!(staged, r#"{"_id":4,"z":1}"#);
    for (filter, update, code) in [
        (r#"{"_id": 4}"#, r#"{"_id": 5}"#, "immutable_id"),
        (r#"{"_id": 4}"#, r#"{"$set": {"_id": 5}}"#, "immutable_id"),
        (r#"{"a": 1, "a.b": 2}"#, r#"{"$set": {"c": 5}}"#, "conflicting_paths"),
        (r#"{}"#, r#"{"$set": {"_id": [1]}}"#, "invalid_id"),
        (r#"{"a": 5}"#, r#"{"$set": {"a.$": 1}}"#, "positional_without_array"),
    ] {
        assert_eq!(upsert(filter, update).unwrap_err().code(), code, "{filter} {update}");
    }
}

#[test]
fn a_bound_update_looks_at_its_filter_again() {
    let update = Arc::new(parse(r#"{"$inc": {"n": 1}}"#).unwrap());
    let filter = Some(Arc::new(filter(r#"{"state": "open"}"#)));
    let bound = BoundUpdate { update: Arc::clone(&update), filter };
    let open = bytes(r#"{"_id": 1, "state": "open", "n": 1}"#);
    let shut = bytes(r#"{"_id": 1, "state": "shut", "n": 1}"#);
    let new = bound.apply(Raw::trusted(&open)).unwrap().unwrap();
    assert_eq!(text(&new), r#"{"_id":1,"state":"open","n":2}"#);
    assert_eq!(bound.apply(Raw::trusted(&shut)).unwrap(), None);
    let free = BoundUpdate { update, filter: None };
    assert_eq!(
        text(&free.apply(Raw::trusted(&shut)).unwrap().unwrap()),
        r#"{"_id":1,"state":"shut","n":2}"#
    );
}
