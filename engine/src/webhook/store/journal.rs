//! The journal file: framing, checking, torn tails told from damage.
//!
//! ```text
//! header  0 "HWDELIV\0"   8 u32 format   12 u32 crc32c of bytes 16..64   16 [16] id of the log   32 [16] secret
//!        48 u64 sequence  56 u64 zero
//! record  0 u32 length, padding included    4 u32 crc32c of bytes 8..length, seeded with the secret
//!         8 u64 own offset   16 u64 number, from 0   24 u32 payload length   28 u32 zero   32 payload, zeros to 8
//! ```
//! Integers are little endian. The payload is a MessagePack array of operations. The secret is random: no text that a
//! receiver answers can pass for a record.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{File, FileSystem, OpenMode};

const MAGIC: &[u8; 8] = b"HWDELIV\0";
/// 2: a replay may have a filter. 3: a replay may be of single deliveries, and out of order.
const FORMAT: u32 = 3;
const HEADER_BYTES: usize = 64;
const RECORD_BYTES: usize = 32;

/// An open journal, positioned at its end.
pub(super) struct Journal {
    path: PathBuf,
    file: Arc<dyn File>,
    secret: [u8; 16],
    sequence: u64,
    end: u64,
    number: u64,
    /// Whether it is of a format before the present one, and must not be appended to.
    is_older: bool,
}

/// The payloads of a journal, in order.
pub(super) struct Contents {
    pub(super) journal: Journal,
    pub(super) payloads: Vec<Vec<u8>>,
}

impl Journal {
    /// Opens the newest journal of a folder and reads it; `None` where there is none. Cuts a torn tail off and removes
    /// what an interrupted change of files left behind.
    pub(super) fn open(
        fs: &dyn FileSystem,
        dir: &Path,
        log_id: [u8; 16],
    ) -> Result<Option<Contents>> {
        let names = fs.list(dir).map_err(|error| Error::io("list", dir, &error))?;
        let mut sequences: Vec<u64> = names.iter().filter_map(|name| sequence_of(name)).collect();
        sequences.sort_unstable();
        let Some(newest) = sequences.pop() else { return Ok(None) };
        let path = dir.join(name_of(newest));
        let file = fs.open(&path, OpenMode::ReadWrite).map_err(|e| Error::io("open", &path, &e))?;
        let bytes = read_all(&*file, &path)?;
        let secret = check_header(&bytes, &path, log_id, newest)?;
        let (payloads, end) = read_records(&bytes, &secret, &path)?;
        let number = payloads.len() as u64;
        let is_older = u32_at(&bytes, 8) < FORMAT;
        let end_at = end as u64;
        let mut journal =
            Self { path, file, secret, sequence: newest, end: end_at, number, is_older };
        if end < bytes.len() {
            tracing::warn!(file = %journal.path.display(), bytes = bytes.len() - end, "cut off a torn record");
            journal.cut()?;
        }
        let stale = names.iter().filter(|name| {
            name.ends_with(".tmp") || sequence_of(name).is_some_and(|sequence| sequence < newest)
        });
        for name in stale {
            let path = dir.join(name);
            fs.remove(&path).map_err(|error| Error::io("remove", &path, &error))?;
        }
        Ok(Some(Contents { journal, payloads }))
    }

    /// Writes a new journal that begins with `payloads`, in place of `old`; durable on return.
    pub(super) fn create(
        fs: &dyn FileSystem,
        dir: &Path,
        log_id: [u8; 16],
        clock: &dyn Clock,
        payloads: &[Vec<u8>],
        old: Option<&Self>,
    ) -> Result<Self> {
        let sequence = old.map_or(1, |old| old.sequence + 1);
        let mut secret = [0; 16];
        clock.fill_random(&mut secret);
        let mut bytes = header(log_id, secret, sequence).to_vec();
        for (number, payload) in payloads.iter().enumerate() {
            let offset = bytes.len() as u64;
            frame(payload, offset, number as u64, &secret, &mut bytes);
        }
        let path = dir.join(name_of(sequence));
        let unfinished = path.with_extension("tmp");
        let io = |what: &'static str| {
            let unfinished = unfinished.clone();
            move |error| Error::io(what, &unfinished, &error)
        };
        if fs.exists(&unfinished).map_err(io("look for"))? {
            fs.remove(&unfinished).map_err(io("remove"))?;
        }
        let file = fs.open(&unfinished, OpenMode::CreateNew).map_err(io("create"))?;
        file.write_all_at(&bytes, 0).map_err(io("write"))?;
        file.sync_data().map_err(io("sync"))?;
        fs.rename(&unfinished, &path).map_err(io("rename"))?;
        // From here on the next open takes the new file; if that is not certain, neither may be written.
        fs.sync_dir(dir).map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "sync_failed",
                format!("sync the folder of {}: {error}", path.display()),
            )
        })?;
        if let Some(old) = old
            && let Err(error) = fs.remove(&old.path)
        {
            // The next open removes it.
            tracing::warn!(file = %old.path.display(), %error, "an old journal could not be removed");
        }
        let (end, number) = (bytes.len() as u64, payloads.len() as u64);
        Ok(Self { path, file, secret, sequence, end, number, is_older: false })
    }

    /// Whether it is of a format before the present one: it is read, and started over before anything is appended.
    pub(super) fn is_older(&self) -> bool {
        self.is_older
    }

    /// Appends a record; durable on return. After an error the record counts as not written, and nothing may be appended
    /// but after [`Journal::cut`].
    pub(super) fn append(&mut self, payload: &[u8]) -> Result<()> {
        let mut bytes = Vec::with_capacity(payload.len() + RECORD_BYTES + 8);
        frame(payload, self.end, self.number, &self.secret, &mut bytes);
        let written = self.file.write_all_at(&bytes, self.end);
        written.map_err(|error| Error::io("write", &self.path, &error))?;
        self.file.sync_data().map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                "sync_failed",
                format!("sync {}: {error}", self.path.display()),
            )
        })?;
        self.end += bytes.len() as u64;
        self.number += 1;
        Ok(())
    }

    /// Cuts off what stands behind the last record.
    pub(super) fn cut(&mut self) -> Result<()> {
        let cut = self.file.set_len(self.end).and_then(|()| self.file.sync_data());
        cut.map_err(|error| Error::io("cut", &self.path, &error))
    }

    /// Its length, bytes.
    pub(super) fn len(&self) -> u64 {
        self.end
    }
}

