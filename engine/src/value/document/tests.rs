//! The rules of `_id`.

use super::*;
use crate::ErrorKind;
use crate::value::Value;
use crate::value::json::parse_value;

const HEX: &str = "65f0a1b2c3d4e5f601234567";

fn bytes(json: &str) -> Vec<u8> {
    parse_value(json.as_bytes(), &Limits::default()).unwrap()
}

fn prepared(json: &str, rule: IdRule) -> Result<Prepared> {
    let prepared = prepare(bytes(json), rule, &Limits::default(), || [0xab; 12])?;
    super::super::check::validate(&prepared.bytes).unwrap();
    let raw = Raw::trusted(&prepared.bytes);
    assert_eq!(
        raw.object_iter().next().map(|(name, id)| (name, id.as_bytes())),
        Some((ID, &prepared.id[..]))
    );
    assert_eq!(prepared.id_key, key::encode(Raw::trusted(&prepared.id)));
    Ok(prepared)
}

fn shown(prepared: &Prepared) -> String {
    format!("{:?}", Raw::trusted(&prepared.bytes))
}

#[test]
fn a_missing_id_is_generated_in_the_first_place() {
    for count in [0, 1, 15, 16, 40] {
        let members: Vec<String> = (0..count).map(|n| format!("\"m{n}\":{n}")).collect();
        let prepared = prepared(&format!("{{{}}}", members.join(",")), IdRule::PlainJson).unwrap();
        assert!(prepared.generated);
        assert_eq!(Raw::trusted(&prepared.id).as_object_id(), Some([0xab; 12]));
        let mut all = vec!["\"_id\":\"abababababababababababab\"".to_owned()];
        all.extend(members);
        assert_eq!(shown(&prepared), format!("{{{}}}", all.join(",")));
    }
}

#[test]
fn an_id_elsewhere_moves_to_the_first_place() {
    for json in [
        r#"{"_id":5,"a":1,"b":{"_id":2}}"#,
        r#"{"a":1,"_id":5,"b":{"_id":2}}"#,
        r#"{"a":1,"b":{"_id":2},"_id":5}"#,
    ] {
        let prepared = prepared(json, IdRule::PlainJson).unwrap();
        assert!(!prepared.generated);
        assert_eq!(shown(&prepared), r#"{"_id":5,"a":1,"b":{"_id":2}}"#);
    }
}

#[test]
fn hex_digits_are_an_object_id_in_plain_json_only() {
    let id = object_id::parse(HEX).unwrap();
    for json in [
        format!(r#"{{"_id":"{HEX}","a":1}}"#),
        format!(r#"{{"a":1,"_id":"{}"}}"#, HEX.to_uppercase()),
    ] {
        let plain = prepared(&json, IdRule::PlainJson).unwrap();
        assert_eq!(Raw::trusted(&plain.id).to_value(), Value::ObjectId(id));
        assert_eq!(shown(&plain), format!(r#"{{"_id":"{HEX}","a":1}}"#));
        let typed = prepared(&json, IdRule::Typed).unwrap();
        assert!(Raw::trusted(&typed.id).as_str().is_some());
    }
    let short = prepared(r#"{"_id":"65f0a1b2c3d4e5f60123456"}"#, IdRule::PlainJson).unwrap();
    assert!(Raw::trusted(&short.id).as_str().is_some());
    let signs = prepared(r#"{"_id":"+5f0a1b2c3d4e5f601234567"}"#, IdRule::PlainJson).unwrap();
    assert!(Raw::trusted(&signs.id).as_str().is_some());
}

#[test]
fn arrays_regular_expressions_and_long_ids_are_refused() {
    let error = prepared(r#"{"_id":[1]}"#, IdRule::PlainJson).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "invalid_id"));
    let mut document = vec![0x81];
    encode::write_str(ID, &mut document);
    encode::write_regex("a", "", &mut document);
    let refused = prepare(document, IdRule::Typed, &Limits::default(), || [0; 12]).unwrap_err();
    assert_eq!(refused.code(), "invalid_id");
    for json in ["null", "{\"x\":1}", "true", "1.5", "\"\""] {
        prepared(&format!("{{\"_id\":{json}}}"), IdRule::PlainJson).unwrap();
    }
    // A text's key takes three bytes more than the text.
    prepared(&format!("{{\"_id\":\"{}\"}}", "x".repeat(1021)), IdRule::PlainJson).unwrap();
    let error =
        prepared(&format!("{{\"_id\":\"{}\"}}", "x".repeat(1022)), IdRule::PlainJson).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert_eq!(error.detail("limit"), Some(&crate::Detail::from("limits.id_bytes")));
    assert_eq!(
        prepare(bytes("[]"), IdRule::Typed, &Limits::default(), || [0; 12]).unwrap_err().code(),
        "not_an_object"
    );
}

#[test]
fn a_path_segment_means_the_object_id_then_the_text_then_the_integer() {
    let candidates = |segment: &str| -> Vec<Value> {
        parse_path_id(segment).map(|bytes| Raw::trusted(&bytes).to_value()).collect()
    };
    let id = Value::ObjectId(object_id::parse(HEX).unwrap());
    assert_eq!(candidates(HEX), [id, Value::from(HEX)]);
    assert_eq!(candidates("abc"), [Value::from("abc")]);
    assert_eq!(candidates("5"), [Value::from("5"), Value::Int32(5)]);
    assert_eq!(
        candidates("-5000000000"),
        [Value::from("-5000000000"), Value::Int64(-5_000_000_000)]
    );
    for text in ["05", "+5", "-0", "5.0", "", " 5", "9223372036854775808"] {
        assert_eq!(candidates(text), [Value::from(text)], "{text}");
    }
    let digits = "000000000000000000000005";
    assert_eq!(candidates(digits).len(), 2);
    assert_eq!(candidates("9223372036854775807").len(), 2);
}
