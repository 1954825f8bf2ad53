//! Hostile queries: each ends in time, with a result or with an error that names its limit (promise S6).
//!
//! Guarantees: the deadline of 200 ms plus a second, ten times that in a debug build, for each of more than 200 queries;
//! the peak of the process's memory stays near the budget's 32 MiB, where the system tells it.
//! Leaves to others: random ones (`fuzz`).

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test binary fails by panicking, and measures time"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use headwater_engine::clock::SystemClock;
use headwater_engine::limits::Limits;
use headwater_engine::query::aggregate::{Collections, Documents, Pipeline};
use headwater_engine::query::{Budget, Context, Filter, Trust, Update};
use headwater_engine::value::ejson::{self, Mode};
use headwater_engine::value::{Raw, check};
use headwater_engine::{ErrorKind, Result};

const BUDGET_BYTES: u64 = 32 << 20;
/// What one document, its copies and the harness itself may take beside the budget.
const BESIDE_BYTES: u64 = 160 << 20;

fn limits() -> Limits {
    Limits {
        query_deadline_ms: 200,
        query_memory_bytes: BUDGET_BYTES,
        query_result_bytes: 8 << 20,
        document_bytes: 4 << 20,
        ..Limits::default()
    }
}

/// What a query is run over.
struct World {
    documents: Vec<Bytes>,
}

