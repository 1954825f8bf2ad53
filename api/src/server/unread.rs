//! Bodies that nobody read: refusals are often decided by the head alone.
//!
//! Guarantees: before an answer is sent, what is left of a small body is taken in and thrown away, within bytes and a time.
//! A client that is still sending it would lose the answer otherwise: HTTP/2 cuts the stream, which curl takes for a failure,
//! and a socket that is closed with bytes unread is reset.
//! Whoever keeps connections is told where this one ends.
//! Leaves to others: large bodies; for them the answer and the end of the stream come at once.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use parking_lot::Mutex;

/// Most bytes that are thrown away.
const BYTES_MAX: u64 = 4 << 20;
/// Most time that is spent on it.
const TIME_MAX: Duration = Duration::from_secs(1);

/// Where a body comes back to that is dropped before its end.
pub(super) struct Unread {
    back: Arc<Mutex<Option<Incoming>>>,
    /// Whether it is worth waiting for.
    is_drained: bool,
}

/// A body that comes back.
struct Lent {
    body: Option<Incoming>,
    back: Arc<Mutex<Option<Incoming>>>,
}

impl Unread {
    /// The body of a request, and what is left of it later. A client that waits for leave to send its body is not asked for
    /// it, and a body that is known to be large is not waited for.
    pub(super) fn lend(body: Incoming, headers: &HeaderMap) -> (Body, Option<Self>) {
        if body.is_end_stream() {
            return (Body::new(body), None);
        }
        let is_large = body.size_hint().lower() > BYTES_MAX;
        let is_drained = !is_large && !headers.contains_key(header::EXPECT);
        let back = Arc::new(Mutex::new(None));
        let lent = Lent { body: Some(body), back: Arc::clone(&back) };
        (Body::new(lent), Some(Self { back, is_drained }))
    }

    /// Throws away what came back; whether nothing is left, so that the connection can go on.
    pub(super) async fn drain(self) -> bool {
        let Some(mut body) = self.back.lock().take() else { return true };
        if !self.is_drained {
            return false;
        }
        let drained = async {
            let mut bytes = 0;
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return false };
                bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                if bytes > BYTES_MAX {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(TIME_MAX, drained).await.unwrap_or(false)
    }
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(context);
        // A body in chunks does not say by itself that it was read to its end.
        if matches!(frame, Poll::Ready(None)) {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(http_body::Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            *self.back.lock() = Some(body);
        }
    }
}
