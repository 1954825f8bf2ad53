//! The authorized session: the engine's operations with the grant already inside. The only door from handlers to data.
//!
//! Guarantees: every operation checks the grant, the collection's name and who owns it before it reaches the engine.
//! Leaves to others: wire formats (faces), what a write means (the engine).

mod aggregate;
mod asked;
mod at;
mod by_filter;
mod collections;
mod credentials;
mod cursor;
mod delete_by_filter;
mod indexes;
mod list;
mod named;
mod names;
mod output;
mod patch;
mod read;
mod run;
mod sight;
mod target;
mod update_by_filter;
mod user_keys;
mod webhooks;
mod write;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use headwater_engine::write::{Command, Committed, Operation, RequestIdentity};
use headwater_engine::{Engine, Error, Result};
use http::request::Parts;

use crate::auth::{Action, Grant, Principal};
use crate::error::ApiError;
use crate::extract::Parameters;
use crate::state::App;

pub(crate) use aggregate::Aggregated;
pub(crate) use asked::{Asked, ids_read};
pub(crate) use at::At;
pub(crate) use collections::to_json;
pub(crate) use credentials::{Changes, Issued, Sort, create_root_key};
pub(crate) use cursor::Cursor;
pub(crate) use list::{ListQuery, Listing};
pub(crate) use named::Family;
pub(crate) use names::is_user_collection;
pub(crate) use patch::Patch;
pub(crate) use sight::Sight;
pub(crate) use target::from_raw as id_from_raw;
pub(crate) use update_by_filter::UpdateRequest;
pub(crate) use webhooks::describe as describe_webhook;
pub(crate) use write::{RequestKey, Upsert, prepare_all};

/// How long before its end a remembered request is not relied on, milliseconds.
const FORGOTTEN_SOON_MS: u64 = 60_000;

/// A caller with its grant, over the engine.
#[derive(Clone)]
pub(crate) struct Session {
    engine: Engine,
    principal: Arc<Principal>,
    grant: Arc<Grant>,
}

impl Session {
    /// Whether everything is allowed.
    pub(crate) fn full_access(&self) -> Result<(), ApiError> {
        if self.grant.is_full() {
            return Ok(());
        }
        Err(ApiError::forbidden("this needs a credential with full access"))
    }

    /// Checks that an action on a collection is allowed.
    pub(crate) fn check(&self, collection: &str, action: Action) -> Result<(), ApiError> {
        names::check(collection)?;
        if names::is_system(collection) {
            return self.check_system(collection, action);
        }
        if self.grant.allows(collection, action) {
            return Ok(());
        }
        let action = action.as_str();
        let message = format!("the credential does not allow `{action}` on `{collection}`");
        Err(ApiError::forbidden(message).with("action", action).with("collection", collection))
    }

    fn check_system(&self, collection: &str, action: Action) -> Result<(), ApiError> {
        let reading = matches!(action, Action::Read | Action::Subscribe);
        if reading && self.grant.is_full() {
            return Ok(());
        }
        let message = format!("`{collection}` belongs to the system");
        let status = http::StatusCode::FORBIDDEN;
        Err(ApiError::new(status, "system_collection", message).with("collection", collection))
    }

    /// Checks an action that belongs to no collection: custom events.
    pub(crate) fn check_outside(&self, action: Action) -> Result<(), ApiError> {
        if self.grant.allows_outside(action) {
            return Ok(());
        }
        let action = action.as_str();
        let message = format!("the credential does not allow `{action}` outside collections");
        Err(ApiError::forbidden(message).with("action", action))
    }

    /// Checks that an action is allowed somewhere.
    pub(crate) fn check_somewhere(&self, action: Action) -> Result<(), ApiError> {
        if self.grant.allows_somewhere(action) {
            return Ok(());
        }
        let action = action.as_str();
        let message = format!("the credential does not allow `{action}` anywhere");
        Err(ApiError::forbidden(message).with("action", action))
    }

    /// Under `collections.strict`, refuses a collection that is not there.
    pub(crate) fn check_there(&self, collection: &str) -> Result<(), ApiError> {
        use headwater_engine::write::Strictness;
        if self.engine.settings().strictness != Strictness::Strict
            || self.engine.snapshot().collection(collection).is_some()
        {
            return Ok(());
        }
        let message = format!("there is no collection `{collection}`");
        Err(ApiError::not_found("collection_not_found", message))
    }

    /// The engine; for what needs no grant of its own.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Who the caller is.
    pub(crate) fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// Commits operations that were checked.
    async fn commit(
        &self,
        operations: Vec<Operation>,
        key: Option<RequestKey>,
    ) -> Result<Committed> {
        let request =
            key.map(|(key, digest)| RequestIdentity { key: self.request_key(&key), digest });
        let actor = Arc::clone(&self.principal.id);
        self.engine.write(Command { operations, actor, request, guard: None }).await
    }

    /// The answer to a request that was carried out before, without preparing it again: what it finds now does not matter.
    async fn answered_before(&self, key: Option<&RequestKey>) -> Result<Option<Committed>> {
        let Some(key) = key else { return Ok(None) };
        let known = self.engine.snapshot().request(&self.request_key(&key.0))?;
        let kept_ms = self.engine.limits().idempotency_seconds.saturating_mul(1000);
        // One that is about to be forgotten is left to the writer, which knows what time it is.
        let soon_ms = self.engine.clock().now_ms().saturating_add(FORGOTTEN_SOON_MS);
        match known {
            Some((_, time_ms)) if time_ms.saturating_add(kept_ms) > soon_ms => {
                self.commit(Vec::new(), Some(key.clone())).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    fn request_key(&self, key: &str) -> String {
        format!("{}\n{key}", self.principal.id)
    }
}

impl FromRequestParts<App> for Session {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let principal = app.access.authenticate(parts).await?;
        let grant = Arc::clone(&principal.grant);
        let session = Self { engine: app.engine.clone(), principal, grant };
        if let Some(position) = awaited_position(parts)? {
            session.engine.wait_for(position).await?;
        }
        Ok(session)
    }
}

/// The position that the views must have reached before the request is answered.
fn awaited_position(parts: &Parts) -> Result<Option<u64>, ApiError> {
    let malformed =
        || ApiError::bad_request("invalid_position", "Headwater-After must be a position");
    if let Some(value) = parts.headers.get("headwater-after") {
        let text = value.to_str().map_err(|_| malformed())?;
        return text.trim().parse().map(Some).map_err(|_| malformed());
    }
    match parts.uri.query() {
        Some(query) if query.contains("after_position=") => {
            Parameters::parse(Some(query)).number("after_position")
        }
        _ => Ok(None),
    }
}

/// Runs blocking work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    engine: &Engine,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = engine.tasks().blocking(work).await;
    done.ok_or_else(|| Error::internal("blocking work panicked"))?
}
