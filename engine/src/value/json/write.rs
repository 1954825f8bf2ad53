//! Encoded bytes to JSON text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::value::date;
use crate::value::raw::Raw;
use crate::value::token::{Cursor, Token};

/// Writes a value as plain JSON: an ObjectId as 24 hex digits, a date as RFC 3339, a decimal as text, a binary as
/// base64, a regular expression as `"/pattern/options"`, a timestamp as `{"t":..,"i":..}`, the min and max key as
/// `"MinKey"` and `"MaxKey"`, NaN and the infinities as null.
pub fn write(raw: Raw<'_>, out: &mut Vec<u8>) {
    out.reserve(raw.as_bytes().len() * 3 / 2);
    write_whole(raw, write_next, out);
}

/// Writes the value at a cursor; `None` where the bytes are damaged.
pub(in crate::value) type WriteNext = fn(&mut Cursor<'_>, &mut Vec<u8>) -> Option<()>;

/// Writes a value with `next`, or null for damaged bytes.
pub(in crate::value) fn write_whole(raw: Raw<'_>, next: WriteNext, out: &mut Vec<u8>) {
    let start = out.len();
    if next(&mut Cursor::new(raw.as_bytes()), out).is_none() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

fn write_next(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Option<()> {
    match cursor.next_token()? {
        Token::Null => out.extend_from_slice(b"null"),
        Token::Bool(true) => out.extend_from_slice(b"true"),
        Token::Bool(false) => out.extend_from_slice(b"false"),
        Token::Int32(value) => write_integer(i64::from(value), out),
        Token::Int64(value) => write_integer(value, out),
        Token::Double(value) if value.is_finite() => write_double(value, out),
        Token::Double(_) => out.extend_from_slice(b"null"),
        Token::Decimal(value) => write_plain(value.to_string().as_bytes(), out),
        Token::String(text) => write_text(text, out),
        Token::Date(ms) => {
            out.push(b'"');
            date::write_ms(ms, out);
            out.push(b'"');
        }
        Token::ObjectId(id) => write_plain(&hex(id), out),
        Token::Binary(_, bytes) => write_base64(bytes, out),
        Token::Array(len) => return write_array(cursor, len, write_next, out),
        Token::Object(len) => return write_object(cursor, len, write_next, out),
        Token::Regex(pattern, options) => write_text(&[b"/", pattern, b"/", options].concat(), out),
        Token::Timestamp(t, i) => {
            out.extend_from_slice(b"{\"t\":");
            write_integer(i64::from(t), out);
            out.extend_from_slice(b",\"i\":");
            write_integer(i64::from(i), out);
            out.push(b'}');
        }
        Token::MinKey => out.extend_from_slice(b"\"MinKey\""),
        Token::MaxKey => out.extend_from_slice(b"\"MaxKey\""),
    }
    Some(())
}

/// Writes an array, whose header has been read, with `next` for the elements.
pub(in crate::value) fn write_array(
    cursor: &mut Cursor<'_>,
    len: usize,
    next: WriteNext,
    out: &mut Vec<u8>,
) -> Option<()> {
    out.push(b'[');
    for index in 0..len {
        if index > 0 {
            out.push(b',');
        }
        next(cursor, out)?;
    }
    out.push(b']');
    Some(())
}

/// Writes an object, whose header has been read, with `next` for the values.
pub(in crate::value) fn write_object(
    cursor: &mut Cursor<'_>,
    len: usize,
    next: WriteNext,
    out: &mut Vec<u8>,
) -> Option<()> {
    out.push(b'{');
    for index in 0..len {
        if index > 0 {
            out.push(b',');
        }
        write_text(cursor.name()?, out);
        out.push(b':');
        next(cursor, out)?;
    }
    out.push(b'}');
    Some(())
}

fn write_integer(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes a finite double; it always has a point or an exponent, so it reads back as a double.
pub(in crate::value) fn write_double(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
}

/// Writes bytes as a base64 text.
pub(in crate::value) fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    write_plain(BASE64.encode(bytes).as_bytes(), out);
}

/// Writes text that needs no escape.
fn write_plain(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

fn hex(id: &[u8; 12]) -> [u8; 24] {
    let mut digits = [0; 24];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(id) {
        pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0x0f)]]);
    }
    digits
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// For each byte: 0 where it stands for itself, `u` where it needs a `\u` escape, else the letter of its escape.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Writes a text in quotes, with the escapes that JSON requires.
pub(in crate::value) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while let Some(index) = first_escape(rest) {
        let byte = rest[index];
        out.extend_from_slice(&rest[..index]);
        match ESCAPES[usize::from(byte)] {
            b'u' => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[
                    HEX[usize::from(byte >> 4)],
                    HEX[usize::from(byte & 0x0f)],
                ]);
            }
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
        rest = &rest[index + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Where the first byte is that needs an escape. Eight bytes at a time, by the arithmetic that finds a zero byte in a
/// word: the lowest flag is exact, those above it may not be.
fn first_escape(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const FLAGS: u64 = u64::from_ne_bytes([0x80; 8]);
    let (words, tail) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let zero =
            (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash);
        let flags = (control | zero) & FLAGS;
        if flags != 0 {
            return Some(index * 8 + flags.trailing_zeros() as usize / 8);
        }
    }
    let in_tail = tail.iter().position(|byte| ESCAPES[usize::from(*byte)] != 0);
    in_tail.map(|index| words.len() * 8 + index)
}
