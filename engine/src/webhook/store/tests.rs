//! The store against crashes, faults and damage.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::op::{Attempt, Op, Outstanding, ReplayState, ReplayStatus, Selection};
use super::state::State;
use super::writer::{StoreWriter, open};
use crate::clock::ManualClock;
use crate::error::{ErrorKind, Result};
use crate::log::testing::{Fault, MemoryFileSystem};

const LOG: [u8; 16] = [7; 16];

fn dir() -> PathBuf {
    PathBuf::from("/data/deliveries")
}

fn open_in(fs: &MemoryFileSystem) -> Result<StoreWriter> {
    open(fs.shared(), &dir(), LOG, ManualClock::new(0, 3))
}

fn journal(fs: &MemoryFileSystem) -> PathBuf {
    let files = fs.files();
    let mut journals = files.iter().filter(|path| path.extension().is_some_and(|e| e == "journal"));
    journals.next_back().unwrap().clone()
}

fn outstanding(random: &mut StdRng) -> Arc<Outstanding> {
    let attempt = Attempt {
        time_ms: random.random_range(0..1000),
        status: Some(500),
        duration_ms: 5,
        error: Some("x".repeat(random.random_range(0..600))),
    };
    Arc::new(Outstanding {
        key: random.random_range(0..10),
        event_ms: 1,
        attempts: 1,
        next_ms: 5,
        replay: None,
        live: true,
        history: vec![attempt],
        alone: false,
        revived: random.random(),
    })
}

fn random_op(random: &mut StdRng) -> Op {
    let webhook: Arc<str> = ["a", "b", "c"][random.random_range(0..3)].into();
    let position = random.random_range(1..50);
    match random.random_range(0..12) {
        0..=2 => Op::Cursor { webhook, cursor: position, skipped_to: 0, failing_since_ms: None },
        3..=6 => Op::Outstanding { webhook, position, delivery: outstanding(random) },
        7 | 8 => Op::Settled { webhook, position },
        9 => Op::Dead { webhook, position, delivery: outstanding(random) },
        10 => Op::Removed { webhook },
        _ => Op::Replay {
            id: random.random_range(1..5),
            state: ReplayState {
                selection: Selection::Positions(vec![position]),
                overtake: true,
                webhook,
                cursor: 1,
                to: 9,
                collections: vec!["orders".to_owned()],
                rate_per_second: Some(3),
                status: ReplayStatus::Running,
                matched: 4,
                sent: 3,
                succeeded: 2,
                failed: 1,
                filter: random.random_bool(0.5).then(|| vec![5, 0, 0, 0, 0].into()),
            },
        },
    }
}

fn commits(seed: u64, count: usize) -> Vec<Vec<Op>> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|_| (0..random.random_range(1..5)).map(|_| random_op(&mut random)).collect())
        .collect()
}

/// The states before the first and after each commit.
fn states(commits: &[Vec<Op>]) -> Vec<State> {
    let mut state = State::default();
    let mut states = vec![state.clone()];
    for commit in commits {
        commit.iter().for_each(|op| state.apply(op.clone()));
        states.push(state.clone());
    }
    states
}

#[test]
fn a_store_reads_back_what_was_committed() {
    let fs = MemoryFileSystem::new();
    let commits = commits(1, 50);
    let mut store = open_in(&fs).unwrap();
    assert!(!store.is_there());
    for commit in &commits {
        store.commit(commit).unwrap();
    }
    drop(store);
    let store = open_in(&fs).unwrap();
    assert!(store.is_there());
    assert_eq!(Some(store.state()), states(&commits).last());
}

