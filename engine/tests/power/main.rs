//! The power goes in the middle of writing: whatever of the unsynced bytes is found afterwards, everything acknowledged
//! is there, whole and once (R1, R2, R3, R4, R8). The same harness finds the loss that relaxed durability allows.

#![allow(clippy::unwrap_used, reason = "a test unwraps what it needs")]
#![allow(unreachable_pub, reason = "a test binary's modules are its own")]

mod check;
mod load;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use check::check;
use headwater_engine::Retention;
use headwater_engine::clock::SystemClock;
use headwater_engine::log::Durability;
use headwater_engine::log::testing::MemoryFileSystem;
use load::Known;
use rand::RngExt;
use rand::rngs::StdRng;
use support::Bench;
use support::seed::{Replay, count, seeds};
use support::storage::{SplitFileSystem, copy_views};

/// Crash states looked at per run.
const STATES: usize = 4;

fn bench(durability: Durability) -> Bench {
    let mut bench = Bench::new();
    bench.settings.log.segment_bytes = 128 << 10;
    bench.settings.log.durability = durability;
    bench.settings.maintenance.memtable_bytes = 8 << 10;
    bench.settings.store.table_bytes = 32 << 10;
    bench.settings.limits.tail_bytes = 16 << 10;
    bench.settings.retention = Retention { seconds: None, bytes: Some(512 << 10) };
    bench
}

/// Writes until the power goes; gives the disk, and the views as they were at that moment and some time before.
async fn run(
    bench: &Bench,
    seed: u64,
    random: &mut StdRng,
    copies: &Path,
) -> (MemoryFileSystem, Known) {
    let memory = MemoryFileSystem::new();
    let fs = SplitFileSystem::new(memory.clone(), bench.data());
    let early = random.random_bool(0.1);
    if early {
        memory.crash_after(random.random_range(0..60));
    }
    let known = match bench.try_open(fs.shared(), SystemClock::shared()) {
        Ok(engine) => {
            if !early {
                memory.crash_after(random.random_range(30..900));
            }
            let known = load::run(&engine, seed, copies).await;
            bench.abandon(engine).await;
            known
        }
        Err(error) => {
            assert!(memory.is_crashed(), "{error}");
            Known::default()
        }
    };
    copy_views(&bench.data().join("views"), &copies.join("last"));
    (memory, known)
}

/// Puts views of some age beside a crashed log, or none.
fn place_views(bench: &Bench, copies: &Path, random: &mut StdRng) -> &'static str {
    let views = bench.data().join("views");
    drop(std::fs::remove_dir_all(&views));
    let (copy, name) = match random.random_range(0..4) {
        0 => return "no views",
        1 => (copies.join("views"), "older views"),
        _ => (copies.join("last"), "last views"),
    };
    copy_views(&copy, &views);
    name
}

/// Runs of several crash states each; how many states had lost something acknowledged.
async fn rounds(durability: Durability, runs: usize) -> usize {
    let mut states_with_loss = 0;
    for seed in seeds(runs) {
        let replay = Replay::of(seed);
        let mut random = replay.random();
        let bench = bench(durability);
        let copies = tempfile::tempdir().unwrap();
        let (memory, known) = run(&bench, seed, &mut random, copies.path()).await;
        for _ in 0..STATES {
            let disk = match random.random_range(0..5) {
                0 => memory.kill_state(),
                _ => memory.crash_state(random.random()),
            };
            let views = place_views(&bench, copies.path(), &mut random);
            eprintln!("seed {seed}: {} acknowledged, {views}", known.acknowledged.len());
            let fs = SplitFileSystem::new(disk, bench.data());
            let engine = bench.try_open(fs.shared(), SystemClock::shared()).unwrap();
            let lost = check(&engine, &known).await.0;
            states_with_loss += usize::from(lost > 0);
            assert!(lost == 0 || durability == Durability::Relaxed, "{lost} writes are lost");
            bench.stop(engine).await;
        }
    }
    states_with_loss
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_power_goes() {
    assert_eq!(rounds(Durability::Sync, count(6, 60)).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn relaxed_durability_loses_writes_in_the_same_harness_but_nothing_else_breaks() {
    // One run may happen to lose nothing.
    let mut states_with_loss = 0;
    for tries in 0.. {
        states_with_loss += rounds(Durability::Relaxed, count(3, 30)).await;
        if states_with_loss > 0 {
            break;
        }
        assert!(tries < 10, "the harness must see loss");
    }
}
