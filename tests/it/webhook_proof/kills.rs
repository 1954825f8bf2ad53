//! The server is killed again and again while receivers misbehave in every way and writes go on: each event ends in a
//! success or a visible dead delivery, in order per document, under one id (R15, R16, R18).

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::account::{Account, check_ids, dead, position};
use super::receiver::{Behaviour, Receiver, Request};
use super::writers::Writers;
use super::{events, register, settled};
use crate::endurance::{is_long, random};
use crate::harness::{Client, PATIENCE, Server};

/// How long an attempt may take.
const TIMEOUT_MS: u64 = 300;
/// Documents of which nothing is ever taken, where that is tried.
const POISON: [&str; 3] = ["hot-0", "hot-1", "hot-2"];

fn is_poison(id: &Value) -> bool {
    POISON.iter().any(|poison| id == poison)
}

/// Draws what a receiver does, unless it is calm.
struct Moods {
    random: Mutex<StdRng>,
    calm: AtomicBool,
    poison: bool,
    /// Where redirects go to, which must never come.
    elsewhere: String,
}

impl Moods {
    fn draw(&self, request: &Request) -> Behaviour {
        if self.poison && is_poison(&request.json()["id"]) {
            return Behaviour::status(500);
        }
        if self.calm.load(Ordering::SeqCst) {
            return Behaviour::status(204);
        }
        let mut random = self.random.lock().unwrap();
        let headers = |status: u16, headers: String| Behaviour::Answer {
            status,
            headers,
            after: Duration::ZERO,
        };
        match random.random_range(0..100) {
            0..45 => Behaviour::status([200, 201, 202, 204][random.random_range(0..4)]),
            45..55 => Behaviour::slow(Duration::from_millis(random.random_range(0..100))),
            55..58 => {
                Behaviour::slow(Duration::from_millis(TIMEOUT_MS + random.random_range(0..100)))
            }
            58..72 => Behaviour::status([500, 502, 503, 429, 404][random.random_range(0..5)]),
            72..76 => headers([429, 503][random.random_range(0..2)], "retry-after: 0\r\n".into()),
            76 => headers(429, "retry-after: 1\r\n".into()),
            77..81 => Behaviour::Hang,
            81..86 => Behaviour::Close,
            86..90 => Behaviour::CloseInHead,
            90..92 => Behaviour::CloseInBody,
            92..95 => Behaviour::Garbage,
            95 => Behaviour::Endless,
            _ => {
                let status = [301, 302, 303, 307, 308][random.random_range(0..5)];
                headers(status, format!("location: {}\r\n", self.elsewhere))
            }
        }
    }
}

/// What is tried.
struct Plan {
    schedule: String,
    attempts: usize,
    kills: usize,
    /// Whether nothing of some documents is ever taken.
    poison: bool,
}

/// A webhook of the test.
struct Hooked {
    name: &'static str,
    path: String,
}

async fn hook(client: &Client, ordered: &Receiver, free: &Receiver) -> Vec<Hooked> {
    let narrow = json!({"filter": {"on": true}, "projection": {"n": 1, "nested.shown": 1}});
    let mut hooked = Vec::new();
    for (name, receiver, more) in [
        ("/all", ordered, json!({})),
        ("/narrow", ordered, narrow),
        ("/none", free, json!({"order": "none"})),
    ] {
        let mut more = more;
        more["timeout_ms"] = json!(TIMEOUT_MS);
        hooked.push(Hooked { name, path: register(client, &receiver.url(name), more).await });
    }
    hooked
}

/// The events that each webhook asked for.
fn wanted<'a>(name: &str, events: &'a [Value]) -> Vec<&'a Value> {
    let mut before: HashMap<String, bool> = HashMap::new();
    let mut wanted = Vec::new();
    for event in events {
        let now = event["document"]["on"] == true;
        let was = before.insert(event["id"].to_string(), now).unwrap_or(false);
        if name != "/narrow" || was || now {
            wanted.push(event);
        }
    }
    wanted
}

/// Each body is the event, or what the projection shows of it.
fn check_bodies(name: &str, events: &[Value], requests: &[(u64, &Request)]) {
    let events: BTreeMap<u64, &Value> = events.iter().map(|one| (position(one), one)).collect();
    for (position, request) in requests {
        let mut expected = events[position].clone();
        if name == "/narrow" && expected["document"].is_object() {
            let document = &expected["document"];
            let mut shown = json!({"_id": document["_id"], "n": document["n"]});
            if document["nested"].is_object() {
                shown["nested"] = json!({"shown": document["nested"]["shown"]});
            }
            expected["document"] = shown;
        }
        assert_eq!(request.json(), expected, "{name}");
    }
}

