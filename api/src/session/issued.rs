//! Tokens signed in the place of a provider, each with a refresh token; and the user behind a session, as faces show it.
//!
//! Guarantees: only full access has tokens signed; the refresh token works once, for as long as whoever asked for the first
//! token has full access, the provider signs, and the user that it names is not shut out. The first token is in the audit trail.
//! Leaves to others: what is signed (`auth::external`), what is kept (`auth::people::issued`).

use std::net::IpAddr;
use std::sync::Arc;

use headwater_engine::value::object_id;
use headwater_engine::view::Row;
use headwater_engine::{Engine, ErrorKind};
use http::StatusCode;

use super::sessions::count_address;
use super::{Session, users};
use crate::auth::people::issued::{self, Draft, Wanted};
use crate::auth::people::session::REUSED;
use crate::auth::people::store::{self, SESSIONS, USERS, changing};
use crate::auth::people::user::{User, email_key};
use crate::auth::people::{prepare, user_row};
use crate::auth::{Access, Signed};
use crate::error::ApiError;

/// A token with the one for the next.
pub(crate) struct Pair {
    /// The token.
    pub(crate) token: String,
    /// The refresh token, which works once.
    pub(crate) refresh: String,
    /// The position of the write.
    pub(crate) position: u64,
}

impl Session {
    /// Signs a token in the place of a provider.
    pub(crate) async fn sign_token(
        &self,
        access: &Access,
        wanted: &Wanted,
    ) -> Result<Pair, ApiError> {
        self.full_access()?;
        let signed = access.sign_as_provider(wanted)?;
        // The name, and no longer a path: one of a later provider may be the same.
        let wanted = &Wanted {
            provider: signed.provider.clone(),
            provider_at: signed.provider_at,
            ..wanted.clone()
        };
        prepare(&self.engine).await?;
        let user = user_of(&self.engine, &signed)?.map(|user| user.id);
        let now_ms = self.engine.clock().now_ms();
        let draft = Draft {
            id: self.engine.new_id(),
            user,
            by: &self.principal.id,
            address: self.visitor.address.to_string(),
            wanted,
        };
        let ends_ms = now_ms + access.options().session_seconds * 1000;
        let (body, refresh) = draft.document(self.engine.clock(), now_ms, ends_ms)?;
        let operation = store::creating(SESSIONS, draft.id, body);
        let committed = self.commit(vec![operation], None).await?;
        Ok(Pair { token: signed.token, refresh, position: committed.position })
    }

    /// The document of the user behind the session; `None` where there is none.
    pub(crate) fn user_behind(&self) -> Result<Option<(User, Row, u64)>, ApiError> {
        let Some(id) = self.principal.user.as_deref() else { return Ok(None) };
        let snapshot = self.engine.snapshot();
        let Some(row) = user_row(&snapshot, id)? else { return Ok(None) };
        Ok(Some((User::read(row.body())?, row, snapshot.position())))
    }
}

/// Another token for a refresh token, which is replaced; tries of one address are counted.
pub(crate) async fn go_on(
    engine: &Engine,
    access: &Access,
    refresh: &str,
    address: Option<IpAddr>,
) -> Result<Pair, ApiError> {
    let people = access.people();
    let from = count_address(engine, people, address)?;
    let pair = rotate(engine, access, refresh).await?;
    from.iter().for_each(|from| people.addresses.take_back(from));
    Ok(pair)
}

async fn rotate(engine: &Engine, access: &Access, refresh: &str) -> Result<Pair, ApiError> {
    let shown = issued::id_of(refresh).ok_or_else(over)?;
    let id = object_id::parse(shown).ok_or_else(over)?;
    let next = issued::next(refresh, engine.clock()).ok_or_else(over)?;
    let row = store::by_id(&engine.snapshot(), SESSIONS, shown)?.ok_or_else(over)?;
    let (wanted, by) = issued::read(row.body()).ok_or_else(over)?;
    let (asked, maker) = (access.clone(), by.clone());
    let may = engine.tasks().blocking(move || asked.has_full_access(&maker)).await;
    if may != Some(true) {
        return Err(over());
    }
    let now_ms = engine.clock().now_ms();
    let ends_ms = now_ms + access.options().session_seconds * 1000;
    let (given, new) = (refresh.to_owned(), next.clone());
    // Signed before the old one is used up: a provider that cannot sign costs nobody the token.
    let signed = access.sign_again(&wanted).map_err(|_| over())?;
    if signed.provider_at != wanted.provider_at {
        return Err(over());
    }
    let user = user_of(engine, &signed)?;
    if user.as_ref().is_some_and(|user| user.disabled) {
        return Err(over());
    }
    // Who came to be known since the first token ends this one, too.
    let user = user.map(|user| user.id);
    let until = (now_ms, ends_ms);
    let rotate =
        changing(SESSIONS, id, move |body| issued::refreshed(body, (&given, &new), user, until));
    let actor: Arc<str> = Arc::from(format!("provider:{}", wanted.provider));
    match users::write(engine, &actor, vec![rotate]).await {
        Ok(committed) => {
            Ok(Pair { token: signed.token, refresh: next, position: committed.position })
        }
        Err(error) if error.code() == REUSED => {
            tracing::warn!(
                session = shown,
                "a refresh token was used twice; no more tokens come of it"
            );
            let end = store::deleting(SESSIONS, store::document_id(id))?;
            users::write(engine, &actor, vec![end]).await?;
            Err(over())
        }
        Err(error) if [ErrorKind::Forbidden, ErrorKind::NotFound].contains(&error.kind()) => {
            Err(over())
        }
        Err(error) => Err(error.into()),
    }
}

/// The user whose address a token names.
fn user_of(engine: &Engine, signed: &Signed) -> Result<Option<User>, ApiError> {
    let Some(key) = signed.email.as_deref().map(email_key) else { return Ok(None) };
    let row = store::find_by(&engine.snapshot(), USERS, "email_key", &key)?;
    Ok(row.map(|row| User::read(row.body())).transpose()?)
}

fn over() -> ApiError {
    let message = "`refresh`: the refresh token is unknown, was used, has expired or was revoked";
    ApiError::new(StatusCode::FORBIDDEN, "invalid_refresh_token", message)
}
