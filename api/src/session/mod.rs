//! The authorized session: the engine's operations with the grant already inside. The only door from handlers to data.
//!
//! Guarantees: a session is made only for a request that its route's entry of the authorization table, the credential and
//! the grant's demands on requests let in. Every operation checks the grant, the collection's name and who owns it before it
//! reaches the engine, reads only what the grant shows, and has each document that it writes checked on the writer's thread.
//! Acts on system collections leave an entry in the audit trail, in the same batch.
//! Leaves to others: wire formats (faces), what a write means (the engine).

#[cfg(test)]
mod account_tests;
mod aggregate;
mod asked;
mod at;
mod audited;
mod by_filter;
mod collections;
mod credentials;
mod cursor;
mod delete_by_filter;
mod endings;
mod explain;
mod first;
mod gate;
mod guard;
mod guest;
mod indexes;
mod issued;
mod list;
mod named;
mod output;
mod patch;
mod picture;
mod read;
mod readable;
mod realtime;
mod related;
mod remove;
mod run;
mod secrets;
mod seen;
mod sessions;
mod sight;
mod stored;
mod target;
mod unique_fields;
mod update_by_filter;
mod user_keys;
mod users;
mod visitor;
mod webhooks;
mod write;

use std::sync::Arc;

use headwater_engine::restrict::{Metadata, Restriction};
use headwater_engine::write::{Checks, Command, Committed, Guard, Operation, RequestIdentity};
use headwater_engine::{Engine, Error, Result};

use crate::auth::{Acl, Action, Actors, Grant, Principal};
use crate::collection_name;
use crate::error::ApiError;
use guard::GrantGuard;
use visitor::Visitor;

pub(crate) use crate::collection_name::is_user_collection;
pub(crate) use aggregate::Aggregated;
pub(crate) use asked::{Asked, ids_read};
pub(crate) use at::At;
pub(crate) use collections::to_json;
pub(crate) use credentials::{Changes, Issued, Sort};
pub(crate) use cursor::Cursor;
pub(crate) use explain::explain_to;
pub(crate) use first::First;
pub(crate) use guest::Guest;
pub(crate) use issued::{Pair, go_on};
pub(crate) use list::{ListQuery, Listing};
pub(crate) use named::Family;
pub(crate) use patch::{Held, Patch, has};
pub(crate) use picture::Picture;
pub(crate) use read::Shown;
pub(crate) use readable::{Readable, SchemaReader};
pub(crate) use related::{ByKey, path_segment};
pub(crate) use remove::Removed;
pub(crate) use sessions::{Begun, Client, begin_anonymous, cookie_seconds, log_in, refresh};
pub(crate) use sight::{Hearing, Sight, visibility};
pub(crate) use target::from_raw as id_from_raw;
pub(crate) use update_by_filter::UpdateRequest;
pub(crate) use users::{Asker, UserChanges, begin_reset, confirm_reset, sign_up};
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
    visitor: Arc<Visitor>,
    /// Says who made and changed documents.
    actors: Arc<Actors>,
    /// What documents are shown with of what the engine knows, by the face.
    metadata: Option<Arc<Metadata>>,
}

impl Session {
    /// Whether everything is allowed.
    pub(crate) fn full_access(&self) -> Result<(), ApiError> {
        if self.grant.is_full() {
            return Ok(());
        }
        Err(ApiError::forbidden("this needs a credential with full access"))
    }

    /// Checks that requests of a kind are open.
    pub(crate) fn check_acl(&self, acl: Acl) -> Result<(), ApiError> {
        self.check_acls(&[acl])
    }

    /// Checks that requests of one of several kinds are open.
    fn check_acls(&self, acls: &[Acl]) -> Result<(), ApiError> {
        if acls.is_empty() || acls.iter().any(|acl| self.grant.opens(*acl)) {
            return Ok(());
        }
        let wanted: Vec<&str> = acls.iter().map(|acl| acl.as_str()).collect();
        let wanted = wanted.join("` or `");
        let message = format!("the credential's acls do not open `{wanted}`");
        Err(ApiError::forbidden(message).with("acl", acls[0].as_str()))
    }

