//! Damage on disk (R6): whatever byte is wrong, cut off or gone, opening and reading everything gives intact data or a
//! refusal that names the file, and a refusal changes nothing. Damaged views heal from the log.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test binary fails by panicking, and is its own crate"
)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use headwater_engine::clock::SystemClock;
use headwater_engine::fs::SystemFileSystem;
use headwater_engine::subscribe::Start;
use headwater_engine::view::{Progress, Window};
use headwater_engine::write::Operation;
use headwater_engine::{Engine, Error, ErrorKind, Result, Retention};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use support::seed::{Replay, count, seeds};
use support::storage::files_below;
use support::{Bench, id_of};
use tokio::task::JoinSet;

/// How long healing may take.
const PATIENCE: Duration = Duration::from_secs(10);
const COLLECTIONS: [&str; 3] = ["orders", "people", "_credentials"];
const PAGE: usize = 4096;
const WORKERS: u64 = 6;

/// The files of a data directory by path below it.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A data directory with everything in it, and what reading it must give.
struct Golden {
    bench: Bench,
    files: Files,
    content: Vec<String>,
    documents: Vec<String>,
    position: u64,
}

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.log.segment_bytes = 16 << 10;
    bench.settings.maintenance.memtable_bytes = 16 << 10;
    bench.settings.store.table_bytes = 16 << 10;
    bench.settings.store.cache_bytes = 0;
    bench.settings.retention = Retention { seconds: None, bytes: Some(48 << 10) };
    bench
}

impl Golden {
    async fn new() -> Self {
        let bench = bench();
        let engine = bench.open();
        fill(&bench, &engine, 0..250).await;
        blocking(|| engine.retain()).unwrap();
        assert!(engine.log().first_position() > 1, "there is a base");
        fill(&bench, &engine, 250..330).await;
        blocking(|| engine.erase("orders", &id_of(300), "operator")).unwrap();
        let content = read_all(&engine).await.unwrap();
        let documents = read_one_by_one(&engine).unwrap();
        let position = engine.position();
        bench.stop(engine).await;
        let files = snapshot(bench.data());
        Self { bench, files, content, documents, position }
    }

    /// The same in another folder, for another worker.
    fn twin(&self) -> Self {
        Self {
            bench: bench(),
            files: self.files.clone(),
            content: self.content.clone(),
            documents: self.documents.clone(),
            position: self.position,
        }
    }

