//! Failing disks (R7) and a clock that jumps (R4): after an error nothing more is acknowledged, reads go on, the reason
//! is said; a full disk is recovered from without help; what was acknowledged is there after another start.

#![allow(clippy::unwrap_used, reason = "a test unwraps what it needs")]
#![allow(unreachable_pub, reason = "a test binary's modules are its own")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_engine::clock::{Clock, ManualClock, SystemClock};
use headwater_engine::fs::SystemFileSystem;
use headwater_engine::log::testing::{Fault, MemoryFileSystem};
use headwater_engine::subscribe::Start;
use headwater_engine::view::Progress;
use headwater_engine::{Engine, ErrorKind};
use support::seed::{Replay, count, seeds};
use support::storage::SplitFileSystem;
use support::{Bench, id_of};

/// How long the engine may take to notice or to recover.
const PATIENCE: Duration = Duration::from_secs(10);

struct Disk {
    bench: Bench,
    fs: SplitFileSystem,
}

impl Disk {
    fn new() -> Self {
        let mut bench = Bench::new();
        bench.settings.log.segment_bytes = 8 << 10;
        bench.settings.maintenance.memtable_bytes = 16 << 10;
        let fs = SplitFileSystem::new(MemoryFileSystem::new(), bench.data());
        Self { bench, fs }
    }

    fn open(&self) -> headwater_engine::Result<Engine> {
        self.bench.try_open(self.fs.shared(), SystemClock::shared())
    }

    /// Everything acknowledged is there, once, and the views are the log's.
    async fn check_after_restart(&self, engine: Engine, acknowledged: &[i32]) {
        self.bench.abandon(engine).await;
        self.fs.memory.heal();
        let engine = self.open().unwrap();
        check_reads(&engine, acknowledged);
        tokio::task::block_in_place(|| engine.verify(&Progress::default())).unwrap();
        engine.write(create(&self.bench, 1_000_000)).await.unwrap();
        self.bench.stop(engine).await;
    }
}

fn create(bench: &Bench, id: i32) -> headwater_engine::write::Command {
    bench.create(
        "orders",
        id,
        "{\"text\":\"a document of some length, so that segments roll soon\"}",
    )
}

/// Reads go on, and give what was acknowledged.
fn check_reads(engine: &Engine, acknowledged: &[i32]) {
    let snapshot = engine.snapshot();
    let Some(orders) = snapshot.collection("orders") else {
        assert!(acknowledged.is_empty());
        return;
    };
    for id in acknowledged {
        let row = snapshot.get(orders.number, &id_of(*id).key).unwrap();
        assert!(row.is_some(), "document {id} was acknowledged and is not there");
    }
}

