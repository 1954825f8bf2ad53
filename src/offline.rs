//! Work on a stopped data directory: verify, rebuild, backup, restore.
//!
//! Guarantees: each takes the directory's lock, and gives the same result as the server's job of that name.

use std::path::Path;

use headwater_engine::log::LogOptions;
use headwater_engine::view::Progress;
use headwater_engine::{BackedUp, Verified};
use serde_json::{Value, json};

/// Checks the log's chain, the head, and the views against the fold of the log.
pub(crate) fn verify(directory: &Path) -> anyhow::Result<Value> {
    let verified = headwater_engine::offline::verify(directory, &Progress::default())?;
    Ok(verified_json(&verified))
}

/// Makes the views anew.
pub(crate) fn rebuild(directory: &Path) -> anyhow::Result<Value> {
    let position = headwater_engine::offline::rebuild(directory, &Progress::default())?;
    Ok(json!({ "position": position }))
}

/// Writes a consistent copy to the file `output`.
pub(crate) fn backup(directory: &Path, output: &Path) -> anyhow::Result<Value> {
    let written = headwater_engine::offline::backup(directory, output, &Progress::default())?;
    Ok(backed_up_json(written))
}

/// Makes the empty directory a data directory from the backup `input`.
pub(crate) fn restore(directory: &Path, input: &Path) -> anyhow::Result<Value> {
    let restored = headwater_engine::restore(directory, input, LogOptions::default())?;
    Ok(backed_up_json(restored))
}

fn verified_json(verified: &Verified) -> Value {
    json!({
        "ok": true,
        "position": verified.position,
        "events": verified.events,
        "view_entries": verified.views.entries,
        "view_digest": verified.views.digest,
    })
}

fn backed_up_json(backed_up: BackedUp) -> Value {
    json!({ "position": backed_up.position, "bytes": backed_up.bytes })
}
