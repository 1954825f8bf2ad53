//! Extended JSON to encoded bytes: the text as plain JSON first, then the wrappers.

use super::wrapper;
use crate::limits::Limits;
use crate::value::encode;
use crate::value::json::{self, Parsed, check_document};
use crate::value::raw::Raw;
use crate::value::token::Token;
use crate::{Error, Result};

/// What the text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A document or another value: `{"$regex":"..","$options":".."}`, both texts and nothing else, is a regular
    /// expression.
    Data,
    /// A filter, an update or a pipeline: `$regex` is an operator and stays an object's member, as `$type` does in
    /// either mode.
    Filter,
}

/// How much deeper than its value a wrapper's text can be: `{"$date":{"$numberLong":".."}}`.
const WRAPPER_NESTING: u32 = 2;

/// Reads any value.
pub fn parse_value(bytes: &[u8], limits: &Limits, mode: Mode) -> Result<Vec<u8>> {
    let plain = json::parse_value(bytes, &wider(limits))?;
    convert_whole(&plain, limits, mode)
}

/// Reads one object, at most `limits.document_bytes` long.
pub fn parse_document(bytes: &[u8], limits: &Limits, mode: Mode) -> Result<Vec<u8>> {
    let document = parse_value(bytes, limits, mode)?;
    check_document(&document, limits)?;
    Ok(document)
}

/// Reads an object or an array of objects, with the limits of [`json::parse_documents`].
pub fn parse_documents(bytes: &[u8], limits: &Limits, mode: Mode) -> Result<Parsed> {
    let convert = |plain: &[u8]| {
        let document = convert_whole(plain, limits, mode)?;
        check_document(&document, limits)?;
        Ok(document)
    };
    match json::parse_documents(bytes, &wider(limits))? {
        Parsed::One(plain) => convert(&plain).map(Parsed::One),
        Parsed::Many(plain) => {
            let convert_at = |(index, plain): (usize, &Vec<u8>)| {
                convert(plain).map_err(|error| error.with("index", index as u64))
            };
            plain.iter().enumerate().map(convert_at).collect::<Result<_>>().map(Parsed::Many)
        }
    }
}

/// Limits for the text, which is larger and deeper than what it means.
fn wider(limits: &Limits) -> Limits {
    let nesting = limits.nesting.saturating_add(WRAPPER_NESTING);
    Limits { nesting, document_bytes: u64::MAX, ..limits.clone() }
}

fn convert_whole(plain: &[u8], limits: &Limits, mode: Mode) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(plain.len());
    convert(Raw::trusted(plain), 0, limits, mode, &mut out)?;
    Ok(out)
}

fn convert(raw: Raw<'_>, depth: u32, limits: &Limits, mode: Mode, out: &mut Vec<u8>) -> Result<()> {
    let token = raw.token();
    if let Token::Object(_) = token
        && wrapper::write_wrapped(raw, mode, out)?
    {
        return Ok(());
    }
    if matches!(token, Token::Array(_) | Token::Object(_)) && depth >= limits.nesting {
        let message = format!("value is nested more than {} deep", limits.nesting);
        return Err(Error::limit("limits.nesting", u64::from(limits.nesting), message));
    }
    match token {
        Token::Array(len) => {
            encode::write_array_header(len, out);
            for element in raw.array_iter() {
                convert(element, depth + 1, limits, mode, out)?;
            }
        }
        Token::Object(len) => {
            encode::write_object_header(len, out);
            for (name, value) in raw.object_iter() {
                encode::write_str(name, out);
                convert(value, depth + 1, limits, mode, out)?;
            }
        }
        _ => out.extend_from_slice(raw.as_bytes()),
    }
    Ok(())
}
