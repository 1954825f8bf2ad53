//! The record: one event's place in a segment, as bytes.
//!
//! ```text
//!  0 u32 length, padding included     4 u32 crc32c of bytes 8..length, seeded with the log's secret
//!  8 u64 own offset in the file      16 u64 group start: what lies before was synced before this was written
//! 24 u64 position                    32 u64 time, ms
//! 40 u32 kept length                 44 u32 erasable length (32 where erased)
//! 48 u32 flags: 1 batch end, 2 erased   52 u32 zero
//! 56 [32] chain digest               88 kept, erasable (or its BLAKE3 where erased), zeros to a multiple of 8
//! ```
//! digest = BLAKE3(digest before ‖ position ‖ time ‖ flags & 1 (u32) ‖ kept length (u32) ‖ kept ‖ BLAKE3(erasable)).
//!
//! Guarantees: [`RecordView`] never reaches outside its bytes once [`check`] accepted them.
//! Leaves to others: what kept and erasable mean.

use super::layout::{Digest, align, array_at, put_u32, put_u64, u32_at, u64_at};

pub(super) const RECORD_HEADER_BYTES: usize = 88;
const LENGTH: usize = 0;
const CHECKSUM: usize = 4;
const OFFSET: usize = 8;
const GROUP: usize = 16;
const POSITION: usize = 24;
const TIME: usize = 32;
const KEPT_LEN: usize = 40;
const ERASABLE_LEN: usize = 44;
const FLAGS: usize = 48;
const RESERVED: usize = 52;
const DIGEST: usize = 56;

const FLAG_BATCH_END: u32 = 1;
const FLAG_ERASED: u32 = 2;

/// Whether a record is the last of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchEnd {
    /// More records of the same batch follow.
    More,
    /// The batch ends here.
    Last,
}

/// One record of a [`super::Block`].
#[derive(Clone, Copy)]
pub struct RecordView<'a> {
    bytes: &'a [u8],
}

impl<'a> RecordView<'a> {
    /// A view of bytes that [`check`] accepted or [`stamp`] wrote.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The record's place in the log.
    pub fn position(&self) -> u64 {
        u64_at(self.bytes, POSITION)
    }

    /// UTC milliseconds; never less than the record's before.
    pub fn time_ms(&self) -> u64 {
        u64_at(self.bytes, TIME)
    }

    /// Whether a batch ends with this record.
    pub fn is_batch_end(&self) -> bool {
        u32_at(self.bytes, FLAGS) & FLAG_BATCH_END != 0
    }

    /// Whether the erasable part was erased.
    pub fn is_erased(&self) -> bool {
        u32_at(self.bytes, FLAGS) & FLAG_ERASED != 0
    }

    /// The chain digest up to and including this record.
    pub fn digest(&self) -> Digest {
        array_at(self.bytes, DIGEST)
    }

    /// The part that stays.
    pub fn kept(&self) -> &'a [u8] {
        let kept = u32_at(self.bytes, KEPT_LEN) as usize;
        &self.bytes[RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + kept]
    }

    /// The part that can be erased; empty once it was.
    pub fn erasable(&self) -> &'a [u8] {
        if self.is_erased() { &[] } else { self.second_part() }
    }

    /// BLAKE3 of the erasable part, also after it was erased.
    pub fn erasable_digest(&self) -> Digest {
        if self.is_erased() {
            array_at(self.second_part(), 0)
        } else {
            digest_of(self.second_part())
        }
    }

    /// The record's whole length on disk.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn offset(&self) -> u64 {
        u64_at(self.bytes, OFFSET)
    }

    pub(super) fn group_start(&self) -> u64 {
        u64_at(self.bytes, GROUP)
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The digest that the chain must have here, given the digest before.
    pub(super) fn chained(&self, previous: &Digest) -> Digest {
        chain_digest(previous, self.bytes, self.kept(), &self.erasable_digest())
    }

    fn second_part(&self) -> &'a [u8] {
        let start = RECORD_HEADER_BYTES + u32_at(self.bytes, KEPT_LEN) as usize;
        &self.bytes[start..start + u32_at(self.bytes, ERASABLE_LEN) as usize]
    }
}

impl std::fmt::Debug for RecordView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordView")
            .field("position", &self.position())
            .field("time_ms", &self.time_ms())
            .field("batch_end", &self.is_batch_end())
            .field("erased", &self.is_erased())
            .finish_non_exhaustive()
    }
}

/// BLAKE3 of an erasable part.
pub fn digest_of(erasable: &[u8]) -> Digest {
    *blake3::hash(erasable).as_bytes()
}

/// The digest before position 1 of a log.
pub(super) fn genesis(log_id: &[u8; 16]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"headwater log");
    hasher.update(log_id);
    *hasher.finalize().as_bytes()
}

fn chain_digest(previous: &Digest, header: &[u8], kept: &[u8], erasable: &Digest) -> Digest {
    const FIXED: usize = 56;
    const INLINE: usize = 256;
    let mut input = [0; INLINE];
    input[..32].copy_from_slice(previous);
    input[32..48].copy_from_slice(&header[POSITION..POSITION + 16]);
    put_u32(&mut input, 48, u32_at(header, FLAGS) & FLAG_BATCH_END);
    input[52..FIXED].copy_from_slice(&header[KEPT_LEN..KEPT_LEN + 4]);
    let end = FIXED + kept.len();
    if end + 32 <= INLINE {
        input[FIXED..end].copy_from_slice(kept);
        input[end..end + 32].copy_from_slice(erasable);
        return digest_of(&input[..end + 32]);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&input[..FIXED]);
    hasher.update(kept);
    hasher.update(erasable);
    *hasher.finalize().as_bytes()
}

