//! Whatever index a query goes through, its result is the same: random documents, indexes and queries, each index against
//! the look at every document; cursors, counts and distinct values, too; and the indexes equal the fold of the log.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test unwraps what it needs")]

mod draw;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;

use draw::Draw;
use headwater_engine::index::Built;
use headwater_engine::query::find::{self, Found, Hint, Place, Query};
use headwater_engine::query::{Budget, Context, Filter, Sort, Trust};
use headwater_engine::value::{Raw, Value};
use headwater_engine::view::{CollectionId, Progress, Snapshot};
use headwater_engine::write::{Effect, Operation};
use headwater_engine::{Engine, Error};
use rand::SeedableRng;
use rand::rngs::StdRng;
use support::{Bench, id_of, seed};

const INDEXES: [(&str, &str); 10] = [
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
];

fn parse(text: &str) -> Vec<u8> {
    let limits = headwater_engine::limits::Limits::default();
    headwater_engine::value::json::parse_value(text.as_bytes(), &limits).unwrap()
}

/// Defines an index and builds it.
async fn index(bench: &Bench, engine: &Engine, name: &str, definition: &str) -> Built {
    let limits = engine.limits().clone();
    let read = headwater_engine::index::Definition::read(Raw::trusted(&parse(definition)), &limits);
    let members = read.unwrap().members.to_bytes().into();
    let operation = Operation::DefineIndex {
        collection: "things".into(),
        name: name.into(),
        definition: members,
    };
    let committed = engine.write(bench.command(vec![operation])).await.unwrap();
    let number = committed.outcomes[0].position;
    let engine = engine.clone();
    tokio::task::spawn_blocking(move || engine.build_index("things", number).unwrap())
        .await
        .unwrap()
}

struct Asked {
    filter: Filter,
    sort: Option<Sort>,
    text: String,
}

impl Asked {
    fn new(engine: &Engine, filter: &str, sort: Option<&str>) -> Self {
        let context = Context { limits: engine.limits(), now_ms: 0, trust: Trust::Ordinary };
        Self {
            filter: Filter::parse(Raw::trusted(&parse(filter)), &context)
                .unwrap_or_else(|error| panic!("{filter}: {error}")),
            sort: sort.map(|sort| Sort::parse(Raw::trusted(&parse(sort)), &context).unwrap()),
            text: format!("filter {filter} sort {sort:?}"),
        }
    }

    fn query(&self) -> Query<'_> {
        Query { sort: self.sort.as_ref(), limit: 1_000_000, ..Query::all(&self.filter) }
    }
}

fn ids(found: &Found) -> Vec<Value> {
    found.rows.iter().map(|found| found.row.body().get("_id").unwrap().to_value()).collect()
}

fn run(snapshot: &Snapshot, number: CollectionId, query: &Query<'_>) -> Result<Found, Error> {
    find::find(snapshot, number, query, &Budget::unlimited())
}

/// One query by every way there is. How many indexes could answer it.
fn check(snapshot: &Snapshot, number: CollectionId, asked: &Asked) -> usize {
    let scan = Query { hint: Some(Hint::Scan), ..asked.query() };
    let expected = match run(snapshot, number, &scan) {
        Ok(found) => ids(&found),
        Err(error) => {
            assert_eq!(error.code(), "parallel_arrays", "{}", asked.text);
            return 0;
        }
    };
    let chosen = run(snapshot, number, &asked.query()).unwrap();
    assert_eq!(ids(&chosen), expected, "{} by {:?}", asked.text, chosen.plan);
    assert_eq!(paged(snapshot, number, asked, None), expected, "{} in pages", asked.text);
    let count = find::count(snapshot, number, &asked.query(), &Budget::unlimited()).unwrap();
    assert_eq!(count.0, expected.len() as u64, "count of {} by {:?}", asked.text, count.1);
    let mut usable = 0;
    for (name, _) in INDEXES {
        let hint = Some(Hint::Index(name));
        let query = Query { hint, ..asked.query() };
        match run(snapshot, number, &query) {
            Ok(found) => assert_eq!(ids(&found), expected, "{} by {name}", asked.text),
            Err(error) => {
                assert_eq!(error.code(), "unusable_hint", "{} by {name}: {error}", asked.text);
                continue;
            }
        }
        usable += 1;
        assert_eq!(
            paged(snapshot, number, asked, hint),
            expected,
            "{} by {name} in pages",
            asked.text
        );
        // Without the sort the index may be of no use.
        if let Ok(count) = find::count(snapshot, number, &query, &Budget::unlimited()) {
            assert_eq!(count.0, expected.len() as u64, "count of {} by {name}", asked.text);
        }
    }
    usable
}

