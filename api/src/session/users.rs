//! Users: made, listed, changed, removed; their passwords. By full access, and by users themselves.
//!
//! Guarantees: nobody without full access writes roles, `data` or `disabled` of any user, their own included (promise S2);
//! a new password ends the sessions that the old one began.
//! Leaves to others: sessions themselves.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use headwater_engine::query::find::Found;
use headwater_engine::value::{Object, Raw, Value, date, object_id};
use headwater_engine::view::Snapshot;
use headwater_engine::write::{Command, Committed, Operation};
use headwater_engine::{Engine, Error, ErrorKind, Result};
use http::StatusCode;
use serde_json::json;

use super::collections::to_json;
use super::cursor::{self, Cursor};
use super::endings::{end_sessions, endings};
use super::sessions::count_address;
use super::{RequestKey, Session, blocking};
use crate::auth::Kind;
use crate::auth::password::{Turn, Verdict, check_length};
use crate::auth::people::store::{self, SESSIONS, USERS, changing, with_members};
use crate::auth::people::user::{self, User};
use crate::auth::people::{People, prepare};
use crate::auth::token::Use;
use crate::error::ApiError;

/// What is asked for a user; absent members stay as they are.
#[derive(Debug, Default)]
pub(crate) struct UserChanges {
    /// The address, checked; `Some(None)` takes it away.
    pub(crate) email: Option<Option<String>>,
    /// The password in clear; `Some(None)` takes it away.
    pub(crate) password: Option<Option<String>>,
    /// What rules see.
    pub(crate) data: Option<Object>,
    /// What is the user's own.
    pub(crate) profile: Option<Object>,
    /// Its roles.
    pub(crate) roles: Option<Vec<String>>,
    /// Whether it may not come in.
    pub(crate) disabled: Option<bool>,
    /// Whether somebody vouches for the address.
    pub(crate) email_verified: Option<bool>,
}

/// A page of entries, the next cursor, the position that was seen.
pub(super) type Page = (Vec<serde_json::Value>, Option<String>, u64);

/// A one-time token for a new password, and when it ends.
pub(crate) struct ResetToken {
    /// The token.
    pub(crate) token: String,
    /// Its end, UTC ms.
    pub(crate) expires_ms: u64,
}

/// Who asks for a one-time token.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker {
    /// Somebody with full access, who is given it.
    FullAccess,
    /// Anybody, at an address.
    Anybody(IpAddr),
}

impl Session {
    /// Makes a user.
    pub(crate) async fn create_user(
        &self,
        people: &People,
        asked: UserChanges,
        key: Option<RequestKey>,
    ) -> Result<(serde_json::Value, Committed), ApiError> {
        self.full_access()?;
        check_roles(&self.engine.snapshot(), asked.roles.as_deref().unwrap_or_default())?;
        let operation = creation(&self.engine, people, asked).await?;
        let committed = self.commit(vec![operation], key).await.map_err(taken)?;
        Ok((of_outcome(&committed)?, committed))
    }

    /// A page of users.
    pub(crate) async fn users(&self, cursor: Option<&str>, limit: usize) -> Result<Page, ApiError> {
        self.full_access()?;
        page(&self.engine, (USERS, None), cursor, limit, |row| {
            let mut shown = described(&User::read(row.body())?);
            shown["created_at"] = at(row.created_ms());
            Ok(shown)
        })
        .await
    }

    /// A user, and the position that was seen: any by full access, else the caller's own.
    pub(crate) fn user(&self, id: &str) -> Result<(serde_json::Value, u64), ApiError> {
        let id = self.reachable_user(id)?;
        let snapshot = self.engine.snapshot();
        let row = store::by_id(&snapshot, USERS, &id)?.ok_or_else(|| no_user(&id))?;
        let mut shown = described(&User::read(row.body())?);
        shown["created_at"] = at(row.created_ms());
        Ok((shown, snapshot.position()))
    }

