//! What is refused, and by which name.

use super::*;
use crate::error::Detail;

fn refused(pipeline: &str) -> crate::Error {
    parse(pipeline).err().unwrap_or_else(|| panic!("{pipeline} was not refused"))
}

fn stage_of(error: &crate::Error) -> &str {
    match error.detail("stage") {
        Some(Detail::Text(stage)) => stage,
        _ => "",
    }
}

#[test]
fn stages_that_are_not_allowed_are_refused_by_name() {
    for name in ["$out", "$merge", "$function", "$where", "$nosuch", "$collStats"] {
        let error = refused(&format!(r#"[{{"{name}": "x"}}]"#));
        assert_eq!(error.code(), "unsupported", "{name}");
        assert_eq!(stage_of(&error), name);
        assert!(error.message().contains(name), "{}", error.message());
    }
}

#[test]
fn malformed_stages_are_refused() {
    let malformed = [
        r#"{}"#,
        r#"[5]"#,
        r#"[{}]"#,
        r#"[{"$limit": 0}]"#,
        r#"[{"$limit": 1.5}]"#,
        r#"[{"$skip": -1}]"#,
        r#"[{"$sort": {}}]"#,
        r#"[{"$sort": {"a": 2}}]"#,
        r#"[{"$count": ""}]"#,
        r#"[{"$count": "a.b"}]"#,
        r#"[{"$unwind": "a"}]"#,
        r#"[{"$unwind": {"path": "$a", "nosuch": 1}}]"#,
        r#"[{"$group": {"_id": 1, "a.b": {"$sum": 1}}}]"#,
        r#"[{"$group": {"_id": 1, "a": {"$sum": 1, "$avg": 1}}}]"#,
        r#"[{"$group": {"_id": 1, "a": {"$sum": [1, 2]}}}]"#,
        r#"[{"$lookup": {"from": "x", "as": "y", "localField": "a"}}]"#,
        r#"[{"$facet": {}}]"#,
        r#"[{"$facet": {"a": [{"$lookup": {"from": "x", "as": "y", "pipeline": [{"$facet": {"b": []}}]}}]}}]"#,
        r#"[{"$limit": 1}, {"$documents": []}]"#,
        r#"[{"$match": {}}, {"$geoNear": {"near": [0, 0], "key": "p", "distanceField": "d"}}]"#,
        r#"[{"$bucketAuto": {"groupBy": "$a", "buckets": 0}}]"#,
        r#"[{"$setWindowFields": {"output": {"a": {"$rank": {}}}}}]"#,
        r#"[{"$setWindowFields": {"sortBy": {"t": -1}, "output": {"a": {"$sum": "$v", "window": {"range": [-1, 0]}}}}}]"#,
        r#"[{"$densify": {"field": "t", "range": {"step": 0, "bounds": "full"}}}]"#,
        r#"[{"$sample": {"size": 0}}]"#,
    ];
    for pipeline in malformed {
        refused(pipeline);
    }
}

#[test]
fn limits_are_named() {
    let limits = Limits { query_clauses: 3, query_depth: 2, ..Limits::default() };
    let parse = |pipeline: &str| parse_with(pipeline, &limits, Trust::Ordinary);
    assert!(parse(r#"[{"$skip": 1}, {"$skip": 1}, {"$skip": 1}]"#).is_ok());
    let nested = r#"[{"$facet": {"a": [{"$skip": 1}, {"$skip": 1}, {"$skip": 1}]}}]"#;
    let error = parse(nested).err().unwrap();
    assert_eq!(error.detail("limit"), Some(&Detail::from("limits.query_clauses")));
    let deep = r#"[{"$unionWith": {"coll": "x", "pipeline": [{"$unionWith": {"coll": "x",
        "pipeline": [{"$unionWith": {"coll": "x", "pipeline": []}}]}}]}}]"#;
    let error = parse(deep).err().unwrap();
    assert_eq!(error.detail("limit"), Some(&Detail::from("limits.query_depth")));
}

#[test]
fn an_administrator_may_write_the_output() {
    use super::super::{OutputMode, WhenMatched, WhenNotMatched};
    let parse = |pipeline: &str| parse_with(pipeline, &Limits::default(), Trust::Admin);
    let pipeline = parse(r#"[{"$limit": 1}, {"$out": "copy"}]"#).unwrap();
    assert_eq!(pipeline.output().map(|output| output.collection.as_str()), Some("copy"));
    let merge = r#"[{"$merge": {"into": "copy", "on": ["a", "b"], "whenMatched": "keepExisting",
        "whenNotMatched": "discard"}}]"#;
    let pipeline = parse(merge).unwrap();
    let mode = OutputMode::Merge {
        on: vec!["a".to_owned(), "b".to_owned()],
        when_matched: WhenMatched::KeepExisting,
        when_not_matched: WhenNotMatched::Discard,
    };
    assert_eq!(pipeline.output().map(|output| output.mode.clone()), Some(mode));
    assert!(parse(r#"[{"$out": "copy"}, {"$limit": 1}]"#).is_err());
    assert!(parse(r#"[{"$facet": {"a": [{"$out": "copy"}]}}]"#).is_err());
}
