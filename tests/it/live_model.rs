//! Live queries against a plain model: random documents, writes, rights and subscribers that come, go and come back.
//!
//! Each subscriber keeps its picture by the frames alone, and strictly: nothing enters twice, nothing changes or leaves that
//! is not there, ids never go back. At every id its picture must be what the model says of that position: the documents that
//! match and may be seen, cut and projected, and of those the first where it asked for a window.
//! `HEADWATER_SEED` replays a run as far as timing allows; `HEADWATER_LONG=1` goes on for longer.

mod driver;
mod model;
mod subscriber;

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::harness::{Client, Server, eventually};
use driver::Driver;
use model::{Model, Plan, Rights};
use subscriber::{Seen, Subscriber};

/// The collection that is followed.
const COLLECTION: &str = "things";
/// Credentials that the subscribers share.
const CALLERS: usize = 3;

/// A credential whose rights change.
struct Caller {
    client: Client,
    path: String,
    /// The rights, from a position on.
    rights: Vec<(u64, Rights)>,
}

/// A subscriber under way.
struct Running {
    plan: Plan,
    caller: usize,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

async fn caller(root: &Client, random: &mut StdRng) -> Caller {
    let rights = Rights::random(random);
    let body = json!({"grant": rights.grant()});
    let issued = root.post("/v1/credentials", &body).await.expect(201).body;
    let path = format!("/v1/credentials/{}", issued["id"].as_str().unwrap());
    let client = root.with_key(issued["key"].as_str().unwrap());
    Caller { client, path, rights: vec![(0, rights)] }
}

impl Caller {
    async fn change(&mut self, root: &Client, random: &mut StdRng) {
        let rights = Rights::random(random);
        let answer = root.patch(&self.path, &json!({"grant": rights.grant()})).await.expect(200);
        self.rights.push((answer.position(), rights));
    }

    /// The rights that a picture of a position may be by: those in force then. A picture may have been begun by newer ones
    /// already, never by older ones.
    fn allowed(&self, position: u64) -> impl Iterator<Item = &Rights> {
        let at = self.rights.partition_point(|(from, _)| *from <= position);
        self.rights[at.saturating_sub(1)..].iter().map(|(_, rights)| rights)
    }
}

fn start(callers: &[Caller], driver: &Driver, random: &mut StdRng) -> Running {
    let (plan, caller) = (Plan::random(random), random.random_range(0..callers.len()));
    let seen = Arc::new(Seen::default());
    let subscriber =
        Subscriber::new(&callers[caller].client, &plan, &seen, driver.turns(), random.random());
    Running { plan, caller, seen, task: tokio::spawn(subscriber.run()) }
}

/// Waits until everybody has the picture of now; then holds every picture that anybody had to the model.
async fn compare(model: &Model, callers: &[Caller], running: &mut [Running]) -> usize {
    let now = model.now();
    for one in running.iter_mut() {
        let rights = &callers[one.caller].rights.last().unwrap().1;
        let expected = one.plan.picture(now.values(), rights);
        let plan = &one.plan;
        let mut last = None;
        let became = tokio::time::timeout(crate::harness::PATIENCE, async {
            loop {
                if let Some(failure) = one.seen.failure() {
                    let about = model.about_one(&failure.id);
                    panic!("{plan:?} by {rights:?}: {}{about}", failure.text);
                }
                assert!(!one.task.is_finished(), "a subscriber ended: {plan:?}");
                last = one.seen.picture();
                if last.as_ref() == Some(&expected) {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        if became.await.is_err() {
            let about = model.about(&expected, &last.unwrap_or_default());
            panic!("{plan:?} by {rights:?} stays wrong: {about}");
        }
    }
    let mut compared = 0;
    for one in running.iter() {
        let mut points = one.seen.take_points();
        points.sort_by_key(|point| point.position);
        model.at_each(&points, |point, documents| {
            let mut allowed = callers[one.caller].allowed(point.position);
            let fits =
                allowed.any(|rights| one.plan.picture(documents.values(), rights) == point.picture);
            if !fits {
                let rights = callers[one.caller].allowed(point.position).next().unwrap();
                let expected = one.plan.picture(documents.values(), rights);
                let about = model.about(&expected, &point.picture);
                let (plan, position, event) = (&one.plan, point.position, &point.event);
                panic!("{plan:?} by {rights:?} was wrong at {position}, after {event}: {about}");
            }
            compared += 1;
        });
    }
    compared
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_picture_is_what_a_plain_model_says() {
    let seed = match std::env::var("HEADWATER_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => rand::random(),
    };
    eprintln!("HEADWATER_SEED={seed}");
    let long = std::env::var("HEADWATER_LONG").is_ok_and(|value| value != "0");
    let (phases, turns) = if long { (60, 120) } else { (9, 90) };
    let mut random = StdRng::seed_from_u64(seed);
    let mut server = Server::start();
    let root = server.client();
    let mut driver = Driver::start(&root);
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        callers.push(caller(&root, &mut random).await);
    }
    let mut running: Vec<Running> = Vec::new();
    let mut compared = 0;
    for phase in 0..phases {
        for _ in 0..turns {
            if running.len() < 24 && random.random_bool(0.3) {
                running.push(start(&callers, &driver, &mut random));
            }
            if random.random_bool(0.02) {
                let caller = random.random_range(0..callers.len());
                callers[caller].change(&root, &mut random).await;
            }
            driver.turn(&mut random).await;
        }
        if phase % 3 == 1 {
            driver.recorded().await;
            match random.random() {
                true => server.kill(),
                false => assert!(server.stop().success()),
            }
            server.restart();
        }
        let model = driver.quiet().await;
        compared += compare(&model, &callers, &mut running).await;
        driver.go_on();
        // Some make room for others.
        while running.len() > 16 {
            let gone = running.swap_remove(random.random_range(0..running.len()));
            gone.task.abort();
        }
    }
    let resumed: u64 = running.iter().map(|one| one.seen.resumed()).sum();
    eprintln!("{compared} pictures compared, {resumed} resumptions among the last subscribers");
    assert!(compared > 500 && resumed > 0, "{compared} pictures, {resumed} resumptions");
    for one in running {
        one.task.abort();
    }
}

/// The documents of an answer of the native face's list, to hold the model itself to something.
async fn listed(root: &Client) -> Value {
    root.get(&format!("/v1/collections/{COLLECTION}/documents?limit=1000")).await.expect(200).body
}

#[tokio::test]
async fn the_model_agrees_with_what_a_query_finds() {
    let server = Server::start();
    let root = server.client();
    let mut random = StdRng::seed_from_u64(7);
    let mut driver = Driver::start(&root);
    for _ in 0..60 {
        driver.turn(&mut random).await;
    }
    let model = driver.quiet().await;
    let now: Vec<Value> = model.now().into_values().collect();
    assert_eq!(listed(&root).await["documents"], json!(now));
    let everything = Rights::everything();
    for _ in 0..60 {
        let plan = Plan::random(&mut random);
        let path = plan.path(&format!("/v1/collections/{COLLECTION}/documents"));
        let found = eventually("an answer", async || Some(root.get(&path).await.expect(200))).await;
        let found = found
            .list("documents")
            .iter()
            .map(|document| (document["_id"].as_str().unwrap().to_owned(), document.clone()));
        let expected = plan.picture(now.iter(), &everything);
        assert_eq!(found.collect::<std::collections::BTreeMap<_, _>>(), expected, "{path}");
    }
}
