//! Base files: the state at a position from which views are rebuilt once the segments before it were dropped.
//!
//! ```text
//! header (96 bytes):  0 [8] "HWBASE\0\0"  8 u32 format version  12 u32 crc32c of the header with this field zero
//!                    16 [16] log id      32 u64 position       40 u64 time, ms
//!                    48 [32] chain digest at the position      80 zeros
//! entries:            u32 length, u32 crc32c of the bytes, the bytes
//! trailer (64 bytes): 0 [8] "HWBASEND"    8 u64 entries        16 u64 file length
//!                    24 [32] BLAKE3 of all before the trailer  56 u32 zero  60 u32 crc32c of bytes 0..60
//! ```
//! Guarantees: a base has its name only once it is whole and durable; a reader hands out entries only after it checked
//! the whole file. Leaves to others: what the entries are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::layout::{
    CHUNK_BYTES, Digest, FORMAT_VERSION, LOG_DIR, NameKind, array_at, base_name, damaged_at,
    damaged_file, name_kind, newer_format, put_u32, put_u64, temp_path, u32_at, u64_at,
};
use super::scan::Window;
use crate::error::{Error, Result};
use crate::fs::{File, FileSystem, OpenMode, SharedFileSystem};

const MAGIC: &[u8; 8] = b"HWBASE\0\0";
const END_MAGIC: &[u8; 8] = b"HWBASEND";
const HEADER_BYTES: usize = 96;
const TRAILER_BYTES: usize = 64;
const FRAME_BYTES: usize = 8;

/// Where in the log a base stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseHeader {
    /// The log it belongs to.
    pub log_id: [u8; 16],
    /// The position whose state it holds.
    pub position: u64,
    /// The chain digest at that position.
    pub digest: Digest,
    /// When it was written, UTC ms.
    pub time_ms: u64,
}

impl BaseHeader {
    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        put_u32(&mut bytes, 8, FORMAT_VERSION);
        bytes[16..32].copy_from_slice(&self.log_id);
        put_u64(&mut bytes, 32, self.position);
        put_u64(&mut bytes, 40, self.time_ms);
        bytes[48..80].copy_from_slice(&self.digest);
        let checksum = crc32c::crc32c(&bytes);
        put_u32(&mut bytes, 12, checksum);
        bytes
    }

    fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        let mut bytes: [u8; HEADER_BYTES] = array_at(bytes, 0);
        let checksum = u32_at(&bytes, 12);
        put_u32(&mut bytes, 12, 0);
        if &bytes[..8] != MAGIC || crc32c::crc32c(&bytes) != checksum {
            return Err(damaged_at("base_damaged", path, 0, "the base's header does not check"));
        }
        let version = u32_at(&bytes, 8);
        if version > FORMAT_VERSION {
            return Err(newer_format(path, version));
        }
        Ok(Self {
            log_id: array_at(&bytes, 16),
            position: u64_at(&bytes, 32),
            digest: array_at(&bytes, 48),
            time_ms: u64_at(&bytes, 40),
        })
    }
}

/// Writes a base; it comes into being with [`BaseWriter::finish`].
pub struct BaseWriter {
    fs: SharedFileSystem,
    dir: PathBuf,
    path: PathBuf,
    temp: PathBuf,
    file: Arc<dyn File>,
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    written: u64,
    entries: u64,
}

