//! The user whom a token of another issuer stands for: found, told what the token says of it, or made.
//!
//! Guarantees: one identity is one user, by a unique index, however many requests come at once; what is written already is
//! not written again. A user found by its address that nobody vouched for loses its password, its sessions and its keys
//! when it gets an identity (or is found without one): anybody may have registered the address before its owner came, and
//! would go on to be the owner.
//! Leaves to others: whether the token is good.

use std::sync::Arc;

use headwater_engine::value::{Object, Raw, Value};
use headwater_engine::view::Snapshot;
use headwater_engine::write::{Command, Operation};
use headwater_engine::{Engine, Error, ErrorKind, Result};

use super::claims::Mapped;
use super::provider::Provider;
use crate::auth::COLLECTION as CREDENTIALS;
use crate::auth::people::prepare;
use crate::auth::people::store::{self, USERS, changing, with_members};
use crate::auth::people::user::{ElseWhere, User, checked_email, email_key};

/// Tries while others write the same user.
const TRIES: usize = 4;
/// Most bytes of a subject.
const SUBJECT_BYTES_MAX: usize = 1024;
/// More keys than a user may have, and than one command should remove.
const KEYS_MAX: usize = 1000;

/// The user, if there is or comes to be one.
pub(super) async fn find(
    engine: &Engine,
    provider: &Provider,
    claims: Raw<'_>,
    mapped: &Mapped,
) -> Result<Option<User>> {
    let identity =
        subject(claims).map(|sub| ElseWhere::new(&provider.name, provider.issuer.as_deref(), sub));
    // Some issuers say it as a text, and some say nothing of those whose addresses they have checked.
    let vouched = claims.get("email_verified").is_none_or(|claim| claim.as_bool() == Some(true));
    let email = mapped.email.as_deref().and_then(checked_email).filter(|_| vouched);
    if identity.is_none() && email.is_none() {
        return Ok(None);
    }
    for _ in 0..TRIES {
        let snapshot = engine.snapshot();
        let found = look(&snapshot, identity.as_ref(), email.as_deref())?;
        let operations = match &found {
            Some(Found { user, .. }) if user.disabled => return Ok(found.map(Found::into_user)),
            Some(found) => {
                let mut operations =
                    Vec::from_iter(change(engine, found, identity.as_ref(), mapped));
                if operations.is_empty() {
                    return Ok(Some(found.user.clone()));
                }
                if found.is_claimed() {
                    operations.extend(keys_of(engine, snapshot, &found.user).await?);
                }
                operations
            }
            None if !provider.create_users => return Ok(None),
            None => vec![creation(engine.new_id(), identity.as_ref(), email.clone(), mapped)],
        };
        prepare(engine).await?;
        let actor: Arc<str> = Arc::from(format!("provider:{}", provider.name));
        match engine
            .write(Command { operations, actor: Arc::clone(&actor), ..Command::default() })
            .await
        {
            Ok(_) if found.is_some_and(|found| found.is_claimed()) => {
                // A key may have come between the look and the write.
                let row = look(&engine.snapshot(), identity.as_ref(), email.as_deref())?;
                let Some(Found { user, .. }) = row else { continue };
                let operations = keys_of(engine, engine.snapshot(), &user).await?;
                if !operations.is_empty() {
                    engine.write(Command { operations, actor, ..Command::default() }).await?;
                }
            }
            Ok(_) => {}
            // Somebody else was faster: look again.
            Err(error) if [ErrorKind::Conflict, ErrorKind::NotFound].contains(&error.kind()) => {}
            Err(error) => return Err(error),
        }
    }
    let found = look(&engine.snapshot(), identity.as_ref(), email.as_deref())?;
    Ok(found.filter(|found| !found.is_claimed()).map(Found::into_user))
}

/// Who a token says it is for; `None` where that is no name.
pub(super) fn subject(claims: Raw<'_>) -> Option<&str> {
    let subject = claims.get("sub").and_then(Raw::as_str);
    subject.filter(|subject| (1..=SUBJECT_BYTES_MAX).contains(&subject.len()))
}

