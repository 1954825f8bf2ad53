//! Each type: what it takes, what it makes of it, what it refuses.

use super::{Stage, converted, encoded, fields, shown, violations};
use crate::value::{Raw, ejson};

const TYPES: &str = r#"{"t":{"type":"text"},"n":{"type":"number"},"d":{"type":"date"},"m":{"type":"datetime"},
    "b":{"type":"boolean"},"j":{"type":"json"},"e":{"type":"email"},"u":{"type":"url"},"p":{"type":"phone"},
    "l":{"type":"lookup","collection":"x"},"c":{"type":"child","collection":"x"},"i":{"type":"image"},
    "f":{"type":"file"}}"#;

/// The document stored for one member in extended JSON, or the keyword that refuses it.
fn stored(member: &str) -> Result<String, &'static str> {
    let fields = fields(TYPES);
    let given = ejson::parse_value(
        format!("{{{member}}}").as_bytes(),
        &Default::default(),
        ejson::Mode::Data,
    )
    .unwrap();
    let converted = converted(&fields, &given, Stage::New);
    let mut text = Vec::new();
    ejson::write(Raw::trusted(&converted), &mut text);
    match violations(&fields, &converted).as_slice() {
        [] => Ok(String::from_utf8(text).unwrap()),
        [one] => Err(one.keyword),
        more => panic!("{more:?}"),
    }
}

