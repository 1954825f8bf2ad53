//! The engine's hot paths, each beside the bare work that bounds it. `cargo bench --bench engine`.
//!
//! Data lies in the folder of `HEADWATER_BENCH_DIR`, or in the system's temporary one: a bench that syncs measures the
//! disk that this folder is on.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater_engine::clock::SystemClock;
use headwater_engine::fs::{OpenMode, SystemFileSystem};
use headwater_engine::limits::Limits;
use headwater_engine::log::{self, BatchEnd, LogOptions};
use headwater_engine::subscribe::Start;
use headwater_engine::tasks::Tasks;
use headwater_engine::value::document::{IdRule, prepare};
use headwater_engine::value::{Raw, json};
use headwater_engine::view::{MaintenanceOptions, Progress, StoreOptions};
use headwater_engine::write::{Command, DocumentId, Operation, Strictness};
use headwater_engine::{Components, Engine, Retention, Settings};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const DOCUMENT: &[u8] = br#"{"name":"Alexandra Johnson","email":"alexandra.johnson@example.com","age":34,"city":"Gothenburg","active":true,"balance":1234.56,"tags":["alpha","beta","gamma"],"notes":"text that makes the document about two hundred and fifty bytes"}"#;
const FILL: usize = 200_000;

fn scratch() -> tempfile::TempDir {
    match std::env::var_os("HEADWATER_BENCH_DIR") {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    }
    .expect("a scratch folder")
}

fn value(c: &mut Criterion) {
    let limits = Limits::default();
    let encoded = json::parse_document(DOCUMENT, &limits).expect("the document is sound");
    let mut group = c.benchmark_group("value");
    group.throughput(Throughput::Bytes(DOCUMENT.len() as u64));
    group
        .bench_function("parse", |b| b.iter(|| json::parse_document(black_box(DOCUMENT), &limits)));
    let mut text = Vec::with_capacity(1024);
    group.bench_function("write", |b| {
        b.iter(|| {
            text.clear();
            json::write(Raw::trusted(black_box(&encoded)), &mut text);
        });
    });
    group.bench_function("prepare", |b| {
        b.iter(|| prepare(encoded.clone(), IdRule::PlainJson, &limits, || [7; 12]));
    });
    group.finish();
}

/// 256 records of 256 bytes for each sync: the log, and a bare write of the same bytes to a preallocated file.
fn append(c: &mut Criterion) {
    let dir = scratch();
    let fs = SystemFileSystem::shared();
    let options = LogOptions::default();
    let opened = log::open(dir.path(), options, Arc::clone(&fs), SystemClock::shared());
    let mut writer = opened.expect("a new log").writer;
    let digest = log::digest_of(&[9; 208]);
    let mut group = c.benchmark_group("append_256_records");
    group.throughput(Throughput::Elements(256)).sample_size(40);
    group.bench_function("log", |b| {
        b.iter(|| {
            // The engine hashes the erasable part on the callers' tasks.
            let mut records = writer.group();
            for _ in 0..256 {
                records.push_hashed(1, &[7; 48], &[9; 208], &digest, BatchEnd::Last);
            }
            writer.append(records).expect("the disk takes it");
        });
    });
    let file = fs.open(&dir.path().join("bare"), OpenMode::CreateNew).expect("a new file");
    let size = 64 << 20;
    file.allocate(size).expect("room for the bare file");
    for page in 0..size >> 20 {
        file.write_all_at(&vec![0; 1 << 20], page << 20).expect("the disk takes it");
    }
    file.sync_data().expect("the disk syncs");
    let bytes = vec![9; 256 * 256];
    let mut offset = 0;
    group.bench_function("bare", |b| {
        b.iter(|| {
            file.write_all_at(&bytes, offset).expect("the disk takes it");
            file.sync_data().expect("the disk syncs");
            offset = (offset + bytes.len() as u64) % (size - bytes.len() as u64);
        });
    });
    group.finish();
}

fn create(engine: &Engine, limits: &Limits) -> Operation {
    let encoded = json::parse_document(DOCUMENT, limits).expect("the document is sound");
    let prepared = prepare(encoded, IdRule::PlainJson, limits, || engine.new_id())
        .expect("the document is sound");
    Operation::Create {
        collection: "bench".into(),
        id: DocumentId { raw: prepared.id.into(), key: prepared.id_key.into() },
        body: prepared.bytes.into(),
    }
}

fn command(operations: Vec<Operation>) -> Command {
    Command { operations, actor: "bench".into(), ..Command::default() }
}

fn engine(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let dir = scratch();
    let settings = Settings {
        data: dir.path().to_owned(),
        log: LogOptions::default(),
        limits: Limits { disk_reserve: 0, ..Limits::default() },
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
    writes(c, &runtime, &engine);
    reads(c, &runtime, &engine);
    engine.stop().expect("a clean stop");
    let tasks = engine.tasks().clone();
    drop(engine);
    runtime.block_on(tasks.stop(Duration::from_secs(10)));
}

fn writes(c: &mut Criterion, runtime: &tokio::runtime::Runtime, engine: &Engine) {
    let limits = Limits::default();
    let mut group = c.benchmark_group("write");
    group.throughput(Throughput::Elements(500)).sample_size(20);
    group.bench_function("bulk_500", |b| {
        b.iter(|| {
            let operations = (0..500).map(|_| create(engine, &limits)).collect();
            runtime.block_on(engine.write(command(operations))).expect("the write is taken");
        });
    });
    group.throughput(Throughput::Elements(64));
    group.bench_function("create_64_in_flight", |b| {
        b.iter(|| {
            let writes = (0..64).map(|_| engine.write(command(vec![create(engine, &limits)])));
            let answers = runtime.block_on(futures_util::future::join_all(writes));
            assert!(answers.iter().all(Result::is_ok));
        });
    });
    group.finish();
    for _ in 0..FILL / 500 {
        let operations = (0..500).map(|_| create(engine, &limits)).collect();
        runtime.block_on(engine.write(command(operations))).expect("the write is taken");
    }
}

fn reads(c: &mut Criterion, runtime: &tokio::runtime::Runtime, engine: &Engine) {
    let snapshot = engine.snapshot();
    let number = snapshot.collection("bench").expect("it was filled").number;
    let keys: Vec<_> = snapshot
        .scan(number, None)
        .step_by(97)
        .map(|row| row.expect("the views are sound").0)
        .collect();
    // A rebuild ends when the last reader of the views before is gone.
    drop(snapshot);
    let mut group = c.benchmark_group("read");
    let mut next = 0;
    group.bench_function("by_id", |b| {
        b.iter(|| {
            next = (next + 7919) % keys.len();
            engine.snapshot().get(number, &keys[next]).expect("the views are sound")
        });
    });
    group.sample_size(10).throughput(Throughput::Elements(engine.position()));
    group.bench_function("catch_up", |b| {
        b.iter(|| runtime.block_on(catch_up(engine)));
    });
    group.bench_function("fold", |b| {
        b.iter_custom(|rounds| {
            let started = Instant::now();
            for _ in 0..rounds {
                engine.rebuild(&Progress::default()).expect("the log is sound");
            }
            started.elapsed()
        });
    });
    group.finish();
}

async fn catch_up(engine: &Engine) -> u64 {
    let mut subscription = engine.subscribe(Start::Earliest).expect("nothing was dropped");
    let mut versions = 0;
    while subscription.lag() > 0 {
        let batch = subscription.next().await.expect("the log is sound");
        versions += batch.events().map(|event| event.expect("it decodes").version).sum::<u64>();
    }
    versions
}

criterion_group!(benches, value, append, engine);
criterion_main!(benches);
