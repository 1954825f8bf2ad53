//! A segment's first page: which log it belongs to and where in the chain it starts.
//!
//! ```text
//!  0 [8] "HWSEGMNT"    8 u32 format version   12 u32 crc32c of the page with this field zero
//! 16 [16] log id      32 u32 secret of the log's checksums   36 u32 zero
//! 40 u64 first position   48 u64 created, ms   56 [32] chain digest before the first position   88 zeros to 4096
//! ```

use std::path::Path;

use super::layout::{
    Digest, FORMAT_VERSION, PAGE_BYTES, array_at, damaged_at, damaged_file, newer_format, put_u32,
    put_u64, u32_at, u64_at,
};
use crate::error::{Error, Result};
use crate::fs::File;

const MAGIC: &[u8; 8] = b"HWSEGMNT";

/// The decoded first page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) log_id: [u8; 16],
    pub(super) secret: u32,
    pub(super) first_position: u64,
    pub(super) created_ms: u64,
    pub(super) digest_before: Digest,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut page = vec![0; PAGE_BYTES as usize];
        page[..8].copy_from_slice(MAGIC);
        put_u32(&mut page, 8, FORMAT_VERSION);
        page[16..32].copy_from_slice(&self.log_id);
        put_u32(&mut page, 32, self.secret);
        put_u64(&mut page, 40, self.first_position);
        put_u64(&mut page, 48, self.created_ms);
        page[56..88].copy_from_slice(&self.digest_before);
        let checksum = crc32c::crc32c(&page);
        put_u32(&mut page, 12, checksum);
        page
    }

    /// Reads and checks the header of `file`.
    pub(super) fn read(file: &dyn File, path: &Path) -> Result<Self> {
        let mut page = vec![0; PAGE_BYTES as usize];
        file.read_exact_at(&mut page, 0).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                damaged_file("segment_damaged", path, "shorter than its header")
            }
            _ => Error::io("read", path, &error),
        })?;
        let checksum = u32_at(&page, 12);
        put_u32(&mut page, 12, 0);
        if &page[..8] != MAGIC || crc32c::crc32c(&page) != checksum {
            return Err(damaged_at(
                "segment_damaged",
                path,
                0,
                "the segment header does not check",
            ));
        }
        let version = u32_at(&page, 8);
        if version > FORMAT_VERSION {
            return Err(newer_format(path, version));
        }
        Ok(Self {
            log_id: array_at(&page, 16),
            secret: u32_at(&page, 32),
            first_position: u64_at(&page, 40),
            created_ms: u64_at(&page, 48),
            digest_before: array_at(&page, 56),
        })
    }
}
