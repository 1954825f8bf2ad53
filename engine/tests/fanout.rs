//! Fan-out against the log itself: whatever a member wants, stalls and does, it has been given every event of its group
//! after its start, once, in order.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]
#![allow(clippy::disallowed_methods, reason = "followers are plain tasks")]

mod support;

use std::sync::Arc;

use headwater_engine::query::{Context, Filter, Trust};
use headwater_engine::subscribe::fanout::{Audience, Equality, Interest, Interests, Member, Next};
use headwater_engine::subscribe::{BodyFilter, Start};
use headwater_engine::value::{Raw, json};
use headwater_engine::write::{Absent, Operation};
use headwater_engine::{Engine, Event};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use support::seed;
use support::{Bench, body, id_of};

const COLLECTIONS: [&str; 3] = ["orders", "people", "logs"];

/// Events of a collection whose document, before or after, matches a filter.
#[derive(Clone)]
struct Wanted {
    collection: Option<&'static str>,
    filter: Option<(BodyFilter, Option<Equality>)>,
}

impl Wanted {
    fn random(random: &mut StdRng) -> Self {
        let collection = match random.random_range(0..4) {
            0 => None,
            _ => Some(COLLECTIONS[random.random_range(0..COLLECTIONS.len())]),
        };
        let number = random.random_range(0..5);
        let filter = match random.random_range(0..5) {
            0 => None,
            1 => Some(format!("{{\"n\":{number}}}")),
            2 => Some(format!("{{\"n\":{{\"$in\":[{number},7]}},\"m\":{{\"$gte\":2}}}}")),
            3 => Some(format!("{{\"tags\":\"t{number}\"}}")),
            _ => Some(format!("{{\"$or\":[{{\"n\":{number}}},{{\"m\":{number}}}]}}")),
        };
        Self { collection, filter: filter.map(|text| compiled(&text)) }
    }

    fn wants(&self, event: &Event<'_>) -> bool {
        !event.is_system()
            && self.collection.is_none_or(|name| name == event.collection)
            && self.filter.as_ref().is_none_or(|(filter, _)| filter.matches(event))
    }
}

impl Audience for Wanted {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.wants(event) {
            out.extend_from_slice(&event.position.to_le_bytes());
        }
    }

    fn overruns(&self) -> u32 {
        0
    }

    fn interests(&self) -> Interests {
        let Some(collection) = self.collection else { return Interests::Everything };
        let equality = self.filter.as_ref().and_then(|(_, equality)| equality.clone());
        Interests::In(vec![Interest { collection: collection.to_owned(), equality }])
    }
}

fn compiled(text: &str) -> (BodyFilter, Option<Equality>) {
    let limits = headwater_engine::limits::Limits::default();
    let bytes = json::parse_value(text.as_bytes(), &limits).unwrap();
    let raw = Raw::trusted(&bytes);
    let context = Context { limits: &limits, now_ms: 0, trust: Trust::Ordinary };
    let filter = Filter::parse(raw, &context).unwrap();
    (BodyFilter::parse(raw, &limits).unwrap().unwrap(), Equality::of(&filter))
}

/// Follows until a position, with pauses; what was given.
async fn follow(
    engine: Engine,
    wanted: Wanted,
    mut member: Member,
    end: u64,
    seed: u64,
) -> Vec<u64> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut given = Vec::new();
    while member.cursor() < end {
        match member.try_next() {
            Next::Frames { bytes, events } => {
                let positions: Vec<u64> = bytes
                    .chunks(8)
                    .map(|one| u64::from_le_bytes(one.try_into().unwrap()))
                    .collect();
                assert_eq!(positions.len(), events as usize);
                given.extend(positions);
                for _ in 0..random.random_range(0..40) {
                    tokio::task::yield_now().await;
                }
            }
            Next::Nothing if member.cursor() >= end => break,
            Next::Nothing => {
                tokio::select! {
                    () = member.changed() => {}
                    // The end may come without an event that is wanted.
                    _ = engine.wait_for(end) => tokio::task::yield_now().await,
                }
            }
            Next::Behind => {
                let mut log = engine.subscribe(Start::After(member.cursor())).unwrap();
                let Some(batch) = log.try_next().await.unwrap() else { continue };
                for event in batch.events() {
                    let event = event.unwrap();
                    if wanted.wants(&event) {
                        given.push(event.position);
                    }
                }
                member.resume(batch.last_position());
            }
        }
    }
    given.retain(|position| *position <= end);
    given
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_member_is_given_what_it_wants() {
    for seed in seed::seeds(seed::count(3, 40)) {
        let _replay = seed::Replay::of(seed);
        run(seed).await;
    }
}

