//! What a fuzzer asks of the query language and of keys, for any bytes at all.
//!
//! Guarantees: each body takes bytes as one encoded value, if they are one, else as Extended JSON, and panics where a
//! promise does not hold: what comes out is valid, the same again the second time, and ends. Says whether the bytes were
//! what the target takes.
//! Leaves to others: where the bytes come from (`main.rs` beside it; the crate `fuzz` for cargo-fuzz).

use std::cmp::Ordering;
use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::Result;
use headwater_engine::clock::SystemClock;
use headwater_engine::limits::Limits;
use headwater_engine::query::aggregate::{Collections, Documents, Pipeline};
use headwater_engine::query::{Budget, Context, Filter, Trust, Update};
use headwater_engine::value::ejson::{self, Mode};
use headwater_engine::value::key::{self, Direction};
use headwater_engine::value::{Raw, check, compare};

/// The targets, by name.
/// Runs one target on some bytes; whether they parsed.
pub type Body = fn(&[u8]) -> bool;

pub const TARGETS: [(&str, Body); 5] = [
    ("filter", filter),
    ("update", update),
    ("pipeline", pipeline),
    ("key", keys),
    ("schema", schema),
];

/// What evaluations run over.
const DOCUMENTS: [&str; 6] = [
    r#"{"_id":1,"a":1,"b":"x","c":{"x":1,"y":[1,2]},"t":[3,1,2],"r":[{"x":1},{"x":2,"y":"z"}],"v":5,"n":null}"#,
    r#"{"_id":2,"a":[1,[2,{"b":3}],{"b":[4,{"c":5}]}],"s":"","t":[],"loc":{"type":"Point","coordinates":[1,2]},"v":-0.0}"#,
    r#"{"_id":"s","a":{"$numberDecimal":"1e30"},"d":{"$date":"2024-02-29T12:00:00Z"},"v":{"$numberLong":"9007199254740993"}}"#,
    r#"{"_id":{"k":1},"a":{"0":{"0":1},"b":null},"s":"äöü\u0000x","v":"text","t":["a","b","a",null,true]}"#,
    r#"{"_id":{"$oid":"000000000000000000000001"},"v":{"$binary":{"base64":"AQID","subType":"00"}},"a":{"$minKey":1},"b":{"$maxKey":1}}"#,
    r#"{"_id":null,"v":{"$numberDouble":"NaN"},"a":[{"$regularExpression":{"pattern":"a","options":"i"}},{"$timestamp":{"t":1,"i":2}}]}"#,
];

fn limits() -> Limits {
    Limits {
        query_deadline_ms: 100,
        query_memory_bytes: 4 << 20,
        query_result_bytes: 1 << 20,
        document_bytes: 1 << 20,
        ..Limits::default()
    }
}

fn context(limits: &Limits) -> Context<'_> {
    Context { limits, now_ms: 1_700_000_000_000, trust: Trust::Admin }
}

fn documents() -> Vec<Vec<u8>> {
    let read = |text: &&str| ejson::parse_value(text.as_bytes(), &limits(), Mode::Data);
    DOCUMENTS.iter().map(read).collect::<Result<_>>().expect("the documents are well formed")
}

/// The value that bytes are, in one way or the other.
fn read(bytes: &[u8], mode: Mode) -> Option<Vec<u8>> {
    if check::validate(bytes).is_ok() {
        return Some(bytes.to_vec());
    }
    let text = String::from_utf8_lossy(bytes);
    let read = ejson::parse_value(text.as_bytes(), &limits(), mode).ok()?;
    assert_valid(&read);
    Some(read)
}

fn assert_valid(bytes: &[u8]) {
    if let Err(error) = check::validate(bytes) {
        panic!("made an invalid value: {error}: {bytes:02x?}");
    }
}

/// Answers of the same question, which may fail only by the clock.
fn assert_same<T: PartialEq + std::fmt::Debug>(first: &Result<T>, second: &Result<T>) {
    if let (Ok(first), Ok(second)) = (first, second) {
        assert_eq!(first, second, "the same question has two answers");
    }
}

/// A filter: evaluates, says the same twice, the opposite under `$nor`, and finds positions only where it matches.
pub fn filter(bytes: &[u8]) -> bool {
    let Some(query) = read(bytes, Mode::Filter) else { return false };
    let limits = limits();
    let Ok(filter) = Filter::parse(Raw::trusted(&query), &context(&limits)) else { return false };
    let opposite = [&[0x81, 0xa4][..], b"$nor", &[0x91], &query].concat();
    let opposite = Filter::parse(Raw::trusted(&opposite), &context(&limits));
    for document in documents() {
        let document = Raw::trusted(&document);
        let first = filter.matches(document);
        assert_same(&first, &filter.matches(document));
        if let (Ok(matches), Ok(opposite)) = (&first, &opposite)
            && let Ok(other) = opposite.matches(document)
        {
            assert_ne!(*matches, other, "a filter and its opposite agree");
        }
        if let (Ok(matches), Ok(position)) = (&first, filter.find_position(document)) {
            assert_eq!(*matches, position.is_some(), "a position without a match");
        }
    }
    true
}

