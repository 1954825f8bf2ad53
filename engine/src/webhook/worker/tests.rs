//! The worker against a simple model: random outcomes, restarts and crashes.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::webhook::registration::Order;
use crate::webhook::schedule::Schedule;
use crate::webhook::signature::Secret;
use crate::webhook::store::{ReplayState, ReplayStatus, SavedWebhook, testing::Saved};
use crate::webhook::transport::DeliveryResult;

fn registered(order: Order) -> Registered {
    let secret = Secret::generate(&*ManualClock::new(0, 1));
    let mut registration = Registration::sample("w", secret);
    registration.order = order;
    Registered { registration: Arc::new(registration), change: 1, position: 1 }
}

fn item(position: u64, key: u64) -> Item {
    let payload = Payload { body: Bytes::from_static(b"{}"), digest: [0; 32], projection: None };
    Item { position, key, event_ms: position, payload: Arc::new(payload), standing: None }
}

fn made(status: u16) -> Ending {
    Ending::Made(DeliveryResult { status: Some(status), ..DeliveryResult::default() })
}

fn schedule(delays_ms: &[u64]) -> Schedule {
    Schedule::new(delays_ms.iter().map(|ms| Duration::from_millis(*ms)).collect())
}

/// One worker with its clock and what is saved of it.
struct Bench {
    worker: Worker,
    clock: Arc<ManualClock>,
    schedule: Schedule,
    saved: Saved,
    order: Order,
}

impl Bench {
    fn new(order: Order, delays_ms: &[u64]) -> Self {
        let clock = ManualClock::new(1_000_000, 5);
        let worker = Worker::new(&registered(order), None, 16, Duration::ZERO);
        Self { worker, clock, schedule: schedule(delays_ms), saved: Saved::default(), order }
    }

    fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    fn ingest(&mut self, items: &[Item]) {
        let to = items.last().map_or(0, |item| item.position);
        self.worker.ingest(items, to, self.clock.monotonic());
    }

    fn start_all(&mut self) -> Vec<u64> {
        let now = self.now();
        std::iter::from_fn(|| self.worker.next_job(now)).map(|job| job.position).collect()
    }

    fn end(&mut self, position: u64, status: u16) -> After {
        let clock = Arc::clone(&self.clock);
        self.worker.finish(position, clock.now_ms(), &made(status), &self.schedule, &*clock)
    }

    fn pass(&mut self, ms: u64) {
        self.clock.advance_ms(ms);
        self.worker.tick(self.clock.now_ms());
    }

    fn commit(&mut self) {
        let now = self.now();
        let ops = self.worker.take_ops(now);
        self.saved.apply(ops);
    }

    fn saved(&self) -> SavedWebhook {
        self.saved.webhook("w")
    }

    fn restart(&mut self) {
        let saved = self.saved();
        self.worker = Worker::new(&registered(self.order), Some(&saved), 16, self.now());
        if let Some((id, state)) = self.saved.running_replay() {
            self.worker.begin_replay(id, state);
        }
        self.worker.tick(self.clock.now_ms());
    }

    /// Has the worker come up to its full concurrency.
    fn warm(&mut self) {
        self.worker.allowed = self.worker.concurrency;
        self.worker.healthy = true;
    }
}

#[test]
fn a_failing_key_parks_only_itself() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 100, 100]);
    bench.warm();
    bench.ingest(&[item(1, 10), item(2, 20), item(3, 10), item(4, 30), item(5, 10)]);
    assert_eq!(bench.start_all(), [1, 2, 4]);
    bench.end(1, 500);
    bench.end(2, 200);
    bench.end(4, 200);
    bench.warm();
    bench.ingest(&[item(6, 20), item(7, 10)]);
    assert_eq!(bench.start_all(), [6]);
    bench.end(6, 200);
    bench.commit();
    let saved = bench.saved();
    assert_eq!(saved.cursor, 7);
    assert_eq!(saved.outstanding.keys().copied().collect::<Vec<_>>(), [1, 3, 5, 7]);
    let behind = bench.worker.delivery(3).unwrap();
    assert_eq!((behind.status, behind.behind), (Status::Pending, Some(1)));
    bench.pass(120);
    assert_eq!(bench.start_all(), [1]);
    bench.end(1, 200);
    assert_eq!(bench.start_all(), [3]);
}

