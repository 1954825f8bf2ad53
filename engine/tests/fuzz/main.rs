//! The fuzz targets as plain tests: every input of the corpora, and random changes of them.
//!
//! `HEADWATER_SEED` replays the changes; `HEADWATER_LONG=1` goes on for ten minutes with each target. What panics or does
//! not end is printed as it was given; it belongs into the corpus then.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test binary fails by panicking, starts a plain thread, and is its own crate"
)]

mod bodies;
mod mutate;
#[path = "../support/seed.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod seed;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rand::RngExt;

#[test]
fn filters_hold() {
    run("filter");
}

#[test]
fn updates_hold() {
    run("update");
}

#[test]
fn pipelines_hold() {
    run("pipeline");
}

#[test]
fn keys_hold() {
    run("key");
}

#[test]
fn schemas_hold() {
    run("schema");
}

fn run(name: &str) {
    let (_, body) = bodies::TARGETS.into_iter().find(|(target, _)| *target == name).unwrap();
    let watch = Watch::new();
    let corpus = corpus(name);
    assert!(corpus.len() > 10, "the corpus of {name} is gone");
    for input in &corpus {
        watch.run(body, input);
    }
    let seed = seed::seeds(1)[0];
    let replay = seed::Replay::of(seed);
    let mut random = replay.random();
    let end = seed::is_long().then(|| Instant::now() + Duration::from_secs(600));
    let (mut runs, mut taken) = (0_u64, 0_u64);
    while end.map_or(runs < 2_000, |end| Instant::now() < end) {
        let input = &corpus[random.random_range(0..corpus.len())];
        let other = &corpus[random.random_range(0..corpus.len())];
        taken += u64::from(watch.run(body, &mutate::mutate(input, other, &mut random)));
        runs += 1;
    }
    println!("{name}: {} inputs, {runs} changes of them, {taken} still well formed", corpus.len());
    assert!(taken > runs / 20, "hardly anything of {name} was looked at");
}

/// Each line of the `.jsonl` files, and each other file whole.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut paths: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    let mut inputs = Vec::new();
    for path in paths {
        let bytes = std::fs::read(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            inputs.extend(
                bytes
                    .split(|byte| *byte == b'\n')
                    .filter(|line| !line.is_empty())
                    .map(<[u8]>::to_vec),
            );
        } else {
            inputs.push(bytes);
        }
    }
    inputs
}

/// Ends the process when one input takes a minute, and says which.
struct Watch(Sender<Option<Vec<u8>>>);

impl Watch {
    fn new() -> Self {
        let (sender, receiver) = channel();
        std::thread::spawn(move || watch(&receiver));
        Self(sender)
    }

    fn run(&self, body: fn(&[u8]) -> bool, input: &[u8]) -> bool {
        self.0.send(Some(input.to_vec())).unwrap();
        let ended = catch_unwind(AssertUnwindSafe(|| body(input)));
        self.0.send(None).unwrap();
        let text = || String::from_utf8_lossy(input);
        ended.unwrap_or_else(|_| panic!("panicked over:\n{}", text()))
    }
}

fn watch(inputs: &Receiver<Option<Vec<u8>>>) {
    let mut current = None;
    loop {
        match (inputs.recv_timeout(Duration::from_secs(60)), &current) {
            (Ok(next), _) => current = next,
            (Err(RecvTimeoutError::Timeout), None) => {}
            (Err(RecvTimeoutError::Timeout), Some(input)) => {
                eprintln!("does not end:\n{}", String::from_utf8_lossy(input));
                std::process::abort();
            }
            (Err(RecvTimeoutError::Disconnected), _) => return,
        }
    }
}
