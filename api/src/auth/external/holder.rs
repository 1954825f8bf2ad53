//! The user whom a token of another issuer stands for: found, told what the token says of it, or made.
//!
//! Guarantees: one identity is one user, by a unique index, however many requests come at once; what is written already is
//! not written again.
//! Leaves to others: whether the token is good.

use std::sync::Arc;

use headwater_engine::value::{Object, Raw, Value};
use headwater_engine::view::Snapshot;
use headwater_engine::write::{Command, Operation};
use headwater_engine::{Engine, ErrorKind, Result};

use super::claims::Mapped;
use super::provider::Provider;
use crate::audit::Entry;
use crate::auth::people::prepare;
use crate::auth::people::store::{self, USERS, changing, with_members};
use crate::auth::people::user::{ElseWhere, User, checked_email, email_key};
use crate::session::audit_entries;

/// Tries while others write the same user.
const TRIES: usize = 4;
/// Most bytes of a subject.
const SUBJECT_BYTES_MAX: usize = 1024;

/// The user, if there is or comes to be one.
pub(super) async fn find(
    engine: &Engine,
    provider: &Provider,
    claims: Raw<'_>,
    mapped: &Mapped,
) -> Result<Option<User>> {
    let subject = claims.get("sub").and_then(Raw::as_str);
    let subject = subject.filter(|subject| (1..=SUBJECT_BYTES_MAX).contains(&subject.len()));
    let identity =
        subject.map(|sub| ElseWhere::new(&provider.name, provider.issuer.as_deref(), sub));
    let vouched = claims.get("email_verified").and_then(Raw::as_bool) != Some(false);
    let email = mapped.email.as_deref().and_then(checked_email).filter(|_| vouched);
    for _ in 0..TRIES {
        let found = look(&engine.snapshot(), identity.as_ref(), email.as_deref())?;
        let operation = match &found {
            Some(user) if user.disabled => return Ok(found),
            Some(user) => match change(user, identity.as_ref(), mapped) {
                Some(operation) => operation,
                None => return Ok(found),
            },
            None if !provider.create_users => return Ok(None),
            None => creation(engine.new_id(), identity.as_ref(), email.clone(), mapped),
        };
        prepare(engine).await?;
        let actor: Arc<str> = Arc::from(format!("provider:{}", provider.name));
        let by = Entry { actor: Some(Arc::clone(&actor)), ..Entry::default() };
        let mut operations = vec![operation];
        let entries = audit_entries(engine, &operations, &by);
        operations.extend(entries);
        match engine.write(Command { operations, actor, request: None, guard: None }).await {
            Ok(_) => {}
            // Somebody else was faster: look again.
            Err(error) if [ErrorKind::Conflict, ErrorKind::NotFound].contains(&error.kind()) => {}
            Err(error) => return Err(error),
        }
    }
    look(&engine.snapshot(), identity.as_ref(), email.as_deref())
}

fn look(
    snapshot: &Snapshot,
    identity: Option<&ElseWhere>,
    email: Option<&str>,
) -> Result<Option<User>> {
    if let Some(identity) = identity
        && let Some(row) = store::find_by(snapshot, USERS, "identities.key", &identity.key)?
    {
        return User::read(row.body()).map(Some);
    }
    let Some(email) = email else { return Ok(None) };
    let row = store::find_by(snapshot, USERS, "email_key", &email_key(email))?;
    row.map(|row| User::read(row.body())).transpose()
}

/// What of a user is not yet as the token says; `None` where all is.
fn change(user: &User, identity: Option<&ElseWhere>, mapped: &Mapped) -> Option<Operation> {
    let is_new = |one: &&ElseWhere| !user.identities.iter().any(|known| known.key == one.key);
    let identity = identity.filter(is_new).cloned();
    let differs = mapped.data.iter().any(|(name, value)| user.data.get(name) != Some(value));
    if identity.is_none() && !differs {
        return None;
    }
    let fresh = mapped.data.clone();
    Some(changing(USERS, user.id, move |body| {
        let now = User::read(body)?;
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
    let user = User { id, email, data, identities, ..User::default() };
    store::creating(USERS, id, user.document())
}
