//! RestDB.io's REST interface, `/rest`: what programs written for it send, translated into the session's operations.
//!
//! Guarantees: every answer is JSON (or the markup that was asked for), every refusal has a `message`.
//! Leaves to others: what an operation means (the session, the engine). `docs/compat/restdb.md` has what is there and where
//! it differs.

mod auth;
mod body;
mod documents;
mod doubles;
mod entry;
mod list;
mod markup;
mod query;
mod refusal;
mod system;
mod writing;

use crate::router::Routes;

pub(crate) use entry::{enter, serves};
pub(crate) use refusal::refusal;

/// Every route of the face.
pub(crate) fn routes() -> Routes {
    Routes::new().with(list::routes()).with(documents::routes()).with(auth::routes())
}
