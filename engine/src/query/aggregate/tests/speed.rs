//! How long a document takes; run with `--ignored --nocapture` and optimization.

use std::time::Instant;

use super::*;

#[test]
#[ignore = "measures; says nothing without optimization"]
fn stages_over_a_million_documents() {
    const COUNT: u32 = 1_000_000;
    let input: Vec<Bytes> = (0..COUNT)
        .map(|index| {
            let group = index.wrapping_mul(2_654_435_761) % 1000;
            Bytes::from(encode(&format!(
                r#"{{"_id": {index}, "name": "document", "x": "group {group}", "y": {index}, "z": 1.5}}"#
            )))
        })
        .collect();
    let pipelines = [
        r#"[{"$count": "n"}]"#,
        r#"[{"$group": {"_id": "$x", "n": {"$sum": "$y"}}}, {"$count": "n"}]"#,
        r#"[{"$group": {"_id": "$y", "n": {"$sum": 1}}}, {"$count": "n"}]"#,
        r#"[{"$sort": {"y": -1}}, {"$limit": 10}, {"$count": "n"}]"#,
        r#"[{"$sort": {"x": 1}}, {"$count": "n"}]"#,
        r#"[{"$match": {"y": {"$gte": 500000}}}, {"$count": "n"}]"#,
    ];
    for pipeline in pipelines {
        let limits = Limits { query_memory_bytes: 1 << 32, ..Limits::default() };
        let context = Context { limits: &limits, now_ms: 0, trust: Trust::Ordinary };
        let parsed = Pipeline::parse(Raw::trusted(&encode(pipeline)), &context).unwrap();
        let collections: Arc<dyn Collections> = Arc::new(Others::spilling());
        let (budget, input) = (Budget::unlimited(), input.clone());
        let start = Instant::now();
        let results = parsed.run(Box::new(input.into_iter().map(Ok)), &collections, &budget);
        let results = results.unwrap().count();
        let nanos = start.elapsed().as_nanos() / u128::from(COUNT);
        println!("{nanos:6} ns a document, {results} results: {pipeline}");
    }
}
