//! RestDB.io's REST interface, `/rest`, and its `/realtime`: what programs written for it send, translated into the session's operations.
//!
//! Guarantees: every answer is JSON (or the markup that was asked for), every refusal has a `message`.
//! Leaves to others: what an operation means (the session, the engine). `docs/compat/restdb.md` has what is there and where
//! it differs.

mod auth;
mod body;
mod children;
mod deletions;
mod documents;
mod doubles;
mod entry;
mod export;
mod import;
mod jsapi;
mod list;
mod markup;
mod meta;
mod payload;
mod query;
mod realtime;
mod refusal;
mod relations;
mod system;
mod writing;

use crate::router::Routes;

pub(crate) use entry::{enter, rules, serves};
pub(crate) use payload::Payload;
pub(crate) use refusal::refusal;

/// What the paths of collections begin with.
const PREFIX: &str = "/rest";

/// Every route of the face.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(list::routes())
        .with(documents::routes())
        .with(meta::routes())
        .with(jsapi::routes())
        .with(realtime::routes())
        .with(deletions::routes())
        .with(children::routes())
        .with(auth::routes())
}
