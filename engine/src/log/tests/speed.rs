//! Figures, not checks: `cargo test --release -p headwater-engine log::tests::speed -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use super::*;
use crate::fs::{FileSystem, OpenMode, SystemFileSystem};

const SECONDS: f64 = 2.0;

/// Groups per second of plain write and sync of `bytes` into a file with its blocks allocated, or filled with zeros.
fn bare(directory: &Path, bytes: usize, zeroed: bool) -> f64 {
    let path = directory.join("bare");
    let file = SystemFileSystem.open(&path, OpenMode::CreateNew).unwrap();
    let size = 512u64 << 20;
    file.allocate(size).unwrap();
    if zeroed {
        super::super::roll::fill(&*file, 0, size).unwrap();
    }
    file.sync_data().unwrap();
    let block = vec![7; bytes];
    let (mut offset, mut groups) = (0, 0);
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < SECONDS {
        file.write_all_at(&block, offset).unwrap();
        file.sync_data().unwrap();
        offset += bytes as u64;
        groups += 1;
        if offset + bytes as u64 > size {
            break;
        }
    }
    let rate = f64::from(groups) / start.elapsed().as_secs_f64();
    SystemFileSystem.remove(&path).unwrap();
    rate
}

fn appended(log: &mut Opened, records: usize, hashed: bool) -> f64 {
    let body = [7; 216];
    let digest = digest_of(&body);
    let mut groups = 0;
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < SECONDS {
        let mut group = log.writer.group();
        let time = log.writer.last_time_ms() + 1;
        for _ in 0..records {
            if hashed {
                group.push_hashed(time, &[3; 40], &body, &digest, BatchEnd::Last);
            } else {
                group.push(time, &[3; 40], &body, BatchEnd::Last);
            }
        }
        log.writer.append(group).unwrap();
        groups += 1;
    }
    f64::from(groups) / start.elapsed().as_secs_f64()
}

#[test]
#[ignore = "measures"]
fn appends_and_scans() {
    let directory = tempfile::tempdir_in(
        std::env::var("HEADWATER_SPEED_DIR").unwrap_or_else(|_| "/tmp".into()),
    )
    .unwrap();
    let data = directory.path().join("data");
    let mut log = open_real(&data, LogOptions::default());
    let stop = tokio_util::sync::CancellationToken::new();
    std::thread::scope(|scope| {
        let (head, preparer) = (log.head_keeper.clone(), log.preparer.clone());
        let (a, b) = (stop.clone(), stop.clone());
        scope.spawn(move || head.run(&a));
        scope.spawn(move || preparer.run(&b));
        for records in [64, 256] {
            let n = records as f64;
            for _ in 0..2 {
                let allocated = bare(directory.path(), records * 344, false);
                let zeroed = bare(directory.path(), records * 344, true);
                let ours = appended(&mut log, records, false);
                let hashed = appended(&mut log, records, true);
                println!(
                    "{records} per sync: bare {:.0}/s allocated, {:.0}/s zeroed; append {:.0}/s ({:.0}%), hashed before {:.0}/s ({:.0}%)",
                    allocated * n,
                    zeroed * n,
                    ours * n,
                    ours / allocated * 100.0,
                    hashed * n,
                    hashed / allocated * 100.0
                );
            }
        }
        stop.cancel();
    });
    for max_bytes in [64 << 10, 256 << 10, 1 << 20] {
        let start = Instant::now();
        let (mut at, mut sum) = (0, 0);
        while let Some(block) = log.reader.read(at, max_bytes).unwrap() {
            for record in block.iter() {
                sum += record.time_ms() ^ record.position();
            }
            at = block.last_position();
        }
        println!(
            "scan by {max_bytes}: {:.0} records/s ({sum})",
            at as f64 / start.elapsed().as_secs_f64()
        );
    }
    let last = log.reader.durable_position();
    let start = Instant::now();
    for n in 0..100_000u64 {
        log.reader.get(1 + n.wrapping_mul(2_654_435_761) % last).unwrap();
    }
    println!("get: {:.1} us", start.elapsed().as_secs_f64() * 10.0);
    let start = Instant::now();
    log.reader.verify(|_, _| ()).unwrap();
    println!("verify: {:.0} records/s", last as f64 / start.elapsed().as_secs_f64());
    drop(log);
    let start = Instant::now();
    let log = open_real(&data, LogOptions::default());
    let took: Duration = start.elapsed();
    println!(
        "open after a kill: {last} records, {} segments, {took:?}, {:?}",
        log.reader.closed_segments().len(),
        log.recovery
    );
}
