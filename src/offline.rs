//! Work on a stopped data directory: verify, rebuild, backup, restore.
//!
//! Guarantees: each takes the directory's lock, and gives the same result as the server's job of that name.
//! A placeholder: the engine is called here once it can do this.

use std::path::Path;

use serde_json::Value;

/// Checks the log's chain, the head, and the views against the fold of the log.
pub(crate) fn verify(directory: &Path) -> anyhow::Result<Value> {
    missing("verify", directory)
}

/// Makes the views anew.
pub(crate) fn rebuild(directory: &Path) -> anyhow::Result<Value> {
    missing("rebuild", directory)
}

/// Writes a consistent copy to the file `output`.
pub(crate) fn backup(directory: &Path, output: &Path) -> anyhow::Result<Value> {
    let _ = output;
    missing("backup", directory)
}

/// Makes the empty directory a data directory from the backup `input`.
pub(crate) fn restore(directory: &Path, input: &Path) -> anyhow::Result<Value> {
    let _ = input;
    missing("restore", directory)
}

fn missing(what: &str, directory: &Path) -> anyhow::Result<Value> {
    anyhow::bail!("this build can't {what} the stopped directory {} yet", directory.display())
}
