//! The worker against a simple model: random outcomes, restarts and crashes.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::webhook::registration::Order;
use crate::webhook::schedule::Schedule;
use crate::webhook::signature::Secret;
use crate::webhook::store::{ReplayState, ReplayStatus, SavedWebhook, Selection, testing::Saved};
use crate::webhook::transport::DeliveryResult;

fn registered(order: Order) -> Registered {
    let secret = Secret::generate(&*ManualClock::new(0, 1));
    let mut registration = Registration::sample("w", secret);
    registration.order = order;
    Registered { registration: Arc::new(registration), change: 1, position: 1 }
}

fn item(position: u64, key: u64) -> Item {
    let payload = Payload {
        body: Bytes::from_static(b"{}"),
        digest: [0; 32],
        format: super::Format::default(),
        projection: None,
    };
    Item { position, key, event_ms: position, payload: Arc::new(payload), standing: None }
}

fn made(status: u16) -> Ending {
    Ending::Made(DeliveryResult { status: Some(status), ..DeliveryResult::default() })
}

fn schedule(delays_ms: &[u64]) -> Schedule {
    Schedule::new(delays_ms.iter().map(|ms| Duration::from_millis(*ms)).collect())
}

const BOUNDS: Bounds = Bounds { concurrency: 16, outstanding: 10_000, dead: 100_000 };

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
        let worker = Worker::new(&registered(order), None, BOUNDS, Duration::ZERO);
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
        self.worker = Worker::new(&registered(self.order), Some(&saved), BOUNDS, self.now());
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
    let last = BOUNDS.outstanding as u64;
    let rest: Vec<_> = (3..=last).map(|position| item(position, 20)).collect();
    bench.ingest(&rest);
    bench.commit();
    let outstanding = bench.saved().outstanding.len();
    assert_eq!((bench.saved().cursor, outstanding), (0, BOUNDS.outstanding - 1));
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

/// Takes in one event after the other, each attempted and failed, until no more are taken in.
fn fill(bench: &mut Bench, key_of: impl Fn(u64) -> u64) {
    for next in 1..=20_000 {
        bench.ingest(&[item(next, key_of(next))]);
        if bench.worker.cursor < next {
            return;
        }
        for position in bench.start_all() {
            bench.end(position, 500);
        }
    }
}

#[test]
fn memory_is_bounded_and_the_cursor_stops() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 1_000_000]);
    fill(&mut bench, |_| 1);
    assert_eq!(bench.worker.entries.len(), BOUNDS.outstanding);
    assert_eq!(bench.worker.cursor, BOUNDS.outstanding as u64);
    assert_eq!(bench.worker.body_bytes, 0);
}

#[test]
fn r18_a_receiver_that_is_down_is_not_tried_with_the_whole_log() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 1_000_000]);
    fill(&mut bench, |position| position);
    assert_eq!(bench.worker.entries.len(), DOWN_MAX);
    bench.pass(2000);
    bench.commit();
    bench.restart();
    fill(&mut bench, |position| position);
    let again = bench.worker.entries.len();
    assert!(again <= DOWN_MAX + DOWN_AFTER as usize, "nor after a restart: {again}");
    bench.pass(1_200_000);
    let up = bench.start_all()[0];
    bench.end(up, 200);
    assert!(bench.worker.has_room());
}

#[test]
fn r18_a_receiver_that_was_down_is_found_to_be_up_before_its_next_retry() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 10_000_000]);
    fill(&mut bench, |position| position);
    bench.pass(1);
    let tried = bench.start_all();
    assert_eq!(tried.len(), 1, "one is tried");
    let due = bench.worker.entries[&tried[0]].next_ms;
    bench.end(tried[0], 500);
    let entry = &bench.worker.entries[&tried[0]];
    assert_eq!((entry.attempts, entry.next_ms), (1, due), "and that does not count");
    bench.pass(1000);
    assert_eq!(bench.start_all(), [0; 0], "no other for a while");
    let (now_ms, now) = (bench.clock.now_ms(), bench.now());
    assert_eq!(bench.worker.next_wake(now_ms, now), Some(Duration::from_millis(PROBE_MS - 1000)));
    bench.pass(PROBE_MS);
    assert_eq!(bench.start_all(), tried);
    bench.end(tried[0], 200);
    assert!(bench.worker.has_room());
}

