//! The end of a user's sessions: those of another era than the user's are over, and their documents are removed.
//!
//! Guarantees: what is to end has ended with the commit that gave the user another era; documents that are left of it
//! allow nothing, also where there are more than one command removes, or one was refreshed meanwhile.
//! Leaves to others: giving the user another era ([`super::users`], logins of other issuers), looking at it (`people`).

use std::sync::Arc;

use headwater_engine::query::find::Place;
use headwater_engine::value::{Raw, Value, object_id};
use headwater_engine::write::Operation;
use headwater_engine::{Engine, Result};

use super::blocking;
use super::users::write;
use crate::auth::people::session::StoredSession;
use crate::auth::people::store::{self, SESSIONS, USERS};
use crate::auth::people::user::User;

/// Sessions ended by one command.
const BATCH: usize = 1000;

/// The removal of a user's first sessions, to go into the commit that ends them all.
pub(super) async fn endings(
    engine: &Engine,
    user: [u8; 12],
    except: Option<[u8; 12]>,
) -> Result<Vec<Operation>> {
    let page = page(engine, user, None, move |id, _| Some(id) != except).await?;
    Ok(page.operations)
}

/// Removes what is left of a user's sessions that are over.
pub(super) async fn end_sessions(engine: &Engine, actor: &Arc<str>, user: [u8; 12]) -> Result<()> {
    let row = store::by_id(&engine.snapshot(), USERS, &object_id::format(&user))?;
    let holder = row.map(|row| User::read(row.body())).transpose()?;
    let era = holder.filter(|holder| !holder.disabled).map(|holder| holder.era);
    let mut after = None;
    loop {
        let page = page(engine, user, after, move |_, session| era != Some(session.era)).await?;
        if !page.operations.is_empty() {
            write(engine, actor, page.operations).await?;
        }
        if page.next.is_none() {
            return Ok(());
        }
        after = page.next;
    }
}

/// Some of a user's sessions.
struct Page {
    /// The removal of those that are to end.
    operations: Vec<Operation>,
    /// Where the next page begins, if there is one.
    next: Option<Place>,
}

async fn page(
    engine: &Engine,
    user: [u8; 12],
    after: Option<Place>,
    ends: impl Fn([u8; 12], &StoredSession) -> bool + Send + 'static,
) -> Result<Page> {
    let snapshot = engine.snapshot();
    blocking(engine, move || {
        let of_user = Some(("user", Value::ObjectId(user)));
        let found = store::list(&snapshot, SESSIONS, of_user, after.as_ref(), BATCH)?;
        let mut operations = Vec::new();
        for found in &found.rows {
            let body = found.row.body();
            let Some(id) = body.get("_id").and_then(Raw::as_object_id) else { continue };
            if ends(id, &StoredSession::read(body)?) {
                operations.push(store::deleting(SESSIONS, store::document_id(id))?);
            }
        }
        let next = found.rows.last().filter(|_| found.more).map(|last| last.place.clone());
        Ok(Page { operations, next })
    })
    .await
}
