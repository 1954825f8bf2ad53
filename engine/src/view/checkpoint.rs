//! The checkpoint: from which position the views must be applied again after a start.
//!
//! Guarantees: a checkpoint is written (to a temporary file, synced, renamed, directory synced) only after every tree
//! holds everything up to its position in durable tables; a damaged or missing one means that the views are rebuilt.
//! Layout: magic with the format's number, length of the body u64, MessagePack of the state, BLAKE3 of all before it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::apply::{ApplierState, Counters};
use super::collections::Collections;
use super::keys::CollectionId;
use crate::error::{Error, Result};
use crate::fs::{FileSystem, OpenMode};

const MAGIC: &[u8; 8] = b"HWCHECK1";
const FILE: &str = "checkpoint";

#[derive(Serialize, Deserialize)]
struct Stored {
    position: u64,
    base: u64,
    time_ms: u64,
    highest: CollectionId,
    collections: Vec<serde_bytes::ByteBuf>,
    counters: Vec<(CollectionId, Counters)>,
    #[serde(with = "serde_bytes")]
    log_id: Vec<u8>,
}

/// Writes the checkpoint of a generation of views.
pub(crate) fn write(
    fs: &dyn FileSystem,
    dir: &Path,
    log_id: &[u8],
    state: &ApplierState,
) -> Result<()> {
    let mut counters: Vec<_> = state.counters.iter().map(|(n, c)| (*n, *c)).collect();
    counters.sort_unstable_by_key(|(number, _)| *number);
    let stored = Stored {
        position: state.position,
        base: state.base,
        time_ms: state.time_ms,
        highest: state.collections.highest(),
        collections: state
            .collections
            .iter()
            .map(|collection| serde_bytes::ByteBuf::from(collection.definition.to_vec()))
            .collect(),
        counters,
        log_id: log_id.to_vec(),
    };
    let body = rmp_serde::to_vec(&stored)
        .map_err(|error| Error::internal(format!("encode checkpoint: {error}")))?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&body);
    let digest = blake3::hash(&bytes);
    bytes.extend_from_slice(digest.as_bytes());
    replace(fs, dir, FILE, &bytes)
}

/// Replaces a small file atomically and durably.
pub(crate) fn replace(fs: &dyn FileSystem, dir: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let temporary = dir.join(format!("{name}.tmp"));
    let target = dir.join(name);
    let attempt = || -> std::io::Result<()> {
        if fs.exists(&temporary)? {
            fs.remove(&temporary)?;
        }
        let file = fs.open(&temporary, OpenMode::CreateNew)?;
        file.write_all_at(bytes, 0)?;
        file.sync_data()?;
        fs.rename(&temporary, &target)?;
        fs.sync_dir(dir)
    };
    attempt().map_err(|error| Error::io("write", &target, &error))
}

/// Reads the checkpoint; `None` if there is none or it cannot be trusted, so that the views are rebuilt.
pub(crate) fn read(fs: &dyn FileSystem, dir: &Path, log_id: &[u8]) -> Option<ApplierState> {
    let stored = load(fs, dir)?;
    if stored.log_id != log_id {
        tracing::warn!(folder = %dir.display(), "the checkpoint is of another log; the views are rebuilt");
        return None;
    }
    decode(stored)
}

/// The position of a checkpoint and of the base under its history, if there is one that can be trusted.
pub(crate) fn place(fs: &dyn FileSystem, dir: &Path) -> Option<(u64, u64)> {
    load(fs, dir).map(|stored| (stored.position, stored.base))
}

fn load(fs: &dyn FileSystem, dir: &Path) -> Option<Stored> {
    let path = dir.join(FILE);
    let file = fs.open(&path, OpenMode::Read).ok()?;
    let mut bytes = vec![0; usize::try_from(file.len().ok()?).ok()?];
    file.read_exact_at(&mut bytes, 0).ok()?;
    let stored = verified(&bytes).and_then(|body| rmp_serde::from_slice(body).ok());
    if stored.is_none() {
        tracing::warn!(file = %path.display(), "checkpoint unreadable; the views are rebuilt");
    }
    stored
}

fn verified(bytes: &[u8]) -> Option<&[u8]> {
    let (body, digest) = bytes.split_last_chunk::<32>()?;
    let intact = blake3::hash(body).as_bytes() == digest && body.starts_with(MAGIC);
    if intact { body.get(16..) } else { None }
}

fn decode(stored: Stored) -> Option<ApplierState> {
    let mut collections = Collections::default();
    collections.raise_highest(stored.highest);
    for definition in stored.collections {
        collections.define(definition.into_vec().into()).ok()?;
    }
    Some(ApplierState {
        position: stored.position,
        base: stored.base,
        time_ms: stored.time_ms,
        collections,
        counters: stored.counters.into_iter().collect(),
    })
}
