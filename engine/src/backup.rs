//! Backups: a consistent prefix of the log as one tar file, and the way back.
//!
//! Guarantees: a backup taken while writes go on holds every event up to the position it reports, and nothing half;
//! what webhooks have outstanding is taken first, so that it never runs ahead of the log beside it. A restore goes into
//! an empty directory, verifies the whole chain before it says that it succeeded, and begins a new epoch, so that a
//! position of the other history is never mistaken for one of this.
//! Leaves to others: the views, which come back from the log.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use crate::clock::SystemClock;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::fs::SystemFileSystem;
use crate::log::{self, LogOptions, LogSnapshot, SnapshotFile};
use crate::view::Progress;

/// The folder of the webhooks' state.
const DELIVERIES: &str = "deliveries";

/// What a backup or a restore holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// The last position in it.
    pub position: u64,
    /// Bytes of the files in it.
    pub bytes: u64,
}

impl Engine {
    /// Writes a backup to `output`, which must not exist yet. Blocking; writes go on.
    pub fn backup(&self, output: &Path, progress: &Progress) -> Result<BackedUp> {
        // An erasure under way must be in the backup as a whole or not at all.
        let take = || {
            let _one = self.shared().rewriting.lock();
            self.log().snapshot()
        };
        write_backup(take, self.data(), output, progress)
    }
}

/// Writes a backup of the log in `data` to `output`, by way of a temporary file beside it.
pub(crate) fn write_backup(
    take: impl FnOnce() -> Result<LogSnapshot>,
    data: &Path,
    output: &Path,
    progress: &Progress,
) -> Result<BackedUp> {
    let failed = |error: io::Error| Error::io("write", output, &error);
    if output.exists() {
        return Err(Error::invalid(
            "output_exists",
            format!("{} exists already", output.display()),
        ));
    }
    let mut name = output.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.partial", std::process::id()));
    let temporary = output.with_file_name(name);
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(failed)?;
    let written = pack(take, data, &file, progress).and_then(|backed_up| {
        file.sync_all().map_err(failed)?;
        fs::rename(&temporary, output).map_err(failed)?;
        sync_parent(output).map_err(failed)?;
        Ok(backed_up)
    });
    if written.is_err() {
        // The temporary file is of no use to anybody; a failure to remove it changes nothing.
        drop(fs::remove_file(&temporary));
    }
    written
}

/// Makes the entry of a file in its folder durable.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn pack(
    take: impl FnOnce() -> Result<LogSnapshot>,
    data: &Path,
    file: &fs::File,
    progress: &Progress,
) -> Result<BackedUp> {
    let failed = |error: io::Error| Error::io("write the backup of", data, &error);
    let mut archive = tar::Builder::new(io::BufWriter::with_capacity(1 << 20, file));
    let mut bytes = 0;
    for (name, content) in settled_deliveries(data)? {
        append(&mut archive, &name, content.len() as u64, &content[..]).map_err(failed)?;
        bytes += content.len() as u64;
    }
    let snapshot = take()?;
    let mut total = 0;
    snapshot.for_each_file(|file| {
        total += file.bytes;
        Ok(())
    })?;
    progress.expect(total);
    snapshot.for_each_file(|file| {
        progress.check()?;
        append(&mut archive, &file.name, file.bytes, Source { file, offset: 0 }).map_err(failed)?;
        bytes += file.bytes;
        progress.reached(bytes);
        Ok(())
    })?;
    archive.into_inner().and_then(|mut writer| writer.flush()).map_err(failed)?;
    Ok(BackedUp { position: snapshot.position(), bytes })
}

/// The webhooks' files; their store replaces one by another now and then, so a missing one is looked for again.
fn settled_deliveries(data: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    const TRIES: usize = 10;
    for _ in 1..TRIES {
        let read = deliveries(data);
        if read.is_ok() {
            return read;
        }
    }
    deliveries(data)
}

/// The webhooks' files, read whole before the log is looked at.
fn deliveries(data: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let folder = data.join(DELIVERIES);
    let failed = |error: io::Error| Error::io("read", &folder, &error);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".tmp") {
            files.push((format!("{DELIVERIES}/{name}"), fs::read(entry.path()).map_err(failed)?));
        }
    }
    Ok(files)
}

struct Source<'a> {
    file: &'a SnapshotFile,
    offset: u64,
}

