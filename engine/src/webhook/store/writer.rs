//! The one writer of the store: commits, and starts the journal over when most of it is stale.

use std::path::{Path, PathBuf};

use super::journal::{Contents, Journal};
use super::op::Op;
use super::state::State;
use crate::clock::SharedClock;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::SharedFileSystem;

/// The journal starts over past this size, if it is also several times what a snapshot takes.
const JOURNAL_BYTES_MAX: u64 = 8 << 20;
/// How many times a snapshot's size the journal may have.
const STALE_FACTOR: u64 = 3;
/// Operations in one record of a snapshot.
const SNAPSHOT_OPS: usize = 4096;

/// The writer, and what it keeps.
pub(crate) struct StoreWriter {
    fs: SharedFileSystem,
    dir: PathBuf,
    log_id: [u8; 16],
    clock: SharedClock,
    journal: Option<Journal>,
    snapshot_bytes: u64,
    bytes_max: u64,
    state: State,
    /// Whether something may stand behind the journal's end.
    unclean: bool,
}

/// Opens the store of a log in `dir`, the folder being made where there is none. A store that is missing is not made.
pub(crate) fn open(
    fs: SharedFileSystem,
    dir: &Path,
    log_id: [u8; 16],
    clock: SharedClock,
) -> Result<StoreWriter> {
    fs.create_dir_all(dir).map_err(|error| Error::io("create", dir, &error))?;
    let mut writer = StoreWriter {
        dir: dir.to_owned(),
        log_id,
        clock,
        journal: None,
        snapshot_bytes: 0,
        bytes_max: JOURNAL_BYTES_MAX,
        state: State::default(),
        unclean: false,
        fs,
    };
    if let Some(Contents { journal, payloads }) = Journal::open(&*writer.fs, dir, log_id)? {
        for (number, payload) in payloads.iter().enumerate() {
            for op in decode(payload, dir, number)? {
                writer.state.apply(op);
            }
        }
        writer.journal = Some(journal);
    }
    Ok(writer)
}

impl StoreWriter {
    /// Whether there is a store on disk.
    pub(crate) fn is_there(&self) -> bool {
        self.journal.is_some()
    }

    /// What is kept.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Starts the journal over past this many bytes.
    #[cfg(test)]
    pub(crate) fn set_bytes_max(&mut self, bytes_max: u64) {
        self.bytes_max = bytes_max;
    }

    /// Makes changes durable, all or none. After a full disk the same may be tried again; after any other error the store
    /// takes nothing more.
    pub(crate) fn commit(&mut self, ops: &[Op]) -> Result<()> {
        let payload = encode(ops)?;
        match &mut self.journal {
            None => self.start_over()?,
            Some(journal) if journal.is_older() => self.start_over()?,
            Some(journal) => {
                if self.unclean {
                    journal.cut()?;
                    self.unclean = false;
                }
            }
        }
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.append(&payload)
        {
            self.unclean = error.kind() == ErrorKind::DiskFull;
            return Err(error);
        }
        for op in ops {
            self.state.apply(op.clone());
        }
        let len = self.journal.as_ref().map_or(0, Journal::len);
        if len > self.bytes_max
            && len > STALE_FACTOR * self.snapshot_bytes
            && let Err(error) = self.start_over()
        {
            if error.code() == "sync_failed" {
                return Err(error);
            }
            // The present journal is sound and goes on.
            tracing::warn!(%error, "the journal of deliveries could not be started over");
            self.snapshot_bytes = len;
        }
        Ok(())
    }

    /// Goes over to a new journal that begins with a snapshot.
    fn start_over(&mut self) -> Result<()> {
        let ops = self.state.to_ops();
        let mut payloads =
            ops.chunks(SNAPSHOT_OPS).map(encode).collect::<Result<Vec<Vec<u8>>>>()?;
        if payloads.is_empty() {
            payloads.push(encode(&[])?);
        }
        let old = self.journal.as_ref();
        let journal =
            Journal::create(&*self.fs, &self.dir, self.log_id, &*self.clock, &payloads, old)?;
        self.snapshot_bytes = journal.len();
        self.journal = Some(journal);
        Ok(())
    }
}

fn encode(ops: &[Op]) -> Result<Vec<u8>> {
    rmp_serde::to_vec(ops).map_err(|error| Error::internal(format!("encode deliveries: {error}")))
}

fn decode(payload: &[u8], dir: &Path, number: usize) -> Result<Vec<Op>> {
    rmp_serde::from_slice(payload).map_err(|error| {
        Error::damaged(
            "deliveries_damaged",
            format!(
                "record {number} of the deliveries in {} cannot be decoded: {error}; it may be of a newer headwater",
                dir.display()
            ),
        )
    })
}
