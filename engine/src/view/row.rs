//! The stored form of a live document: what the engine knows about it, and its body.
//!
//! Layout, little endian: version u64, position u64, created u64 ms, changed u64 ms, length u16 and bytes of who made it,
//! length u16 and bytes of who changed it last, then the encoded body.

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::restrict::Subject;
use crate::value::Raw;

const FIXED: usize = 32;

/// A live document as the views hold it. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    bytes: Bytes,
    body_start: usize,
}

/// What a row is made of.
#[derive(Clone, Copy, Debug)]
pub struct RowParts<'a> {
    /// The document's version.
    pub version: u64,
    /// The position that last wrote it.
    pub position: u64,
    /// When it was made, UTC ms.
    pub created_ms: u64,
    /// When it was last changed, UTC ms.
    pub changed_ms: u64,
    /// Who made it.
    pub created_by: &'a str,
    /// Who changed it last.
    pub changed_by: &'a str,
    /// The body, encoded.
    pub body: &'a [u8],
}

impl RowParts<'_> {
    /// The stored bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(
            FIXED + 4 + self.created_by.len() + self.changed_by.len() + self.body.len(),
        );
        for number in [self.version, self.position, self.created_ms, self.changed_ms] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for text in [self.created_by, self.changed_by] {
            let cut = &text.as_bytes()[..text.len().min(usize::from(u16::MAX))];
            out.extend_from_slice(&(cut.len() as u16).to_le_bytes());
            out.extend_from_slice(cut);
        }
        out.extend_from_slice(self.body);
        out
    }
}

impl Row {
    /// Reads a stored row.
    pub fn decode(bytes: Bytes) -> Result<Self> {
        let body_start = Self::find_body(&bytes)
            .ok_or_else(|| Error::damaged("view_damaged", "a stored document is cut short"))?;
        Ok(Self { bytes, body_start })
    }

    fn find_body(bytes: &[u8]) -> Option<usize> {
        let (_, after) = text_at(bytes, FIXED)?;
        let (_, after) = text_at(bytes, after)?;
        (bytes.len() > after).then_some(after)
    }

    fn number(&self, index: usize) -> u64 {
        let bytes = self.bytes.get(index * 8..index * 8 + 8);
        bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
    }

    /// The document's version.
    pub fn version(&self) -> u64 {
        self.number(0)
    }

    /// The position that last wrote it.
    pub fn position(&self) -> u64 {
        self.number(1)
    }

    /// When it was made, UTC ms.
    pub fn created_ms(&self) -> u64 {
        self.number(2)
    }

    /// When it was last changed, UTC ms.
    pub fn changed_ms(&self) -> u64 {
        self.number(3)
    }

    /// Who made it.
    pub fn created_by(&self) -> &str {
        text_at(&self.bytes, FIXED).map_or("", |(text, _)| text)
    }

    /// Who changed it last.
    pub fn changed_by(&self) -> &str {
        text_at(&self.bytes, FIXED)
            .and_then(|(_, after)| text_at(&self.bytes, after))
            .map_or("", |(text, _)| text)
    }

    /// The body.
    pub fn body(&self) -> Raw<'_> {
        Raw::trusted(&self.bytes[self.body_start..])
    }

    /// The document, as restrictions judge it.
    pub fn subject(&self) -> Subject<'_> {
        Subject { body: self.body(), made_by: self.created_by() }
    }

    /// Bytes of the whole row.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The body's bytes, shared.
    pub fn body_bytes(&self) -> Bytes {
        self.bytes.slice(self.body_start..)
    }
}

fn text_at(bytes: &[u8], at: usize) -> Option<(&str, usize)> {
    let len = u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?);
    let end = at + 2 + usize::from(len);
    Some((std::str::from_utf8(bytes.get(at + 2..end)?).unwrap_or(""), end))
}
