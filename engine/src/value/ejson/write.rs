//! Encoded bytes to canonical Extended JSON.

use std::io::Write as _;

use crate::value::json::{
    write_array, write_base64, write_double, write_object, write_text, write_whole,
};
use crate::value::object_id;
use crate::value::raw::Raw;
use crate::value::token::{Cursor, Token};

/// Writes a value in the canonical form.
pub fn write(raw: Raw<'_>, out: &mut Vec<u8>) {
    write_whole(raw, write_next, out);
}

fn write_next(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Option<()> {
    match cursor.next_token()? {
        Token::Null => out.extend_from_slice(b"null"),
        Token::Bool(true) => out.extend_from_slice(b"true"),
        Token::Bool(false) => out.extend_from_slice(b"false"),
        Token::Int32(value) => wrap("$numberInt", &value.to_string(), out),
        Token::Int64(value) => wrap("$numberLong", &value.to_string(), out),
        Token::Double(value) => wrap("$numberDouble", &double(value), out),
        Token::Decimal(value) => wrap("$numberDecimal", &value.to_string(), out),
        Token::String(text) => write_text(text, out),
        Token::Date(ms) => {
            out.extend_from_slice(b"{\"$date\":");
            wrap("$numberLong", &ms.to_string(), out);
            out.push(b'}');
        }
        Token::ObjectId(id) => wrap("$oid", &object_id::format(id), out),
        Token::Binary(subtype, bytes) => write_binary(subtype, bytes, out),
        Token::Array(len) => return write_array(cursor, len, write_next, out),
        Token::Object(len) => return write_object(cursor, len, write_next, out),
        Token::Regex(pattern, options) => {
            out.extend_from_slice(b"{\"$regularExpression\":{\"pattern\":");
            write_text(pattern, out);
            out.extend_from_slice(b",\"options\":");
            write_text(options, out);
            out.extend_from_slice(b"}}");
        }
        Token::Timestamp(t, i) => {
            write_format(format_args!("{{\"$timestamp\":{{\"t\":{t},\"i\":{i}}}}}"), out);
        }
        Token::MinKey => out.extend_from_slice(b"{\"$minKey\":1}"),
        Token::MaxKey => out.extend_from_slice(b"{\"$maxKey\":1}"),
    }
    Some(())
}

fn write_binary(subtype: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"$binary\":{\"base64\":");
    write_base64(bytes, out);
    write_format(format_args!(",\"subType\":\"{subtype:02x}\"}}}}"), out);
}

/// Writes a wrapper around a text that needs no escape.
fn wrap(name: &str, text: &str, out: &mut Vec<u8>) {
    write_format(format_args!("{{\"{name}\":\"{text}\"}}"), out);
}

fn write_format(text: std::fmt::Arguments<'_>, out: &mut Vec<u8>) {
    out.write_fmt(text).expect("writing to a vector does not fail");
}

fn double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let mut out = Vec::with_capacity(24);
    write_double(value, &mut out);
    String::from_utf8(out).unwrap_or_default()
}
