//! The keys of the tree of indexes.
//!
//! Layout: `00`, number of the index (u64, big-endian), what is known: `r` (ready) or `f` (failed, with the reason), `m` (an
//! array was opened), `c` (an entry was cut). `01`, number, entry, key of the `_id`: an entry, with the entry's length as its
//! value (u32, little-endian). What is known stands in the same tree as the entries, so that neither can be on disk without
//! the other.

/// Entries longer than this are cut, and end in a digest of the whole.
pub const ENTRY_BYTES_MAX: usize = 1024;
const DIGEST: usize = 16;

/// A fact about an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fact {
    /// It holds the entries of every document.
    Ready = b'r',
    /// It cannot be built; the value says why.
    Failed = b'f',
    /// A document has, or had, several entries: an array was opened.
    Multikey = b'm',
    /// An entry is, or was, longer than [`ENTRY_BYTES_MAX`].
    Cut = b'c',
}

/// The key of a fact.
pub fn fact(index: u64, fact: Fact) -> Vec<u8> {
    let mut key = vec![0];
    key.extend_from_slice(&index.to_be_bytes());
    key.push(fact as u8);
    key
}

/// What all entries of an index begin with.
pub fn prefix(index: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(48);
    key.push(1);
    key.extend_from_slice(&index.to_be_bytes());
    key
}

/// The bytes of [`prefix`].
pub const PREFIX: usize = 9;

/// The first key after all entries of an index.
pub fn end(index: u64) -> Vec<u8> {
    prefix(index.saturating_add(1))
}

/// The key of an entry.
pub fn entry(index: u64, entry: &[u8], id_key: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(PREFIX + entry.len() + id_key.len());
    key.push(1);
    key.extend_from_slice(&index.to_be_bytes());
    key.extend_from_slice(entry);
    key.extend_from_slice(id_key);
    key
}

/// The value of an entry.
pub fn value(entry: &[u8]) -> [u8; 4] {
    (entry.len() as u32).to_le_bytes()
}

/// The entry and the key of the `_id` in a key with its value.
pub fn split<'k>(key: &'k [u8], value: &[u8]) -> Option<(&'k [u8], &'k [u8])> {
    let len = u32::from_le_bytes(value.try_into().ok()?) as usize;
    key.get(PREFIX..)?.split_at_checked(len)
}

/// Cuts an entry that is too long; whether it was.
pub fn cut(entry: &mut Vec<u8>) -> bool {
    if entry.len() <= ENTRY_BYTES_MAX {
        return false;
    }
    let digest = blake3::hash(entry);
    entry.truncate(ENTRY_BYTES_MAX - DIGEST);
    entry.extend_from_slice(&digest.as_bytes()[..DIGEST]);
    true
}