/// Waits for something that happens as long as anything goes on.
async fn wait(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Has some more written and delivered, and ends in the middle of it.
async fn go_on(writers: &Writers, receivers: [&Receiver; 2], random: &mut StdRng) {
    let requests = || receivers.iter().map(|one| one.count()).sum::<usize>();
    let (written, requested) = (writers.written(), requests());
    let allowed = random.random_range(5..50);
    writers.allow(allowed);
    let left = random.random_range(0..allowed);
    wait("writes go on", || writers.left() <= left).await;
    let written = usize::try_from(writers.written() - written).unwrap();
    // Two of the webhooks want every event.
    let some = random.random_range(0..=2 * written);
    wait("deliveries go on", || requests() >= requested + some).await;
}

/// The number of dead deliveries.
async fn prove(plan: &Plan) -> usize {
    let mut random = random();
    let elsewhere = Receiver::start(|_| Behaviour::status(204));
    let moods = Arc::new(Moods {
        random: Mutex::new(StdRng::seed_from_u64(random.random())),
        calm: AtomicBool::new(false),
        poison: plan.poison,
        elsewhere: elsewhere.url("/elsewhere"),
    });
    let moody = || {
        let moods = Arc::clone(&moods);
        move |request: &Request| moods.draw(request)
    };
    let (ordered, free) = (Receiver::start(moody()), Receiver::keeping_alive(moody()));
    let mut server = Server::with(&[("HEADWATER_WEBHOOKS__RETRY_SCHEDULE", &plan.schedule)]);
    let client = server.client();
    let hooked = hook(&client, &ordered, &free).await;
    let writers = Writers::start(&client, 3, &mut random);
    for _ in 0..plan.kills {
        go_on(&writers, [&ordered, &free], &mut random).await;
        server.kill();
        ordered.mark();
        server.restart();
    }
    let acknowledged = writers.stop().await;
    moods.calm.store(true, Ordering::SeqCst);
    for one in &hooked {
        settled(&client, &one.path).await;
    }
    let events = events(&client).await;
    let positions: Vec<u64> = events.iter().map(position).collect();
    let lost = acknowledged.iter().filter(|one| positions.binary_search(one).is_err()).count();
    assert_eq!(lost, 0, "of {} acknowledged writes", acknowledged.len());
    let all = [ordered.requests(), free.requests()].concat();
    let all: Vec<(u64, &Request)> = all.iter().map(|one| (one.position(), one)).collect();
    check_ids(&all);
    eprintln!("{} kills, {} acknowledged writes", plan.kills, acknowledged.len());
    assert_eq!(elsewhere.count(), 0, "a redirect was followed");
    let mut buried = 0;
    for one in &hooked {
        let dead = dead(&client, &one.path).await;
        buried += dead.len();
        check(plan, one.name, (&events, &all), dead, &ordered.marks());
    }
    buried
}

/// Holds what came to one webhook against what it asked for.
fn check(
    plan: &Plan,
    name: &str,
    (events, all): (&[Value], &[(u64, &Request)]),
    dead: BTreeMap<u64, u64>,
    marks: &[u64],
) {
    let of_it = all.iter().filter(|(_, request)| request.path == name).copied();
    let account = Account {
        name,
        events: wanted(name, events),
        requests: of_it.collect(),
        dead,
        attempts: plan.attempts,
    };
    account.check_nothing_is_lost();
    check_bodies(name, events, &account.requests);
    if name != "/none" {
        account.check_order(marks);
    }
    if plan.poison {
        let poisoned = account.events.iter().filter(|event| is_poison(&event["id"]));
        let kept = poisoned.filter(|event| !account.dead.contains_key(&position(event)));
        assert_eq!(kept.count(), 0, "what is never taken is dead and listed");
    }
    eprintln!(
        "{name}: {} events, {} requests, {} of them repeats, {} dead, 0 unaccounted",
        account.events.len(),
        account.requests.len(),
        account.repeats(),
        account.dead.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_kills_and_every_misbehaviour_lose_nothing_and_keep_the_order() {
    let schedule = format!("0s,20ms,50ms{}", ",100ms".repeat(27));
    let kills = if is_long() { 500 } else { 12 };
    prove(&Plan { schedule, attempts: 30, kills, poison: false }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_kills_among_dead_deliveries_lose_none_of_them() {
    let kills = if is_long() { 100 } else { 8 };
    let plan = Plan { schedule: "0s,20ms,50ms".into(), attempts: 3, kills, poison: true };
    assert!(prove(&plan).await > 0, "nothing died, so nothing was tried");
}
