//! Updates where the cases of the query language do not look: bytes, order, limits, refusals.

mod bounds;
mod combinations;
mod documents;
mod paths;

use super::Update;
use crate::error::Result;
use crate::limits::Limits;
use crate::query::{Context, Filter, Trust};
use crate::value::ejson::{self, Mode};
use crate::value::{Raw, json};

const NOW_MS: i64 = 1_700_000_000_123;

fn bytes(text: &str) -> Vec<u8> {
    ejson::parse_value(text.as_bytes(), &Limits::default(), Mode::Filter).unwrap()
}

fn text(encoded: &[u8]) -> String {
    let mut out = Vec::new();
    json::write(Raw::trusted(encoded), &mut out);
    String::from_utf8(out).unwrap()
}

fn context(limits: &Limits) -> Context<'_> {
    Context { limits, now_ms: NOW_MS, trust: Trust::Ordinary }
}

fn parse(update: &str) -> Result<Update> {
    parse_with(update, None, &Limits::default())
}

fn parse_with(update: &str, filters: Option<&str>, limits: &Limits) -> Result<Update> {
    let filters = filters.map(bytes);
    let filters = filters.as_deref().map(Raw::trusted);
    Update::parse(Raw::trusted(&bytes(update)), filters, &context(limits))
}

fn filter(text: &str) -> Filter {
    Filter::parse(Raw::trusted(&bytes(text)), &context(&Limits::default())).unwrap()
}

/// The document after an update, as text.
fn apply(document: &str, update: &str) -> Result<String> {
    let new = parse(update)?.apply(Raw::trusted(&bytes(document)), None)?;
    crate::value::check::validate(&new).unwrap();
    Ok(text(&new))
}

/// The code of the refusal of an update.
fn refusal(document: &str, update: &str) -> &'static str {
    apply(document, update).unwrap_err().code()
}