#[test]
fn a_retry_by_hand_outlives_the_replay_that_asked_for_it_first() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 100]);
    bench.warm();
    bench.worker.cursor = 3;
    bench.worker.begin_replay(9, replay_state(3));
    bench.worker.ingest_replay(&[item(1, 10), item(2, 20)], 3, bench.now());
    assert_eq!(bench.start_all(), [1, 2]);
    assert_eq!(bench.worker.retry(1, bench.now()), Retry::Queued);
    bench.worker.end_replay(ReplayStatus::Cancelled);
    bench.end(1, 500);
    bench.end(2, 500);
    bench.commit();
    assert_eq!(bench.saved().outstanding.keys().copied().collect::<Vec<_>>(), [1]);
    bench.pass(200);
    assert_eq!(bench.start_all(), [1]);
}

#[test]
fn refusals_of_single_deliveries_do_not_count_as_down() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 1_000_000]);
    for next in 1..=2 * DOWN_MAX as u64 {
        bench.ingest(&[item(next, next)]);
        assert_eq!(bench.start_all(), [next]);
        bench.end(next, 422);
    }
    assert!(bench.worker.has_room());
}

#[test]
fn what_is_skipped_leaves_replays_and_the_dead_as_they_are() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 100]);
    bench.warm();
    bench.ingest(&[item(1, 10), item(2, 20), item(3, 30), item(4, 40)]);
    for position in bench.start_all() {
        bench.end(position, 500);
    }
    bench.pass(200);
    bench.warm();
    for position in bench.start_all() {
        bench.end(position, 500);
    }
    assert_eq!(bench.worker.dead.len(), 4);
    bench.worker.retry(1, bench.now());
    bench.worker.begin_replay(9, standing(3, &[Status::Dead]));
    bench.worker.ingest_replay(&[item(2, 20), item(3, 30)], 3, bench.now());
    bench.worker.skip(4);
    assert_eq!(bench.worker.delivery(1).unwrap().status, Status::Dead, "it was sent by hand");
    bench.warm();
    let mut sent = bench.start_all();
    sent.sort_unstable();
    assert_eq!(sent, [2, 3]);
    bench.end(2, 200);
    bench.end(3, 422);
    bench.pass(200);
    bench.warm();
    assert_eq!(bench.start_all(), [3], "it is the replay's, and goes on");
    bench.end(3, 422);
    bench.commit();
    assert_eq!(bench.worker.take_ended_replay().unwrap().1.status, ReplayStatus::Done);
    assert_eq!(bench.saved().dead.keys().copied().collect::<Vec<_>>(), [1, 3, 4]);
}

#[test]
fn a_replay_that_ended_takes_nothing_more() {
    let mut bench = Bench::new(Order::PerDocument, &[0]);
    bench.warm();
    bench.worker.cursor = 100;
    bench.worker.begin_replay(9, replay_state(100));
    bench.worker.ingest_replay(&[item(1, 10)], 1, bench.now());
    bench.worker.end_replay(ReplayStatus::Cancelled);
    // What was being read for it comes late.
    bench.worker.ingest_replay(&[item(2, 20), item(3, 30)], 3, bench.now());
    assert_eq!((bench.worker.replay_room(), bench.start_all()), (0, vec![]));
}

#[test]
fn an_order_that_is_asked_for_later_holds_for_what_waits() {
    let mut bench = Bench::new(Order::None, &[0, 100, 100]);
    bench.warm();
    bench.ingest(&[item(1, 10), item(2, 10), item(3, 20)]);
    assert_eq!(bench.start_all(), [1, 2, 3]);
    bench.end(2, 500);
    bench.warm();
    let ordered = Registered { change: 2, ..registered(Order::PerDocument) };
    bench.worker.update(&ordered);
    bench.pass(200);
    assert_eq!(bench.start_all(), [0; 0], "behind the one that is under way");
    bench.end(1, 500);
    bench.warm();
    bench.pass(200);
    assert_eq!(bench.start_all(), [1]);
    bench.end(1, 200);
    bench.pass(0);
    assert_eq!(bench.start_all(), [2]);
}