fn name_of(sequence: u64) -> String {
    format!("{sequence:020}.journal")
}

fn sequence_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".journal")?;
    if digits.len() == 20 { digits.parse().ok() } else { None }
}

fn read_all(file: &dyn File, path: &Path) -> Result<Vec<u8>> {
    let read = || {
        let len = file.len()?;
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    };
    read().map_err(|error: std::io::Error| Error::io("read", path, &error))
}

fn header(log_id: [u8; 16], secret: [u8; 16], sequence: u64) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    header[16..32].copy_from_slice(&log_id);
    header[32..48].copy_from_slice(&secret);
    header[48..56].copy_from_slice(&sequence.to_le_bytes());
    let checksum = crc32c::crc32c(&header[16..]);
    header[12..16].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// The journal's secret, if its header is sound and it belongs to this log.
fn check_header(bytes: &[u8], path: &Path, log_id: [u8; 16], sequence: u64) -> Result<[u8; 16]> {
    let Some(found) = bytes.get(..HEADER_BYTES).filter(|header| &header[..8] == MAGIC) else {
        return Err(damaged(path, 0, "it does not begin with a header of deliveries"));
    };
    let format = u32_at(found, 8);
    if format > FORMAT {
        return Err(Error::damaged(
            "newer_format",
            format!("{} has format {format}; use a newer headwater", path.display()),
        ));
    }
    if u32_at(found, 12) != crc32c::crc32c(&found[16..]) || u64_at(found, 48) != sequence {
        return Err(damaged(path, 0, "its header is damaged"));
    }
    if found[16..32] != log_id {
        return Err(Error::damaged(
            "deliveries_of_another_log",
            format!(
                "{} belongs to another log; put back the deliveries that belong to this data directory",
                path.display()
            ),
        ));
    }
    let mut secret = [0; 16];
    secret.copy_from_slice(&found[32..48]);
    Ok(secret)
}

/// The payloads, and where the last sound record ends.
fn read_records(bytes: &[u8], secret: &[u8; 16], path: &Path) -> Result<(Vec<Vec<u8>>, usize)> {
    let mut payloads = Vec::new();
    let mut at = HEADER_BYTES;
    while at < bytes.len() {
        let number = payloads.len() as u64;
        match record_at(bytes, at, secret) {
            Some(record) if record.number == number => {
                payloads.push(record.payload.to_vec());
                at += record.len;
            }
            _ => {
                let later = (at + 8..bytes.len()).step_by(8);
                let sound = |at: &usize| record_at(bytes, *at, secret).is_some();
                if let Some(next) = later.into_iter().find(sound) {
                    let why = format!("a record is damaged, and a sound one follows at {next}");
                    return Err(damaged(path, at, &why));
                }
                break;
            }
        }
    }
    if payloads.is_empty() {
        return Err(damaged(path, HEADER_BYTES, "its first record is damaged or missing"));
    }
    Ok((payloads, at))
}

struct Record<'a> {
    len: usize,
    number: u64,
    payload: &'a [u8],
}

/// The record at an offset, if there is a sound one.
fn record_at<'a>(bytes: &'a [u8], at: usize, secret: &[u8; 16]) -> Option<Record<'a>> {
    let rest = bytes.get(at..).filter(|rest| rest.len() >= RECORD_BYTES)?;
    if u64_at(rest, 8) != at as u64 {
        return None;
    }
    let len = u32_at(rest, 0) as usize;
    let payload_len = u32_at(rest, 24) as usize;
    if !len.is_multiple_of(8) || len < RECORD_BYTES || payload_len > len - RECORD_BYTES {
        return None;
    }
    let record = rest.get(..len)?;
    if checksum(&record[8..], secret) != u32_at(record, 4) {
        return None;
    }
    let payload = &record[RECORD_BYTES..RECORD_BYTES + payload_len];
    Some(Record { len, number: u64_at(record, 16), payload })
}

fn frame(payload: &[u8], offset: u64, number: u64, secret: &[u8; 16], out: &mut Vec<u8>) {
    let start = out.len();
    let len = (RECORD_BYTES + payload.len()).next_multiple_of(8);
    out.extend_from_slice(&(len as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
    out.resize(start + len, 0);
    let checksum = checksum(&out[start + 8..], secret);
    out[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
}

fn checksum(bytes: &[u8], secret: &[u8; 16]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(secret), bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn damaged(path: &Path, at: usize, why: &str) -> Error {
    Error::damaged(
        "deliveries_damaged",
        format!(
            "{} is damaged at offset {at}: {why}; restore it from a backup, or move the folder away and set \
             webhooks.missing_store",
            path.display()
        ),
    )
    .with("file", path.display().to_string())
    .with("offset", at as u64)
}
