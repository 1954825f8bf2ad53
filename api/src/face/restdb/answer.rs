//! Documents as the face shows them.
//!
//! Guarantees: system fields that were not asked for are left out, whoever put them there.

use bytes::Bytes;
use headwater_engine::Result;
use headwater_engine::value::{Raw, json};

use super::system;
use crate::reply::write_text;
use crate::session::{Session, blocking};

/// What takes more bytes is worked on off the async threads.
const BLOCKING_BYTES: usize = 512 << 10;

/// Which system fields are shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// All of them.
    pub(super) all: bool,
    /// Those that were asked for by name.
    pub(super) named: Vec<String>,
}

impl Shown {
    /// What the answer to a write shows.
    pub(super) fn written() -> Self {
        Self { all: false, named: system::names_of_writes() }
    }

    /// All that a document has.
    pub(super) fn all() -> Self {
        Self { all: true, named: Vec::new() }
    }

    /// Whether a member is shown.
    pub(super) fn shows(&self, name: &str) -> bool {
        self.all || !system::is_fact(name) || self.named.iter().any(|named| named == name)
    }

    /// Writes a document.
    pub(super) fn write(&self, document: Raw<'_>, out: &mut Vec<u8>) {
        if self.all || document.as_object().is_none() {
            return json::write(document, out);
        }
        out.push(b'{');
        let shown = document.object_iter().filter(|(name, _)| self.shows(name));
        for (index, (name, value)) in shown.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_text(name, out);
            out.push(b':');
            json::write(value, out);
        }
        out.push(b'}');
    }

    /// Writes documents or values as an array.
    pub(super) fn write_all<'a>(
        &self,
        documents: impl Iterator<Item = Raw<'a>>,
        out: &mut Vec<u8>,
    ) {
        out.push(b'[');
        for (index, document) in documents.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.write(document, out);
        }
        out.push(b']');
    }
}

/// Does work on so many bytes: off the async threads where they are many.
pub(super) async fn sized<T: Send + 'static>(
    session: &Session,
    bytes: usize,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    if bytes < BLOCKING_BYTES { work() } else { blocking(session.engine(), work).await }
}

/// Documents as the text of an answer: an array, or the first one alone.
pub(super) async fn text(
    session: &Session,
    documents: Vec<Bytes>,
    shown: Shown,
    is_array: bool,
) -> Result<Vec<u8>> {
    let bytes: usize = documents.iter().map(Bytes::len).sum();
    let write = move || {
        let mut out = Vec::with_capacity(bytes * 5 / 4 + 64);
        let mut documents = documents.iter().map(|one| Raw::trusted(one));
        match is_array {
            true => shown.write_all(documents, &mut out),
            false => shown.write(documents.next().unwrap_or(Raw::NULL), &mut out),
        }
        Ok(out)
    };
    sized(session, bytes, write).await
}

/// `{"result":[ids]}`.
pub(super) fn result<'a>(ids: impl Iterator<Item = Raw<'a>>) -> Vec<u8> {
    let mut out = b"{\"result\":".to_vec();
    Shown::all().write_all(ids, &mut out);
    out.push(b'}');
    out
}
