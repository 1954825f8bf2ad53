//! Server-sent events: a subscription as a body of frames.
//!
//! Guarantees: a reader that is cut before its first event comes back to where it began; never silent for longer than the
//! heartbeat, whatever the log does; the last frame says why a stream ends, or a comment that the server is stopping and the
//! reader should come back.
//! Leaves to others: what is told ([`Feed`]).

use std::time::Duration;

use bytes::Bytes;
use headwater_engine::Result;
use tokio::time::Instant;

use super::feed::{Feed, Told};

/// The last words of a server that stops.
const FAREWELL: Bytes = Bytes::from_static(b": the server is stopping; resume at the last id\n\n");

/// A subscription on its way to one reader.
pub(crate) struct EventStream {
    feed: Feed,
    heartbeat: Duration,
    state: State,
    /// When the last byte was sent.
    sent: Instant,
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
        Self { feed, heartbeat, state: State::Opening, sent: Instant::now() }
    }

    /// The chunks, one after another.
    pub(crate) fn into_chunks(self) -> impl futures_util::Stream<Item = Result<Bytes>> + Send {
        futures_util::stream::unfold(self, |mut stream| async move {
            let chunk = stream.next_chunk().await?;
            stream.sent = Instant::now();
            Some((Ok(chunk), stream))
        })
    }

    async fn next_chunk(&mut self) -> Option<Bytes> {
        match self.state {
            State::Ended => return None,
            State::Opening => {
                self.state = State::Open;
                return Some(self.feed.beginning());
            }
            State::Open => {}
        }
        let silence_left = self.heartbeat.saturating_sub(self.sent.elapsed());
        Some(match self.feed.next(silence_left).await {
            Told::Chunk(chunk) => chunk,
            Told::Silence => self.feed.heartbeat(),
            Told::Stopping => {
                self.state = State::Ended;
                FAREWELL
            }
            Told::Closed(reason) => {
                self.state = State::Ended;
                format!("event: closed\ndata: {{\"reason\":\"{reason}\"}}\n\n").into()
            }
        })
    }
}