async fn run(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let bench = Bench::new();
    let engine = bench.open();
    let wishes: Vec<Wanted> = (0..12).map(|_| Wanted::random(&mut random)).collect();
    let (mut followers, mut starts) = (Vec::new(), Vec::new());
    let end = 1200;
    let mut written = 0;
    while written < end {
        for _ in 0..random.random_range(0..3) {
            let number = random.random_range(0..wishes.len());
            let wanted = wishes[number].clone();
            let start = random.random_range(0..=engine.position());
            let audience: Arc<dyn Audience> = Arc::new(wanted.clone());
            let member =
                engine.fanout().join([u8::try_from(number).unwrap(); 32], start, || audience);
            starts.push((number, start));
            let follower = follow(engine.clone(), wanted, member, end, random.random());
            followers.push(tokio::spawn(follower));
        }
        let operations =
            (0..random.random_range(1..30)).map(|_| change(&mut random)).collect::<Vec<_>>();
        written = engine.write(bench.command(operations)).await.unwrap().position;
    }
    let mut log = Vec::new();
    let mut all = engine.subscribe(Start::Earliest).unwrap();
    while let Some(batch) = all.try_next().await.unwrap() {
        for event in batch.events() {
            let event = event.unwrap();
            let wanted = wishes.iter().map(|wanted| wanted.wants(&event)).collect::<Vec<_>>();
            log.push((event.position, wanted));
        }
    }
    for (follower, (number, start)) in followers.into_iter().zip(starts) {
        let given = follower.await.unwrap();
        let expected = log
            .iter()
            .filter(|(position, wanted)| *position > start && *position <= end && wanted[number]);
        let expected: Vec<u64> = expected.map(|(position, _)| *position).collect();
        assert_eq!(given, expected, "group {number} from {start}");
    }
    assert_eq!(engine.fanout().groups(), 0, "the last member takes its group along");
    drop(all);
    bench.stop(engine).await;
}

/// A document put in the place of the one that is there.
fn change(random: &mut StdRng) -> Operation {
    let id = random.random_range(0..40);
    let members = format!(
        "{{\"n\":{},\"m\":{},\"tags\":[\"t{}\",\"t{}\"]}}",
        random.random_range(0..8),
        random.random_range(0..6),
        random.random_range(0..5),
        random.random_range(0..9),
    );
    Operation::Replace {
        collection: Arc::from(COLLECTIONS[random.random_range(0..COLLECTIONS.len())]),
        id: id_of(id),
        body: body(id, &members),
        if_version: None,
        absent: Absent::Create,
    }
}

/// Wants everything, as frames of 100 KiB; says what it looks at, and may be held up at the first.
struct Large {
    looked_at: tokio::sync::mpsc::UnboundedSender<u64>,
    held: std::sync::Mutex<Option<std::sync::mpsc::Receiver<()>>>,
}

impl Audience for Large {
    fn write(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.looked_at.send(event.position).unwrap();
        let held = self.held.lock().unwrap().take();
        if let Some(held) = held {
            held.recv().unwrap();
        }
        out.resize(100 << 10, 0);
        out[..8].copy_from_slice(&event.position.to_le_bytes());
    }

    fn overruns(&self) -> u32 {
        0
    }

    fn interests(&self) -> Interests {
        Interests::Everything
    }
}

/// The last member leaves while a block is looked at, and another one comes: what is left of the block does not count as what
/// the new group holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn whoever_comes_during_a_look_is_not_taken_to_have_what_came_before() {
    let bench = Bench::new();
    let engine = bench.open();
    let write = async |count: i32| {
        let operations = (0..count).map(|n| Operation::Replace {
            collection: Arc::from("orders"),
            id: id_of(n),
            body: body(n, &format!("{{\"n\":{}}}", engine.position())),
            if_version: None,
            absent: Absent::Create,
        });
        engine.write(bench.command(operations.collect::<Vec<_>>())).await.unwrap().position
    };
    let (release, held) = std::sync::mpsc::channel();
    let (looked_at, mut first) = tokio::sync::mpsc::unbounded_channel();
    let large = Large { looked_at, held: std::sync::Mutex::new(Some(held)) };
    let member = engine.fanout().join([1; 32], engine.position(), || Arc::new(large));
    write(8).await;
    first.recv().await.unwrap();
    drop(member);
    let before = write(8).await;
    let (looked_at, mut second) = tokio::sync::mpsc::unbounded_channel();
    let large = Large { looked_at, held: std::sync::Mutex::new(None) };
    let mut member = engine.fanout().join([2; 32], 0, || Arc::new(large));
    // It has read a part of the log for itself.
    member.resume(before - 3);
    release.send(()).unwrap();
    let last = write(1).await;
    while second.recv().await.unwrap() < last {}
    engine.fanout().catch_up(last);
    let mut reached = member.cursor();
    loop {
        match member.try_next() {
            Next::Behind => break,
            Next::Nothing => panic!("nothing after {reached} of {last}"),
            Next::Frames { bytes, .. } => {
                let position = u64::from_le_bytes(*bytes.first_chunk().unwrap());
                assert_eq!(position, reached + 1);
                reached = member.cursor();
                if reached == last {
                    break;
                }
            }
        }
    }
    drop(member);
    bench.stop(engine).await;
}