    fn restore(&self) {
        let data = self.bench.data();
        drop(std::fs::remove_dir_all(data));
        for (path, bytes) in &self.files {
            let path = data.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    /// Opens and reads everything with one file changed (or gone); says what came of it.
    async fn try_with(&self, path: &Path, bytes: Option<&[u8]>, what: &str) -> &'static str {
        self.restore();
        let target = self.bench.data().join(path);
        match bytes {
            Some(bytes) => std::fs::write(&target, bytes).unwrap(),
            None => std::fs::remove_file(&target).unwrap(),
        }
        let before = kept_files(self.bench.data());
        match self.bench.try_open(SystemFileSystem::shared(), SystemClock::shared()) {
            Err(error) => {
                named(&error, path, what);
                let after = kept_files(self.bench.data());
                assert!(before == after, "{what}: the refusal changed the log or the head");
                "refused"
            }
            Ok(engine) => {
                let found = self.read_or_heal(&engine, path, what).await;
                self.bench.stop(engine).await;
                found
            }
        }
    }

    async fn read_or_heal(&self, engine: &Engine, path: &Path, what: &str) -> &'static str {
        assert_eq!(engine.position(), self.position, "{what}: the log is shorter");
        // On its own: a scan that meets the damage would hide a look-up that did not.
        match read_one_by_one(engine) {
            Ok(documents) => {
                let differ = difference(&documents, &self.documents);
                assert!(documents == self.documents, "{what}: {differ}");
            }
            Err(error) => named(&error, path, what),
        }
        let end = Instant::now() + PATIENCE;
        let mut found = "intact";
        loop {
            match read_all(engine).await {
                Ok(content) => {
                    assert!(
                        content == self.content,
                        "{what}: {}",
                        difference(&content, &self.content)
                    );
                    break;
                }
                Err(error) => {
                    named(&error, path, what);
                    if !path.starts_with("views") {
                        return "refused when read";
                    }
                    found = "healed";
                }
            }
            assert!(Instant::now() < end, "{what}: the views do not heal");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // What nothing of the above reads may still be damaged; that is found out here at the latest.
        loop {
            match blocking(|| engine.verify(&Progress::default())) {
                Ok(_) => return found,
                Err(error) if error.code() == "job_running" => {}
                Err(error) => {
                    named(&error, path, what);
                    if !path.starts_with("views") {
                        return "refused when verified";
                    }
                    found = "healed";
                }
            }
            assert!(Instant::now() < end, "{what}: the views do not heal");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

async fn fill(bench: &Bench, engine: &Engine, ids: std::ops::Range<i32>) {
    for id in ids {
        let members = format!("{{\"n\":{id},\"text\":\"{}\"}}", "words ".repeat(10));
        engine
            .write(bench.keyed(bench.create("orders", id, &members), &format!("k{id}"), 1))
            .await
            .unwrap();
        let name = if id % 2 == 0 { "people" } else { "_credentials" };
        engine.write(bench.create(name, id, &members)).await.unwrap();
        if id % 7 == 0 {
            let id = id_of(id);
            let delete = Operation::Delete {
                collection: "orders".into(),
                id,
                if_version: None,
                only_if: None,
            };
            engine.write(bench.command(vec![delete])).await.unwrap();
        }
    }
}

/// A refusal is of the right kind and says which file, or for a view which view.
fn named(error: &Error, path: &Path, what: &str) {
    let message = error.message();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{what}: {message}");
    let name = path.file_name().unwrap().to_string_lossy();
    // A file that is missing shows in its neighbour or folder.
    let names_it = message.contains(&*name)
        || message.contains("view")
        || message.contains("/log")
        || message.contains("head");
    assert!(names_it, "{what}: the message names no file: {message}");
}

/// Every document by its id, as lines.
fn read_one_by_one(engine: &Engine) -> Result<Vec<String>> {
    let snapshot = engine.snapshot();
    let mut lines = Vec::new();
    for name in COLLECTIONS {
        let number = snapshot.collection(name).map_or(0, |collection| collection.number);
        for id in 0..340 {
            lines.push(format!("{:?}", snapshot.get(number, &id_of(id).key)?));
        }
    }
    Ok(lines)
}

/// Everything that can be read, as lines.
async fn read_all(engine: &Engine) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let snapshot = engine.snapshot();
    let first = engine.log().first_position();
    for name in COLLECTIONS {
        let number = snapshot.collection(name).map_or(0, |collection| collection.number);
        lines.push(format!("{name} {number} {:?}", snapshot.counters(number)?));
        for entry in snapshot.scan(number, None) {
            let (key, row) = entry?;
            lines.push(format!("{key:?} {row:?} {:?}", snapshot.get(number, &key)?));
        }
        for id in (0..340).step_by(3) {
            for entry in snapshot.history(number, &id_of(id).key, u64::MAX) {
                lines.push(format!("{id} {entry:?}"));
            }
        }
        let window = Window { after: None, skip: 0, limit: 1000 };
        for row in snapshot.page_at(number, first + 100, window)?.rows {
            lines.push(format!("then {row:?}"));
        }
    }
    for id in 0..330 {
        lines.push(format!("{:?}", snapshot.request(&format!("k{id}"))?));
    }
    let mut subscription = engine.subscribe(Start::Earliest)?;
    while let Some(batch) = subscription.try_next().await? {
        for event in batch.events() {
            lines.push(format!("{:?}", event?));
        }
    }
    Ok(lines)
}

fn difference(found: &[String], expected: &[String]) -> String {
    let at = found.iter().zip(expected).position(|(a, b)| a != b);
    let line = |lines: &[String]| at.and_then(|at| lines.get(at).cloned());
    format!(
        "{} lines, not {}; {:?} not {:?}",
        found.len(),
        expected.len(),
        line(found),
        line(expected)
    )
}

fn snapshot(data: &Path) -> Files {
    let below = |path: PathBuf| {
        let bytes = std::fs::read(&path).unwrap();
        (path.strip_prefix(data).unwrap().to_owned(), bytes)
    };
    files_below(data).into_iter().map(below).collect()
}

/// What a refusal must leave alone.
fn kept_files(data: &Path) -> Files {
    let mut files = snapshot(data);
    files.retain(|path, _| !path.starts_with("views") && path != Path::new("lock"));
    files
}

/// The files that hold anything, each kind about equally often.
fn pick<'a>(files: &'a Files, random: &mut StdRng) -> (&'a PathBuf, &'a Vec<u8>) {
    let filled: Vec<_> = files.iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
    let (views, kept): (Vec<_>, Vec<_>) =
        filled.into_iter().partition(|(path, _)| path.starts_with("views"));
    let among = if random.random_bool(0.5) { views } else { kept };
    among[random.random_range(0..among.len())]
}

/// A bit that says something: files are mostly padding at their ends.
fn bit(bytes: &[u8], random: &mut StdRng) -> usize {
    let filled = bytes.iter().rposition(|byte| *byte != 0).map_or(bytes.len(), |at| at + 1);
    let among = if random.random_bool(0.9) { filled } else { bytes.len() };
    random.random_range(0..among * 8)
}

/// Damages files at random, by several workers at a time; counts what came of it.
async fn damage(golden: &Golden, times: usize, change: fn(&mut Vec<u8>, &mut StdRng) -> String) {
    let mut outcomes = BTreeMap::new();
    for seed in seeds(1) {
        let _replay = Replay::of(seed);
        let mut workers = JoinSet::new();
        for worker in 0..WORKERS {
            let golden = golden.twin();
            let mut random = StdRng::seed_from_u64(seed.wrapping_add(worker));
            workers.spawn(async move {
                let mut outcomes = Vec::new();
                for _ in 0..times / WORKERS as usize {
                    let (path, bytes) = pick(&golden.files, &mut random);
                    let mut changed = bytes.clone();
                    let what = format!("{}, {}", path.display(), change(&mut changed, &mut random));
                    outcomes.push(golden.try_with(path, Some(&changed), &what).await);
                }
                outcomes
            });
        }
        while let Some(worker) = workers.join_next().await {
            for found in worker.unwrap() {
                *outcomes.entry(found).or_insert(0) += 1;
            }
        }
    }
    eprintln!("{outcomes:?}");
    assert!(outcomes.len() > 1, "nothing was ever refused or healed");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_flipped_bit_in_any_file_is_never_served() {
    let golden = Golden::new().await;
    let flip = |bytes: &mut Vec<u8>, random: &mut StdRng| {
        let bit = bit(bytes, random);
        bytes[bit / 8] ^= 1 << (bit % 8);
        format!("byte {}, bit {}", bit / 8, bit % 8)
    };
    damage(&golden, count(300, 10_000), flip).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_cut_short_or_with_a_zeroed_page_is_never_served() {
    let golden = Golden::new().await;
    let cut_or_zero = |bytes: &mut Vec<u8>, random: &mut StdRng| {
        let at = random.random_range(0..bytes.len());
        if random.random_bool(0.5) {
            bytes.truncate(at);
            return format!("cut to {at} bytes");
        }
        let start = at / PAGE * PAGE;
        let end = (start + PAGE).min(bytes.len());
        bytes[start..end].fill(0);
        format!("page at {start} zeroed")
    };
    damage(&golden, count(100, 2_000), cut_or_zero).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone_is_missed() {
    let golden = Golden::new().await;
    let mut outcomes = BTreeMap::new();
    for path in golden.files.keys() {
        let what = format!("{}, removed", path.display());
        let found = golden.try_with(path, None, &what).await;
        // A segment that is being prepared holds nothing yet.
        let is_prepared = path.extension().is_some_and(|extension| extension == "tmp");
        let is_log = !is_prepared && path.starts_with("log") || path == Path::new("head");
        assert!(!is_log || found != "intact", "{what}: nobody noticed");
        *outcomes.entry(found).or_insert(0) += 1;
    }
    eprintln!("{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn views_damaged_while_serving_fail_cleanly_and_heal_while_writes_go_on() {
    let golden = Golden::new().await;
    golden.restore();
    let engine = golden.bench.open();
    let mut damaged = 0;
    for path in files_below(&golden.bench.data().join("views")) {
        if path.parent().is_some_and(|parent| parent.ends_with("tables")) {
            let len = std::fs::metadata(&path).unwrap().len() as usize;
            std::fs::write(&path, vec![0xa5; len]).unwrap();
            damaged += 1;
        }
    }
    assert!(damaged > 0, "there are tables");
    let end = Instant::now() + PATIENCE;
    let mut failed = false;
    let content = loop {
        match read_all(&engine).await {
            Ok(content) => break content,
            Err(error) => {
                assert_eq!((error.kind(), error.code()), (ErrorKind::Damaged, "view_damaged"));
                failed = true;
            }
        }
        assert!(Instant::now() < end, "the views do not heal");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(failed, "the damage was not met");
    assert!(content == golden.content, "{}", difference(&content, &golden.content));
    engine.write(golden.bench.create("orders", 9999, "{}")).await.unwrap();
    while let Err(error) = blocking(|| engine.verify(&Progress::default())) {
        assert_eq!(error.code(), "job_running", "{error}");
        assert!(Instant::now() < end, "the rebuild does not end");
    }
    golden.bench.stop(engine).await;
}