    /// Changes a user. Without full access only the caller's own `profile`.
    pub(crate) async fn change_user(
        &self,
        people: &People,
        id: &str,
        asked: UserChanges,
        key: Option<RequestKey>,
    ) -> Result<(serde_json::Value, Committed), ApiError> {
        let id = self.reachable_user(id)?;
        if !self.grant.is_full() {
            asked.check_own()?;
        }
        check_roles(&self.engine.snapshot(), asked.roles.as_deref().unwrap_or_default())?;
        prepare(&self.engine).await?;
        let user = object_id::parse(&id).ok_or_else(|| no_user(&id))?;
        let ends_sessions = asked.password.is_some() || asked.disabled == Some(true);
        let mut members = asked.members(&self.engine, people).await?;
        if ends_sessions {
            members.push(("era", Some(Value::ObjectId(self.engine.new_id()))));
        }
        let mut operations =
            vec![changing(USERS, user, move |body| Ok(with_members(body, members.clone())))];
        if ends_sessions {
            operations.extend(endings(&self.engine, user, None).await?);
        }
        let committed = self.commit(operations, key).await.map_err(taken)?;
        if ends_sessions && !committed.repeated {
            end_sessions(&self.engine, &self.principal.id, user).await?;
        }
        Ok((of_outcome(&committed)?, committed))
    }

    /// Removes a user with its sessions.
    pub(crate) async fn delete_user(
        &self,
        id: &str,
        key: Option<RequestKey>,
    ) -> Result<Committed, ApiError> {
        self.full_access()?;
        let user = object_id::parse(id).ok_or_else(|| no_user(id))?;
        let document = store::document_id(user);
        let mut operations = vec![Operation::Delete {
            collection: Arc::from(USERS),
            id: document,
            if_version: None,
            only_if: None,
        }];
        operations.extend(endings(&self.engine, user, None).await?);
        let committed = self.commit(operations, key).await.map_err(|error| missing(error, id))?;
        if !committed.repeated {
            end_sessions(&self.engine, &self.principal.id, user).await?;
        }
        Ok(committed)
    }

    /// Gives the caller another password; its other sessions end.
    pub(crate) async fn change_own_password(
        &self,
        people: &People,
        old: String,
        new: String,
    ) -> Result<Committed, ApiError> {
        let id = self.own_user()?.to_owned();
        check_length(&new, "new")?;
        let stored = read(&self.engine.snapshot(), &id)?;
        let now = self.engine.clock().monotonic();
        people.accounts.begin(&id, now).map_err(super::sessions::too_many)?;
        let verdict =
            people.passwords.verify(&self.engine, old, stored.password.clone(), Turn::Other);
        let verdict = verdict.await;
        if verdict.inspect_err(|_| people.accounts.take_back(&id))? == Verdict::Wrong {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "invalid_password",
                "`old` is not the password",
            )
            .with("member", "old"));
        }
        people.accounts.forget(&id);
        let hash = people.passwords.hash(&self.engine, new).await?;
        let mine = self.principal.session.as_deref().and_then(object_id::parse);
        let actor = &self.principal.id;
        replace_password(&self.engine, actor, &stored, hash, mine).await
    }

    /// The caller's own user, for whoever logged in as it, here or with another issuer. A key of the user does its work, and
    /// has no say in its account.
    fn own_user(&self) -> Result<&str, ApiError> {
        let own = self.principal.user.as_deref().ok_or_else(|| {
            ApiError::new(StatusCode::NOT_FOUND, "user_not_found", "the caller is no user")
        })?;
        self.check_login()?;
        Ok(own)
    }

    /// Refuses keys of users where it is about the account; full access does.
    pub(super) fn check_login(&self) -> Result<(), ApiError> {
        let by_login = matches!(self.principal.kind, Kind::Session | Kind::Cookie | Kind::External);
        if by_login || self.grant.is_full() || self.principal.user.is_none() {
            return Ok(());
        }
        let message = "this needs a session of the user, not a key";
        Err(ApiError::new(StatusCode::FORBIDDEN, "login_needed", message))
    }

    /// The id of a user that the caller may look at: `me`, or any by full access.
    fn reachable_user(&self, id: &str) -> Result<String, ApiError> {
        if id == "me" {
            return self.own_user().map(str::to_owned);
        }
        if self.grant.is_full() {
            return Ok(id.to_owned());
        }
        if self.principal.user.as_deref() == Some(id) {
            return self.own_user().map(str::to_owned);
        }
        Err(ApiError::forbidden("users reach themselves alone; this needs full access"))
    }
}

