//! Indexes of a collection: listed, read, defined and built, dropped.
//!
//! Guarantees: an index is built while everything goes on; a definition is answered when it is built, or after
//! [`WAIT`]. One that cannot be built by then is gone again; one that fails later stays, and says why.

use std::sync::Arc;
use std::time::Duration;

use headwater_engine::index::{Built, Definition, Index, check_name};
use headwater_engine::value::Raw;
use headwater_engine::write::{Committed, Effect, Operation};
use headwater_engine::{Engine, Error, ErrorKind, Result};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::collections::to_json;
use super::{RequestKey, Session, cursor};
use crate::auth::Action;
use crate::error::ApiError;

/// How long a definition waits for its index.
const WAIT: Duration = Duration::from_secs(2);
/// Pause between two looks at an index that another request builds.
const LOOK: Duration = Duration::from_millis(20);

/// An index that was defined.
pub(crate) struct Defined {
    /// What was committed.
    pub(crate) committed: Committed,
    /// Whether it is new, or has another definition than before.
    pub(crate) is_new: bool,
    /// The index as callers see it.
    pub(crate) description: Value,
}

impl Session {
    /// A page of a collection's indexes in the order of their names: entries, the next cursor, the position that was seen.
    pub(crate) fn indexes(
        &self,
        collection: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Value>, Option<String>, u64), ApiError> {
        self.check(collection, Action::Read)?;
        let after = cursor.map(cursor::name_of).transpose()?;
        let snapshot = self.engine.snapshot();
        let number = self.number(&snapshot, collection)?;
        let indexes = number.map(|number| snapshot.indexes().of(number)).unwrap_or_default();
        let passed = |index: &Index| after.as_deref().is_some_and(|after| &*index.name <= after);
        let rest: Vec<_> = indexes
            .iter()
            .filter(|index| !passed(index) && self.sees_index(collection, index))
            .collect();
        let page = &rest[..rest.len().min(limit)];
        let next =
            page.last().filter(|_| rest.len() > limit).map(|last| cursor::of_name(&last.name));
        Ok((page.iter().map(|index| describe(index)).collect(), next, snapshot.position()))
    }

    /// An index, and the position that was seen.
    pub(crate) fn index(&self, collection: &str, name: &str) -> Result<(Value, u64), ApiError> {
        self.check(collection, Action::Read)?;
        let index = find(&self.engine, collection, name);
        let index = index.filter(|index| self.sees_index(collection, index));
        let index = index.ok_or_else(|| no_index(collection, name))?;
        Ok((describe(&index), self.engine.position()))
    }

    /// Defines an index by its encoded definition, and waits a while for it.
    pub(crate) async fn define_index(
        &self,
        collection: &str,
        name: &str,
        definition: &[u8],
        key: Option<RequestKey>,
    ) -> Result<Defined, ApiError> {
        self.check(collection, Action::Settings)?;
        check_name(name)?;
        let definition = Definition::read(Raw::trusted(definition), self.engine.limits())?;
        self.check_sight_of(collection, &definition)?;
        let (of, named): (Arc<str>, Arc<str>) = (Arc::from(collection), Arc::from(name));
        let mut operations = Vec::with_capacity(2);
        // Defining it once more is how one that failed is tried again.
        if find(&self.engine, collection, name).is_some_and(|index| index.state.failure().is_some())
        {
            let (collection, name) = (Arc::clone(&of), Arc::clone(&named));
            operations.push(Operation::DropIndex { collection, name });
        }
        operations.push(Operation::DefineIndex {
            collection: of,
            name: named,
            definition: definition.members.to_bytes().into(),
        });
        let committed = self.commit(operations, key).await?;
        let outcome = committed.outcomes.last();
        let outcome = outcome.ok_or_else(|| Error::internal("defining an index had no outcome"))?;
        let (number, is_new) = (outcome.position, outcome.effect == Effect::Created);
        if is_new && !committed.repeated {
            if let Some(reason) = self.build(collection, number).await? {
                return Err(self.take_back(collection, name, number, reason).await);
            }
        } else {
            self.await_index(collection, name).await;
        }
        let index = find(&self.engine, collection, name);
        let index = index.ok_or_else(|| {
            let message = format!(
                "the index `{name}` of `{collection}` is gone: it could not be built, or was dropped"
            );
            Error::new(ErrorKind::Conflict, "index_failed", message).with("index", name)
        })?;
        Ok(Defined { committed, is_new, description: describe(&index) })
    }

    /// Drops an index.
    pub(crate) async fn drop_index(
        &self,
        collection: &str,
        name: &str,
        key: Option<RequestKey>,
    ) -> Result<Committed, ApiError> {
        self.check(collection, Action::Settings)?;
        let operation =
            Operation::DropIndex { collection: Arc::from(collection), name: Arc::from(name) };
        Ok(self.commit(vec![operation], key).await?)
    }

