//! Every operator at every kind of path with every kind of operand: nothing panics, and what comes out is a document.

use super::*;
use crate::value::check;

const DOCUMENTS: [&str; 5] = [
    r#"{"_id": 1}"#,
    r#"{"_id": 1, "a": 5, "b": "x", "c": null}"#,
    r#"{"_id": 1, "a": [1, [2], {"b": 3}, null], "b": {"c": [{"d": 1}, {"d": [4]}]}, "0": []}"#,
    r#"{"_id": {"a": 1}, "a": {"0": {"b": []}, "b": {"$numberLong": "5"}}, "c": {"$date": {"$numberLong": "0"}}}"#,
    r#"{"_id": 1, "a": [], "b": [[], []], "c": {"$numberDecimal": "1.5"}}"#,
];

const PATHS: [&str; 18] = [
    "a",
    "b",
    "a.b",
    "a.0",
    "a.1",
    "a.3.b",
    "a.0.b",
    "a.$[]",
    "a.$[].b",
    "a.$",
    "a.$[x]",
    "a.$[x].0",
    "b.c.$[].d",
    "_id",
    "_id.a",
    "zz.y.x",
    "c",
    "b.0.$[]",
];

const OPERANDS: [&str; 22] = [
    "1",
    "-1",
    "2.5",
    "0",
    r#"{"$numberLong": "-3"}"#,
    r#"{"$numberDecimal": "2"}"#,
    "null",
    "true",
    r#""b""#,
    r#""q.r""#,
    "[]",
    "[1, null]",
    "{}",
    r#"{"b": 3}"#,
    r#"{"$each": [3, 1]}"#,
    r#"{"$each": [{"b": 1}], "$sort": {"b": -1}, "$slice": -2, "$position": 1}"#,
    r#"{"$each": [], "$slice": 0}"#,
    r#"{"$gte": 1}"#,
    r#"{"$in": [1, null]}"#,
    r#"{"or": 5}"#,
    r#"{"$type": "timestamp"}"#,
    r#"{"$or": [{"b": 3}]}"#,
];

const OPERATORS: [&str; 15] = [
    "$set",
    "$unset",
    "$inc",
    "$mul",
    "$min",
    "$max",
    "$rename",
    "$currentDate",
    "$setOnInsert",
    "$bit",
    "$push",
    "$addToSet",
    "$pop",
    "$pull",
    "$pullAll",
];

fn judge(update: &Update, document: &[u8], filter: &Filter, what: &str) -> bool {
    let before = Raw::trusted(document);
    let Ok(new) = update.apply(before, Some(filter)) else { return false };
    check::validate(&new).unwrap();
    let (name, id) = Raw::trusted(&new).object_iter().next().unwrap();
    assert_eq!(name, "_id", "{what}");
    assert_eq!(Some(id.as_bytes()), before.get("_id").map(Raw::as_bytes), "{what}");
    // What the filter finds, and so what `$` and `$[x]` stand for, may be something else the second time.
    let same_place = !what.contains("a.$ ") && !what.contains("$[x]");
    if same_place
        && (what.starts_with("$set ") || what.starts_with("$min") || what.starts_with("$pull"))
    {
        let again = update.apply(Raw::trusted(&new), Some(filter));
        assert!(again.is_err() || again.is_ok_and(|again| again == new), "{what} twice");
    }
    true
}

#[test]
fn every_operator_at_every_path() {
    let filter = filter(r#"{"a": {"$in": [1, 5, null]}}"#);
    let documents = DOCUMENTS.map(bytes);
    let (mut parsed, mut applied, mut made) = (0, 0, 0);
    for operator in OPERATORS {
        for path in PATHS {
            for operand in OPERANDS {
                let text =
                    format!(r#"{{"{operator}": {{"{path}": {operand}}}, "$max": {{"n.o": 1}}}}"#);
                let text = if operator == "$max" {
                    format!(r#"{{"$max": {{"{path}": {operand}}}}}"#)
                } else {
                    text
                };
                let ids = path.contains("$[x]").then_some(r#"[{"x": {"$gt": 0}}]"#);
                let Ok(update) = parse_with(&text, ids, &Limits::default()) else { continue };
                parsed += 1;
                let what = format!("{operator} {path} {operand}");
                for document in &documents {
                    applied += usize::from(judge(&update, document, &filter, &what));
                }
                made += usize::from(update.upsert(&filter, [1; 12]).is_ok());
            }
        }
    }
    assert!(parsed > 1000 && applied > 3000 && made > 300, "{parsed} {applied} {made}");
}
