//! Lists of the face: `{"<plural>":[..],"next"}`.

use axum::response::Response;
use bytes::Bytes;
use headwater_engine::value::Raw;
use headwater_engine::{Engine, Result};
use http::StatusCode;
use serde_json::{Value, json};

use crate::extract::Format;
use crate::reply::{self, write_number, write_text};
use crate::session::{Listing, blocking};

/// Documents that take more bytes together are written off the async threads.
const BLOCKING_BYTES: usize = 512 << 10;

/// Writes `[..]`.
pub(super) fn write_array<'a>(
    values: impl Iterator<Item = Raw<'a>>,
    format: Format,
    out: &mut Vec<u8>,
) {
    out.push(b'[');
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        format.write(value, out);
    }
    out.push(b']');
}

/// Writes `{"documents":[..]`, left open.
pub(super) fn write_documents<'a>(
    documents: impl Iterator<Item = Raw<'a>>,
    format: Format,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"{\"documents\":");
    write_array(documents, format, out);
}

/// How many bytes documents take.
pub(super) fn size(documents: &[Bytes]) -> usize {
    documents.iter().map(Bytes::len).sum()
}

/// What `write` writes of documents that take so many bytes.
pub(super) async fn written(
    engine: &Engine,
    bytes: usize,
    write: impl FnOnce(&mut Vec<u8>) + Send + 'static,
) -> Result<Vec<u8>> {
    let work = move || {
        let mut out = Vec::with_capacity(bytes * 5 / 4 + 128);
        write(&mut out);
        Ok(out)
    };
    if bytes < BLOCKING_BYTES { work() } else { blocking(engine, work).await }
}

/// A page of documents.
pub(super) async fn listing(engine: &Engine, listing: Listing, format: Format) -> Result<Response> {
    let position = listing.position;
    let bytes = size(&listing.documents);
    let body = written(engine, bytes, move |out| write_listing(&listing, format, out)).await?;
    Ok(reply::json(StatusCode::OK, position, body))
}

fn write_listing(listing: &Listing, format: Format, out: &mut Vec<u8>) {
    write_documents(listing.documents.iter().map(|one| Raw::trusted(one)), format, out);
    out.extend_from_slice(b",\"position\":");
    write_number(listing.position, out);
    if let Some(count) = listing.count {
        out.extend_from_slice(b",\"count\":");
        write_number(count, out);
    }
    out.extend_from_slice(b",\"next\":");
    match &listing.next {
        Some(next) => write_text(next, out),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
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
