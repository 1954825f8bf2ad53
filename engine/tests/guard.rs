//! Guarded commands: whoever may see and touch only a part of the documents learns and changes nothing of the rest.

#![allow(clippy::unwrap_used, reason = "a test unwraps what it needs")]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::limits::Limits;
use headwater_engine::query::{Context, Filter, Trust};
use headwater_engine::restrict::Subject;
use headwater_engine::value::{self, Object, Raw, Value};
use headwater_engine::write::{
    Absent, Change, Command, Committed, Effect, Guard, Operation, Outcome, Touch,
};
use headwater_engine::{Engine, Error, ErrorKind, Result};
use support::{Bench, body, id_of, object};

/// Ann sees what is hers without `secret`, and `"shared":true` of others, which she may not touch.
struct Ann;

impl Ann {
    fn is_hers(document: Raw<'_>) -> bool {
        document.get("owner").and_then(Raw::as_str) == Some("ann")
    }
}

fn members(document: Raw<'_>) -> Object {
    document.to_value().as_object().unwrap().clone()
}

impl Guard for Ann {
    fn view(&self, _: &str, touch: Touch, current: Subject<'_>) -> Result<Option<Vec<u8>>> {
        let current = current.body;
        let shared = current.get("shared").and_then(Raw::as_bool) == Some(true);
        let kept = current.get("kept").is_some() && touch == Touch::Delete;
        if !Self::is_hers(current) && !shared {
            return Err(Error::not_found("hidden", "the guard hides it"));
        }
        if !Self::is_hers(current) || kept {
            return Err(Error::new(ErrorKind::Forbidden, "not_hers", "it is not hers"));
        }
        let mut view = members(current);
        view.remove("secret");
        Ok(Some(view.to_bytes()))
    }

    fn settle(&self, name: &str, current: Option<Raw<'_>>, wanted: Bytes) -> Result<Bytes> {
        let raw = Raw::trusted(&wanted);
        if name == "audit" {
            return Ok(wanted);
        }
        if !Self::is_hers(raw) {
            return Err(Error::new(ErrorKind::Forbidden, "must_be_hers", "it must be hers"));
        }
        let mut settled = members(raw);
        match (settled.remove("secret"), current.and_then(|current| current.get("secret"))) {
            (None, None) => return Ok(wanted),
            (_, None) => {}
            (_, Some(secret)) => drop(settled.insert("secret", secret.to_value())),
        }
        Ok(settled.to_bytes().into())
    }

    fn check(&self, _: &str, _: Option<Raw<'_>>, _: Raw<'_>, _: Raw<'_>) -> Result<()> {
        Ok(())
    }
}

