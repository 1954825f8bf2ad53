//! The engine as its users hold it: written, read, stopped and opened again on real files.

#![allow(clippy::unwrap_used, reason = "a test unwraps what it needs")]

mod support;

use std::sync::{Arc, Mutex};

use headwater_engine::subscribe::Start;
use headwater_engine::value::Raw;
use headwater_engine::view::{Progress, SystemFollower};
use headwater_engine::write::{Absent, Effect, Operation};
use headwater_engine::{ErrorKind, EventKind};
use support::{Bench, body, id_of, object};

#[tokio::test(flavor = "multi_thread")]
async fn a_document_lives_through_its_versions_and_a_restart() {
    let bench = Bench::new();
    let engine = bench.open();
    let id = id_of(7);
    let created = engine.write(bench.create("orders", 7, r#"{"total":1}"#)).await.unwrap();
    assert_eq!(created.outcomes[0].version, 1);
    assert_eq!(created.position, 2, "the collection's own event comes first");
    let replace = Operation::Replace {
        collection: "orders".into(),
        id: id.clone(),
        body: body(7, r#"{"total":2}"#),
        if_version: Some(1),
        absent: Absent::Refuse,
    };
    let replaced = engine.write(bench.command(vec![replace.clone()])).await.unwrap();
    assert_eq!(replaced.outcomes[0].version, 2);
    let stale = engine.write(bench.command(vec![replace])).await.unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::VersionMismatch);
    let delete = Operation::Delete {
        collection: "orders".into(),
        id: id.clone(),
        if_version: None,
        only_if: None,
    };
    engine.write(bench.command(vec![delete])).await.unwrap();
    let again = engine.write(bench.create("orders", 7, r#"{"total":9}"#)).await.unwrap();
    assert_eq!(again.outcomes[0].version, 4, "a version never repeats");
    bench.stop(engine).await;

    let engine = bench.open();
    let snapshot = engine.snapshot();
    let number = snapshot.collection("orders").unwrap().number;
    let row = snapshot.get(number, &id.key).unwrap().unwrap();
    assert_eq!((row.version(), row.position()), (4, again.position));
    assert_eq!(snapshot.counters(number).unwrap().count, 1);
    let at = snapshot.get_at(number, &id.key, created.position).unwrap().unwrap();
    assert_eq!(object(at.body()), object_of(7, r#"{"total":1}"#));
    assert!(snapshot.get_at(number, &id.key, 4).unwrap().is_none(), "deleted there");
    let history: Vec<_> =
        snapshot.history(number, &id.key, u64::MAX).map(|e| e.unwrap().position).collect();
    assert_eq!(history, [5, 4, 3, 2]);
    bench.stop(engine).await;
}

fn object_of(id: i32, members: &str) -> String {
    object(headwater_engine::value::Raw::trusted(&body(id, members)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_id_is_refused_and_a_batch_is_all_or_none() {
    let bench = Bench::new();
    let engine = bench.open();
    engine.write(bench.create("orders", 1, "{}")).await.unwrap();
    let position = engine.position();
    let batch = [2, 3, 1].map(|id| bench.create("orders", id, "{}").operations.remove(0));
    let error = engine.write(bench.command(batch.to_vec())).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "duplicate_id"));
    assert_eq!(engine.position(), position, "a refused batch leaves no event");
    let snapshot = engine.snapshot();
    let number = snapshot.collection("orders").unwrap().number;
    assert!(snapshot.get(number, &id_of(2).key).unwrap().is_none());
    bench.stop(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_survives_a_restart() {
    let bench = Bench::new();
    let engine = bench.open();
    let command = bench.keyed(bench.create("orders", 1, r#"{"a":1}"#), "k1", 1);
    let first = engine.write(command.clone()).await.unwrap();
    let repeated = engine.write(command.clone()).await.unwrap();
    assert!(repeated.repeated);
    assert_eq!(repeated.position, first.position);
    assert_eq!(repeated.outcomes[0].body, first.outcomes[0].body);
    bench.stop(engine).await;
    let engine = bench.open();
    let repeated = engine.write(command).await.unwrap();
    assert_eq!((repeated.repeated, repeated.position), (true, first.position));
    let other = bench.keyed(bench.create("orders", 2, "{}"), "k1", 2);
    let error = engine.write(other).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unprocessable, "idempotency_key_reused"));
    bench.stop(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyed_request_that_changes_nothing_is_recorded() {
    let bench = Bench::new();
    let engine = bench.open();
    let made = engine.write(bench.create("orders", 1, r#"{"a":1}"#)).await.unwrap();
    let replace = Operation::Replace {
        collection: "orders".into(),
        id: id_of(1),
        body: body(1, r#"{"a":1}"#),
        if_version: None,
        absent: Absent::Refuse,
    };
    let command = bench.keyed(bench.command(vec![replace]), "k", 7);
    let first = engine.write(command.clone()).await.unwrap();
    assert_eq!(first.outcomes[0].effect, Effect::Unchanged);
    let again = engine.write(command).await.unwrap();
    assert!(again.repeated);
    assert_eq!(again.outcomes[0].position, made.position);
    assert_eq!(again.outcomes[0].version, 1);
    assert_eq!(again.outcomes[0].effect, Effect::Unchanged);
    bench.stop(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_hands_over_from_disk_to_the_tail_without_gap_or_double() {
    let bench = Bench::new();
    let engine = bench.open();
    for id in 0..50 {
        engine.write(bench.create("orders", id, "{}")).await.unwrap();
    }
    bench.stop(engine).await;
    let engine = bench.open();
    let mut subscription = engine.subscribe(Start::Earliest).unwrap();
    let writer = {
        let engine = engine.clone();
        let commands: Vec<_> = (50..200).map(|id| bench.create("orders", id, "{}")).collect();
        async move {
            for command in commands {
                engine.write(command).await.unwrap();
            }
        }
    };
    let reader = async {
        let mut positions = Vec::new();
        while positions.len() < 201 {
            let batch = subscription.next().await.unwrap();
            for event in batch.events() {
                let event = event.unwrap();
                assert_eq!(event.kind, EventKind::DocumentCreated);
                positions.push(event.position);
            }
        }
        positions
    };
    let ((), positions) = tokio::join!(writer, reader);
    assert_eq!(positions, (1..=201).collect::<Vec<_>>());
    bench.stop(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn views_deleted_while_stopped_come_back() {
    let bench = Bench::new();
    let engine = bench.open();
    for id in 0..20 {
        engine.write(bench.create("orders", id, "{}")).await.unwrap();
    }
    bench.stop(engine).await;
    std::fs::remove_dir_all(bench.data().join("views")).unwrap();
    let engine = bench.open();
    let snapshot = engine.snapshot();
    let number = snapshot.collection("orders").unwrap().number;
    assert_eq!(snapshot.counters(number).unwrap().count, 20);
    assert_eq!(snapshot.scan(number, None).count(), 20);
    bench.stop(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_collection_is_gone_and_its_name_starts_afresh() {
    let bench = Bench::new();
    let engine = bench.open();
    let made = engine.write(bench.create("orders", 1, r#"{"a":1}"#)).await.unwrap();
    let drop = Operation::Drop { collection: "orders".into() };
    engine.write(bench.command(vec![drop])).await.unwrap();
    assert!(engine.snapshot().collection("orders").is_none());
    let fresh = engine.write(bench.create("orders", 1, r#"{"a":2}"#)).await.unwrap();
    assert!(
        fresh.outcomes[0].version > made.outcomes[0].version,
        "a version never repeats, not even after a drop"
    );
    let snapshot = engine.snapshot();
    let number = snapshot.collection("orders").unwrap().number;
    assert_eq!(snapshot.counters(number).unwrap().count, 1);
    let before = snapshot.collection_at("orders", made.position).unwrap().unwrap();
    assert_ne!(before, number);
    let old = snapshot.get_at(before, &id_of(1).key, made.position).unwrap().unwrap();
    assert_eq!(object(old.body()), object_of(1, r#"{"a":1}"#));
    bench.stop(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_without_any_event_verifies_after_a_restart() {
    // Broke: a checkpoint remembered the highest collection number as 255, the fold as 0.
    let bench = Bench::new();
    let engine = bench.open();
    bench.stop(engine).await;
    let engine = bench.open();
    tokio::task::block_in_place(|| engine.verify(&Progress::default())).unwrap();
    bench.stop(engine).await;
}

/// Writes down what it hears, and remembers roles alone.
#[derive(Default)]
struct Forgetful(Mutex<Vec<String>>);

impl Forgetful {
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn note(&self, what: &str) {
        self.0.lock().unwrap().push(what.to_owned());
    }
}

impl SystemFollower for Forgetful {
    fn collections(&self) -> &[&'static str] {
        &["_users", "_roles"]
    }

    fn reset(&self) {
        self.note("reset");
    }

    fn changed(&self, collection: &str, _id: Raw<'_>, _body: Option<Raw<'_>>, _position: u64) {
        self.note(collection);
    }

    fn remembers(&self, collection: &str) -> bool {
        collection == "_roles"
    }

    fn settled(&self) {
        self.note("settled");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_are_told_again_what_they_remember_and_hear_of_all_changes() {
    let bench = Bench::new();
    let follower = Arc::new(Forgetful::default());
    let engine = bench.open_followed(follower.clone());
    assert_eq!(follower.heard(), ["reset", "settled"]);
    for (collection, id) in [("_users", 1), ("_roles", 2), ("_users", 3)] {
        engine.write(bench.create(collection, id, "{}")).await.unwrap();
    }
    assert_eq!(follower.heard(), ["_users", "_roles", "_users"]);
    tokio::task::block_in_place(|| engine.rebuild(&Progress::default())).unwrap();
    assert_eq!(follower.heard(), ["reset", "_roles", "settled"]);
    engine.write(bench.create("_users", 4, "{}")).await.unwrap();
    assert_eq!(follower.heard(), ["_users"]);
    bench.stop(engine).await;
    let engine = bench.open_followed(follower.clone());
    assert_eq!(follower.heard(), ["reset", "_roles", "settled"]);
    bench.stop(engine).await;
}
