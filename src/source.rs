//! Documents to import: read from JSON, JSON Lines or CSV as a stream, gathered into requests.
//!
//! Guarantees: memory holds a few batches, whatever the input's size; a fault names the document by index and, where
//! there is one, its line. Leaves to others: sending.

mod batch;
mod csv;
mod json;
mod lines;

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;

pub(crate) use batch::{Batch, Batches, Stop};

/// A format to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One array of objects, or one in a member of an object.
    Json,
    /// An object a line.
    Jsonl,
    /// A header and a row a document.
    Csv,
}

impl Format {
    /// The format that the file's name promises.
    pub(crate) fn of_name(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "json" | "geojson" => Some(Self::Json),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// Reads every document of `input` into `batches`.
pub(crate) fn read(
    input: impl Read,
    format: Format,
    select: Option<&str>,
    batches: &mut Batches,
) -> Result<(), Stop> {
    let mut input = BufReader::with_capacity(1 << 18, input);
    skip_byte_order_mark(&mut input)?;
    match format {
        Format::Json => json::read(input, select, batches)?,
        Format::Jsonl => lines::read(input, batches)?,
        Format::Csv => csv::read(input, batches)?,
    }
    batches.flush()
}

fn skip_byte_order_mark(input: &mut impl BufRead) -> io::Result<()> {
    if input.fill_buf()?.starts_with(b"\xEF\xBB\xBF") {
        input.consume(3);
    }
    Ok(())
}

/// A reader that counts what went through it.
pub(crate) struct Counted<R> {
    inner: R,
    bytes: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    /// Counts what is read from `inner` in `bytes`.
    pub(crate) fn new(inner: R, bytes: Arc<AtomicU64>) -> Self {
        Self { inner, bytes }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
