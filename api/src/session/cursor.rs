//! The cursor of a list: where the next page begins, opaque to callers.
//!
//! Layout before base64url: a format byte, the collection's number (u32 LE), the position that `at` was resolved to plus
//! one, or 0 (u64 LE), the digest of filter and sort (u64 LE), the length of the key under the sort (u32 LE), that key, and
//! the id key to go on after.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use headwater_engine::query::find::Place;
use headwater_engine::view::CollectionId;
use headwater_engine::{Error, Result};

const FORMAT: u8 = 2;
const FIXED: usize = 25;

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The collection that the list is of.
    pub(super) collection: CollectionId,
    /// The position that is looked at, if not the newest.
    pub(super) at: Option<u64>,
    /// Which filter and sort the list has; 0 where it has neither.
    pub(super) digest: u64,
    /// The place to go on after.
    pub(super) after: Place,
}

impl Cursor {
    /// The text for the caller.
    pub(super) fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(FIXED + self.after.key.len() + self.after.id_key.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.collection.to_le_bytes());
        bytes.extend_from_slice(&self.at.map_or(0, |at| at + 1).to_le_bytes());
        bytes.extend_from_slice(&self.digest.to_le_bytes());
        bytes.extend_from_slice(&(self.after.key.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&self.after.key);
        bytes.extend_from_slice(&self.after.id_key);
        BASE64.encode(bytes)
    }

    /// Reads the text of a caller.
    pub(crate) fn decode(text: &str) -> Result<Self> {
        let bytes = BASE64.decode(text).map_err(|_| invalid())?;
        let mut rest = bytes.as_slice();
        if take::<1>(&mut rest)? != [FORMAT] {
            return Err(invalid());
        }
        let collection = CollectionId::from_le_bytes(take(&mut rest)?);
        let at = u64::from_le_bytes(take(&mut rest)?);
        let digest = u64::from_le_bytes(take(&mut rest)?);
        let length = u32::from_le_bytes(take(&mut rest)?);
        let (key, id_key) = rest.split_at_checked(length as usize).ok_or_else(invalid)?;
        if id_key.is_empty() {
            return Err(invalid());
        }
        let after = Place { key: key.to_vec(), id_key: id_key.to_vec() };
        Ok(Self { collection, at: at.checked_sub(1), digest, after })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N]> {
    let (taken, left) = rest.split_first_chunk().ok_or_else(invalid)?;
    *rest = left;
    Ok(*taken)
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
        for (at, key) in [(None, vec![]), (Some(0), vec![9]), (Some(77), vec![1; 300])] {
            let after = Place { key, id_key: vec![1, 2, 3] };
            let cursor = Cursor { collection: 300, at, digest: 5, after };
            assert_eq!(Cursor::decode(&cursor.encode()).unwrap(), cursor);
        }
        for text in ["", "x", "AAAA", "!!!", "AQAAAAAAAAAAAAAAAA", "AgAAAAAAAAAAAAAAAA"] {
            assert!(Cursor::decode(text).is_err(), "{text}");
        }
        let length_only = BASE64.encode([vec![FORMAT], vec![0; 20], vec![255; 4]].concat());
        assert!(Cursor::decode(&length_only).is_err());
    }
}