impl BaseWriter {
    pub(super) fn create(
        fs: SharedFileSystem,
        data_dir: &Path,
        header: &BaseHeader,
    ) -> Result<Self> {
        let dir = data_dir.join(LOG_DIR);
        let path = dir.join(base_name(header.position));
        let temp = temp_path(&path);
        match fs.remove(&temp) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("create", &temp, &error));
            }
            _ => {}
        }
        let file = fs
            .open(&temp, OpenMode::CreateNew)
            .map_err(|error| Error::io("create", &temp, &error))?;
        let buffer = header.encode().to_vec();
        let hasher = blake3::Hasher::new();
        Ok(Self { fs, dir, path, temp, file, hasher, buffer, written: 0, entries: 0 })
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: &[u8]) -> Result<()> {
        let len = u32::try_from(entry.len())
            .map_err(|_| Error::internal("an entry of a base is larger than 4 GiB"))?;
        self.buffer.extend_from_slice(&len.to_le_bytes());
        self.buffer.extend_from_slice(&crc32c::crc32c(entry).to_le_bytes());
        self.buffer.extend_from_slice(entry);
        self.entries += 1;
        if self.buffer.len() >= CHUNK_BYTES { self.flush() } else { Ok(()) }
    }

    /// Makes the base durable under its name.
    pub fn finish(mut self) -> Result<()> {
        self.flush()?;
        let mut trailer = [0; TRAILER_BYTES];
        trailer[..8].copy_from_slice(END_MAGIC);
        put_u64(&mut trailer, 8, self.entries);
        put_u64(&mut trailer, 16, self.written + TRAILER_BYTES as u64);
        trailer[24..56].copy_from_slice(self.hasher.finalize().as_bytes());
        let checksum = crc32c::crc32c(&trailer[..60]);
        put_u32(&mut trailer, 60, checksum);
        self.file
            .write_all_at(&trailer, self.written)
            .and_then(|()| self.file.sync_data())
            .and_then(|()| self.fs.rename(&self.temp, &self.path))
            .and_then(|()| self.fs.sync_dir(&self.dir))
            .map_err(|error| Error::io("write", &self.path, &error))
    }

    fn flush(&mut self) -> Result<()> {
        self.hasher.update(&self.buffer);
        self.file
            .write_all_at(&self.buffer, self.written)
            .map_err(|error| Error::io("write", &self.temp, &error))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// A base that was checked as a whole; gives its entries in order.
pub struct BaseReader {
    path: PathBuf,
    file: Arc<dyn File>,
    header: BaseHeader,
    entries: u64,
    end: u64,
}

impl BaseReader {
    /// Opens the base at `position` and checks every byte of it.
    pub fn open(fs: &dyn FileSystem, data_dir: &Path, position: u64) -> Result<Self> {
        let reader =
            Self::open_ends(fs, &data_dir.join(LOG_DIR).join(base_name(position)), position)?;
        reader.check_content()?;
        Ok(reader)
    }

    /// Opens a base and checks its header and trailer alone.
    pub(super) fn open_ends(fs: &dyn FileSystem, path: &Path, position: u64) -> Result<Self> {
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                damaged_file("base_missing", path, "the base is missing")
            }
            _ => Error::io("read", path, &error),
        };
        let file = fs.open(path, OpenMode::Read).map_err(failed)?;
        let len = file.len().map_err(failed)?;
        if len < (HEADER_BYTES + TRAILER_BYTES) as u64 {
            return Err(damaged_file("base_damaged", path, "the base is cut short"));
        }
        let mut bytes = [0; HEADER_BYTES];
        file.read_exact_at(&mut bytes, 0).map_err(failed)?;
        let header = BaseHeader::decode(&bytes, path)?;
        let end = len - TRAILER_BYTES as u64;
        let trailer = read_trailer(&*file, end).map_err(failed)?;
        let sound = &trailer[..8] == END_MAGIC
            && crc32c::crc32c(&trailer[..60]) == u32_at(&trailer, 60)
            && u64_at(&trailer, 16) == len
            && header.position == position;
        if !sound {
            return Err(damaged_at("base_damaged", path, end, "the base's end does not check"));
        }
        let entries = u64_at(&trailer, 8);
        Ok(Self { path: path.to_owned(), file, header, entries, end })
    }

    /// Where the base stands.
    pub fn header(&self) -> &BaseHeader {
        &self.header
    }

    /// How many entries it holds.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Calls `each` with every entry in order, until one fails.
    pub fn for_each(&self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut window = Window::new(Arc::clone(&self.file), &self.path, self.end);
        let mut offset = HEADER_BYTES as u64;
        for _ in 0..self.entries {
            let frame = window.get(offset, FRAME_BYTES)?;
            if frame.len() < FRAME_BYTES {
                return Err(self.flawed(offset));
            }
            let (len, checksum) = (u32_at(frame, 0) as usize, u32_at(frame, 4));
            if offset + (FRAME_BYTES + len) as u64 > self.end {
                return Err(self.flawed(offset));
            }
            let entry = &window.get(offset, FRAME_BYTES + len)?[FRAME_BYTES..];
            if crc32c::crc32c(entry) != checksum {
                return Err(self.flawed(offset));
            }
            each(entry)?;
            offset += (FRAME_BYTES + len) as u64;
        }
        if offset == self.end { Ok(()) } else { Err(self.flawed(offset)) }
    }

    /// Checks the digest over everything and the frames of all entries.
    pub(super) fn check_content(&self) -> Result<()> {
        let mut hasher = blake3::Hasher::new();
        let mut window = Window::new(Arc::clone(&self.file), &self.path, self.end);
        let mut offset = 0;
        while offset < self.end {
            let piece = window.get(offset, CHUNK_BYTES)?;
            hasher.update(piece);
            offset += piece.len() as u64;
        }
        let trailer = read_trailer(&*self.file, self.end)
            .map_err(|error| Error::io("read", &self.path, &error))?;
        if hasher.finalize().as_bytes() != &array_at::<32>(&trailer, 24) {
            return Err(damaged_file("base_damaged", &self.path, "the base's digest differs"));
        }
        self.for_each(|_| Ok(()))
    }

    fn flawed(&self, offset: u64) -> Error {
        damaged_at("base_damaged", &self.path, offset, "an entry of the base does not check")
    }
}

fn read_trailer(file: &dyn File, end: u64) -> std::io::Result<[u8; TRAILER_BYTES]> {
    let mut trailer = [0; TRAILER_BYTES];
    file.read_exact_at(&mut trailer, end)?;
    Ok(trailer)
}

/// Positions of the base files in a data directory, ascending; nothing about them is checked.
pub fn base_positions(fs: &dyn FileSystem, data_dir: &Path) -> Result<Vec<u64>> {
    let dir = data_dir.join(LOG_DIR);
    let names = fs.list(&dir).map_err(|error| Error::io("list", &dir, &error))?;
    let position = |name: &String| match name_kind(name) {
        NameKind::Base(position) => Some(position),
        _ => None,
    };
    Ok(names.iter().filter_map(position).collect())
}
