//! Building answers: bytes, a status, the position.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};

/// The header that carries the position of a write, or the one that a read saw.
pub(crate) const POSITION: HeaderName = HeaderName::from_static("headwater-position");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer of JSON bytes at a position.
pub(crate) fn json(status: StatusCode, position: u64, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(POSITION, HeaderValue::from(position));
    response
}

/// An answer of a JSON value at a position.
pub(crate) fn value(status: StatusCode, position: u64, value: &serde_json::Value) -> Response {
    json(status, position, value.to_string())
}

/// Writes a text as a JSON string.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    }
}

/// Writes a number in decimal.
pub(crate) fn write_number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        let mut out = Vec::new();
        write_text("plain é", &mut out);
        write_text("a\"b\\c\n", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "\"plain é\"\"a\\\"b\\\\c\\n\"");
    }
}
