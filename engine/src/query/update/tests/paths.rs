//! What is refused, by code, operator and path; and that a refusal leaves nothing behind.

use super::*;
use crate::error::Detail;

#[test]
fn refusals_name_operator_and_path() {
    let cases = [
        (r#"{"$bogus": {"a": 1}}"#, "unknown_operator"),
        (r#"{"$set": 5}"#, "invalid_operand"),
        (r#"{"$set": {"a": 1}, "b": 1}"#, "mixed_update"),
        (r#"{"b": 1, "$set": {"a": 1}}"#, "mixed_update"),
        (r#"5"#, "invalid_update"),
        (r#"{"$set": {"": 1}}"#, "invalid_path"),
        (r#"{"$set": {"a..b": 1}}"#, "invalid_path"),
        (r#"{"$set": {"a.": 1}}"#, "invalid_path"),
        (r#"{"$set": {"a.$b": 1}}"#, "invalid_path"),
        (r#"{"$set": {"$.a": 1}}"#, "invalid_path"),
        (r#"{"$set": {"a.$.b.$": 1}}"#, "invalid_path"),
        (r#"{"$set": {"a.$[x]": 1}}"#, "missing_array_filter"),
        (r#"{"$rename": {"a.$[]": "b"}}"#, "invalid_path"),
        (r#"{"$rename": {"a": "b.$"}}"#, "invalid_path"),
        (r#"{"$set": {"a.b": 1, "a": 1}}"#, "conflicting_paths"),
        (r#"{"$set": {"a": 1, "a.b": 1}}"#, "conflicting_paths"),
        (r#"{"$set": {"a.$[]": 1, "a.0": 1}}"#, "conflicting_paths"),
        (r#"{"$rename": {"a": "b", "c": "a"}}"#, "conflicting_paths"),
        (r#"{"$push": {"a": {"$each": 1}}}"#, "invalid_operand"),
        (r#"{"$push": {"a": {"$each": [], "$slise": 1}}}"#, "unknown_operator"),
        (r#"{"$push": {"a": {"$slice": 1}}}"#, "invalid_operand"),
        (r#"{"$push": {"a": {"$each": [], "$sort": 2}}}"#, "invalid_operand"),
        (r#"{"$addToSet": {"a": {"$each": [], "$slice": 1}}}"#, "invalid_operand"),
        (r#"{"$pop": {"a": 1.5}}"#, "invalid_operand"),
        (r#"{"$bit": {"a": {"and": 1.5}}}"#, "invalid_operand"),
        (r#"{"$bit": {"a": {}}}"#, "invalid_operand"),
        (r#"[{"$match": {}}]"#, "unknown_operator"),
        (r#"[{}]"#, "invalid_stage"),
    ];
    for (update, code) in cases {
        assert_eq!(parse(update).unwrap_err().code(), code, "{update}");
    }
    let error = parse(r#"{"$inc": {"a.b": "x"}}"#).unwrap_err();
    assert_eq!(error.detail("operator"), Some(&Detail::from("$inc")));
    assert_eq!(error.detail("path"), Some(&Detail::from("a.b")));
    assert!(error.message().contains("$inc") && error.message().contains("a.b"), "{error}");
}

#[test]
fn paths_that_lead_nowhere_are_refused_but_for_unset() {
    let document = r#"{"_id": 1, "t": "x", "a": [{"b": 1}], "n": null}"#;
    for update in [
        r#"{"$set": {"t.x": 1}}"#,
        r#"{"$set": {"n.x": 1}}"#,
        r#"{"$set": {"a.b": 1}}"#,
        r#"{"$pop": {"t.x": 1}}"#,
        r#"{"$rename": {"t.x": "y"}}"#,
        r#"{"$rename": {"a.0.b": "y"}}"#,
        r#"{"$rename": {"n": "a.0.c"}}"#,
        r#"{"$unset": {"t.x": 1}, "$inc": {"t.y": 1}}"#,
    ] {
        assert_eq!(refusal(document, update), "path_not_viable", "{update}");
    }
    for update in [r#"{"$set": {"nope.$[]": 1}}"#, r#"{"$set": {"_id.$[]": 1}}"#] {
        let code = refusal(document, update);
        assert!(matches!(code, "positional_without_array" | "path_not_viable"), "{update}: {code}");
    }
    assert_eq!(refusal(document, r#"{"$set": {"a.$": 1}}"#), "positional_without_array");
    assert_eq!(refusal(document, r#"{"$push": {"t": 1}}"#), "wrong_type");
    assert_eq!(refusal(document, r#"{"$inc": {"n": 1}}"#), "wrong_type");
    assert_eq!(refusal(document, r#"{"$bit": {"t": {"or": 1}}}"#), "wrong_type");
}

#[test]
fn a_failing_update_leaves_nothing() {
    let document = bytes(r#"{"_id": 1, "a": 1, "b": [1, 2], "z": "text"}"#);
    let before = document.clone();
    let update = parse(r#"{"$set": {"a": 2}, "$push": {"b": 3}, "$inc": {"z": 1}}"#).unwrap();
    assert!(update.apply(Raw::trusted(&document), None).is_err());
    assert_eq!(document, before);
    // The compiled update is as good as before.
    let other = bytes(r#"{"_id": 2, "b": [], "z": 1}"#);
    let new = update.apply(Raw::trusted(&other), None).unwrap();
    assert_eq!(text(&new), r#"{"_id":2,"b":[3],"z":2,"a":2}"#);
}

#[test]
fn all_elements_and_filtered_elements_together() {
    let update = parse_with(
        r#"{"$set": {"g.$[x].a": 1, "g.$[y].b": 2}, "$inc": {"g.$[].n": 1}}"#,
        Some(r#"[{"x.k": 1}, {"y.k": {"$gte": 1}}]"#),
        &Limits::default(),
    )
    .unwrap();
    let document = bytes(r#"{"_id": 1, "g": [{"k": 1}, {"k": 2}, {"k": 0}]}"#);
    let new = update.apply(Raw::trusted(&document), None).unwrap();
    let expected = r#"{"_id":1,"g":[{"k":1,"a":1,"b":2,"n":1},{"k":2,"b":2,"n":1},{"k":0,"n":1}]}"#;
    assert_eq!(text(&new), expected);
    let clash = parse_with(
        r#"{"$set": {"g.$[x]": 1, "g.$[y]": 2}}"#,
        Some(r#"[{"x": 5}, {"y": {"$gte": 5}}]"#),
        &Limits::default(),
    )
    .unwrap();
    let error = clash.apply(Raw::trusted(&bytes(r#"{"_id": 1, "g": [5]}"#)), None).unwrap_err();
    assert_eq!(error.code(), "conflicting_paths");
}
