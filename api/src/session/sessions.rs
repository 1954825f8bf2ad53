//! Sessions of users: begun by a password or without a name, refreshed, listed, ended.
//!
//! Guarantees: a wrong password and an unknown address are refused alike, after as long; guesses are throttled by account
//! and by address; a session begins only with the password that the user has at that moment.
//! Leaves to others: what a session may do (the directory, by the user's roles).

use std::net::IpAddr;
use std::sync::Arc;

use headwater_engine::value::{Raw, Value, date, object_id};
use headwater_engine::write::{Committed, Operation};
use headwater_engine::{Engine, Error, ErrorKind, Result};
use http::StatusCode;
use serde_json::json;

use super::collections::to_json;
use super::users::{self, Page};
use super::{RequestKey, Session};
use crate::auth::password::{Turn, Verdict};
use crate::auth::people::session::{self, Draft, REUSED, StoredSession};
use crate::auth::people::store::{self, SESSIONS, USERS, changing, with_members};
use crate::auth::people::user::{self, User};
use crate::auth::people::{People, prepare};
use crate::auth::token::Use;
use crate::error::ApiError;

/// Where a request comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    /// Its address; an IPv4-mapped one as IPv4.
    pub(crate) address: Option<IpAddr>,
    /// What it calls itself.
    pub(crate) agent: Option<String>,
}

/// A session that began or goes on, with its secrets, which are shown this once.
pub(crate) struct Begun {
    /// The token for requests.
    pub(crate) access_token: String,
    /// When that ends, UTC ms.
    pub(crate) expires_ms: u64,
    /// The token for the next one.
    pub(crate) refresh_token: String,
    /// When the session ends unless it is refreshed, UTC ms.
    pub(crate) session_expires_ms: u64,
    /// The cookie of a new session.
    pub(crate) cookie: Option<String>,
    /// The user as callers see it.
    pub(crate) user: serde_json::Value,
    /// The position of the write.
    pub(crate) position: u64,
}

impl Session {
    /// A page of sessions: the caller's own; with full access a user's, or all.
    pub(crate) async fn sessions(
        &self,
        user: Option<&str>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page, ApiError> {
        self.check_login()?;
        let user = match (user, self.principal.user.as_deref()) {
            (Some("me") | None, Some(own)) if !self.grant.is_full() => Some(own),
            (Some("me"), Some(own)) => Some(own),
            (Some(asked), own) if own == Some(asked) => Some(asked),
            (user, _) => {
                self.full_access()?;
                user
            }
        };
        let user = match user {
            Some(id) => Some(object_id::parse(id).ok_or_else(|| {
                ApiError::bad_request("invalid_parameter", "`user` must be the id of a user")
                    .with("parameter", "user")
            })?),
            None => None,
        };
        let current = self.principal.session.clone();
        let of_user = user.map(|id| ("user", Value::ObjectId(id)));
        users::page(&self.engine, (SESSIONS, of_user), cursor, limit, move |row| {
            let body = row.body();
            let id = body.get("_id").and_then(Raw::as_object_id).unwrap_or_default();
            let id = object_id::format(&id);
            let member = |name: &str| body.get(name).map_or(serde_json::Value::Null, to_json);
            // That of tokens signed for a provider may be nobody's.
            let is_of_user = body.get("user").and_then(Raw::as_object_id) != Some([0; 12]);
            let user = if is_of_user { member("user") } else { serde_json::Value::Null };
            let provider = body.get("issued").and_then(|issued| issued.get("provider"));
            Ok(json!({
                "id": id,
                "user": user,
                "provider": provider.map_or(serde_json::Value::Null, to_json),
                "created_at": member("created_at"),
                "refreshed_at": member("refreshed_at"),
                "expires_at": member("expires_at"),
                "address": member("address"),
                "agent": member("agent"),
                "anonymous": body.get("anonymous").is_some(),
                "current": current.as_deref() == Some(&*id),
            }))
        })
        .await
    }

    /// Ends a session: `current`, another one of the caller's own, or any by full access.
    pub(crate) async fn end_session(
        &self,
        id: &str,
        key: Option<RequestKey>,
    ) -> Result<Committed, ApiError> {
        self.check_login()?;
        let gone = || {
            let shown: String = id.chars().take(100).collect();
            ApiError::not_found("session_not_found", format!("there is no session {shown}"))
        };
        let id = match (id, self.principal.session.as_deref()) {
            ("current", Some(own)) => own,
            ("current", None) => return Err(gone()),
            _ => id,
        };
        let session = object_id::parse(id).ok_or_else(gone)?;
        if !self.grant.is_full() {
            let row = store::by_id(&self.engine.snapshot(), SESSIONS, id)?.ok_or_else(gone)?;
            let holder = object_id::format(&StoredSession::read(row.body())?.user);
            // Sessions of others are not there.
            if self.principal.user.as_deref() != Some(&*holder) {
                return Err(gone());
            }
        }
        let operation = Operation::Delete {
            collection: Arc::from(SESSIONS),
            id: store::document_id(session),
            if_version: None,
            only_if: None,
        };
        self.commit(vec![operation], key).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => gone(),
            _ => error.into(),
        })
    }
}

