//! Random values for the laws, and the round trip of the encoding.

use proptest::prelude::*;

use crate::value::{Decimal128, Object, Raw, Value, check, encode};

/// Numbers that are near each other in awkward ways.
pub(super) fn number() -> impl Strategy<Value = Value> {
    let near = prop_oneof![
        Just(0_i64),
        Just(1 << 53),
        Just(-(1 << 53)),
        Just(i64::MAX),
        Just(i64::MIN),
        Just(1 << 31),
        Just(10),
        Just(1 << 62),
        -300..300_i64,
    ];
    let near = (near, -2..=2_i64).prop_map(|(base, step)| base.saturating_add(step));
    let special = prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-0.0),
        Just(f64::MIN_POSITIVE),
        Just(5e-324),
        Just(-5e-324),
        Just(f64::MAX),
        Just(0.1),
        Just(0.5),
        Just(2.5),
    ];
    let ulps = (near.clone(), -2..=2_i64).prop_map(|(base, ulp)| {
        let bits = (base as f64).to_bits().cast_signed().saturating_add(ulp);
        Value::Double(f64::from_bits(bits.cast_unsigned()))
    });
    let scaled = (near.clone(), -40..40_i32, any::<bool>()).prop_map(|(base, scale, negative)| {
        decimal(negative, u128::from(base.unsigned_abs()), scale)
    });
    let padded = (near.clone(), 0..14_u32).prop_map(|(base, zeros)| {
        let coefficient = u128::from(base.unsigned_abs()) * 10_u128.pow(zeros);
        decimal(base < 0, coefficient, -zeros.cast_signed())
    });
    prop_oneof![
        near.clone().prop_map(Value::Int64),
        near.prop_map(|base| Value::integer(base % (1 << 31))),
        special.prop_map(Value::Double),
        ulps,
        any::<f64>().prop_map(Value::Double),
        any::<i64>().prop_map(Value::Int64),
        special_decimal(),
        scaled,
        padded,
        (any::<bool>(), any::<u128>(), -6176..6112_i32).prop_map(|(negative, digits, scale)| {
            decimal(negative, digits % 10_u128.pow(34), scale)
        }),
        any::<f64>().prop_map(decimal_of_double),
    ]
}

fn decimal(negative: bool, coefficient: u128, exponent: i32) -> Value {
    Value::Decimal(Decimal128::from_parts(negative, coefficient, exponent).expect("in range"))
}

/// A decimal next to a double: its first 17 digits.
fn decimal_of_double(value: f64) -> Value {
    Value::Decimal(format!("{value:e}").parse().expect("17 digits"))
}

fn special_decimal() -> impl Strategy<Value = Value> {
    let texts = [
        "NaN",
        "Infinity",
        "-Infinity",
        "-0",
        "0E+6111",
        "0.1",
        "0.10",
        "1E-6176",
        "9.999999999999999999999999999999999E+6144",
        "9007199254740993",
        "9007199254740992.5",
        "0.1000000000000000055511151231257827",
        "5E-324",
        "4.940656458412465E-324",
        "18446744073709551616",
        "18446744073709551617",
        "1267650600228229401496703205376",
        "1267650600228229401496703205377",
    ];
    prop::sample::select(texts.to_vec())
        .prop_map(|text| Value::Decimal(text.parse().expect("a decimal")))
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "",
            "a",
            "a\0",
            "a\0b",
            "ab",
            "\u{ff}",
            "\u{10000}",
            "\u{ffff}",
            "_id"
        ])
        .prop_map(str::to_owned),
        "[a\0\u{7f}\u{e9}]{0,4}",
        any::<String>(),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    let bytes = prop_oneof![
        prop::collection::vec(0..3_u8, 0..3),
        prop::collection::vec(any::<u8>(), 0..40)
    ];
    prop_oneof![
        8 => number(),
        4 => text().prop_map(Value::String),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => prop_oneof![-2..2_i64, any::<i64>()].prop_map(Value::Date),
        1 => any::<[u8; 12]>().prop_map(Value::ObjectId),
        1 => (0..3_u8, bytes).prop_map(|(subtype, bytes)| Value::Binary { subtype, bytes }),
        1 => (text(), prop::sample::select(vec!["", "i", "im", "x"])).prop_map(|(pattern, options)| Value::Regex { pattern, options: options.to_owned() }),
        1 => (0..3_u32, any::<u32>()).prop_map(|(t, i)| Value::Timestamp { t, i }),
        1 => Just(Value::MinKey),
        1 => Just(Value::MaxKey),
    ]
}

/// Any value.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 24, 4, |inner| {
        let members = prop::collection::vec((text(), inner.clone()), 0..4);
        let object = members.prop_map(|members| {
            let mut object = Object::new();
            for (name, value) in members {
                object.insert(name, value);
            }
            Value::Object(object)
        });
        prop_oneof![prop::collection::vec(inner, 0..4).prop_map(Value::Array), object]
    })
}

