//! Data that commands give: lines on stdout, or a file that appears only when it is whole.
//!
//! Guarantees: a reader that closed stdout early (`| head`) ends the command quietly; a file is written beside its
//! name, synced and renamed, so that no half of one is ever seen.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// One line of JSON or text on stdout.
pub(crate) fn line(text: impl std::fmt::Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Whether `error` only says that nobody reads stdout any more.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Where an export or a backup goes.
pub(crate) enum Output {
    /// The standard output.
    Stdout(BufWriter<io::Stdout>),
    /// A file, not yet under its name.
    File(Pending),
}

/// A file beside the one that it will replace.
pub(crate) struct Pending {
    file: BufWriter<File>,
    beside: PathBuf,
    path: PathBuf,
    done: bool,
}

impl Output {
    /// The file at `path`, or stdout without one.
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        match path {
            Some(path) if path != Path::new("-") => Ok(Self::File(Pending::create(path)?)),
            _ => Ok(Self::Stdout(BufWriter::with_capacity(1 << 16, io::stdout()))),
        }
    }

    /// Makes everything written last: synced and under its name.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Stdout(mut stdout) => Ok(stdout.flush()?),
            Self::File(pending) => pending.finish(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::File(pending) => pending.file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(pending) => pending.file.flush(),
        }
    }
}

impl Pending {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let name = path
            .file_name()
            .with_context(|| format!("{} names no file", path.display()))?
            .to_string_lossy();
        let beside = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
        let file =
            File::create(&beside).with_context(|| format!("can't create {}", beside.display()))?;
        let file = BufWriter::with_capacity(1 << 16, file);
        Ok(Self { file, beside, path: path.to_owned(), done: false })
    }

    fn finish(mut self) -> anyhow::Result<()> {
        let named = || format!("can't write {}", self.path.display());
        self.file.flush().with_context(named)?;
        self.file.get_ref().sync_all().with_context(named)?;
        std::fs::rename(&self.beside, &self.path).with_context(named)?;
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(directory).and_then(|directory| directory.sync_all()).with_context(named)?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.done {
            // Nothing more can be done about a leftover that can't be removed.
            drop(std::fs::remove_file(&self.beside));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_only_when_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out.jsonl");
        let mut output = Output::open(Some(&path)).unwrap();
        output.write_all(b"{}\n").unwrap();
        assert!(!path.exists());
        output.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"{}\n");
        drop(Output::open(Some(&directory.path().join("never"))).unwrap());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
