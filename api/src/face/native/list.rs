//! Lists of the face: `{"<plural>":[..],"next"}`.

use axum::response::Response;
use headwater_engine::value::Raw;
use http::StatusCode;
use serde_json::{Value, json};

use crate::extract::Format;
use crate::reply::{self, write_number, write_text};
use crate::session::Listing;

/// Writes `{"documents":[..]`, left open.
pub(super) fn write_documents<'a>(
    documents: impl Iterator<Item = Raw<'a>>,
    format: Format,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"{\"documents\":[");
    for (index, document) in documents.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        format.write(document, out);
    }
    out.push(b']');
}

/// A page of documents.
pub(super) fn listing(listing: &Listing, format: Format) -> Response {
    let bytes: usize = listing.rows.iter().map(|row| row.body().as_bytes().len()).sum();
    let mut out = Vec::with_capacity(bytes * 5 / 4 + 128);
    write_documents(listing.rows.iter().map(|row| row.body()), format, &mut out);
    out.extend_from_slice(b",\"position\":");
    write_number(listing.position, &mut out);
    if let Some(count) = listing.count {
        out.extend_from_slice(b",\"count\":");
        write_number(count, &mut out);
    }
    out.extend_from_slice(b",\"next\":");
    match &listing.next {
        Some(next) => write_text(next, &mut out),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
    reply::json(StatusCode::OK, listing.position, out)
}

/// A page of anything else.
pub(super) fn page(
    plural: &str,
    (entries, next, position): (Vec<Value>, Option<String>, u64),
) -> Response {
    let mut body = json!({"next": next});
    body[plural] = Value::Array(entries);
    reply::value(StatusCode::OK, position, &body)
}