#[test]
fn integers_take_their_shortest_form_and_keep_their_width() {
    let cases: [(i32, &[u8]); 9] = [
        (0, &[0]),
        (127, &[0x7f]),
        (128, &[0xd1, 0, 0x80]),
        (-32, &[0xe0]),
        (-33, &[0xd0, 0xdf]),
        (-128, &[0xd0, 0x80]),
        (-129, &[0xd1, 0xff, 0x7f]),
        (32_767, &[0xd1, 0x7f, 0xff]),
        (32_768, &[0xd2, 0, 0, 0x80, 0]),
    ];
    for (number, bytes) in cases {
        assert_eq!(Value::Int32(number).to_bytes(), bytes, "{number}");
        check::validate(bytes).unwrap();
        assert_eq!(Raw::trusted(bytes).to_value(), Value::Int32(number));
    }
    assert_eq!(Value::Int64(1).to_bytes(), [0xd3, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(Raw::trusted(&[0xd3, 0, 0, 0, 0, 0, 0, 0, 1]).to_value(), Value::Int64(1));
}

#[test]
fn headers_take_their_shortest_form_at_every_border() {
    for len in [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536] {
        let values = [
            Value::String("x".repeat(len)),
            Value::Array(vec![Value::Null; len]),
            Value::Binary { subtype: 0, bytes: vec![1; len] },
            Value::Object((0..len).map(|n| (n.to_string(), Value::Null)).collect()),
        ];
        for value in values {
            let bytes = value.to_bytes();
            check::validate(&bytes).unwrap();
            assert_eq!(Raw::trusted(&bytes).to_value(), value);
        }
    }
}

#[test]
fn an_object_opened_and_closed_later_is_the_same() {
    for len in [0, 15, 16, 70_000] {
        let mut late = vec![0x91];
        let start = encode::open(&mut late);
        let mut early = vec![0x91];
        encode::write_object_header(len, &mut early);
        for out in [&mut late, &mut early] {
            for number in 0..len {
                encode::write_str(&number.to_string(), out);
                encode::write_null(out);
            }
        }
        encode::close_object(start, len, &mut late);
        assert_eq!(late, early);
    }
}

#[test]
fn members_and_elements_are_found_without_decoding() {
    let bytes = crate::value::json::parse_value(
        br#"{"a":{"b":[1,{"c":"x"}]},"":2}"#,
        &crate::limits::Limits::default(),
    )
    .unwrap();
    let raw = Raw::trusted(&bytes);
    let get = |path| crate::value::path::get_path(raw, path).map(Raw::to_value);
    assert_eq!(get("a.b.1.c"), Some(Value::from("x")));
    assert_eq!(get("a.b.0"), Some(Value::Int32(1)));
    assert_eq!(get(""), Some(Value::Int32(2)));
    for missing in ["a.b.2", "a.b.00", "a.b.-1", "a.b.+1", "a.b.c", "a.c", "a.b.0.x", "b"] {
        assert_eq!(get(missing), None, "{missing}");
        assert!(crate::value::path::Path::new(missing).get(raw).is_none(), "{missing}");
    }
}

#[test]
fn what_is_not_canonical_is_refused() {
    let refused: [&[u8]; 22] = [
        &[],
        &[0xc1],
        &[0xc0, 0xc0],
        &[0xcc, 1],
        &[0xd0, 1],
        &[0xd1, 0, 1],
        &[0xd2, 0, 0, 0, 1],
        &[0xd9, 1, b'a'],
        &[0xa1, 0xff],
        &[0xa2, b'a'],
        &[0xdc, 0, 0],
        &[0x81, 1, 1],
        &[0x81, 0xa1, b'a'],
        &[0xc7, 1, 3, 0],
        &[0xd4, 9, 0],
        &[0xd4, 7, 0],
        &[0xc7, 0, 3],
        &[0xd4, 5, b'a'],
        &[0xdf, 0xff, 0xff, 0xff, 0xff],
        &[0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0],
        &[0xd7, 5, 0xff, 0, 0, 0, 0, 0, 0, 0],
        &[0xca, 0, 0, 0, 0],
    ];
    for bytes in refused {
        let error = check::validate(bytes).expect_err(&format!("{bytes:02x?} is accepted"));
        assert_eq!(error.code(), "damaged_value");
    }
    let mut deep = vec![0x91; check::NESTING_MAX as usize];
    deep.push(0xc0);
    check::validate(&deep).unwrap();
    deep.insert(0, 0x91);
    check::validate(&deep).unwrap_err();
}

/// Uses everything that reads.
fn read_everything(bytes: &[u8], other: &[u8]) {
    let (raw, other) = (Raw::trusted(bytes), Raw::trusted(other));
    raw.to_value();
    let _order = crate::value::compare::compare(raw, other);
    crate::value::key::encode(raw);
    let mut json = Vec::new();
    crate::value::json::write(raw, &mut json);
    crate::value::ejson::write(raw, &mut json);
    crate::value::change::diff(raw, other);
    let _merged =
        crate::value::change::merge(raw, other, crate::value::document::IdRule::PlainJson);
    let _found = raw.get("a").or(raw.at(1));
    let _kind = (raw.kind(), raw.as_str(), raw.as_regex(), raw.member_count());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_value_round_trips(value in value()) {
        let bytes = value.to_bytes();
        prop_assert!(check::validate(&bytes).is_ok());
        let read = Raw::trusted(&bytes).to_value();
        prop_assert_eq!(read.kind(), value.kind());
        prop_assert_eq!(format!("{read:?}"), format!("{value:?}"));
        prop_assert_eq!(read.to_bytes(), bytes);
    }

    #[test]
    fn mutated_bytes_are_refused_or_read_back_exactly(
        value in value(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
        other in value(),
    ) {
        let mut bytes = value.to_bytes();
        for (place, byte, how) in changes {
            match (how, bytes.is_empty()) {
                (0, false) => { let at = place.index(bytes.len()); bytes[at] = byte; }
                (1, false) => { bytes.remove(place.index(bytes.len())); }
                _ => bytes.insert(place.index(bytes.len() + 1), byte),
            }
        }
        let other = other.to_bytes();
        if check::validate(&bytes).is_ok() {
            prop_assert_eq!(Raw::trusted(&bytes).to_value().to_bytes(), bytes.clone());
        }
        // Damaged bytes read as something, but never panic.
        read_everything(&bytes, &other);
        read_everything(&other, &bytes);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _verdict = check::validate(&bytes);
        read_everything(&bytes, &[0xc0]);
    }
}