/// Polls until `done` or time is up.
async fn soon(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Writes until the planned fault has been met, or until an error; the ids acknowledged and the error.
async fn write_into_fault(
    disk: &Disk,
    engine: &Engine,
) -> (Vec<i32>, Option<headwater_engine::Error>) {
    let mut acknowledged = Vec::new();
    for id in 0..400 {
        match engine.write(create(&disk.bench, id)).await {
            Ok(_) => acknowledged.push(id),
            Err(error) => return (acknowledged, Some(error)),
        }
        if disk.fs.memory.fault_met() && id > 40 {
            break;
        }
    }
    (acknowledged, None)
}

/// Opens with the n-th call from now failing; an opening may fail, but only with that error, and works afterwards.
async fn open_into_fault(disk: &Disk, n: u64, fault: Fault) -> Engine {
    disk.fs.memory.fail_nth(n, fault);
    match disk.open() {
        Ok(engine) => engine,
        Err(error) => {
            let expected = match fault {
                Fault::NoSpace => ErrorKind::DiskFull,
                _ => ErrorKind::Internal,
            };
            assert!(disk.fs.memory.fault_met(), "{error}");
            assert_eq!(error.kind(), expected, "{error}");
            disk.fs.memory.heal();
            disk.open().unwrap()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_io_error_at_any_call_nothing_more_is_acknowledged_and_reads_go_on() {
    for n in 0..count(48, 500) as u64 {
        let disk = Disk::new();
        let engine = open_into_fault(&disk, n, Fault::Io).await;
        let (acknowledged, error) = write_into_fault(&disk, &engine).await;
        if let Some(error) = error {
            assert!(disk.fs.memory.fault_met(), "call {n}: {error}");
            assert_eq!(error.kind(), ErrorKind::Unavailable, "call {n}: {error}");
            let reason = engine.unready().expect("the reason is said");
            assert!(reason.message().contains("Input/output"), "{reason}");
            // The fault was a single one, and yet nobody tries again.
            for id in 500..503 {
                let refused = engine.write(create(&disk.bench, id)).await.unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
            }
        }
        check_reads(&engine, &acknowledged);
        disk.check_after_restart(engine, &acknowledged).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_write_at_any_call_is_completed() {
    for n in 0..count(24, 500) as u64 {
        let disk = Disk::new();
        let engine = open_into_fault(&disk, n, Fault::ShortWrite).await;
        let (acknowledged, error) = write_into_fault(&disk, &engine).await;
        assert!(error.is_none(), "call {n}: {error:?}");
        assert!(engine.unready().is_none());
        disk.check_after_restart(engine, &acknowledged).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_resume_by_themselves_once_a_full_disk_has_room() {
    for n in 0..count(48, 500) as u64 {
        let disk = Disk::new();
        let engine = open_into_fault(&disk, n, Fault::NoSpace).await;
        let (mut acknowledged, error) = write_into_fault(&disk, &engine).await;
        if let Some(error) = error {
            assert_eq!(error.kind(), ErrorKind::DiskFull, "call {n}: {error}");
            check_reads(&engine, &acknowledged);
            let end = Instant::now() + PATIENCE;
            loop {
                match engine.write(create(&disk.bench, 2_000)).await {
                    Ok(_) => break,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::DiskFull, "{error}"),
                }
                assert!(Instant::now() < end, "call {n}: writes do not resume");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            acknowledged.push(2_000);
        }
        soon("ready", || engine.unready().is_none()).await;
        disk.check_after_restart(engine, &acknowledged).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_stays_full_is_said_and_recovered_from_without_a_write() {
    let disk = Disk::new();
    let engine = disk.open().unwrap();
    let acknowledged: Vec<_> = (0..30).collect();
    for id in &acknowledged {
        engine.write(create(&disk.bench, *id)).await.unwrap();
    }
    disk.fs.memory.fail_from(0, Fault::NoSpace);
    disk.fs.set_available(0);
    let refused = loop {
        // The reading of the free space may be some milliseconds old.
        if let Err(error) = engine.write(create(&disk.bench, 100)).await {
            break error;
        }
    };
    assert_eq!(refused.kind(), ErrorKind::DiskFull);
    let reason = engine.unready().expect("said");
    assert_eq!(reason.kind(), ErrorKind::DiskFull);
    disk.fs.memory.heal();
    check_reads(&engine, &acknowledged);
    disk.fs.set_available(u64::MAX);
    soon("ready again", || engine.unready().is_none()).await;
    engine.write(create(&disk.bench, 101)).await.unwrap();
    disk.check_after_restart(engine, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn space_kept_in_reserve_refuses_writes_before_anything_fails() {
    let mut disk = Disk::new();
    disk.bench.settings.limits.disk_reserve = 1000;
    let engine = disk.open().unwrap();
    engine.write(create(&disk.bench, 1)).await.unwrap();
    disk.fs.set_available(999);
    let mut refused = None;
    let end = Instant::now() + PATIENCE;
    let mut id = 10;
    while refused.is_none() && Instant::now() < end {
        refused = engine.write(create(&disk.bench, id)).await.err();
        id += 1;
    }
    let refused = refused.expect("refused");
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::DiskFull, "disk_reserve"));
    assert!(engine.log().failure().is_none(), "nothing was tried");
    disk.fs.set_available(1000);
    soon("ready again", || engine.unready().is_none()).await;
    engine.write(create(&disk.bench, 2)).await.unwrap();
    disk.check_after_restart(engine, &[1, 2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_cannot_be_written_turns_readiness_red_without_a_write() {
    let disk = Disk::new();
    let engine = disk.open().unwrap();
    engine.write(create(&disk.bench, 1)).await.unwrap();
    // Until the head's thread has been at work, the next failing call may be its own or a group's.
    disk.fs.memory.fail_from(0, Fault::Io);
    drop(engine.write(create(&disk.bench, 2)).await);
    soon("red", || engine.unready().is_some()).await;
    check_reads(&engine, &[1]);
    disk.check_after_restart(engine, &[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_by_days_changes_neither_order_nor_positions() {
    const DAY_MS: u64 = 24 * 3600 * 1000;
    for seed in seeds(count(3, 30)) {
        let replay = Replay::of(seed);
        let mut random = replay.random();
        let bench = Bench::new();
        let clock = ManualClock::new(1_700_000_000_000, seed);
        let mut engine = bench
            .try_open(SystemFileSystem::shared(), Arc::clone(&clock) as Arc<dyn Clock>)
            .unwrap();
        for id in 0..200 {
            let now = clock.now_ms();
            match rand::RngExt::random_range(&mut random, 0..12) {
                0 => clock.set_ms(now + DAY_MS),
                1 => clock.set_ms(now - DAY_MS),
                2 => {
                    bench.stop(engine).await;
                    let clock = Arc::clone(&clock) as Arc<dyn Clock>;
                    engine = bench.try_open(SystemFileSystem::shared(), clock).unwrap();
                }
                _ => clock.advance_ms(10),
            }
            engine.write(create(&bench, id)).await.unwrap();
        }
        let mut subscription = engine.subscribe(Start::Earliest).unwrap();
        let (mut position, mut time_ms) = (0, 0);
        while let Some(batch) = subscription.try_next().await.unwrap() {
            for event in batch.events() {
                let event = event.unwrap();
                assert_eq!(event.position, position + 1);
                assert!(event.time_ms >= time_ms, "time goes back at {}", event.position);
                (position, time_ms) = (event.position, event.time_ms);
            }
        }
        assert_eq!(position, 201);
        tokio::task::block_in_place(|| engine.verify(&Progress::default())).unwrap();
        bench.stop(engine).await;
    }
}
