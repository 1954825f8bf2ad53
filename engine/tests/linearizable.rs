//! Documents are linearizable (R5): recorded concurrent histories of conditional writes and reads, with restarts
//! between the phases, have no lost update, no stale read and no write that happened twice.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test binary fails by panicking, and is its own crate"
)]

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_engine::write::{Absent, Operation};
use headwater_engine::{Engine, ErrorKind};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use support::seed::{Replay, count, seeds};
use support::{Bench, body, id_of, object};
use tokio::task::JoinSet;

const CLIENTS: u64 = 8;
const DOCUMENTS: i32 = 3;
const PHASES: u64 = 2;

/// What a client did to a document.
#[derive(Clone, Debug)]
enum Action {
    /// Saw this version with this value; 0 if there was none.
    Read { version: u64, value: String },
    /// Wrote `value` over version `over`, which became `version`.
    Write { over: Option<u64>, version: u64, value: String },
    /// Was told that the version is not `over`, but `version`.
    Mismatch { over: u64, version: u64 },
}

/// An action with the moments before it was asked for and after it was answered.
#[derive(Clone, Debug)]
struct Recorded {
    document: i32,
    invoked: u64,
    answered: u64,
    action: Action,
}

/// One client's actions in one phase.
async fn client(
    engine: Engine,
    moments: Arc<AtomicU64>,
    name: String,
    mut random: StdRng,
) -> Vec<Recorded> {
    let mut history = Vec::new();
    let mut seen: HashMap<i32, u64> = HashMap::new();
    for turn in 0..30 {
        let document = random.random_range(0..DOCUMENTS);
        let invoked = moments.fetch_add(1, Ordering::SeqCst);
        let action = match random.random_range(0..3) {
            0 => read(&engine, document),
            _ => {
                let version = seen.get(&document).copied();
                let over = version.filter(|_| random.random_bool(0.8));
                write(&engine, document, over, format!("{name}-{turn}")).await
            }
        };
        let answered = moments.fetch_add(1, Ordering::SeqCst);
        let (Action::Read { version, .. }
        | Action::Write { version, .. }
        | Action::Mismatch { version, .. }) = &action;
        seen.insert(document, *version);
        history.push(Recorded { document, invoked, answered, action });
    }
    history
}

fn read(engine: &Engine, document: i32) -> Action {
    let snapshot = engine.snapshot();
    let number = snapshot.collection("registers").map_or(0, |collection| collection.number);
    match snapshot.get(number, &id_of(document).key).unwrap() {
        Some(row) => Action::Read { version: row.version(), value: object(row.body()) },
        None => Action::Read { version: 0, value: String::new() },
    }
}

async fn write(engine: &Engine, document: i32, over: Option<u64>, value: String) -> Action {
    let body = body(document, &format!("{{\"value\":\"{value}\"}}"));
    let value = support::show(&body);
    let operation = Operation::Replace {
        collection: "registers".into(),
        id: id_of(document),
        body,
        if_version: over,
        absent: Absent::Create,
    };
    let command = headwater_engine::write::Command {
        operations: vec![operation],
        actor: "client".into(),
        ..headwater_engine::write::Command::default()
    };
    match engine.write(command).await {
        Ok(committed) => Action::Write { over, version: committed.outcomes[0].version, value },
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::VersionMismatch, "{error}");
            let version = match error.detail("version") {
                Some(headwater_engine::Detail::Number(version)) => *version,
                other => panic!("a mismatch says the version, not {other:?}"),
            };
            Action::Mismatch { over: over.expect("conditional"), version }
        }
    }
}

/// A register whose versions are given to its writes has one possible order of writes; what is left to check is that
/// real time agrees with it.
fn check(history: &[Recorded]) {
    for document in 0..DOCUMENTS {
        let of_it: Vec<_> = history.iter().filter(|r| r.document == document).collect();
        let mut values: HashMap<u64, &str> = HashMap::from([(0, "")]);
        for recorded in &of_it {
            if let Action::Write { over, version, value } = &recorded.action {
                assert!(
                    over.is_none_or(|over| over + 1 == *version),
                    "a lost update: {recorded:?}"
                );
                let twice = values.insert(*version, value);
                assert!(twice.is_none(), "version {version} was given twice: {recorded:?}");
            }
        }
        assert!((0..values.len() as u64).all(|v| values.contains_key(&v)), "a version is missing");
        for recorded in &of_it {
            let version = match &recorded.action {
                Action::Read { version, value } => {
                    assert_eq!(values.get(version), Some(&value.as_str()), "{recorded:?}");
                    *version
                }
                Action::Write { version, .. } => *version,
                Action::Mismatch { over, version } => {
                    assert_ne!(over, version, "refused for a version that it had: {recorded:?}");
                    *version
                }
            };
            for other in &of_it {
                in_time(recorded, version, other);
            }
        }
    }
}

/// What was answered before an action began, it must have seen.
fn in_time(recorded: &Recorded, version: u64, earlier: &Recorded) {
    if earlier.answered > recorded.invoked {
        return;
    }
    let (Action::Read { version: known, .. }
    | Action::Write { version: known, .. }
    | Action::Mismatch { version: known, .. }) = &earlier.action;
    assert!(version >= *known, "stale: {recorded:?} after {earlier:?}");
    if matches!(recorded.action, Action::Write { .. }) {
        assert!(version > *known, "a write before what was known: {recorded:?}, {earlier:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_conditional_writes_and_reads_are_linearizable_across_restarts() {
    for seed in seeds(count(15, 500)) {
        let _replay = Replay::of(seed);
        let mut bench = Bench::new();
        bench.settings.maintenance.memtable_bytes = 8 << 10;
        bench.settings.limits.group_events = 4;
        let moments = Arc::new(AtomicU64::new(0));
        let mut history = Vec::new();
        for phase in 0..PHASES {
            let engine = bench.open();
            let mut clients = JoinSet::new();
            for client_number in 0..CLIENTS {
                let random = StdRng::seed_from_u64(seed ^ (phase << 32) ^ client_number);
                let name = format!("{phase}-{client_number}");
                clients.spawn(client(engine.clone(), Arc::clone(&moments), name, random));
            }
            while let Some(actions) = clients.join_next().await {
                history.extend(actions.unwrap());
            }
            bench.stop(engine).await;
        }
        assert_eq!(history.len() as u64, CLIENTS * PHASES * 30);
        check(&history);
    }
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let at = |invoked, answered, action| Recorded { document: 0, invoked, answered, action };
    let write = |over, version, value: &str| Action::Write { over, version, value: value.into() };
    let read = |version, value: &str| Action::Read { version, value: value.into() };
    let good = vec![at(0, 1, write(None, 1, "a")), at(2, 3, read(1, "a"))];
    check(&good);
    let bad = [
        vec![at(0, 1, write(None, 1, "a")), at(2, 3, read(0, ""))],
        vec![at(0, 1, write(None, 1, "a")), at(2, 3, read(1, "b"))],
        vec![at(0, 3, write(None, 1, "a")), at(1, 2, write(None, 1, "b"))],
        vec![at(0, 3, write(Some(1), 1, "a"))],
        vec![at(0, 1, write(None, 2, "a"))],
        vec![at(0, 1, write(None, 1, "a")), at(2, 3, Action::Mismatch { over: 1, version: 1 })],
    ];
    for history in bad {
        let found = std::panic::catch_unwind(|| check(&history));
        assert!(found.is_err(), "not found: {history:?}");
    }
}
