//! The bytes' common ground: sizes, names of files, little-endian access, errors about damaged files.
//!
//! Leaves to others: the meaning of each structure, which stands beside its type (`header`, `record`, `trailer`,
//! `head`, `base`).

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::fs::File;

/// A BLAKE3 digest: of the chain up to and including a record, or of a record's erasable part.
pub type Digest = [u8; 32];

/// The newest format this build reads and writes; every file of the log carries it.
pub const FORMAT_VERSION: u32 = 1;

/// Size of a segment's header page and of each slot of the head file.
pub(super) const PAGE_BYTES: u64 = 4096;
/// Records start at multiples of this.
pub(super) const ALIGNMENT: usize = 8;
/// Largest group, bytes: offsets inside a block are 32-bit.
pub(super) const GROUP_BYTES_MAX: usize = 1 << 30;
/// Size of the pieces in which files are copied, zeroed and scanned.
pub(super) const CHUNK_BYTES: usize = 1 << 20;

pub(super) const HEAD_NAME: &str = "head";
pub(super) const HEAD_TEMP_NAME: &str = "head.tmp";
pub(super) const LOCK_NAME: &str = "lock";
pub(super) const LOG_DIR: &str = "log";
pub(super) const PREPARED_NAME: &str = "next.tmp";
const SEGMENT_SUFFIX: &str = ".log";
const BASE_SUFFIX: &str = ".base";
const TEMP_SUFFIX: &str = ".tmp";

pub(super) fn segment_name(first_position: u64) -> String {
    format!("{first_position:020}{SEGMENT_SUFFIX}")
}

pub(super) fn base_name(position: u64) -> String {
    format!("{position:020}{BASE_SUFFIX}")
}

pub(super) fn temp_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMP_SUFFIX);
    PathBuf::from(name)
}

/// What a name in `DATA/log` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameKind {
    Segment(u64),
    Base(u64),
    Temporary,
    Other,
}

pub(super) fn name_kind(name: &str) -> NameKind {
    let number = |stem: &str| {
        let digits = stem.len() == 20 && stem.bytes().all(|b| b.is_ascii_digit());
        if digits { stem.parse().ok() } else { None }
    };
    if name.ends_with(TEMP_SUFFIX) {
        NameKind::Temporary
    } else if let Some(first) = name.strip_suffix(SEGMENT_SUFFIX).and_then(number) {
        NameKind::Segment(first)
    } else if let Some(position) = name.strip_suffix(BASE_SUFFIX).and_then(number) {
        NameKind::Base(position)
    } else {
        NameKind::Other
    }
}

pub(super) fn align(len: usize) -> usize {
    len.next_multiple_of(ALIGNMENT)
}

pub(super) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

pub(super) fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

pub(super) fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// Writes zeros over `[from, to)`.
pub(super) fn write_zeros(file: &dyn File, from: u64, to: u64) -> std::io::Result<()> {
    let zeros =
        vec![0; CHUNK_BYTES.min(usize::try_from(to.saturating_sub(from)).unwrap_or(CHUNK_BYTES))];
    let mut offset = from;
    while offset < to {
        let piece = zeros.len().min(usize::try_from(to - offset).unwrap_or(zeros.len()));
        file.write_all_at(&zeros[..piece], offset)?;
        offset += piece as u64;
    }
    Ok(())
}

/// Writes `[from, to)` again with the bytes it reads as, from one handle to another.
pub(super) fn rewrite(old: &dyn File, new: &dyn File, from: u64, to: u64) -> std::io::Result<()> {
    let mut bytes = vec![0; CHUNK_BYTES];
    let mut offset = from;
    while offset < to {
        let len = CHUNK_BYTES.min(usize::try_from(to - offset).unwrap_or(CHUNK_BYTES));
        old.read_exact_at(&mut bytes[..len], offset)?;
        new.write_all_at(&bytes[..len], offset)?;
        offset += len as u64;
    }
    Ok(())
}

const REMEDY: &str = "nothing was changed; restore from a backup";

/// Damage in `path` at `offset`.
pub(super) fn damaged_at(code: &'static str, path: &Path, offset: u64, what: &str) -> Error {
    let message = format!("{} is damaged at offset {offset}: {what}; {REMEDY}", path.display());
    Error::damaged(code, message).with("file", path.display().to_string()).with("offset", offset)
}

/// Damage of a file as a whole, or one that is missing.
pub(super) fn damaged_file(code: &'static str, path: &Path, what: &str) -> Error {
    let message = format!("{}: {what}; {REMEDY}", path.display());
    Error::damaged(code, message).with("file", path.display().to_string())
}

/// A file of a format that this build does not know.
pub(super) fn newer_format(path: &Path, version: u32) -> Error {
    let message = format!(
        "{} has format {version}, this build reads up to {FORMAT_VERSION}; use a newer build, nothing was changed",
        path.display()
    );
    Error::damaged("newer_format", message).with("file", path.display().to_string())
}
