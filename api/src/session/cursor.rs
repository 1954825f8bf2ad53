//! The cursor of a list: where the next page begins, opaque to callers.
//!
//! Layout before base64url: a format byte, the collection's number (u32 LE), the position that `at` was resolved to plus
//! one, or 0 (u64 LE), and the id key to go on after.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use headwater_engine::view::CollectionId;
use headwater_engine::{Error, Result};

const FORMAT: u8 = 1;
const FIXED: usize = 13;

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The collection that the list is of.
    pub(super) collection: CollectionId,
    /// The position that is looked at, if not the newest.
    pub(super) at: Option<u64>,
    /// The id key to go on after.
    pub(super) after: Vec<u8>,
}

impl Cursor {
    /// The text for the caller.
    pub(super) fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(FIXED + self.after.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.collection.to_le_bytes());
        bytes.extend_from_slice(&self.at.map_or(0, |at| at + 1).to_le_bytes());
        bytes.extend_from_slice(&self.after);
        BASE64.encode(bytes)
    }

    /// Reads the text of a caller.
    pub(super) fn decode(text: &str) -> Result<Self> {
        let bytes = BASE64.decode(text).map_err(|_| invalid())?;
        let (fixed, after) = bytes.split_at_checked(FIXED).ok_or_else(invalid)?;
        let (collection, at) = match fixed {
            [FORMAT, rest @ ..] => rest.split_at(4),
            _ => return Err(invalid()),
        };
        let collection = collection.try_into().map_err(|_| invalid())?;
        let at = u64::from_le_bytes(at.try_into().map_err(|_| invalid())?);
        if after.is_empty() {
            return Err(invalid());
        }
        Ok(Self {
            collection: CollectionId::from_le_bytes(collection),
            at: at.checked_sub(1),
            after: after.to_vec(),
        })
    }
}

/// The text of a cursor that is a name.
pub(super) fn of_name(name: &str) -> String {
    BASE64.encode(name)
}

/// The name in such a cursor.
pub(super) fn name_of(text: &str) -> Result<String> {
    let bytes = BASE64.decode(text).map_err(|_| invalid())?;
    String::from_utf8(bytes).map_err(|_| invalid())
}

/// The refusal of a cursor.
pub(super) fn invalid() -> Error {
    Error::invalid("invalid_cursor", "the cursor is not one that this list gave")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back() {
        for at in [None, Some(0), Some(77)] {
            let cursor = Cursor { collection: 300, at, after: vec![1, 2, 3] };
            assert_eq!(Cursor::decode(&cursor.encode()).unwrap(), cursor);
        }
        for text in ["", "x", "AAAA", "!!!", "AQAAAAAAAAAAAAAAAA"] {
            assert!(Cursor::decode(text).is_err(), "{text}");
        }
    }
}
