//! What is refused, when, and how it is said; and the bounds.

use super::super::{Expression, Scope};
use super::{NOW, run};
use crate::error::{Detail, Error, ErrorKind};
use crate::limits::Limits;
use crate::query::{Context, Trust};
use crate::value::Raw;
use crate::value::ejson::{self, Mode};

fn refused(source: &str) -> Error {
    let limits = Limits::default();
    let context = Context { limits: &limits, now_ms: NOW, trust: Trust::Ordinary };
    let bytes = ejson::parse_value(source.as_bytes(), &limits, Mode::Filter).unwrap();
    match Expression::parse(Raw::trusted(&bytes), &context, &[]) {
        Ok(_) => panic!("{source} was compiled"),
        Err(error) => error,
    }
}

#[test]
fn errors_name_operator_and_place() {
    let error = refused(r#"{"$cond":[true,{"x":{"$adn":[1]}},2]}"#);
    assert_eq!(error.code(), "unknown_operator");
    assert_eq!(error.detail("operator"), Some(&Detail::Text("$adn".to_owned())));
    assert!(error.message().contains("$cond.then.x.$adn"), "{error}");
    for (source, code) in [
        (r#"{"$subtract":[1]}"#, "invalid_operand"),
        (r#"{"$cond":{"if":1,"then":2}}"#, "invalid_operand"),
        (r#"{"$map":{"input":[],"in":1,"what":2}}"#, "invalid_operand"),
        (r#"{"$dateAdd":{"startDate":"$d","unit":"eon","amount":1}}"#, "invalid_operand"),
        (r#"{"$dateToString":{"date":"$d","format":"%q"}}"#, "invalid_operand"),
        (r#"{"$year":{"date":"$d","timezone":"Nowhere"}}"#, "invalid_operand"),
        (r#"{"$regexMatch":{"input":"$s","regex":"("}}"#, "invalid_operand"),
        (r#"{"$divide":[1,0]}"#, "invalid_operand"),
        (r#"{"$add":[1,2],"$sum":3}"#, "invalid_operand"),
        (r#"{"a":1,"$sum":3}"#, "invalid_operand"),
        (r#"{"a.b":1}"#, "invalid_operand"),
        (r#""$a..b""#, "invalid_operand"),
        (r#""$""#, "invalid_operand"),
        (r#""$$x""#, "unknown_variable"),
        (r#"{"$function":{"body":"x"}}"#, "operator_not_allowed"),
        (r#"{"$ifNull":["$a"]}"#, "invalid_operand"),
        (r#"{"$switch":{"branches":[]}}"#, "invalid_operand"),
    ] {
        let error = refused(source);
        assert_eq!(error.code(), code, "{source}: {error}");
    }
    let error = run(r#"{"$size":"$a"}"#, r#"{"a":1}"#).unwrap_err();
    assert_eq!(error.code(), "expression_failed");
    assert_eq!(error.message(), "$size: needs an array, not int");
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}1{}", r#"{"$abs":["#.repeat(depth), "]}".repeat(depth));
    assert_eq!(run(&nested(30), "{}").unwrap().unwrap(), r#"{"$numberInt":"1"}"#);
    let error = refused(&nested(33));
    assert_eq!(error.detail("limit"), Some(&Detail::Text("limits.query_depth".to_owned())));
}

#[test]
fn values_do_not_grow_without_bound() {
    let grow = |source: &str| {
        let error = run(source, r#"{"a":1,"n":100000000}"#).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
        error.message().to_owned()
    };
    assert!(grow(r#"{"$range":[0,"$n"]}"#).contains("$range"));
    let loops = r#"{"$reduce":{"input":{"$range":[0,60]},"initialValue":"$$ROOT.a","in":{"$concatArrays":[["$$value"],["$$value"]]}}}"#;
    grow(loops);
    grow(
        r#"{"$reduce":{"input":{"$range":[0,60]},"initialValue":"ab","in":{"$concat":["$$value","$$value"]}}}"#,
    );
    let many = r#"{"$map":{"input":{"$range":[0,30000]},"in":{"$range":[0,30000]}}}"#;
    grow(many);
    let wide = grow(r#"{"$setUnion":[{"$range":[0,2000000]}]}"#);
    assert!(wide.contains("limits.query_memory_bytes"), "{wide}");
    let deep =
        grow(r#"{"$reduce":{"input":{"$range":[0,1000]},"initialValue":0,"in":["$$value"]}}"#);
    assert!(deep.contains("limits.nesting"), "{deep}");
}

#[test]
fn steps_are_bounded_by_the_deadline() {
    let limits = Limits { query_deadline_ms: 20, ..Limits::default() };
    let context = Context { limits: &limits, now_ms: NOW, trust: Trust::Ordinary };
    let source =
        r#"{"$filter":{"input":{"$range":[0,"$n"]},"cond":{"$in":["x",{"$range":[0,"$$this"]}]}}}"#;
    let source = ejson::parse_value(source.as_bytes(), &limits, Mode::Filter).unwrap();
    let document = ejson::parse_value(br#"{"n":100000}"#, &limits, Mode::Data).unwrap();
    let expression = Expression::parse(Raw::trusted(&source), &context, &[]).unwrap();
    let error = expression.evaluate(&Scope::new(Raw::trusted(&document), NOW)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    let limit = Detail::Text("limits.query_deadline_ms".to_owned());
    assert_eq!(error.detail("limit"), Some(&limit));
}
