//! RestDB.io's interfaces: `/rest`, `/realtime`, `/auth/*`, the scripts of its JavaScript API and its form of webhooks. What
//! programs written for them send is translated into the session's operations.
//!
//! Guarantees: an answer is JSON unless something else was asked for (markup, CSV, a document a line, a stream, a script);
//! every refusal is JSON and has a `message`.
//! Leaves to others: what an operation means (the session, the engine). `docs/compat/restdb.md` has what is there and where
//! it differs.

mod answer;
mod auth;
mod body;
mod children;
mod deletions;
mod documents;
mod duplicate_members;
mod entry;
mod export;
mod import;
mod jsapi;
mod list;
mod markup;
mod meta;
mod paths;
mod payload;
mod query;
mod realtime;
mod refusal;
mod relations;
mod system;

use crate::router::Routes;

pub(crate) use entry::{enter, plain, rules, serves};
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
