//! Types, limits and places of errors, and the round trip.

use proptest::prelude::*;

use super::*;
use crate::limits::Limits;
use crate::value::{Raw, Value, check};
use crate::{Detail, ErrorKind, Result};

fn parse(json: &str) -> Result<Vec<u8>> {
    parse_value(json.as_bytes(), &Limits::default())
}

fn shown(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    write(Raw::trusted(bytes), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn json_comes_back_as_it_went_in() {
    let same = [
        "null",
        "true",
        "false",
        "0",
        "-1",
        "2147483648",
        "-9223372036854775808",
        "5.0",
        "0.1",
        "-0.0",
        "1e300",
        "\"\"",
        "[]",
        "{}",
        r#"{"":1,"a":{"b":[1,2.5,"x",null,true,{"c":[]}]}}"#,
        r#""q\"b\\n\nr\rt\tb\bf\fu\u0001\u001fé漢😀/""#,
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]",
    ];
    for json in same {
        let bytes = parse(json).unwrap();
        check::validate(&bytes).unwrap();
        assert_eq!(shown(&bytes), json);
    }
}

#[test]
fn literals_choose_the_type_by_their_form() {
    let cases = [
        ("2147483647", Value::Int32(i32::MAX)),
        ("-2147483648", Value::Int32(i32::MIN)),
        ("2147483648", Value::Int64(1 << 31)),
        ("9223372036854775807", Value::Int64(i64::MAX)),
        ("9223372036854775808", Value::Double(9_223_372_036_854_775_808.0)),
        (
            "123456789012345678901234567890",
            Value::Double(123_456_789_012_345_678_901_234_567_890.0),
        ),
        ("5.0", Value::Double(5.0)),
        ("5e0", Value::Double(5.0)),
        // Reading that is not correctly rounded gets these wrong in the last bit.
        ("9007199254740993.0", Value::Double(9_007_199_254_740_992.0)),
        ("2.2250738585072011e-308", Value::Double(2.225_073_858_507_201e-308)),
        ("0.30000000000000004", Value::Double(0.1 + 0.2)),
        (r#""\ud83d\ude00\u0000""#, Value::from("😀\0")),
        (
            r#" { "a" : 1 } "#,
            Value::Object([("a".to_owned(), Value::Int32(1))].into_iter().collect()),
        ),
    ];
    for (json, value) in cases {
        assert_eq!(Raw::trusted(&parse(json).unwrap()).to_value(), value, "{json}");
    }
}

#[test]
fn malformed_text_is_refused_with_its_place() {
    let cases = [
        ("", 1, 0),
        ("{\"a\":1,\n \"b\" 2}", 2, 6),
        ("[1,]", 1, 4),
        ("{\"a\":1}x", 1, 8),
        ("nul", 1, 3),
        ("[1e999]", 1, 6),
        ("\"\\ud800\"", 1, 8),
        ("{1:2}", 1, 2),
        ("01", 1, 2),
        ("\"\n\"", 2, 0),
        ("NaN", 1, 1),
        ("[}", 1, 2),
    ];
    for (json, line, column) in cases {
        let error = parse(json).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "malformed_json"), "{json}");
        let place = format!(" at line {line} column {column}");
        assert!(error.message().ends_with(&place), "{json}: {error}");
        assert_eq!(error.message().matches(" at line ").count(), 1, "{error}");
        assert_eq!(error.detail("line"), Some(&Detail::Number(line)));
        assert_eq!(error.detail("column"), Some(&Detail::Number(column)));
    }
    let error = parse_value(b"{\"a\":\n\"x\xff\"}", &Limits::default()).unwrap_err();
    assert_eq!(
        (error.code(), error.detail("line"), error.detail("column")),
        ("malformed_json", Some(&Detail::Number(2)), Some(&Detail::Number(3)))
    );
}

fn limit_of(error: &crate::Error) -> Option<&Detail> {
    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
    error.detail("limit")
}

#[test]
fn nesting_is_limited_in_arrays_and_objects() {
    let limits = Limits::default();
    let arrays = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let objects = |depth: usize| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
    for nested in [arrays, objects] as [fn(usize) -> String; 2] {
        parse_value(nested(100).as_bytes(), &limits).unwrap();
        let error = parse_value(nested(101).as_bytes(), &limits).unwrap_err();
        assert_eq!(limit_of(&error), Some(&Detail::from("limits.nesting")));
        let wide = Limits { nesting: 100_000, ..Limits::default() };
        let error = parse_value(nested(90_000).as_bytes(), &wide).unwrap_err();
        assert_eq!(limit_of(&error), Some(&Detail::from("limits.nesting")));
    }
}

#[test]
fn names_documents_and_batches_are_limited() {
    let limits = Limits {
        member_name_bytes: 4,
        document_bytes: 20,
        batch_documents: 2,
        ..Limits::default()
    };
    parse_value(r#"{"abcd":1}"#.as_bytes(), &limits).unwrap();
    let error = parse_value(r#"[{"a":{"abcde":1}}]"#.as_bytes(), &limits).unwrap_err();
    assert_eq!(limit_of(&error), Some(&Detail::from("limits.member_name_bytes")));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(20));
    let error = parse_document(long.as_bytes(), &limits).unwrap_err();
    assert_eq!(limit_of(&error), Some(&Detail::from("limits.document_bytes")));
    let error = parse_documents(format!("[{{}},{long}]").as_bytes(), &limits).unwrap_err();
    assert_eq!(limit_of(&error), Some(&Detail::from("limits.document_bytes")));
    assert_eq!(error.detail("index"), Some(&Detail::Number(1)));
    let error = parse_documents(b"[{},{},{}]", &limits).unwrap_err();
    assert_eq!(limit_of(&error), Some(&Detail::from("limits.batch_documents")));
}

#[test]
fn a_repeated_name_is_refused_in_small_and_large_objects() {
    for count in [2, 24, 25, 26, 1000] {
        for repeated in [0, (count - 1) / 2, count - 2] {
            let mut names: Vec<String> =
                (0..count - 1).map(|n| format!("\"m{n}\":{{\"m0\":1}}")).collect();
            let json = format!("[{{{}}}]", names.join(","));
            parse(&json).unwrap();
            names.push(format!("\"\\u006d{repeated}\":2"));
            let error = parse(&format!("[{{{}}}]", names.join(","))).unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "duplicate_member"));
            assert!(error.message().contains(&format!("\"m{repeated}\"")), "{error}");
        }
    }
}