#[test]
fn r15_power_loss_after_any_call_keeps_every_acknowledged_commit() {
    for seed in 0..400 {
        let fs = MemoryFileSystem::new();
        let commits = commits(seed, 12);
        let states = states(&commits);
        let mut store = open_in(&fs).unwrap();
        store.set_bytes_max(600);
        store.commit(&[]).unwrap();
        fs.crash_after(StdRng::seed_from_u64(seed).random_range(0..60));
        let mut acknowledged = 0;
        for commit in &commits {
            if store.commit(commit).is_err() {
                break;
            }
            acknowledged += 1;
        }
        let found = open_in(&fs.crash_state(seed)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert!(found.is_there(), "seed {seed}");
        // One more may have reached the disk without being acknowledged.
        let next = (acknowledged + 1).min(commits.len());
        let possible = &states[acknowledged..=next];
        assert!(possible.contains(found.state()), "seed {seed}, acknowledged {acknowledged}");
        let mut found = found;
        found.commit(&[]).unwrap();
    }
}

#[test]
fn a_full_disk_loses_nothing_and_is_resumed_from() {
    for n in 0..8 {
        let fs = MemoryFileSystem::new();
        let commits = commits(n, 6);
        let mut store = open_in(&fs).unwrap();
        store.commit(&[]).unwrap();
        for (index, commit) in commits.iter().enumerate() {
            if index == 2 {
                fs.fail_nth(n % 2, Fault::NoSpace);
                while let Err(error) = store.commit(commit) {
                    if error.kind() != ErrorKind::DiskFull {
                        return;
                    }
                }
                continue;
            }
            store.commit(commit).unwrap();
        }
        let found = open_in(&fs).unwrap();
        assert_eq!(Some(found.state()), states(&commits).last(), "n {n}");
    }
}

#[test]
fn the_journal_starts_over_and_old_files_go() {
    let fs = MemoryFileSystem::new();
    let commits = commits(9, 400);
    let mut store = open_in(&fs).unwrap();
    store.set_bytes_max(2000);
    for commit in &commits {
        store.commit(commit).unwrap();
    }
    let files = fs.files();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_ne!(files[0].file_name().unwrap(), "00000000000000000001.journal");
    assert_eq!(Some(open_in(&fs).unwrap().state()), states(&commits).last());
}

#[test]
fn a_torn_last_record_is_cut_and_damage_is_refused() {
    let fs = MemoryFileSystem::new();
    let commits = commits(4, 20);
    let states = states(&commits);
    let mut store = open_in(&fs).unwrap();
    let mut ends = Vec::new();
    for commit in &commits {
        store.commit(commit).unwrap();
        ends.push(fs.bytes(&journal(&fs)).unwrap().len());
    }
    drop(store);
    let path = journal(&fs);
    let sound = fs.bytes(&path).unwrap();
    // Cut anywhere in the last record.
    for end in ends[18]..ends[19] {
        fs.put(&path, &sound[..end]);
        assert_eq!(*open_in(&fs).unwrap().state(), states[19], "cut at {end}");
        assert_eq!(fs.bytes(&path).unwrap().len(), ends[18]);
    }
    // Any bit before it.
    for at in (0..ends[18]).step_by(7) {
        let mut flipped = sound.clone();
        flipped[at] ^= 1 << (at % 8);
        fs.put(&path, &flipped);
        let error = open_in(&fs).err().unwrap_or_else(|| panic!("a flip at {at} is not noticed"));
        assert_eq!(error.kind(), ErrorKind::Damaged, "flip at {at}: {error}");
        assert!(error.message().contains("deliveries"), "flip at {at}: {error}");
        assert_eq!(fs.bytes(&path).unwrap(), flipped, "nothing is changed");
    }
}

#[test]
fn another_logs_store_is_refused() {
    let fs = MemoryFileSystem::new();
    open_in(&fs).unwrap().commit(&[]).unwrap();
    let error = open(fs.shared(), Path::new("/data/deliveries"), [8; 16], ManualClock::new(0, 3));
    assert_eq!(error.err().unwrap().code(), "deliveries_of_another_log");
}

#[test]
fn a_journal_of_format_1_is_read_and_started_over_before_it_is_appended_to() {
    let fs = MemoryFileSystem::new();
    let commits = commits(3, 20);
    let mut store = open_in(&fs).unwrap();
    commits.iter().for_each(|ops| store.commit(ops).unwrap());
    drop(store);
    let old = journal(&fs);
    let mut bytes = fs.bytes(&old).unwrap();
    bytes[8] = 1;
    fs.put(&old, &bytes);
    let mut store = open_in(&fs).unwrap();
    let state = store.state().clone();
    assert_eq!(&state, states(&commits).last().unwrap());
    assert_eq!(journal(&fs), old, "nothing is written by reading");
    store.commit(&[]).unwrap();
    drop(store);
    assert_ne!(journal(&fs), old);
    assert_eq!(open_in(&fs).unwrap().state(), &state);
}

#[test]
fn a_replay_from_before_filters_is_read() {
    let ops = b"\x91\x81\xa1r\x92\x01\x9a\xa1a\x01\x09\x90\xc0\xa1r\x04\x03\x02\x01";
    let ops: Vec<Op> = rmp_serde::from_slice(ops).unwrap();
    let [Op::Replay { id: 1, state }] = &ops[..] else { panic!("{ops:?}") };
    assert_eq!((&*state.webhook, state.failed, &state.filter), ("a", 1, &None));
}

#[test]
fn deliveries_and_replays_of_older_formats_are_read() {
    let attempts: Vec<Attempt> = Vec::new();
    let first = (10_u64, 1_u64, 1_u32, 5_u64, None::<u64>, true, attempts);
    let read: Outstanding = rmp_serde::from_slice(&rmp_serde::to_vec(&first).unwrap()).unwrap();
    assert_eq!((read.key, read.alone, read.revived), (10, false, false));
    let names: Vec<String> = Vec::new();
    let first = ("w", 1_u64, 9_u64, names, None::<u32>, ReplayStatus::Running, 4, 3, 2, 1);
    let read: ReplayState = rmp_serde::from_slice(&rmp_serde::to_vec(&first).unwrap()).unwrap();
    assert_eq!((read.to, read.failed, read.filter), (9, 1, None));
    assert_eq!((read.selection, read.overtake), (Selection::All, false));
}
