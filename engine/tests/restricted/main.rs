//! Restricted reads: whatever is asked, by whatever index, as pages, counts, distinct values or pipelines, and of the past,
//! the answer is that of a plain list of the documents that the restriction admits, by their makers and by what is in them, with the hidden fields cut out.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test unwraps what it needs")]

#[path = "../plans/draw.rs"]
mod draw;
mod inference;
#[path = "../support/mod.rs"]
mod support;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use draw::Draw;
use headwater_engine::query::find::{self, Found, Hint, Place, Query};
use headwater_engine::query::{Budget, Filter, Sort};
use headwater_engine::value::Raw;
use headwater_engine::view::{CollectionId, Snapshot};
use rand::SeedableRng;
use rand::rngs::StdRng;
use support::{object, seed};
use world::{Lists, Sight, World};

const INDEXES: [(&str, &str); 14] = [
    ("a", r#"{"keys":{"a":1}}"#),
    ("a_down", r#"{"keys":{"a":-1}}"#),
    ("a_b", r#"{"keys":{"a":1,"b":1}}"#),
    ("b_down_a", r#"{"keys":{"b":-1,"a":1}}"#),
    ("cx", r#"{"keys":{"c.x":1}}"#),
    ("cx_cy", r#"{"keys":{"c.x":1,"c.y":-1}}"#),
    ("b_sparse", r#"{"keys":{"b":1},"sparse":true}"#),
    ("s_a", r#"{"keys":{"s":1,"a":-1}}"#),
    ("n", r#"{"keys":{"n":1}}"#),
    ("b_partial", r#"{"keys":{"b":1},"partial_filter":{"n":{"$gte":5}}}"#),
    ("n_partial", r#"{"keys":{"n":1},"partial_filter":{"b":{"$exists":true}}}"#),
    ("s_partial", r#"{"keys":{"s":1,"n":-1},"partial_filter":{"c.x":{"$lt":3}}}"#),
    ("at", r#"{"keys":{"at":"2d"}}"#),
    ("title", r#"{"keys":{"title":"text"}}"#),
];

const INCLUDE: [&[&str]; 8] = [
    &[],
    &["a", "c"],
    &["c.x", "b", "n"],
    &["c.*", "s"],
    &["*x", "a", "at"],
    &["n", "s", "title", "b"],
    &["c.y", "a", "n", "t*"],
    &["b", "s", "n"],
];

const EXCLUDE: [&[&str]; 9] =
    [&[], &[], &["a"], &["c.x"], &["*.y"], &["n"], &["b", "s"], &["at", "c.*"], &["title", "c.y"]];

fn sight(draw: &mut Draw) -> Sight {
    let all = |length: usize| i32::try_from(length).unwrap();
    let documents = (!draw.one_in(3)).then(|| draw.filter());
    let include = if draw.one_in(2) { 0 } else { draw.number(all(INCLUDE.len())) };
    let exclude = draw.number(all(EXCLUDE.len()));
    let sight =
        Sight::new(documents.as_deref(), INCLUDE[include as usize], EXCLUDE[exclude as usize]);
    if draw.one_in(3) {
        return sight.private(world::ACTORS[draw.number(all(world::ACTORS.len())) as usize]);
    }
    sight
}

fn body(draw: &mut Draw, id: i32) -> Vec<u8> {
    let (place, words) = (draw.place(), draw.words());
    let members = draw.document(id);
    world::parse(&format!(r#"{{"_id":{id},{members},"at":{place},"title":"{words}"}}"#))
}

/// A query under a restriction, with the answer of the model.
struct Asked<'a> {
    filter: Filter,
    sort: Option<Sort>,
    sight: &'a Sight,
    expected: Vec<Bytes>,
    text: String,
}

impl<'a> Asked<'a> {
    /// `None` where the model cannot sort.
    fn new(
        filter: Filter,
        sort: Option<Sort>,
        sight: &'a Sight,
        seen: &[Bytes],
        text: String,
    ) -> Option<Self> {
        let matches = |document: &&Bytes| filter.matches(Raw::trusted(document)).unwrap();
        let mut expected: Vec<Bytes> = seen.iter().filter(matches).cloned().collect();
        if let Some(sort) = &sort {
            let keys = expected.iter().map(|document| sort.key(Raw::trusted(document)));
            let keys = keys.collect::<Result<Vec<_>, _>>().ok()?;
            let mut sorted: Vec<_> = keys.into_iter().zip(expected).collect();
            // The list is in `_id` order, and this keeps it for equal keys.
            sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
            expected = sorted.into_iter().map(|(_, document)| document).collect();
        }
        Some(Self { filter, sort, sight, expected, text: format!("{text} {}", sight.text) })
    }

    fn query(&self) -> Query<'_> {
        let restriction = Some(&*self.sight.restriction);
        Query { sort: self.sort.as_ref(), limit: 100_000, restriction, ..Query::all(&self.filter) }
    }

    fn check(&self, found: &[Bytes], by: &str) {
        let text =
            |list: &[Bytes]| list.iter().map(|one| object(Raw::trusted(one))).collect::<Vec<_>>();
        let (mut found, mut expected) = (text(found), text(&self.expected));
        if self.filter.near().is_some() && self.sort.is_none() {
            // The order is by distance, which the list does not know.
            found.sort();
            expected.sort();
        }
        assert_eq!(found, expected, "{} by {by}", self.text);
    }
}

fn bodies(found: &Found) -> Vec<Bytes> {
    found.rows.iter().map(|row| row.body_bytes()).collect()
}

fn paged(snapshot: &Snapshot, number: CollectionId, query: &Query<'_>) -> Vec<Bytes> {
    let mut all = Vec::new();
    let mut after: Option<Place> = None;
    loop {
        let query = Query { limit: 4, after: after.as_ref(), ..*query };
        let found = find::find(snapshot, number, &query, &Budget::unlimited()).unwrap();
        all.extend(bodies(&found));
        if !found.more {
            return all;
        }
        after = found.rows.last().map(|found| found.place.clone());
    }
}

/// One query by every way there is. How many indexes could answer it.
fn check(snapshot: &Snapshot, number: CollectionId, asked: &Asked<'_>) -> usize {
    let unlimited = Budget::unlimited();
    let run = |query: &Query<'_>| find::find(snapshot, number, query, &unlimited);
    let admitted = snapshot.counters(number).unwrap().count;
    let chosen = run(&asked.query()).unwrap();
    asked.check(&bodies(&chosen), &format!("{:?}", chosen.plan));
    let scan = Query { hint: Some(Hint::Scan), ..asked.query() };
    let scanned = run(&scan).unwrap();
    asked.check(&bodies(&scanned), "looking at all");
    assert!(scanned.plan.examined <= admitted && chosen.plan.examined <= 2 * admitted);
    asked.check(&paged(snapshot, number, &asked.query()), "pages");
    let past = Query { at: Some(snapshot.position()), ..asked.query() };
    asked.check(&bodies(&run(&past).unwrap()), "looking at the past");
    let count = |query: &Query<'_>| find::count(snapshot, number, query, &unlimited);
    for query in [asked.query(), scan, past] {
        let (count, plan) = count(&query).unwrap();
        assert_eq!(count, asked.expected.len() as u64, "count of {} by {plan:?}", asked.text);
    }
    let mut usable = 0;
    for (name, _) in INDEXES {
        let query = Query { hint: Some(Hint::Index(name)), ..asked.query() };
        match run(&query) {
            Ok(found) => asked.check(&bodies(&found), name),
            Err(error) => {
                assert_eq!(error.code(), "unusable_hint", "{} by {name}: {error}", asked.text);
                continue;
            }
        }
        usable += 1;
        asked.check(&paged(snapshot, number, &query), &format!("pages of {name}"));
        if let Ok((count, _)) = count(&query) {
            assert_eq!(count, asked.expected.len() as u64, "count of {} by {name}", asked.text);
        }
    }
    usable
}

fn asked_filter(draw: &mut Draw) -> String {
    match draw.number(8) {
        0 => draw.near(),
        1 => draw.search(),
        2 => r#"{"$expr":{"$gt":["$n",{"$ifNull":["$a",3]}]}}"#.to_owned(),
        _ => draw.filter(),
    }
}

fn distinct_values(field: &str, documents: &[Bytes]) -> BTreeSet<String> {
    let unwound = |value: Raw<'_>| match value.as_array() {
        Some(elements) => elements.map(object).collect::<Vec<_>>(),
        None => vec![object(value)],
    };
    let all = documents.iter().filter_map(|document| Raw::trusted(document).get(field));
    all.flat_map(unwound).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_that_of_a_list_of_what_is_seen() {
    let seed = seed::seeds(1)[0];
    let _replay = seed::Replay::of(seed);
    let mut draw = Draw::new(StdRng::seed_from_u64(seed));
    let mut world = World::new();
    let (documents, rounds, queries) = if seed::is_long() { (250, 60, 60) } else { (100, 8, 12) };
    for id in 0..documents {
        let body = body(&mut draw, id);
        world.write("things", id, body).await;
    }
    for (name, definition) in INDEXES {
        world.index("things", name, definition).await;
    }
    let (mut used, mut answers, mut round) = (0, 0, 0);
    // Callers that hardly see anything may be drawn in a row: then a few more are.
    while round < rounds || (round < rounds * 10 && (used <= 50 || answers <= 100)) {
        round += 1;
        let sight = sight(&mut draw);
        let seen = world.seen("things", &sight);
        let snapshot = world.engine.snapshot();
        let number = world::number(&snapshot, "things");
        for _ in 0..queries {
            let (filter, sort) = (asked_filter(&mut draw), draw.sort());
            let text = format!("filter {filter} sort {sort:?}");
            let bound = find::bind(world::filter(&filter), &snapshot, Some(number)).unwrap();
            let sort = sort.as_deref().map(world::sort);
            let Some(asked) = Asked::new(bound, sort, &sight, &seen, text) else { continue };
            used += check(&snapshot, number, &asked);
            answers += asked.expected.len();
            for field in ["n", "s", "a"] {
                let restriction = Some(sight.restriction.clone());
                let found =
                    world::distinct(&snapshot, "things", field, asked.filter.clone(), restriction);
                let all = distinct_values(field, &asked.expected);
                // Numbers that are equal are one value, whatever their types.
                let found: BTreeSet<_> = found.into_iter().collect();
                assert!(found.is_subset(&all), "distinct {field} {}", asked.text);
                assert_eq!(found.is_empty(), all.is_empty(), "distinct {field} {}", asked.text);
            }
        }
        drop(snapshot);
        for _ in 0..documents / 10 {
            let id = draw.number(documents);
            if draw.one_in(4) {
                world.delete("things", id).await;
            } else {
                let body = body(&mut draw, id);
                world.write("things", id, body).await;
            }
        }
    }
    assert!(used > 50 && answers > 100, "hardly anything was asked: {used} {answers}");
    eprintln!("{used} answers by an index agreed with the list");
    world.bench.stop(world.engine).await;
}

fn pipelines(draw: &mut Draw) -> String {
    let (filter, other) = (draw.filter(), draw.filter());
    let order = draw.sort().unwrap_or_else(|| r#"{"n":-1}"#.to_owned());
    match draw.number(9) {
        0 => format!(r#"[{{"$match":{filter}}},{{"$sort":{order}}},{{"$limit":7}}]"#),
        1 => format!(r#"[{{"$match":{filter}}},{{"$count":"all"}}]"#),
        2 => r#"[{"$group":{"_id":"$n","s":{"$addToSet":"$s"},"all":{"$push":"$$ROOT"}}},{"$sort":{"_id":1}},{"$project":{"_id":1,"all":1}}]"#.to_owned(),
        3 => r#"[{"$lookup":{"from":"others","localField":"n","foreignField":"n","as":"o"}}]"#.to_owned(),
        4 => format!(
            r#"[{{"$match":{filter}}},{{"$lookup":{{"from":"others","let":{{"s":"$s"}},"pipeline":[{{"$match":{other}}},{{"$match":{{"$expr":{{"$eq":["$s","$$s"]}}}}}},{{"$count":"c"}}],"as":"o"}}}}]"#
        ),
        5 => format!(r#"[{{"$unionWith":{{"coll":"others","pipeline":[{{"$match":{other}}}]}}}},{{"$count":"all"}}]"#),
        6 => r#"[{"$graphLookup":{"from":"others","startWith":"$n","connectFromField":"b","connectToField":"n","as":"o","maxDepth":2}},{"$project":{"o":{"$size":"$o"}}}]"#.to_owned(),
        7 => r#"[{"$facet":{"n":[{"$sortByCount":"$c.x"}],"k":[{"$project":{"k":{"$map":{"input":{"$objectToArray":"$$ROOT"},"in":"$$this.k"}}}}]}},{"$project":{"k":1}}]"#.to_owned(),
        _ => format!(r#"[{{"$match":{filter}}},{{"$sample":{{"size":5}}}}]"#),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pipeline_sees_what_is_seen_of_each_collection() {
    let seed = seed::seeds(1)[0];
    let _replay = seed::Replay::of(seed);
    let mut draw = Draw::new(StdRng::seed_from_u64(seed));
    let mut world = World::new();
    for id in 0..60 {
        for collection in ["things", "others"] {
            let body = body(&mut draw, id);
            world.write(collection, id, body).await;
        }
    }
    for (name, definition) in INDEXES {
        world.index("things", name, definition).await;
        world.index("others", name, definition).await;
    }
    let mut documents = 0;
    for _ in 0..seed::count(60, 2000) {
        let (own, other) = (sight(&mut draw), sight(&mut draw));
        let text = pipelines(&mut draw);
        let snapshot = Arc::new(world.engine.snapshot());
        let lists = [("things", &own), ("others", &other)];
        let lists = lists.map(|(name, sight)| (name.to_owned(), world.seen(name, sight)));
        let expected = world::over_lists(Lists(lists.into()), &text, "things");
        for at in [None, Some(snapshot.position())] {
            let (own, other) = (own.clone(), other.clone());
            let message = format!("{text} things {} others {} at {at:?}", own.text, other.text);
            let sights = move |name: &str| match name {
                "things" => Some(own.restriction.clone()),
                _ => Some(other.restriction.clone()),
            };
            let found = world::aggregate(snapshot.clone(), at, &text, "things", sights);
            match (&found, &expected) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(found, expected, "{message}");
                    documents += found.len();
                }
                (Err(found), Err(expected)) => {
                    assert_eq!(found.code(), expected.code(), "{message}")
                }
                (Ok(_), Err(error)) => assert_eq!(error.code(), "parallel_arrays", "{message}"),
                (Err(error), Ok(_)) => panic!("{error}: {message}"),
            }
        }
    }
    assert!(documents > 100, "hardly anything came out: {documents}");
    world.bench.stop(world.engine).await;
}