/// Begins a session with an address and a password.
pub(crate) async fn log_in(
    engine: &Engine,
    people: &People,
    email: &str,
    password: String,
    client: Client,
) -> Result<Begun, ApiError> {
    let refused = || {
        let message = "the address or the password is wrong";
        ApiError::new(StatusCode::UNAUTHORIZED, "invalid_login", message)
    };
    let now = engine.clock().monotonic();
    let account = user::email_key(email);
    let from = count_address(engine, people, client.address)?;
    people.accounts.begin(&account, now).map_err(too_many)?;
    let row = store::find_by(&engine.snapshot(), USERS, "email_key", &account)?;
    let found = row.map(|row| User::read(row.body())).transpose()?;
    let stored = found.as_ref().and_then(|user| user.password.clone());
    let verdict = people.passwords.verify(engine, password.clone(), stored, Turn::Login).await;
    let no_guess = || {
        people.accounts.take_back(&account);
        from.iter().for_each(|from| people.addresses.take_back(from));
    };
    let verdict = verdict.inspect_err(|_| no_guess())?;
    let found = found.filter(|user| verdict != Verdict::Wrong && !user.disabled);
    let user = found.ok_or_else(refused)?;
    people.accounts.forget(&account);
    from.iter().for_each(|from| people.addresses.take_back(from));
    let anew = match verdict {
        // Where too many wait, it stays as it is until the next login.
        Verdict::Outdated => people.passwords.hash(engine, password).await.ok(),
        _ => None,
    };
    let mark = user.mark();
    // In one with the new session: the password may have been replaced while it was checked.
    let still = changing(USERS, user.id, move |body| {
        let now = User::read(body)?;
        if now.mark() != mark || now.disabled {
            return Err(Error::new(ErrorKind::Conflict, "login_overtaken", "the user was changed"));
        }
        Ok(match &anew {
            Some(hash) => with_members(body, vec![("password", Some(Value::String(hash.clone())))]),
            None => body.as_bytes().to_vec(),
        })
    });
    let begun = begin(engine, people, &user, vec![still], client).await;
    begun.map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::Conflict => refused(),
        _ => error.into(),
    })
}

/// Begins a session of a new user without a name, where that is open.
pub(crate) async fn begin_anonymous(
    engine: &Engine,
    people: &People,
    client: Client,
) -> Result<Begun, ApiError> {
    if !people.options.anonymous {
        let message = "sessions without a name are not open (auth.anonymous)";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "anonymous_closed", message));
    }
    count_address(engine, people, client.address)?;
    let user = User { id: engine.new_id(), anonymous: true, ..User::default() };
    let creation = store::creating(USERS, user.id, user.document());
    Ok(begin(engine, people, &user, vec![creation], client).await?)
}

