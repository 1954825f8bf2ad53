//! Writing what an inclusion or exclusion leaves of a document.
//!
//! Guarantees: members are copied as they are encoded, in the document's order; no tree is built. Inclusion drops what is no
//! object where a path goes on, exclusion keeps it; arrays are gone through, at any nesting.
//! Leaves to others: computed fields (`compute`), which an inclusion drops here.

use super::array;
use super::fields::{Field, Fields};
use crate::error::Result;
use crate::value::token::{Cursor, Token};
use crate::value::{Raw, encode};

/// Whether the fields of a projection are those to show or those to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// To show.
    Include,
    /// To leave out.
    Exclude,
}

/// Writes what is left of an object. `position` is the element that the positional `$` stands for.
pub(super) fn write_object(
    mode: Mode,
    fields: &Fields,
    object: Raw<'_>,
    position: Option<usize>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let mut cursor = Cursor::new(object.as_bytes());
    let Some(Token::Object(len)) = cursor.next_token() else {
        encode::write_object_header(0, out);
        return Ok(());
    };
    let start = encode::open(out);
    let (mut count, mut found) = (0, 0);
    for _ in 0..len {
        if mode == Mode::Include && found == fields.len() {
            break;
        }
        let before = cursor.rest();
        let Some(name) = cursor.name() else { break };
        let named = before.len() - cursor.rest().len();
        let Some(value) = cursor.skip() else { break };
        let mark = out.len();
        let Some((_, field)) = fields.find(name) else {
            if mode == Mode::Exclude {
                out.extend_from_slice(before.get(..named + value.len()).unwrap_or_default());
                count += 1;
            }
            continue;
        };
        found += 1;
        out.extend_from_slice(before.get(..named).unwrap_or_default());
        if write_field(mode, field, Raw::trusted(value), position, out)? {
            count += 1;
        } else {
            out.truncate(mark);
        }
    }
    encode::close_object(start, count, out);
    Ok(())
}

/// Writes what is left of a field; `false`: nothing, not even the field.
fn write_field(
    mode: Mode,
    field: &Field,
    value: Raw<'_>,
    position: Option<usize>,
    out: &mut Vec<u8>,
) -> Result<bool> {
    match field {
        Field::Plain => {
            if mode == Mode::Include {
                out.extend_from_slice(value.as_bytes());
            }
            return Ok(mode == Mode::Include);
        }
        Field::Nested(fields) => return write_nested(mode, fields, value, position, out),
        Field::Slice(slice) => slice.write(value, out),
        Field::FirstMatch(first) => return first.write(value, out),
        Field::Positional => match position {
            Some(index) if value.as_array().is_some() => {
                array::write_one(array::positional(value, index)?, out);
            }
            _ => out.extend_from_slice(value.as_bytes()),
        },
        Field::Computed(_) => return Ok(false),
    }
    Ok(true)
}

/// Writes what is left of a value in which fields are named.
fn write_nested(
    mode: Mode,
    fields: &Fields,
    value: Raw<'_>,
    position: Option<usize>,
    out: &mut Vec<u8>,
) -> Result<bool> {
    match value.token() {
        Token::Object(_) => write_object(mode, fields, value, position, out)?,
        Token::Array(_) => {
            let only = match position {
                Some(index) if fields.positional => Some(array::positional(value, index)?),
                _ => None,
            };
            let start = encode::open(out);
            let mut count = 0;
            // The positional `$` stands for an element of the first array on the way.
            let inner = if only.is_some() { None } else { position };
            let all = only.is_none().then(|| value.array_iter());
            for element in only.into_iter().chain(all.into_iter().flatten()) {
                count += usize::from(write_nested(mode, fields, element, inner, out)?);
            }
            encode::close_array(start, count, out);
        }
        _ => {
            if mode == Mode::Exclude {
                out.extend_from_slice(value.as_bytes());
            }
            return Ok(mode == Mode::Exclude);
        }
    }
    Ok(true)
}
