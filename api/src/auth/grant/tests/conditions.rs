//! What conditions with expansions match.

use std::sync::Arc;

use headwater_engine::limits::Limits;
use headwater_engine::value::{Raw, Value};

use super::super::Facts;
use super::super::condition::Condition;
use super::super::template::Scope;
use super::{encoded, request, user, value};

fn parse(rule: &str, scope: Scope) -> headwater_engine::Result<Condition> {
    Condition::parse(Raw::trusted(&encoded(rule)), scope, &Limits::default())
}

fn matches(rule: &str, facts: &Facts, document: &str) -> bool {
    let limits = Limits::for_stored_queries();
    let filter = parse(rule, Scope::Reading).unwrap().fold(facts, &limits).filter(&limits).unwrap();
    filter.matches(Raw::trusted(&encoded(document))).unwrap_or(false)
}

#[test]
fn expansions_stand_for_values() {
    let data = r#"{"org":"acme","level":3,"teams":["a","b"],"deep":{"er":7}}"#;
    let mut facts = user(r#""u1""#, data);
    let Value::Object(values) = value(r#"{"limit":100,"list":["x"]}"#) else { panic!() };
    facts.values = Arc::new(values);
    facts.request = request("::ffff:10.1.2.3", "GET").request;
    let rows = [
        (r#"{}"#, r#"{"a":1}"#, true),
        (r#"{"owner":"%%user.id"}"#, r#"{"owner":"u1"}"#, true),
        (r#"{"owner":"%%user.id"}"#, r#"{"owner":["u0","u1"]}"#, true),
        (r#"{"owner":"%%user.id"}"#, r#"{"owner":"u2"}"#, false),
        (r#"{"owner":"%%user.id"}"#, r#"{"owner":"%%user.id"}"#, false),
        (r#"{"owner":"%%user.id"}"#, r#"{}"#, false),
        (r#"{"mail":{"$eq":"%%user.email"}}"#, r#"{"mail":"a@b.example"}"#, true),
        (r#"{"org":{"$ne":"%%user.data.org"}}"#, r#"{"org":"other"}"#, true),
        (r#"{"org":{"$ne":"%%user.data.org"}}"#, r#"{"org":"acme"}"#, false),
        (r#"{"n":{"$lte":"%%user.data.level","$gt":1}}"#, r#"{"n":3}"#, true),
        (r#"{"n":{"$lte":"%%user.data.level","$gt":1}}"#, r#"{"n":1}"#, false),
        (r#"{"n":"%%user.data.deep.er"}"#, r#"{"n":7}"#, true),
        (r#"{"team":{"$in":"%%user.data.teams"}}"#, r#"{"team":"b"}"#, true),
        (r#"{"team":{"$in":"%%user.data.teams"}}"#, r#"{"team":"c"}"#, false),
        (r#"{"team":{"$nin":"%%user.data.teams"}}"#, r#"{"team":"c"}"#, true),
        (r#"{"team":{"$all":"%%user.data.teams"}}"#, r#"{"team":["b","a","c"]}"#, true),
        (r#"{"team":{"$in":["%%user.data.org","z"]}}"#, r#"{"team":"acme"}"#, true),
        (r#"{"n":{"$lt":"%%values.limit"}}"#, r#"{"n":99}"#, true),
        (r#"{"ip":"%%request.ip"}"#, r#"{"ip":"10.1.2.3"}"#, true),
        (r#"{"%%request.method":"GET","a":1}"#, r#"{"a":1}"#, true),
        (r#"{"%%request.method":{"$in":["PUT"]}}"#, r#"{"a":1}"#, false),
        (r#"{"public":"%%true"}"#, r#"{"public":true}"#, true),
        (r#"{"public":{"$exists":"%%false"}}"#, r#"{"public":true}"#, false),
        (r#"{"%%user.data.level":{"$gte":3}}"#, r#"{}"#, true),
        (r#"{"%%user.data.level":{"$gte":4}}"#, r#"{}"#, false),
        (r#"{"%%user.data.teams":"a"}"#, r#"{}"#, true),
        (r#"{"%%user.data.org":"%%values.list"}"#, r#"{}"#, false),
        (r#"{"%%user.id":"%%root.owner"}"#, r#"{"owner":"u1"}"#, true),
        (r#"{"%%user.id":{"$in":"%%root.members"}}"#, r#"{"members":["u1"]}"#, true),
        (r#"{"%%user.id":{"$in":"%%root.members"}}"#, r#"{"members":"u1"}"#, false),
        (r#"{"%%user.id":{"$in":"%%root.members"}}"#, r#"{}"#, false),
        (r#"{"%%root.owner":"%%user.id"}"#, r#"{"owner":"u1"}"#, true),
        (r#"{"a":{"$gt":"%%root.b"}}"#, r#"{"a":2,"b":1}"#, true),
        (r#"{"a":{"$gt":"%%root.b"}}"#, r#"{"a":2}"#, false),
        (r#"{"a":{"$lt":"%%root.b"}}"#, r#"{"b":2}"#, false),
        (r#"{"a":{"$ne":"%%root.b"}}"#, r#"{"a":1,"b":1}"#, false),
        (r#"{"$expr":{"$eq":["$owner","%%user.id"]}}"#, r#"{"owner":"u1"}"#, true),
        (r#"{"$expr":{"$in":["$team","%%user.data.teams"]}}"#, r#"{"team":"a"}"#, true),
        (r#"{"$expr":{"$gt":["%%root.a","$b"]}}"#, r#"{"a":2,"b":1}"#, true),
        (r#"{"i":{"$elemMatch":{"o":"%%user.id","n":1}}}"#, r#"{"i":[{"o":"u1","n":1}]}"#, true),
        (r#"{"i":{"$elemMatch":{"o":"%%user.id","n":1}}}"#, r#"{"i":[{"o":"u1","n":2}]}"#, false),
        (r#"{"i":{"$elemMatch":{"$eq":"%%user.id"}}}"#, r#"{"i":["u1"]}"#, true),
        (r#"{"o":{"$not":{"$eq":"%%user.id"}}}"#, r#"{"o":"u2"}"#, true),
        (r#"{"$nor":[{"o":"%%user.id"}]}"#, r#"{"o":"u2"}"#, true),
        (r#"{"$nor":[{"o":"%%user.id"}]}"#, r#"{"o":"u1"}"#, false),
        (r#"{"o":{"a":"%%user.id"}}"#, r#"{"o":{"a":"u1"}}"#, true),
        (r#"{"$comment":"%%anything","o":"%%user.id"}"#, r#"{"o":"u1"}"#, true),
    ];
    for (rule, document, wanted) in rows {
        assert_eq!(matches(rule, &facts, document), wanted, "{rule} {document}");
    }
}

#[test]
fn an_object_id_of_a_user_is_met_in_both_forms() {
    let hex = "507f1f77bcf86cd799439011";
    let facts = user(&format!(r#"{{"$oid":"{hex}"}}"#), "{}");
    let (text, id) = (format!(r#""{hex}""#), format!(r#"{{"$oid":"{hex}"}}"#));
    for form in [&text, &id] {
        let document = format!(r#"{{"o":{form},"l":[{form}]}}"#);
        for (rule, wanted) in [
            (r#"{"o":"%%user.id"}"#.to_owned(), true),
            (r#"{"o":{"$eq":"%%user.id"}}"#.to_owned(), true),
            (r#"{"o":{"$in":["x","%%user.id"]}}"#.to_owned(), true),
            (r#"{"o":{"$ne":"%%user.id"}}"#.to_owned(), false),
            (r#"{"o":{"$nin":["%%user.id"]}}"#.to_owned(), false),
            (r#"{"%%user.id":"%%root.o"}"#.to_owned(), true),
            (r#"{"%%user.id":{"$ne":"%%root.o"}}"#.to_owned(), false),
            (r#"{"%%user.id":{"$in":"%%root.l"}}"#.to_owned(), true),
            (format!(r#"{{"%%user.id":{form}}}"#), true),
        ] {
            assert_eq!(matches(&rule, &facts, &document), wanted, "{rule} {document}");
        }
    }
}

#[test]
fn values_are_never_operators() {
    // What the user's data holds, a rule, a document that an operator in it would match, and whether it matches.
    let rows = [
        (r#"{"$ne":null}"#, r#"{"o":"%%user.data.v"}"#, r#"{"o":"x"}"#, false),
        (r#"{"$ne":null}"#, r#"{"o":"%%user.data.v"}"#, r#"{"o":{"$ne":null}}"#, true),
        (r#"{"$ne":null}"#, r#"{"o":{"$eq":"%%user.data.v"}}"#, r#"{"o":"x"}"#, false),
        (r#"{"$gt":""}"#, r#"{"o":{"$in":["%%user.data.v"]}}"#, r#"{"o":"x"}"#, false),
        (r#"[{"$gt":""}]"#, r#"{"o":{"$in":"%%user.data.v"}}"#, r#"{"o":"x"}"#, false),
        (r#"{"$ne":null}"#, r#"{"o":{"a":"%%user.data.v"}}"#, r#"{"o":{"a":"x"}}"#, false),
        (
            r#"{"$ne":null}"#,
            r#"{"i":{"$elemMatch":{"o":"%%user.data.v"}}}"#,
            r#"{"i":[{"o":1}]}"#,
            false,
        ),
        (r#"{"$or":[{}]}"#, r#"{"o":"%%user.data.v"}"#, r#"{"o":"x"}"#, false),
        (
            r#"{"$regularExpression":{"pattern":".*","options":""}}"#,
            r#"{"o":"%%user.data.v"}"#,
            r#"{"o":"x"}"#,
            false,
        ),
        (
            r#"{"$regularExpression":{"pattern":".*","options":""}}"#,
            r#"{"o":{"$in":["%%user.data.v"]}}"#,
            r#"{"o":"x"}"#,
            false,
        ),
        (
            r#"[{"$regularExpression":{"pattern":".*","options":""}}]"#,
            r#"{"o":{"$in":"%%user.data.v"}}"#,
            r#"{"o":"x"}"#,
            false,
        ),
        (
            r#"[{"$regularExpression":{"pattern":".*","options":""}}]"#,
            r#"{"o":{"$all":"%%user.data.v"}}"#,
            r#"{"o":"x"}"#,
            false,
        ),
        (
            r#"{"$regularExpression":{"pattern":"y","options":""}}"#,
            r#"{"o":{"$ne":"%%user.data.v"}}"#,
            r#"{"o":"x"}"#,
            false,
        ),
        (
            r#""$salary""#,
            r#"{"$expr":{"$eq":["$o","%%user.data.v"]}}"#,
            r#"{"o":7,"salary":7}"#,
            false,
        ),
        (r#""$salary""#, r#"{"$expr":{"$eq":["$o","%%user.data.v"]}}"#, r#"{"o":"$salary"}"#, true),
        (r#""$$ROOT""#, r#"{"$expr":{"$ne":["%%user.data.v",null]}}"#, r#"{}"#, true),
        (r#"{"$literal":7}"#, r#"{"$expr":{"$eq":["$o","%%user.data.v"]}}"#, r#"{"o":7}"#, false),
        (r#""$owner""#, r#"{"%%user.data.v":"%%root.o"}"#, r#"{"o":7,"owner":7}"#, false),
        (r#""%%true""#, r#"{"o":"%%user.data.v"}"#, r#"{"o":true}"#, false),
        (r#""%%true""#, r#"{"o":"%%user.data.v"}"#, r#"{"o":"%%true"}"#, true),
        (r#""%%root.o""#, r#"{"o":"%%user.data.v"}"#, r#"{"o":5}"#, false),
        (r#""%%user.id""#, r#"{"o":{"$in":["%%user.data.v"]}}"#, r#"{"o":"u1"}"#, false),
        (r#"["%%user.id"]"#, r#"{"o":{"$in":"%%user.data.v"}}"#, r#"{"o":"u1"}"#, false),
        (r#"null"#, r#"{"o":"%%user.data.v"}"#, r#"{}"#, false),
        (r#"[null]"#, r#"{"o":{"$in":"%%user.data.v"}}"#, r#"{}"#, false),
    ];
    for (data, rule, document, wanted) in rows {
        let facts = user(r#""u1""#, &format!(r#"{{"v":{data}}}"#));
        assert_eq!(matches(rule, &facts, document), wanted, "{data} {rule} {document}");
    }
}

#[test]
fn what_is_not_there_allows_nothing() {
    let document = r#"{"o":"x","public":true}"#;
    let rows = [
        (r#"{"o":"%%user.id"}"#, false),
        (r#"{"o":{"$ne":"%%user.id"}}"#, false),
        (r#"{"o":{"$nin":["%%user.id"]}}"#, false),
        (r#"{"o":{"$nin":"%%user.data.list"}}"#, false),
        (r#"{"o":{"$not":{"$eq":"%%user.id"}}}"#, false),
        (r#"{"$nor":[{"o":"%%user.id"}]}"#, false),
        (r#"{"$nor":[{"$nor":[{"o":"%%user.id"}]}]}"#, false),
        (r#"{"$nor":[{"o":{"$ne":"%%user.id"}}]}"#, false),
        (r#"{"$nor":[{"a":1},{"$and":[{"o":"%%user.id"},{"public":true}]}]}"#, false),
        (r#"{"$nor":[{"$and":[{"o":"%%user.id"},{"public":false}]}]}"#, true),
        (r#"{"$or":[{"o":"%%user.id"},{"public":true}]}"#, true),
        (r#"{"$or":[{"o":"%%user.id"},{"public":false}]}"#, false),
        (r#"{"$and":[{"o":"%%user.id"},{"public":true}]}"#, false),
        (r#"{"$expr":{"$ne":["$o","%%user.id"]}}"#, false),
        (r#"{"$nor":[{"$expr":{"$eq":["$o","%%user.id"]}}]}"#, false),
        (r#"{"%%user.id":{"$exists":false}}"#, false),
        (r#"{"%%user.id":{"$ne":"x"}}"#, false),
        (r#"{"%%user.id":{"$ne":"%%root.o"}}"#, false),
        (r#"{"$nor":[{"%%user.data.blocked":true}]}"#, false),
        (r#"{"%%request.ip":{"$ne":"1.1.1.1"}}"#, false),
        (r#"{"o":{"$ne":"%%values.x"}}"#, false),
        (r#"{"i":{"$not":{"$elemMatch":{"o":"%%user.id"}}}}"#, false),
    ];
    for (rule, wanted) in rows {
        assert_eq!(matches(rule, &Facts::default(), document), wanted, "{rule}");
    }
    // A user is there, but no such member, or none of the right kind.
    let facts = user(r#""u1""#, r#"{"list":"x","a":{"b":1}}"#);
    for rule in [
        r#"{"o":{"$ne":"%%user.data.org"}}"#,
        r#"{"o":{"$nin":"%%user.data.list"}}"#,
        r#"{"o":{"$ne":"%%user.data.a.b.c"}}"#,
        r#"{"o":{"$ne":"%%user.data.list.length"}}"#,
    ] {
        assert!(!matches(rule, &facts, document), "{rule}");
    }
}

#[test]
fn malformed_rules_are_refused() {
    let rows = [
        (r#"[]"#, "an object"),
        (r#"{"o":"%%foo"}"#, "%%foo"),
        (r#"{"%%foo":1}"#, "%%foo"),
        (r#"{"o":"%%user.password"}"#, "%%user.password"),
        (r#"{"$expr":{"$eq":["$o","%%foo"]}}"#, "%%foo"),
        (r#"{"o":{"$in":["%%foo"]}}"#, "%%foo"),
        (r#"{"$text":{"$search":"x"}}"#, "$text"),
        (r#"{"$where":"1"}"#, "$where"),
        (r#"{"a":{"$near":[1,2]}}"#, "$near"),
        (r#"{"$and":[{"a":{"$nearSphere":[1,2]}}]}"#, "$nearSphere"),
        (r#"{"a":{"$fly":1}}"#, "$fly"),
        (r#"{"$fly":1}"#, "$fly"),
        (r#"{"a":{"$in":1}}"#, "$in"),
        (r#"{"a":{"$in":"%%true"}}"#, "cannot stand"),
        (r#"{"$or":[]}"#, "$or"),
        (r#"{"$or":{}}"#, "$or"),
        (r#"{"a":{"$regex":"%%user.data.x"}}"#, "$regex"),
        (r#"{"a":{"$size":"%%user.data.x"}}"#, "$size"),
        (r#"{"a":{"$exists":"%%user.data.x"}}"#, "$exists"),
        (r#"{"a":{"$nin":"%%root.b"}}"#, "$nin"),
        (r#"{"a":{"$not":{"$eq":"%%root.b"}}}"#, "%%root.b"),
        (r#"{"a":{"$in":["%%root.b"]}}"#, "%%root.b"),
        (r#"{"a":{"$elemMatch":{"%%user.id":1}}}"#, "%%user.id"),
        (r#"{"%%prevRoot":{"$exists":false}}"#, "%%prevRoot"),
        (r#"{"%%prevRoot.a":1}"#, "%%prevRoot"),
        (r#"{"a":"%%prevRoot.a"}"#, "%%prevRoot"),
        (r#"{"$expr":{"$eq":["$a","%%prevRoot.a"]}}"#, "%%prevRoot"),
        (r#"{"$expr":{"$eq":["$a","$$prevRoot.a"]}}"#, "$$prevRoot"),
        (r#"{"$expr":{"$lt":["$a","$$NOW"]}}"#, "$$NOW"),
        (r#"{"$expr":{"$lt":["$a",{"$rand":{}}]}}"#, "$rand"),
        (r#"{"$expr":{"$fly":["$a"]}}"#, "$fly"),
        (r#"{"$jsonSchema":{"properties":{"a":{"enum":["%%user.id"]}}}}"#, "$jsonSchema"),
    ];
    for (rule, named) in rows {
        let error = parse(rule, Scope::Reading).unwrap_err();
        assert!(error.message().contains(named), "{rule}: {}", error.message());
    }
    for rule in [
        r#"{"%%prevRoot":1}"#,
        r#"{"%%prevRoot":{"$exists":1}}"#,
        r#"{"%%prevRoot":{"$exists":true,"$eq":1}}"#,
        r#"{"a":"%%prevRoot"}"#,
        r#"{"$expr":{"$eq":["$$prevRoot.a",1]}}"#,
    ] {
        assert!(parse(rule, Scope::Writing).is_err(), "{rule}");
    }
    for rule in [
        r#"{"a":1}"#,
        r#"{"%%root.a":1}"#,
        r#"{"%%user.id":"%%root.a"}"#,
        r#"{"$expr":true}"#,
        r#"{"$jsonSchema":{}}"#,
        r#"{"$or":[{"a":1}]}"#,
    ] {
        assert!(parse(rule, Scope::Facts).is_err(), "{rule}");
    }
    let many: Vec<String> = (0..101).map(|n| format!(r#"{{"a{n}":"%%user.id"}}"#)).collect();
    let rule = format!(r#"{{"$or":[{}]}}"#, many.join(","));
    assert!(parse(&rule, Scope::Reading).unwrap_err().message().contains("query_clauses"));
}
