//! Dates, their text and their time zones.

use super::check;

const DOC: &str = r#"{"d":{"$date":"2024-02-29T13:05:09.123Z"},"e":{"$date":"2023-01-01T00:30:00Z"},
  "j":{"$date":"2024-01-31T00:00:00Z"},"n":null,"zone":"Europe/Berlin"}"#;

#[test]
fn parts_of_dates() {
    check(
        DOC,
        &[
            (r#"{"$year":"$d"}"#, "2024"),
            (r#"{"$year":{"date":"$e","timezone":"America/New_York"}}"#, "2022"),
            (r#"{"$dayOfYear":"$d"}"#, "60"),
            (r#"{"$dayOfWeek":"$d"}"#, "5"),
            (r#"{"$week":"$e"}"#, "1"),
            (r#"{"$isoWeek":"$e"}"#, "52"),
            (r#"{"$isoWeekYear":"$e"}"#, r#"{"$numberLong":"2022"}"#),
            (r#"{"$isoDayOfWeek":"$e"}"#, "7"),
            (r#"{"$millisecond":"$d"}"#, "123"),
            (r#"{"$hour":{"date":"$d","timezone":"$zone"}}"#, "14"),
            (r#"{"$hour":{"date":"$d","timezone":"$n"}}"#, "null"),
            (r#"{"$hour":{"date":"$d","timezone":"-0330"}}"#, "9"),
            (r#"{"$hour":{"date":"$d","timezone":"Nowhere/Land"}}"#, "!"),
            (r#"{"$hour":"x"}"#, "!"),
            (
                r#"{"$dateToParts":{"date":"$e","iso8601":true}}"#,
                r#"{"isoWeekYear":2022,"isoWeek":52,"isoDayOfWeek":7,"hour":0,"minute":30,"second":0,"millisecond":0}"#,
            ),
            (
                r#"{"$dateFromParts":{"year":2024,"month":14,"day":0}}"#,
                r#"{"$date":"2025-01-31T00:00:00Z"}"#,
            ),
            (
                r#"{"$dateFromParts":{"isoWeekYear":2020,"isoWeek":53,"isoDayOfWeek":7}}"#,
                r#"{"$date":"2021-01-03T00:00:00Z"}"#,
            ),
            (
                r#"{"$dateFromParts":{"year":2024,"month":7,"timezone":"Europe/Berlin"}}"#,
                r#"{"$date":"2024-06-30T22:00:00Z"}"#,
            ),
            (
                r#"{"$dateFromParts":{"year":2024,"month":3,"day":31,"hour":2,"minute":30,"timezone":"Europe/Berlin"}}"#,
                r#"{"$date":"2024-03-31T01:30:00Z"}"#,
            ),
            (
                r#"{"$dateFromParts":{"year":2024,"month":10,"day":27,"hour":2,"minute":30,"timezone":"Europe/Berlin"}}"#,
                r#"{"$date":"2024-10-27T00:30:00Z"}"#,
            ),
            (r#"{"$dateFromParts":{"year":2024,"isoWeek":1}}"#, "!"),
            (r#"{"$dateFromParts":{"year":"$n"}}"#, "null"),
        ],
    );
}

#[test]
fn dates_as_text() {
    check(
        DOC,
        &[
            (r#"{"$dateToString":{"date":"$d"}}"#, r#""2024-02-29T13:05:09.123Z""#),
            (
                r#"{"$dateToString":{"date":"$d","timezone":"+05:30"}}"#,
                r#""2024-02-29T18:35:09.123+0530""#,
            ),
            (
                r#"{"$dateToString":{"date":"$d","format":"%Y%m%d %H:%M:%S.%L %j %G-W%V-%u %U %w %b %B %z %Z %%"}}"#,
                r#""20240229 13:05:09.123 060 2024-W09-4 08 5 Feb February +0000 +0 %""#,
            ),
            (r#"{"$dateToString":{"date":"$d","format":"%q"}}"#, "!"),
            (r#"{"$dateToString":{"date":"$n","onNull":"none"}}"#, r#""none""#),
            (
                r#"{"$dateFromString":{"dateString":"2024-01-15T10:00:00+02:00"}}"#,
                r#"{"$date":"2024-01-15T08:00:00Z"}"#,
            ),
            (
                r#"{"$dateFromString":{"dateString":"2024-07-15T10:00","timezone":"America/New_York"}}"#,
                r#"{"$date":"2024-07-15T14:00:00Z"}"#,
            ),
            (
                r#"{"$dateFromString":{"dateString":"2024-07-15T10:00Z","timezone":"America/New_York"}}"#,
                "!",
            ),
            (
                r#"{"$dateFromString":{"dateString":"15/01/2024 07","format":"%d/%m/%Y %H"}}"#,
                r#"{"$date":"2024-01-15T07:00:00Z"}"#,
            ),
            (
                r#"{"$dateFromString":{"dateString":"3 March 2024","format":"%d %B %Y"}}"#,
                r#"{"$date":"2024-03-03T00:00:00Z"}"#,
            ),
            (
                r#"{"$dateFromString":{"dateString":"2024-W09-4","format":"%G-W%V-%u"}}"#,
                r#"{"$date":"2024-02-29T00:00:00Z"}"#,
            ),
            (r#"{"$dateFromString":{"dateString":"2023-02-29"}}"#, "!"),
            (r#"{"$dateFromString":{"dateString":"nope","onError":"bad"}}"#, r#""bad""#),
            (r#"{"$dateFromString":{"dateString":"$n","onNull":"none"}}"#, r#""none""#),
        ],
    );
}

#[test]
fn dates_move_and_differ() {
    check(
        DOC,
        &[
            (
                r#"{"$dateAdd":{"startDate":"$j","unit":"month","amount":1}}"#,
                r#"{"$date":"2024-02-29T00:00:00Z"}"#,
            ),
            (
                r#"{"$dateSubtract":{"startDate":"$d","unit":"quarter","amount":1}}"#,
                r#"{"$date":"2023-11-29T13:05:09.123Z"}"#,
            ),
            (
                r#"{"$dateAdd":{"startDate":{"$date":"2024-03-30T12:00:00Z"},"unit":"day","amount":1,"timezone":"Europe/Berlin"}}"#,
                r#"{"$date":"2024-03-31T11:00:00Z"}"#,
            ),
            (
                r#"{"$dateAdd":{"startDate":{"$date":"2024-03-30T12:00:00Z"},"unit":"hour","amount":24,"timezone":"Europe/Berlin"}}"#,
                r#"{"$date":"2024-03-31T12:00:00Z"}"#,
            ),
            (r#"{"$dateAdd":{"startDate":"$d","unit":"day","amount":1.5}}"#, "!"),
            (r#"{"$dateAdd":{"startDate":"$d","unit":"eon","amount":1}}"#, "!"),
            (r#"{"$dateAdd":{"startDate":"$n","unit":"day","amount":1}}"#, "null"),
            (
                r#"{"$dateAdd":{"startDate":"$d","unit":"year","amount":{"$numberLong":"9223372036854775807"}}}"#,
                "!",
            ),
            (
                r#"{"$dateDiff":{"startDate":"$e","endDate":"$d","unit":"month"}}"#,
                r#"{"$numberLong":"13"}"#,
            ),
            (
                r#"{"$dateDiff":{"startDate":"$e","endDate":"$d","unit":"week"}}"#,
                r#"{"$numberLong":"60"}"#,
            ),
            (
                r#"{"$dateDiff":{"startDate":"$e","endDate":"$d","unit":"week","startOfWeek":"Monday"}}"#,
                r#"{"$numberLong":"61"}"#,
            ),
            (
                r#"{"$dateDiff":{"startDate":"$d","endDate":"$e","unit":"year"}}"#,
                r#"{"$numberLong":"-1"}"#,
            ),
            (
                r#"{"$dateTrunc":{"date":"$d","unit":"week","startOfWeek":"mon"}}"#,
                r#"{"$date":"2024-02-26T00:00:00Z"}"#,
            ),
            (
                r#"{"$dateTrunc":{"date":"$d","unit":"quarter"}}"#,
                r#"{"$date":"2024-01-01T00:00:00Z"}"#,
            ),
            (
                r#"{"$dateTrunc":{"date":"$d","unit":"minute","binSize":15}}"#,
                r#"{"$date":"2024-02-29T13:00:00Z"}"#,
            ),
            (
                r#"{"$dateTrunc":{"date":"$d","unit":"day","timezone":"Asia/Tokyo"}}"#,
                r#"{"$date":"2024-02-28T15:00:00Z"}"#,
            ),
            (r#"{"$dateTrunc":{"date":"$d","unit":"day","binSize":0}}"#, "!"),
        ],
    );
}
