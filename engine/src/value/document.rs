//! Documents and their `_id`.
//!
//! Guarantees: a prepared document has `_id` as its first member, never an array or a regular expression, with a key of
//! at most `limits.id_bytes`.
//! Leaves to others: where generated ids come from, and whether an id is taken.

use super::encode;
use super::key;
use super::kind::ValueKind;
use super::object_id;
use super::raw::Raw;
use super::token::{Cursor, Token};
use crate::limits::Limits;
use crate::{Error, Result};

/// The name of the id's member.
pub const ID: &str = "_id";

/// How a text in `_id` is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdRule {
    /// Plain JSON: 24 hex digits are that ObjectId.
    PlainJson,
    /// Typed input: a text is a text.
    Typed,
}

/// A document that is ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The encoded document, `_id` first.
    pub bytes: Vec<u8>,
    /// The encoded `_id`.
    pub id: Vec<u8>,
    /// The key of the `_id`.
    pub id_key: Vec<u8>,
    /// Whether the `_id` was generated.
    pub generated: bool,
}

/// Gives a document its `_id` in the first place: `ids` makes one where there is none.
pub fn prepare(
    encoded: Vec<u8>,
    rule: IdRule,
    limits: &Limits,
    ids: impl FnOnce() -> [u8; 12],
) -> Result<Prepared> {
    let mut cursor = Cursor::new(&encoded);
    let Some(Token::Object(len)) = cursor.next_token() else {
        return Err(Error::invalid("not_an_object", "a document must be an object"));
    };
    let body = cursor.rest();
    let Some((place, value)) = find_id(cursor, len) else {
        let mut id = Vec::with_capacity(15);
        encode::write_object_id(&ids(), &mut id);
        let bytes = with_id(&id, len + 1, [body, &[]]);
        return finish(bytes, id, true, limits);
    };
    let id = read_id(Raw::trusted(value), rule)?;
    if place == 0 && id == value {
        return finish(encoded, id, false, limits);
    }
    let after = &body[place + 1 + ID.len() + value.len()..];
    let bytes = with_id(&id, len, [&body[..place], after]);
    finish(bytes, id, false, limits)
}

/// The encoded `_id` as a rule reads it: refuses arrays and regular expressions.
pub fn read_id(raw: Raw<'_>, rule: IdRule) -> Result<Vec<u8>> {
    match raw.token() {
        token @ (Token::Array(_) | Token::Regex(..)) => {
            let kind =
                if token.kind() == ValueKind::Array { "an array" } else { "a regular expression" };
            Err(Error::invalid("invalid_id", format!("_id must not be {kind}")))
        }
        Token::String(text) if rule == IdRule::PlainJson => {
            let Some(id) = object_id::parse_bytes(text) else { return Ok(raw.as_bytes().to_vec()) };
            let mut out = Vec::with_capacity(15);
            encode::write_object_id(&id, &mut out);
            Ok(out)
        }
        _ => Ok(raw.as_bytes().to_vec()),
    }
}

/// The encoded ids that a path segment can mean, in the order to try them: the ObjectId of 24 hex digits, the string,
/// the integer in its shortest decimal form.
pub fn parse_path_id(segment: &str) -> impl Iterator<Item = Vec<u8>> {
    let object_id = object_id::parse(segment).map(|id| {
        let mut out = Vec::with_capacity(15);
        encode::write_object_id(&id, &mut out);
        out
    });
    let mut string = Vec::with_capacity(segment.len() + 5);
    encode::write_str(segment, &mut string);
    let integer =
        segment.parse().ok().filter(|number: &i64| number.to_string() == segment).map(|number| {
            let mut out = Vec::with_capacity(9);
            encode::write_integer(number, &mut out);
            out
        });
    object_id.into_iter().chain([string]).chain(integer)
}

/// Where the `_id` member begins in the body, and its encoded value.
fn find_id(mut cursor: Cursor<'_>, len: usize) -> Option<(usize, &[u8])> {
    let start = cursor.rest().len();
    for _ in 0..len {
        let place = start - cursor.rest().len();
        let name = cursor.name()?;
        let value = cursor.skip()?;
        if name == ID.as_bytes() {
            return Some((place, value));
        }
    }
    None
}

fn with_id(id: &[u8], len: usize, members: [&[u8]; 2]) -> Vec<u8> {
    let size = 5 + 1 + ID.len() + id.len() + members[0].len() + members[1].len();
    let mut bytes = Vec::with_capacity(size);
    encode::write_object_header(len, &mut bytes);
    encode::write_str(ID, &mut bytes);
    for part in [id, members[0], members[1]] {
        bytes.extend_from_slice(part);
    }
    bytes
}

fn finish(bytes: Vec<u8>, id: Vec<u8>, generated: bool, limits: &Limits) -> Result<Prepared> {
    let id_key = key::encode(Raw::trusted(&id));
    check_id_key(&id_key, limits)?;
    Ok(Prepared { bytes, id, id_key, generated })
}

/// Refuses the key of an `_id` that is over `limits.id_bytes`.
pub fn check_id_key(id_key: &[u8], limits: &Limits) -> Result<()> {
    if id_key.len() as u64 <= u64::from(limits.id_bytes) {
        return Ok(());
    }
    let message = format!("_id takes {} bytes as a key", id_key.len());
    Err(Error::limit("limits.id_bytes", u64::from(limits.id_bytes), message))
}

/// A document with nothing of another but its `_id`.
pub fn id_alone(document: Raw<'_>) -> Vec<u8> {
    let id = document.get(ID);
    let mut out = Vec::with_capacity(24);
    encode::write_object_header(usize::from(id.is_some()), &mut out);
    if let Some(id) = id {
        encode::write_str(ID, &mut out);
        out.extend_from_slice(id.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests;
