//! What diffs and merges give.

use super::*;
use crate::limits::Limits;
use crate::value::json::parse_value;

fn bytes(json: &str) -> Vec<u8> {
    parse_value(json.as_bytes(), &Limits::default()).unwrap()
}

fn shown(bytes: &[u8]) -> String {
    format!("{:?}", Raw::trusted(bytes))
}

/// The changed and the removed paths with their old values, as text.
fn changes(old: &str, new: &str) -> (Vec<String>, Vec<String>) {
    let (old, new) = (bytes(old), bytes(new));
    let diff = diff(Raw::trusted(&old), Raw::trusted(&new));
    let changed = diff.changed.iter().map(|(path, old)| match old {
        Some(old) => format!("{path}={}", shown(old)),
        None => path.clone(),
    });
    let removed = diff.removed.iter().map(|(path, old)| format!("{path}={}", shown(old)));
    (changed.collect(), removed.collect())
}

fn merged(old: &str, patch: &str) -> Result<String> {
    let (old, patch) = (bytes(old), bytes(patch));
    merge(Raw::trusted(&old), Raw::trusted(&patch), IdRule::PlainJson).map(|out| {
        crate::value::check::validate(&out).unwrap();
        shown(&out)
    })
}

#[test]
fn a_diff_names_nested_paths_with_their_old_values() {
    let old = r#"{"_id":1,"a":{"b":1,"c":{"d":2,"e":3}},"l":[1,2],"x":null,"gone":{"y":1}}"#;
    let new = r#"{"_id":1,"a":{"b":1,"c":{"d":5},"n":{"m":1}},"l":[1,3],"x":1,"z":7}"#;
    let (changed, removed) = changes(old, new);
    assert_eq!(changed, ["a.c.d=2", "a.n", "l=[1,2]", "x=null", "z"]);
    assert_eq!(removed, ["a.c.e=3", r#"gone={"y":1}"#]);
}

#[test]
fn a_change_of_type_alone_is_a_change_and_a_change_of_order_is_none() {
    assert_eq!(changes(r#"{"a":1,"b":{}}"#, r#"{"a":1.0,"b":[]}"#).0, ["a=1", "b={}"]);
    assert_eq!(changes(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#), (vec![], vec![]));
    assert_eq!(changes(r#"{"a":{"b":1}}"#, r#"{"a":5}"#).0, [r#"a={"b":1}"#]);
}

#[test]
fn large_objects_in_another_order_are_matched_by_name() {
    let member = |n: usize| format!("\"m{n}\":{n}");
    let old = format!("{{{}}}", (0..5000).map(member).collect::<Vec<_>>().join(","));
    let new = format!("{{{}}}", (1..5001).rev().map(member).collect::<Vec<_>>().join(","));
    assert_eq!(changes(&old, &new), (vec!["m5000".to_owned()], vec!["m0=0".to_owned()]));
}

#[test]
fn a_patch_replaces_in_place_and_appends_in_its_order() {
    let old = r#"{"_id":"x","a":1,"b":{"c":1},"d":2}"#;
    assert_eq!(
        merged(old, r#"{"z":1,"b":{"e":1},"_id":"x","y":2}"#).unwrap(),
        r#"{"_id":"x","a":1,"b":{"e":1},"d":2,"z":1,"y":2}"#
    );
    assert_eq!(merged(old, "{}").unwrap(), old);
}

#[test]
fn a_patch_of_many_members_grows_the_header() {
    let patch =
        format!("{{{}}}", (0..40).map(|n| format!("\"m{n}\":{n}")).collect::<Vec<_>>().join(","));
    let expected = patch.replacen('{', "{\"_id\":1,", 1);
    assert_eq!(merged(r#"{"_id":1}"#, &patch).unwrap(), expected);
    assert_eq!(merged(&expected, &patch).unwrap(), expected);
}

#[test]
fn a_patch_must_not_change_the_id_or_hold_operators() {
    assert_eq!(merged(r#"{"_id":1}"#, r#"{"_id":2}"#).unwrap_err().code(), "immutable_id");
    assert_eq!(merged(r#"{"_id":1,"a":1}"#, r#"{"_id":1.0}"#).unwrap(), r#"{"_id":1,"a":1}"#);
    let error = merged(r#"{"_id":1}"#, r#"{"a":1,"$set":{}}"#).unwrap_err();
    assert_eq!((error.code(), error.message().contains("$set")), ("unsupported_operator", true));
}

#[test]
fn an_id_echoed_as_hex_digits_is_the_same_object_id() {
    let hex = "65f0a1b2c3d4e5f601234567";
    let mut old = Vec::new();
    encode::write_object_header(1, &mut old);
    encode::write_str("_id", &mut old);
    encode::write_object_id(&crate::value::object_id::parse(hex).unwrap(), &mut old);
    let patch = bytes(&format!("{{\"_id\":\"{hex}\"}}"));
    let merge = |rule| merge(Raw::trusted(&old), Raw::trusted(&patch), rule);
    assert_eq!(merge(IdRule::PlainJson).unwrap(), old);
    assert_eq!(merge(IdRule::Typed).unwrap_err().code(), "immutable_id");
}

#[test]
fn a_diff_gives_the_state_before_back_byte_for_byte() {
    let states = [
        r#"{"_id":1,"a":{"b":1,"c":{"d":2,"e":3}},"l":[1,2],"x":null,"gone":{"y":1}}"#,
        r#"{"_id":1,"a":{"b":1,"c":{"d":5},"n":{"m":1}},"l":[1,3],"x":1,"z":7}"#,
        r#"{"_id":1,"z":{"b":1},"a":{"c":{"e":3,"d":2},"b":1}}"#,
        r#"{"_id":1,"a":{"c":{"d":2,"e":3},"b":1},"a.b":4,"":{"q":1}}"#,
        r#"{"_id":1,"a":{"c":{"e":3},"b":1},"a.b":5,"":{"q":2}}"#,
        r#"{"_id":1}"#,
        r#"{"_id":1,"a":{}}"#,
        r#"{"_id":1,"a":5}"#,
    ];
    let states: Vec<_> = states.into_iter().map(bytes).collect();
    for old in &states {
        for new in &states {
            let diff = diff(Raw::trusted(old), Raw::trusted(new));
            let changed = diff
                .changed
                .iter()
                .map(|(path, old)| (path.as_str(), old.as_deref().unwrap_or_default()));
            let removed = diff.removed.iter().map(|(path, old)| (path.as_str(), old.as_slice()));
            let reverted = revert(Raw::trusted(new), changed, removed);
            let before = diff.before.clone().unwrap_or(reverted);
            assert_eq!(shown(&before), shown(old), "from {}", shown(new));
            assert_eq!(before, *old);
        }
    }
}
