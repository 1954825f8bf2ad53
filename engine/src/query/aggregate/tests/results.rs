//! What comes out of groups, joins and windows.

use super::*;

const ORDERS: &str = r#"[{"_id": 1, "item": "nut"}, {"_id": 2, "item": ["nut", "gear"]}, {"_id": 3},
    {"_id": 4, "item": null}, {"_id": 5, "item": []}, {"_id": 6, "item": "none"}]"#;

fn stock() -> Others {
    // So many that the collection is read once into a hash table after the first question.
    let many: Vec<_> = (100..200).map(|id| format!(r#"{{"_id": {id}, "sku": "x{id}"}}"#)).collect();
    let text = format!(
        r#"[{{"_id": 1, "sku": "nut"}}, {{"_id": 2, "sku": "nut"}}, {{"_id": 3, "sku": null}}, {{"_id": 4}},
        {{"_id": 5, "sku": ["gear", "cog"]}}, {}]"#,
        many.join(",")
    );
    Others::with("stock", &text)
}

#[test]
fn a_lookup_joins_the_same_asking_or_hashed() {
    let pipeline = r#"[{"$lookup": {"from": "stock", "localField": "item", "foreignField": "sku", "as": "m"}},
        {"$project": {"m": "$m._id"}}]"#;
    let got = run_with(pipeline, ORDERS, stock()).unwrap();
    let wanted = [
        r#"{"_id":1,"m":[1,2]}"#,
        r#"{"_id":2,"m":[1,2,5]}"#,
        r#"{"_id":3,"m":[3,4]}"#,
        r#"{"_id":4,"m":[3,4]}"#,
        r#"{"_id":5,"m":[]}"#,
        r#"{"_id":6,"m":[]}"#,
    ];
    assert_eq!(got, wanted);
    let indexed = Others { indexed: true, ..stock() };
    let twice = format!("[{}, {}]", &ORDERS[1..ORDERS.len() - 1], &ORDERS[1..ORDERS.len() - 1]);
    let got = run_with(pipeline, &twice, indexed).unwrap();
    assert_eq!(got, [wanted, wanted].concat());
}

#[test]
fn a_lookup_with_variables_sees_those_of_the_outer_one() {
    let pipeline = r#"[{"$match": {"_id": 1}}, {"$lookup": {"from": "stock", "as": "m", "let": {"i": "$item"},
        "pipeline": [{"$match": {"$expr": {"$eq": ["$sku", "$$i"]}}},
            {"$lookup": {"from": "stock", "as": "n", "let": {"j": "$_id"}, "pipeline": [
                {"$match": {"$or": [{"_id": 5}, {"$expr": {"$eq": ["$$j", "$_id"]}}], "_id": {"$lt": 9}}},
                {"$project": {"both": ["$$i", "$$j"], "_id": 1}}]}},
            {"$project": {"n": 1, "_id": 0}}]}}]"#;
    let got = run_with(pipeline, ORDERS, stock()).unwrap();
    let wanted = concat!(
        r#"{"_id":1,"item":"nut","m":[{"n":[{"_id":1,"both":["nut",1]},{"_id":5,"both":["nut",1]}]},"#,
        r#"{"n":[{"_id":2,"both":["nut",2]},{"_id":5,"both":["nut",2]}]}]}"#
    );
    assert_eq!(got, [wanted]);
}

#[test]
fn a_graph_lookup_ends_in_cycles() {
    let people = r#"[{"_id": 1, "boss": 3}, {"_id": 2, "boss": 1}, {"_id": 3, "boss": 2}, {"_id": 4, "boss": 9}]"#;
    let pipeline = r#"[{"$match": {"_id": 1}}, {"$graphLookup": {"from": "people", "startWith": "$boss",
        "connectFromField": "boss", "connectToField": "_id", "as": "up", "depthField": "d"}},
        {"$project": {"up": {"$map": {"input": "$up", "in": ["$$this._id", "$$this.d"]}}}}]"#;
    let got = run_with(pipeline, people, Others::with("people", people)).unwrap();
    assert_eq!(got, [r#"{"_id":1,"up":[[3,0],[2,1],[1,2]]}"#]);
}

#[test]
fn sums_have_the_type_of_their_numbers() {
    let input = r#"[{"i": 2147483647, "l": {"$numberLong": "9223372036854775807"}, "d": 0.1, "m": {"$numberDecimal": "0.1"}},
        {"i": 1, "l": 1, "d": 0.2, "m": 1}]"#;
    let pipeline = r#"[{"$group": {"_id": null, "i": {"$sum": "$i"}, "l": {"$sum": "$l"}, "d": {"$sum": "$d"},
        "m": {"$sum": "$m"}, "a": {"$avg": "$i"}, "t": {"$sum": {"$type": "$i"}}}},
        {"$project": {"_id": 0, "i": 1, "l": 1, "d": 1, "m": {"$toString": "$m"}, "a": 1, "t": 1, "lt": {"$type": "$l"}}}]"#;
    let got = run(pipeline, input).unwrap();
    let wanted = concat!(
        r#"{"i":2147483648,"l":9.223372036854776e18,"d":0.30000000000000004,"a":1073741824.0,"#,
        r#""t":0,"m":"1.1","lt":"double"}"#
    );
    assert_eq!(got, [wanted]);
}

