//! Random histories against a simple model: whatever is asked, the engine answers as the model does, through flushes,
//! restarts, kills, rebuilds, erasure, retention and a clock that jumps (R2 to R4, R8).

#![allow(clippy::unwrap_used, reason = "a test unwraps what it needs")]
#![allow(unreachable_pub, reason = "a test binary's modules are its own")]

mod check;
mod history;
mod steps;
#[path = "../support/mod.rs"]
mod support;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use headwater_engine::clock::{Clock, ManualClock};
use headwater_engine::fs::SystemFileSystem;
use headwater_engine::view::Progress;
use headwater_engine::write::{Command, Committed};
use headwater_engine::{Engine, Error, Retention};
use history::Model;
use rand::RngExt;
use rand::rngs::StdRng;
use steps::Steps;
use support::Bench;
use support::seed::{Replay, count, seeds};

const START_MS: u64 = 1_700_000_000_000;
const DAY_MS: u64 = 24 * 3600 * 1000;
const KEY_SECONDS: u64 = 3600;

/// An engine with its model.
struct World {
    bench: Bench,
    clock: Arc<ManualClock>,
    engine: Option<Engine>,
    model: Model,
    keyed: Vec<Command>,
    random: StdRng,
}

impl World {
    fn new(replay: &Replay, seed: u64) -> Self {
        let mut bench = Bench::new();
        bench.settings.log.segment_bytes = 32 << 10;
        bench.settings.maintenance.memtable_bytes = 24 << 10;
        bench.settings.store.table_bytes = 32 << 10;
        bench.settings.store.cache_bytes = 64 << 10;
        bench.settings.limits.tail_bytes = 8 << 10;
        bench.settings.limits.idempotency_seconds = KEY_SECONDS;
        bench.settings.retention = Retention { seconds: None, bytes: Some(96 << 10) };
        let clock = ManualClock::new(START_MS, seed);
        let mut world = Self {
            bench,
            clock,
            engine: None,
            model: Model::new(KEY_SECONDS),
            keyed: Vec::new(),
            random: replay.random(),
        };
        world.open();
        world
    }

    fn open(&mut self) {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        let opened = self.bench.try_open(SystemFileSystem::shared(), clock);
        self.engine = Some(opened.unwrap());
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("open")
    }

    async fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..=81 => self.burst().await,
            82..=85 => self.erase(),
            86..=88 => self.restart().await,
            89..=90 => self.kill().await,
            91 => self.lose_views().await,
            92..=93 => {
                let _rebuilt = blocking(|| self.engine().rebuild(&Progress::default())).unwrap();
            }
            94..=95 => self.retain(),
            96..=97 => {
                let _proved = blocking(|| self.engine().verify(&Progress::default())).unwrap();
            }
            _ => self.step_clock(),
        }
        self.clock.advance_ms(self.random.random_range(0..100_000));
        check::some(self.engine.as_ref().expect("open"), &self.model, &mut self.random).await;
    }

    /// Commands that wait together, so that some share a group.
    async fn burst(&mut self) {
        let mut expected = Vec::new();
        let mut commands = Vec::new();
        for _ in 0..self.random.random_range(1..8) {
            let mut steps = Steps { random: &mut self.random, model: &self.model };
            let command = steps.command(&mut self.keyed);
            expected.push(self.model.apply(&command, self.clock.now_ms()));
            commands.push(command);
        }
        let answers = in_order(self.engine(), commands).await;
        for (answer, expected) in answers.iter().zip(&expected) {
            check::same_answer(answer, expected);
        }
    }

    fn erase(&mut self) {
        let mut steps = Steps { random: &mut self.random, model: &self.model };
        let (name, (_, id)) = (steps.name(), steps.id());
        if name.starts_with('_') {
            return;
        }
        let expected = self.model.erase(&name, &id, self.clock.now_ms());
        match (blocking(|| self.engine().erase(&name, &id, "operator")), expected) {
            (Ok(erased), Ok(events)) => {
                assert_eq!((erased.events, erased.position), (events, self.model.last()));
            }
            (Err(error), Err((kind, code))) => {
                assert_eq!((error.kind(), error.code()), (kind, code), "{error}");
            }
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    fn retain(&mut self) {
        blocking(|| self.engine().retain()).unwrap();
        self.model.first = self.engine().log().first_position();
    }

    async fn restart(&mut self) {
        let engine = self.engine.take().expect("open");
        self.bench.stop(engine).await;
        self.open();
    }

    /// Goes on with the files as they lie there now.
    async fn kill(&mut self) {
        let mut other = Bench::new();
        other.settings =
            headwater_engine::Settings { data: other.settings.data, ..self.bench.settings.clone() };
        support::storage::copy_running(self.bench.data(), other.data());
        let before = std::mem::replace(&mut self.bench, other);
        let engine = self.engine.take().expect("open");
        before.abandon(engine).await;
        self.open();
    }

    async fn lose_views(&mut self) {
        let engine = self.engine.take().expect("open");
        self.bench.stop(engine).await;
        std::fs::remove_dir_all(self.bench.data().join("views")).unwrap();
        self.open();
    }

    fn step_clock(&mut self) {
        let now = self.clock.now_ms();
        let to = match self.random.random_range(0..4) {
            0 => now + DAY_MS,
            1 | 2 => now - DAY_MS,
            _ => START_MS,
        };
        self.clock.set_ms(to);
    }
}

fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

/// Queues commands in their order and waits for all answers.
async fn in_order(engine: &Engine, commands: Vec<Command>) -> Vec<Result<Committed, Error>> {
    type Writing<'a> = Pin<Box<dyn Future<Output = Result<Committed, Error>> + 'a>>;
    let mut writing: Vec<(Writing<'_>, Option<Result<Committed, Error>>)> = commands
        .into_iter()
        .map(|command| (Box::pin(engine.write(command)) as Writing<'_>, None))
        .collect();
    poll_fn(|context| {
        for (future, answer) in writing.iter_mut().filter(|(_, answer)| answer.is_none()) {
            if let Poll::Ready(ready) = future.as_mut().poll(context) {
                *answer = Some(ready);
            }
        }
        let done = writing.iter().all(|(_, answer)| answer.is_some());
        if done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    writing.into_iter().filter_map(|(_, answer)| answer).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_answers_as_the_model_does() {
    let steps = count(250, 3000);
    for seed in seeds(count(4, 60)) {
        let replay = Replay::of(seed);
        let mut world = World::new(&replay, seed);
        for step in 0..steps {
            world.step().await;
            if step % 25 == 0 {
                let engine = world.engine.as_ref().expect("open");
                check::all(engine, &world.model, &mut world.random).await;
            }
        }
        let engine = world.engine.take().expect("open");
        check::all(&engine, &world.model, &mut world.random).await;
        blocking(|| engine.verify(&Progress::default())).unwrap();
        world.bench.stop(engine).await;
    }
}