/// A schema, as the operand of `$jsonSchema`.
pub fn schema(bytes: &[u8]) -> bool {
    let Some(schema) = read(bytes, Mode::Filter) else { return false };
    filter(&[&[0x81, 0xab][..], b"$jsonSchema", &schema].concat())
}

/// An update, alone or as `{update, filter, arrayFilters}`: gives a valid document with the same `_id`, or an error.
pub fn update(bytes: &[u8]) -> bool {
    let Some(whole) = read(bytes, Mode::Filter) else { return false };
    let whole = Raw::trusted(&whole);
    let limits = limits();
    let context = context(&limits);
    let update = whole.get("update").unwrap_or(whole);
    let Ok(update) = Update::parse(update, whole.get("arrayFilters"), &context) else {
        return false;
    };
    let empty = Raw::trusted(&[0x80]);
    let filter = Filter::parse(whole.get("filter").unwrap_or(empty), &context).ok();
    for document in documents() {
        let raw = Raw::trusted(&document);
        let matched = filter.as_ref().filter(|filter| filter.matches(raw).unwrap_or(false));
        let first = update.apply(raw, matched);
        assert_same(&first, &update.apply(raw, matched));
        let Ok(new) = first else { continue };
        assert_valid(&new);
        assert!(new.len() as u64 <= limits.document_bytes, "an update made too large a document");
        let id = Raw::trusted(&new).object_iter().next();
        assert!(id.is_some_and(|(name, id)| {
            name == "_id" && compare::equal(id, raw.get("_id").unwrap_or(Raw::NULL))
        }));
    }
    if let Some(filter) = &filter
        && let Ok(new) = update.upsert(filter, [7; 12])
    {
        assert_valid(&new);
    }
    true
}

/// A pipeline: gives valid documents, the same twice.
pub fn pipeline(bytes: &[u8]) -> bool {
    let Some(stages) = read(bytes, Mode::Filter) else { return false };
    let limits = limits();
    let Ok(pipeline) = Pipeline::parse(Raw::trusted(&stages), &context(&limits)) else {
        return false;
    };
    let collections: Arc<dyn Collections> = Arc::new(Others(documents()));
    let run = || -> Result<Vec<Bytes>> {
        let budget = Budget::new(&SystemClock::shared(), &limits);
        let input = documents().into_iter().map(|document| Ok(Bytes::from(document)));
        let mut results = Vec::new();
        for document in pipeline.run(Box::new(input), &collections, &budget)? {
            let document = document?;
            budget.take_result(document.len())?;
            assert_valid(&document);
            results.push(document);
        }
        Ok(results)
    };
    let first = run();
    let chance = ["$rand", "$sample"];
    let text = String::from_utf8_lossy(&stages);
    if first.is_ok() && !chance.iter().any(|name| text.contains(name)) {
        assert_same(&first, &run());
    }
    true
}

struct Others(Vec<Vec<u8>>);

impl Collections for Others {
    fn documents(&self, _collection: &str, _filter: Option<Raw<'_>>) -> Result<Documents<'_>> {
        Ok(Box::new(self.0.iter().map(|document| Ok(Bytes::copy_from_slice(document)))))
    }

    fn spill(&self) -> Option<std::io::Result<std::fs::File>> {
        Some(tempfile::tempfile())
    }
}

/// Values, as the elements of an array: the order of their keys is theirs, in both directions, and their text reads back.
pub fn keys(bytes: &[u8]) -> bool {
    let Some(whole) = read(bytes, Mode::Data) else { return false };
    let whole = Raw::trusted(&whole);
    let mut values: Vec<_> = whole.array_iter().take(12).collect();
    let nested: Vec<_> = values.iter().flat_map(|value| value.array_iter()).take(12).collect();
    values.extend(nested);
    values.push(whole);
    for value in &values {
        let mut text = Vec::new();
        ejson::write(*value, &mut text);
        if let Ok(again) = ejson::parse_value(&text, &limits(), Mode::Data) {
            assert_valid(&again);
            assert!(compare::equal(*value, Raw::trusted(&again)), "a text reads as another value");
        }
    }
    let keys: Vec<_> = values.iter().map(|value| key::encode(*value)).collect();
    let descending = |value: Raw<'_>| {
        let mut key = Vec::new();
        key::write_directed(value, Direction::Descending, &mut key);
        key
    };
    for (a, key_a) in values.iter().zip(&keys) {
        for (b, key_b) in values.iter().zip(&keys) {
            let order = compare::compare(*a, *b);
            assert_eq!(key_a.cmp(key_b), order, "keys of {a:?} and {b:?}");
            assert_eq!(descending(*a).cmp(&descending(*b)), order.reverse());
            assert_eq!(order == Ordering::Equal, compare::equal(*a, *b));
            assert!(order == Ordering::Equal || !key_b.starts_with(key_a), "a key begins another");
        }
    }
    true
}
