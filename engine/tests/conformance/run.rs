//! Running a case as the engine runs the operation, over a list of documents.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::limits::Limits;
use headwater_engine::query::aggregate::{Collections, Documents, Pipeline};
use headwater_engine::query::{Budget, Context, Filter, Projection, Sort, Trust, Update};
use headwater_engine::value::compare::equal;
use headwater_engine::value::{Object, Raw, Value};
use headwater_engine::{Error, Result};

use super::case::Case;
use super::compare::lists_agree;

/// Runs the case; what is wrong otherwise.
pub fn run(case: &Case) -> Result<(), String> {
    let got = match case.kind.as_str() {
        "find" => find(case),
        "sort" => sort(case),
        "project" => project(case),
        "update" => return update(case),
        "aggregate" => aggregate(case),
        kind => return Err(format!("a case of unknown kind `{kind}`")),
    };
    match (got, case.is_error()) {
        (Err(_), true) => Ok(()),
        (Err(error), false) => Err(format!("refused: {error}")),
        (Ok(got), true) => Err(format!("not refused: {}", show(&got))),
        (Ok(got), false) => expect(case, &got),
    }
}

fn expect(case: &Case, got: &[Value]) -> Result<(), String> {
    if lists_agree(case, case.expect.as_array().unwrap_or_default(), got) {
        return Ok(());
    }
    Err(format!("got {}", show(got)))
}

fn show(values: &[Value]) -> String {
    format!("{:?}", Raw::trusted(&Value::Array(values.to_vec()).to_bytes()))
}

fn limits() -> Limits {
    Limits { query_clauses: 1000, ..Limits::default() }
}

fn filter(case: &Case, context: &Context<'_>) -> Result<Filter> {
    let empty = Value::Object(Object::new()).to_bytes();
    Filter::parse(Raw::trusted(&case.op("filter").unwrap_or(empty)), context)
}

/// The documents that the case's filter finds.
fn found<'c>(case: &'c Case, filter: &Filter) -> Result<Vec<&'c Vec<u8>>> {
    let mut found = Vec::new();
    for document in &case.docs {
        if filter.matches(Raw::trusted(document))? {
            found.push(document);
        }
    }
    Ok(found)
}

fn id(document: &[u8]) -> Value {
    Raw::trusted(document).get("_id").unwrap_or(Raw::NULL).to_value()
}

fn find(case: &Case) -> Result<Vec<Value>> {
    let limits = limits();
    let context = context(&limits);
    let filter = filter(case, &context)?;
    Ok(found(case, &filter)?.into_iter().map(|document| id(document)).collect())
}

fn context(limits: &Limits) -> Context<'_> {
    Context { limits, now_ms: 1_700_000_000_000, trust: Trust::Ordinary }
}

fn sort(case: &Case) -> Result<Vec<Value>> {
    let limits = limits();
    let context = context(&limits);
    let filter = filter(case, &context)?;
    let mut keyed = Vec::new();
    let sort =
        case.op("sort").map(|sort| Sort::parse(Raw::trusted(&sort), &context)).transpose()?;
    for document in found(case, &filter)? {
        let key = sort.as_ref().map(|sort| sort.key(Raw::trusted(document))).transpose()?;
        keyed.push((key, document));
    }
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    let number = |name: &str| -> Result<Option<usize>> {
        let Some(value) = case.op.get(name) else { return Ok(None) };
        let number = value.as_i64().and_then(|number| usize::try_from(number).ok());
        number.map(Some).ok_or_else(|| Error::invalid("invalid", format!("{name} is no count")))
    };
    let skip = number("skip")?.unwrap_or(0);
    let limit = number("limit")?.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    Ok(keyed.iter().skip(skip).take(limit).map(|(_, document)| id(document)).collect())
}

fn project(case: &Case) -> Result<Vec<Value>> {
    let limits = limits();
    let context = context(&limits);
    let filter = filter(case, &context)?;
    let projection =
        Projection::parse(Raw::trusted(&case.op("projection").unwrap_or_default()), &context)?;
    let mut shown = Vec::new();
    for document in found(case, &filter)? {
        let mut out = Vec::new();
        projection.apply(Raw::trusted(document), Some(&filter), &mut out)?;
        shown.push(Raw::trusted(&out).to_value());
    }
    Ok(shown)
}

