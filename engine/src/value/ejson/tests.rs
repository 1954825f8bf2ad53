//! The forms that are read, refused and written.

use proptest::prelude::*;

use super::*;
use crate::limits::Limits;
use crate::value::{Raw, Value};
use crate::{Detail, ErrorKind};

fn read(json: &str, mode: Mode) -> Value {
    let bytes = parse_value(json.as_bytes(), &Limits::default(), mode)
        .unwrap_or_else(|error| panic!("{json}: {error}"));
    Raw::trusted(&bytes).to_value()
}

fn shown(value: &Value) -> String {
    let mut out = Vec::new();
    write(Raw::trusted(&value.to_bytes()), &mut out);
    String::from_utf8(out).unwrap()
}

fn regex(pattern: &str, options: &str) -> Value {
    Value::Regex { pattern: pattern.to_owned(), options: options.to_owned() }
}

#[test]
fn canonical_forms_round_trip() {
    let cases = [
        (r#"{"$oid":"abababababababababababab"}"#, Value::ObjectId([0xab; 12])),
        (r#"{"$date":{"$numberLong":"-5"}}"#, Value::Date(-5)),
        (r#"{"$numberInt":"-7"}"#, Value::Int32(-7)),
        (r#"{"$numberLong":"7"}"#, Value::Int64(7)),
        (r#"{"$numberDouble":"7.0"}"#, Value::Double(7.0)),
        (r#"{"$numberDouble":"-0.0"}"#, Value::Double(-0.0)),
        (r#"{"$numberDouble":"NaN"}"#, Value::Double(f64::NAN)),
        (r#"{"$numberDouble":"-Infinity"}"#, Value::Double(f64::NEG_INFINITY)),
        (r#"{"$numberDecimal":"1.50"}"#, Value::Decimal("1.50".parse().unwrap())),
        (
            r#"{"$binary":{"base64":"AQI=","subType":"80"}}"#,
            Value::Binary { subtype: 0x80, bytes: vec![1, 2] },
        ),
        (r#"{"$regularExpression":{"pattern":"a\"","options":"im"}}"#, regex("a\"", "im")),
        (r#"{"$timestamp":{"t":4294967295,"i":1}}"#, Value::Timestamp { t: u32::MAX, i: 1 }),
        (r#"{"$minKey":1}"#, Value::MinKey),
        (r#"{"$maxKey":1}"#, Value::MaxKey),
        ("null", Value::Null),
        ("true", Value::Bool(true)),
        (r#"[{"$minKey":1},"x"]"#, Value::Array(vec![Value::MinKey, Value::from("x")])),
    ];
    for (json, value) in cases {
        for mode in [Mode::Data, Mode::Filter] {
            assert_eq!(read(json, mode), value, "{json}");
        }
        assert_eq!(shown(&value), json);
    }
}

#[test]
fn relaxed_forms_are_read() {
    let cases = [
        ("5", Value::Int32(5)),
        ("5000000000", Value::Int64(5_000_000_000)),
        ("5.0", Value::Double(5.0)),
        (r#"{"$date":"2024-03-10T11:00:00+01:00"}"#, Value::Date(1_710_064_800_000)),
        (r#"{"$numberDouble":"1E+20"}"#, Value::Double(1e20)),
        (
            r#"{"$uuid":"00112233-4455-6677-8899-AAbbccddeeff"}"#,
            Value::Binary {
                subtype: 4,
                bytes: vec![
                    0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc,
                    0xdd, 0xee, 0xff,
                ],
            },
        ),
        (r#"{"$binary":{"subType":"0","base64":""}}"#, Value::Binary { subtype: 0, bytes: vec![] }),
        (r#"{"$regularExpression":{"options":"xi","pattern":"a"}}"#, regex("a", "ix")),
    ];
    for (json, value) in cases {
        assert_eq!(read(json, Mode::Data), value, "{json}");
    }
}

#[test]
fn operators_stay_objects() {
    let operators =
        r#"{"a":{"$regex":"x","$options":"i"},"b":{"$type":2},"c":{"$gt":1},"$code":"f"}"#;
    let plain = |json: &str| {
        let bytes = crate::value::json::parse_value(json.as_bytes(), &Limits::default()).unwrap();
        Raw::trusted(&bytes).to_value()
    };
    assert_eq!(read(operators, Mode::Filter), plain(operators));
    let data = read(operators, Mode::Data);
    let data = data.as_object().unwrap();
    assert_eq!(data.get("a"), Some(&regex("x", "i")));
    assert_eq!(data.get("b"), Some(&plain(r#"{"$type":2}"#)));
    for json in [
        r#"{"$regex":"x"}"#,
        r#"{"$regex":1,"$options":"i"}"#,
        r#"{"$regex":"x","$options":"i","z":1}"#,
    ] {
        assert_eq!(read(json, Mode::Data), plain(json));
    }
}

#[test]
fn malformed_wrappers_are_refused_by_name() {
    let cases = [
        (r#"{"$oid":"abc"}"#, "$oid"),
        (r#"{"$oid":5}"#, "$oid"),
        (r#"{"$oid":"zbababababababababababab"}"#, "$oid"),
        (r#"{"$date":5}"#, "$date"),
        (r#"{"$date":"2024-03-10"}"#, "$date"),
        (r#"{"$date":{"$numberLong":"x"}}"#, "$date"),
        (r#"{"$date":{"$numberLong":"5","x":1}}"#, "$date"),
        (r#"{"$numberInt":5}"#, "$numberInt"),
        (r#"{"$numberInt":"2147483648"}"#, "$numberInt"),
        (r#"{"$numberLong":"5","x":1}"#, "$numberLong"),
        (r#"{"x":1,"$numberLong":"5"}"#, "$numberLong"),
        (r#"{"$numberLong":"5.0"}"#, "$numberLong"),
        (r#"{"$numberDouble":"inf"}"#, "$numberDouble"),
        (r#"{"$numberDouble":"nan"}"#, "$numberDouble"),
        (r#"{"$numberDouble":1.5}"#, "$numberDouble"),
        (r#"{"$numberDecimal":"x"}"#, "$numberDecimal"),
        (r#"{"$binary":"AQI="}"#, "$binary"),
        (r#"{"$binary":{"base64":"A","subType":"0"}}"#, "$binary"),
        (r#"{"$binary":{"base64":"AQI=","subType":"100"}}"#, "$binary"),
        (r#"{"$binary":{"base64":"AQI=","subType":"+1"}}"#, "$binary"),
        (r#"{"$binary":{"base64":"AQI=","subType":"0","x":1}}"#, "$binary"),
        (r#"{"$uuid":"00112233445566778899aabbccddeeff"}"#, "$uuid"),
        (r#"{"$uuid":"0011223é-4455-6677-8899-aabbccddeef"}"#, "$uuid"),
        (r#"{"$uuid":"+0112233-4455-6677-8899-aabbccddeeff"}"#, "$uuid"),
        (r#"{"$regularExpression":"x"}"#, "$regularExpression"),
        (r#"{"$regularExpression":{"pattern":"\u0000","options":""}}"#, "$regularExpression"),
        (r#"{"$timestamp":{"t":-1,"i":1}}"#, "$timestamp"),
        (r#"{"$timestamp":{"t":1,"i":4294967296}}"#, "$timestamp"),
        (r#"{"$minKey":2}"#, "$minKey"),
        (r#"{"$maxKey":"1"}"#, "$maxKey"),
    ];
    for (json, name) in cases {
        for mode in [Mode::Data, Mode::Filter] {
            let nested = format!("[{{\"a\":{json}}}]");
            let error = parse_value(nested.as_bytes(), &Limits::default(), mode).expect_err(json);
            assert_eq!(
                (error.kind(), error.code()),
                (ErrorKind::Invalid, "malformed_ejson"),
                "{json}"
            );
            assert_eq!(error.detail("member"), Some(&Detail::from(name)), "{json}");
            assert!(error.message().starts_with(name));
        }
    }
}

#[test]
fn limits_hold_for_the_value_not_for_its_text() {
    let limits = Limits { nesting: 2, document_bytes: 12, ..Limits::default() };
    let parse = |json: &str| parse_document(json.as_bytes(), &limits, Mode::Data);
    assert_eq!(
        parse(r#"{"a":[{"$date":{"$numberLong":"5"}}]}"#).unwrap_err().detail("limit"),
        Some(&Detail::from("limits.document_bytes"))
    );
    parse(r#"{"a":[{"$numberInt":"5"}]}"#).unwrap();
    let error = parse(r#"{"a":[[]]}"#).unwrap_err();
    assert_eq!(error.detail("limit"), Some(&Detail::from("limits.nesting")));
    let deep = Limits { nesting: 2, ..Limits::default() };
    parse_document(br#"{"a":[{"$date":{"$numberLong":"5"}}]}"#, &deep, Mode::Data).unwrap();
    assert_eq!(parse(r#"{"a":1,"a":2}"#).unwrap_err().code(), "duplicate_member");
    assert_eq!(parse(r#"{"$minKey":1}"#).unwrap_err().code(), "not_an_object");
    assert_eq!(parse("{").unwrap_err().code(), "malformed_json");
}

#[test]
fn documents_are_read_alone_or_in_an_array() {
    use crate::value::json::Parsed;
    let parse = |json: &str| parse_documents(json.as_bytes(), &Limits::default(), Mode::Data);
    assert!(matches!(parse(r#"{"a":{"$minKey":1}}"#).unwrap(), Parsed::One(_)));
    let Parsed::Many(documents) = parse(r#"[{},{"a":{"$numberLong":"5"}}]"#).unwrap() else {
        panic!("not an array")
    };
    assert_eq!(Raw::trusted(&documents[1]).get("a").map(Raw::to_value), Some(Value::Int64(5)));
    let error = parse(r#"[{},{"a":{"$oid":1}}]"#).unwrap_err();
    assert_eq!(
        (error.code(), error.detail("index")),
        ("malformed_ejson", Some(&Detail::Number(1)))
    );
    assert_eq!(
        parse(r#"[{"$oid":"abababababababababababab"}]"#).unwrap_err().code(),
        "not_an_object"
    );
}

proptest! {
    #[test]
    fn every_value_survives_canonical_extended_json(value in crate::value::tests::model::value()) {
        // A NUL in a regular expression, and payloads of NaN, have no Extended JSON.
        prop_assume!(!shown(&value).contains("\\u0000"));
        let json = shown(&value);
        let bytes = parse_value(json.as_bytes(), &Limits::default(), Mode::Data).unwrap();
        prop_assert_eq!(shown(&Raw::trusted(&bytes).to_value()), json);
        let both = (Raw::trusted(&bytes), value.to_bytes());
        prop_assert!(crate::value::compare::equal(both.0, Raw::trusted(&both.1)));
        prop_assert_eq!(both.0.to_value().kind(), value.kind());
    }
}
