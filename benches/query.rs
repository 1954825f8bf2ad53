//! Queries over many documents, each beside a read by id. `cargo bench --bench query`.
//!
//! `HEADWATER_BENCH_DOCUMENTS` sets how many there are (1,000,000 unless given); they look like the cities of the README.
//! Data lies in the folder of `HEADWATER_BENCH_DIR`, or in the system's temporary one.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_engine::clock::SystemClock;
use headwater_engine::fs::SystemFileSystem;
use headwater_engine::index::Definition;
use headwater_engine::limits::Limits;
use headwater_engine::log::LogOptions;
use headwater_engine::query::aggregate::Pipeline;
use headwater_engine::query::find::{self, Query};
use headwater_engine::query::over::{SnapshotCollections, aggregate};
use headwater_engine::query::{Budget, Context, Filter, Sort, Trust};
use headwater_engine::tasks::Tasks;
use headwater_engine::value::document::{IdRule, prepare};
use headwater_engine::value::{Raw, ejson};
use headwater_engine::view::{MaintenanceOptions, StoreOptions};
use headwater_engine::write::{Command, DocumentId, Operation, Strictness};
use headwater_engine::{Components, Engine, Retention, Settings};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: u64 = 1000;

fn limits() -> Limits {
    Limits { query_deadline_ms: 600_000, query_result_bytes: u64::MAX, ..Limits::default() }
}

fn parse(text: &str) -> Vec<u8> {
    ejson::parse_value(text.as_bytes(), &limits(), ejson::Mode::Filter).expect("it is sound")
}

fn filter(text: &str) -> Filter {
    let limits = limits();
    let context = Context { limits: &limits, now_ms: 0, trust: Trust::Ordinary };
    Filter::parse(Raw::trusted(&parse(text)), &context).expect("it compiles")
}

fn sort(text: &str) -> Sort {
    let limits = limits();
    let context = Context { limits: &limits, now_ms: 0, trust: Trust::Ordinary };
    Sort::parse(Raw::trusted(&parse(text)), &context).expect("it compiles")
}

fn city(number: u64) -> String {
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let country = (spread >> 20) % 240;
    let (lat, lng) = ((spread >> 8) % 18_000, (spread >> 24) % 36_000);
    format!(
        r#"{{"name":"City of {number}","country":"C{country}","admin1":"A{}","admin2":"{}","lat":{}.5,"lng":{}.5,"population":{},"number":{number},"tags":["t{}","u{}"]}}"#,
        spread % 50,
        spread % 9999,
        lat / 100,
        lng / 100,
        (spread >> 30) % 1_000_000,
        spread % 7,
        spread % 11,
    )
}

fn create(engine: &Engine, collection: &str, number: u64) -> Operation {
    let limits = limits();
    let encoded = parse(&city(number));
    let prepared =
        prepare(encoded, IdRule::PlainJson, &limits, || engine.new_id()).expect("it is sound");
    let id = DocumentId { raw: prepared.id.into(), key: prepared.id_key.into() };
    Operation::Create { collection: collection.into(), id, body: prepared.bytes.into() }
}

fn command(operations: Vec<Operation>) -> Command {
    Command { operations, actor: Arc::from("bench"), ..Command::default() }
}

struct Bench {
    runtime: tokio::runtime::Runtime,
    engine: Engine,
    documents: u64,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let documents =
            std::env::var("HEADWATER_BENCH_DOCUMENTS").ok().and_then(|n| n.parse().ok());
        let documents = documents.unwrap_or(1_000_000);
        let dir = match std::env::var_os("HEADWATER_BENCH_DIR") {
            Some(dir) => tempfile::tempdir_in(dir),
            None => tempfile::tempdir(),
        };
        let dir = dir.expect("a scratch folder");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let settings = Settings {
            data: dir.path().join("data"),
            log: LogOptions::default(),
            limits: limits(),
            strictness: Strictness::Implicit,
            store: StoreOptions::default(),
            maintenance: MaintenanceOptions::default(),
            retention: Retention::default(),
        };
        let components = Components {
            fs: SystemFileSystem::shared(),
            clock: SystemClock::shared(),
            tasks: Tasks::new(runtime.handle().clone()),
            followers: Vec::new(),
        };
        let engine = Engine::open(settings, components).expect("a new engine");
        let bench = Self { runtime, engine, documents, dir };
        let took = bench.fill("cities", 0, documents);
        eprintln!("{documents} documents in {took:?}");
        bench
    }

    fn fill(&self, collection: &str, from: u64, to: u64) -> Duration {
        let mut spent = Duration::ZERO;
        let mut next = from;
        while next < to {
            let end = (next + BATCH).min(to);
            let operations =
                (next..end).map(|number| create(&self.engine, collection, number)).collect();
            let started = Instant::now();
            self.runtime.block_on(self.engine.write(command(operations))).expect("it is taken");
            spent += started.elapsed();
            next = end;
        }
        spent
    }

    fn index(&self, collection: &str, name: &str, keys: &str) -> Duration {
        let definition =
            Definition::read(Raw::trusted(&parse(keys)), &limits()).expect("it is sound");
        let definition: Bytes = definition.members.to_bytes().into();
        let operation =
            Operation::DefineIndex { collection: collection.into(), name: name.into(), definition };
        let committed = self.runtime.block_on(self.engine.write(command(vec![operation])));
        let number = committed.expect("it is taken").outcomes[0].position;
        let started = Instant::now();
        self.engine.build_index(collection, number).expect("it is built");
        started.elapsed()
    }
}

