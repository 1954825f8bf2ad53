//! The body of a request and the JSON dialect of both directions.
//!
//! Guarantees: a body is at most `limits.body_bytes`, and never pauses longer than `limits.body_timeout_ms`; a content
//! type that is not JSON, and any content encoding, is refused.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use headwater_engine::event_json::{self, ValueWriter};
use headwater_engine::limits::Limits;
use headwater_engine::restrict::Seen;
use headwater_engine::subscribe::BodyProjection;
use headwater_engine::value::document::IdRule;
use headwater_engine::value::json::Parsed;
use headwater_engine::value::{Raw, ejson, json};
use headwater_engine::{Engine, Event, Result};
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, EXPECT};
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;

use crate::error::ApiError;
use crate::state::App;

/// Bodies from this size on are parsed off the async threads.
const BLOCKING_BYTES: usize = 256 << 10;

/// Of a refused body as many times the largest body are read, so that the client comes to read the refusal.
const REFUSED_BODIES_READ: u64 = 4;
/// And no longer than this.
const REFUSED_BODY_TIME: Duration = Duration::from_secs(10);

/// The dialect of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Plain JSON.
    Plain,
    /// Extended JSON v2.
    Extended,
}

impl Format {
    /// Writes a value.
    pub(crate) fn write(self, raw: Raw<'_>, out: &mut Vec<u8>) {
        self.value_writer()(raw, out);
    }

    /// Writes what is seen of an event as one line, its document as a projection shows it; its envelope is plain JSON in
    /// either dialect.
    pub(crate) fn write_event(
        self,
        event: &Event<'_>,
        seen: &Seen,
        projection: Option<&BodyProjection>,
        out: &mut Vec<u8>,
    ) {
        event_json::write_seen(event, seen, projection, out, self.value_writer());
    }

    /// Writes that a document has left the caller's sight.
    pub(crate) fn write_gone(self, event: &Event<'_>, out: &mut Vec<u8>) {
        event_json::write_gone(event, out, self.value_writer());
    }

    fn value_writer(self) -> ValueWriter {
        match self {
            Self::Plain => json::write,
            Self::Extended => ejson::write,
        }
    }

    fn asked_for(headers: &HeaderMap) -> Self {
        let extended = headers
            .get_all(ACCEPT)
            .iter()
            .any(|value| contains_ignoring_case(value.as_bytes(), b"application/ejson"));
        if extended { Self::Extended } else { Self::Plain }
    }

    fn of_body(headers: &HeaderMap) -> Result<Self, ApiError> {
        let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Self::Plain) };
        if value.as_bytes() == b"application/json" {
            return Ok(Self::Plain);
        }
        let text = value.to_str().unwrap_or_default();
        let kind = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/json" => Ok(Self::Plain),
            "application/ejson" => Ok(Self::Extended),
            other if other.ends_with("+json") => Ok(Self::Plain),
            _ => {
                let message = "the content type must be application/json or application/ejson";
                let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                Err(ApiError::new(status, "unsupported_media_type", message))
            }
        }
    }
}

/// The dialect that the answer is wanted in.
impl<S: Send + Sync> FromRequestParts<S> for Format {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::asked_for(&parts.headers))
    }
}

fn contains_ignoring_case(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window.eq_ignore_ascii_case(wanted))
}

/// A request's body in its dialect.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    /// The dialect that it is written in.
    pub(crate) format: Format,
    /// The bytes.
    pub(crate) bytes: Bytes,
}

impl Payload {
    /// How a text in `_id` is read.
    pub(crate) fn id_rule(&self) -> IdRule {
        match self.format {
            Format::Plain => IdRule::PlainJson,
            Format::Extended => IdRule::Typed,
        }
    }

    /// The body as any value, encoded.
    pub(crate) async fn value(&self, engine: &Engine) -> Result<Vec<u8>> {
        self.parse(engine, |payload, limits| match payload.format {
            Format::Plain => json::parse_value(&payload.bytes, limits),
            Format::Extended => ejson::parse_value(&payload.bytes, limits, ejson::Mode::Data),
        })
        .await
    }

    /// The body as what the query language takes, encoded: `{"$oid":..}` and the like are read in either dialect, and
    /// `$regex` and `$type` stay operators.
    pub(crate) async fn query(&self, engine: &Engine) -> Result<Vec<u8>> {
        self.parse(engine, |payload, limits| {
            ejson::parse_value(&payload.bytes, limits, ejson::Mode::Filter)
        })
        .await
    }

    /// The body as one document, encoded.
    pub(crate) async fn document(&self, engine: &Engine) -> Result<Vec<u8>> {
        self.parse(engine, |payload, limits| match payload.format {
            Format::Plain => json::parse_document(&payload.bytes, limits),
            Format::Extended => ejson::parse_document(&payload.bytes, limits, ejson::Mode::Data),
        })
        .await
    }

