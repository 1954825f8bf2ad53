//! Appending to a preallocated file with fdatasync: what the disk allows, with no format and no checks.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes allocated, and written over from the start again.
const FILE_BYTES: u64 = 256 << 20;
/// Bytes written at once while preallocating.
const BLOCK_BYTES: usize = 1 << 20;

/// A file whose blocks are allocated and written, so that a sync has no metadata to write.
pub(crate) struct PreallocatedFile {
    file: File,
    path: PathBuf,
    offset: u64,
}

impl PreallocatedFile {
    /// Makes the file in `directory`; it is removed when dropped.
    pub(crate) fn create(directory: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let path = directory.join(format!("limit-{}", std::process::id()));
        let file = OpenOptions::new().create_new(true).write(true).open(&path)?;
        let zeros = vec![0; BLOCK_BYTES];
        for block in 0..FILE_BYTES / BLOCK_BYTES as u64 {
            file.write_all_at(&zeros, block * BLOCK_BYTES as u64)?;
        }
        file.sync_all()?;
        Ok(Self { file, path, offset: 0 })
    }

    /// Writes `bytes` after the last ones and syncs them.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.offset + bytes.len() as u64 > FILE_BYTES {
            self.offset = 0;
        }
        self.file.write_all_at(bytes, self.offset)?;
        self.offset += bytes.len() as u64;
        rustix::fs::fdatasync(&self.file)?;
        Ok(())
    }
}

impl Drop for PreallocatedFile {
    fn drop(&mut self) {
        // A leftover in a temporary directory harms nobody.
        drop(std::fs::remove_file(&self.path));
    }
}

/// Appends groups for `seconds` and prints the rate.
pub(crate) fn run(
    directory: &Path,
    records: usize,
    bytes: usize,
    seconds: u64,
) -> anyhow::Result<()> {
    let mut file = PreallocatedFile::create(directory)?;
    let group = vec![0x5a; records * bytes];
    let started = Instant::now();
    let mut syncs = 0_u64;
    while started.elapsed() < Duration::from_secs(seconds) {
        file.append(&group)?;
        syncs += 1;
    }
    let elapsed = started.elapsed().as_secs_f64();
    let rate = syncs as f64 * records as f64 / elapsed;
    let result = serde_json::json!({
        "limit": "append", "records_per_sync": records, "record_bytes": bytes,
        "rate_per_second": rate.round(), "syncs_per_second": (syncs as f64 / elapsed).round(),
    });
    println!("{result}");
    Ok(())
}