    /// Checks that an action on a collection is allowed.
    pub(crate) fn check(&self, collection: &str, action: Action) -> Result<(), ApiError> {
        collection_name::check(collection)?;
        if collection_name::is_system(collection) {
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
        let reading = matches!(action, Action::Read | Action::Search | Action::Subscribe);
        if reading && self.grant.is_full() {
            return Ok(());
        }
        let message = format!("`{collection}` belongs to the system");
        let status = http::StatusCode::FORBIDDEN;
        Err(ApiError::new(status, "system_collection", message).with("collection", collection))
    }

    /// Where a grant says by paths alone which collections it means: checks that another one is among them.
    fn check_path_of(&self, collection: &str) -> Result<(), ApiError> {
        if !self.grant.is_by_path() {
            return Ok(());
        }
        let path = format!("/v1/collections/{collection}/aggregate");
        self.visitor.check_path(&self.principal, &self.grant, &path)
    }

    /// Checks an action on custom events of a channel, or of none.
    pub(crate) fn check_channel(
        &self,
        channel: Option<&str>,
        action: Action,
    ) -> Result<(), ApiError> {
        if self.grant.is_full() || self.grant.allows_channel(channel, action) {
            return Ok(());
        }
        let action = action.as_str();
        let place = channel.map_or_else(|| "no channel".to_owned(), |name| format!("`{name}`"));
        let message = format!("the credential does not allow `{action}` on events of {place}");
        Err(ApiError::forbidden(message).with("action", action))
    }

    /// Checks an action that belongs to every collection.
    pub(crate) fn check_outside(&self, action: Action) -> Result<(), ApiError> {
        if self.grant.allows_outside(action) {
            return Ok(());
        }
        let action = action.as_str();
        let message = format!("the credential does not allow `{action}` on all collections");
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
        Err(collection_name::not_found(collection))
    }

    /// What of a collection may be seen by an action that was checked; `None`: all of it.
    fn restriction(&self, collection: &str, action: Action) -> Option<Arc<Restriction>> {
        let of_grant = if self.grant.is_full() {
            secrets::secrets(collection)
        } else {
            self.grant.restriction(collection, action)
        };
        let Some(metadata) = &self.metadata else { return of_grant };
        let restriction = of_grant.map(|found| (*found).clone()).unwrap_or_default();
        Some(Arc::new(Restriction { metadata: Some(Arc::clone(metadata)), ..restriction }))
    }

    /// The same session, to whose queries documents have what the engine knows of them.
    pub(crate) fn with_metadata(&self, metadata: Arc<Metadata>) -> Self {
        Self { metadata: Some(metadata), ..self.clone() }
    }

    /// The engine; for what needs no grant of its own.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The client's address.
    pub(crate) fn address(&self) -> std::net::IpAddr {
        self.visitor.address
    }

    /// Who the caller is.
    pub(crate) fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// What the caller may do.
    pub(crate) fn grant(&self) -> &Grant {
        &self.grant
    }

    /// What the caller sees of events.
    pub(crate) fn sight(&self) -> Sight {
        let (principal, grant) = (Arc::clone(&self.principal), Arc::clone(&self.grant));
        Sight::new(principal, grant, Arc::clone(&self.visitor))
    }

    /// Commits operations that were checked; acts on system collections with their entries in the audit trail.
    async fn commit(
        &self,
        operations: Vec<Operation>,
        key: Option<RequestKey>,
    ) -> Result<Committed> {
        self.commit_with(operations, key, Checks::All).await
    }

    /// The same, with documents that are checked or not.
    async fn commit_with(
        &self,
        mut operations: Vec<Operation>,
        key: Option<RequestKey>,
        checks: Checks,
    ) -> Result<Committed> {
        let request =
            key.map(|(key, digest)| RequestIdentity { key: self.request_key(&key), digest });
        let actor = Arc::clone(&self.principal.id);
        let guard = self.guard(&operations);
        let asked = operations.len();
        operations.extend(self.audit_entries(&operations));
        let scrub = guard.is_some().then(|| guard::hidden_fields(&self.grant, &operations));
        let committed =
            self.engine.write(Command { operations, actor, request, guard, checks }).await;
        let mut committed = committed.map_err(|error| match scrub {
            Some(hidden) => guard::scrubbed(error, &hidden),
            None => error,
        })?;
        // Asked with no operations, it is what an earlier request did; those that are audited are never asked so.
        if asked > 0 {
            committed.outcomes.truncate(asked);
        }
        Ok(committed)
    }

    /// Who is asked about each document on the writer's thread, where that is needed.
    fn guard(&self, operations: &[Operation]) -> Option<Arc<dyn Guard>> {
        if self.grant.is_full() {
            return None;
        }
        let bytes_max = self.engine.limits().document_bytes;
        let mut collections = operations.iter().filter_map(Operation::collection);
        collections.any(|collection| self.grant.is_guarded(collection)).then(|| {
            Arc::new(GrantGuard::new(Arc::clone(&self.grant), bytes_max)) as Arc<dyn Guard>
        })
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

/// Runs blocking work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    engine: &Engine,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = engine.tasks().blocking(work).await;
    done.ok_or_else(|| Error::internal("blocking work panicked"))?
}
