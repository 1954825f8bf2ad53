//! The log: durable, hash-chained, append-only segment files.
//!
//! # On disk
//! ```text
//! DATA/lock                      held exclusively while the log is open
//! DATA/head                      how far the log is known to reach (`head`)
//! DATA/log/{first:020}.log       segments, named by their first position
//! DATA/log/{position:020}.base   states from which rebuild starts after retention (`base`)
//! DATA/log/*.tmp, DATA/head.tmp  unfinished files; removed at open
//! ```
//! Integers are little endian. A *segment* is a header page of 4096 bytes (`header`), then *records* (`record`) at
//! multiples of 8, then zeros up to its length (64 MiB by default, written ahead). Once full it is *sealed*: its sparse
//! index and a trailer follow the records and the file is cut to length (`trailer`, `roll`). A record holds two opaque
//! parts, one *kept* and one *erasable*, its own offset, its position, a checksum seeded with a random secret of the
//! log (no document can contain a valid record) and the digest of the chain up to it. A *batch* is the records up to
//! and including one flagged batch end. A *group* is the whole batches that one write and one sync commit; it lies
//! within one segment, and each record names the offset before which everything was synced when it was written. In
//! `Sync` mode that is its group's start, since a group is written only after the last one's sync.
//!
//! # What it guarantees
//! - An append that returned is on disk (`Durability::Sync`), and readers see nothing that is not.
//! - Positions are dense from 1 and never used twice; times never go back.
//! - At open (`open`, `scan`) the last segment is read whole. Bytes that are no record end the log: silently, if they
//!   are a *torn tail*, that is past the head file's position and followed by no record whose group started behind
//!   them. Anything else is damage: it is refused with file, offset and position, and nothing on disk is changed. A
//!   torn tail is cut back to the last whole batch and overwritten with zeros.
//! - Closed segments are known at open by header and trailer alone: their positions and digests must join without a gap,
//!   back to position 1 or to a base. Their records are checked when read, and their chain by [`LogReader::verify`].
//! - The head file is written within 50 ms of an acknowledgement ([`HeadKeeper`]) and at a clean stop. A log that ends
//!   before the head, or has another digest there, is refused: so a cut or swapped log is noticed.
//! - After a failed write or sync nothing more is acknowledged; only a full disk can be resumed from (`writer`).
//! - Erasure rewrites a closed segment as a whole and puts it in place atomically; the chain still verifies (`erase`).
//! - Retention drops whole closed segments, oldest first, and only behind a sound base (`retention`).
//!
//! # What it leaves to others
//! What the parts of a record mean; which batches share a group; when a committed block may be seen ([`Tail`]); the
//! threads of [`HeadKeeper`] and [`SegmentPreparer`]; keeping disk space in reserve.

mod base;
mod block;
mod erase;
mod export;
mod group;
mod head;
mod header;
mod index;
mod keeper;
mod layout;
mod open;
mod reader;
mod record;
mod recover;
mod retention;
mod roll;
mod scan;
mod segment;
mod shared;
mod tail;
#[doc(hidden)]
pub mod testing;
#[cfg(test)]
mod tests;
mod trailer;
mod verify;
mod writer;

pub use base::{BaseHeader, BaseReader, BaseWriter, base_positions};
pub use block::Block;
pub use export::{LogSnapshot, SnapshotFile};
pub use group::{GroupBuilder, Mark};
pub use head::Epoch;
pub use keeper::{HeadKeeper, SegmentPreparer};
pub use layout::{Digest, FORMAT_VERSION};
pub use open::open;
pub use reader::LogReader;
pub use record::{BatchEnd, RecordView, digest_of};
pub use retention::{ClosedSegment, Dropped};
pub use tail::{Tail, TailRead};
pub use verify::VerifyReport;
pub use writer::LogWriter;

/// When an append counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Once it is on stable storage.
    Sync,
    /// Once the operating system has it: survives the end of the process, not of the machine. The head is written only
    /// after a sync, so that a loss of power costs the newest writes but leaves a log that opens.
    Relaxed,
}

/// What a log is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenKind {
    /// Reading and writing; repairs a torn tail.
    Serve,
    /// Reading alone; changes nothing on disk.
    Inspect,
}

/// How to open a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// Size at which a segment is closed, bytes.
    pub segment_bytes: u64,
    /// When an append counts as done.
    pub durability: Durability,
    /// What it is opened for.
    pub open: OpenKind,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, durability: Durability::Sync, open: OpenKind::Serve }
    }
}

/// An open log.
pub struct Opened {
    /// The one writer.
    pub writer: LogWriter,
    /// A reader, to be cloned.
    pub reader: LogReader,
    /// To be run on a thread of its own.
    pub head_keeper: HeadKeeper,
    /// To be run on a thread of its own.
    pub preparer: SegmentPreparer,
    /// What the opening found.
    pub recovery: Recovery,
}

/// What an opening found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Whether the log was stopped cleanly before.
    pub clean: bool,
    /// Bytes of a torn tail that were cut off.
    pub trimmed_bytes: u64,
    /// The first position that can be read.
    pub first_position: u64,
    /// The last position.
    pub last_position: u64,
    /// Durable records that the head file did not know yet.
    pub records_past_head: u64,
}
