//! Users and their sessions: documents of `_users` and `_sessions`, read when they are asked for.

use std::sync::Arc;

use headwater_engine::view::Snapshot;

use super::grant::UserFacts;
use super::identity::Identity;
use super::options::AccessOptions;
use crate::error::ApiError;

/// A user as stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredUser {
    /// The id as shown.
    pub(crate) id: Arc<str>,
    /// As rules see it.
    pub(crate) facts: UserFacts,
    /// Its roles, or those of everybody without roles.
    pub(crate) roles: Vec<String>,
    /// Whether it may not come in.
    pub(crate) disabled: bool,
}

/// Reads a user by its id as shown. Blocking for a moment.
pub(crate) fn user(
    _snapshot: &Snapshot,
    _id: &str,
    _options: &AccessOptions,
) -> Result<Option<StoredUser>, ApiError> {
    Ok(None)
}

/// Who holds a session, by its access token's content.
pub(crate) fn by_access_token(
    _snapshot: &Snapshot,
    _session: &str,
    _user: &str,
    _expires_ms: u64,
    _options: &AccessOptions,
) -> Result<Identity, ApiError> {
    Err(ApiError::unauthorized("the session is over"))
}

/// Who holds a session, by its cookie.
pub(crate) fn by_cookie(
    _snapshot: &Snapshot,
    _cookie: &str,
    _now_ms: u64,
    _options: &AccessOptions,
) -> Result<Identity, ApiError> {
    Err(ApiError::unauthorized("the session is over"))
}