/// The collection after the update, and how many matched and were modified.
fn updated(case: &Case) -> Result<(Vec<Value>, (i64, i64))> {
    let limits = limits();
    let context = context(&limits);
    let filter = filter(case, &context)?;
    let array_filters = case.op("arrayFilters");
    let update = case.op("update").unwrap_or_default();
    let update =
        Update::parse(Raw::trusted(&update), array_filters.as_deref().map(Raw::trusted), &context)?;
    let flag = |name: &str| case.op.get(name).and_then(Value::as_bool).unwrap_or(false);
    if flag("multi") && update.is_replacement() {
        return Err(Error::invalid("invalid", "a replacement of many"));
    }
    let (mut after, mut counts) = (case.docs.clone(), (0, 0));
    for document in &mut after {
        if !filter.matches(Raw::trusted(document))? {
            continue;
        }
        let new = update.apply(Raw::trusted(document), Some(&filter))?;
        counts.0 += 1;
        counts.1 += i64::from(new != *document);
        *document = new;
        if !flag("multi") {
            break;
        }
    }
    if counts.0 == 0 && flag("upsert") {
        let new = update.upsert(&filter, [7; 12])?;
        let new_id = Raw::trusted(&new).get("_id").unwrap_or(Raw::NULL);
        let taken = after
            .iter()
            .any(|old| Raw::trusted(old).get("_id").is_some_and(|id| equal(id, new_id)));
        if taken {
            return Err(Error::invalid("duplicate_id", "taken"));
        }
        after.push(new);
    }
    Ok((after.iter().map(|document| Raw::trusted(document).to_value()).collect(), counts))
}

fn update(case: &Case) -> Result<(), String> {
    let (after, counts) = match (updated(case), case.is_error()) {
        (Err(_), true) => return Ok(()),
        (Err(error), false) => return Err(format!("refused: {error}")),
        (Ok((after, _)), true) => return Err(format!("not refused: {}", show(&after))),
        (Ok(done), false) => done,
    };
    if case.counts.is_some_and(|expected| expected != counts) {
        return Err(format!("matched and modified {counts:?}"));
    }
    let mut after = after;
    forget_generated_id(case, &mut after);
    expect(case, &after)
}

/// A generated `_id` cannot be expected; where the case names none, it is left out.
fn forget_generated_id(case: &Case, after: &mut [Value]) {
    let expected = case.expect.as_array().and_then(<[Value]>::last).and_then(Value::as_object);
    let wants_id = expected.is_none_or(|last| last.get("_id").is_some());
    if !wants_id && let Some(last) = after.last_mut().and_then(Value::as_object_mut) {
        last.remove("_id");
    }
}

fn aggregate(case: &Case) -> Result<Vec<Value>> {
    let limits = limits();
    let context = context(&limits);
    let pipeline =
        Pipeline::parse(Raw::trusted(&case.op("pipeline").unwrap_or_default()), &context)?;
    let others: BTreeMap<_, _> = case
        .collections
        .iter()
        .map(|(name, docs)| {
            (name.clone(), docs.iter().map(|doc| Bytes::from(doc.clone())).collect())
        })
        .collect();
    let collections: Arc<dyn Collections> = Arc::new(Others(others));
    let input: Vec<Bytes> = case.docs.iter().map(|doc| Bytes::from(doc.clone())).collect();
    let budget = Budget::unlimited();
    let results = pipeline.run(Box::new(input.into_iter().map(Ok)), &collections, &budget)?;
    results.map(|document| Ok(Raw::trusted(&document?).to_value())).collect()
}

struct Others(BTreeMap<String, Vec<Bytes>>);

impl Collections for Others {
    fn documents(&self, collection: &str, _filter: Option<Raw<'_>>) -> Result<Documents<'_>> {
        let documents = self.0.get(collection).cloned().unwrap_or_default();
        Ok(Box::new(documents.into_iter().map(Ok)))
    }

    fn spill(&self) -> Option<std::io::Result<std::fs::File>> {
        Some(tempfile::tempfile())
    }
}
