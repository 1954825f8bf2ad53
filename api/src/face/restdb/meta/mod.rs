//! What collections there are and how their fields are typed: `/rest/_meta` and `/rest/{collection}/_meta`; the first takes
//! the same document to define them.
//!
//! Guarantees: only what the caller may read is told. What is told can be given to another server as it is.
//! Leaves to others: reading a document (`read`), what a definition does (the session).

mod read;
mod types;

use axum::extract::{Path, State};
use headwater_engine::fields::Fields;
use headwater_engine::value::{Object, Raw};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::PREFIX;
use super::body::Sent;
use super::relations::Base;
use crate::auth::{Acl, Action};
use crate::error::{ApiError, ApiResult};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{Readable, Session, blocking, to_json};
use crate::state::App;
use read::Definition;

pub(super) use types::type_name;

/// Which kinds of requests open it; what is in it follows from what may be read.
const READING: [Acl; 3] = [Acl::Get, Acl::Search, Acl::Settings];

/// The routes of metadata.
pub(super) fn routes() -> Routes {
    const ALL: &str = "/rest/_meta";
    Routes::new()
        .add("get", ALL, Needs::Any(&READING), all)
        .add("put", ALL, Needs::FullAccess, define)
        .add("post", ALL, Needs::FullAccess, define)
        .add("get", "/rest/{collection}/_meta", Needs::Collection(Action::Read, &READING), one)
}

async fn all(State(app): State<App>, session: Session, base: Base) -> ApiResult {
    let position = session.engine().position();
    Ok(reply::value(StatusCode::OK, position, &described(&app, &base, &session.readable(PREFIX))))
}

async fn one(session: Session, Path(collection): Path<String>, base: Base) -> ApiResult {
    let position = session.engine().position();
    let readable = session.readable_named(&collection)?;
    Ok(reply::value(StatusCode::OK, position, &collection_of(&base, &readable)))
}

fn described(app: &App, base: &Base, collections: &[Readable]) -> Value {
    let collections: Vec<Value> = collections.iter().map(|one| collection_of(base, one)).collect();
    json!({"name": app.options.database, "collections": collections})
}

fn collection_of(base: &Base, readable: &Readable) -> Value {
    let fields: Vec<Value> =
        readable.fields.iter().map(|(name, definition)| field_of(name, definition)).collect();
    let rest = format!("{}{PREFIX}/{}", base.as_str(), readable.name);
    json!({"name": *readable.name, "description": "", "rest": rest, "icon": "", "fields": fields})
}

fn field_of(name: &str, definition: &Value) -> Value {
    let mut field = Map::new();
    let mut put = |name: &str, value: Value| drop(field.insert(name.to_owned(), value));
    put("fieldname", Value::from(name));
    put("type", Value::from(type_name(definition["type"].as_str().unwrap_or_default())));
    put("required", Value::from(types::is_true(definition.get("required"))));
    put("unique", Value::from(types::is_true(definition.get("unique"))));
    put("description", Value::from(""));
    for (own, name) in read::CARRIED {
        if let Some(value) = definition.get(own).filter(|value| !value.is_null()) {
            put(name, value.clone());
        }
    }
    Value::Object(field)
}

/// Defines collections: all of them are checked before the first is changed.
async fn define(State(app): State<App>, session: Session, base: Base, sent: Sent) -> ApiResult {
    let sent = sent.object(session.engine()).await?.to_bytes();
    let mut definitions = Vec::new();
    for definition in read::definitions(&to_json(Raw::trusted(&sent)))? {
        let encoded = encode(&session, &definition)?;
        definitions.push((definition.collection, encoded));
    }
    let held: Vec<_> = definitions.clone();
    blocking(session.engine(), move || {
        held.iter().try_for_each(|(collection, definition)| {
            Fields::of(Raw::trusted(definition)).map(drop).map_err(|error| {
                let message = format!("collection `{collection}`: {}", error.message());
                headwater_engine::Error::invalid("invalid_fields", message)
            })
        })
    })
    .await?;
    let mut position = session.engine().position();
    for (done, (collection, definition)) in definitions.iter().enumerate() {
        let defined = session.define(collection, definition.clone(), None).await;
        let (committed, _) =
            defined.map_err(|error| unfinished(&error, collection, (done, definitions.len())))?;
        position = committed.position;
    }
    let defined = definitions.iter().map(|(collection, _)| session.readable_named(collection));
    let defined = defined.collect::<ApiResult<Vec<_>>>()?;
    Ok(reply::value(StatusCode::OK, position, &described(&app, &base, &defined)))
}

/// The definition of a collection with new fields; a schema that it has stays.
fn encode(session: &Session, definition: &Definition) -> ApiResult<Vec<u8>> {
    let text = Value::Object(definition.fields.clone()).to_string();
    let limits = session.engine().limits();
    let fields = headwater_engine::value::json::parse_value(text.as_bytes(), limits)?;
    let snapshot = session.engine().snapshot();
    let known = snapshot.collection(&definition.collection);
    let mut whole = Object::new();
    if let Some(schema) =
        known.as_ref().and_then(|known| Raw::trusted(&known.definition).get("schema"))
    {
        whole.insert("schema", schema.to_value());
    }
    whole.insert("fields", Raw::trusted(&fields).to_value());
    Ok(whole.to_bytes())
}

/// A refusal while collections are being defined: which one it is about, and how many came before.
fn unfinished(error: &ApiError, collection: &str, (done, all): (usize, usize)) -> ApiError {
    let message = format!(
        "collection `{collection}`: {} ({done} of {all} were defined before it)",
        error.message()
    );
    ApiError::new(error.status(), "not_all_defined", message)
}