#[test]
fn groups_come_in_the_order_they_were_seen() {
    let input = r#"[{"k": "b"}, {"k": null}, {"k": 1.0}, {"k": "b"}, {}, {"k": 1}]"#;
    let pipeline = r#"[{"$group": {"_id": "$k", "n": {"$count": {}}}}]"#;
    let got = run(pipeline, input).unwrap();
    assert_eq!(got, [r#"{"_id":"b","n":2}"#, r#"{"_id":null,"n":2}"#, r#"{"_id":1.0,"n":2}"#]);
}

#[test]
fn accumulators_that_pick_and_measure() {
    let input =
        r#"[{"v": 5, "w": {"a": 1}}, {"v": 1}, {"v": 4, "w": {"b": 2, "a": 3}}, {"v": null}]"#;
    let pipeline = r#"[{"$group": {"_id": null, "f": {"$firstN": {"input": "$v", "n": 2}},
        "l": {"$lastN": {"input": "$v", "n": 2}}, "mi": {"$minN": {"input": "$v", "n": 2}},
        "w": {"$mergeObjects": "$w"}, "p": {"$percentile": {"input": "$v", "p": [0.5, 1], "method": "approximate"}},
        "me": {"$median": {"input": "$v", "method": "approximate"}},
        "one": {"$stdDevSamp": {"$cond": [{"$eq": ["$v", 5]}, "$v", null]}}, "sp": {"$stdDevPop": "$nope"}}}]"#;
    let got = run(pipeline, input).unwrap();
    let wanted = concat!(
        r#"{"_id":null,"f":[5,1],"l":[4,null],"mi":[1,4],"w":{"a":3,"b":2},"p":[4.0,5.0],"me":4.0,"#,
        r#""one":null,"sp":null}"#
    );
    assert_eq!(got, [wanted]);
}

#[test]
fn windows_by_documents_and_by_range() {
    let input = r#"[{"_id": 1, "t": 1, "v": 1}, {"_id": 2, "t": 2, "v": 2}, {"_id": 3, "t": 5, "v": 4}, {"_id": 4, "t": 6, "v": 8}]"#;
    let pipeline = r#"[{"$setWindowFields": {"sortBy": {"t": 1}, "output": {
        "near": {"$sum": "$v", "window": {"range": [-1, 1]}},
        "rest": {"$sum": "$v", "window": {"documents": ["current", "unbounded"]}},
        "prev": {"$shift": {"output": "$v", "by": -1, "default": 0}},
        "rate": {"$derivative": {"input": "$v"}, "window": {"documents": [-1, 0]}},
        "area": {"$integral": {"input": "$v"}, "window": {"documents": ["unbounded", "current"]}},
        "ema": {"$expMovingAvg": {"input": "$v", "N": 3}},
        "cov": {"$covariancePop": ["$t", "$v"], "window": {"documents": ["unbounded", "current"]}}}}},
        {"$project": {"_id": 0, "t": 0, "v": 0}}]"#;
    let got = run(pipeline, input).unwrap();
    let wanted = [
        r#"{"near":3,"rest":15,"prev":0,"rate":null,"area":0.0,"ema":1,"cov":0.0}"#,
        r#"{"near":3,"rest":14,"prev":1,"rate":1.0,"area":1.5,"ema":1.5,"cov":0.25}"#,
        r#"{"near":12,"rest":12,"prev":2,"rate":0.6666666666666666,"area":10.5,"ema":2.75,"cov":2.111111111111111}"#,
        r#"{"near":12,"rest":8,"prev":4,"rate":4.0,"area":16.5,"ema":5.375,"cov":5.125}"#,
    ];
    assert_eq!(got, wanted);
}

#[test]
fn windows_over_dates_go_by_units() {
    let input = r#"[{"_id": 1, "t": {"$date": "2024-01-31T00:00:00Z"}, "v": 1}, {"_id": 2, "t": {"$date": "2024-02-29T00:00:00Z"}, "v": 2},
        {"_id": 3, "t": {"$date": "2024-03-31T00:00:00Z"}, "v": 4}]"#;
    let pipeline = r#"[{"$setWindowFields": {"sortBy": {"t": 1}, "output": {
        "s": {"$sum": "$v", "window": {"range": [-1, "current"], "unit": "month"}}, "r": {"$rank": {}}}}},
        {"$project": {"t": 0, "v": 0}}]"#;
    let got = run(pipeline, input).unwrap();
    assert_eq!(
        got,
        [r#"{"_id":1,"s":1,"r":1}"#, r#"{"_id":2,"s":3,"r":2}"#, r#"{"_id":3,"s":6,"r":3}"#]
    );
}