#[test]
fn r18_a_document_that_fails_for_ever_does_not_stop_the_others() {
    let mut bench = Bench::new(Order::PerDocument, &[0; 1000]);
    let hot: Vec<Item> = (1..=2000).map(|position| item(position, 1)).collect();
    bench.ingest(&hot);
    for _ in 0..2 * DOWN_AFTER {
        bench.pass(1);
        assert_eq!(bench.start_all(), [1]);
        bench.end(1, 500);
    }
    bench.pass(2000);
    bench.commit();
    bench.restart();
    assert!(bench.worker.has_room());
    bench.warm();
    bench.ingest(&[item(2001, 2)]);
    assert!(bench.start_all().contains(&2001));
}

#[test]
fn r17_a_receiver_that_asks_for_less_is_left_alone_as_a_whole() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 10, 10, 10]);
    bench.warm();
    bench.ingest(&[item(1, 10), item(2, 20), item(3, 30)]);
    assert_eq!(bench.start_all(), [1, 2, 3]);
    bench.end(1, 429);
    bench.end(2, 200);
    bench.end(3, 200);
    bench.ingest(&[item(4, 40)]);
    bench.pass(20);
    assert_eq!(bench.start_all(), [0; 0]);
    let (now_ms, now) = (bench.clock.now_ms(), bench.now());
    assert_eq!(bench.worker.next_wake(now_ms, now), Some(Duration::from_millis(80)));
    assert_eq!(bench.worker.figures(4, now_ms).quiet_until_ms, Some(now_ms + 80));
    bench.pass(80);
    assert_eq!(bench.start_all(), [4, 1]);
}

#[test]
fn what_a_receiver_says_that_it_has_is_not_sent() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 100, 100]);
    bench.warm();
    bench.ingest(&[item(1, 10), item(2, 20), item(3, 10), item(4, 40), item(5, 50)]);
    assert_eq!(bench.start_all(), [1, 2, 4, 5]);
    bench.end(1, 500);
    bench.commit();
    assert!(bench.saved().outstanding.contains_key(&3));
    bench.end(2, 200);
    bench.worker.commit_to(4);
    assert_eq!(bench.worker.entries.keys().copied().collect::<Vec<_>>(), [4, 5]);
    bench.end(4, 500);
    assert!(bench.worker.delivery(4).is_none(), "it was under way, and the receiver has it");
    bench.end(5, 500);
    bench.worker.commit_to(9);
    bench.commit();
    assert_eq!((bench.saved().cursor, bench.saved().outstanding.len()), (9, 0));
    bench.worker.commit_to(3);
    bench.ingest(&[item(8, 80), item(10, 100)]);
    bench.pass(500);
    assert_eq!(bench.start_all(), [10], "the cursor never goes back");
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
    let known = |bench: &Bench, statuses: &[Status]| bench.worker.known_between(0, 9, statuses, 9);
    assert_eq!(known(&bench, &[Status::Failing]), [1]);
    assert_eq!(known(&bench, &[Status::Pending]), [3]);
    assert_eq!(known(&bench, &[Status::Dead]), [0; 0]);
    assert_eq!(known(&bench, &[Status::Pending, Status::Failing]), [1, 3]);
    assert_eq!(bench.worker.known_between(1, 3, &[Status::Pending, Status::Failing], 9), [3]);
    assert_eq!(bench.worker.known_between(0, 9, &[Status::Pending, Status::Failing], 1), [1]);
    bench.worker.begin_replay(9, standing(9, &[Status::Pending, Status::Failing]));
    bench.worker.ingest_replay(&[item(1, 10), item(3, 10)], 9, bench.clock.monotonic());
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
        selection: Selection::All,
        overtake: false,
    }
}

