//! Users and their sessions: documents of `_users` and `_sessions`, read when they are asked for.
//!
//! Guarantees: a session is good only while its document and its user's are there, the user is not disabled, and the
//! session is of the user's present era.
//! Leaves to others: making and changing users and sessions (`crate::session`).

pub(crate) mod issued;
mod origin;
pub(crate) mod session;
pub(crate) mod store;
pub(crate) mod user;

use std::sync::Arc;
use std::time::Duration;

use headwater_engine::value::Raw;
use headwater_engine::vault::Vault;
use headwater_engine::view::{Row, Snapshot};

use self::session::StoredSession;
use self::user::User;
use super::grant::{GrantSource, UserFacts};
use super::identity::{Dependency, Identity};
use super::options::AccessOptions;
use super::password::Passwords;
use super::principal::Kind;
use super::throttle::Throttle;
use super::token::TokenSigner;
use crate::error::ApiError;

pub(crate) use origin::check_cookie_origin;
pub(crate) use store::prepare;

/// The window in which wrong passwords of an account are counted.
const ACCOUNT_WINDOW: Duration = Duration::from_secs(15 * 60);
/// The window in which those from an address are.
const ADDRESS_WINDOW: Duration = Duration::from_secs(60);

/// What logging in takes.
#[derive(Debug)]
pub(crate) struct People {
    /// Hashes passwords.
    pub(crate) passwords: Passwords,
    /// Tries at an account.
    pub(crate) accounts: Throttle,
    /// Tries from an address.
    pub(crate) addresses: Throttle,
    /// Requests for a new password of an account.
    pub(crate) resets: Throttle,
    /// Signs access tokens and one-time tokens.
    pub(crate) signer: TokenSigner,
    /// Settings.
    pub(crate) options: AccessOptions,
}

impl People {
    /// What logging in takes, by the settings.
    pub(crate) fn new(vault: &Vault, options: AccessOptions) -> Self {
        Self {
            passwords: Passwords::new(options.password_hashes, options.password_queue),
            accounts: Throttle::new(options.failures_per_account, ACCOUNT_WINDOW),
            addresses: Throttle::new(options.failures_per_address_per_minute, ADDRESS_WINDOW),
            resets: Throttle::new(options.failures_per_account, ACCOUNT_WINDOW),
            signer: TokenSigner::new(vault),
            options,
        }
    }
}

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

/// A user's document, by the id as shown.
pub(crate) fn user_row(snapshot: &Snapshot, id: &str) -> headwater_engine::Result<Option<Row>> {
    store::by_id(snapshot, store::USERS, id)
}

/// The e-mail address of the user that an actor is; `None` where it is none.
pub(crate) fn address(snapshot: &Snapshot, actor: &str) -> Option<String> {
    let row = user_row(snapshot, actor).unwrap_or_else(|error| {
        tracing::warn!(%error, "a user could not be read");
        None
    })?;
    row.body().get("email").and_then(Raw::as_str).map(str::to_owned)
}

/// Reads a user by its id as shown. Blocking for a moment.
pub(crate) fn user(
    snapshot: &Snapshot,
    id: &str,
    options: &AccessOptions,
) -> Result<Option<StoredUser>, ApiError> {
    let row = store::by_id(snapshot, store::USERS, id)?;
    Ok(row.map(|row| User::read(row.body())).transpose()?.map(|user| user.stored(options)))
}

/// Who holds a session, by its access token's content.
pub(crate) fn by_access_token(
    snapshot: &Snapshot,
    session: &str,
    user: &str,
    expires_ms: u64,
    options: &AccessOptions,
) -> Result<Identity, ApiError> {
    let stored = stored_session(snapshot, session)?;
    let holder = holder(snapshot, &stored, options)?;
    if *holder.id != *user {
        return Err(over());
    }
    // A session that ends earlier than its token ends that, too.
    let expires_ms = expires_ms.min(stored.expires_ms);
    Ok(identity(snapshot, Kind::Session, session, holder, expires_ms))
}

/// Who holds a session, by its cookie.
pub(crate) fn by_cookie(
    snapshot: &Snapshot,
    cookie: &str,
    now_ms: u64,
    options: &AccessOptions,
) -> Result<Identity, ApiError> {
    let id = session::of_cookie(cookie).ok_or_else(over)?;
    let stored = stored_session(snapshot, id)?;
    if !stored.has_cookie(cookie) || now_ms >= stored.expires_ms {
        return Err(over());
    }
    let holder = holder(snapshot, &stored, options)?;
    Ok(identity(snapshot, Kind::Cookie, id, holder, stored.expires_ms))
}

fn stored_session(snapshot: &Snapshot, id: &str) -> Result<StoredSession, ApiError> {
    let row = store::by_id(snapshot, store::SESSIONS, id)?.ok_or_else(over)?;
    Ok(StoredSession::read(row.body())?)
}

fn holder(
    snapshot: &Snapshot,
    session: &StoredSession,
    options: &AccessOptions,
) -> Result<StoredUser, ApiError> {
    let id = headwater_engine::value::object_id::format(&session.user);
    let row = store::by_id(snapshot, store::USERS, &id)?.ok_or_else(over)?;
    let user = User::read(row.body())?;
    if user.disabled || user.era != session.era {
        return Err(over());
    }
    Ok(user.stored(options))
}

fn identity(
    snapshot: &Snapshot,
    kind: Kind,
    session: &str,
    user: StoredUser,
    expires_ms: u64,
) -> Identity {
    let session: Arc<str> = Arc::from(session);
    Identity {
        actor: Arc::clone(&user.id),
        kind,
        session: Some(Arc::clone(&session)),
        user: Some(Arc::clone(&user.id)),
        facts: Some(user.facts),
        source: GrantSource::by_roles(user.roles),
        expires_ms: Some(expires_ms),
        rests_on: vec![Dependency::User(user.id), Dependency::Session(session)],
        position: snapshot.position(),
    }
}

fn over() -> ApiError {
    ApiError::unauthorized("the session is over")
}
