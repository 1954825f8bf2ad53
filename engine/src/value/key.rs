//! Keys: bytes whose order is the order of values.
//!
//! Guarantees: comparing two keys byte by byte gives the order of `compare`; equal values of different types (`1`,
//! `1.0`, a long 1, a decimal 1) have the same key. No key is a prefix of another, so keys can be written one after
//! another for a compound key, each part ascending or descending.
//!
//! A key begins with its type: sixteen times the type's rank. Then:
//! - number: the class is added to the first byte (NaN, -infinity, negative, zero, positive, infinity). A finite number
//!   other than zero goes on with the power of two of its leading bit (biased, 2 bytes) and the bits after that one,
//!   seven in a byte, whose last bit says whether a bit that is set follows. A decimal that goes on past 64 bits has all
//!   nine of those bytes and then its decimal exponent (biased, 2 bytes) and 34 digits (16 bytes). A negative number has
//!   all bytes but the first inverted.
//! - string: its bytes, NUL written as `00 ff`, then `00 00`. Regex: two of these, pattern and options.
//! - object: for each member the first byte of its value's type, the name as a string, the value's key; then `00`.
//! - array: the keys of the elements, then `00`.
//! - binary: 4 bytes of length, the subtype, the bytes. ObjectId, bool (one byte), date (sign bit flipped), timestamp:
//!   fixed sizes. Null, min key, max key: nothing.
//!
//! Descending: every byte inverted. Leaves to others: cutting long keys, missing values, arrays in index keys.

use super::compare::exact;
use super::number::{Class, Exact};
use super::raw::Raw;
use super::token::{Cursor, Token};

/// The direction of one part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Small values first.
    Ascending,
    /// Large values first.
    Descending,
}

/// The key of a value.
pub fn encode(raw: Raw<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.as_bytes().len() + 8);
    write(raw, &mut out);
    out
}

/// Writes the key of a value.
pub fn write(raw: Raw<'_>, out: &mut Vec<u8>) {
    // Damage cannot be told here; what could be read has been written.
    let _complete = write_next(&mut Cursor::new(raw.as_bytes()), out);
}

/// Writes the key of a value in a direction.
pub fn write_directed(raw: Raw<'_>, direction: Direction, out: &mut Vec<u8>) {
    let start = out.len();
    write(raw, out);
    if direction == Direction::Descending {
        invert(&mut out[start..]);
    }
}

fn invert(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = !*byte;
    }
}

fn write_next(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Option<()> {
    let token = cursor.next_token()?;
    if let Some(number) = exact(token) {
        write_number(number, token.kind().rank() << 4, out);
        return Some(());
    }
    out.push(token.kind().rank() << 4);
    match token {
        Token::String(text) => write_text(text, out),
        Token::Date(ms) => out.extend_from_slice(&(ms ^ i64::MIN).to_be_bytes()),
        Token::ObjectId(id) => out.extend_from_slice(id),
        Token::Bool(value) => out.push(u8::from(value)),
        Token::Binary(subtype, bytes) => {
            out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
            out.push(subtype);
            out.extend_from_slice(bytes);
        }
        Token::Regex(pattern, options) => {
            write_text(pattern, out);
            write_text(options, out);
        }
        Token::Timestamp(t, i) => {
            out.extend_from_slice(&t.to_be_bytes());
            out.extend_from_slice(&i.to_be_bytes());
        }
        Token::Array(len) => {
            for _ in 0..len {
                write_next(cursor, out)?;
            }
            out.push(0);
        }
        Token::Object(len) => {
            for _ in 0..len {
                let name = cursor.name()?;
                out.push(cursor.peek()?.kind().rank() << 4);
                write_text(name, out);
                write_next(cursor, out)?;
            }
            out.push(0);
        }
        _ => {}
    }
    Some(())
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    if text.contains(&0) {
        for byte in text {
            out.push(*byte);
            if *byte == 0 {
                out.push(0xff);
            }
        }
    } else {
        out.extend_from_slice(text);
    }
    out.extend_from_slice(&[0, 0]);
}

fn write_number(number: Exact, rank: u8, out: &mut Vec<u8>) {
    out.push(rank + number.class as u8);
    if !matches!(number.class, Class::Negative | Class::Positive) {
        return;
    }
    let start = out.len();
    let size = number.size;
    out.extend_from_slice(&biased(size.exponent));
    // The leading bit is always set and says nothing.
    let mut bits = size.bits << 1;
    for _ in 0..9 {
        let group = (bits >> 56) as u8 & 0xfe;
        bits <<= 7;
        let more = bits != 0 || size.tail.is_some();
        out.push(group | u8::from(more));
        if !more {
            break;
        }
    }
    if let Some(tail) = size.tail {
        out.extend_from_slice(&biased(tail.exponent));
        out.extend_from_slice(&tail.coefficient.to_be_bytes());
    }
    if number.class == Class::Negative {
        invert(&mut out[start..]);
    }
}

/// An exponent, which is far from ±32768 for every number, so that its bytes order.
fn biased(exponent: i32) -> [u8; 2] {
    ((exponent + 0x8000) as u16).to_be_bytes()
}
