//! The load that the power goes in: writers who remember what was acknowledged to them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use headwater_engine::Engine;
use headwater_engine::view::Progress;
use headwater_engine::write::{Absent, Command, Operation, RequestIdentity};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;

use crate::support::storage::copy_views;
use crate::support::{body, id_of};

pub const WRITERS: i32 = 5;
const PAIRS: i32 = 4;

/// A write that was acknowledged.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    pub position: u64,
    pub collection: &'static str,
    pub id: i32,
    pub version: u64,
    pub members: String,
}

/// What the writers know.
#[derive(Default)]
pub struct Known {
    pub acknowledged: Vec<Acknowledged>,
    /// Keyed requests with the position they were answered, or none if they were not.
    pub keyed: BTreeMap<String, (Command, Option<u64>)>,
}

/// Writes until the disk is gone; now and then copies the views, rebuilds, drops old events, erases.
pub async fn run(engine: &Engine, seed: u64, copies: &Path) -> Known {
    let known = Arc::new(Mutex::new(Known::default()));
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let random = StdRng::seed_from_u64(seed.wrapping_add(writer as u64));
        tasks.spawn(write(engine.clone(), Arc::clone(&known), writer, random));
    }
    let written = Arc::new(AtomicBool::new(false));
    let upkeep = {
        let (engine, copies) = (engine.clone(), copies.to_owned());
        let (written, mut random) = (Arc::clone(&written), StdRng::seed_from_u64(!seed));
        tokio::task::spawn_blocking(move || {
            while !written.load(Ordering::SeqCst) {
                upkeep(&engine, &copies, &mut random);
            }
        })
    };
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    written.store(true, Ordering::SeqCst);
    upkeep.await.unwrap();
    let mut known = known.lock();
    std::mem::take(&mut *known)
}

/// One round of upkeep; it may fail when the disk does.
fn upkeep(engine: &Engine, copies: &Path, random: &mut StdRng) {
    match random.random_range(0..200) {
        0 => drop(engine.rebuild(&Progress::default())),
        1 => drop(engine.retain()),
        2 => drop(engine.erase("erased", &id_of(random.random_range(0..20)), "operator")),
        3 => {
            let copy = copies.join("views");
            drop(std::fs::remove_dir_all(&copy));
            copy_views(&engine.data().join("views"), &copy);
        }
        _ => std::thread::sleep(std::time::Duration::from_millis(1)),
    }
}

async fn write(engine: Engine, known: Arc<Mutex<Known>>, writer: i32, mut random: StdRng) {
    for turn in 0..100_000 {
        let (command, written) = draw(writer, turn, &mut random);
        if let Some(request) = &command.request {
            known.lock().keyed.insert(request.key.clone(), (command.clone(), None));
        }
        let key = command.request.as_ref().map(|request| request.key.clone());
        match engine.write(command).await {
            Ok(committed) => {
                let mut known = known.lock();
                for (outcome, (collection, id, members)) in committed.outcomes.iter().zip(written) {
                    let (position, version) = (outcome.position, outcome.version);
                    let write = Acknowledged { position, collection, id, version, members };
                    known.acknowledged.push(write);
                }
                if let Some(entry) = key.and_then(|key| known.keyed.get_mut(&key)) {
                    entry.1 = Some(committed.position);
                }
            }
            Err(_) => return,
        }
    }
}

type Written = Vec<(&'static str, i32, String)>;

/// A pair in one batch, a keyed create, or a document that is to be erased by and by.
fn draw(writer: i32, turn: usize, random: &mut StdRng) -> (Command, Written) {
    let members = format!("{{\"writer\":{writer},\"turn\":{turn},\"s\":\"{}\"}}", filler(random));
    let number = writer * 100_000 + turn as i32;
    let written: Written = match random.random_range(0..4) {
        0 | 1 => {
            let pair = random.random_range(0..PAIRS);
            vec![("left", pair, members.clone()), ("right", pair, members)]
        }
        2 => vec![("erased", random.random_range(0..20), members)],
        _ => vec![("single", number, members)],
    };
    let keyed = written[0].0 == "single";
    let request =
        keyed.then(|| RequestIdentity { key: format!("key-{number}"), digest: [writer as u8; 32] });
    let operations = written.iter().map(|(name, id, members)| upsert(name, *id, members)).collect();
    (Command { operations, actor: "writer".into(), request, ..Command::default() }, written)
}

pub fn upsert(collection: &str, id: i32, members: &str) -> Operation {
    Operation::Replace {
        collection: collection.into(),
        id: id_of(id),
        body: body(id, members),
        if_version: None,
        absent: Absent::Create,
    }
}

fn filler(random: &mut StdRng) -> String {
    "~".repeat(random.random_range(0..300))
}