#[test]
fn r17_the_last_attempt_failed_is_a_dead_letter_and_frees_its_document() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 100]);
    bench.ingest(&[item(1, 10), item(2, 10)]);
    assert_eq!(bench.start_all(), [1]);
    bench.end(1, 302);
    assert_eq!(bench.start_all(), [0; 0]);
    bench.pass(120);
    assert_eq!(bench.start_all(), [1]);
    bench.end(1, 500);
    assert_eq!(bench.worker.delivery(1).unwrap().status, Status::Dead);
    assert_eq!(bench.worker.delivery(1).unwrap().attempts.len(), 2);
    assert_eq!(bench.start_all(), [2]);
    bench.end(2, 204);
    bench.commit();
    assert_eq!(bench.saved().dead.len(), 1);
    assert!(bench.saved().outstanding.is_empty());
    // Again by hand.
    bench.worker.retry(1, bench.clock.monotonic());
    assert_eq!(bench.start_all(), [1]);
    bench.end(1, 200);
    bench.commit();
    assert!(bench.saved().dead.is_empty());
}

#[test]
fn r16_after_a_crash_what_is_read_again_goes_before_what_was_saved_ahead_of_it() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 100, 100]);
    bench.warm();
    bench.ingest(&[item(1, 10), item(2, 20), item(3, 20)]);
    assert_eq!(bench.start_all(), [1, 2]);
    bench.end(2, 200);
    assert_eq!(bench.start_all(), [3]);
    bench.end(3, 500);
    bench.commit();
    assert_eq!(bench.saved().cursor, 0, "the first is still under way");
    bench.restart();
    bench.warm();
    bench.pass(1000);
    assert_eq!(bench.start_all(), [0; 0], "what is before it is not known yet");
    bench.ingest(&[item(1, 10), item(2, 20)]);
    assert_eq!(bench.start_all(), [1, 2]);
    bench.end(1, 200);
    bench.ingest(&[item(3, 20)]);
    assert_eq!(bench.start_all(), [0; 0]);
    bench.end(2, 200);
    bench.pass(0);
    assert_eq!(bench.start_all(), [3]);
    bench.end(3, 200);
    bench.commit();
    assert_eq!(bench.saved().cursor, 3);
    assert!(bench.saved().outstanding.is_empty());
}

#[test]
fn what_is_held_after_a_crash_takes_no_room_from_what_it_waits_for() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 100, 100]);
    bench.warm();
    bench.ingest(&[item(1, 10), item(2, 20)]);
    assert_eq!(bench.start_all(), [1, 2]);
    bench.end(2, 500);
    let last = OUTSTANDING_MAX as u64;
    let rest: Vec<_> = (3..=last).map(|position| item(position, 20)).collect();
    bench.ingest(&rest);
    bench.commit();
    assert_eq!((bench.saved().cursor, bench.saved().outstanding.len()), (0, OUTSTANDING_MAX - 1));
    bench.restart();
    bench.ingest(&[item(1, 10)]);
    assert_eq!(bench.start_all(), [1]);
    bench.end(1, 500);
    bench.worker.ingest(&[], 1, bench.now());
    bench.ingest(&[item(2, 20)]);
    assert_eq!(bench.worker.cursor, 2, "there is room though so much is outstanding");
    bench.pass(1000);
    assert_eq!(bench.start_all().len(), 1);
}

#[test]
fn order_none_holds_up_nothing() {
    let mut bench = Bench::new(Order::None, &[0, 100]);
    bench.warm();
    bench.ingest(&[item(1, 10), item(2, 10)]);
    assert_eq!(bench.start_all(), [1, 2]);
}

#[test]
fn r17_gone_stops_and_keeps_what_is_outstanding() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 100]);
    bench.ingest(&[item(1, 10), item(2, 20)]);
    assert_eq!(bench.start_all(), [1]);
    assert!(matches!(bench.end(1, 410), After::Disable(_)));
    bench.pass(10_000);
    assert_eq!(bench.start_all(), [0; 0]);
    bench.commit();
    assert!(bench.saved().outstanding.contains_key(&1));
}