/// Makes a user by itself, where that is open.
pub(crate) async fn sign_up(
    engine: &Engine,
    people: &People,
    asked: UserChanges,
    from: IpAddr,
) -> Result<(serde_json::Value, Committed), ApiError> {
    // Before anything is hashed.
    count_address(engine, people, Some(from))?;
    let operation = creation(engine, people, asked).await?;
    let actor = match &operation {
        Operation::Create { body, .. } => User::read(Raw::trusted(body))?.shown_id(),
        _ => String::new(),
    };
    let committed = write(engine, &Arc::from(actor), vec![operation]).await.map_err(taken)?;
    Ok((of_outcome(&committed)?, committed))
}

/// A one-time token for a new password of whoever has an address; one that is good for nothing where nobody has it, so
/// that it takes as long. Blocking for a moment.
pub(crate) fn begin_reset(
    engine: &Engine,
    people: &People,
    email: &str,
    asker: Asker,
) -> Result<(Option<ResetToken>, u64), ApiError> {
    let account = user::email_key(email);
    // Counted apart: what anybody asks for does not use up what full access may ask for an account.
    let counted = match asker {
        Asker::FullAccess => format!("full\n{account}"),
        Asker::Anybody(from) => {
            count_address(engine, people, Some(from))?;
            format!("any\n{account}")
        }
    };
    people.resets.begin(&counted, engine.clock().monotonic()).map_err(super::sessions::too_many)?;
    let snapshot = engine.snapshot();
    let row = store::find_by(&snapshot, USERS, "email_key", &account)?;
    let found = row.map(|row| User::read(row.body())).transpose()?;
    let is_known = found.is_some();
    let holder = found.unwrap_or_default();
    let now_ms = engine.clock().now_ms();
    let expires_ms = now_ms + people.options.reset_seconds * 1000;
    let purpose = Use::Reset { user: holder.shown_id(), mark: holder.mark() };
    let token = people.signer.sign(&purpose, now_ms, expires_ms);
    Ok((is_known.then_some(ResetToken { token, expires_ms }), snapshot.position()))
}

/// Sets a new password by a one-time token; every session of the user ends.
pub(crate) async fn confirm_reset(
    engine: &Engine,
    people: &People,
    token: &str,
    password: String,
    from: IpAddr,
) -> Result<Committed, ApiError> {
    count_address(engine, people, Some(from))?;
    let invalid = || {
        let message = "the token is none for a new password, was used, or has expired";
        ApiError::bad_request("invalid_reset_token", message).with("member", "token")
    };
    check_length(&password, "password")?;
    let checked = people.signer.check(token, engine.clock().now_ms());
    let Ok(Some((Use::Reset { user, mark }, _))) = checked else { return Err(invalid()) };
    let stored = read(&engine.snapshot(), &user).map_err(|_| invalid())?;
    if stored.mark() != mark {
        return Err(invalid());
    }
    let hash = people.passwords.hash(engine, password).await?;
    let actor = Arc::from(user);
    replace_password(engine, &actor, &stored, hash, None).await
}

