//! Comparing the engine with the model.

use bytes::Bytes;
use headwater_engine::subscribe::Start;
use headwater_engine::value::{self, Raw};
use headwater_engine::view::{Row, Snapshot, Window};
use headwater_engine::write::Committed;
use headwater_engine::{Engine, Error, ErrorKind, Event};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::history::{Answer, COLLECTIONS, CREDENTIALS, Expected, Model, Recorded, Refusal};
use crate::support::{object, show};

/// An answer must be the model's.
pub fn same_answer(answer: &Result<Committed, Error>, expected: &Result<Answer, Refusal>) {
    match (answer, expected) {
        (Ok(committed), Ok(expected)) => {
            let outcomes = committed.outcomes.iter().map(|outcome| Expected {
                id: key(&outcome.id),
                version: outcome.version,
                position: outcome.position,
                body: outcome.body.clone(),
                effect: outcome.effect,
            });
            let found = Answer {
                outcomes: outcomes.collect(),
                position: committed.position,
                repeated: committed.repeated,
            };
            let mut expected = expected.clone();
            expected.outcomes.iter_mut().for_each(|outcome| outcome.id = key(&outcome.id));
            assert_eq!(found, expected);
        }
        (Err(error), Err((kind, code))) => {
            assert_eq!(error.kind(), *kind, "{error}");
            assert!(*code == "*" || error.code() == *code, "{}: {error}", error.code());
        }
        (Ok(committed), Err(refusal)) => panic!("{committed:?} instead of {refusal:?}"),
        (Err(error), Ok(expected)) => panic!("{error} instead of {expected:?}"),
    }
}

/// An id may be spelled as the request or as the document has it: `1` or `1.0`.
fn key(id: &Bytes) -> Bytes {
    if id.is_empty() { Bytes::new() } else { value::key::encode(Raw::trusted(id)).into() }
}

/// A few things, drawn at random.
pub async fn some(engine: &Engine, model: &Model, random: &mut StdRng) {
    let snapshot = engine.snapshot();
    assert_eq!(snapshot.position(), model.last());
    assert_eq!(engine.position(), model.last());
    for number in numbers(model) {
        counters(&snapshot, model, number);
    }
    for _ in 0..4 {
        let number = pick(random, &numbers(model));
        let keys = model.keys(number);
        if !keys.is_empty() {
            document(&snapshot, model, number, &pick(random, &keys), random);
        }
        page(&snapshot, model, number, random);
    }
    stream(engine, model, random.random_range(model.first - 1..=model.last())).await;
}

/// Everything.
pub async fn all(engine: &Engine, model: &Model, random: &mut StdRng) {
    let snapshot = engine.snapshot();
    let names: Vec<_> = snapshot.collections().iter().map(|c| c.name.to_string()).collect();
    let expected: Vec<_> = model.present.collections.keys().cloned().collect();
    assert_eq!(names, expected);
    for (name, number) in &model.present.collections {
        assert_eq!(snapshot.collection(name).map(|c| c.number), Some(*number), "{name}");
        for _ in 0..3 {
            let position = random.random_range(model.first - 1..=model.last());
            let then = snapshot.collection_at(name, position).unwrap();
            assert_eq!(then, model.number_at(name, position), "{name} at {position}");
        }
    }
    for number in numbers(model) {
        counters(&snapshot, model, number);
        for key in model.keys(number) {
            document(&snapshot, model, number, &key, random);
        }
        for _ in 0..6 {
            page(&snapshot, model, number, random);
        }
    }
    stream(engine, model, model.first - 1).await;
    stream(engine, model, model.last()).await;
}

fn numbers(model: &Model) -> Vec<u32> {
    // `_credentials` is written like any other; dropped collections stay readable in the past.
    let mut numbers = vec![COLLECTIONS, CREDENTIALS];
    numbers.extend(model.present.collections.values());
    numbers
}

fn pick<T: Clone>(random: &mut StdRng, among: &[T]) -> T {
    among[random.random_range(0..among.len())].clone()
}

fn counters(snapshot: &Snapshot, model: &Model, number: u32) {
    let found = snapshot.counters(number).unwrap();
    let live = live(model, number);
    let bytes: usize = live.iter().map(|(_, body)| body.len()).sum();
    assert_eq!((found.count, found.bytes), (live.len() as u64, bytes as u64), "of {number}");
}

/// Live documents of a collection: key and body, in order.
fn live(model: &Model, number: u32) -> Vec<(Bytes, Bytes)> {
    let from = (number, Bytes::new());
    let to = (number + 1, Bytes::new());
    let documents = model.present.documents.range(from..to);
    documents.filter_map(|((_, key), state)| Some((key.clone(), state.body.clone()?))).collect()
}