/// Goes on with a session by its refresh token, which is replaced.
pub(crate) async fn refresh(
    engine: &Engine,
    people: &People,
    token: &str,
) -> Result<Begun, ApiError> {
    let over = || {
        let message = "the refresh token is unknown or was used, or its session is over";
        ApiError::new(StatusCode::UNAUTHORIZED, "invalid_refresh_token", message)
    };
    let shown = session::of_refresh(token).ok_or_else(over)?;
    let id = object_id::parse(shown).ok_or_else(over)?;
    let next = session::next_refresh(token, engine.clock()).ok_or_else(over)?;
    let user = {
        let snapshot = engine.snapshot();
        let row = store::by_id(&snapshot, SESSIONS, shown)?.ok_or_else(over)?;
        let stored = StoredSession::read(row.body())?;
        let holder = object_id::format(&stored.user);
        let row = store::by_id(&snapshot, USERS, &holder)?.ok_or_else(over)?;
        // A session that is refreshed while the user gets another era stays in its own, and is over.
        let user = User::read(row.body())?;
        if user.disabled || user.era != stored.era {
            return Err(over());
        }
        user
    };
    let now_ms = engine.clock().now_ms();
    let session_expires_ms = now_ms + people.options.session_seconds * 1000;
    let (given, new) = (token.to_owned(), next.clone());
    let rotate = changing(SESSIONS, id, move |body| {
        session::refreshed(body, &given, &new, now_ms, session_expires_ms)
    });
    let actor: Arc<str> = Arc::from(user.shown_id());
    let committed = match users::write(engine, &actor, vec![rotate]).await {
        Ok(committed) => committed,
        Err(error) if error.code() == REUSED => {
            tracing::warn!(session = shown, user = %actor, "a refresh token was used twice; the session is over");
            let end = store::deleting(SESSIONS, store::document_id(id))?;
            users::write(engine, &actor, vec![end]).await?;
            return Err(over());
        }
        Err(error) if [ErrorKind::Forbidden, ErrorKind::NotFound].contains(&error.kind()) => {
            return Err(over());
        }
        Err(error) => return Err(error.into()),
    };
    Ok(granted(people, &user, id, now_ms, session_expires_ms, (next, None), committed.position))
}

/// Whether a cookie is that of a session that is there; its rest of life, seconds.
pub(crate) fn cookie_seconds(engine: &Engine, cookie: &str) -> Option<u64> {
    let id = session::of_cookie(cookie)?;
    let row = store::by_id(&engine.snapshot(), SESSIONS, id).ok()??;
    let stored = StoredSession::read(row.body()).ok()?;
    let left = stored.expires_ms.checked_sub(engine.clock().now_ms())? / 1000;
    stored.has_cookie(cookie).then_some(left)
}

async fn begin(
    engine: &Engine,
    people: &People,
    user: &User,
    mut operations: Vec<Operation>,
    client: Client,
) -> Result<Begun> {
    prepare(engine).await?;
    let now_ms = engine.clock().now_ms();
    let session_expires_ms = now_ms + people.options.session_seconds * 1000;
    let id = engine.new_id();
    let draft = Draft {
        id,
        user: user.id,
        anonymous: user.anonymous,
        era: user.era,
        address: client.address.map(|address| address.to_string()),
        agent: client.agent,
    };
    let (body, secrets) = draft.document(engine.clock(), now_ms, session_expires_ms);
    operations.push(store::creating(SESSIONS, id, body));
    let actor = Arc::from(user.shown_id());
    let committed = users::write(engine, &actor, operations).await?;
    let secrets = (secrets.refresh, Some(secrets.cookie));
    Ok(granted(people, user, id, now_ms, session_expires_ms, secrets, committed.position))
}

fn granted(
    people: &People,
    user: &User,
    id: [u8; 12],
    now_ms: u64,
    session_expires_ms: u64,
    (refresh_token, cookie): (String, Option<String>),
    position: u64,
) -> Begun {
    let ends_ms = (now_ms + people.options.token_seconds * 1000).min(session_expires_ms);
    // As the token says it: to the second.
    let expires_ms = ends_ms / 1000 * 1000;
    let purpose = Use::Access { session: object_id::format(&id), user: user.shown_id() };
    Begun {
        access_token: people.signer.sign(&purpose, now_ms, expires_ms),
        expires_ms,
        refresh_token,
        session_expires_ms,
        cookie,
        user: users::described(user),
        position,
    }
}

impl Begun {
    /// The answer.
    pub(crate) fn shown(&self) -> serde_json::Value {
        let at = |ms: u64| date::format_ms(i64::try_from(ms).unwrap_or(i64::MAX));
        json!({
            "access_token": self.access_token,
            "expires_at": at(self.expires_ms),
            "refresh_token": self.refresh_token,
            "session_expires_at": at(self.session_expires_ms),
            "user": self.user,
        })
    }
}

/// Counts what an address asks for without a credential; its name in the throttle. Loopback is not counted.
pub(super) fn count_address(
    engine: &Engine,
    people: &People,
    address: Option<IpAddr>,
) -> Result<Option<String>, ApiError> {
    let from = address.filter(|address| !address.to_canonical().is_loopback()).map(network);
    if let Some(from) = &from {
        people.addresses.begin(from, engine.clock().monotonic()).map_err(too_many)?;
    }
    Ok(from)
}

/// The name of an address in the throttle: an IPv6 network counts as one.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("{:x}/64", ip.to_bits() >> 64),
    }
}

pub(super) fn too_many(seconds: u64) -> ApiError {
    ApiError::too_many("too many tries; wait", seconds.max(1))
}