#[test]
fn what_is_taken_becomes_what_its_type_stores() {
    let id = "507f1f77bcf86cd799439011";
    let rows = [
        (r#""t":"x""#, r#""t":"x""#),
        (r#""t":"""#, r#""t":"""#),
        (r#""t":null"#, r#""t":null"#),
        (r#""n":" 5 ""#, r#""n":{"$numberInt":"5"}"#),
        (r#""n":"-2.5""#, r#""n":{"$numberDouble":"-2.5"}"#),
        (r#""n":"3000000000""#, r#""n":{"$numberLong":"3000000000"}"#),
        (r#""n":"""#, r#""n":null"#),
        (r#""b":"true""#, r#""b":true"#),
        (r#""b":"false""#, r#""b":false"#),
        (r#""b":"on""#, r#""b":true"#),
        (r#""b":" FALSE ""#, r#""b":false"#),
        (r#""b":1"#, r#""b":true"#),
        (r#""b":"Yes""#, r#""b":true"#),
        (r#""b":["false","on"]"#, r#""b":true"#),
        (r#""d":"1700000000000""#, r#""d":{"$date":{"$numberLong":"1700000000000"}}"#),
        (r#""l":null"#, r#""l":[]"#),
        (r#""l":"""#, r#""l":[]"#),
        (r#""d":5"#, r#""d":{"$date":{"$numberLong":"5"}}"#),
        (r#""m":-1"#, r#""m":{"$date":{"$numberLong":"-1"}}"#),
        (r#""d":"2026-03-10""#, r#""d":{"$date":{"$numberLong":"1773100800000"}}"#),
        (r#""d":"2026-03-10T01:00:00+01:00""#, r#""d":{"$date":{"$numberLong":"1773100800000"}}"#),
        (r#""m":"2026-03-10T00:00""#, r#""m":{"$date":{"$numberLong":"1773100800000"}}"#),
        (r#""m":"2026-03-10T00:00:01.5""#, r#""m":{"$date":{"$numberLong":"1773100801500"}}"#),
        (r#""m":"2026-03-10 00:00:00Z""#, r#""m":{"$date":{"$numberLong":"1773100800000"}}"#),
        (r#""j":"{\"a\":[1]}""#, r#""j":{"a":[{"$numberInt":"1"}]}"#),
        (r#""j":["x"]"#, r#""j":["x"]"#),
        (r#""e":"ann@example.com""#, r#""e":"ann@example.com""#),
        (r#""u":"https://example.com/ä?q=1#x""#, r#""u":"https://example.com/ä?q=1#x""#),
        (r#""u":"mailto:a@b.c""#, r#""u":"mailto:a@b.c""#),
        (r#""p":"+49 (0)30 / 123-45 ext 6""#, r#""p":"+49 (0)30 / 123-45 ext 6""#),
        (r#""l":"a""#, r#""l":["a"]"#),
        (r#""l":{"_id":"a","n":1}"#, r#""l":["a"]"#),
        (r#""l":["a",{"_id":"507f1f77bcf86cd799439011"}]"#, r#""l":["a",{"$oid":"ID"}]"#),
        (r#""l":[]"#, r#""l":[]"#),
        (r#""i":"a""#, r#""i":["a"]"#),
        (r#""f":["a",{"_id":{"$oid":"507f1f77bcf86cd799439011"}}]"#, r#""f":["a","ID"]"#),
        (r#""c":[{"x":1}]"#, ""),
        (r#""other":"5""#, r#""other":"5""#),
    ];
    for (given, wanted) in rows {
        let wanted = format!("{{{}}}", wanted.replace("ID", id));
        assert_eq!(stored(given), Ok(wanted), "{given}");
    }
}

#[test]
fn what_cannot_be_converted_is_refused() {
    let rows = [
        r#""t":5"#,
        r#""t":["x"]"#,
        r#""n":"five""#,
        r#""n":"0x10""#,
        r#""n":"Infinity""#,
        r#""n":true"#,
        r#""n":"5,5""#,
        r#""b":"maybe""#,
        r#""b":[true]"#,
        r#""b":2"#,
        r#""b":1.0"#,
        r#""d":"10.3.2026""#,
        r#""d":"2026-02-30""#,
        r#""d":5.5"#,
        r#""d":true"#,
        r#""m":"2026-03-10T25:00""#,
        r#""m":"T""#,
        r#""m":"2026-03-10T""#,
        r#""j":"5""#,
        r#""j":"{""#,
        r#""j":5"#,
        r#""j":"{\"a\":1,\"a\":2}""#,
        r#""e":"ann""#,
        r#""e":"a@b@c d""#,
        r#""u":"example.com""#,
        r#""u":"http://""#,
        r#""u":"http://a b""#,
        r#""u":"http:///x""#,
        r#""p":"call me""#,
        r#""p":"12""#,
        r#""l":[null]"#,
        r#""l":[["a"]]"#,
        r#""l":{"n":1}"#,
        r#""l":[""]"#,
        r#""i":5"#,
        r#""i":[""]"#,
        r#""f":[{"n":1}]"#,
        r#""f":{"$regularExpression":{"pattern":"a","options":""}}"#,
    ];
    for given in rows {
        assert_eq!(stored(given), Err("type"), "{given}");
    }
    let deep = format!(r#""j":"{}{}""#, "[".repeat(100), "]".repeat(100));
    assert_eq!(stored(&deep), Err("type"), "no document is nested deeper than the limit");
}

#[test]
fn defaults_fill_in_what_is_missing_in_a_new_document() {
    let fields = fields(
        r#"{"s":{"type":"text","default":"new"},"n":{"type":"number","default":"7"},"d":{"type":"date","default":"2026-03-10"}}"#,
    );
    let fill = |text: &str, stage| shown(&converted(&fields, &encoded(text), stage));
    let all = r#"{"a":1,"s":"new","n":7,"d":"2026-03-10T00:00:00.000Z"}"#;
    assert_eq!(fill(r#"{"a":1}"#, Stage::New), all);
    assert_eq!(fill(r#"{"a":1}"#, Stage::Known), r#"{"a":1}"#);
    let given = r#"{"n":null,"s":"","d":null}"#;
    assert_eq!(fill(given, Stage::New), given, "what is there is no missing member");
}

#[test]
fn every_rule_that_is_broken_is_listed() {
    let fields = fields(
        r#"{"a":{"type":"text","required":true},"b":{"type":"number","required":true},
            "l":{"type":"lookup","collection":"x","required":true},"e":{"type":"email","pattern":"@example\\.com$"},
            "p":{"type":"text","pattern":"[0-9]{3}"},"q":{"type":"number"}}"#,
    );
    let broken = |text: &str| {
        let document = converted(&fields, &encoded(text), Stage::New);
        let list = violations(&fields, &document);
        list.iter().map(|one| format!("{} {}", one.path, one.keyword)).collect::<Vec<_>>()
    };
    let all = ["a required", "b required", "l required", "e pattern", "p pattern", "q type"];
    assert_eq!(broken(r#"{"a":"","b":"","l":[],"e":"x@y.z","p":"ab12","q":"x"}"#), all);
    assert_eq!(broken(r#"{"a":null,"b":1,"l":"x"}"#), ["a required"]);
    let good = r#"{"a":"x","b":"0","l":"x","e":"x@example.com","p":"ab123cd"}"#;
    assert!(broken(good).is_empty(), "a pattern may match anywhere");
    assert!(broken(r#"{"a":"x","b":0,"l":"x","e":"","p":""}"#).is_empty());
}

#[test]
fn filters_of_plain_json_compare_with_what_is_stored() {
    let fields = fields(TYPES);
    let filter = r#"{"d":{"$gt":"2026-03-10","$ne":"soon"},"t":"2026-03-10","$or":[{"m":{"$in":["2026-03-10"]}},
        {"l":"507f1f77bcf86cd799439011"},{"l":{"$exists":true}},{"d":{"$not":{"$type":"date"}}}]}"#;
    let typed = fields.typed_filter(Raw::trusted(&encoded(filter)));
    let mut text = Vec::new();
    ejson::write(Raw::trusted(&typed), &mut text);
    let date = r#"{"$date":{"$numberLong":"1773100800000"}}"#;
    let wanted = format!(
        r#"{{"d":{{"$gt":{date},"$ne":"soon"}},"t":"2026-03-10","$or":[{{"m":{{"$in":[{date}]}}}},{{"l":{{"$oid":"507f1f77bcf86cd799439011"}}}},{{"l":{{"$exists":true}}}},{{"d":{{"$not":{{"$type":"date"}}}}}}]}}"#
    );
    assert_eq!(String::from_utf8(text).unwrap(), wanted);
}