/// Puts a new hash in the place of the one that `stored` has, and ends all sessions but one, which goes on in the new era.
async fn replace_password(
    engine: &Engine,
    actor: &Arc<str>,
    stored: &User,
    hash: String,
    except: Option<[u8; 12]>,
) -> Result<Committed, ApiError> {
    let (mark, era) = (stored.mark(), engine.new_id());
    let change = changing(USERS, stored.id, move |body| {
        if User::read(body)?.mark() != mark {
            let message = "the password or the address was changed meanwhile";
            return Err(Error::new(ErrorKind::Conflict, "password_changed", message));
        }
        let password = ("password", Some(Value::String(hash.clone())));
        Ok(with_members(body, vec![password, ("era", Some(Value::ObjectId(era)))]))
    });
    let mut operations = vec![change];
    operations.extend(except.map(|session| {
        // Where it has ended meanwhile, there is nothing to go on with.
        let go_on =
            move |body: Raw<'_>| Ok(with_members(body, vec![("era", Some(Value::ObjectId(era)))]));
        store::changing_if_there(SESSIONS, session, go_on)
    }));
    operations.extend(endings(engine, stored.id, except).await?);
    let committed = write(engine, actor, operations).await?;
    end_sessions(engine, actor, stored.id).await?;
    Ok(committed)
}

async fn creation(
    engine: &Engine,
    people: &People,
    asked: UserChanges,
) -> Result<Operation, ApiError> {
    prepare(engine).await?;
    let password = match asked.password.flatten() {
        Some(password) => Some(people.passwords.hash(engine, password).await?),
        None => None,
    };
    let user = User {
        id: engine.new_id(),
        email: asked.email.flatten(),
        password,
        data: asked.data.unwrap_or_default(),
        profile: asked.profile.unwrap_or_default(),
        roles: asked.roles.unwrap_or_default(),
        disabled: asked.disabled.unwrap_or(false),
        email_verified: asked.email_verified.unwrap_or(false),
        ..User::default()
    };
    Ok(store::creating(USERS, user.id, user.document()))
}

impl UserChanges {
    /// Refuses what users may not write of themselves.
    fn check_own(&self) -> Result<(), ApiError> {
        let members = [
            ("email", self.email.is_some()),
            ("password", self.password.is_some()),
            ("data", self.data.is_some()),
            ("roles", self.roles.is_some()),
            ("disabled", self.disabled.is_some()),
            ("email_verified", self.email_verified.is_some()),
        ];
        match members.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((name, _)) => {
                let message = format!("`{name}` of a user is set with full access alone");
                Err(ApiError::forbidden(message).with("member", *name))
            }
        }
    }

    /// The members to write.
    async fn members(
        self,
        engine: &Engine,
        people: &People,
    ) -> Result<Vec<(&'static str, Option<Value>)>, ApiError> {
        let mut members = Vec::new();
        if let Some(email) = self.email {
            let key = email.as_deref().map(user::email_key);
            members.push(("email_key", key.map(Value::String)));
            members.push(("email", email.map(Value::String)));
            // Nobody has vouched for another address yet.
            members.push(("email_verified", None));
        }
        match self.password {
            Some(Some(password)) => {
                let hash = people.passwords.hash(engine, password).await?;
                members.push(("password", Some(Value::String(hash))));
            }
            Some(None) => members.push(("password", None)),
            None => {}
        }
        members.extend(self.data.map(|data| ("data", Some(Value::Object(data)))));
        members.extend(self.profile.map(|profile| ("profile", Some(Value::Object(profile)))));
        members.extend(self.roles.map(|roles| ("roles", Some(user::roles(&roles)))));
        let flags = [("disabled", self.disabled), ("email_verified", self.email_verified)];
        for (name, flag) in flags {
            members.extend(flag.map(|flag| (name, flag.then_some(Value::Bool(true)))));
        }
        Ok(members)
    }
}

/// Refuses roles that are not there.
fn check_roles(snapshot: &Snapshot, roles: &[String]) -> Result<(), ApiError> {
    let number = store::number(snapshot, "_roles")?;
    let mut seen = HashSet::new();
    for name in roles {
        let id = Value::String(name.clone()).to_bytes();
        let id_key = headwater_engine::value::key::encode(Raw::trusted(&id));
        let shown: String = name.chars().take(100).collect();
        if snapshot.get(number, &id_key)?.is_none() {
            let message = format!("there is no role `{shown}`");
            return Err(ApiError::bad_request("unknown_role", message).with("role", shown));
        }
        if !seen.insert(name) {
            let message = format!("the role `{shown}` is there twice");
            return Err(ApiError::bad_request("duplicate_role", message).with("role", shown));
        }
    }
    Ok(())
}

