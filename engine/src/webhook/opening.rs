//! The store of deliveries at the start: whether it belongs here, and what to do without one.

use std::sync::Arc;

use super::options::MissingStore;
use super::registration::Registration;
use super::registry::Registry;
use super::store::{Op, StoreWriter};
use crate::error::{Error, Result};

/// The folder of the store in the data directory.
pub(super) const FOLDER: &str = "deliveries";

/// What a new store begins with. Registered webhooks without a store mean that it was lost.
pub(super) fn begin_store(registry: &Registry, missing: MissingStore, end: u64) -> Result<Vec<Op>> {
    let (webhooks, _) = registry.all();
    if webhooks.is_empty() {
        return Ok(Vec::new());
    }
    if missing == MissingStore::Refuse {
        return Err(Error::damaged(
            "deliveries_missing",
            format!(
                "{} webhooks are registered, but `{FOLDER}/` in the data directory holds no journal; restore it from \
                 a backup, or set webhooks.missing_store to \"from_start\" (everything since each webhook's start is \
                 delivered again) or \"from_end\" (what was outstanding is not delivered)",
                webhooks.len()
            ),
        ));
    }
    let cursor = |registration: &Registration| match missing {
        MissingStore::FromEnd => end,
        MissingStore::Refuse | MissingStore::FromStart => registration.start,
    };
    let ops = webhooks.iter().map(|(id, registered)| Op::Cursor {
        webhook: Arc::clone(id),
        cursor: cursor(&registered.registration),
        skipped_to: registered.registration.skip_to.unwrap_or(0),
        failing_since_ms: None,
    });
    Ok(ops.collect())
}

/// A store that speaks of events that the log does not have is of another time.
pub(super) fn check_not_ahead(store: &StoreWriter, end: u64) -> Result<()> {
    let furthest = store.state().furthest();
    if furthest <= end {
        return Ok(());
    }
    Err(Error::damaged(
        "deliveries_ahead",
        format!(
            "`{FOLDER}/` speaks of position {furthest}, but the log ends at {end}: they are not of the same time; \
             restore both from one backup"
        ),
    ))
}
