//! Checking a tree's manifest before the tree is opened.
//!
//! lsm-tree 3.1.10 writes the checksum of its manifest (`vN`) into its `current` file, but does not look at it when it
//! opens: a flipped bit in the manifest can hide a table, and with it documents (found by the damage test).
//! Layout of `current`, little endian: number of the manifest u64, its XXH3-128 u128, kind of checksum u8 (0).
//! Guarantees: a manifest that passes is the one that was written. Leaves to others: the tables, whose blocks carry
//! checksums of their own.

use std::fs;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

const CURRENT_BYTES: usize = 8 + 16 + 1;

/// Why a tree's folder must not be opened, if so.
pub(super) fn flaw(folder: &Path) -> Option<&'static str> {
    let Ok(current) = fs::read(folder.join("current")) else {
        // The tree would open as an empty one.
        return Some("is missing");
    };
    let Some((number, checksum)) = decode(&current) else {
        return Some("has a damaged `current` file");
    };
    match fs::read(folder.join(format!("v{number}"))) {
        Ok(manifest) if xxh3_128(&manifest) == checksum => None,
        Ok(_) => Some("has a damaged manifest"),
        Err(_) => Some("has no manifest"),
    }
}

fn decode(current: &[u8]) -> Option<(u64, u128)> {
    if current.len() != CURRENT_BYTES || current.last() != Some(&0) {
        return None;
    }
    let number = current.first_chunk::<8>().map(|number| u64::from_le_bytes(*number))?;
    let checksum = current.get(8..24)?.try_into().ok().map(u128::from_le_bytes)?;
    Some((number, checksum))
}
