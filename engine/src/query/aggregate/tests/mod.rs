//! Tests of the pipelines; the language's own cases are in `tests/conformance`.

mod refusals;
mod results;
mod spilling;
mod stages;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{Collections, Documents, Pipeline};
use crate::clock::ManualClock;
use crate::error::Result;
use crate::limits::Limits;
use crate::query::{Budget, Context, Filter, Trust};
use crate::value::ejson::{self, Mode};
use crate::value::{Raw, json};

/// Other collections, in memory.
#[derive(Default)]
struct Others {
    documents: BTreeMap<String, Vec<Bytes>>,
    spills: bool,
    /// Gives only what satisfies the hint, as an index would.
    indexed: bool,
    /// Time passes with every document that is read.
    clock: Option<Arc<ManualClock>>,
}

impl Others {
    fn with(name: &str, documents: &str) -> Self {
        let mut others = Self { spills: true, ..Self::default() };
        others.documents.insert(name.to_owned(), list(documents));
        others
    }

    fn spilling() -> Self {
        Self { spills: true, ..Self::default() }
    }
}

impl Collections for Others {
    fn documents(&self, collection: &str, filter: Option<Raw<'_>>) -> Result<Documents<'_>> {
        let mut documents = self.documents.get(collection).cloned().unwrap_or_default();
        if let Some(filter) = filter.filter(|_| self.indexed) {
            let limits = Limits::default();
            let context = Context { limits: &limits, now_ms: 0, trust: Trust::Ordinary };
            let filter = Filter::parse(filter, &context)?;
            documents.retain(|document| filter.matches(Raw::trusted(document)).unwrap_or(true));
        }
        Ok(Box::new(documents.into_iter().map(|document| {
            if let Some(clock) = &self.clock {
                clock.advance_ms(1);
            }
            Ok(document)
        })))
    }

    fn spill(&self) -> Option<std::io::Result<std::fs::File>> {
        self.spills.then(tempfile::tempfile)
    }
}

fn encode(text: &str) -> Vec<u8> {
    ejson::parse_value(text.as_bytes(), &Limits::default(), Mode::Filter).unwrap()
}

fn list(documents: &str) -> Vec<Bytes> {
    let array = encode(documents);
    Raw::trusted(&array)
        .array_iter()
        .map(|document| Bytes::copy_from_slice(document.as_bytes()))
        .collect()
}

fn show(document: &[u8]) -> String {
    let mut out = Vec::new();
    json::write(Raw::trusted(document), &mut out);
    String::from_utf8(out).unwrap()
}

fn parse_with(pipeline: &str, limits: &Limits, trust: Trust) -> Result<Pipeline> {
    let context = Context { limits, now_ms: 1_700_000_000_000, trust };
    Pipeline::parse(Raw::trusted(&encode(pipeline)), &context)
}

fn parse(pipeline: &str) -> Result<Pipeline> {
    parse_with(pipeline, &Limits::default(), Trust::Ordinary)
}

/// The documents that come out, as JSON.
fn run_in(
    pipeline: &str,
    input: Vec<Bytes>,
    others: Others,
    budget: &Budget,
) -> Result<Vec<String>> {
    let pipeline = parse(pipeline)?;
    let collections: Arc<dyn Collections> = Arc::new(others);
    let input = Box::new(input.into_iter().map(Ok));
    let documents = pipeline.run(input, &collections, budget)?;
    documents.map(|document| Ok(show(&document?))).collect()
}

fn run(pipeline: &str, input: &str) -> Result<Vec<String>> {
    run_in(pipeline, list(input), Others::spilling(), &Budget::unlimited())
}

fn run_with(pipeline: &str, input: &str, others: Others) -> Result<Vec<String>> {
    run_in(pipeline, list(input), others, &Budget::unlimited())
}

fn code(result: Result<Vec<String>>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}
