//! Types and conversions.

use super::check;

const DOC: &str = r#"{"_id":{"$oid":"64a000000000000000000001"},"i":5,"f":5.7,"n":null,"s":"42",
  "t":{"$timestamp":{"t":100,"i":3}},"d":{"$date":"2024-03-10T10:00:00.5Z"},"l":{"$numberLong":"1710064800000"}}"#;

#[test]
fn conversions_are_exact_or_errors() {
    check(
        DOC,
        &[
            (r#"{"$type":"$zz"}"#, r#""missing""#),
            (r#"{"$type":"$t"}"#, r#""timestamp""#),
            (r#"{"$isNumber":"$f"}"#, "true"),
            (r#"{"$toInt":"$f"}"#, "5"),
            (r#"{"$toInt":-5.7}"#, "-5"),
            (r#"{"$toInt":"5.5"}"#, "!"),
            (r#"{"$toInt":2147483648}"#, "!"),
            (r#"{"$toInt":{"$numberDouble":"NaN"}}"#, "!"),
            (r#"{"$toInt":"$d"}"#, "!"),
            (r#"{"$toLong":"$d"}"#, r#"{"$numberLong":"1710064800500"}"#),
            (r#"{"$toLong":9.3e18}"#, "!"),
            (r#"{"$toDouble":"1e3"}"#, "1000.0"),
            (r#"{"$toDouble":true}"#, "1.0"),
            (r#"{"$toDouble":{"$numberDecimal":"1E+400"}}"#, "!"),
            (r#"{"$toDecimal":2.5}"#, r#"{"$numberDecimal":"2.50000000000000"}"#),
            (r#"{"$toDecimal":"0.10"}"#, r#"{"$numberDecimal":"0.10"}"#),
            (r#"{"$toString":1e20}"#, r#""1e+20""#),
            (r#"{"$toString":1.5}"#, r#""1.5""#),
            (r#"{"$toString":"$_id"}"#, r#""64a000000000000000000001""#),
            (r#"{"$toString":"$d"}"#, r#""2024-03-10T10:00:00.500Z""#),
            (r#"{"$toString":[]}"#, "!"),
            (r#"{"$toBool":"false"}"#, "true"),
            (r#"{"$toBool":0.0}"#, "false"),
            (r#"{"$toBool":[[]]}"#, "true"),
            (r#"{"$toDate":"$l"}"#, r#"{"$date":{"$numberLong":"1710064800000"}}"#),
            (r#"{"$toDate":"$i"}"#, "!"),
            (r#"{"$toDate":"$_id"}"#, r#"{"$date":"2023-07-01T10:29:20Z"}"#),
            (r#"{"$toDate":"2024-01-02"}"#, r#"{"$date":"2024-01-02T00:00:00Z"}"#),
            (r#"{"$toObjectId":"zz"}"#, "!"),
            (r#"{"$convert":{"input":"x","to":"int","onError":"bad"}}"#, r#""bad""#),
            (r#"{"$convert":{"input":"$n","to":"int","onNull":-1}}"#, "-1"),
            (r#"{"$convert":{"input":"$n","to":"int"}}"#, "null"),
            (r#"{"$convert":{"input":"$s","to":16}}"#, "42"),
            (r#"{"$convert":{"input":"$s","to":"array"}}"#, "!"),
            (r#"{"$tsSecond":"$t"}"#, r#"{"$numberLong":"100"}"#),
            (r#"{"$tsIncrement":"$t"}"#, r#"{"$numberLong":"3"}"#),
        ],
    );
}
