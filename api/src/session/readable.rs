//! What collections there are and how their fields are typed, as far as a caller may know it.
//!
//! Guarantees: a collection is told of where the caller may read it and its paths lead there; of its fields, those of which
//! something may be seen. Who says nothing of himself is told what the settings make public.
//! Leaves to others: how it is written (faces).

use std::sync::Arc;

use axum::extract::FromRequestParts;
use headwater_engine::fields::FIELDS;
use headwater_engine::value::Raw;
use headwater_engine::view::{Collection, Snapshot};
use headwater_engine::{Engine, Result};
use http::request::Parts;
use serde_json::{Map, Value};

use super::Session;
use super::collections::to_json;
use super::gate::{caller_of, counted};
use super::visitor::Visitor;
use crate::auth::{Access, Action, Kind};
use crate::collection_name::{self, is_system};
use crate::error::ApiError;
use crate::state::App;

/// A collection as its readers know it.
#[derive(Clone, Debug)]
pub(crate) struct Readable {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// The definitions of its typed fields by their names, in their order.
    pub(crate) fields: Map<String, Value>,
}

impl Readable {
    fn of(collection: &Collection) -> Self {
        let fields = Raw::trusted(&collection.definition).get(FIELDS).map(to_json);
        let fields = match fields {
            Some(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        Self { name: Arc::clone(&collection.name), fields }
    }
}

impl Session {
    /// The collections that the caller may read at a path of the face, `prefix` and the name.
    pub(crate) fn readable(&self, prefix: &str) -> Vec<Readable> {
        let snapshot = self.engine.snapshot();
        let reached = users_collections(&snapshot).filter(|one| self.reaches(prefix, &one.name));
        reached.map(|collection| self.seen(collection)).collect()
    }

    /// A collection of a request that was let in to it.
    pub(crate) fn readable_named(&self, name: &str) -> Result<Readable, ApiError> {
        self.check(name, Action::Read)?;
        let found = self.engine.snapshot().collection(name).filter(|_| !is_system(name));
        let missing = || collection_name::not_found(name);
        found.map(|collection| self.seen(&collection)).ok_or_else(missing)
    }

    fn reaches(&self, prefix: &str, name: &str) -> bool {
        let path = format!("{prefix}/{name}");
        self.grant.allows(name, Action::Read)
            && self.visitor.check_path(&self.principal, &self.grant, &path).is_ok()
    }

    fn seen(&self, collection: &Collection) -> Readable {
        let mut readable = Readable::of(collection);
        if let Some(shown) = self.grant.shown_fields(&collection.name) {
            readable.fields.retain(|field, _| shown.shows_some_of(field));
        }
        readable
    }
}

/// One who is told of collections without having to say who it is; its key, where it has one, need not lead here.
pub(crate) struct SchemaReader(Told);

enum Told {
    /// All there is.
    Everything(Engine),
    /// What may be read.
    Readable(Box<Session>),
    /// Nothing.
    Nothing,
}

impl SchemaReader {
    /// The collections that it may know of.
    pub(crate) fn collections(&self, prefix: &str) -> Vec<Readable> {
        match &self.0 {
            Told::Everything(engine) => {
                users_collections(&engine.snapshot()).map(|one| Readable::of(one)).collect()
            }
            Told::Readable(session) => session.readable(prefix),
            Told::Nothing => Vec::new(),
        }
    }

    /// Whether everybody is told the same.
    pub(crate) fn is_public(&self) -> bool {
        matches!(self.0, Told::Everything(_))
    }
}

impl FromRequestParts<App> for SchemaReader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        if app.options.public_schema {
            return Ok(Self(Told::Everything(app.engine.clone())));
        }
        if !Access::is_any_presented_in(parts) {
            return Ok(Self(Told::Nothing));
        }
        let caller = caller_of(parts);
        let found = app.access.authenticate(parts).await;
        let principal = counted(app, caller.address(), found)?;
        // A browser adds the cookie by itself, whichever page asks for the script.
        if principal.kind == Kind::Cookie {
            return Ok(Self(Told::Nothing));
        }
        caller.is(&principal);
        let visitor = Arc::new(Visitor::of(parts, caller.address()));
        let took = |taken| caller.took(taken);
        let session = Session::looking_on(app, principal, visitor, took)?;
        Ok(Self(Told::Readable(Box::new(session))))
    }
}

fn users_collections(snapshot: &Snapshot) -> impl Iterator<Item = &Arc<Collection>> {
    snapshot.collections().iter().filter(|collection| !is_system(&collection.name))
}
