//! Memory and time: what spills gives the same, what cannot spill ends with the limit's name.

use super::*;
use crate::clock::SharedClock;

fn budget(memory: u64) -> Budget {
    let clock: SharedClock = ManualClock::new(0, 1);
    Budget::new(&clock, &Limits { query_memory_bytes: memory, ..Limits::default() })
}

/// Documents in no order, with many equal keys.
fn documents(count: u64) -> Vec<Bytes> {
    let text: Vec<_> = (0..count)
        .map(|index| {
            let mixed = index.wrapping_mul(0x9e37_79b9) % 1009;
            format!(
                r#"{{"_id": {index}, "k": {mixed}, "g": "group {}", "v": {index}}}"#,
                mixed % 400
            )
        })
        .collect();
    list(&format!("[{}]", text.join(",")))
}

fn without_spill() -> Others {
    Others::default()
}

#[test]
fn a_spilling_sort_gives_the_same() {
    let pipeline = r#"[{"$sort": {"k": 1}}]"#;
    let input = documents(3000);
    let wanted = run_in(pipeline, input.clone(), Others::spilling(), &Budget::unlimited()).unwrap();
    for memory in [20_000, 100_000, 400_000] {
        let budget = budget(memory);
        let got = run_in(pipeline, input.clone(), Others::spilling(), &budget).unwrap();
        assert_eq!(got, wanted, "with {memory} bytes");
        assert!(budget.has_memory(memory as usize), "memory was not given back");
    }
    let refused = run_in(pipeline, input, without_spill(), &budget(20_000));
    assert_eq!(code(refused), "limit_exceeded");
}

#[test]
fn a_top_k_gives_the_same_as_a_whole_sort() {
    let input = documents(2000);
    let whole =
        run_in(r#"[{"$sort": {"k": -1}}]"#, input.clone(), without_spill(), &Budget::unlimited())
            .unwrap();
    let pipeline = r#"[{"$sort": {"k": -1}}, {"$skip": 5}, {"$limit": 20}]"#;
    let top = run_in(pipeline, input.clone(), without_spill(), &budget(60_000)).unwrap();
    assert_eq!(top, whole[5..25]);
    // Even the first k do not fit: everything is sorted in runs.
    let pipeline = r#"[{"$sort": {"k": -1}}, {"$limit": 500}]"#;
    let top = run_in(pipeline, input, Others::spilling(), &budget(20_000)).unwrap();
    assert_eq!(top, whole[..500]);
}

#[test]
fn a_spilling_group_gives_the_same() {
    let pipeline = r#"[{"$group": {"_id": "$g", "n": {"$sum": 1}, "s": {"$sum": "$v"},
        "first": {"$first": "$v"}, "miss": {"$min": "$nope"},
        "top": {"$top": {"sortBy": {"k": -1, "v": 1}, "output": "$v"}},
        "all": {"$push": "$v"}}}]"#;
    let input = documents(4000);
    let mut wanted =
        run_in(pipeline, input.clone(), Others::spilling(), &Budget::unlimited()).unwrap();
    assert_eq!(wanted.len(), 400);
    wanted.sort();
    for memory in [30_000, 100_000, 200_000] {
        let budget = budget(memory);
        let mut got = run_in(pipeline, input.clone(), Others::spilling(), &budget).unwrap();
        got.sort();
        assert_eq!(got, wanted, "with {memory} bytes");
        assert!(budget.has_memory(memory as usize), "memory was not given back");
    }
    let refused = run_in(pipeline, input, without_spill(), &budget(30_000));
    assert_eq!(code(refused), "limit_exceeded");
}

#[test]
fn what_must_keep_everything_is_limited() {
    let pipelines = [
        r#"[{"$facet": {"a": []}}]"#,
        r#"[{"$bucketAuto": {"groupBy": "$k", "buckets": 3}}]"#,
        r#"[{"$setWindowFields": {"sortBy": {"k": 1}, "output": {"r": {"$rank": {}}}}}]"#,
        r#"[{"$group": {"_id": null, "all": {"$push": "$$ROOT"}}}]"#,
        r#"[{"$group": {"_id": null, "all": {"$addToSet": "$_id"}}}]"#,
    ];
    for pipeline in pipelines {
        let refused = run_in(pipeline, documents(2000), Others::spilling(), &budget(30_000));
        assert_eq!(code(refused), "limit_exceeded", "{pipeline}");
    }
}

#[test]
fn a_product_of_collections_ends_by_the_deadline() {
    let pipelines = [
        r#"[{"$lookup": {"from": "other", "as": "all", "pipeline": []}}, {"$count": "n"}]"#,
        r#"[{"$lookup": {"from": "other", "as": "all", "let": {"x": "$_id"},
            "pipeline": [{"$match": {"$expr": {"$eq": ["$$x", "$_id"]}}}]}}]"#,
        r#"[{"$lookup": {"from": "other", "localField": "k", "foreignField": "k", "as": "all"}}]"#,
        r#"[{"$graphLookup": {"from": "other", "startWith": "$k", "connectFromField": "v",
            "connectToField": "_id", "as": "all"}}]"#,
        r#"[{"$unionWith": "other"}, {"$count": "n"}]"#,
    ];
    for pipeline in pipelines {
        let manual = ManualClock::new(0, 1);
        let clock: SharedClock = manual.clone();
        let budget = Budget::new(&clock, &Limits { query_deadline_ms: 500, ..Limits::default() });
        let mut others = Others { clock: Some(manual), ..Others::default() };
        others.documents.insert("other".to_owned(), documents(1000));
        let ended = run_in(pipeline, documents(1000), others, &budget);
        assert_eq!(code(ended), "limit_exceeded", "{pipeline}");
    }
}
