//! Sorted runs in a spill file, and merging them.
//!
//! Guarantees: entries with equal keys come in the order of their runs, and within a run as they were written.
//! Leaves to others: sorting a run; the file, which vanishes when dropped.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::super::Collections;
use super::super::stream::Env;
use super::Entry;
use crate::error::{Error, Result};

/// The most bytes read ahead of one run.
const READ_AHEAD: u64 = 32 << 10;
/// The most runs: with more of them, reading ahead would need more memory than was saved.
const MOST_RUNS: usize = 1000;

/// Runs being written, one after another in one file.
pub(super) struct Runs {
    file: BufWriter<File>,
    at: u64,
    /// Start and end of each.
    places: Vec<(u64, u64)>,
}

fn failed(what: &str, error: &std::io::Error) -> Error {
    Error::io(what, Path::new("a spill file"), error)
}

impl Runs {
    /// A new file; `None` where nothing can be spilled.
    pub(super) fn open(collections: &Arc<dyn Collections>) -> Result<Option<Self>> {
        let Some(file) = collections.spill() else { return Ok(None) };
        let file = file.map_err(|error| failed("opening", &error))?;
        Ok(Some(Self { file: BufWriter::with_capacity(64 << 10, file), at: 0, places: Vec::new() }))
    }

    /// Whether no further run may be written.
    pub(super) fn is_full(&self) -> bool {
        self.places.len() >= MOST_RUNS
    }

    /// Writes a run.
    pub(super) fn write(
        &mut self,
        entries: impl Iterator<Item = Entry>,
        env: Env<'_>,
    ) -> Result<()> {
        let start = self.at;
        for entry in entries {
            env.budget.check()?;
            for part in [&*entry.key, &*entry.document] {
                let len = u32::try_from(part.len())
                    .map_err(|_| Error::internal("a document to sort is larger than 4 GiB"))?;
                self.file
                    .write_all(&len.to_le_bytes())
                    .and_then(|()| self.file.write_all(part))
                    .map_err(|error| failed("writing", &error))?;
                self.at += 4 + u64::from(len);
            }
        }
        self.places.push((start, self.at));
        Ok(())
    }
}

/// Runs being merged.
pub(super) struct Spilled {
    file: File,
    runs: Vec<Run>,
    heads: BinaryHeap<Reverse<(Box<[u8]>, usize)>>,
}

/// One run: what was read ahead, and where the rest is.
struct Run {
    buffer: Vec<u8>,
    used: usize,
    at: u64,
    end: u64,
    /// The document that belongs to the key in the heap.
    document: Bytes,
}

impl Spilled {
    pub(super) fn new(runs: Runs) -> Result<Self> {
        let file = runs.file.into_inner().map_err(|error| failed("writing", error.error()))?;
        let open = |(at, end)| Run { buffer: Vec::new(), used: 0, at, end, document: Bytes::new() };
        let runs: Vec<Run> = runs.places.into_iter().map(open).collect();
        let mut spilled = Self { file, heads: BinaryHeap::with_capacity(runs.len()), runs };
        for index in 0..spilled.runs.len() {
            spilled.advance(index)?;
        }
        Ok(spilled)
    }

    /// The next document in order.
    pub(super) fn next_document(&mut self) -> Result<Option<Bytes>> {
        let Some(Reverse((_, index))) = self.heads.pop() else { return Ok(None) };
        let document = self.runs.get_mut(index).map(|run| std::mem::take(&mut run.document));
        self.advance(index)?;
        Ok(document)
    }

    /// Reads the next entry of a run.
    fn advance(&mut self, index: usize) -> Result<()> {
        let Some(run) = self.runs.get_mut(index) else { return Ok(()) };
        let Some(key) = run.part(&self.file)? else { return Ok(()) };
        run.document = Bytes::from(run.part(&self.file)?.unwrap_or_default());
        self.heads.push(Reverse((key.into(), index)));
        Ok(())
    }
}

impl Run {
    /// The next key or document.
    fn part(&mut self, file: &File) -> Result<Option<Vec<u8>>> {
        if self.used == self.buffer.len() && self.at == self.end {
            return Ok(None);
        }
        let mut len = [0; 4];
        self.read(file, &mut len)?;
        let mut part = vec![0; u32::from_le_bytes(len) as usize];
        self.read(file, &mut part)?;
        Ok(Some(part))
    }

    fn read(&mut self, file: &File, mut out: &mut [u8]) -> Result<()> {
        while !out.is_empty() {
            if self.used == self.buffer.len() {
                let size = (self.end - self.at).min(READ_AHEAD);
                if size == 0 {
                    return Err(Error::internal("a spill file ends before its run does"));
                }
                self.buffer.resize(size as usize, 0);
                file.read_exact_at(&mut self.buffer, self.at)
                    .map_err(|error| failed("reading", &error))?;
                self.at += size;
                self.used = 0;
            }
            let ready = &self.buffer[self.used..];
            let taken = ready.len().min(out.len());
            out[..taken].copy_from_slice(&ready[..taken]);
            self.used += taken;
            out = &mut out[taken..];
        }
        Ok(())
    }
}