/// What is wrong with bytes that should be a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    Length,
    Checksum,
    Offset,
    Group,
    Position,
    Chain,
}

impl Flaw {
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Length => "the record's length is impossible",
            Self::Checksum => "the record's checksum differs",
            Self::Offset => "the record names another offset than its own",
            Self::Group => "the record names an impossible group start",
            Self::Position => "the record's position does not follow",
            Self::Chain => "the record's chain digest differs",
        }
    }
}

/// The length that a record's header claims, if it can be one; `header` holds at least the fixed part.
pub(super) fn claimed_len(header: &[u8]) -> Option<usize> {
    let len = u32_at(header, LENGTH) as usize;
    let parts = u32_at(header, KEPT_LEN) as usize + u32_at(header, ERASABLE_LEN) as usize;
    let flags = u32_at(header, FLAGS);
    let known = flags & !(FLAG_BATCH_END | FLAG_ERASED) == 0 && u32_at(header, RESERVED) == 0;
    let erased_whole = flags & FLAG_ERASED == 0 || u32_at(header, ERASABLE_LEN) == 32;
    (len == align(RECORD_HEADER_BYTES + parts) && known && erased_whole).then_some(len)
}

/// The offset that a record's header claims as its own.
pub(super) fn claimed_offset(header: &[u8]) -> u64 {
    u64_at(header, OFFSET)
}

/// The position that a record's header claims.
pub(super) fn claimed_position(header: &[u8]) -> u64 {
    u64_at(header, POSITION)
}

/// Checks one record at the start of `bytes`, which was read at `offset`: length, checksum and own offset.
pub(super) fn check(bytes: &[u8], offset: u64, secret: u32) -> Result<RecordView<'_>, Flaw> {
    if bytes.len() < RECORD_HEADER_BYTES {
        return Err(Flaw::Length);
    }
    let len = claimed_len(bytes).ok_or(Flaw::Length)?;
    let record = bytes.get(..len).ok_or(Flaw::Length)?;
    if crc32c::crc32c_append(secret, &record[OFFSET..]) != u32_at(record, CHECKSUM) {
        return Err(Flaw::Checksum);
    }
    if claimed_offset(record) != offset {
        return Err(Flaw::Offset);
    }
    Ok(RecordView { bytes: record })
}

/// Where a record goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) group_start: u64,
    pub(super) position: u64,
}

/// Writes the parts of a header that are known before the record has its place. The digest field holds BLAKE3 of
/// the erasable part until [`stamp`] replaces it.
pub(super) fn draft(
    record: &mut [u8],
    time_ms: u64,
    kept: u32,
    erasable: u32,
    end: BatchEnd,
    digest: &Digest,
) {
    let len = u32::try_from(record.len()).unwrap_or(u32::MAX);
    put_u32(record, LENGTH, len);
    put_u64(record, TIME, time_ms);
    put_u32(record, KEPT_LEN, kept);
    put_u32(record, ERASABLE_LEN, erasable);
    put_u32(record, FLAGS, if end == BatchEnd::Last { FLAG_BATCH_END } else { 0 });
    record[DIGEST..DIGEST + 32].copy_from_slice(digest);
}

/// Makes a drafted record final at its place; gives its chain digest.
pub(super) fn stamp(record: &mut [u8], place: Place, previous: &Digest, secret: u32) -> Digest {
    put_u64(record, POSITION, place.position);
    let erasable_digest = array_at(record, DIGEST);
    let kept_end = RECORD_HEADER_BYTES + u32_at(record, KEPT_LEN) as usize;
    let digest =
        chain_digest(previous, record, &record[RECORD_HEADER_BYTES..kept_end], &erasable_digest);
    record[DIGEST..DIGEST + 32].copy_from_slice(&digest);
    put_place(record, place.offset, place.group_start, secret);
    digest
}

/// Gives a record another place in a file; position, time and digest stay.
pub(super) fn put_place(record: &mut [u8], offset: u64, group_start: u64, secret: u32) {
    put_u64(record, OFFSET, offset);
    put_u64(record, GROUP, group_start);
    let checksum = crc32c::crc32c_append(secret, &record[OFFSET..]);
    put_u32(record, CHECKSUM, checksum);
}

/// The same record with its erasable part replaced by that part's digest; its place is to be put again.
pub(super) fn erased(record: RecordView<'_>) -> Vec<u8> {
    let kept = record.kept();
    let mut bytes = vec![0; align(RECORD_HEADER_BYTES + kept.len() + 32)];
    bytes[..RECORD_HEADER_BYTES].copy_from_slice(&record.bytes[..RECORD_HEADER_BYTES]);
    bytes[RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + kept.len()].copy_from_slice(kept);
    let at = RECORD_HEADER_BYTES + kept.len();
    bytes[at..at + 32].copy_from_slice(&record.erasable_digest());
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    put_u32(&mut bytes, LENGTH, len);
    put_u32(&mut bytes, ERASABLE_LEN, 32);
    let flags = u32_at(&bytes, FLAGS) | FLAG_ERASED;
    put_u32(&mut bytes, FLAGS, flags);
    bytes
}
