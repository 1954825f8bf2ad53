//! What writers and readers are told when a call to the disk fails, and what is there afterwards.

use super::*;
use crate::ErrorKind;
use crate::log::testing::Fault;

/// Works while the `n`-th call after the opening fails; gives acknowledged and attempted records.
fn work_with_fault(
    fs: &MemoryFileSystem,
    n: u64,
    fault: Fault,
    seed: u64,
) -> (Vec<Remembered>, Vec<Remembered>) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut acknowledged = Vec::new();
    let mut attempted = Vec::new();
    fs.fail_nth(n, fault);
    let Ok(mut log) = open_with(fs, small(), seed) else { return (acknowledged, attempted) };
    let mut failed: Option<ErrorKind> = None;
    for round in 0..60 {
        let records = random_group(&mut random, log.writer.last_time_ms());
        match append(&mut log.writer, &records) {
            Ok(_) => {
                assert_eq!(failed, None, "acknowledged after a failure");
                acknowledged.extend(records);
            }
            Err(error) if error.code() == "log_failed" => {
                assert!(log.writer.failed().is_some());
                failed = failed.or(Some(error.kind()));
            }
            Err(error) => {
                assert_eq!(failed, None, "only the first failure is unknown: {error}");
                assert!(["write_unknown", "disk_full"].contains(&error.code()), "{error}");
                if log.writer.failed().is_some() {
                    failed = Some(error.kind());
                    attempted = records;
                }
            }
        }
        // Reads go on; the fault may meet one of them, which is no failure of the log.
        let first_read = read_all(&log.reader, 0);
        let found = first_read.or_else(|_| read_all(&log.reader, 0));
        let found = found.unwrap_or_else(|error| panic!("call {n}, round {round}: {error}"));
        assert!(found == acknowledged, "readers see what was acknowledged");
        if round % 7 == 3 {
            let _ = log.head_keeper.write();
        }
        if failed == Some(ErrorKind::DiskFull) {
            log.writer.resume().unwrap();
            failed = None;
            attempted.clear();
        } else if failed.is_some() {
            assert!(log.writer.resume().is_err(), "only a full disk can be resumed from");
        }
    }
    (acknowledged, attempted)
}

fn fault_at_each_call(fault: Fault, calls: u64) {
    for n in 0..calls {
        let fs = MemoryFileSystem::new();
        let (acknowledged, attempted) = work_with_fault(&fs, n, fault, n);
        fs.heal();
        for (disk, what) in [(fs.kill_state(), "killed"), (fs.crash_state(n), "power lost")] {
            let log =
                open_with(&disk, small(), n).unwrap_or_else(|e| panic!("call {n}, {what}: {e}"));
            let found = read_all(&log.reader, 0).unwrap();
            assert!(found.starts_with(&acknowledged), "call {n}, {what}: lost");
            let most: Vec<_> = acknowledged.iter().chain(&attempted).cloned().collect();
            assert!(most.starts_with(&found), "call {n}, {what}: invented");
            log.reader.verify(|_, _| ()).unwrap();
        }
    }
}

fn calls() -> u64 {
    if std::env::var_os("HEADWATER_LONG").is_some() { 1500 } else { 500 }
}

#[test]
fn a_failing_device_at_each_call_loses_nothing_acknowledged() {
    fault_at_each_call(Fault::Io, calls());
}

#[test]
fn a_full_disk_at_each_call_loses_nothing_and_can_be_resumed_from() {
    fault_at_each_call(Fault::NoSpace, calls());
}

#[test]
fn a_short_write_at_each_call_is_completed() {
    for n in 0..calls() {
        let fs = MemoryFileSystem::new();
        let (acknowledged, attempted) = work_with_fault(&fs, n, Fault::ShortWrite, n);
        assert!(attempted.is_empty() && !acknowledged.is_empty(), "call {n}");
        let log = open_small(&fs.crash_state(n));
        assert!(read_all(&log.reader, 0).unwrap() == acknowledged, "call {n}");
    }
}

#[test]
fn a_disk_that_stays_full_refuses_until_there_is_space_and_loses_nothing() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    let mut records = fill(&mut log.writer, 5, 1);
    fs.fail_from(0, Fault::NoSpace);
    for _ in 0..5 {
        let group = random_group(&mut StdRng::seed_from_u64(2), log.writer.last_time_ms());
        let error = append(&mut log.writer, &group).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::DiskFull);
        assert_eq!(log.writer.resume().err().map(|e| e.kind()), Some(ErrorKind::DiskFull));
    }
    fs.heal();
    log.writer.resume().unwrap();
    records.extend(fill(&mut log.writer, 30, 3));
    assert!(read_all(&log.reader, 0).unwrap() == records);
    let log = open_small(&fs.crash_state(1));
    assert!(read_all(&log.reader, 0).unwrap() == records);
}

#[test]
fn a_sync_is_never_tried_again_after_it_failed() {
    let fs = MemoryFileSystem::new();
    let mut log = open_small(&fs);
    fill(&mut log.writer, 2, 1);
    fs.fail_nth(1, Fault::Io);
    let group = random_group(&mut StdRng::seed_from_u64(2), log.writer.last_time_ms());
    assert_eq!(code(append(&mut log.writer, &group)), "write_unknown");
    let writes = fs.writes();
    let error = append(&mut log.writer, &group).err().unwrap();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "log_failed"));
    assert!(log.writer.resume().is_err() && log.writer.write_head().is_err());
    assert_eq!(fs.writes(), writes, "nothing is written after a failure");
}