impl Collections for World {
    fn documents(&self, _collection: &str, _filter: Option<Raw<'_>>) -> Result<Documents<'_>> {
        Ok(Box::new(self.documents.iter().cloned().map(Ok)))
    }

    fn spill(&self) -> Option<std::io::Result<std::fs::File>> {
        Some(tempfile::tempfile())
    }
}

fn encode(text: &str, mode: Mode) -> Vec<u8> {
    let limits = Limits { body_bytes: u64::MAX, nesting: 200, ..Limits::default() };
    ejson::parse_value(text.as_bytes(), &limits, mode).unwrap()
}

/// A few thousand small documents, and some that are large or odd.
fn world() -> World {
    let small = (0..3_000).map(|id| {
        format!(
            r#"{{"_id":{id},"v":{id},"w":{},"s":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{id}","t":[1,2,3,4,5,6,7,8],"to":{},"d":{{"$date":"2020-01-01T00:00:{:02}Z"}}}}"#,
            id % 7,
            (id * 7 + 1) % 3_000,
            id % 60
        )
    });
    let list = |count: usize, element: &str| vec![element; count].join(",");
    let large = [
        format!(r#"{{"_id":"numbers","t":[{}]}}"#, list(200_000, "1")),
        format!(r#"{{"_id":"texts","t":[{}]}}"#, list(40_000, "\"aaaaaaaaaaaaaaaaaaaaaaaa!\"")),
        format!(r#"{{"_id":"objects","t":[{}]}}"#, list(40_000, r#"{"x":1,"y":[1,2]}"#)),
        format!(r#"{{"_id":"text","s":"{}"}}"#, "a".repeat(1_000_000)),
        format!(r#"{{"_id":"deep","t":{}1{}}}"#, "[".repeat(90), "]".repeat(90)),
        format!(
            r#"{{"_id":"wide",{}}}"#,
            (0..20_000).map(|at| format!("\"f{at}\":{at}")).collect::<Vec<_>>().join(",")
        ),
        r#"{"_id":"odd","v":{"$numberDouble":"NaN"},"s":"\u0000\ufffd","t":[[],[[]],null]}"#
            .to_owned(),
    ];
    let documents = small.chain(large).map(|text| encode(&text, Mode::Data).into());
    World { documents: documents.collect() }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Filter,
    Update,
    Pipeline,
}

/// `open` so many times around `inner`.
fn deep(open: &str, inner: &str, close: &str, times: usize) -> String {
    format!("{}{inner}{}", open.repeat(times), close.repeat(times))
}

fn many(count: usize, each: impl Fn(usize) -> String) -> String {
    (0..count).map(each).collect::<Vec<_>>().join(",")
}

const REGEXES: [&str; 16] = [
    "(a+)+$",
    "(a|aa)+$",
    "(a|a?)+b",
    "(.*a){20}b",
    "(?=(a+))a*b",
    "(a+)\\\\1+b",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "(?<!a)(a*)*b",
    "a{1000}{1000}",
    "(((a{100}){100}){100}){100}",
    "(x+x+)+y",
    "(?>a+)b|(?=a)a*a*a*a*a*c",
    "[^b]*[^c]*[^d]*[^e]*f",
    "(?i)(a+)+\\\\1$",
    "(\\\\w+\\\\s*)+:",
    "\\\\p{L}{1,1000}\\\\p{N}{1,1000}z",
];

fn filters() -> Vec<String> {
    let mut all = Vec::new();
    for times in [10, 31, 33, 95] {
        all.push(deep(r#"{"$and":["#, r#"{"v":1}"#, "]}", times));
        all.push(deep(r#"{"$nor":["#, r#"{"v":1}"#, "]}", times));
        all.push(format!(r#"{{"t":{}}}"#, deep(r#"{"$elemMatch":"#, r#"{"$gt":0}"#, "}", times)));
        all.push(format!(r#"{{"t":{}}}"#, deep(r#"{"$not":"#, r#"{"$gt":0}"#, "}", times)));
        all.push(format!(r#"{{"$expr":{}}}"#, deep(r#"{"$add":[1,"#, "1", "]}", times)));
        all.push(format!(r#"{{"$expr":{}}}"#, deep(r#"{"$cond":[true,"#, "1", ",2]}", times)));
        all.push(format!(r#"{{"$jsonSchema":{}}}"#, deep(r#"{"not":"#, "{}", "}", times)));
        all.push(format!(
            r#"{{"$jsonSchema":{}}}"#,
            deep(r#"{"properties":{"t":{"items":"#, "{}", "}}}", times / 3)
        ));
        all.push(format!(r#"{{"v":{}}}"#, deep("[", "1", "]", times)));
        all.push(format!(r#"{{"t{}":1}}"#, ".0".repeat(times)));
    }
    for count in [99, 1_000, 10_000] {
        all.push(format!(r#"{{"$or":[{}]}}"#, many(count, |at| format!(r#"{{"v":{at}}}"#))));
        all.push(format!(r#"{{{}}}"#, many(count, |at| format!(r#""f{at}":{at}"#))));
        all.push(format!(r#"{{"t":{{"$in":[{}]}}}}"#, many(count, |at| format!("\"{at}\""))));
        all.push(format!(r#"{{"t":{{"$nin":[{}]}}}}"#, many(count, |at| format!("{at}.5"))));
        all.push(format!(r#"{{"t":{{"$all":[{}]}}}}"#, many(count, |at| at.to_string())));
        all.push(format!(
            r#"{{"$or":[{}]}}"#,
            many(count, |_| r#"{"t":{"$regex":"(?=a)(a+)+b"}}"#.to_owned())
        ));
        all.push(format!(
            r#"{{"t":{{"$in":[{}]}}}}"#,
            many(count, |at| format!(
                r#"{{"$regularExpression":{{"pattern":"(a+)+{at}$","options":""}}}}"#
            ))
        ));
        all.push(format!(
            r#"{{"$jsonSchema":{{"anyOf":[{}]}}}}"#,
            many(count, |at| format!(
                r#"{{"properties":{{"t":{{"items":{{"enum":[{at}.5]}}}}}}}}"#
            ))
        ));
        all.push(format!(
            r#"{{"$expr":{{"$or":[{}]}}}}"#,
            many(count, |_| r#"{"$eq":[{"$sum":"$t"},-1]}"#.to_owned())
        ));
        all.push(format!(
            r#"{{"$or":[{}]}}"#,
            many(count, |_| r#"{"$expr":{"$eq":[{"$sum":"$t"},-1]}}"#.to_owned())
        ));
        all.push(format!(
            r#"{{"$text":{{"$search":"{}"}}}}"#,
            "-word \\\"phrase of words\\\" ".repeat(count)
        ));
        all.push(format!(
            r#"{{"loc":{{"$geoWithin":{{"$polygon":[{}]}}}}}}"#,
            many(count, |at| format!("[{at},{}]", at % 7))
        ));
    }
    for pattern in REGEXES {
        all.push(format!(r#"{{"s":{{"$regex":"{pattern}"}}}}"#));
        all.push(format!(r#"{{"t":{{"$not":{{"$regex":"{pattern}","$options":"imsx"}}}}}}"#));
        all.push(format!(
            r#"{{"$expr":{{"$regexMatch":{{"input":{{"$toString":"$s"}},"regex":"{pattern}"}}}}}}"#
        ));
        all.push(format!(r#"{{"$jsonSchema":{{"properties":{{"s":{{"pattern":"{pattern}"}},"t":{{"items":{{"pattern":"{pattern}"}}}}}}}}}}"#));
        all.push(format!(
            r#"{{"$jsonSchema":{{"patternProperties":{{"{pattern}":{{"type":"string"}}}}}}}}"#
        ));
    }
    all.extend(
        [
            r#"{"v":{"$mod":[1e308,0.1]}}"#,
            r#"{"v":{"$gt":{"$numberDecimal":"9.999999999999999999999999999999999E+6144"}}}"#,
            r#"{"v":{"$bitsAllSet":[0,63,64,2147483647]}}"#,
            r#"{"v":{"$bitsAllSet":[9999999999]}}"#,
            r#"{"s":"\ud800"}"#,
            r#"{"t":{"$size":9223372036854775807}}"#,
            r#"{"$jsonSchema":{"$ref":"\#"}}"#,
            r#"{"$jsonSchema":{"properties":{"t":{"uniqueItems":true}}}}"#,
            r#"{"$expr":{"$setUnion":["$t","$t"]}}"#,
            r#"{"$expr":{"$setEquals":["$t",{"$reverseArray":"$t"}]}}"#,
            r#"{"$where":"while(true);"}"#,
            r#"{"$expr":{"$function":{"body":"while(true);","args":[],"lang":"js"}}}"#,
        ]
        .map(str::to_owned),
    );
    all
}

fn updates() -> Vec<String> {
    let mut all = Vec::new();
    for place in ["1000", "100000", "2147483647", "99999999999999999999"] {
        all.push(format!(r#"{{"$set":{{"t.{place}":1}}}}"#));
        all.push(format!(r#"{{"$set":{{"t.{place}.{place}.{place}":1}}}}"#));
        all.push(format!(r#"{{"$push":{{"t":{{"$each":[1],"$position":{place}}}}}}}"#));
        all.push(format!(r#"{{"$push":{{"t":{{"$each":[1],"$slice":{place}}}}}}}"#));
    }
    for count in [90, 1_000, 10_000] {
        all.push(format!(
            r#"{{"$push":{{"t":{{"$each":[{}],"$sort":-1}}}}}}"#,
            many(count, |at| at.to_string())
        ));
        all.push(format!(
            r#"{{"$addToSet":{{"t":{{"$each":[{}]}}}}}}"#,
            many(count, |at| format!("{at}.5"))
        ));
        all.push(format!(r#"{{"$pullAll":{{"t":[{}]}}}}"#, many(count, |at| format!("{at}.5"))));
        all.push(format!(
            r#"{{"$pull":{{"t":{{"$in":[{}]}}}}}}"#,
            many(count, |at| format!("{at}.5"))
        ));
        all.push(format!(r#"{{"$set":{{{}}}}}"#, many(count, |at| format!(r#""n{at}":{at}"#))));
        all.push(format!(r#"{{"$set":{{{}}}}}"#, many(count, |at| format!(r#""t.{at}.x":{at}"#))));
        all.push(format!(
            r#"[{}]"#,
            many(count, |_| r#"{"$set":{"t":{"$concatArrays":["$t","$t"]}}}"#.to_owned())
        ));
        all.push(format!(r#"[{}]"#, many(count, |_| r#"{"$set":{"x":{"$reduce":{"input":"$t","initialValue":0,"in":{"$add":["$$value",{"$size":"$t"}]}}}}}"#.to_owned())));
        all.push(format!(r#"[{{"$set":{{{}}}}}]"#, many(count, |at| format!(r#""x{at}":{{"$sortArray":{{"input":{{"$concatArrays":["$t","$t"]}},"sortBy":-1}}}}"#))));
        all.push(format!(r#"{{"$set":{{"a{}":1}}}}"#, ".b".repeat(count)));
        all.push(format!(
            r#"{{"$rename":{{{}}}}}"#,
            many(count, |at| format!(r#""f{at}":"g{at}""#))
        ));
    }
    for pattern in REGEXES {
        all.push(format!(r#"{{"$pull":{{"t":{{"$regex":"{pattern}"}}}}}}"#));
    }
    all.push(r#"{"$inc":{"v":1e308}}"#.to_owned());
    all.push(r#"{"$set":{"t.$[].y.$[]":{"a":[[[[1]]]]}}}"#.to_owned());
    all
}

fn pipelines() -> Vec<String> {
    let mut all: Vec<String> = [
        r##"[{"$unwind":"$t"},{"$lookup":{"from":"o","pipeline":[],"as":"x"}},{"$unwind":"$x"},{"$count":"n"}]"##,
        r##"[{"$lookup":{"from":"o","localField":"w","foreignField":"w","as":"x"}},{"$unwind":"$x"},{"$lookup":{"from":"o","localField":"x.w","foreignField":"w","as":"y"}},{"$unwind":"$y"},{"$count":"n"}]"##,
        r##"[{"$lookup":{"from":"o","let":{"v":"$v"},"pipeline":[{"$match":{"$expr":{"$gt":["$v","$$v"]}}},{"$sort":{"s":1}}],"as":"x"}},{"$count":"n"}]"##,
        r##"[{"$lookup":{"from":"o","pipeline":[{"$lookup":{"from":"o","pipeline":[{"$lookup":{"from":"o","pipeline":[],"as":"x"}}],"as":"x"}}],"as":"x"}}]"##,
        r##"[{"$graphLookup":{"from":"o","startWith":"$to","connectFromField":"to","connectToField":"v","as":"g"}},{"$count":"n"}]"##,
        r##"[{"$graphLookup":{"from":"o","startWith":"$w","connectFromField":"w","connectToField":"w","as":"g","depthField":"d"}}]"##,
        r##"[{"$unionWith":"o"},{"$unionWith":"o"},{"$unionWith":{"coll":"o","pipeline":[{"$unionWith":"o"}]}},{"$sort":{"s":1}}]"##,
        r##"[{"$facet":{"a":[{"$unwind":"$t"}],"b":[{"$unwind":"$t"}],"c":[{"$sort":{"s":1}}],"d":[{"$group":{"_id":"$s","x":{"$push":"$$ROOT"}}}]}}]"##,
        r##"[{"$group":{"_id":null,"x":{"$push":"$$ROOT"}}},{"$unwind":"$x"},{"$group":{"_id":null,"y":{"$push":"$$ROOT"}}}]"##,
        r##"[{"$group":{"_id":null,"x":{"$addToSet":"$t"},"y":{"$mergeObjects":"$$ROOT"}}}]"##,
        r##"[{"$group":{"_id":null,"x":{"$topN":{"n":1000000,"sortBy":{"s":1},"output":"$$ROOT"}},"y":{"$median":{"input":"$v","method":"approximate"}}}}]"##,
        r##"[{"$unwind":"$t"},{"$unwind":"$t"},{"$group":{"_id":"$t"}}]"##,
        r##"[{"$bucketAuto":{"groupBy":"$s","buckets":2147483647}}]"##,
        r##"[{"$bucketAuto":{"groupBy":"$_id","buckets":1,"output":{"x":{"$push":"$$ROOT"}}}}]"##,
        r##"[{"$setWindowFields":{"sortBy":{"v":1},"output":{"x":{"$push":"$s","window":{"documents":["unbounded","unbounded"]}}}}}]"##,
        r##"[{"$setWindowFields":{"sortBy":{"v":1},"output":{"x":{"$addToSet":"$s","window":{"documents":[-1000,1000]}}}}}]"##,
        r##"[{"$match":{"v":{"$type":"int"}}},{"$setWindowFields":{"sortBy":{"v":1},"output":{"x":{"$sum":"$v","window":{"range":[-1000000,1000000]}},"y":{"$stdDevPop":"$v","window":{"documents":["unbounded","unbounded"]}}}}}]"##,
        r##"[{"$match":{"v":{"$type":"int"}}},{"$setWindowFields":{"sortBy":{"v":1},"output":{"x":{"$topN":{"n":3000,"sortBy":{"s":1},"output":"$s"},"window":{"documents":[-3000,3000]}},"y":{"$median":{"input":"$v","method":"approximate"},"window":{"documents":[-3000,3000]}}}}}]"##,
        r##"[{"$match":{"v":{"$type":"int"}}},{"$densify":{"field":"d","range":{"step":1,"unit":"millisecond","bounds":"full"}}}]"##,
        r##"[{"$match":{"v":{"$type":"int"}}},{"$densify":{"field":"d","range":{"step":1,"unit":"millisecond","bounds":[{"$date":"1900-01-01T00:00:00Z"},{"$date":"2200-01-01T00:00:00Z"}]}}},{"$count":"n"}]"##,
        r##"[{"$match":{"v":{"$type":"int"}}},{"$densify":{"field":"v","partitionByFields":["s"],"range":{"step":1e-300,"bounds":[0,1e300]}}},{"$count":"n"}]"##,
        r##"[{"$match":{"v":{"$type":"int"}}},{"$fill":{"sortBy":{"v":1},"partitionBy":"$s","output":{"x":{"method":"linear"}}}}]"##,
        r##"[{"$project":{"x":{"$reduce":{"input":{"$range":[0,1000]},"initialValue":"a","in":{"v":["$$value","$$value"]}}}}}]"##,
        r##"[{"$project":{"x":{"$range":[0,2147483647]}}}]"##,
        r##"[{"$project":{"x":{"$range":[-2147483648,2147483647,1]}}}]"##,
        r##"[{"$project":{"x":{"$slice":["$t",-9223372036854775808]}}}]"##,
        r##"[{"$project":{"x":{"$zip":{"inputs":["$t","$t","$t","$t"],"useLongestLength":true}}}}]"##,
        r##"[{"$project":{"x":{"$map":{"input":"$t","in":{"$map":{"input":"$t","as":"y","in":{"$map":{"input":"$t","as":"z","in":1}}}}}}}}]"##,
        r##"[{"$project":{"x":{"$filter":{"input":"$t","cond":{"$in":["$$this","$t"]}}}}}]"##,
        r##"[{"$project":{"x":{"$size":{"$filter":{"input":"$t","cond":{"$gt":[{"$indexOfArray":["$t",-1]},0]}}}}}}]"##,
        r##"[{"$project":{"x":{"$reduce":{"input":{"$range":[0,100]},"initialValue":"a","in":{"$concat":["$$value","$$value"]}}}}}]"##,
        r##"[{"$project":{"x":{"$reduce":{"input":{"$range":[0,100]},"initialValue":[1],"in":{"$concatArrays":["$$value","$$value"]}}}}}]"##,
        r##"[{"$project":{"x":{"$reduce":{"input":{"$range":[0,10000]},"initialValue":[],"in":{"$concatArrays":["$$value",["$$this"]]}}}}}]"##,
        r##"[{"$project":{"x":{"$reduce":{"input":{"$range":[0,500]},"initialValue":1,"in":["$$value","$$value"]}}}}]"##,
        r##"[{"$project":{"x":{"$reduce":{"input":{"$range":[0,10000]},"initialValue":{},"in":{"$mergeObjects":["$$value",{"$arrayToObject":[[{"k":{"$toString":"$$this"},"v":"$$value"}]]}]}}}}}]"##,
        r##"[{"$project":{"x":{"$replaceAll":{"input":"$s","find":"","replacement":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}}}]"##,
        r##"[{"$match":{"s":{"$exists":true}}},{"$project":{"x":{"$replaceAll":{"input":"$s","find":"a","replacement":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}}}]"##,
        r##"[{"$match":{"s":{"$exists":true}}},{"$project":{"x":{"$split":["$s","a"]}}}]"##,
        r##"[{"$match":{"s":{"$exists":true}}},{"$project":{"x":{"$regexFindAll":{"input":"$s","regex":"a"}}}}]"##,
        r##"[{"$match":{"s":{"$exists":true}}},{"$project":{"x":{"$regexFindAll":{"input":"$s","regex":"(?=(a*)b|)"}}}}]"##,
        r##"[{"$match":{"s":{"$exists":true}}},{"$project":{"x":{"$map":{"input":{"$range":[0,10000]},"in":{"$substrCP":["$s","$$this",1]}}}}}]"##,
        r##"[{"$match":{"s":{"$exists":true}}},{"$project":{"x":{"$map":{"input":{"$range":[0,10000]},"in":{"$indexOfCP":["$s","b"]}}}}}]"##,
        r##"[{"$match":{"s":{"$exists":true}}},{"$project":{"x":{"$map":{"input":{"$range":[0,10000]},"in":{"$regexMatch":{"input":"$s","regex":"(a|aa)+$"}}}}}}]"##,
        r##"[{"$match":{"s":{"$exists":true}}},{"$project":{"x":{"$map":{"input":{"$range":[0,10000]},"in":{"$strLenCP":{"$toUpper":"$s"}}}}}}]"##,
        r##"[{"$match":{"s":{"$exists":true}}},{"$project":{"x":{"$trim":{"input":"$s","chars":"$s"}}}}]"##,
        r##"[{"$project":{"x":{"$objectToArray":"$$ROOT"}}},{"$unwind":"$x"},{"$sort":{"x":1}}]"##,
        r##"[{"$project":{"x":{"$map":{"input":{"$range":[0,1000]},"in":"$$ROOT"}}}}]"##,
        r##"[{"$addFields":{"a":["$$ROOT","$$ROOT"]}},{"$addFields":{"a":["$$ROOT","$$ROOT"]}},{"$addFields":{"a":["$$ROOT","$$ROOT"]}},{"$addFields":{"a":["$$ROOT","$$ROOT"]}},{"$addFields":{"a":["$$ROOT","$$ROOT"]}},{"$addFields":{"a":["$$ROOT","$$ROOT"]}},{"$addFields":{"a":["$$ROOT","$$ROOT"]}},{"$addFields":{"a":["$$ROOT","$$ROOT"]}},{"$addFields":{"a":["$$ROOT","$$ROOT"]}},{"$addFields":{"a":["$$ROOT","$$ROOT"]}},{"$addFields":{"a":["$$ROOT","$$ROOT"]}},{"$addFields":{"a":["$$ROOT","$$ROOT"]}},{"$count":"n"}]"##,
        r##"[{"$redact":{"$cond":[{"$gt":[{"$size":{"$ifNull":["$t",[]]}},-1]},"$$DESCEND","$$PRUNE"]}}]"##,
        r##"[{"$sample":{"size":9223372036854775807}},{"$sort":{"t":1}}]"##,
        r##"[{"$skip":9223372036854775807},{"$limit":9223372036854775807}]"##,
        r##"[{"$documents":{"$map":{"input":{"$range":[0,1000000]},"in":{"x":"$$this"}}}},{"$sort":{"x":-1}}]"##,
        r##"[{"$project":{"x":{"$pow":[10,{"$pow":[10,10]}]},"y":{"$dateAdd":{"startDate":"$d","unit":"year","amount":999999999}}}}]"##,
        r##"[{"$project":{"x":{"$dateToString":{"date":"$d","format":"%Y%Y%Y%Y%Y%Y%Y%Y%Y"}},"y":{"$dateDiff":{"startDate":{"$toDate":{"$numberLong":"-9223372036854775808"}},"endDate":{"$toDate":{"$numberLong":"9223372036854775807"}},"unit":"millisecond"}}}}]"##,
        r##"[{"$geoNear":{"near":[0,0],"key":"t","distanceField":"x"}}]"##,
        r##"[{"$project":{"x":{"$percentile":{"input":"$t","p":[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9],"method":"approximate"}}}}]"##,
        r##"[{"$project":{"x":{"$setIntersection":["$t","$t","$t"]},"y":{"$sortArray":{"input":"$t","sortBy":{"x":1,"y":-1}}}}}]"##,
    ]
    .map(str::to_owned)
    .to_vec();
    for count in [99, 1_000, 10_000] {
        all.push(format!(r#"[{}]"#, many(count, |_| r#"{"$match":{"v":{"$gte":0}}}"#.to_owned())));
        all.push(format!(
            r#"[{}]"#,
            many(count, |_| r#"{"$unwind":{"path":"$t","preserveNullAndEmptyArrays":true}}"#
                .to_owned())
        ));
        all.push(format!(
            r#"[{{"$project":{{"x":{{"$switch":{{"branches":[{}],"default":0}}}}}}}}]"#,
            many(count, |at| format!(r#"{{"case":{{"$eq":["$v",{at}.5]}},"then":{at}}}"#))
        ));
        all.push(format!(
            r#"[{{"$project":{{{}}}}}]"#,
            many(count, |at| format!(r#""x{at}":{{"$sum":"$t"}}"#))
        ));
        all.push(format!(
            r#"[{{"$project":{{{}}}}}]"#,
            many(count, |at| format!(
                r#""x{at}":{{"$size":{{"$setUnion":[{{"$ifNull":["$t",[]]}},[{at}]]}}}}"#
            ))
        ));
        all.push(format!(
            r#"[{{"$addFields":{{{}}}}}]"#,
            many(count, |at| format!(r#""x{at}":"$$ROOT""#))
        ));
        all.push(format!(
            r#"[{{"$facet":{{{}}}}}]"#,
            many(count, |at| format!(r#""x{at}":[{{"$unwind":"$t"}},{{"$sort":{{"t":1}}}}]"#))
        ));
        all.push(format!(
            r#"[{{"$group":{{"_id":"$v",{}}}}}]"#,
            many(count, |at| format!(r#""x{at}":{{"$push":"$$ROOT"}}"#))
        ));
        all.push(format!(r#"[{{"$sort":{{{}}}}}]"#, many(count, |at| format!(r#""t{at}":1"#))));
        all.push(format!(
            r#"[{{"$bucket":{{"groupBy":"$v","boundaries":[{}],"default":0}}}}]"#,
            many(count, |at| at.to_string())
        ));
        all.push(format!(
            r#"[{{"$setWindowFields":{{"sortBy":{{"v":1}},"output":{{{}}}}}}}]"#,
            many(count, |at| format!(
                r#""x{at}":{{"$max":"$v","window":{{"documents":[-1000,1000]}}}}"#
            ))
        ));
    }
    for times in [10, 31, 95] {
        all.push(format!(
            r#"[{}]"#,
            deep(
                r#"{"$lookup":{"from":"o","as":"x","pipeline":["#,
                r#"{"$limit":2}"#,
                "]}}",
                times / 3
            )
        ));
        all.push(format!(
            r#"[{{"$project":{{"x":{}}}}}]"#,
            deep(r#"{"$map":{"input":"$t","in":"#, "1", "}}", times / 2)
        ));
        all.push(format!(
            r#"[{{"$project":{{"x":{}}}}}]"#,
            deep(r#"{"$let":{"vars":{"v":"$t"},"in":"#, "\"$$v\"", "}}", times / 2)
        ));
        all.push(format!(
            r#"[{{"$project":{{"x":{}}}}}]"#,
            deep(r#"{"$concatArrays":["$t","#, "\"$t\"", "]}", times)
        ));
    }
    all
}

/// The result's size, or why there is none.
fn run(kind: Kind, query: &[u8], world: &Arc<World>) -> Result<usize> {
    let limits = limits();
    let context = Context { limits: &limits, now_ms: 1_700_000_000_000, trust: Trust::Ordinary };
    let query = Raw::trusted(query);
    let budget = Budget::new(&SystemClock::shared(), &limits);
    match kind {
        Kind::Filter => {
            let filter = Filter::parse(query, &context)?;
            let mut found = 0;
            for document in &world.documents {
                budget.check()?;
                found += usize::from(filter.matches(Raw::trusted(document))?);
            }
            Ok(found)
        }
        Kind::Update => {
            let update = Update::parse(query, None, &context)?;
            let mut size = 0;
            // The large ones, each in a fifth of the time that is allowed for all.
            for document in world.documents.iter().rev().take(5) {
                budget.check()?;
                let Ok(new) = update.apply(Raw::trusted(document), None) else { continue };
                assert!(new == **document || new.len() as u64 <= limits.document_bytes);
                check::validate(&new).unwrap();
                size += new.len();
            }
            Ok(size)
        }
        Kind::Pipeline => {
            let pipeline = Pipeline::parse(query, &context)?;
            let collections: Arc<dyn Collections> = Arc::<World>::clone(world);
            let input = world.documents.iter().cloned().map(Ok);
            let mut size = 0;
            for document in pipeline.run(Box::new(input), &collections, &budget)? {
                let document = document?;
                budget.take_result(document.len())?;
                size += document.len();
            }
            Ok(size)
        }
    }
}

/// The most memory that the process ever had, where the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
}

#[test]
fn s6_each_hostile_query_ends_in_time_with_a_result_or_a_reason() {
    let factor = if cfg!(debug_assertions) { 40 } else { 2 };
    let most = Duration::from_millis(1_200) * factor;
    let world = Arc::new(world());
    let all = [(Kind::Filter, filters()), (Kind::Update, updates()), (Kind::Pipeline, pipelines())];
    let (mut count, mut wrong, mut slowest) = (0, Vec::new(), Duration::ZERO);
    for (kind, queries) in all {
        for text in queries {
            let shown: String = text.chars().take(300).collect();
            let limits = Limits { body_bytes: u64::MAX, nesting: 250, ..Limits::default() };
            let mode = if kind == Kind::Update { Mode::Data } else { Mode::Filter };
            count += 1;
            let Ok(query) = ejson::parse_value(text.as_bytes(), &limits, mode) else { continue };
            let before = peak();
            let start = Instant::now();
            let result = run(kind, &query, &world);
            let took = start.elapsed();
            slowest = slowest.max(took);
            if std::env::var_os("HEADWATER_SHOW").is_some() && took > Duration::from_millis(600) {
                println!(
                    "{took:?} {kind:?} {shown} {:?}",
                    result.as_ref().map_err(ToString::to_string)
                );
            }
            if took > most {
                wrong.push(format!("{kind:?} took {took:?}: {shown}"));
            }
            if let (Some(before), Some(after)) = (before, peak())
                && after.saturating_sub(before) > BUDGET_BYTES + BESIDE_BYTES
            {
                wrong.push(format!("{kind:?} took {} MiB: {shown}", (after - before) >> 20));
            }
            let Err(error) = result else { continue };
            let reasonable = match error.kind() {
                ErrorKind::Invalid | ErrorKind::Unprocessable => true,
                ErrorKind::LimitExceeded => error.detail("limit").is_some(),
                _ => false,
            };
            if !reasonable {
                wrong.push(format!("{kind:?} ended with {error}: {shown}"));
            }
        }
    }
    println!("{count} queries, the slowest took {slowest:?}");
    assert!(count >= 200, "there are only {count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