#[test]
fn five_days_of_failures_disable() {
    let mut bench = Bench::new(Order::PerDocument, &[0; 100]);
    let day = 24 * 3600 * 1000;
    bench.ingest(&[item(1, 10)]);
    for _ in 0..5 {
        assert_eq!(bench.start_all(), [1]);
        assert_eq!(bench.end(1, 500), After::Continue);
        bench.pass(day);
    }
    assert_eq!(bench.start_all(), [1]);
    assert!(matches!(bench.end(1, 500), After::Disable(_)));
}

#[test]
fn memory_is_bounded_and_the_cursor_stops() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 1_000_000]);
    for next in 1..=20_000 {
        bench.ingest(&[item(next, 1)]);
        if bench.worker.cursor < next {
            break;
        }
        for position in bench.start_all() {
            bench.end(position, 500);
        }
    }
    assert_eq!(bench.worker.entries.len(), OUTSTANDING_MAX);
    assert_eq!(bench.worker.cursor, OUTSTANDING_MAX as u64);
    assert_eq!(bench.worker.body_bytes, 0);
}

#[test]
fn a_slow_delivery_does_not_hold_the_cursor_for_long() {
    let mut bench = Bench::new(Order::PerDocument, &[0]);
    bench.warm();
    let items: Vec<_> = (1..=10).map(|position| item(position, position)).collect();
    bench.ingest(&items);
    bench.start_all();
    for position in 2..=10 {
        bench.end(position, 200);
    }
    bench.commit();
    assert_eq!(bench.saved().cursor, 0);
    bench.pass(1000);
    bench.commit();
    assert_eq!(bench.saved().cursor, 10);
    assert_eq!(bench.saved().outstanding.keys().copied().collect::<Vec<_>>(), [1]);
    bench.end(1, 200);
    bench.commit();
    assert!(bench.saved().outstanding.is_empty());
}

#[test]
fn a_cancelled_replay_drops_only_its_own() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 100, 100]);
    bench.ingest(&[item(1, 10), item(2, 20)]);
    assert_eq!(bench.start_all(), [1]);
    bench.end(1, 500);
    let state = replay_state(3);
    bench.worker.begin_replay(9, state);
    bench.worker.ingest_replay(&[item(1, 10), item(2, 20), item(3, 30)], 3, Duration::ZERO);
    bench.worker.end_replay(ReplayStatus::Cancelled);
    bench.commit();
    assert_eq!(bench.worker.take_ended_replay().unwrap().1.status, ReplayStatus::Cancelled);
    assert!(bench.worker.delivery(1).is_some());
    assert!(bench.worker.delivery(2).is_some());
    assert!(bench.worker.delivery(3).is_none());
}

#[test]
fn a_live_delivery_that_a_cancelled_replay_counted_is_attempted_once() {
    let mut bench = Bench::new(Order::PerDocument, &[0]);
    bench.ingest(&[item(1, 10), item(2, 20)]);
    bench.worker.begin_replay(9, replay_state(2));
    bench.worker.ingest_replay(&[item(1, 10), item(2, 20)], 2, Duration::ZERO);
    bench.worker.end_replay(ReplayStatus::Cancelled);
    bench.warm();
    assert_eq!(bench.start_all(), [1, 2]);
}

#[test]
fn a_replay_of_what_is_failing_does_not_wait_for_the_schedule() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 5000, 5000]);
    bench.warm();
    bench.ingest(&[item(1, 10), item(2, 20), item(3, 10)]);
    assert_eq!(bench.start_all(), [1, 2]);
    bench.end(1, 500);
    bench.end(2, 200);
    let known = |bench: &Bench, statuses: &[Status]| bench.worker.known_between(0, 9, statuses);
    assert_eq!(known(&bench, &[Status::Failing]), [1]);
    assert_eq!(known(&bench, &[Status::Pending]), [3]);
    assert_eq!(known(&bench, &[Status::Dead]), [0; 0]);
    assert_eq!(known(&bench, &[Status::Pending, Status::Failing]), [1, 3]);
    assert_eq!(bench.worker.known_between(1, 3, &[Status::Pending, Status::Failing]), [3]);
    let mut state = replay_state(9);
    state.cursor = 9;
    bench.worker.begin_replay(9, state);
    for position in [1, 2, 3] {
        bench.worker.replay_known(position, 9, bench.clock.monotonic());
    }
    assert_eq!(bench.start_all(), [1], "at once, and the next of its document behind it");
    bench.end(1, 200);
    assert_eq!(bench.start_all(), [3]);
    bench.end(3, 200);
    bench.commit();
    let (_, ended) = bench.worker.take_ended_replay().unwrap();
    assert_eq!((ended.status, ended.succeeded), (ReplayStatus::Done, 2));
}

