//! Judging encoded bytes that nobody vouches for.
//!
//! Guarantees: [`validate`] never panics and accepts exactly one value in canonical form: whole, minimal headers, UTF-8
//! strings, string names, known extensions, nesting up to [`NESTING_MAX`], nothing after it. What it accepts re-encodes
//! to the same bytes.
//! Leaves to others: repeated names in an object, limits on size.

use super::encode;
use super::token::{Cursor, Token};
use crate::{Error, Result};

/// The deepest nesting that an encoding may have, whatever the limits say.
pub const NESTING_MAX: u32 = 256;

/// Checks that `bytes` are one value in canonical form.
pub fn validate(bytes: &[u8]) -> Result<()> {
    let mut check = Check { cursor: Cursor::new(bytes), len: bytes.len(), scratch: Vec::new() };
    check.value(0)?;
    match check.cursor.rest() {
        [] => Ok(()),
        _ => Err(check.damaged("has bytes after its end")),
    }
}

struct Check<'a> {
    cursor: Cursor<'a>,
    len: usize,
    scratch: Vec<u8>,
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
        self.scratch.clear();
        write_head(&token, &mut self.scratch);
        if !before.starts_with(&self.scratch) {
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

/// Writes the canonical first bytes of a token: all of a scalar of fixed size, the header of anything else.
fn write_head(token: &Token<'_>, out: &mut Vec<u8>) {
    match *token {
        Token::Null => encode::write_null(out),
        Token::Bool(value) => encode::write_bool(value, out),
        Token::Int32(value) => encode::write_int32(value, out),
        Token::Int64(value) => encode::write_int64(value, out),
        Token::Double(value) => encode::write_double(value, out),
        Token::Decimal(value) => encode::write_decimal(value, out),
        Token::String(text) => encode::write_str_header(text.len(), out),
        Token::Date(ms) => encode::write_date(ms, out),
        Token::ObjectId(id) => encode::write_object_id(id, out),
        Token::Binary(_, bytes) => {
            encode::write_ext_header(encode::EXT_BINARY, bytes.len() + 1, out)
        }
        Token::Array(len) => encode::write_array_header(len, out),
        Token::Object(len) => encode::write_object_header(len, out),
        Token::Regex(pattern, options) => {
            encode::write_ext_header(encode::EXT_REGEX, pattern.len() + 1 + options.len(), out);
        }
        Token::Timestamp(t, i) => encode::write_timestamp(t, i, out),
        Token::MinKey => encode::write_min_key(out),
        Token::MaxKey => encode::write_max_key(out),
    }
}
