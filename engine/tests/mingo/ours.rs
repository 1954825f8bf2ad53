//! The same operations as the engine runs them, over a list of documents.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use headwater_engine::Result;
use headwater_engine::limits::Limits;
use headwater_engine::query::aggregate::{Collections, Documents, Pipeline};
use headwater_engine::query::{Budget, Context, Filter, Projection, Sort, Trust, Update};
use headwater_engine::value::ejson::{self, Mode};
use headwater_engine::value::{Raw, Value as Owned};
use serde_json::{Map, Value, json};

/// The result, in the form in which the Node program gives it.
pub fn run(operation: &Value) -> Result<Value> {
    let limits = Limits::default();
    let context = Context { limits: &limits, now_ms: 1_700_000_000_000, trust: Trust::Ordinary };
    let docs: Vec<_> = operation["docs"].as_array().unwrap().iter().map(data).collect();
    match operation["kind"].as_str().unwrap() {
        "find" => find(operation, &docs, &context),
        "sort" => sort(operation, &docs, &context),
        "project" => project(operation, &docs, &context),
        "update" => update(operation, &docs, &context),
        _ => aggregate(operation, &docs, &context),
    }
}

fn data(value: &Value) -> Vec<u8> {
    ejson::parse_value(value.to_string().as_bytes(), &Limits::default(), Mode::Data).unwrap()
}

fn query(value: &Value) -> Vec<u8> {
    ejson::parse_value(value.to_string().as_bytes(), &Limits::default(), Mode::Filter).unwrap()
}

fn find(operation: &Value, docs: &[Vec<u8>], context: &Context<'_>) -> Result<Value> {
    let filter = query(&operation["filter"]);
    let filter = Filter::parse(Raw::trusted(&filter), context)?;
    let matches = docs.iter().map(|doc| filter.matches(Raw::trusted(doc)));
    Ok(json!(matches.collect::<Result<Vec<_>>>()?))
}

fn sort(operation: &Value, docs: &[Vec<u8>], context: &Context<'_>) -> Result<Value> {
    let sort = query(&operation["sort"]);
    let sort = Sort::parse(Raw::trusted(&sort), context)?;
    let mut keyed = Vec::new();
    for doc in docs {
        keyed.push((sort.key(Raw::trusted(doc))?, plain(Raw::trusted(doc))["_id"].clone()));
    }
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    let number = |name: &str| operation[name].as_u64().unwrap() as usize;
    let most = if number("limit") == 0 { usize::MAX } else { number("limit") };
    Ok(keyed.into_iter().skip(number("skip")).take(most).map(|(_, id)| id).collect())
}

fn project(operation: &Value, docs: &[Vec<u8>], context: &Context<'_>) -> Result<Value> {
    let (filter, projection) = (query(&operation["filter"]), query(&operation["projection"]));
    let filter = Filter::parse(Raw::trusted(&filter), context)?;
    let projection = Projection::parse(Raw::trusted(&projection), context)?;
    let mut shown = Vec::new();
    for doc in docs {
        if filter.matches(Raw::trusted(doc))? {
            let mut out = Vec::new();
            projection.apply(Raw::trusted(doc), Some(&filter), &mut out)?;
            shown.push(plain(Raw::trusted(&out)));
        }
    }
    Ok(Value::Array(shown))
}

fn update(operation: &Value, docs: &[Vec<u8>], context: &Context<'_>) -> Result<Value> {
    let (filter, update) = (query(&operation["filter"]), query(&operation["update"]));
    let filters = operation.get("arrayFilters").map(query);
    let filter = Filter::parse(Raw::trusted(&filter), context)?;
    let filters = filters.as_deref().map(Raw::trusted);
    let update = Update::parse(Raw::trusted(&update), filters, context)?;
    let mut after = Vec::new();
    for doc in docs {
        let raw = Raw::trusted(doc);
        let new =
            if filter.matches(raw)? { update.apply(raw, Some(&filter))? } else { doc.clone() };
        after.push(plain(Raw::trusted(&new)));
    }
    Ok(Value::Array(after))
}

fn aggregate(operation: &Value, docs: &[Vec<u8>], context: &Context<'_>) -> Result<Value> {
    let pipeline = query(&operation["pipeline"]);
    let pipeline = Pipeline::parse(Raw::trusted(&pipeline), context)?;
    let documents = |list: &Value| -> Vec<Bytes> {
        list.as_array().unwrap().iter().map(|doc| data(doc).into()).collect()
    };
    let others = operation["others"].as_object().unwrap();
    let others = others.iter().map(|(name, list)| (name.clone(), documents(list))).collect();
    let collections: Arc<dyn Collections> = Arc::new(Others(others));
    let input: Vec<_> = docs.iter().map(|doc| Ok(Bytes::from(doc.clone()))).collect();
    let budget = Budget::unlimited();
    let results = pipeline.run(Box::new(input.into_iter()), &collections, &budget)?;
    results.map(|doc| Ok(plain(Raw::trusted(&doc?)))).collect()
}

struct Others(BTreeMap<String, Vec<Bytes>>);

impl Collections for Others {
    fn documents(&self, collection: &str, _filter: Option<Raw<'_>>) -> Result<Documents<'_>> {
        let documents = self.0.get(collection).cloned().unwrap_or_default();
        Ok(Box::new(documents.into_iter().map(Ok)))
    }

    fn spill(&self) -> Option<std::io::Result<std::fs::File>> {
        None
    }
}

/// A value without the types that JavaScript lacks.
fn plain(raw: Raw<'_>) -> Value {
    value(&raw.to_value())
}

fn value(owned: &Owned) -> Value {
    match owned {
        Owned::Null => Value::Null,
        Owned::Bool(value) => json!(value),
        Owned::Int32(value) => json!(f64::from(*value)),
        Owned::Int64(value) => json!(*value as f64),
        Owned::Double(value) if value.is_finite() => json!(value),
        Owned::Double(value) if value.is_nan() => json!({"$number": "NaN"}),
        Owned::Double(value) if *value > 0.0 => json!({"$number": "Infinity"}),
        Owned::Double(_) => json!({"$number": "-Infinity"}),
        Owned::String(value) => json!(value),
        Owned::Array(list) => list.iter().map(value).collect(),
        Owned::Object(object) => {
            let members = object.iter().map(|(name, member)| (name.to_string(), value(member)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        other => {
            let mut text = Vec::new();
            ejson::write(Raw::trusted(&other.to_bytes()), &mut text);
            serde_json::from_slice(&text).unwrap()
        }
    }
}