#[test]
fn a_cancelled_replay_of_the_dead_leaves_them_dead() {
    let mut bench = Bench::new(Order::PerDocument, &[0]);
    bench.warm();
    bench.ingest(&[item(1, 10), item(2, 20), item(3, 30)]);
    for position in bench.start_all() {
        bench.end(position, 500);
    }
    bench.worker.begin_replay(9, standing(3, &[Status::Dead]));
    bench.worker.ingest_replay(&[item(1, 10), item(2, 20), item(3, 30)], 3, bench.now());
    bench.worker.allowed = 1;
    let under_way = bench.start_all()[0];
    bench.commit();
    bench.worker.end_replay(ReplayStatus::Cancelled);
    bench.commit();
    assert_eq!(bench.saved().dead.len(), 3, "also the one that is under way, until it succeeds");
    assert_eq!(bench.start_all(), [0; 0]);
    bench.end(under_way, 500);
    assert_eq!(bench.worker.delivery(under_way).unwrap().status, Status::Dead);
    bench.commit();
    assert_eq!((bench.saved().dead.len(), bench.saved().outstanding.len()), (3, 0));
}

#[test]
fn what_a_cancelled_replay_had_under_way_is_not_tried_again() {
    let mut bench = Bench::new(Order::PerDocument, &[0, 100]);
    bench.warm();
    bench.ingest(&[]);
    bench.worker.cursor = 3;
    bench.worker.begin_replay(9, replay_state(3));
    bench.worker.ingest_replay(&[item(1, 10), item(2, 20)], 3, bench.now());
    assert_eq!(bench.start_all(), [1, 2]);
    bench.pass(2000);
    bench.commit();
    assert_eq!(bench.saved().outstanding.len(), 2);
    bench.worker.end_replay(ReplayStatus::Cancelled);
    bench.commit();
    assert!(bench.saved().outstanding.is_empty(), "nor after a crash");
    bench.end(1, 500);
    bench.end(2, 200);
    bench.pass(1000);
    assert_eq!(bench.start_all(), [0; 0]);
    assert!(bench.worker.entries.is_empty());
}

#[test]
fn a_replay_goes_behind_what_is_live_unless_it_may_overtake() {
    for overtake in [false, true] {
        let mut bench = Bench::new(Order::PerDocument, &[0, 100, 100]);
        bench.warm();
        bench.ingest(&[item(5, 10)]);
        assert_eq!(bench.start_all(), [5]);
        bench.end(5, 500);
        bench.warm();
        bench.worker.begin_replay(9, ReplayState { overtake, ..replay_state(3) });
        bench.worker.ingest_replay(&[item(1, 10), item(2, 20)], 3, bench.now());
        let expected: &[u64] = if overtake { &[1, 2] } else { &[2] };
        assert_eq!(bench.start_all(), expected, "overtake: {overtake}");
        bench.pass(2000);
        bench.commit();
        bench.restart();
        bench.warm();
        let mut again = bench.start_all();
        again.sort_unstable();
        let expected: &[u64] = if overtake { &[1, 2, 5] } else { &[2, 5] };
        assert_eq!(again, expected, "after a restart, overtake: {overtake}");
    }
}

#[test]
fn a_replay_leaves_room_for_what_is_live() {
    let mut bench = Bench::new(Order::None, &[0, 1_000_000]);
    bench.warm();
    bench.worker.cursor = 100_000;
    bench.worker.begin_replay(9, replay_state(100_000));
    for next in 1..=100_000 {
        bench.worker.ingest_replay(&[item(next, next)], next, bench.now());
        for position in bench.start_all() {
            bench.end(position, 500);
        }
        bench.worker.down_in_a_row = 0;
    }
    assert_eq!(bench.worker.entries.len(), BOUNDS.outstanding / 2);
    assert!(bench.worker.has_room());
}

/// A replay of deliveries of its own webhook that stand so.
fn standing(to: u64, statuses: &[Status]) -> ReplayState {
    let selection = Selection::Standing { source: "w".into(), statuses: statuses.to_vec() };
    ReplayState { selection, ..replay_state(to) }
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
    for step in 0..40_000 {
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
                bench.end(position, [500, 429, 504][random.random_range(0..3)]);
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