fn replay_state(to: u64) -> ReplayState {
    ReplayState {
        webhook: "w".into(),
        cursor: 0,
        to,
        collections: Vec::new(),
        rate_per_second: None,
        status: ReplayStatus::Running,
        matched: to,
        sent: 0,
        succeeded: 0,
        failed: 0,
        filter: None,
    }
}

/// What a random run saw.
#[derive(Default)]
struct Model {
    /// Positions that a receiver took, in order, by key.
    delivered: BTreeMap<u64, Vec<u64>>,
    under_way: BTreeMap<u64, u64>,
    settled: BTreeSet<u64>,
}

impl Model {
    fn starts(&mut self, position: u64, key: u64, seed: u64) {
        let other = self.under_way.insert(key, position);
        assert_eq!(other, None, "seed {seed}: two deliveries of {key} at once");
    }

    fn takes(&mut self, position: u64, key: u64, seed: u64) {
        let delivered = self.delivered.entry(key).or_default();
        // A repetition is allowed; an event that was never seen must be newer than all that were.
        if !delivered.contains(&position) {
            let newest = delivered.iter().max().copied().unwrap_or(0);
            assert!(position > newest, "seed {seed}: {position} of {key} after {newest}");
        }
        delivered.push(position);
        self.settled.insert(position);
    }
}

#[test]
fn r15_random_failures_and_crashes_lose_nothing_and_keep_the_order() {
    for seed in 0..300 {
        run_model(seed);
    }
}

fn run_model(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let keys = random.random_range(1..8);
    let total = random.random_range(1..200);
    let key_of = |position: u64| position.wrapping_mul(0x9e37_79b9_7f4a_7c15) % keys;
    // Attempts enough that none dies: order is for what is delivered.
    let mut bench = Bench::new(Order::PerDocument, &[10; 1000]);
    let mut model = Model::default();
    let mut calm = false;
    for step in 0..20_000 {
        calm |= step > 3000;
        let upto = (bench.worker.cursor + random.random_range(0..10)).min(total);
        let items: Vec<_> = (bench.worker.cursor + 1..=upto)
            .map(|position| item(position, key_of(position)))
            .collect();
        bench.worker.ingest(&items, upto, bench.now());
        for position in bench.start_all() {
            model.starts(position, key_of(position), seed);
        }
        if let Some((key, position)) = pick(&model.under_way, &mut random) {
            model.under_way.remove(&key);
            if calm || random.random_bool(0.6) {
                model.takes(position, key, seed);
                bench.end(position, 200);
            } else {
                bench.end(position, 500);
            }
        }
        if random.random_bool(0.3) {
            bench.commit();
        }
        bench.pass(random.random_range(0..30));
        if !calm && random.random_bool(0.02) {
            // What was under way may have arrived without our knowing.
            for (key, position) in std::mem::take(&mut model.under_way) {
                if random.random_bool(0.5) {
                    model.takes(position, key, seed);
                }
            }
            bench.restart();
        }
        if bench.worker.cursor == total && bench.worker.entries.is_empty() {
            break;
        }
    }
    let all: BTreeSet<u64> = (1..=total).collect();
    assert_eq!(model.settled, all, "seed {seed}");
    bench.pass(2000);
    bench.commit();
    assert!(bench.saved().outstanding.is_empty(), "seed {seed}");
    assert_eq!(bench.saved().cursor, total, "seed {seed}");
}

fn pick(under_way: &BTreeMap<u64, u64>, random: &mut StdRng) -> Option<(u64, u64)> {
    if under_way.is_empty() {
        return None;
    }
    let at = random.random_range(0..under_way.len());
    under_way.iter().nth(at).map(|(key, position)| (*key, *position))
}