/// The result in pages of three, each from where the last one ended.
fn paged(
    snapshot: &Snapshot,
    number: CollectionId,
    asked: &Asked,
    hint: Option<Hint<'_>>,
) -> Vec<Value> {
    let mut all = Vec::new();
    let mut after: Option<Place> = None;
    loop {
        let query = Query { limit: 3, after: after.as_ref(), hint, ..asked.query() };
        let found = run(snapshot, number, &query).unwrap();
        all.extend(ids(&found));
        if !found.more {
            return all;
        }
        after = found.rows.last().map(|found| found.place.clone());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_index_gives_what_looking_at_every_document_gives() {
    let seed = seed::seeds(1)[0];
    let _replay = seed::Replay::of(seed);
    let mut draw = Draw::new(StdRng::seed_from_u64(seed));
    let bench = Bench::new();
    let engine = bench.open();
    let (documents, rounds, queries) = if seed::is_long() { (250, 10, 200) } else { (150, 4, 120) };
    for id in 0..documents {
        write(&bench, &engine, id, draw.document(id)).await;
    }
    for (name, definition) in INDEXES {
        assert_eq!(index(&bench, &engine, name, definition).await, Built::Ready);
    }
    let mut used = 0;
    for _ in 0..rounds {
        {
            let snapshot = engine.snapshot();
            let number = snapshot.collections().number("things").unwrap();
            for _ in 0..queries {
                let (filter, sort) = (draw.filter(), draw.sort());
                used += check(&snapshot, number, &Asked::new(&engine, &filter, sort.as_deref()));
            }
        }
        for _ in 0..documents / 3 {
            let id = draw.number(documents);
            if draw.one_in(4) {
                let gone = Operation::Delete {
                    collection: "things".into(),
                    id: id_of(id),
                    if_version: None,
                    only_if: None,
                };
                drop(engine.write(bench.command(vec![gone])).await);
            } else {
                write(&bench, &engine, id, draw.document(id)).await;
            }
        }
        let verified = tokio::task::block_in_place(|| engine.verify(&Progress::default()));
        verified.unwrap();
    }
    assert!(used > 100, "indexes were hardly used: {used}");
    eprintln!("{used} answers by an index agreed with the scan");
}

async fn write(bench: &Bench, engine: &Engine, id: i32, members: String) {
    let body = parse(&format!("{{\"_id\":{id},{members}}}"));
    let operation = Operation::Replace {
        collection: "things".into(),
        id: id_of(id),
        body: body.into(),
        if_version: None,
        absent: headwater_engine::write::Absent::Create,
    };
    let committed = engine.write(bench.command(vec![operation])).await.unwrap();
    assert_ne!(committed.outcomes[0].effect, Effect::Skipped);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_built_while_writes_go_on_holds_every_document_once() {
    let seed = seed::seeds(1)[0];
    let _replay = seed::Replay::of(seed);
    let mut draw = Draw::new(StdRng::seed_from_u64(seed));
    let bench = Bench::new();
    let engine = bench.open();
    for id in 0..6000 {
        write(&bench, &engine, id, format!("\"n\":{},\"m\":{}", id % 50, draw.number(50))).await;
    }
    let mut writer = {
        let (engine, mut draw) = (engine.clone(), Draw::new(StdRng::seed_from_u64(1)));
        let bench = Arc::new(bench);
        let held = Arc::clone(&bench);
        let mut task = tokio::task::JoinSet::new();
        task.spawn(async move {
            for _ in 0..1500 {
                // Half of the updates leave alone what the index is about.
                let id = draw.number(7000);
                let n = if draw.one_in(2) { id % 50 } else { draw.number(50) };
                write(&held, &engine, id, format!("\"n\":{n},\"m\":{}", draw.number(50))).await;
            }
        });
        (task, bench)
    };
    assert_eq!(index(&writer.1, &engine, "n", r#"{"keys":{"n":1}}"#).await, Built::Ready);
    writer.0.join_next().await.unwrap().unwrap();
    tokio::task::block_in_place(|| engine.verify(&Progress::default())).unwrap();
    let snapshot = engine.snapshot();
    let number = snapshot.collections().number("things").unwrap();
    let asked = Asked::new(&engine, r#"{"n":{"$gte":0}}"#, Some(r#"{"n":1}"#));
    assert_eq!(check(&snapshot, number, &asked), 1);
    let plan = run(&snapshot, number, &asked.query()).unwrap().plan;
    assert_eq!(plan.index.as_deref(), Some("n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn unique_indexes_hold_from_their_first_moment_and_over_restarts() {
    let bench = Bench::new();
    let engine = bench.open();
    for id in 0..10 {
        write(&bench, &engine, id, format!("\"mail\":\"m{id}\"")).await;
    }
    assert_eq!(
        index(&bench, &engine, "mail", r#"{"keys":{"mail":1},"unique":true}"#).await,
        Built::Ready
    );
    let clash =
        |id: i32, mail: &str| bench.create("things", id, &format!("{{\"mail\":\"{mail}\"}}"));
    let error = engine.write(clash(20, "m3")).await.unwrap_err();
    assert_eq!(error.code(), "unique_violation");
    assert!(
        error.message().contains("mail = \"m3\"") && error.message().contains("`mail`"),
        "{error}"
    );
    // Two of one group, and of one command.
    let (first, second) =
        tokio::join!(engine.write(clash(21, "new")), engine.write(clash(22, "new")));
    assert_eq!(u8::from(first.is_ok()) + u8::from(second.is_ok()), 1);
    engine.write(clash(23, "free")).await.unwrap();
    bench.stop(engine).await;
    let engine = bench.open();
    assert_eq!(engine.write(clash(24, "free")).await.unwrap_err().code(), "unique_violation");
    let gone = Operation::Delete {
        collection: "things".into(),
        id: id_of(23),
        if_version: None,
        only_if: None,
    };
    engine.write(bench.command(vec![gone])).await.unwrap();
    engine.write(clash(25, "free")).await.unwrap();
    tokio::task::block_in_place(|| engine.verify(&Progress::default())).unwrap();
    bench.stop(engine).await;
    std::fs::remove_dir_all(bench.data().join("views")).unwrap();
    let engine = bench.open();
    assert_eq!(engine.write(clash(26, "free")).await.unwrap_err().code(), "unique_violation");
    bench.stop(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unique_index_over_doubles_fails_and_says_which() {
    let bench = Bench::new();
    let engine = bench.open();
    for id in 0..10 {
        write(&bench, &engine, id, format!("\"n\":{}", id % 9)).await;
    }
    let built = index(&bench, &engine, "n", r#"{"keys":{"n":1},"unique":true}"#).await;
    assert_eq!(built, Built::Failed("several documents have n = 0".to_owned()));
    write(&bench, &engine, 11, "\"n\":1".to_owned()).await;
    bench.stop(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_and_places_are_found_through_their_indexes_as_without_them() {
    let seed = seed::seeds(1)[0];
    let _replay = seed::Replay::of(seed);
    let mut draw = Draw::new(StdRng::seed_from_u64(seed));
    let bench = Bench::new();
    let engine = bench.open();
    for id in 0..300 {
        let members = format!("\"at\":{},\"title\":\"{}\"", draw.place(), draw.words());
        write(&bench, &engine, id, members).await;
    }
    let built = index(&bench, &engine, "at", r#"{"keys":{"at":"2d"}}"#).await;
    assert_eq!(built, Built::Ready);
    let built = index(&bench, &engine, "title", r#"{"keys":{"title":"text"}}"#).await;
    assert_eq!(built, Built::Ready);
    for id in 0..100 {
        let members = format!("\"at\":{},\"title\":\"{}\"", draw.place(), draw.words());
        write(&bench, &engine, id, members).await;
    }
    let snapshot = engine.snapshot();
    let number = snapshot.collections().number("things").unwrap();
    for _ in 0..100 {
        let filter = if draw.one_in(2) { draw.near() } else { draw.search() };
        let mut asked = Asked::new(&engine, &filter, None);
        asked.filter = find::bind(asked.filter, &snapshot, Some(number)).unwrap();
        let scan = Query { hint: Some(Hint::Scan), ..asked.query() };
        let expected = ids(&run(&snapshot, number, &scan).unwrap());
        let chosen = run(&snapshot, number, &asked.query()).unwrap();
        assert_eq!(ids(&chosen), expected, "{} by {:?}", asked.text, chosen.plan);
        assert_eq!(paged(&snapshot, number, &asked, None), expected, "{} in pages", asked.text);
        let hint = Some(Hint::Scan);
        assert_eq!(paged(&snapshot, number, &asked, hint), expected, "{} in pages", asked.text);
    }
    tokio::task::block_in_place(|| engine.verify(&Progress::default())).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_go_when_their_time_is_over_and_not_before() {
    let bench = Bench::new();
    let clock = headwater_engine::clock::ManualClock::new(1_700_000_000_000, 7);
    let fs = headwater_engine::fs::SystemFileSystem::shared();
    let engine = bench.try_open(fs, Arc::clone(&clock) as _).unwrap();
    for id in 0..2500 {
        let mut object = headwater_engine::value::Object::new();
        object.insert("_id", id);
        object.insert("seen", Value::Date(1_700_000_000_000 + i64::from(id)));
        let body = object.to_bytes().into();
        let create = Operation::Create { collection: "things".into(), id: id_of(id), body };
        engine.write(bench.command(vec![create])).await.unwrap();
    }
    let definition = r#"{"keys":{"seen":-1},"expire_after_seconds":10}"#;
    assert_eq!(index(&bench, &engine, "seen", definition).await, Built::Ready);
    assert_eq!(engine.expire().await.unwrap(), 0);
    clock.advance_ms(12_000);
    assert_eq!(engine.expire().await.unwrap(), 2001, "up to and including 10 s after");
    let snapshot = engine.snapshot();
    let number = snapshot.collections().number("things").unwrap();
    assert_eq!(snapshot.counters(number).unwrap().count, 499);
    tokio::task::block_in_place(|| engine.verify(&Progress::default())).unwrap();
    drop(snapshot);
    bench.stop(engine).await;
}

/// The checkpoints of the views, with what they hold.
fn checkpoints(bench: &Bench) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let folders = std::fs::read_dir(bench.data().join("views")).unwrap().flatten();
    let files = folders.map(|folder| folder.path().join("checkpoint")).filter(|file| file.exists());
    files.map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn r8_indexes_are_right_where_tables_are_ahead_of_the_checkpoint() {
    let bench = Bench::new();
    let engine = bench.open();
    for id in 0..200 {
        write(&bench, &engine, id, format!("\"n\":{},\"m\":{id}", id % 7)).await;
    }
    let by_n = r#"{"keys":{"n":1}}"#;
    let dropped =
        |name: &str| Operation::DropIndex { collection: "things".into(), name: name.into() };
    assert_eq!(index(&bench, &engine, "a", by_n).await, Built::Ready);
    bench.stop(engine).await;
    let before = checkpoints(&bench);
    let engine = bench.open();
    // Defined, changed under it, dropped, defined again: all of it will be applied once more.
    assert_eq!(index(&bench, &engine, "n", by_n).await, Built::Ready);
    for id in 0..150 {
        write(&bench, &engine, id, format!("\"n\":{},\"m\":1", id % 5)).await;
    }
    engine.write(bench.command(vec![dropped("a")])).await.unwrap();
    engine.write(bench.command(vec![dropped("n")])).await.unwrap();
    assert_eq!(index(&bench, &engine, "n", by_n).await, Built::Ready);
    for id in 100..200 {
        write(&bench, &engine, id, format!("\"n\":{}", id % 3)).await;
    }
    bench.stop(engine).await;
    assert!(!before.is_empty());
    for (file, bytes) in &before {
        std::fs::write(file, bytes).unwrap();
    }
    for _ in 0..2 {
        let engine = bench.open();
        // The writer clears away dropped indexes while it works.
        for id in 200..400 {
            write(&bench, &engine, id, format!("\"n\":{}", id % 3)).await;
        }
        let snapshot = engine.snapshot();
        let number = snapshot.collections().number("things").unwrap();
        let asked = Asked::new(&engine, r#"{"n":{"$gte":0}}"#, Some(r#"{"n":1}"#));
        assert_eq!(check(&snapshot, number, &asked), 1, "the index is there and agrees");
        drop(snapshot);
        tokio::task::block_in_place(|| engine.verify(&Progress::default())).unwrap();
        bench.stop(engine).await;
    }
}
