//! Groups that do not fit into memory: what their documents give to the accumulators goes to files, parted by the hash
//! of the group's key, and is gathered part by part.
//!
//! Guarantees: a group's rows are in one part, in the order they came.
//! Leaves to others: the files themselves, which vanish when dropped.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::super::Collections;
use super::accumulator::{Input, Spec};
use crate::error::{Error, Result};
use crate::query::Item;
use crate::value::{Raw, encode};

/// How many parts there are.
const PARTS: usize = 16;
/// How often a part may be parted again.
const LEVELS: u32 = 8;
const BUFFER: usize = 16 << 10;
/// Stands for a missing value; no value begins with it.
const MISSING: u8 = 0xc1;

/// Parts being written.
pub(super) struct Partitions {
    level: u32,
    parts: Vec<BufWriter<File>>,
}

/// A part to be read.
pub(super) struct Partition {
    level: u32,
    file: File,
}

/// Its rows.
pub(super) struct Rows {
    file: BufReader<File>,
}

/// A group's `_id` and what one document gives to its accumulators.
pub(super) struct Row(Vec<u8>);

/// What is left of a row.
pub(super) struct Inputs<'r>(&'r [u8]);

fn failed(what: &str, error: &std::io::Error) -> Error {
    Error::io(what, Path::new("a spill file"), error)
}

impl Partitions {
    /// New parts; `None` where nothing can be spilled.
    pub(super) fn open(level: u32, collections: &Arc<dyn Collections>) -> Result<Option<Self>> {
        if level > LEVELS {
            return Ok(None);
        }
        let mut parts = Vec::with_capacity(PARTS);
        for _ in 0..PARTS {
            let Some(file) = collections.spill() else { return Ok(None) };
            let file = file.map_err(|error| failed("opening", &error))?;
            parts.push(BufWriter::with_capacity(BUFFER, file));
        }
        Ok(Some(Self { level, parts }))
    }

    /// Writes a row of the group with this key.
    pub(super) fn write(&mut self, key: &[u8], row: Row) -> Result<()> {
        let hash = xxh3_64_with_seed(key, u64::from(self.level) + 1);
        let part = &mut self.parts[hash as usize % PARTS];
        let len = u32::try_from(row.0.len())
            .map_err(|_| Error::internal("a row of a group is larger than 4 GiB"))?;
        part.write_all(&len.to_le_bytes())
            .and_then(|()| part.write_all(&row.0))
            .map_err(|error| failed("writing", &error))
    }

    /// The parts, to be read.
    pub(super) fn finish(self) -> Result<Vec<Partition>> {
        let mut done = Vec::with_capacity(PARTS);
        for part in self.parts {
            let mut file = part.into_inner().map_err(|error| failed("writing", error.error()))?;
            let len = file.stream_position().map_err(|error| failed("writing", &error))?;
            if len > 0 {
                file.seek(SeekFrom::Start(0)).map_err(|error| failed("reading", &error))?;
                done.push(Partition { level: self.level, file });
            }
        }
        Ok(done)
    }
}

impl Partition {
    /// How often it was parted before.
    pub(super) fn level(&self) -> u32 {
        self.level
    }

    pub(super) fn rows(self) -> Result<Rows> {
        Ok(Rows { file: BufReader::with_capacity(BUFFER, self.file) })
    }
}

impl Rows {
    /// The next row.
    pub(super) fn next_row(&mut self) -> Result<Option<Row>> {
        let mut len = [0; 4];
        match self.file.read_exact(&mut len) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(failed("reading", &error)),
        }
        let mut row = vec![0; u32::from_le_bytes(len) as usize];
        self.file.read_exact(&mut row).map_err(|error| failed("reading", &error))?;
        Ok(Some(Row(row)))
    }
}

impl Row {
    pub(super) fn begin(id: Raw<'_>) -> Self {
        Self(id.as_bytes().to_vec())
    }

    /// With what one more accumulator gets.
    pub(super) fn with(mut self, input: &Input<'_>) -> Self {
        let item = match input {
            Input::One(item) => item,
            Input::Keyed(key, item) => {
                encode::write_binary(0, key, &mut self.0);
                item
            }
        };
        match item.raw() {
            Some(raw) => self.0.extend_from_slice(raw.as_bytes()),
            None => self.0.push(MISSING),
        }
        self
    }

    /// The group's `_id`.
    pub(super) fn id(&self) -> Raw<'_> {
        Raw::split_first(&self.0).map_or(Raw::NULL, |(id, _)| id)
    }

    /// What the accumulators get.
    pub(super) fn inputs(&self) -> Inputs<'_> {
        Inputs(Raw::split_first(&self.0).map_or(&[], |(_, rest)| rest))
    }
}

impl<'r> Inputs<'r> {
    /// What the next accumulator gets.
    pub(super) fn next(&mut self, spec: &Spec) -> Result<Input<'r>> {
        if !spec.is_keyed() {
            return Ok(Input::One(self.item()?));
        }
        let key = self.item()?;
        let key = key.raw().and_then(Raw::as_binary).map(|(_, key)| key.to_vec());
        Ok(Input::Keyed(key.unwrap_or_default(), self.item()?))
    }

    fn item(&mut self) -> Result<Item<'r>> {
        if let Some((&MISSING, rest)) = self.0.split_first() {
            self.0 = rest;
            return Ok(Item::Missing);
        }
        let (raw, rest) = Raw::split_first(self.0)
            .ok_or_else(|| Error::internal("a spill file does not read back as it was written"))?;
        self.0 = rest;
        Ok(Item::Raw(raw))
    }
}
