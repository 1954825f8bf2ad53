//! What must hold when an engine was opened again after the power went.

use std::collections::{BTreeMap, HashMap};

use headwater_engine::subscribe::Start;
use headwater_engine::view::Progress;
use headwater_engine::{Engine, EventKind};

use crate::load::{Acknowledged, Known, upsert};
use crate::support::{body, id_of, show};

/// An event as far as it is compared.
struct Found {
    kind: EventKind,
    collection: String,
    id: String,
    version: u64,
    body: Vec<u8>,
    erased: bool,
    key: Option<String>,
}

/// Acknowledged writes that are not there.
pub struct Lost(pub usize);

/// Checks everything; loss is given back, anything else panics.
pub async fn check(engine: &Engine, known: &Known) -> Lost {
    let first = engine.log().first_position();
    let events = read(engine, first).await;
    let lost = acknowledged(known, first, &events);
    versions(&events);
    pairs(engine, "before anything was written");
    tokio::task::block_in_place(|| engine.verify(&Progress::default())).unwrap();
    requests(engine, known, first, lost > 0).await;
    let pair = vec![upsert("left", 0, "{\"new\":1}"), upsert("right", 0, "{\"new\":1}")];
    let command = headwater_engine::write::Command {
        operations: pair,
        actor: "after".into(),
        ..headwater_engine::write::Command::default()
    };
    engine.write(command).await.unwrap();
    pairs(engine, "after another write");
    tokio::task::block_in_place(|| engine.verify(&Progress::default())).unwrap();
    Lost(lost)
}

/// Reads the whole log; positions must be dense and batches whole.
async fn read(engine: &Engine, first: u64) -> BTreeMap<u64, Found> {
    let mut subscription = engine.subscribe(Start::Earliest).unwrap();
    let mut events = BTreeMap::new();
    let mut next = first;
    let mut time_ms = 0;
    let mut whole = true;
    while let Some(batch) = subscription.try_next().await.unwrap() {
        for event in batch.events() {
            let event = event.unwrap();
            assert_eq!(event.position, next, "positions are dense");
            assert!(event.time_ms >= time_ms, "time went back at {next}");
            time_ms = event.time_ms;
            whole = event.batch_end;
            next += 1;
            let content = event.content.as_ref();
            let found = Found {
                kind: event.kind,
                collection: event.collection.to_owned(),
                id: content.map(|content| show(content.id)).unwrap_or_default(),
                version: event.version,
                body: content.map(|content| content.body.to_vec()).unwrap_or_default(),
                erased: event.erased(),
                key: event.request.as_ref().map(|request| request.key.to_owned()),
            };
            events.insert(event.position, found);
        }
    }
    assert!(whole, "half a batch at the end");
    assert_eq!(next - 1, engine.position());
    events
}

/// How many acknowledged writes are not in the log (R1).
fn acknowledged(known: &Known, first: u64, events: &BTreeMap<u64, Found>) -> usize {
    let is_there = |write: &Acknowledged| {
        let Some(event) = events.get(&write.position) else { return false };
        event.collection == write.collection
            && event.version == write.version
            && (event.erased
                || (event.id == write.id.to_string()
                    && event.body == body(write.id, &write.members)))
    };
    let kept = known.acknowledged.iter().filter(|write| write.position >= first);
    kept.filter(|write| !is_there(write)).count()
}

/// A document's versions rise by one.
fn versions(events: &BTreeMap<u64, Found>) {
    let mut newest: HashMap<(String, String), u64> = HashMap::new();
    for (position, event) in events {
        // Erasure starts a document afresh; its events cannot be told apart.
        let of_a_document = matches!(
            event.kind,
            EventKind::DocumentCreated | EventKind::DocumentUpdated | EventKind::DocumentDeleted
        );
        if event.erased || !of_a_document || event.collection == "erased" {
            continue;
        }
        let before = newest.insert((event.collection.clone(), event.id.clone()), event.version);
        if let Some(before) = before {
            assert_eq!(event.version, before + 1, "at {position}");
        }
    }
}

/// Two documents written together agree (R2).
fn pairs(engine: &Engine, when: &str) {
    let snapshot = engine.snapshot();
    let bodies = |name| -> Vec<String> {
        let Some(collection) = snapshot.collection(name) else { return Vec::new() };
        let rows = snapshot.scan(collection.number, None);
        rows.map(|row| show(row.unwrap().1.body().as_bytes())).collect()
    };
    assert_eq!(bodies("left"), bodies("right"), "{when}");
}

/// A retry takes effect once, whether the first try was answered or not (R3).
async fn requests(engine: &Engine, known: &Known, first: u64, lost: bool) {
    for (command, position) in known.keyed.values() {
        let answer = engine.write(command.clone()).await;
        let committed = match (answer, position) {
            (Err(error), _) => {
                assert_eq!(error.code(), "answer_gone", "{error}");
                continue;
            }
            (Ok(committed), _) => committed,
        };
        if let Some(position) = position
            && !lost
        {
            assert!(committed.repeated, "a request answered at {position} was done again");
            assert_eq!(committed.position, *position);
        }
    }
    let mut times: HashMap<String, usize> = HashMap::new();
    for event in read(engine, first).await.into_values() {
        if let Some(key) = event.key {
            *times.entry(key).or_default() += 1;
        }
    }
    for key in known.keyed.keys() {
        let times = times.get(key).copied().unwrap_or(0);
        // Retention may have taken the one event there was.
        assert!(times == 1 || (times == 0 && first > 1), "{key} took effect {times} times");
    }
    let snapshot = engine.snapshot();
    let number = snapshot.collection("single").map(|collection| collection.number);
    for (_, request) in known.keyed.iter().take(10).filter(|_| !lost) {
        let id = request.0.operations.first().map(|operation| match operation {
            headwater_engine::write::Operation::Replace { id, .. } => id.clone(),
            _ => id_of(0),
        });
        let row = id.zip(number).map(|(id, number)| snapshot.get(number, &id.key).unwrap());
        assert!(row.flatten().is_some(), "a keyed document is not there");
    }
}