    /// The body as one document or an array of them.
    pub(crate) async fn documents(&self, engine: &Engine) -> Result<Parsed> {
        self.parse(engine, |payload, limits| match payload.format {
            Format::Plain => json::parse_documents(&payload.bytes, limits),
            Format::Extended => ejson::parse_documents(&payload.bytes, limits, ejson::Mode::Data),
        })
        .await
    }

    /// Whether it may be parsed and compiled where the request runs.
    pub(crate) fn is_small(&self) -> bool {
        self.bytes.len() < BLOCKING_BYTES
    }

    async fn parse<T: Send + 'static>(
        &self,
        engine: &Engine,
        parse: fn(&Self, &Limits) -> Result<T>,
    ) -> Result<T> {
        if self.is_small() {
            return parse(self, engine.limits());
        }
        let (payload, held) = (self.clone(), engine.clone());
        crate::session::blocking(engine, move || parse(&payload, held.limits())).await
    }
}

impl FromRequest<App> for Payload {
    type Rejection = ApiError;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Self, ApiError> {
        let headers = request.headers();
        let encoded = headers.get(CONTENT_ENCODING).is_some_and(|value| value != "identity");
        if encoded {
            let message = "the body must not have a Content-Encoding";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(ApiError::new(status, "unsupported_content_encoding", message));
        }
        let empty = request.body().is_end_stream();
        let format = if empty { Format::Plain } else { Format::of_body(headers)? };
        let waits = headers.contains_key(EXPECT);
        let limits = app.engine.limits();
        let mut body = request.into_body();
        let bytes = match read(&mut body, limits).await {
            Err(refusal) if refusal.status() == StatusCode::PAYLOAD_TOO_LARGE && !waits => {
                pass_over(body, limits).await;
                return Err(refusal);
            }
            read => read?,
        };
        Ok(Self { format, bytes })
    }
}

/// Reads the rest of a refused body, within bounds. A client that is still sending when the connection closes sees a
/// broken pipe, and not why.
async fn pass_over(mut body: Body, limits: &Limits) {
    let mut left = limits.body_bytes.saturating_mul(REFUSED_BODIES_READ);
    let reading = async {
        while let Ok(Some(frame)) = next_frame(&mut body, limits).await {
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // Whoever is slower than that gets the answer now, whether it can read it or not.
    drop(tokio::time::timeout(REFUSED_BODY_TIME, reading).await);
}

async fn read(body: &mut Body, limits: &Limits) -> Result<Bytes, ApiError> {
    let too_large = || ApiError::too_large(limits.body_bytes);
    if body.size_hint().lower() > limits.body_bytes {
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = next_frame(body, limits).await? {
        let Ok(data) = frame.into_data() else { continue };
        let held = first.len() + rest.len();
        if (held + data.len()) as u64 > limits.body_bytes {
            return Err(too_large());
        }
        if held == 0 {
            first = data;
            continue;
        }
        if rest.is_empty() {
            let expected = body.size_hint().lower().min(limits.body_bytes) as usize;
            rest.reserve(first.len() + data.len() + expected);
            rest.extend_from_slice(&first);
            first = Bytes::new();
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

async fn next_frame(
    body: &mut Body,
    limits: &Limits,
) -> Result<Option<http_body::Frame<Bytes>>, ApiError> {
    // Most bodies came together with their headers: no timer for those.
    let frame = match body.frame().now_or_never() {
        Some(frame) => frame,
        None => {
            let pause = Duration::from_millis(limits.body_timeout_ms);
            tokio::time::timeout(pause, body.frame()).await.map_err(|_| {
                let message = "the body paused for longer than limits.body_timeout_ms";
                ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", message)
            })?
        }
    };
    frame.transpose().map_err(|error| {
        ApiError::bad_request("body_incomplete", format!("the body could not be read: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(content_type: &str) -> Option<Format> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        Format::of_body(&headers).ok()
    }

    #[test]
    fn content_types_are_told_apart() {
        assert_eq!(format("application/json"), Some(Format::Plain));
        assert_eq!(format("Application/JSON; charset=utf-8"), Some(Format::Plain));
        assert_eq!(format("application/ejson"), Some(Format::Extended));
        assert_eq!(format("application/merge-patch+json"), Some(Format::Plain));
        assert_eq!(format("text/plain"), None);
        assert_eq!(Format::of_body(&HeaderMap::new()).ok(), Some(Format::Plain));
    }

    #[tokio::test]
    async fn a_body_is_bounded() {
        let limits = Limits { body_bytes: 10, ..Limits::default() };
        assert_eq!(read(&mut Body::from("0123456789"), &limits).await.unwrap(), "0123456789");
        assert!(read(&mut Body::from("0123456789a"), &limits).await.is_err());
        let chunks = ["0123", "4567", "89a"].map(Ok::<_, std::io::Error>);
        let mut body = Body::from_stream(futures_util::stream::iter(chunks));
        assert_eq!(read(&mut body, &limits).await.unwrap_err().status(), 413);
    }
}