impl Read for Source<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(bytes, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

fn append<W: Write>(
    archive: &mut tar::Builder<W>,
    name: &str,
    bytes: u64,
    content: impl Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_cksum();
    archive.append_data(&mut header, name, content)
}

/// Unpacks a backup into `data`, which must be empty or absent, and verifies it. Blocking.
pub fn restore(data: &Path, input: &Path, options: LogOptions) -> Result<BackedUp> {
    let failed = |error: io::Error| Error::io("restore into", data, &error);
    if data.exists() && fs::read_dir(data).map_err(failed)?.next().is_some() {
        let message = format!("{} is not empty; restore into an empty directory", data.display());
        return Err(Error::invalid("directory_not_empty", message));
    }
    create_dir(data)?;
    // Nothing is where a server would take it for data before it is proved and has its new epoch.
    let scratch = data.join("restoring");
    let restored = unpack(&scratch, input).and_then(|bytes| {
        let position = verify_restored(&scratch, options)?;
        put_in_place(&scratch, data).map_err(failed)?;
        Ok(BackedUp { position, bytes })
    });
    if restored.is_err() {
        clear(data);
    }
    restored
}

/// Moves what was restored to its place; the head comes last, since a directory without it is refused.
fn put_in_place(scratch: &Path, data: &Path) -> io::Result<()> {
    for name in [DELIVERIES, "log", "head"] {
        if scratch.join(name).exists() {
            fs::rename(scratch.join(name), data.join(name))?;
            fs::File::open(data)?.sync_all()?;
        }
    }
    fs::remove_dir_all(scratch)?;
    fs::File::open(data)?.sync_all()
}

/// Takes back what a failed restore left.
fn clear(data: &Path) {
    let Ok(entries) = fs::read_dir(data) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        if let Err(error) = removed {
            tracing::warn!(path = %path.display(), %error, "a failed restore left a file");
        }
    }
}

fn create_dir(path: &Path) -> Result<()> {
    let created = SystemFileSystem::shared().create_dir_all(path);
    created.map_err(|error| Error::io("create", path, &error))
}

fn unpack(data: &Path, input: &Path) -> Result<u64> {
    let failed = |error: io::Error| Error::io("read", input, &error);
    let file = fs::File::open(input).map_err(failed)?;
    let mut archive = tar::Archive::new(io::BufReader::with_capacity(1 << 20, file));
    let mut bytes = 0;
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let name = entry.path().map_err(failed)?.into_owned();
        let expected = name.to_str().is_some_and(is_backup_name);
        if !expected || !entry.header().entry_type().is_file() {
            return Err(Error::damaged(
                "backup_damaged",
                format!("{}: unexpected member `{}`", input.display(), name.display()),
            ));
        }
        let target = data.join(&name);
        if let Some(folder) = target.parent() {
            create_dir(folder)?;
        }
        entry.unpack(&target).map_err(failed)?;
        let unpacked = fs::File::open(&target).map_err(failed)?;
        unpacked.sync_all().map_err(failed)?;
        sync_parent(&target).map_err(failed)?;
        bytes += entry.header().size().map_err(failed)?;
    }
    Ok(bytes)
}

/// `head`, or a plain name in `log/` or `deliveries/`.
fn is_backup_name(name: &str) -> bool {
    let plain = |name: &str| {
        !name.is_empty()
            && !name.starts_with('.')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    match name.split_once('/') {
        None => name == "head",
        Some((folder, file)) => matches!(folder, "log" | DELIVERIES) && plain(file),
    }
}

fn verify_restored(data: &Path, options: LogOptions) -> Result<u64> {
    let fs = SystemFileSystem::shared();
    let clock = SystemClock::shared();
    let mut opened = log::open(data, options, Arc::clone(&fs), clock)?;
    let report = opened.reader.verify(|_, _| ())?;
    opened.writer.begin_epoch()?;
    opened.writer.close()?;
    fs.sync_dir(data).map_err(|error| Error::io("sync", data, &error))?;
    Ok(report.last_position)
}

#[cfg(test)]
mod tests {
    use super::is_backup_name;

    #[test]
    fn only_names_of_a_data_directory_are_unpacked() {
        for name in ["head", "log/00000000000000000001.log", "deliveries/journal"] {
            assert!(is_backup_name(name), "{name}");
        }
        for name in ["../head", "log/../../x", "/etc/passwd", "log/", "views/x", "lock", "log/.x"] {
            assert!(!is_backup_name(name), "{name}");
        }
    }
}
