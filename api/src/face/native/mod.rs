//! The native face, `/v1`: one file per resource.

mod admin;
mod body;
mod by_filter;
mod channels;
mod collections;
mod credentials;
mod documents;
mod events;
mod explain;
mod following;
mod health;
mod indexes;
mod list;
mod live;
mod metrics;
mod named;
mod openapi;
mod openapi_access;
mod openapi_collections;
mod openapi_people;
mod openapi_table;
mod query;
mod replays;
mod sessions;
mod socket;
mod tokens;
mod transactions;
mod user_keys;
mod users;
mod webhooks;

use std::path::Path;

use crate::router::Routes;

/// Every route of the face.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(health::routes())
        .with(documents::routes())
        .with(query::routes())
        .with(by_filter::routes())
        .with(indexes::routes())
        .with(transactions::routes())
        .with(collections::routes())
        .with(events::routes())
        .with(channels::routes())
        .with(live::routes())
        .with(socket::routes())
        .with(credentials::routes())
        .with(user_keys::routes())
        .with(tokens::routes())
        .with(named::routes())
        .with(users::routes())
        .with(sessions::routes())
        .with(webhooks::routes())
        .with(replays::routes())
        .with(admin::routes())
        .with(explain::routes())
        .with(metrics::routes())
        .with(openapi::routes())
}

/// Removes backups that nobody fetched before the last stop.
pub(crate) fn remove_old_backups(data: &Path) {
    let folder = admin::backups(data);
    if folder.exists()
        && let Err(error) = std::fs::remove_dir_all(&folder)
    {
        tracing::warn!(%error, folder = %folder.display(), "old backups could not be removed");
    }
}
