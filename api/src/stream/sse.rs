//! Server-sent events: a subscription as a body of frames.
//!
//! Guarantees: a reader that is cut before its first event comes back to where it began; never silent for longer than the
//! heartbeat, whatever the log does, and where the wire gives signs of life, never longer without one, however much there is
//! to tell; the last frame says why a stream ends, or a comment that the server is stopping and the reader should come back.
//! Leaves to others: what is told ([`Feed`]).

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use headwater_engine::Result;
use headwater_engine::log::Epoch;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use tokio::time::Instant;

use super::feed::{Feed, Told};
use super::start::epoch_text;
use crate::reply;

/// The history that positions belong to.
pub(crate) const EPOCH: HeaderName = HeaderName::from_static("headwater-epoch");
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The last words of a server that stops.
const FAREWELL: Bytes = Bytes::from_static(b": the server is stopping; resume at the last id\n\n");

/// A subscription on its way to one reader.
pub(crate) struct EventStream {
    feed: Feed,
    heartbeat: Duration,
    state: State,
    /// When the silence began that a heartbeat breaks: when the last byte was sent, or the last sign of life.
    silent_since: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Opening,
    Open,
    Ended,
}

impl EventStream {
    /// A stream that has not sent anything; it is silent for `heartbeat` at most.
    pub(crate) fn new(feed: Feed, heartbeat: Duration) -> Self {
        Self { feed, heartbeat, state: State::Opening, silent_since: Instant::now() }
    }

    /// The chunks, one after another.
    pub(crate) fn into_chunks(self) -> impl futures_util::Stream<Item = Result<Bytes>> + Send {
        futures_util::stream::unfold(self, |mut stream| async move {
            let chunk = stream.next_chunk().await?;
            Some((Ok(chunk), stream))
        })
    }

    /// The answer that is this stream.
    pub(crate) fn into_response(self, epoch: Epoch) -> Response {
        let from = self.feed.cursor();
        let mut response = Response::new(Body::from_stream(self.into_chunks()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
        headers.insert(BUFFERING, HeaderValue::from_static("no"));
        headers.insert(reply::POSITION, HeaderValue::from(from));
        if let Ok(epoch) = HeaderValue::from_str(&epoch_text(epoch)) {
            headers.insert(EPOCH, epoch);
        }
        response
    }

    async fn next_chunk(&mut self) -> Option<Bytes> {
        match self.state {
            State::Ended => return None,
            State::Opening => {
                self.state = State::Open;
                self.silent_since = Instant::now();
                return Some(self.feed.beginning());
            }
            State::Open => {}
        }
        let silence_left = self.heartbeat.saturating_sub(self.silent_since.elapsed());
        let gives_signs = self.feed.wire().gives_signs();
        if gives_signs && silence_left.is_zero() {
            return Some(self.sign());
        }
        Some(match self.feed.next(silence_left).await {
            Told::Chunk(chunk) => {
                if !gives_signs {
                    self.silent_since = Instant::now();
                }
                chunk
            }
            Told::Silence => self.sign(),
            Told::Stopping => {
                self.state = State::Ended;
                FAREWELL
            }
            Told::Closed(reason) => {
                self.state = State::Ended;
                self.feed.wire().closing(reason)
            }
        })
    }

    /// What breaks a silence, which begins anew.
    fn sign(&mut self) -> Bytes {
        self.silent_since = Instant::now();
        self.feed.heartbeat()
    }
}