fn queries(c: &mut Criterion) {
    let bench = Bench::new();
    let (engine, documents) = (&bench.engine, bench.documents);
    let snapshot = engine.snapshot();
    let number = snapshot.collections().number("cities").expect("it was filled");
    let keys: Vec<_> =
        snapshot.scan(number, None).step_by(997).map(|row| row.expect("sound").0).collect();
    drop(snapshot);

    let mut group = c.benchmark_group("scan");
    group.sample_size(10).throughput(Throughput::Elements(documents));
    group.bench_function("rows", |b| {
        b.iter(|| {
            let rows = engine.snapshot().scan(number, None);
            rows.map(|row| row.expect("sound").1.version()).sum::<u64>()
        });
    });
    for (name, text) in [
        ("equality", r#"{"country":"nowhere"}"#),
        ("range", r#"{"population":{"$gt":2000000}}"#),
        ("three", r#"{"country":"C7","population":{"$gt":2000000},"lat":{"$lt":0}}"#),
        ("elements", r#"{"tags":"none"}"#),
    ] {
        let filter = filter(text);
        group.bench_function(name, |b| {
            b.iter(|| {
                find::count(&engine.snapshot(), number, &Query::all(&filter), &Budget::unlimited())
            });
        });
    }
    let limits = limits();
    let context = Context { limits: &limits, now_ms: 0, trust: Trust::Ordinary };
    let pipeline = parse(r#"[{"$group":{"_id":"$country","people":{"$sum":"$population"}}}]"#);
    let pipeline = Pipeline::parse(Raw::trusted(&pipeline), &context).expect("it compiles");
    group.bench_function("group_sum", |b| {
        b.iter(|| {
            let snapshot = Arc::new(engine.snapshot());
            let budget = Arc::new(Budget::unlimited());
            let folder = bench.dir.path().to_owned();
            let own = SnapshotCollections::new(snapshot, None, limits.clone(), budget, folder);
            let mut groups = 0;
            aggregate(&pipeline, &Arc::new(own), "cities", &mut |_| {
                groups += 1;
                Ok(())
            })
            .expect("it runs");
            assert_eq!(groups, 240.min(documents));
        });
    });
    group.finish();

    for (name, keys) in [
        ("number", r#"{"keys":{"number":1}}"#),
        ("country_population", r#"{"keys":{"country":1,"population":-1}}"#),
        ("tags", r#"{"keys":{"tags":1}}"#),
    ] {
        let took = bench.index("cities", name, keys);
        let rate = documents as f64 / took.as_secs_f64();
        eprintln!("index {name}: {took:?}, {rate:.0} documents/s");
    }

    let mut group = c.benchmark_group("indexed");
    let mut next = 0;
    group.bench_function("read_by_id", |b| {
        b.iter(|| {
            next = (next + 7919) % keys.len();
            engine.snapshot().get(number, &keys[next]).expect("sound")
        });
    });
    let mut at = 0;
    group.bench_function("point", |b| {
        b.iter(|| {
            at = (at + 7919) % documents;
            let filter = filter(&format!("{{\"number\":{at}}}"));
            let query = Query { limit: 100, ..Query::all(&filter) };
            let found = find::find(&engine.snapshot(), number, &query, &Budget::unlimited());
            assert_eq!(black_box(found).expect("it runs").rows.len(), 1);
        });
    });
    let order = sort(r#"{"population":-1}"#);
    group.bench_function("twenty_sorted", |b| {
        b.iter(|| {
            at = (at + 7919) % 240;
            let filter = filter(&format!("{{\"country\":\"C{at}\"}}"));
            let query = Query { sort: Some(&order), limit: 20, ..Query::all(&filter) };
            let found = find::find(&engine.snapshot(), number, &query, &Budget::unlimited());
            assert_eq!(black_box(found).expect("it runs").rows.len(), 20);
        });
    });
    group.bench_function("twenty_by_number", |b| {
        b.iter(|| {
            at = (at + 7919) % (documents - 20);
            let filter = filter(&format!("{{\"number\":{{\"$gte\":{at},\"$lt\":{}}}}}", at + 20));
            let query = Query { limit: 20, ..Query::all(&filter) };
            let found = find::find(&engine.snapshot(), number, &query, &Budget::unlimited());
            assert_eq!(black_box(found).expect("it runs").rows.len(), 20);
        });
    });
    group.finish();

    let plain = bench.fill("plain", 0, 100_000);
    bench.fill("three", 0, 1);
    for (name, keys) in [
        ("number", r#"{"keys":{"number":1}}"#),
        ("country_population", r#"{"keys":{"country":1,"population":-1}}"#),
        ("admin2", r#"{"keys":{"admin2":1}}"#),
    ] {
        bench.index("three", name, keys);
    }
    let three = bench.fill("three", 1, 100_001);
    eprintln!(
        "100,000 creates in batches of {BATCH}: {plain:?} without an index, {three:?} with three"
    );
    engine.stop().expect("a clean stop");
}

criterion_group!(benches, queries);
criterion_main!(benches);