/// Sets members, and is sure to be shown nothing hidden.
struct Set(&'static str);

impl Change for Set {
    fn apply(&self, current: Raw<'_>) -> Result<Option<Vec<u8>>> {
        assert!(current.get("secret").is_none(), "the change sees {}", object(current));
        let mut changed = members(current);
        for (name, value) in Raw::trusted(&json(self.0)).object_iter() {
            changed.insert(name, value.to_value());
        }
        Ok(Some(changed.to_bytes()))
    }
}

fn json(text: &str) -> Vec<u8> {
    value::json::parse_value(text.as_bytes(), &Limits::default()).unwrap()
}

const HERS: i32 = 1;
const HIDDEN: i32 = 2;
const SHARED: i32 = 3;
const KEPT: i32 = 4;
const MISSING: i32 = 9;

struct Docs {
    bench: Bench,
    engine: Engine,
}

impl Docs {
    async fn new() -> Self {
        let bench = Bench::new();
        let engine = bench.open();
        for (id, members) in [
            (HERS, r#""owner":"ann","n":1,"secret":"s1""#),
            (HIDDEN, r#""owner":"bob","n":2,"secret":"s2""#),
            (SHARED, r#""owner":"bob","shared":true,"secret":"s3""#),
            (KEPT, r#""owner":"ann","kept":true,"secret":"s4""#),
        ] {
            engine.write(bench.create("docs", id, members)).await.unwrap();
        }
        Self { bench, engine }
    }

    fn by_ann(&self, operations: Vec<Operation>) -> Command {
        Command { guard: Some(Arc::new(Ann)), ..self.bench.command(operations) }
    }

    async fn ann(&self, operation: Operation) -> Result<Committed> {
        self.engine.write(self.by_ann(vec![operation])).await
    }

    async fn anybody(&self, operation: Operation) -> Result<Committed> {
        self.engine.write(self.bench.command(vec![operation])).await
    }

    /// A document as it is stored.
    fn stored(&self, id: i32) -> Option<String> {
        let snapshot = self.engine.snapshot();
        let number = snapshot.collection("docs").unwrap().number;
        snapshot.get(number, &id_of(id).key).unwrap().map(|row| object(row.body()))
    }

    /// The refusal of a guarded operation, which must leave no trace.
    async fn refusal(&self, operation: Operation) -> Error {
        let before = self.engine.position();
        let error = self.ann(operation).await.unwrap_err();
        assert_eq!(self.engine.position(), before, "{error}");
        error
    }

    async fn stop(self) {
        self.bench.stop(self.engine).await;
    }
}

fn create(id: i32, members: &str) -> Operation {
    Operation::Create { collection: "docs".into(), id: id_of(id), body: body(id, members) }
}

fn replace(id: i32, members: &str, if_version: Option<u64>, absent: Absent) -> Operation {
    let (collection, id, body) = ("docs".into(), id_of(id), body(id, members));
    Operation::Replace { collection, id, body, if_version, absent }
}

fn change(id: i32, set: &'static str, if_version: Option<u64>, absent: Absent) -> Operation {
    let (collection, id, change) = ("docs".into(), id_of(id), Arc::new(Set(set)));
    Operation::Change { collection, id, change, if_version, absent }
}

fn delete(id: i32, if_version: Option<u64>, only_if: Option<&str>) -> Operation {
    let only_if = only_if.map(|filter| {
        let limits = Limits::default();
        let context = Context { limits: &limits, now_ms: 0, trust: Trust::Ordinary };
        Arc::new(Filter::parse(Raw::trusted(&json(filter)), &context).unwrap())
    });
    Operation::Delete { collection: "docs".into(), id: id_of(id), if_version, only_if }
}

const MINE: &str = r#""owner":"ann","n":7"#;

/// What an error tells, with one id for another.
fn told(error: &Error, id: i32) -> String {
    let text = format!("{:?} {} {} {:?}", error.kind(), error.code(), error, error.details());
    text.replace(&format!("_id {id}"), "_id ?").replace(&format!("document {id} "), "document ? ")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_answers_as_what_is_not_there() {
    let docs = Docs::new().await;
    for version in [None, Some(1), Some(7)] {
        let operations: [&dyn Fn(i32) -> Operation; 5] = [
            &|id| replace(id, MINE, version, Absent::Refuse),
            &|id| replace(id, MINE, version, Absent::Skip),
            &|id| change(id, r#"{"n":8}"#, version, Absent::Refuse),
            &|id| change(id, r#"{"n":8}"#, version, Absent::Create),
            &|id| delete(id, version, None),
        ];
        for (case, operation) in operations.iter().enumerate() {
            let hidden = docs.refusal(operation(HIDDEN)).await;
            assert_eq!(hidden.code(), "document_not_found", "case {case}");
            let missing = docs.refusal(operation(MISSING)).await;
            assert_eq!(told(&hidden, HIDDEN), told(&missing, MISSING), "case {case}");
        }
    }
    // Where it would be created, the refusals of an absent document come first.
    let upsert = |id, version, members| replace(id, members, version, Absent::Create);
    for (version, members) in [(Some(7), MINE), (Some(7), "\"n\":1"), (None, "\"n\":1")] {
        let hidden = docs.refusal(upsert(HIDDEN, version, members)).await;
        let missing = docs.refusal(upsert(MISSING, version, members)).await;
        assert_eq!(told(&hidden, HIDDEN), told(&missing, MISSING), "{version:?} {members}");
    }
    assert_eq!(docs.refusal(upsert(HIDDEN, None, MINE)).await.code(), "document_not_found");
    docs.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_passed_over_when_gone_is_passed_over_when_hidden() {
    let docs = Docs::new().await;
    let before = docs.engine.position();
    for id in [HIDDEN, MISSING] {
        let skipped = [change(id, r#"{"n":8}"#, None, Absent::Skip), delete(id, None, Some("{}"))];
        for operation in skipped {
            let Outcome { effect, version, position, body, .. } =
                docs.ann(operation).await.unwrap().outcomes.remove(0);
            assert_eq!((effect, version, position, body), (Effect::Skipped, 0, 0, None));
        }
    }
    assert_eq!(docs.engine.position(), before);
    // What is seen but not touchable is refused also there.
    let error = docs.refusal(change(SHARED, r#"{"n":8}"#, None, Absent::Skip)).await;
    assert_eq!(error.code(), "not_hers");
    docs.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_touched_is_refused_before_its_version_is_looked_at() {
    let docs = Docs::new().await;
    for version in [None, Some(1), Some(7)] {
        for operation in [
            replace(SHARED, MINE, version, Absent::Refuse),
            replace(SHARED, MINE, version, Absent::Create),
            change(SHARED, r#"{"n":8}"#, version, Absent::Refuse),
            delete(SHARED, version, None),
            delete(SHARED, version, Some(r#"{"secret":"s3"}"#)),
            delete(KEPT, version, None),
        ] {
            let error = docs.refusal(operation).await;
            assert_eq!((error.code(), error.details()), ("not_hers", &[][..]), "{version:?}");
        }
    }
    // Of what is hers, she is told the version, before anything is said about the new state.
    for operation in [
        replace(HERS, r#""owner":"bob""#, Some(7), Absent::Refuse),
        change(HERS, r#"{"owner":"bob"}"#, Some(7), Absent::Refuse),
        delete(HERS, Some(7), None),
    ] {
        assert_eq!(docs.refusal(operation).await.code(), "version_mismatch");
    }
    for operation in [
        replace(HERS, r#""owner":"bob""#, Some(1), Absent::Refuse),
        change(HERS, r#"{"owner":"bob"}"#, Some(1), Absent::Refuse),
    ] {
        assert_eq!(docs.refusal(operation).await.code(), "must_be_hers");
    }
    docs.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_members_stay_whatever_becomes_of_the_rest() {
    let docs = Docs::new().await;
    let replaced = docs.ann(replace(HERS, MINE, Some(1), Absent::Refuse)).await.unwrap();
    let expected = r#"{"_id":1,"owner":"ann","n":7,"secret":"s1"}"#;
    assert_eq!(docs.stored(HERS).unwrap(), expected);
    let outcome = &replaced.outcomes[0];
    assert_eq!(object(Raw::trusted(outcome.body.as_ref().unwrap())), expected);
    docs.ann(change(HERS, r#"{"n":8,"secret":"known"}"#, None, Absent::Refuse)).await.unwrap();
    let expected = r#"{"_id":1,"owner":"ann","n":8,"secret":"s1"}"#;
    assert_eq!(docs.stored(HERS).unwrap(), expected);
    // What is as it was, seen or stored, is no change.
    let before = docs.engine.position();
    for operation in [
        change(HERS, r#"{"n":8}"#, None, Absent::Refuse),
        change(HERS, r#"{"secret":"x"}"#, None, Absent::Refuse),
        replace(HERS, r#""owner":"ann","n":8"#, None, Absent::Create),
    ] {
        let outcome = docs.ann(operation).await.unwrap().outcomes.remove(0);
        assert_eq!((outcome.effect, outcome.version), (Effect::Unchanged, 3));
        assert_eq!(object(Raw::trusted(&outcome.body.unwrap())), expected);
    }
    assert_eq!(docs.engine.position(), before);
    // A condition looks at what is seen.
    let passed = docs.ann(delete(HERS, None, Some(r#"{"secret":"s1"}"#))).await.unwrap();
    assert_eq!(passed.outcomes[0].effect, Effect::Skipped);
    let deleted = docs.ann(delete(HERS, Some(3), Some(r#"{"n":8}"#))).await.unwrap();
    assert_eq!((deleted.outcomes[0].effect, docs.stored(HERS)), (Effect::Deleted, None));
    docs.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_are_settled_and_say_nothing_to_those_who_may_not_create() {
    let docs = Docs::new().await;
    for operation in [
        create(HIDDEN, "\"n\":1"),
        create(MISSING, "\"n\":1"),
        replace(MISSING, "\"n\":1", Some(7), Absent::Create),
    ] {
        assert_eq!(docs.refusal(operation).await.code(), "must_be_hers");
    }
    // Nor does the collection come into being.
    let elsewhere =
        Operation::Create { collection: "nowhere".into(), id: id_of(1), body: body(1, "\"n\":1") };
    assert_eq!(docs.refusal(elsewhere).await.code(), "must_be_hers");
    assert_eq!(docs.refusal(create(HIDDEN, MINE)).await.code(), "duplicate_id");
    // The body that was hashed before the queue is not the one that is stored.
    docs.ann(create(10, r#""owner":"ann","secret":"mine","n":1"#)).await.unwrap();
    assert_eq!(docs.stored(10).unwrap(), r#"{"_id":10,"owner":"ann","n":1}"#);
    docs.ann(create(11, MINE)).await.unwrap();
    docs.ann(replace(12, r#""owner":"ann","secret":"mine""#, None, Absent::Create)).await.unwrap();
    assert_eq!(docs.stored(12).unwrap(), r#"{"_id":12,"owner":"ann"}"#);
    let engine = docs.engine.clone();
    let verified =
        tokio::task::block_in_place(|| engine.verify(&headwater_engine::view::Progress::default()));
    assert_eq!(verified.unwrap().events, docs.engine.position());
    docs.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_in_the_middle_takes_everything_back() {
    let docs = Docs::new().await;
    let before = docs.engine.position();
    let audit =
        Operation::Create { collection: "audit".into(), id: id_of(1), body: body(1, "\"a\":1") };
    let middle = [
        (change(HIDDEN, r#"{"n":8}"#, None, Absent::Refuse), "document_not_found"),
        (delete(SHARED, None, None), "not_hers"),
        (replace(HERS, "\"n\":1", None, Absent::Refuse), "must_be_hers"),
    ];
    for (refused, code) in middle {
        let operations = vec![
            audit.clone(),
            change(HERS, r#"{"n":8}"#, None, Absent::Refuse),
            refused,
            create(20, MINE),
        ];
        let error = docs.engine.write(docs.by_ann(operations)).await.unwrap_err();
        assert_eq!(error.code(), code);
        assert_eq!(error.detail("operation"), Some(&2.into()));
        assert_eq!(docs.engine.position(), before);
    }
    // Later operations see earlier ones, through the guard.
    let operations = vec![
        audit,
        create(20, r#""owner":"ann","n":1,"secret":"x""#),
        change(20, r#"{"n":2}"#, Some(1), Absent::Refuse),
        delete(20, Some(2), None),
        change(20, r#"{"n":3}"#, None, Absent::Skip),
    ];
    let committed = docs.engine.write(docs.by_ann(operations)).await.unwrap();
    let effects: Vec<_> = committed.outcomes.iter().map(|outcome| outcome.effect).collect();
    let (created, updated) = (Effect::Created, Effect::Updated);
    assert_eq!(effects, [created, created, updated, Effect::Deleted, Effect::Skipped]);
    docs.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_state_decides() {
    let docs = Docs::new().await;
    // She saw it, and somebody else takes it from her while her change waits.
    let seen = docs.stored(HERS).unwrap();
    assert!(seen.contains("ann"));
    let taken = replace(HERS, r#""owner":"bob","n":1"#, None, Absent::Refuse);
    let change = change(HERS, r#"{"n":8}"#, Some(1), Absent::Refuse);
    let (taken, changed) = tokio::join!(biased; docs.anybody(taken), docs.ann(change));
    taken.unwrap();
    assert_eq!(changed.unwrap_err().code(), "document_not_found");
    // And the other way round.
    let given = replace(HIDDEN, r#""owner":"ann","n":1"#, None, Absent::Refuse);
    let delete = delete(HIDDEN, Some(2), None);
    let (given, deleted) = tokio::join!(biased; docs.anybody(given), docs.ann(delete));
    given.unwrap();
    assert_eq!(deleted.unwrap().outcomes[0].effect, Effect::Deleted);
    docs.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_is_not_asked_about_again() {
    let docs = Docs::new().await;
    let command = docs.by_ann(vec![change(HERS, r#"{"n":8}"#, None, Absent::Refuse)]);
    let command = docs.bench.keyed(command, "key", 1);
    docs.engine.write(command.clone()).await.unwrap();
    docs.anybody(replace(HERS, r#""owner":"bob""#, None, Absent::Refuse)).await.unwrap();
    assert!(docs.engine.write(command).await.unwrap().repeated);
    docs.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_unique_indexes_show_no_values() {
    let docs = Docs::new().await;
    let members = json(r#"{"keys":{"secret":1},"unique":true}"#);
    let read =
        headwater_engine::index::Definition::read(Raw::trusted(&members), docs.engine.limits());
    let definition = read.unwrap().members.to_bytes().into();
    let define =
        Operation::DefineIndex { collection: "docs".into(), name: "secrets".into(), definition };
    docs.anybody(define).await.unwrap();
    // The guard puts her secret back; another document got the same one meanwhile.
    docs.anybody(create(30, r#""owner":"bob","secret":"s9""#)).await.unwrap();
    let clash = || {
        let body = body(HERS, r#""owner":"ann","n":8"#);
        let (collection, id) = ("docs".into(), id_of(HERS));
        Operation::Replace { collection, id, body, if_version: None, absent: Absent::Refuse }
    };
    let guarded = Command {
        guard: Some(Arc::new(Settles(body(HERS, r#""owner":"ann","secret":"s9""#)))),
        ..docs.bench.command(vec![clash()])
    };
    let error = docs.engine.write(guarded).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "unique_violation"));
    let details: Vec<_> = error.details().iter().map(|(name, _)| *name).collect();
    assert_eq!(details, ["index", "collection"]);
    assert!(!format!("{error:?}").contains("s9"), "{error:?}");
    let open = replace(HERS, r#""secret":"s9""#, None, Absent::Refuse);
    let error = docs.anybody(open).await.unwrap_err();
    assert!(error.message().contains("s9") && error.detail("value").is_some(), "{error:?}");
    docs.stop().await;
}

/// Stores one body, whatever is wanted.
struct Settles(Bytes);

impl Guard for Settles {
    fn view(&self, _: &str, _: Touch, _: Subject<'_>) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn settle(&self, _: &str, _: Option<Raw<'_>>, _: Bytes) -> Result<Bytes> {
        Ok(self.0.clone())
    }

    fn check(&self, _: &str, _: Option<Raw<'_>>, _: Raw<'_>, _: Raw<'_>) -> Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_without_a_view_shows_the_whole_document() {
    struct Sees;
    impl Change for Sees {
        fn apply(&self, current: Raw<'_>) -> Result<Option<Vec<u8>>> {
            assert_eq!(current.get("secret").and_then(Raw::as_str), Some("s1"));
            let mut changed = members(current);
            changed.insert("n", Value::Int32(9));
            Ok(Some(changed.to_bytes()))
        }
    }
    let docs = Docs::new().await;
    let stored = body(HERS, r#""owner":"eve""#);
    let operation = Operation::Change {
        collection: "docs".into(),
        id: id_of(HERS),
        change: Arc::new(Sees),
        if_version: None,
        absent: Absent::Refuse,
    };
    let guard: Arc<dyn Guard> = Arc::new(Settles(stored));
    let command = Command { guard: Some(guard), ..docs.bench.command(vec![operation]) };
    docs.engine.write(command).await.unwrap();
    assert_eq!(docs.stored(HERS).unwrap(), r#"{"_id":1,"owner":"eve"}"#);
    docs.stop().await;
}
