//! The smaller stages, and what a pipeline says about itself.

use super::super::document::{add_path, set_path};
use super::*;

#[test]
fn paths_are_set_in_place_or_at_the_end() {
    let set = |document: &str, path: &str, value: Option<&str>| {
        let (document, mut out) = (encode(document), Vec::new());
        let value = value.map(encode);
        set_path(Raw::trusted(&document), path, value.as_deref(), &mut out);
        show(&out)
    };
    assert_eq!(set(r#"{"a": 1, "b": 2}"#, "a", Some("[]")), r#"{"a":[],"b":2}"#);
    assert_eq!(set(r#"{"a": 1, "b": 2}"#, "a", None), r#"{"b":2}"#);
    assert_eq!(set(r#"{"a": 1}"#, "c.d", Some("3")), r#"{"a":1,"c":{"d":3}}"#);
    assert_eq!(set(r#"{"a": {"x": 1, "y": 2}}"#, "a.x", None), r#"{"a":{"y":2}}"#);
    assert_eq!(set(r#"{"a": 1}"#, "b.c", None), r#"{"a":1}"#);
    assert_eq!(set(r#"{"a": 1}"#, "a.c", Some("3")), r#"{"a":{"c":3}}"#);
    let (document, mut out) = (encode(r#"{"a": [{"x": 1}, 5]}"#), Vec::new());
    add_path(Raw::trusted(&document), "a.y", &encode("2"), &mut out);
    assert_eq!(show(&out), r#"{"a":[{"x":1,"y":2},{"y":2}]}"#);
    // More than fifteen members have a longer header.
    let many: Vec<_> = (0..15).map(|index| format!(r#""f{index}": {index}"#)).collect();
    let more = set(&format!("{{{}}}", many.join(",")), "last", Some("1"));
    assert!(more.starts_with(r#"{"f0":0,"#) && more.ends_with(r#""f14":14,"last":1}"#), "{more}");
}

#[test]
fn an_unwind_keeps_what_is_asked_for() {
    let input = r#"[{"_id": 1, "a": [7, [8]]}, {"_id": 2, "a": []}, {"_id": 3, "a": null}, {"_id": 4}, {"_id": 5, "a": 9}]"#;
    let plain = run(r#"[{"$unwind": "$a"}]"#, input).unwrap();
    assert_eq!(plain, [r#"{"_id":1,"a":7}"#, r#"{"_id":1,"a":[8]}"#, r#"{"_id":5,"a":9}"#]);
    let pipeline = r#"[{"$unwind": {"path": "$a", "preserveNullAndEmptyArrays": true, "includeArrayIndex": "x.i"}}]"#;
    let wanted = [
        r#"{"_id":1,"a":7,"x":{"i":0}}"#,
        r#"{"_id":1,"a":[8],"x":{"i":1}}"#,
        r#"{"_id":2,"x":{"i":null}}"#,
        r#"{"_id":3,"a":null,"x":{"i":null}}"#,
        r#"{"_id":4,"x":{"i":null}}"#,
        r#"{"_id":5,"a":9,"x":{"i":null}}"#,
    ];
    assert_eq!(run(pipeline, input).unwrap(), wanted);
}

#[test]
fn the_front_of_a_pipeline_can_be_answered_by_an_index() {
    let pipeline = parse(
        r#"[{"$match": {"a": 1}}, {"$sort": {"b": -1}}, {"$match": {"c": 2}}, {"$limit": 3}, {"$skip": 1}]"#,
    )
    .unwrap();
    let prefix = pipeline.prefix();
    let filter = prefix.filter.map(|filter| show(&filter));
    assert_eq!(filter.as_deref(), Some(r#"{"$and":[{"a":1},{"c":2}]}"#));
    assert_eq!((prefix.after_filter, prefix.after_sort, prefix.consumed), (2, 3, 4));
    assert_eq!(
        prefix.sort.map(|sort| show(&sort.to_value().to_bytes())).as_deref(),
        Some(r#"{"b":-1}"#)
    );
    assert_eq!(prefix.limit, Some(3));
    let collections: Arc<dyn Collections> = Arc::new(Others::default());
    let budget = Budget::unlimited();
    let input = list(r#"[{"_id": 1}, {"_id": 2}, {"_id": 3}]"#);
    let after = pipeline.run_after(
        prefix.consumed,
        Box::new(input.into_iter().map(Ok)),
        &collections,
        &budget,
    );
    assert_eq!(after.unwrap().count(), 2);
    let none = parse(r#"[{"$skip": 1}]"#).unwrap();
    assert_eq!(none.prefix().consumed, 0);
}

#[test]
fn a_pipeline_says_what_it_reads() {
    let pipeline = parse(
        r#"[{"$lookup": {"from": "b", "as": "x", "pipeline": [{"$unionWith": "c"}]}},
        {"$facet": {"f": [{"$graphLookup": {"from": "a", "startWith": 1, "connectFromField": "x",
            "connectToField": "y", "as": "z"}}]}}, {"$unionWith": "b"}]"#,
    )
    .unwrap();
    assert_eq!(pipeline.collections(), ["a", "b", "c"]);
    assert_eq!(pipeline.needs(), None);
    let needs = |pipeline: &str| parse(pipeline).unwrap().needs().map(|needs| needs.join(","));
    let group = r#"[{"$match": {"s": 1, "$or": [{"t.u": 2}]}}, {"$group": {"_id": "$a.b", "n": {"$sum": {"$add": ["$c", 1]}}}}]"#;
    assert_eq!(needs(group).as_deref(), Some("a,c,s,t"));
    assert_eq!(needs(r#"[{"$project": {"x": 1, "y.z": "$w"}}]"#).as_deref(), Some("_id,w,x,y"));
    assert_eq!(needs(r#"[{"$project": {"x": 0}}]"#), None);
    assert_eq!(needs(r#"[{"$group": {"_id": 1, "all": {"$push": "$$ROOT"}}}]"#), None);
}

#[test]
fn gaps_are_filled_with_documents() {
    let input = r#"[{"_id": 1, "g": "a", "t": 1}, {"_id": 2, "g": "a", "t": 4}, {"_id": 3, "g": "b", "t": 2}, {"_id": 4, "g": "b"}]"#;
    let show = |bounds: &str| {
        let pipeline = format!(
            r#"[{{"$densify": {{"field": "t", "partitionByFields": ["g"], "range": {{"step": 1, "bounds": {bounds}}}}}}},
            {{"$project": {{"_id": 0}}}}]"#
        );
        let got = run(&pipeline, input).unwrap();
        let short: Vec<_> = got.iter().map(|line| line.replace([' ', '"', '{', '}'], "")).collect();
        short.join(" ").replace("g:", "").replace(",t:", "")
    };
    assert_eq!(show(r#""partition""#), "a1 a2 a3 a4 b b2");
    assert_eq!(show(r#""full""#), "a1 a2 a3 a4 b b1 b2 b3 b4");
    assert_eq!(show("[0, 3]"), "a0 a1 a2 a4 b b0 b1 b2");
}

#[test]
fn buckets_of_equal_size() {
    let input = r#"[{"v": 1}, {"v": 2}, {"v": 2}, {"v": 2}, {"v": 5}, {"v": 6}]"#;
    let got = run(r#"[{"$bucketAuto": {"groupBy": "$v", "buckets": 3}}]"#, input).unwrap();
    assert_eq!(
        got,
        [r#"{"_id":{"min":1,"max":5},"count":4}"#, r#"{"_id":{"min":5,"max":6},"count":2}"#]
    );
    let bucket = r#"[{"$bucket": {"groupBy": "$v", "boundaries": [2, 5, 9], "default": "other"}}]"#;
    let got = run(bucket, input).unwrap();
    assert_eq!(
        got,
        [r#"{"_id":2,"count":3}"#, r#"{"_id":5,"count":2}"#, r#"{"_id":"other","count":1}"#]
    );
}

#[test]
fn the_nearest_come_first() {
    let input = r#"[{"_id": 1, "p": [3, 4]}, {"_id": 2, "p": {"type": "Point", "coordinates": [0, 1]}}, {"_id": 3}, {"_id": 4, "p": [[9, 9], [1, 0]]}]"#;
    let pipeline = r#"[{"$geoNear": {"near": [0, 0], "key": "p", "distanceField": "d", "maxDistance": 5}}, {"$project": {"d": 1}}]"#;
    let got = run(pipeline, input).unwrap();
    assert_eq!(got, [r#"{"_id":2,"d":1.0}"#, r#"{"_id":4,"d":1.0}"#, r#"{"_id":1,"d":5.0}"#]);
    let pipeline = r#"[{"$geoNear": {"near": {"type": "Point", "coordinates": [0, 0]}, "key": "p", "distanceField": "d", "query": {"_id": 2}}},
        {"$project": {"d": {"$round": ["$d", 0]}}}]"#;
    assert_eq!(run(pipeline, input).unwrap(), [r#"{"_id":2,"d":111319.0}"#]);
}

#[test]
fn small_stages() {
    let input = r#"[{"_id": 1}, {"_id": 2}, {"_id": 3}]"#;
    assert_eq!(run(r#"[{"$sample": {"size": 2}}]"#, input).unwrap().len(), 2);
    assert_eq!(
        run(r#"[{"$sample": {"size": 9}}, {"$count": "n"}]"#, input).unwrap(),
        [r#"{"n":3}"#]
    );
    assert_eq!(
        run(r#"[{"$documents": [{"a": {"$add": [1, 2]}}]}]"#, input).unwrap(),
        [r#"{"a":3}"#]
    );
    let pipeline = r#"[{"$unionWith": {"pipeline": [{"$documents": [{"a": 1}]}]}}, {"$skip": 3}]"#;
    assert_eq!(run(pipeline, input).unwrap(), [r#"{"a":1}"#]);
    let pipeline = r#"[{"$fill": {"output": {"v": {"value": "$_id"}}}}, {"$limit": 1}]"#;
    assert_eq!(run(pipeline, input).unwrap(), [r#"{"_id":1,"v":1}"#]);
}
