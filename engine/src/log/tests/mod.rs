//! Tests of the log, sorted by the question they ask; this file holds what they share.
//!
//! Random tests print their seed when they fail; `HEADWATER_SEED` replays one, `HEADWATER_LONG=1` runs many more rounds.

mod damage;
mod erasure;
mod faults;
mod follow;
mod power;
mod reading;
mod retention;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::testing::MemoryFileSystem;
use super::*;
use crate::clock::ManualClock;
use crate::error::{Error, Result};
use crate::fs::SharedFileSystem;

pub(super) const SMALL_SEGMENT: u64 = 16 << 10;

pub(super) fn dir() -> PathBuf {
    PathBuf::from("/data")
}

pub(super) fn small() -> LogOptions {
    LogOptions { segment_bytes: SMALL_SEGMENT, ..LogOptions::default() }
}

pub(super) fn inspect() -> LogOptions {
    LogOptions { open: OpenKind::Inspect, ..small() }
}

pub(super) fn open_with(fs: &MemoryFileSystem, options: LogOptions, seed: u64) -> Result<Opened> {
    open(&dir(), options, fs.shared(), ManualClock::new(1_000, seed))
}

pub(super) fn open_small(fs: &MemoryFileSystem) -> Opened {
    open_with(fs, small(), 7).unwrap()
}

pub(super) fn open_real(path: &Path, options: LogOptions) -> Opened {
    let fs: SharedFileSystem = crate::fs::SystemFileSystem::shared();
    open(path, options, fs, crate::clock::SystemClock::shared()).unwrap()
}

/// A record as a test remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) time_ms: u64,
    pub(super) kept: Vec<u8>,
    pub(super) erasable: Vec<u8>,
    pub(super) batch_end: bool,
}

pub(super) fn remember(record: RecordView<'_>) -> Remembered {
    Remembered {
        time_ms: record.time_ms(),
        kept: record.kept().to_vec(),
        erasable: record.erasable().to_vec(),
        batch_end: record.is_batch_end(),
    }
}

/// A random group of one to four batches with times that do not go back.
pub(super) fn random_group(random: &mut StdRng, time_ms: u64) -> Vec<Remembered> {
    let mut records = Vec::new();
    let mut time_ms = time_ms;
    for _ in 0..random.random_range(1..=4) {
        let len = random.random_range(1..=5);
        for n in 0..len {
            time_ms += random.random_range(0..3);
            let mut part = |most: usize| {
                let len = if random.random_bool(0.1) { most * 4 } else { most };
                let len = random.random_range(0..=len);
                (0..len).map(|_| random.random_range(1..=255)).collect::<Vec<u8>>()
            };
            let (kept, erasable) = (part(80), part(300));
            records.push(Remembered { time_ms, kept, erasable, batch_end: n + 1 == len });
        }
    }
    records
}

pub(super) fn build(writer: &LogWriter, records: &[Remembered]) -> GroupBuilder {
    let mut group = writer.group();
    for record in records {
        let end = if record.batch_end { BatchEnd::Last } else { BatchEnd::More };
        group.push(record.time_ms, &record.kept, &record.erasable, end);
    }
    group
}

pub(super) fn append(writer: &mut LogWriter, records: &[Remembered]) -> Result<Arc<Block>> {
    let group = build(writer, records);
    writer.append(group)
}

/// Appends `groups` random groups; gives all of their records.
pub(super) fn fill(writer: &mut LogWriter, groups: usize, seed: u64) -> Vec<Remembered> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut all = Vec::new();
    for _ in 0..groups {
        let records = random_group(&mut random, writer.last_time_ms());
        append(writer, &records).unwrap();
        all.extend(records);
    }
    all
}

/// Reads everything after `after`, checking that positions are dense.
pub(super) fn read_all(reader: &LogReader, after: u64) -> Result<Vec<Remembered>> {
    let mut all = Vec::new();
    let mut at = after;
    while let Some(block) = reader.read(at, 3000)? {
        for record in block.iter() {
            at += 1;
            assert_eq!(record.position(), at);
            all.push(remember(record));
        }
    }
    Ok(all)
}

/// Runs `round` with many seeds, or with `HEADWATER_SEED` alone; names the seed of a failing round.
pub(super) fn rounds(default: u64, long: u64, round: impl Fn(u64) + std::panic::RefUnwindSafe) {
    if let Some(seed) = std::env::var("HEADWATER_SEED").ok().and_then(|s| s.parse().ok()) {
        return round(seed);
    }
    let count = if std::env::var_os("HEADWATER_LONG").is_some() { long } else { default };
    let mut bytes = [0; 8];
    crate::clock::Clock::fill_random(&*crate::clock::SystemClock::shared(), &mut bytes);
    let first = u64::from_le_bytes(bytes) >> 8;
    for seed in first..first + count {
        if let Err(panic) = std::panic::catch_unwind(|| round(seed)) {
            eprintln!("failed with HEADWATER_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

pub(super) fn code<T>(result: Result<T>) -> &'static str {
    result.err().map_or("ok", |error: Error| error.code())
}

pub(super) fn segment_files(fs: &MemoryFileSystem) -> Vec<PathBuf> {
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|e| e == "log");
    fs.files().into_iter().filter(is_segment).collect()
}
