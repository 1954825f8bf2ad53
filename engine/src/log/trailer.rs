//! The end of a sealed segment: its sparse index, then the trailer, which closes the file.
//!
//! ```text
//! records ... | index entries (24 bytes each) | trailer (136 bytes) | end of file
//! trailer:  0 [8] "HWSEALED"      8 u64 file length      16 u64 end of records = start of the index
//!          24 u64 index entries  32 u64 first position   40 u64 last position
//!          48 u64 first time     56 u64 last time        64 [32] last digest   96 [16] log id
//!         112 u64 erased records 120 u32 crc32c of the index  124 u32 zero  128 u32 zero
//!         132 u32 crc32c of bytes 0..132; both checksums are seeded with the log's secret
//! ```

use std::path::Path;

use super::header::SegmentHeader;
use super::index::{ENTRY_BYTES, SparseIndex};
use super::layout::{Digest, PAGE_BYTES, array_at, damaged_at, put_u32, put_u64, u32_at, u64_at};
use crate::error::{Error, Result};
use crate::fs::File;

pub(super) const TRAILER_BYTES: usize = 136;
const MAGIC: &[u8; 8] = b"HWSEALED";

/// What a segment's records add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    /// First position of the segment.
    pub(super) first_position: u64,
    /// Last position, or the one before the first where there is no record.
    pub(super) last_position: u64,
    pub(super) first_time_ms: u64,
    /// Times never go back, so this is the largest, too.
    pub(super) last_time_ms: u64,
    pub(super) last_digest: Digest,
    /// Offset just after the last record.
    pub(super) records_end: u64,
    pub(super) erased: u64,
}

impl Summary {
    /// The summary of a segment without records.
    pub(super) fn empty(header: &SegmentHeader, last_time_ms: u64) -> Self {
        Self {
            first_position: header.first_position,
            last_position: header.first_position.saturating_sub(1),
            first_time_ms: last_time_ms,
            last_time_ms,
            last_digest: header.digest_before,
            records_end: PAGE_BYTES,
            erased: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.last_position < self.first_position
    }
}

/// A trailer as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trailer {
    pub(super) summary: Summary,
    pub(super) file_len: u64,
    index_entries: u64,
    index_checksum: u32,
}

/// Index and trailer, to be written at `summary.records_end`; the file ends after them.
pub(super) fn encode_seal(
    summary: &Summary,
    index: &SparseIndex,
    log_id: &[u8; 16],
    secret: u32,
) -> (Vec<u8>, Trailer) {
    let mut bytes = index.encode();
    let index_checksum = crc32c::crc32c_append(secret, &bytes);
    let file_len = summary.records_end + (bytes.len() + TRAILER_BYTES) as u64;
    let mut trailer = vec![0; TRAILER_BYTES];
    trailer[..8].copy_from_slice(MAGIC);
    put_u64(&mut trailer, 8, file_len);
    put_u64(&mut trailer, 16, summary.records_end);
    put_u64(&mut trailer, 24, index.len() as u64);
    put_u64(&mut trailer, 32, summary.first_position);
    put_u64(&mut trailer, 40, summary.last_position);
    put_u64(&mut trailer, 48, summary.first_time_ms);
    put_u64(&mut trailer, 56, summary.last_time_ms);
    trailer[64..96].copy_from_slice(&summary.last_digest);
    trailer[96..112].copy_from_slice(log_id);
    put_u64(&mut trailer, 112, summary.erased);
    put_u32(&mut trailer, 120, index_checksum);
    let checksum = crc32c::crc32c_append(secret, &trailer[..132]);
    put_u32(&mut trailer, 132, checksum);
    bytes.extend_from_slice(&trailer);
    let index_entries = index.len() as u64;
    (bytes, Trailer { summary: *summary, file_len, index_entries, index_checksum })
}

impl Trailer {
    /// The trailer at the end of `file`, or `None` where there is no whole one that fits the file and its header.
    pub(super) fn read(
        file: &dyn File,
        path: &Path,
        header: &SegmentHeader,
    ) -> Result<Option<Self>> {
        let file_len = file.len().map_err(|error| Error::io("read", path, &error))?;
        if file_len < PAGE_BYTES + TRAILER_BYTES as u64 {
            return Ok(None);
        }
        let mut bytes = vec![0; TRAILER_BYTES];
        file.read_exact_at(&mut bytes, file_len - TRAILER_BYTES as u64)
            .map_err(|error| Error::io("read", path, &error))?;
        let checksum = crc32c::crc32c_append(header.secret, &bytes[..132]);
        if &bytes[..8] != MAGIC || checksum != u32_at(&bytes, 132) {
            return Ok(None);
        }
        let trailer = Self {
            summary: Summary {
                first_position: u64_at(&bytes, 32),
                last_position: u64_at(&bytes, 40),
                first_time_ms: u64_at(&bytes, 48),
                last_time_ms: u64_at(&bytes, 56),
                last_digest: array_at(&bytes, 64),
                records_end: u64_at(&bytes, 16),
                erased: u64_at(&bytes, 112),
            },
            file_len: u64_at(&bytes, 8),
            index_entries: u64_at(&bytes, 24),
            index_checksum: u32_at(&bytes, 120),
        };
        let index_bytes = trailer.index_entries.checked_mul(ENTRY_BYTES as u64);
        let end = index_bytes
            .and_then(|len| len.checked_add(trailer.summary.records_end))
            .and_then(|end| end.checked_add(TRAILER_BYTES as u64));
        let fits = end == Some(file_len)
            && trailer.file_len == file_len
            && trailer.summary.first_position == header.first_position
            && array_at::<16>(&bytes, 96) == header.log_id;
        Ok(fits.then_some(trailer))
    }

    /// Reads and checks the index that the trailer describes.
    pub(super) fn read_index(
        &self,
        file: &dyn File,
        path: &Path,
        secret: u32,
    ) -> Result<SparseIndex> {
        let start = self.summary.records_end;
        let len = usize::try_from(self.file_len - TRAILER_BYTES as u64 - start).unwrap_or(0);
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, start).map_err(|error| Error::io("read", path, &error))?;
        let sound = crc32c::crc32c_append(secret, &bytes) == self.index_checksum;
        sound.then(|| SparseIndex::decode(&bytes)).flatten().ok_or_else(|| {
            damaged_at("segment_damaged", path, start, "the segment's index does not check")
        })
    }
}