    /// Refuses an index by which one who does not see everything could find out about the rest: over hidden fields, over
    /// documents that a condition chooses, or that fails where two documents are alike.
    fn check_sight_of(&self, collection: &str, definition: &Definition) -> Result<(), ApiError> {
        let Some(restriction) = self.restriction(collection, Action::Read) else { return Ok(()) };
        let members = definition.members.to_bytes();
        let members = Raw::trusted(&members);
        let keys = members.get("keys").into_iter().flat_map(Raw::object_iter);
        let fields = restriction.fields.as_ref();
        let shown = |path: &str| fields.is_none_or(|fields| fields.shows_all_of(path));
        if let Some((path, _)) = keys.into_iter().find(|(path, _)| !shown(path)) {
            let message = format!("an index over `{path}` needs the right to see it");
            return Err(ApiError::forbidden(message).with("field", path));
        }
        let is_partial = members.get("partial_filter").is_some_and(|filter| !filter.is_null());
        for (member, is_given) in [("partial_filter", is_partial), ("unique", definition.unique)] {
            if is_given {
                let message = format!("`{member}` needs the right to see every document whole");
                return Err(ApiError::forbidden(message).with("member", member));
            }
        }
        Ok(())
    }

    /// Whether an index names no field that is hidden from the caller.
    pub(super) fn sees_index(&self, collection: &str, index: &Index) -> bool {
        let restriction = self.restriction(collection, Action::Read);
        let Some(fields) = restriction.and_then(|restriction| restriction.fields.clone()) else {
            return true;
        };
        let members = index.definition.members.to_bytes();
        let members = Raw::trusted(&members);
        let keys = members.get("keys").into_iter().flat_map(Raw::object_iter);
        let is_partial = members.get("partial_filter").is_some_and(|filter| !filter.is_null());
        !is_partial && keys.into_iter().all(|(path, _)| fields.shows_all_of(path))
    }

    /// Starts to build an index; why it failed, if it did so within [`WAIT`].
    pub(super) async fn build(&self, collection: &str, number: u64) -> Result<Option<String>> {
        let (engine, tasks) = (self.engine.clone(), self.engine.tasks().clone());
        let (collection, of) = (collection.to_owned(), collection.to_owned());
        let (done, built) = oneshot::channel();
        self.engine.tasks().spawn("index", async move {
            let work = tasks.blocking(move || engine.build_index(&collection, number)).await;
            let result = work.unwrap_or_else(|| Err(Error::internal("building panicked")));
            match &result {
                Ok(built) => tracing::info!(collection = of, number, ?built, "index built"),
                Err(error) => tracing::error!(collection = of, number, %error, "index not built"),
            }
            // Whoever defined it may have been answered already.
            drop(done.send(result));
        });
        match tokio::time::timeout(WAIT, built).await {
            Ok(Ok(Ok(Built::Failed(reason)))) => Ok(Some(reason)),
            Ok(Ok(Err(error))) => Err(error),
            _ => Ok(None),
        }
    }

    /// Waits for an index that another request builds.
    async fn await_index(&self, collection: &str, name: &str) {
        let clock = self.engine.clock();
        let end = clock.monotonic() + WAIT;
        while clock.monotonic() < end {
            let index = find(&self.engine, collection, name);
            if index.is_none_or(|index| index.state.is_ready() || index.state.failure().is_some()) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Drops an index that cannot be built; the refusal that says why.
    pub(super) async fn take_back(
        &self,
        collection: &str,
        name: &str,
        number: u64,
        reason: String,
    ) -> ApiError {
        let index = find(&self.engine, collection, name).filter(|index| index.number == number);
        let is_unique = index.as_ref().is_some_and(|index| index.definition.unique);
        if index.is_some() {
            let operation =
                Operation::DropIndex { collection: Arc::from(collection), name: Arc::from(name) };
            let dropped = self.commit(vec![operation], None).await;
            // Somebody else may have dropped it.
            if let Err(error) = dropped.as_ref()
                && error.kind() != ErrorKind::NotFound
            {
                tracing::warn!(collection, index = name, %error, "a failed index stays");
            }
        }
        let code = if is_unique { "unique_violation" } else { "index_failed" };
        let message = format!("the index `{name}` of `{collection}` cannot be built: {reason}");
        let error = Error::new(ErrorKind::Conflict, code, message);
        let error = error.with("index", name).with("value", reason);
        match index.as_ref().and_then(|index| index.field.as_deref()) {
            Some(field) => error.with("field", field).into(),
            None => error.into(),
        }
    }
}

pub(super) fn find(engine: &Engine, collection: &str, name: &str) -> Option<Arc<Index>> {
    let snapshot = engine.snapshot();
    let number = snapshot.collections().number(collection)?;
    snapshot.indexes().get(number, name).map(Arc::clone)
}

fn no_index(collection: &str, name: &str) -> Error {
    let shown: String = name.chars().take(120).collect();
    Error::not_found("index_not_found", format!("`{collection}` has no index `{shown}`"))
}

/// An index as callers see it.
pub(super) fn describe(index: &Index) -> Value {
    let mut description = json!({"name": *index.name});
    if let Some(field) = &index.field {
        description["field"] = json!(**field);
    }
    let members = index.definition.members.to_bytes();
    for (name, value) in Raw::trusted(&members).object_iter() {
        description[name] = to_json(value);
    }
    let failure = index.state.failure();
    let state = match (&failure, index.state.is_ready()) {
        (Some(_), _) => "failed",
        (None, true) => "ready",
        (None, false) => "building",
    };
    description["state"] = json!(state);
    description["progress"] = json!(index.state.progress());
    if let Some(reason) = failure {
        description["error"] = json!(reason);
    }
    description
}