/// A user that was found.
struct Found {
    user: User,
    /// The key of its address, where that is what it was found by.
    by_email: Option<String>,
}

impl Found {
    fn into_user(self) -> User {
        self.user
    }

    /// Whether it may be another one's who claimed the address.
    fn is_claimed(&self) -> bool {
        self.by_email.is_some() && !self.user.email_verified
    }
}

fn look(
    snapshot: &Snapshot,
    identity: Option<&ElseWhere>,
    email: Option<&str>,
) -> Result<Option<Found>> {
    if let Some(identity) = identity
        && let Some(row) = store::find_by(snapshot, USERS, "identities.key", &identity.key)?
    {
        return Ok(Some(Found { user: User::read(row.body())?, by_email: None }));
    }
    let Some(email) = email.map(email_key) else { return Ok(None) };
    let Some(row) = store::find_by(snapshot, USERS, "email_key", &email)? else { return Ok(None) };
    Ok(Some(Found { user: User::read(row.body())?, by_email: Some(email) }))
}

/// The end of a user's keys: whoever registered its address may have made them. Looks through all credentials, once for
/// such a user.
async fn keys_of(engine: &Engine, snapshot: Snapshot, user: &User) -> Result<Vec<Operation>> {
    let user = user.shown_id();
    let work = move || {
        let of_user = Some(("user", Value::String(user)));
        let found = store::list(&snapshot, CREDENTIALS, of_user, None, KEYS_MAX)?;
        let ids = found.rows.iter().filter_map(|found| found.row.body().get("_id")?.as_object_id());
        ids.map(|id| store::deleting(CREDENTIALS, store::document_id(id))).collect()
    };
    let done = engine.tasks().blocking(work).await;
    done.ok_or_else(|| Error::internal("reading the keys of a user panicked"))?
}

/// What of a user is not yet as the token says; `None` where all is.
fn change(
    engine: &Engine,
    found: &Found,
    identity: Option<&ElseWhere>,
    mapped: &Mapped,
) -> Option<Operation> {
    let user = &found.user;
    let is_new = |one: &&ElseWhere| !user.identities.iter().any(|known| known.key == one.key);
    let identity = identity.filter(is_new).cloned();
    let differs = mapped.data.iter().any(|(name, value)| user.data.get(name) != Some(value));
    if identity.is_none() && !differs && !found.is_claimed() {
        return None;
    }
    let (fresh, by_email, era) = (mapped.data.clone(), found.by_email.clone(), engine.new_id());
    let was_claimed = found.is_claimed();
    Some(changing(USERS, user.id, move |body| {
        let now = User::read(body)?;
        let claimed = by_email.is_some() && !now.email_verified;
        if claimed != was_claimed
            || by_email
                .as_ref()
                .is_some_and(|key| now.email.as_deref().map(email_key) != Some(key.clone()))
        {
            let message = "the address of the user was changed meanwhile";
            return Err(Error::new(ErrorKind::Conflict, "address_changed", message));
        }
        let mut data = now.data.clone();
        for (name, value) in &fresh {
            data.insert(name.clone(), value.clone());
        }
        let mut members = vec![("data", Some(Value::Object(data)))];
        if let Some(identity) = &identity
            && !now.identities.contains(identity)
        {
            let all = now.identities.iter().chain([identity]).map(ElseWhere::value).collect();
            members.push(("identities", Some(Value::Array(all))));
        }
        if claimed {
            members.push(("password", None));
            members.push(("email_verified", Some(Value::Bool(true))));
            // Its sessions are over.
            members.push(("era", Some(Value::ObjectId(era))));
        }
        Ok(with_members(body, members))
    }))
}

fn creation(
    id: [u8; 12],
    identity: Option<&ElseWhere>,
    email: Option<String>,
    mapped: &Mapped,
) -> Operation {
    let mut data = Object::new();
    for (name, value) in &mapped.data {
        data.insert(name.clone(), value.clone());
    }
    let identities = identity.into_iter().cloned().collect();
    // An address that nobody vouches for does not get here.
    let email_verified = email.is_some();
    let user = User { id, email, data, identities, email_verified, ..User::default() };
    store::creating(USERS, id, user.document())
}
