//! Judging encoded bytes that nobody vouches for.
//!
//! Guarantees: [`validate`] never panics and accepts exactly one value in canonical form: whole, minimal headers, UTF-8
//! strings, string names, known extensions, nesting up to [`NESTING_MAX`], nothing after it. What it accepts re-encodes
//! to the same bytes.
//! Leaves to others: repeated names in an object, limits on size.

use super::token::{Cursor, Token};
use crate::{Error, Result};

/// The deepest nesting that an encoding may have, whatever the limits say.
pub const NESTING_MAX: u32 = 256;

/// Checks that `bytes` are one value in canonical form.
pub fn validate(bytes: &[u8]) -> Result<()> {
    let mut check = Check { cursor: Cursor::new(bytes), len: bytes.len() };
    check.value(0)?;
    match check.cursor.rest() {
        [] => Ok(()),
        _ => Err(check.damaged("has bytes after its end")),
    }
}

struct Check<'a> {
    cursor: Cursor<'a>,
    len: usize,
}

impl<'a> Check<'a> {
    fn value(&mut self, depth: u32) -> Result<()> {
        match self.token()? {
            Token::Array(len) => {
                self.enter(depth)?;
                for _ in 0..len {
                    self.value(depth + 1)?;
                }
                Ok(())
            }
            Token::Object(len) => {
                self.enter(depth)?;
                for _ in 0..len {
                    let Token::String(_) = self.token()? else {
                        return Err(self.damaged("has a member name that is not a string"));
                    };
                    self.value(depth + 1)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn enter(&self, depth: u32) -> Result<()> {
        if depth < NESTING_MAX { Ok(()) } else { Err(self.damaged("is nested too deeply")) }
    }

    fn token(&mut self) -> Result<Token<'a>> {
        let before = self.cursor.rest();
        let Some(token) = self.cursor.next_token() else {
            return Err(self.damaged("is cut short or has an unknown type"));
        };
        if before.len() - self.cursor.rest().len() != canonical_len(&token) {
            return Err(self.damaged("is not in canonical form"));
        }
        let texts = match token {
            Token::String(text) => [text, b""],
            Token::Regex(pattern, options) => [pattern, options],
            _ => [b"".as_slice(); 2],
        };
        if texts.iter().any(|text| std::str::from_utf8(text).is_err()) {
            return Err(self.damaged("has text that is not UTF-8"));
        }
        Ok(token)
    }

    fn damaged(&self, what: &str) -> Error {
        let offset = self.len - self.cursor.rest().len();
        Error::damaged("damaged_value", format!("encoded value {what} before byte {offset}"))
            .with("offset", offset as u64)
    }
}

/// How many bytes a token takes in canonical form: all of a scalar, the header of an array or object. No two forms of
/// a token have the same length, so the length tells the canonical one.
fn canonical_len(token: &Token<'_>) -> usize {
    match *token {
        Token::Null | Token::Bool(_) => 1,
        Token::Int32(-32..=127) => 1,
        Token::Int32(-128..=127) => 2,
        Token::Int32(-32_768..=32_767) => 3,
        Token::Int32(_) => 5,
        Token::Int64(_) | Token::Double(_) => 9,
        Token::String(text) => {
            text.len() + if text.len() <= 31 { 1 } else { 1 + len_width(text.len()) }
        }
        Token::Array(len) | Token::Object(len) if len <= 15 => 1,
        Token::Array(len) | Token::Object(len) => 1 + len_width(len).max(2),
        Token::Date(_) | Token::Timestamp(..) => extension_len(8),
        Token::Decimal(_) => extension_len(16),
        Token::ObjectId(_) => extension_len(12),
        Token::Binary(_, bytes) => extension_len(1 + bytes.len()),
        Token::Regex(pattern, options) => extension_len(pattern.len() + 1 + options.len()),
        Token::MinKey | Token::MaxKey => extension_len(0),
    }
}

fn extension_len(payload: usize) -> usize {
    let header = if matches!(payload, 1 | 2 | 4 | 8 | 16) { 2 } else { 2 + len_width(payload) };
    header + payload
}

/// The bytes of a length outside its tag.
fn len_width(len: usize) -> usize {
    match len {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        _ => 4,
    }
}
