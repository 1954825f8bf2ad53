//! Writing the canonical encoding, value by value, onto a byte vector.
//!
//! The encoding is MessagePack with one form for each value, so equal bytes and identical values are the same thing:
//!
//! | value | bytes |
//! |---|---|
//! | null, false, true | `c0`, `c2`, `c3` |
//! | int32 | the shortest of fixint (`00`-`7f`, `e0`-`ff`), `d0` i8, `d1` i16, `d2` i32 |
//! | int64 | always `d3` and 8 bytes, so that the width survives |
//! | double | `cb` and 8 bytes |
//! | string | fixstr, `d9`, `da` or `db`, the shortest; UTF-8 |
//! | array | fixarray, `dc` or `dd`, the shortest |
//! | object | fixmap, `de` or `df`, the shortest; names are strings, in the document's order |
//! | the rest | an extension, fixext where the payload has 1, 2, 4, 8 or 16 bytes, else `c7`, `c8` or `c9`, the shortest |
//!
//! | extension type | payload |
//! |---|---|
//! | 1 date | i64, milliseconds since the Unix epoch |
//! | 2 ObjectId | its 12 bytes |
//! | 3 binary | one byte of subtype, then the bytes |
//! | 4 decimal128 | 16 bytes, IEEE 754-2008 BID, little-endian as in BSON |
//! | 5 regex | pattern, a NUL, options (options hold no NUL) |
//! | 6 timestamp | u32 seconds, u32 counter |
//! | 7 min key, 8 max key | none |
//!
//! Numbers are big-endian, the decimal aside.
//! Guarantees: whatever is written through these functions alone, with true counts, passes `check::validate`.
//! Leaves to others: limits, and that names within an object differ.

use super::decimal::Decimal128;
use super::owned::{Object, Value};

/// Extension type of a date.
pub const EXT_DATE: u8 = 1;
/// Extension type of an ObjectId.
pub const EXT_OBJECT_ID: u8 = 2;
/// Extension type of a binary.
pub const EXT_BINARY: u8 = 3;
/// Extension type of a decimal128.
pub const EXT_DECIMAL: u8 = 4;
/// Extension type of a regular expression.
pub const EXT_REGEX: u8 = 5;
/// Extension type of a timestamp.
pub const EXT_TIMESTAMP: u8 = 6;
/// Extension type of the min key.
pub const EXT_MIN_KEY: u8 = 7;
/// Extension type of the max key.
pub const EXT_MAX_KEY: u8 = 8;

