//! What comes out: bytes, order, ids.

use super::*;

#[test]
fn an_update_that_changes_nothing_gives_the_same_bytes() {
    let document =
        bytes(r#"{"_id": 1, "z": {"$numberLong": "5"}, "a": [1, {"b": 2.0}], "s": "x"}"#);
    let updates = [
        r#"{"$set": {}}"#,
        r#"{"$set": {"a.1.b": 2.0, "s": "x"}}"#,
        r#"{"$unset": {"nope": 1, "s.deep": 1, "a.name": 1, "a.9": 1}}"#,
        r#"{"$inc": {"z": 0}}"#,
        r#"{"$min": {"z": 9}, "$max": {"a.0": 0}}"#,
        r#"{"$rename": {"gone": "s"}}"#,
        r#"{"$setOnInsert": {"new": 1, "s.under.a.text": 1}}"#,
        r#"{"$pullAll": {"a": [7]}, "$pop": {"none": 1}}"#,
        r#"{"$push": {"a": {"$each": []}}}"#,
        r#"{"z": {"$numberLong": "5"}, "a": [1, {"b": 2.0}], "s": "x"}"#,
        r#"[]"#,
    ];
    for update in updates {
        let new = parse(update).unwrap().apply(Raw::trusted(&document), None).unwrap();
        assert_eq!(text(&new), text(&document), "{update}");
        assert_eq!(new, document, "{update}");
    }
}

#[test]
fn another_type_of_the_same_number_is_a_change_but_not_in_the_id() {
    let document = bytes(r#"{"_id": 1, "n": 1}"#);
    let new = parse(r#"{"$set": {"n": 1.0, "_id": 1.0}}"#).unwrap();
    let new = new.apply(Raw::trusted(&document), None).unwrap();
    assert_eq!(new, bytes(r#"{"_id": 1, "n": 1.0}"#));
}

#[test]
fn new_fields_come_in_the_order_of_their_names_and_numbers() {
    let new = apply(
        r#"{"_id": 1, "m": 0}"#,
        r#"{"$set": {"z": 1, "m": 2, "b.10": 1, "b.9": 2, "B": 3, "10": 0, "9": 0}}"#,
    );
    assert_eq!(new.unwrap(), r#"{"_id":1,"m":2,"9":0,"10":0,"B":3,"b":{"9":2,"10":1},"z":1}"#);
    let array = apply(r#"{"_id": 1, "a": []}"#, r#"{"$set": {"a.10": "x", "a.2": "y"}}"#).unwrap();
    assert_eq!(array, r#"{"_id":1,"a":[null,null,"y",null,null,null,null,null,null,null,"x"]}"#);
    let mixed =
        apply(r#"{"_id": 1}"#, r#"{"$inc": {"c": 1}, "$push": {"b": 2}, "$set": {"a": 3}}"#);
    assert_eq!(mixed.unwrap(), r#"{"_id":1,"a":3,"b":[2],"c":1}"#);
}

#[test]
fn a_renamed_field_goes_last_and_leaves_an_empty_parent() {
    let new = apply(r#"{"_id": 1, "b": 1, "a": {"x": 5}, "c": 2}"#, r#"{"$rename": {"a.x": "b"}}"#);
    assert_eq!(new.unwrap(), r#"{"_id":1,"a":{},"c":2,"b":5}"#);
    let many: Vec<_> = (0..40).map(|n| format!(r#""f{n}": {n}"#)).collect();
    let renames: Vec<_> = (0..40).map(|n| format!(r#""f{n}": "g{n:02}""#)).collect();
    let document = format!(r#"{{"_id": 1, {}}}"#, many.join(","));
    let new = apply(&document, &format!(r#"{{"$rename": {{{}}}}}"#, renames.join(","))).unwrap();
    assert!(new.starts_with(r#"{"_id":1,"g00":0,"g01":1,"#), "{new}");
    assert!(new.ends_with(r#""g39":39}"#), "{new}");
}

#[test]
fn wide_objects_are_changed_by_table() {
    let members: Vec<_> = (0..100).map(|n| format!(r#""f{n}": {n}"#)).collect();
    let document = format!(r#"{{"_id": 1, {}}}"#, members.join(","));
    let unsets: Vec<_> = (0..99).map(|n| format!(r#""f{n}": 1"#)).collect();
    let update =
        format!(r#"{{"$unset": {{{}}}, "$set": {{"f99": "last", "new": 1}}}}"#, unsets.join(","));
    assert_eq!(apply(&document, &update).unwrap(), r#"{"_id":1,"f99":"last","new":1}"#);
}

#[test]
fn the_current_date_is_the_request_s() {
    let update =
        r#"{"$currentDate": {"d": true, "e": {"$type": "date"}, "t": {"$type": "timestamp"}}}"#;
    let new = parse(update).unwrap().apply(Raw::trusted(&bytes(r#"{"_id": 1}"#)), None).unwrap();
    let new = Raw::trusted(&new);
    assert_eq!(new.get("d").unwrap().as_date(), Some(NOW_MS));
    assert_eq!(new.get("e").unwrap().as_date(), Some(NOW_MS));
    assert_eq!(new.get("t").unwrap().as_timestamp(), Some((1_700_000_000, 1)));
    for operand in ["1", r#""date""#, r#"{"$type": "time"}"#, r#"{}"#] {
        let update = format!(r#"{{"$currentDate": {{"d": {operand}}}}}"#);
        assert_eq!(parse(&update).unwrap_err().code(), "invalid_operand", "{operand}");
    }
}

#[test]
fn the_id_stays_first_and_as_it_is() {
    assert_eq!(refusal(r#"{"_id": 1}"#, r#"{"$set": {"_id": 2}}"#), "immutable_id");
    assert_eq!(refusal(r#"{"_id": 1}"#, r#"{"$unset": {"_id": 1}}"#), "immutable_id");
    assert_eq!(refusal(r#"{"_id": 1, "a": 1}"#, r#"{"$rename": {"_id": "b"}}"#), "immutable_id");
    assert_eq!(refusal(r#"{"_id": 1, "a": 2}"#, r#"{"$rename": {"a": "_id"}}"#), "immutable_id");
    assert_eq!(refusal(r#"{"_id": {"k": 1}}"#, r#"{"$inc": {"_id.k": 1}}"#), "immutable_id");
    assert_eq!(refusal(r#"{"_id": 1}"#, r#"{"a": 1, "_id": 2}"#), "immutable_id");
    let renamed = apply(r#"{"_id": 1, "a": 1}"#, r#"{"$rename": {"a": "_id"}}"#).unwrap();
    assert_eq!(renamed, r#"{"_id":1}"#);
    let replaced = apply(r#"{"_id": 1, "a": 1}"#, r#"{"b": 1, "_id": 1.0}"#).unwrap();
    assert_eq!(replaced, r#"{"_id":1,"b":1}"#);
}

#[test]
fn decimals_and_longs_keep_their_types_in_sums() {
    let document = bytes(r#"{"_id": 1, "n": {"$numberDecimal": "0.1"}}"#);
    let update = parse(r#"{"$inc": {"n": 1}, "$mul": {"m": {"$numberDecimal": "5"}}}"#).unwrap();
    let new = update.apply(Raw::trusted(&document), None).unwrap();
    let expected = r#"{"_id":1,"n":{"$numberDecimal":"1.1"},"m":{"$numberDecimal":"0"}}"#;
    assert_eq!(new, bytes(expected));
    let long = r#"{"_id": 1, "n": {"$numberLong": "9223372036854775807"}}"#;
    assert_eq!(refusal(long, r#"{"$inc": {"n": 1}}"#), "overflow");
}
