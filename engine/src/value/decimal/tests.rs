//! Texts and bits after the BSON specification.

use super::*;

fn text(input: &str) -> String {
    input.parse::<Decimal128>().unwrap_or_else(|_| panic!("{input} is refused")).to_string()
}

#[test]
fn texts_of_the_bson_specification_round_trip() {
    let same = [
        "0",
        "-0",
        "0E+3",
        "0.00",
        "1",
        "-1",
        "0.1",
        "1.00",
        "0.001234",
        "0.00000000001E-1",
        "1E+3",
        "1.2345E+10",
        "9.999999999999999999999999999999999E+6144",
        "1E-6176",
        "NaN",
        "Infinity",
        "-Infinity",
        "1234567890123456789012345678901234",
        "1.000000000000000000000000000000000",
    ];
    for input in same {
        let expected = if input == "0.00000000001E-1" { "1E-12" } else { input };
        assert_eq!(text(input), expected);
    }
}

#[test]
fn other_spellings_are_normalised() {
    let cases = [
        ("+5", "5"),
        ("5.", "5"),
        (".5", "0.5"),
        ("1e3", "1E+3"),
        ("inf", "Infinity"),
        ("-INF", "-Infinity"),
        ("nan", "NaN"),
        ("0000001", "1"),
        ("1E+6112", "1.0E+6112"),
        ("0E+9999", "0E+6111"),
        ("0E-9999", "0E-6176"),
        ("10E-6177", "1E-6176"),
        ("12345678901234567890123456789012340000", "1.234567890123456789012345678901234E+37"),
    ];
    for (input, expected) in cases {
        assert_eq!(text(input), expected, "{input}");
    }
}

#[test]
fn what_cannot_be_held_exactly_is_refused() {
    let refused = [
        "",
        ".",
        "-",
        "E5",
        "1E",
        "1e+",
        "1.2.3",
        "0x1",
        " 1",
        "1 ",
        "12345678901234567890123456789012345",
        "1E+6145",
        "1E-6177",
        "1E99999999999999999999",
        "1E-99999999999999999999",
        "--1",
        "1_0",
    ];
    for input in refused {
        assert_eq!(input.parse::<Decimal128>(), Err(DecimalError), "{input}");
    }
}

#[test]
fn bits_are_those_of_bson() {
    // From the BSON corpus: decimal128-1.
    let one: Decimal128 = "1".parse().unwrap();
    assert_eq!(one.to_bytes(), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x30]);
    let tenth: Decimal128 = "0.1".parse().unwrap();
    assert_eq!(tenth.to_bytes()[14..], [0x3e, 0x30]);
    let nan: Decimal128 = "NaN".parse().unwrap();
    assert_eq!(nan.to_bytes()[15], 0x7c);
    let minus_infinity: Decimal128 = "-Infinity".parse().unwrap();
    assert_eq!(minus_infinity.to_bytes()[15], 0xf8);
}

#[test]
fn non_canonical_bits_read_as_zero() {
    let mut bytes = [0xff; 16];
    bytes[15] = 0x6c;
    let decimal = Decimal128::from_bytes(bytes);
    assert!(matches!(
        decimal.parts(),
        DecimalParts::Finite { coefficient: 0, negative: false, .. }
    ));
}