/// Writes null.
pub fn write_null(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// Writes a boolean.
pub fn write_bool(value: bool, out: &mut Vec<u8>) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

/// Writes an int32.
pub fn write_int32(value: i32, out: &mut Vec<u8>) {
    if let Ok(small) = i8::try_from(value) {
        if small < -32 {
            out.push(0xd0);
        }
        out.push(small.cast_unsigned());
    } else if let Ok(short) = i16::try_from(value) {
        out.push(0xd1);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        out.push(0xd2);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Writes an int64.
pub fn write_int64(value: i64, out: &mut Vec<u8>) {
    out.push(0xd3);
    out.extend_from_slice(&value.to_be_bytes());
}

/// Writes an integer with the type that JSON reading gives it: an int32 where it fits, else an int64.
pub fn write_integer(value: i64, out: &mut Vec<u8>) {
    match i32::try_from(value) {
        Ok(small) => write_int32(small, out),
        Err(_) => write_int64(value, out),
    }
}

/// Writes a double.
pub fn write_double(value: f64, out: &mut Vec<u8>) {
    out.push(0xcb);
    out.extend_from_slice(&value.to_be_bytes());
}

/// Writes a decimal.
pub fn write_decimal(value: Decimal128, out: &mut Vec<u8>) {
    write_ext_header(EXT_DECIMAL, 16, out);
    out.extend_from_slice(&value.to_bytes());
}

/// Writes a string.
pub fn write_str(text: &str, out: &mut Vec<u8>) {
    write_str_header(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

/// Writes a date.
pub fn write_date(ms: i64, out: &mut Vec<u8>) {
    write_ext_header(EXT_DATE, 8, out);
    out.extend_from_slice(&ms.to_be_bytes());
}

/// Writes an ObjectId.
pub fn write_object_id(id: &[u8; 12], out: &mut Vec<u8>) {
    write_ext_header(EXT_OBJECT_ID, 12, out);
    out.extend_from_slice(id);
}

/// Writes a binary.
pub fn write_binary(subtype: u8, bytes: &[u8], out: &mut Vec<u8>) {
    write_ext_header(EXT_BINARY, bytes.len() + 1, out);
    out.push(subtype);
    out.extend_from_slice(bytes);
}

/// Writes a regular expression; `options` must not hold a NUL.
pub fn write_regex(pattern: &str, options: &str, out: &mut Vec<u8>) {
    write_ext_header(EXT_REGEX, pattern.len() + 1 + options.len(), out);
    out.extend_from_slice(pattern.as_bytes());
    out.push(0);
    out.extend_from_slice(options.as_bytes());
}

/// Writes a timestamp.
pub fn write_timestamp(t: u32, i: u32, out: &mut Vec<u8>) {
    write_ext_header(EXT_TIMESTAMP, 8, out);
    out.extend_from_slice(&t.to_be_bytes());
    out.extend_from_slice(&i.to_be_bytes());
}

/// Writes the min key.
pub fn write_min_key(out: &mut Vec<u8>) {
    write_ext_header(EXT_MIN_KEY, 0, out);
}

/// Writes the max key.
pub fn write_max_key(out: &mut Vec<u8>) {
    write_ext_header(EXT_MAX_KEY, 0, out);
}

/// Writes the header of an array of `len` elements, which must follow.
pub fn write_array_header(len: usize, out: &mut Vec<u8>) {
    write_len(len, Some((0x90, 15)), [None, Some(0xdc), Some(0xdd)], out);
}

/// Writes the header of an object of `len` members, whose names (strings) and values must follow.
pub fn write_object_header(len: usize, out: &mut Vec<u8>) {
    write_len(len, Some((0x80, 15)), [None, Some(0xde), Some(0xdf)], out);
}

/// Reserves the header of an array or object whose length is not known yet; gives the place for
/// [`close_array`] or [`close_object`].
pub fn open(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len() - 1
}

/// Writes the header that [`open`] reserved at `start`, now that `len` elements follow it.
pub fn close_array(start: usize, len: usize, out: &mut Vec<u8>) {
    close(start, len, 0x90, write_array_header, out);
}

/// Writes the header that [`open`] reserved at `start`, now that `len` members follow it.
pub fn close_object(start: usize, len: usize, out: &mut Vec<u8>) {
    close(start, len, 0x80, write_object_header, out);
}

fn close(start: usize, len: usize, fix: u8, header: fn(usize, &mut Vec<u8>), out: &mut Vec<u8>) {
    if len <= 15 {
        out[start] = fix | len as u8;
        return;
    }
    let mut bytes = Vec::with_capacity(5);
    header(len, &mut bytes);
    out.splice(start..=start, bytes);
}

/// Writes the header of a string of `len` bytes.
pub(super) fn write_str_header(len: usize, out: &mut Vec<u8>) {
    write_len(len, Some((0xa0, 31)), [Some(0xd9), Some(0xda), Some(0xdb)], out);
}

/// Writes the header of an extension with a payload of `len` bytes.
pub(super) fn write_ext_header(ext: u8, len: usize, out: &mut Vec<u8>) {
    match len {
        1 => out.push(0xd4),
        2 => out.push(0xd5),
        4 => out.push(0xd6),
        8 => out.push(0xd7),
        16 => out.push(0xd8),
        _ => write_len(len, None, [Some(0xc7), Some(0xc8), Some(0xc9)], out),
    }
    out.push(ext);
}

/// Writes a length in the shortest form among a tag with the length inside, and tags with 1, 2 and 4 bytes.
fn write_len(len: usize, fix: Option<(u8, usize)>, tags: [Option<u8>; 3], out: &mut Vec<u8>) {
    let [one, two, four] = tags;
    match (fix, one, two) {
        (Some((tag, max)), _, _) if len <= max => out.push(tag | len as u8),
        (_, Some(tag), _) if len <= 0xff => out.extend_from_slice(&[tag, len as u8]),
        (_, _, Some(tag)) if len <= 0xffff => {
            let [high, low] = (len as u16).to_be_bytes();
            out.extend_from_slice(&[tag, high, low]);
        }
        _ => {
            let long = u32::try_from(len).expect("limits keep every value far below 4 GiB");
            out.push(four.unwrap_or_default());
            out.extend_from_slice(&long.to_be_bytes());
        }
    }
}

/// Writes a whole value.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => write_null(out),
        Value::Bool(value) => write_bool(*value, out),
        Value::Int32(value) => write_int32(*value, out),
        Value::Int64(value) => write_int64(*value, out),
        Value::Double(value) => write_double(*value, out),
        Value::Decimal(value) => write_decimal(*value, out),
        Value::String(text) => write_str(text, out),
        Value::Date(ms) => write_date(*ms, out),
        Value::ObjectId(id) => write_object_id(id, out),
        Value::Binary { subtype, bytes } => write_binary(*subtype, bytes, out),
        Value::Array(values) => {
            write_array_header(values.len(), out);
            for value in values {
                encode(value, out);
            }
        }
        Value::Object(object) => encode_object(object, out),
        Value::Regex { pattern, options } => write_regex(pattern, options, out),
        Value::Timestamp { t, i } => write_timestamp(*t, *i, out),
        Value::MinKey => write_min_key(out),
        Value::MaxKey => write_max_key(out),
    }
}

/// Writes a whole object.
pub fn encode_object(object: &Object, out: &mut Vec<u8>) {
    write_object_header(object.len(), out);
    for (name, value) in object {
        write_str(name, out);
        encode(value, out);
    }
}