fn document(snapshot: &Snapshot, model: &Model, number: u32, key: &Bytes, random: &mut StdRng) {
    let state = model.present.documents.get(&(number, key.clone())).cloned().unwrap_or_default();
    let row = snapshot.get(number, key).unwrap();
    match (&row, &state.body) {
        (Some(row), Some(body)) => {
            same_row(row, state.version, state.position, body);
            let changed_ms = model.events[state.position as usize - 1].time_ms;
            assert_eq!(row.changed_ms(), changed_ms);
        }
        (None, None) => {}
        _ => panic!("{row:?} instead of {state:?}"),
    }
    let history = model.history(number, key);
    let found: Vec<_> =
        snapshot.history(number, key, u64::MAX).map(|entry| entry.unwrap().position).collect();
    assert_eq!(found, history.iter().rev().copied().collect::<Vec<_>>(), "history of {key:?}");
    let mut positions = vec![random.random_range(model.first - 1..=model.last())];
    for position in &history {
        positions.extend([position - 1, *position, position + 1]);
    }
    positions.retain(|p| (model.first - 1..=model.last()).contains(p));
    for position in positions {
        let row = snapshot.get_at(number, key, position).unwrap();
        let past = model.at(number, key, position);
        let body = past.as_ref().and_then(|past| past.body.clone());
        match (&row, &past, &body) {
            (Some(row), Some(past), Some(body)) => {
                same_row(row, past.version, past.position, body);
            }
            (None, _, None) => {}
            _ => panic!("at {position}: {row:?} instead of {body:?}"),
        }
    }
}

fn same_row(row: &Row, version: u64, position: u64, body: &Bytes) {
    assert_eq!((row.version(), row.position()), (version, position));
    assert_eq!(object(row.body()), show(body), "at {position}");
    assert_eq!(row.body_bytes(), body);
}

fn page(snapshot: &Snapshot, model: &Model, number: u32, random: &mut StdRng) {
    let keys = model.keys(number);
    let after = match keys.len() {
        0 => None,
        _ if random.random_bool(0.5) => None,
        _ => Some(pick(random, &keys)),
    };
    let skip = if random.random_bool(0.5) { 0 } else { random.random_range(0..5) };
    let limit = random.random_range(1..12);
    let window = Window { after: after.as_deref(), skip, limit };
    let (page, states) = if random.random_bool(0.5) {
        (snapshot.page(number, window).unwrap(), live(model, number))
    } else {
        let position = random.random_range(model.first - 1..=model.last());
        let states = keys.iter().filter_map(|key| {
            let body = model.at(number, key, position)?.body?;
            Some((key.clone(), body))
        });
        (snapshot.page_at(number, position, window).unwrap(), states.collect())
    };
    let wanted: Vec<_> =
        states.into_iter().filter(|(key, _)| after.as_ref().is_none_or(|a| key > a)).collect();
    let rest = wanted.get(skip..).unwrap_or_default();
    let rows: Vec<_> = page.rows.iter().map(Row::body_bytes).collect();
    let expected: Vec<_> = rest.iter().take(limit).map(|(_, body)| body.clone()).collect();
    assert_eq!(rows, expected, "{window:?} of {number}");
    let next = (rest.len() > limit).then(|| rest[limit - 1].0.clone());
    assert_eq!(page.next, next, "cursor of {window:?}");
}

/// Every event after a position comes once, in order, as it was recorded.
async fn stream(engine: &Engine, model: &Model, after: u64) {
    let mut subscription = engine.subscribe(Start::After(after)).unwrap();
    let mut expected = model.events[after as usize..].iter();
    while let Some(batch) = subscription.try_next().await.unwrap() {
        for event in batch.events() {
            same_event(&event.unwrap(), expected.next().expect("an event too many"));
        }
    }
    assert!(expected.next().is_none(), "the stream ended at {}", subscription.cursor());
    if model.first > 1 {
        let gone = engine.subscribe(Start::After(model.first - 2)).err().unwrap();
        assert_eq!(gone.kind(), ErrorKind::Gone);
    }
}

fn same_event(event: &Event<'_>, expected: &Recorded) {
    assert_eq!(event.position, expected.position);
    assert_eq!(
        (event.kind, event.collection, event.version, event.previous, event.batch, event.time_ms),
        (
            expected.kind,
            &*expected.collection,
            expected.version,
            expected.previous,
            expected.batch,
            expected.time_ms
        ),
        "at {}",
        event.position
    );
    assert_eq!(event.erased(), expected.erased, "at {}", event.position);
    if let Some(content) = &event.content {
        assert_eq!(content.id, &expected.id.raw[..]);
        assert_eq!(content.body, &expected.body[..], "at {}", event.position);
    }
}
