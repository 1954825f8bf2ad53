//! The engine's error: a kind that tells the caller what to do, a stable code, and a message that names the thing.
//!
//! Guarantees: `kind` decides the remedy, `code` is stable `snake_case`, `details` carries machine-readable facts.
//! Leaves to others: statuses and bodies of any wire dialect (the faces match on `kind`).

use std::fmt;

/// What the caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request itself is wrong; the same request will fail again.
    Invalid,
    /// A named limit was exceeded; `details["limit"]` holds its name.
    LimitExceeded,
    /// The whole request is larger than `limits.body_bytes`.
    TooLarge,
    /// The credential does not allow this.
    Forbidden,
    /// What was named does not exist.
    NotFound,
    /// A duplicate id or another clash with the present state.
    Conflict,
    /// The document's version is not the one asked for.
    VersionMismatch,
    /// Well-formed, but refused by a rule of the data (schema, reused idempotency key).
    Unprocessable,
    /// A position past the end, before retention, or of another epoch.
    Gone,
    /// Not now: the queue is full or the log stopped; retry later. Whether a write took effect is
    /// unknown when `code` is `write_unknown`.
    Unavailable,
    /// The disk is (nearly) full; reads go on.
    DiskFull,
    /// Stored data is damaged, missing or of a newer format; the message names file, offset and remedy.
    Damaged,
    /// A defect or an unexpected failure of the machine.
    Internal,
}

/// A fact attached to an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A text.
    Text(String),
    /// A number.
    Number(u64),
}

/// An error of the engine.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    code: &'static str,
    message: String,
    details: Vec<(&'static str, Detail)>,
}

/// The engine's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` with its stable `code` and a message that names what is wrong.
    pub fn new(kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), details: Vec::new() }
    }

    /// A malformed request.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, code, message)
    }

    /// A limit by its configuration key, for instance `limits.nesting`, with its present value.
    pub fn limit(limit: &'static str, value: u64, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::LimitExceeded, "limit_exceeded", message)
            .with("limit", limit)
            .with("value", value)
    }

    /// Something that does not exist.
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, code, message)
    }

    /// A write or read that may be tried again later.
    pub fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, code, message)
    }

    /// Damaged stored data; say which file, which offset or position, and what to do.
    pub fn damaged(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Damaged, code, message)
    }

    /// A defect or an unexpected failure.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, "internal", message)
    }

    /// An I/O failure on `path` while doing `what`; a full disk keeps its own kind.
    pub fn io(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let message = format!("{what} {}: {error}", path.display());
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::new(ErrorKind::DiskFull, "disk_full", message)
            }
            _ => Self::new(ErrorKind::Internal, "io_error", message),
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, name: &'static str, detail: impl Into<Detail>) -> Self {
        self.details.push((name, detail.into()));
        self
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The stable `snake_case` code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The message, lower case, naming the thing.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The facts, in the order they were added.
    pub fn details(&self) -> &[(&'static str, Detail)] {
        &self.details
    }

    /// One fact by name.
    pub fn detail(&self, name: &str) -> Option<&Detail> {
        self.details.iter().find(|(n, _)| *n == name).map(|(_, detail)| detail)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<&str> for Detail {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Detail {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}