/// A page of a system collection. A field's value narrows it.
pub(super) async fn page(
    engine: &Engine,
    (collection, field): (&'static str, Option<(&'static str, Value)>),
    cursor: Option<&str>,
    limit: usize,
    show: impl Fn(&headwater_engine::view::Row) -> Result<serde_json::Value> + Send + 'static,
) -> Result<Page, ApiError> {
    let cursor = cursor.map(Cursor::decode).transpose()?;
    let snapshot = engine.snapshot();
    let number = store::number(&snapshot, collection)?;
    if cursor.as_ref().is_some_and(|cursor| cursor.collection != number) {
        return Err(cursor::invalid().into());
    }
    let page = blocking(engine, move || {
        let after = cursor.as_ref().map(|cursor| &cursor.after);
        let Found { rows, more, .. } = store::list(&snapshot, collection, field, after, limit)?;
        let next = rows.last().filter(|_| more).map(|last| {
            let after = last.place.clone();
            Cursor { collection: number, at: None, digest: 0, after }.encode()
        });
        let shown = rows.iter().map(|found| show(&found.row)).collect::<Result<Vec<_>>>()?;
        Ok((shown, next, snapshot.position()))
    });
    Ok(page.await?)
}

/// Commits for somebody who has no session of the grant's kind.
pub(super) async fn write(
    engine: &Engine,
    actor: &Arc<str>,
    operations: Vec<Operation>,
) -> Result<Committed> {
    let actor = Arc::clone(actor);
    engine.write(Command { operations, actor, ..Command::default() }).await
}

fn read(snapshot: &Snapshot, id: &str) -> Result<User> {
    let row = store::by_id(snapshot, USERS, id)?.ok_or_else(|| no_user(id))?;
    User::read(row.body())
}

/// A user as callers see it: without its password.
pub(super) fn described(user: &User) -> serde_json::Value {
    let object = |object: &Object| to_json(Raw::trusted(&object.to_bytes()));
    let identities = user.identities.iter();
    let identities =
        identities.map(|one| json!({"provider": one.provider, "subject": one.subject}));
    json!({
        "id": user.shown_id(),
        "email": user.email,
        "email_verified": user.email_verified,
        "data": object(&user.data),
        "profile": object(&user.profile),
        "roles": user.roles,
        "identities": identities.collect::<Vec<_>>(),
        "anonymous": user.anonymous,
        "disabled": user.disabled,
        "has_password": user.password.is_some(),
    })
}

pub(super) fn at(ms: u64) -> serde_json::Value {
    json!(date::format_ms(i64::try_from(ms).unwrap_or(i64::MAX)))
}

fn of_outcome(committed: &Committed) -> Result<serde_json::Value> {
    let body = committed.outcomes.first().and_then(|outcome| outcome.body.as_ref());
    let body = body.ok_or_else(|| Error::internal("a user was written without a body"))?;
    Ok(described(&User::read(Raw::trusted(body))?))
}

fn no_user(id: &str) -> Error {
    let shown: String = id.chars().take(100).collect();
    Error::not_found("user_not_found", format!("there is no user {shown}"))
}

fn missing(error: Error, id: &str) -> Error {
    if error.kind() == ErrorKind::NotFound { no_user(id) } else { error }
}

/// The refusal of an address that somebody has.
pub(super) fn taken(error: Error) -> ApiError {
    match error.code() {
        "unique_violation" => {
            ApiError::new(StatusCode::CONFLICT, "email_taken", "another user has this address")
                .with("member", "email")
        }
        "document_not_found" => {
            ApiError::new(StatusCode::NOT_FOUND, "user_not_found", "there is no such user")
        }
        _ => error.into(),
    }
}