#[test]
fn a_hundred_thousand_members_are_no_burden() {
    let members: Vec<String> = (0..100_000).map(|n| format!("\"m{n}\":{n}")).collect();
    let json = format!("{{{}}}", members.join(","));
    let start = std::time::Instant::now();
    let bytes = parse(&json).unwrap();
    // Comparing each with each would take minutes.
    assert!(start.elapsed().as_secs() < 10);
    assert_eq!(shown(&bytes), json);
}

#[test]
fn documents_are_objects_alone_or_in_an_array() {
    let limits = Limits::default();
    let empty = vec![0x80];
    assert_eq!(parse_documents(b" {} ", &limits).unwrap(), Parsed::One(empty.clone()));
    assert_eq!(
        parse_documents(b"\n[{}, {}]", &limits).unwrap(),
        Parsed::Many(vec![empty.clone(), empty])
    );
    assert_eq!(parse_documents(b"[]", &limits).unwrap(), Parsed::Many(vec![]));
    for json in ["5", "\"{}\"", "null", "[{},[]]", "[1]"] {
        assert_eq!(
            parse_documents(json.as_bytes(), &limits).unwrap_err().code(),
            "not_an_object",
            "{json}"
        );
    }
    for json in ["[]", "5", "[{}]"] {
        assert_eq!(
            parse_document(json.as_bytes(), &limits).unwrap_err().code(),
            "not_an_object",
            "{json}"
        );
    }
    for json in ["[{}", "[{}]]", "", "[{},]"] {
        assert_eq!(
            parse_documents(json.as_bytes(), &limits).unwrap_err().code(),
            "malformed_json",
            "{json}"
        );
    }
}

#[test]
fn every_byte_is_escaped_where_it_must_be_at_every_place() {
    for byte in 0..=0x7f_u8 {
        for place in 0..18 {
            let mut text = vec![b'x'; 17];
            text.insert(place, byte);
            text.extend("\u{e9}\u{7f}".bytes());
            let text = String::from_utf8(text).unwrap();
            let json = shown(&Value::String(text.clone()).to_bytes());
            assert_eq!(json, serde_json::to_string(&text).unwrap());
        }
    }
}

#[test]
fn types_that_json_lacks_are_shown_as_text() {
    let cases = [
        (Value::ObjectId([0xab; 12]), "\"abababababababababababab\""),
        (Value::Date(1_710_064_800_000), "\"2024-03-10T10:00:00.000Z\""),
        (Value::Decimal("1.50".parse().unwrap()), "\"1.50\""),
        (Value::Binary { subtype: 0, bytes: vec![1, 2, 3, 4] }, "\"AQIDBA==\""),
        (Value::Int64(1), "1"),
        (Value::Double(5.0), "5.0"),
        (Value::Double(f64::NAN), "null"),
        (Value::Double(f64::NEG_INFINITY), "null"),
        (Value::Regex { pattern: "a/\"b".to_owned(), options: "i".to_owned() }, r#""/a/\"b/i""#),
        (Value::Timestamp { t: u32::MAX, i: 2 }, r#"{"t":4294967295,"i":2}"#),
        (Value::MinKey, "\"MinKey\""),
        (Value::MaxKey, "\"MaxKey\""),
    ];
    for (value, json) in cases {
        assert_eq!(shown(&value.to_bytes()), json);
    }
}

proptest! {
    #[test]
    fn written_json_reads_as_json_and_back_to_itself(value in crate::value::tests::model::value()) {
        let json = shown(&value.to_bytes());
        let theirs: serde_json::Value = serde_json::from_str(&json).unwrap();
        // Duplicates cannot come from the writer, so everything it writes is accepted.
        let bytes = parse(&json).unwrap();
        prop_assert!(check::validate(&bytes).is_ok());
        prop_assert_eq!(shown(&bytes), json.clone());
        let again: serde_json::Value = serde_json::from_str(&shown(&bytes)).unwrap();
        prop_assert_eq!(theirs, again);
    }

    #[test]
    fn doubles_round_trip_to_the_bit(value: f64) {
        prop_assume!(value.is_finite());
        let bytes = Value::Double(value).to_bytes();
        prop_assert_eq!(parse(&shown(&bytes)).unwrap(), bytes);
    }

    #[test]
    fn any_text_agrees_with_the_library_on_what_is_json(text in r#"[\[\]{}:,"a\\u0-9.eE+ -]{0,12}"#) {
        let ours = parse(&text);
        match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(_) => prop_assert!(ours.is_ok() || ours.unwrap_err().code() == "duplicate_member"),
            Err(_) => prop_assert_eq!(ours.unwrap_err().kind(), ErrorKind::Invalid),
        }
    }
}
