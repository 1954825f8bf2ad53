//! The `_id` of a document that an update made: first, and unchanged.
//!
//! Guarantees: an equal `_id` of another type is no change and the old one stays; any other is refused.
//! Leaves to others: whether an id is taken.

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::value::document::{self, ID, IdRule};
use crate::value::{Raw, compare, encode, key};

/// What a missing `_id` means.
#[derive(Clone, Copy)]
pub(super) enum Missing {
    /// It was taken away, which is refused.
    Refused,
    /// It was not mentioned, so that the old one stays.
    Kept,
}

/// Puts the `_id` first and checks that it is the old one, if there was one; `new` is the one to use where there is none.
pub(super) fn settle(
    old: Option<Raw<'_>>,
    body: Vec<u8>,
    missing: Missing,
    new: Option<[u8; 12]>,
) -> Result<Vec<u8>> {
    let raw = Raw::trusted(&body);
    let mut made = Vec::new();
    let id = match (old, raw.get(ID)) {
        (Some(old), Some(id)) if compare::equal(old, id) => old,
        (Some(old), None) if matches!(missing, Missing::Kept) => old,
        (Some(_), _) => return Err(immutable()),
        (None, Some(id)) => id,
        (None, None) => {
            let Some(new) = new else { return Ok(body) };
            encode::write_object_id(&new, &mut made);
            Raw::trusted(&made)
        }
    };
    if let Some((name, first)) = raw.object_iter().next()
        && name == ID
        && first.as_bytes() == id.as_bytes()
    {
        return Ok(body);
    }
    let others = raw.object_iter().filter(|(name, _)| *name != ID);
    let mut out = Vec::with_capacity(body.len() + id.as_bytes().len() + 8);
    encode::write_object_header(others.clone().count() + 1, &mut out);
    encode::write_str(ID, &mut out);
    out.extend_from_slice(id.as_bytes());
    for (name, value) in others {
        encode::write_str(name, &mut out);
        out.extend_from_slice(value.as_bytes());
    }
    Ok(out)
}

/// Refuses a new document whose `_id` cannot be one.
pub(super) fn check_new(document: &[u8], limits: &Limits) -> Result<()> {
    let id = Raw::trusted(document).get(ID).unwrap_or(Raw::NULL);
    document::read_id(id, IdRule::Typed)?;
    document::check_id_key(&key::encode(id), limits)
}

fn immutable() -> Error {
    Error::invalid("immutable_id", "an update cannot change the path `_id`").with("path", ID)
}
