//! The head file: how far the log is known to reach, kept apart from the segments so that a log cut short is noticed.
//!
//! Two pages of 4 KiB, written in place by turns (generation modulo 2), each synced before the next:
//! ```text
//!  0 [8] "HWHEAD\0\0"  8 u32 format version  12 u32 crc32c of the page with this field zero
//! 16 [16] log id      32 u64 generation      40 u64 position   48 [32] chain digest at the position
//! 80 u32 flags: 1 clean stop, 2 segments were created   84 u32 zero   88 [16] epoch  104 u64 epoch start
//! ```
//! Guarantees: a torn write of one page leaves the other. Leaves to others: when to write ([`super::HeadKeeper`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::layout::{
    Digest, FORMAT_VERSION, HEAD_NAME, HEAD_TEMP_NAME, PAGE_BYTES, array_at, damaged_file,
    newer_format, put_u32, put_u64, u32_at, u64_at,
};
use crate::error::{Error, Result};
use crate::fs::{File, FileSystem, OpenMode};

const MAGIC: &[u8; 8] = b"HWHEAD\0\0";
const FLAG_CLEAN: u32 = 1;
const FLAG_STARTED: u32 = 2;
const FILE_BYTES: u64 = 2 * PAGE_BYTES;

/// Which history positions belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// The identity of this history.
    pub id: [u8; 16],
    /// The position after which this epoch's own events begin.
    pub start: u64,
}

/// What a head slot says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeadState {
    pub(super) log_id: [u8; 16],
    pub(super) generation: u64,
    pub(super) position: u64,
    pub(super) digest: Digest,
    pub(super) clean: bool,
    pub(super) started: bool,
    pub(super) epoch: Epoch,
}

enum Slot {
    Good(HeadState),
    Bad,
    Newer(u32),
}

impl HeadState {
    fn encode(&self) -> Vec<u8> {
        let mut page = vec![0; PAGE_BYTES as usize];
        page[..8].copy_from_slice(MAGIC);
        put_u32(&mut page, 8, FORMAT_VERSION);
        page[16..32].copy_from_slice(&self.log_id);
        put_u64(&mut page, 32, self.generation);
        put_u64(&mut page, 40, self.position);
        page[48..80].copy_from_slice(&self.digest);
        let clean = if self.clean { FLAG_CLEAN } else { 0 };
        let started = if self.started { FLAG_STARTED } else { 0 };
        put_u32(&mut page, 80, clean | started);
        page[88..104].copy_from_slice(&self.epoch.id);
        put_u64(&mut page, 104, self.epoch.start);
        let checksum = crc32c::crc32c(&page);
        put_u32(&mut page, 12, checksum);
        page
    }

    fn decode(page: &mut [u8]) -> Slot {
        let checksum = u32_at(page, 12);
        put_u32(page, 12, 0);
        if &page[..8] != MAGIC || crc32c::crc32c(page) != checksum {
            return Slot::Bad;
        }
        let version = u32_at(page, 8);
        if version > FORMAT_VERSION {
            return Slot::Newer(version);
        }
        let flags = u32_at(page, 80);
        Slot::Good(Self {
            log_id: array_at(page, 16),
            generation: u64_at(page, 32),
            position: u64_at(page, 40),
            digest: array_at(page, 48),
            clean: flags & FLAG_CLEAN != 0,
            started: flags & FLAG_STARTED != 0,
            epoch: Epoch { id: array_at(page, 88), start: u64_at(page, 104) },
        })
    }

    /// A whole head file in this state: both slots.
    pub(super) fn encode_file(mut self) -> Vec<u8> {
        self.generation = self.generation.next_multiple_of(2);
        let mut bytes = self.encode();
        self.generation += 1;
        bytes.extend_from_slice(&self.encode());
        bytes
    }
}

/// Reads the head of `data_dir`; `None` where there is no such file.
pub(super) fn read(fs: &dyn FileSystem, data_dir: &Path) -> Result<Option<HeadState>> {
    let path = data_dir.join(HEAD_NAME);
    let file = match fs.open(&path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("open", &path, &error)),
    };
    let failed = |error| Error::io("read", &path, &error);
    if file.len().map_err(failed)? != FILE_BYTES {
        return Err(damaged_file("head_damaged", &path, "the head file has a wrong length"));
    }
    let mut bytes = vec![0; FILE_BYTES as usize];
    file.read_exact_at(&mut bytes, 0).map_err(failed)?;
    let (first, second) = bytes.split_at_mut(PAGE_BYTES as usize);
    let newest = match (HeadState::decode(first), HeadState::decode(second)) {
        (Slot::Newer(version), _) | (_, Slot::Newer(version)) => {
            return Err(newer_format(&path, version));
        }
        (Slot::Bad, Slot::Bad) => {
            return Err(damaged_file(
                "head_damaged",
                &path,
                "neither slot of the head file checks",
            ));
        }
        (Slot::Good(one), Slot::Bad) | (Slot::Bad, Slot::Good(one)) => one,
        (Slot::Good(a), Slot::Good(b)) if a.log_id != b.log_id => {
            return Err(damaged_file("head_damaged", &path, "the slots name different logs"));
        }
        (Slot::Good(a), Slot::Good(b)) => {
            if a.generation >= b.generation {
                a
            } else {
                b
            }
        }
    };
    Ok(Some(newest))
}

/// The head file, open for writing.
pub(super) struct HeadFile {
    file: Arc<dyn File>,
    path: PathBuf,
    state: HeadState,
}

impl HeadFile {
    /// Creates the head file durably.
    pub(super) fn create(fs: &dyn FileSystem, data_dir: &Path, state: HeadState) -> Result<()> {
        let path = data_dir.join(HEAD_NAME);
        let temp = data_dir.join(HEAD_TEMP_NAME);
        let failed = |error: std::io::Error| Error::io("create", &path, &error);
        match fs.remove(&temp) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
        let file = fs.open(&temp, OpenMode::CreateNew).map_err(failed)?;
        file.write_all_at(&state.encode_file(), 0).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        fs.rename(&temp, &path).map_err(failed)?;
        fs.sync_dir(data_dir).map_err(failed)
    }

    pub(super) fn open(fs: &dyn FileSystem, data_dir: &Path, state: HeadState) -> Result<Self> {
        let path = data_dir.join(HEAD_NAME);
        let file = fs
            .open(&path, OpenMode::ReadWrite)
            .map_err(|error| Error::io("open", &path, &error))?;
        Ok(Self { file, path, state })
    }

    pub(super) fn state(&self) -> &HeadState {
        &self.state
    }

    /// Writes the slot whose turn it is, and syncs. After an error this handle must not be used again.
    pub(super) fn write(&mut self, state: HeadState) -> Result<()> {
        let state = HeadState { generation: self.state.generation + 1, ..state };
        let offset = (state.generation % 2) * PAGE_BYTES;
        self.file
            .write_all_at(&state.encode(), offset)
            .and_then(|()| self.file.sync_data())
            .map_err(|error| Error::io("write", &self.path, &error))?;
        self.state = state;
        Ok(())
    }
}
