//! Nothing can be told of a hidden field, or of a hidden document: every question has the answer that it has over a
//! collection in which they never were, whatever indexes there are over the hidden fields.

use std::sync::Arc;

use headwater_engine::query::find::{self, Found, Query};
use headwater_engine::query::{Budget, Filter, Projection};
use headwater_engine::restrict::Restriction;
use headwater_engine::value::Raw;
use headwater_engine::view::Snapshot;

use crate::support::object;
use crate::world::{self, Sight, World};

const INDEXES: [(&str, &str); 9] = [
    ("salary", r#"{"keys":{"salary":1}}"#),
    ("salary_sparse", r#"{"keys":{"salary":1,"name":1},"sparse":true}"#),
    ("name_well_paid", r#"{"keys":{"name":1},"partial_filter":{"salary":{"$gt":50}}}"#),
    ("grade_unpaid", r#"{"keys":{"grade":1},"partial_filter":{"salary":{"$exists":true}}}"#),
    ("grade", r#"{"keys":{"grade":1}}"#),
    ("cost", r#"{"keys":{"items.cost":1}}"#),
    ("home", r#"{"keys":{"home":"2d"}}"#),
    ("words", r#"{"keys":{"name":"text","note":"text"}}"#),
    ("team", r#"{"keys":{"team":1,"salary":1}}"#),
];

const HIDDEN: [&str; 5] = ["salary", "note", "items.cost", "home", "spots.u"];

const FILTERS: &[&str] = &[
    "{}",
    r#"{"salary":{"$gt":5}}"#,
    r#"{"salary":{"$lt":5}}"#,
    r#"{"salary":null}"#,
    r#"{"salary":{"$exists":false}}"#,
    r#"{"salary":{"$exists":true}}"#,
    r#"{"salary":{"$ne":30}}"#,
    r#"{"salary":{"$in":[10,20,null]}}"#,
    r#"{"salary":{"$type":"int"}}"#,
    r#"{"salary":{"$not":{"$gt":50}}}"#,
    r#"{"name":"n3","salary":{"$gt":60}}"#,
    r#"{"grade":2,"salary":{"$exists":true}}"#,
    r#"{"grade":2}"#,
    r#"{"team":"red","salary":null}"#,
    r#"{"$or":[{"salary":90},{"grade":1}]}"#,
    r#"{"$nor":[{"salary":{"$gte":0}}]}"#,
    r#"{"$expr":{"$gt":["$salary",5]}}"#,
    r#"{"$expr":{"$gt":[{"$getField":"salary"},5]}}"#,
    r#"{"$expr":{"$in":["salary",{"$map":{"input":{"$objectToArray":"$$ROOT"},"in":"$$this.k"}}]}}"#,
    r#"{"$jsonSchema":{"required":["salary"]}}"#,
    r#"{"$jsonSchema":{"properties":{"salary":{"maximum":20}}}}"#,
    r#"{"note":{"$regex":"^secret"}}"#,
    r#"{"note":{"$in":["secret plan 4"]}}"#,
    r#"{"items":{"$elemMatch":{"cost":{"$gt":3}}}}"#,
    r#"{"items.cost":{"$gt":3}}"#,
    r#"{"items.0.cost":2}"#,
    r#"{"items":{"$elemMatch":{"cost":null}}}"#,
    r#"{"items":[{"cost":2,"what":"w"}]}"#,
    r#"{"items":{"$size":2}}"#,
    r#"{"$text":{"$search":"secret"}}"#,
    r#"{"$text":{"$search":"n3 secret"}}"#,
    r#"{"$text":{"$search":"n3 -plan"}}"#,
    r#"{"home":{"$near":{"$geometry":{"type":"Point","coordinates":[3,3]},"$maxDistance":90000000}}}"#,
    r#"{"home":{"$geoWithin":{"$box":[[0,0],[5,5]]}}}"#,
    r#"{"spots":{"$near":[3,3]}}"#,
    r#"{"_id":{"$gte":30},"salary":{"$gt":5}}"#,
    r#"{"owner":"me"}"#,
    r#"{"owner":"you"}"#,
];

const SORTS: &[&str] = &[
    r#"{"salary":1}"#,
    r#"{"salary":-1}"#,
    r#"{"team":1,"salary":-1}"#,
    r#"{"items.cost":1}"#,
    r#"{"note":-1,"_id":-1}"#,
    r#"{"grade":1}"#,
];

const PIPELINES: &[&str] = &[
    r#"[{"$group":{"_id":"$salary","n":{"$sum":1}}},{"$sort":{"_id":1}}]"#,
    r#"[{"$group":{"_id":"$team","most":{"$max":"$salary"},"all":{"$sum":"$items.cost"}}},{"$sort":{"_id":1}}]"#,
    r#"[{"$sort":{"salary":-1}},{"$limit":3},{"$project":{"name":1}}]"#,
    r#"[{"$match":{"salary":{"$gt":5}}},{"$count":"rich"}]"#,
    r#"[{"$project":{"all":{"$objectToArray":"$$ROOT"}}}]"#,
    r#"[{"$project":{"s":{"$getField":"salary"},"i":"$items.cost","size":{"$bsonSize":"$$ROOT"}}}]"#,
    r#"[{"$bucketAuto":{"groupBy":"$salary","buckets":3}}]"#,
    r#"[{"$unwind":"$items"},{"$match":{"items.cost":{"$exists":true}}},{"$count":"n"}]"#,
    r#"[{"$sortByCount":"$note"}]"#,
    r#"[{"$match":{"$text":{"$search":"n3 secret plan"}}},{"$project":{"score":{"$meta":"textScore"}}}]"#,
    r#"[{"$setWindowFields":{"sortBy":{"salary":1},"output":{"r":{"$documentNumber":{}}}}},{"$project":{"r":1}}]"#,
    r#"[{"$lookup":{"from":"COLLECTION","localField":"grade","foreignField":"salary","as":"same"}}]"#,
    r#"[{"$lookup":{"from":"COLLECTION","pipeline":[{"$match":{"salary":{"$gt":5}}}],"as":"rich"}},{"$limit":1}]"#,
    r#"[{"$limit":2},{"$unionWith":"COLLECTION"},{"$group":{"_id":"$owner","n":{"$sum":1}}},{"$sort":{"_id":1}}]"#,
    r#"[{"$match":{"_id":1}},{"$graphLookup":{"from":"COLLECTION","startWith":"$grade","connectFromField":"salary","connectToField":"grade","as":"g"}}]"#,
    r#"[{"$geoNear":{"near":{"type":"Point","coordinates":[3,3]},"distanceField":"d","key":"home"}}]"#,
    r#"[{"$facet":{"a":[{"$match":{"salary":10}}],"b":[{"$group":{"_id":{"$type":"$salary"}}}]}}]"#,
];

/// The person of a number, with hidden fields in it.
fn person(id: i32) -> Vec<u8> {
    let salary = match id % 5 {
        0 => String::new(),
        1 => r#""salary":null,"#.to_owned(),
        _ => format!(r#""salary":{},"#, id * 10 % 100),
    };
    let team = if id % 3 == 0 { "red" } else { "blue" };
    let items = match id % 4 {
        0 => format!(r#"[{{"cost":{},"what":"w"}}]"#, id % 7),
        1 => format!(r#"[{{"cost":{},"what":"w"}},{{"what":"v"}}]"#, id % 6),
        2 => r#"[{"cost":1}]"#.to_owned(),
        _ => "[]".to_owned(),
    };
    let owner = if id % 2 == 0 { "me" } else { "you" };
    world::parse(&format!(
        r#"{{"_id":{id},{salary}"name":"n{}","grade":{},"team":"{team}","note":"secret plan {}","items":{items},"home":[{},{}],"owner":"{owner}","spots":[{{"x":{},"y":5}},{{"u":{},"v":3}}]}}"#,
        id % 9,
        id % 4,
        id % 8,
        id % 10,
        id % 6,
        id % 11,
        id % 7,
    ))
}

/// A collection of everything, `people`, and one of what is seen of it, `bare`; both with all indexes.
async fn people(sight: &Sight) -> World {
    let mut world = World::new();
    for id in 0..60 {
        let body = person(id);
        world.write("people", id, body).await;
        if let Some(seen) = world.view("people", id, sight) {
            world.write("bare", id, seen).await;
        }
    }
    for (name, definition) in INDEXES {
        world.index("people", name, definition).await;
        world.index("bare", name, definition).await;
    }
    world
}

fn ask(
    snapshot: &Snapshot,
    collection: &str,
    filter: &Filter,
    sort: Option<&str>,
    restriction: Option<&Restriction>,
) -> Found {
    let number = world::number(snapshot, collection);
    let filter = find::bind(filter.clone(), snapshot, Some(number)).unwrap();
    let sort = sort.map(world::sort);
    // A limit, so that what is sorted by decides what comes.
    let limit = if sort.is_some() { 5 } else { 1000 };
    let query = Query { sort: sort.as_ref(), limit, restriction, ..Query::all(&filter) };
    let found = find::find(snapshot, number, &query, &Budget::unlimited()).unwrap();
    let (count, plan) = find::count(snapshot, number, &query, &Budget::unlimited()).unwrap();
    let given = found.rows.len() as u64;
    assert!(count >= given, "{count} {given} by {plan:?} and {:?}", found.plan);
    assert_eq!(found.more, count > given, "{count} {given} by {plan:?} and {:?}", found.plan);
    found
}

fn texts(found: &Found, filter: &str) -> Vec<String> {
    let limits = headwater_engine::limits::Limits::default();
    let text = filter.contains("$text");
    let shape = world::parse(r#"{"score":{"$meta":"textScore"}}"#);
    let shape = Projection::parse(Raw::trusted(&shape), &world::context(&limits)).unwrap();
    let show = |body: Raw<'_>| {
        if !text {
            return object(body);
        }
        let mut filter = world::filter(filter);
        let paths = ["name", "note"].map(headwater_engine::value::path::Path::new);
        filter.bind_text(&paths);
        let mut shown = Vec::new();
        shape.apply(body, Some(&filter), &mut shown).unwrap();
        object(Raw::trusted(&shown))
    };
    found.rows.iter().map(|row| show(row.body())).collect()
}

/// Asks everything of both; how many answers hidden fields or documents would have changed.
fn compare(world: &World, sight: &Sight) -> usize {
    let snapshot = Arc::new(world.engine.snapshot());
    let restriction = Some(&*sight.restriction);
    let mut changed = 0;
    let sorts = SORTS.iter().map(|sort| Some(*sort)).chain([None]);
    for sort in sorts {
        for text in FILTERS {
            let filter = world::filter(text);
            let bare = ask(&snapshot, "bare", &filter, sort, None);
            let seen = ask(&snapshot, "people", &filter, sort, restriction);
            let (bare, seen_texts) = (texts(&bare, text), texts(&seen, text));
            assert_eq!(seen_texts, bare, "{text} {sort:?} by {:?}", seen.plan);
            let all = ask(&snapshot, "people", &filter, sort, None);
            changed += usize::from(all.rows.len() != seen.rows.len());
            assert!(seen.plan.examined <= 2 * 60);
        }
    }
    for field in ["salary", "note", "items.cost", "items", "name", "home", "owner"] {
        let restricted = Some(sight.restriction.clone());
        let of = |collection, restricted| {
            world::distinct(&snapshot, collection, field, world::filter("{}"), restricted)
        };
        assert_eq!(of("people", restricted), of("bare", None), "distinct {field}");
    }
    for text in PIPELINES {
        let restriction = sight.restriction.clone();
        let seen = world::aggregate(
            snapshot.clone(),
            None,
            &text.replace("COLLECTION", "people"),
            "people",
            move |name| (name == "people").then(|| Arc::clone(&restriction)),
        );
        let of = |name: &str| {
            let text = text.replace("COLLECTION", name);
            world::aggregate(snapshot.clone(), None, &text, name, |_| None).unwrap()
        };
        assert_eq!(seen.unwrap(), of("bare"), "{text}");
        changed += usize::from(of("people") != of("bare"));
    }
    changed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_field_is_as_if_it_had_never_been() {
    let sight = Sight::new(None, &[], &HIDDEN);
    let world = people(&sight).await;
    let changed = compare(&world, &sight);
    assert!(changed > 50, "the questions ask too little: {changed}");
    world.bench.stop(world.engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_included_is_as_if_it_had_never_been() {
    let include = ["name", "grade", "team", "items.what", "owner"];
    let sight = Sight::new(Some(r#"{"salary":{"$ne":30}}"#), &include, &[]);
    let world = people(&sight).await;
    let changed = compare(&world, &sight);
    assert!(changed > 50, "the questions ask too little: {changed}");
    world.bench.stop(world.engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_document_is_as_if_it_had_never_been() {
    let sight = Sight::new(Some(r#"{"owner":"me"}"#), &[], &[]);
    let world = people(&sight).await;
    let changed = compare(&world, &sight);
    assert!(changed > 50, "the questions ask too little: {changed}");
    world.bench.stop(world.engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_of_somebody_else_is_as_if_it_had_never_been() {
    for sight in [Sight::new(None, &[], &[]), Sight::new(Some(r#"{"grade":2}"#), &[], &HIDDEN)] {
        let sight = sight.private("ben");
        let world = people(&sight).await;
        let changed = compare(&world, &sight);
        assert!(changed > 50, "the questions ask too little: {changed}");
        world.bench.stop(world.engine).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_decides_and_is_hidden_is_as_if_it_had_never_been() {
    let sight = Sight::new(Some(r#"{"grade":2}"#), &[], &["grade", "items.what"]);
    let world = people(&sight).await;
    let changed = compare(&world, &sight);
    assert!(changed > 50, "the questions ask too little: {changed}");
    world.bench.stop(world.engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_of_the_documents_that_are_seen_alone() {
    let sight = Sight::new(Some(r#"{"owner":"me"}"#), &[], &["salary"]);
    let mut world = people(&sight).await;
    world.index("people", "owner", r#"{"keys":{"owner":1}}"#).await;
    let snapshot = world.engine.snapshot();
    let restriction = Some(&*sight.restriction);
    let found = ask(&snapshot, "people", &world::filter("{}"), None, restriction);
    assert_eq!(found.plan.index, None, "the choice follows entries of hidden documents, too");
    assert_eq!((found.plan.examined, found.plan.returned), (30, 30));
    assert!(found.plan.bounds.is_empty(), "what the restriction asks for is not told");
    let found =
        ask(&snapshot, "people", &world::filter(r#"{"salary":{"$gt":5}}"#), None, restriction);
    assert_eq!((found.plan.examined, found.plan.returned), (30, 0));
    let hint = |name, filter: &str| {
        let filter = world::filter(filter);
        let hint = Some(find::Hint::Index(name));
        let number = world::number(&snapshot, "people");
        let query = Query { hint, restriction, ..Query::all(&filter) };
        find::find(&snapshot, number, &query, &Budget::unlimited()).map(|found| found.rows.len())
    };
    assert_eq!(hint("salary", r#"{"salary":{"$gt":5}}"#).unwrap_err().code(), "unusable_hint");
    assert_eq!(
        hint("name_well_paid", r#"{"name":"n3","salary":{"$gt":60}}"#).unwrap_err().code(),
        "unusable_hint"
    );
    assert_eq!(hint("grade", r#"{"grade":2}"#).unwrap(), 15);
    let everything = find::count(
        &snapshot,
        world::number(&snapshot, "people"),
        &Query { restriction, ..Query::all(&world::filter("{}")) },
        &Budget::unlimited(),
    );
    assert_eq!(everything.unwrap().0, 30);
    drop(snapshot);
    world.delete("people", 0).await;
    world.bench.stop(world.engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_of_the_callers_own_documents_alone() {
    let sight = Sight::new(None, &[], &[]).private("ann");
    let world = people(&sight).await;
    let snapshot = world.engine.snapshot();
    let seen = world.seen("people", &sight).len() as u64;
    assert!(seen > 5 && seen < 55, "{seen}");
    let restriction = Some(&*sight.restriction);
    let found = ask(&snapshot, "people", &world::filter(r#"{"grade":2}"#), None, restriction);
    assert!(found.plan.index.is_none() && found.plan.bounds.is_empty());
    assert!(found.plan.examined <= seen);
    let all = world::filter("{}");
    let everything = Query { restriction, ..Query::all(&all) };
    let number = world::number(&snapshot, "people");
    let counted = find::count(&snapshot, number, &everything, &Budget::unlimited());
    assert_eq!(counted.unwrap().0, seen);
    drop(snapshot);
    world.bench.stop(world.engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restriction_that_cannot_be_decided_admits_nothing() {
    let mut world = World::new();
    for id in 0..3 {
        world.write("people", id, person(id)).await;
    }
    for undecided in [
        r#"{"$expr":{"$divide":[1,{"$subtract":["$_id","$_id"]}]}}"#,
        r#"{"$text":{"$search":"secret"}}"#,
    ] {
        let sight = Sight::new(Some(undecided), &[], &[]);
        let snapshot = world.engine.snapshot();
        let restriction = Some(&*sight.restriction);
        let found = ask(&snapshot, "people", &world::filter("{}"), None, restriction);
        assert!(found.rows.is_empty(), "{undecided}");
    }
    world.bench.stop(world.engine).await;
}

#[test]
fn filters_together_admit_what_each_of_them_admits() {
    let all = [r#"{"a":1}"#, r#"{"$or":[{"b":1},{"c":1}]}"#, "{}"];
    let all = all.map(|text| Arc::new(world::filter(text)));
    let both = Filter::and(&all);
    for (document, expected) in
        [(r#"{"a":1,"b":1}"#, true), (r#"{"a":1}"#, false), (r#"{"a":2,"c":1}"#, false)]
    {
        assert_eq!(both.matches(Raw::trusted(&world::parse(document))).unwrap(), expected);
    }
    assert!(Filter::and(&[]).is_empty() && Filter::and(&all[2..]).is_empty());
}
