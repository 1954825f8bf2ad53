//! Known instants, refused texts, and the round trip.

use super::*;

use proptest::prelude::*;

#[test]
fn known_instants_format() {
    let cases = [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1_710_064_800_000, "2024-03-10T10:00:00.000Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
        (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
        (i64::MAX, "+292278994-08-17T07:12:55.807Z"),
        (i64::MIN, "-292275055-05-16T16:47:04.192Z"),
    ];
    for (ms, text) in cases {
        assert_eq!(format_ms(ms), text);
        assert_eq!(parse_ms(text), Some(ms), "{text}");
    }
}

#[test]
fn offsets_and_fractions_are_read() {
    let ten = 1_710_064_800_000;
    let cases = [
        ("2024-03-10T11:00:00+01:00", ten),
        ("2024-03-10T04:30:00-0530", ten),
        ("2024-03-10 10:00:00z", ten),
        ("2024-03-10t10:00:00.5Z", ten + 500),
        ("2024-03-10T10:00:00.123456789Z", ten + 123),
        ("2024-03-10T09:59:60Z", ten),
    ];
    for (text, ms) in cases {
        assert_eq!(parse_ms(text), Some(ms), "{text}");
    }
}

#[test]
fn what_is_no_instant_is_refused() {
    let refused = [
        "",
        "2024",
        "2024-03-10",
        "2024-03-10T10:00:00",
        "2024-13-10T10:00:00Z",
        "2024-02-30T10:00:00Z",
        "2023-02-29T10:00:00Z",
        "1900-02-29T10:00:00Z",
        "2024-03-00T10:00:00Z",
        "2024-03-10T24:00:00Z",
        "2024-03-10T10:60:00Z",
        "2024-03-10T10:00:61Z",
        "2024-03-10T10:00:00.Z",
        "2024-03-10T10:00:00+24:00",
        "2024-03-10T10:00:00Z ",
        "24-03-10T10:00:00Z",
        "+2024-03-10T10:00:00Z",
        "+999999999-01-01T00:00:00Z",
        "2024-3-10T10:00:00Z",
    ];
    for text in refused {
        assert_eq!(parse_ms(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn every_instant_round_trips(ms: i64) {
        prop_assert_eq!(parse_ms(&format_ms(ms)), Some(ms));
    }

    #[test]
    fn any_text_is_judged_without_panic(text in "[0-9+:.TZ -]{0,30}") {
        if let Some(ms) = parse_ms(&text) {
            prop_assert_eq!(parse_ms(&format_ms(ms)), Some(ms));
        }
    }
}
