//! Variables: scoping, loops, and those from outside.

use super::super::{Expression, Scope};
use super::{NOW, check, shown};
use crate::limits::Limits;
use crate::query::{Context, Item, Trust};
use crate::value::Raw;
use crate::value::ejson::{self, Mode};

#[test]
fn variables_are_lexical() {
    check(
        r#"{"a":2,"arr":[1,2,3],"docs":[{"v":[1,2]},{"v":[3]}],"n":null}"#,
        &[
            (r#"{"$let":{"vars":{"x":"$a","y":10},"in":{"$add":["$$x","$$y","$a"]}}}"#, "14"),
            (
                r#"{"$let":{"vars":{"x":1},"in":{"$let":{"vars":{"x":2,"y":"$$x"},"in":["$$x","$$y"]}}}}"#,
                "[2,1]",
            ),
            (r#"{"$let":{"vars":{"x":1,"y":"$$x"},"in":"$$y"}}"#, "!"),
            (r#"{"$let":{"vars":{"x":"$arr"},"in":"$$x"}}"#, "[1,2,3]"),
            (r#"{"$map":{"input":"$arr","as":"x","in":{"$multiply":["$$x","$a"]}}}"#, "[2,4,6]"),
            (
                r#"{"$map":{"input":"$docs","as":"d","in":{"$map":{"input":"$$d.v","in":{"$add":["$$this",{"$size":"$$d.v"}]}}}}}"#,
                "[[3,4],[4]]",
            ),
            (r#"{"$map":{"input":"$arr","in":"$zz"}}"#, "[null,null,null]"),
            (r#"{"$map":{"input":"$n","in":1}}"#, "null"),
            (r#"{"$map":{"input":"$a","in":1}}"#, "!"),
            (r#"{"$filter":{"input":"$arr","as":"x","cond":{"$gt":["$$x",1]},"limit":1}}"#, "[2]"),
            (r#"{"$filter":{"input":"$arr","cond":true,"limit":0}}"#, "!"),
            (
                r#"{"$reduce":{"input":"$arr","initialValue":[],"in":{"$concatArrays":[["$$this"],"$$value"]}}}"#,
                "[3,2,1]",
            ),
            (r#"{"$reduce":{"input":"$n","initialValue":1,"in":"$$value"}}"#, "null"),
            (r#"{"$map":{"input":"$arr","as":"X","in":1}}"#, "!"),
            (r#""$$this""#, "!"),
            (r#"{"$map":{"input":["$$this"],"in":1}}"#, "!"),
            (r#""$$x.y""#, "!"),
            (r#"{"$meta":"textScore"}"#, "-"),
        ],
    );
}

#[test]
fn variables_from_outside_are_read_by_place() {
    let limits = Limits::default();
    let context = Context { limits: &limits, now_ms: NOW, trust: Trust::Ordinary };
    let source = r#"{"$add":["$$two.v","$$one",{"$meta":"textScore"}]}"#;
    let source = ejson::parse_value(source.as_bytes(), &limits, Mode::Filter).unwrap();
    let names = ["one".to_owned(), "two".to_owned(), "textScore".to_owned()];
    let expression = Expression::parse(Raw::trusted(&source), &context, &names).unwrap();
    let object = ejson::parse_value(br#"{"v":5}"#, &limits, Mode::Data).unwrap();
    let values = [Item::int32(1), Item::Raw(Raw::trusted(&object)).into_owned(), Item::int32(4)];
    let variables: Vec<_> = names.into_iter().zip(values).collect();
    let scope = Scope { variables: &variables, ..Scope::new(Raw::NULL, NOW) };
    let sum = expression.evaluate(&scope).unwrap();
    assert_eq!(shown(&sum).unwrap(), r#"{"$numberInt":"10"}"#);
}

#[test]
fn plain_paths_and_constants_can_be_told() {
    let limits = Limits::default();
    let context = Context { limits: &limits, now_ms: NOW, trust: Trust::Ordinary };
    let compile = |source: &str| {
        let bytes = ejson::parse_value(source.as_bytes(), &limits, Mode::Filter).unwrap();
        Expression::parse(Raw::trusted(&bytes), &context, &[]).unwrap()
    };
    assert_eq!(compile(r#""$a.b""#).field_path().unwrap().as_str(), "a.b");
    assert_eq!(compile(r#""$$CURRENT.a""#).field_path().unwrap().as_str(), "a");
    assert!(compile(r#"{"$add":["$a",1]}"#).field_path().is_none());
    let folded = compile(r#"{"$add":[1,{"$multiply":[2,3]}]}"#);
    assert_eq!(folded.constant().unwrap().as_i64(), Some(7));
    assert!(compile(r#"{"x":[1,{"$literal":"$a"}]}"#).constant().is_some());
    assert!(compile(r#"{"$rand":{}}"#).constant().is_none());
}

#[test]
fn expressions_can_be_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Expression>();
}
