//! The rest of an endless answer, after its head: a body in chunked encoding, written with as little memory as possible.
//!
//! Guarantees: one chunk at a time, of pieces that were there already, and the next one only when the socket took it; the end of the body is the end of the
//! chunks and of the connection; a peer that reads nothing for [`STALLED`] is left; a body that fails leaves the chunks without an end; a peer that went away is noticed
//! while there is nothing to write, and the body is dropped.
//! Leaves to others: the head, and aborting.

use std::future::poll_fn;
use std::io;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::{Buf, Bytes};
use http_body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::stream::STALLED;

/// The largest line that begins a chunk: 16 digits and the line's end.
const SIZE_LINE_BYTES: usize = 18;
const LINE_END: &[u8] = b"\r\n";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// Pieces of a body are put together until they have this many bytes.
const GATHERED_BYTES: usize = 16 << 10;
/// How much of what the peer still sends is passed over at a time, bytes.
const PASSED_OVER_BYTES: usize = 512;

fn stalled() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the peer has not read for too long")
}

/// Writes the body to its end, and closes the connection.
pub(super) async fn relay<S>(mut socket: S, body: Body) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut rest = Rest { body, ended: None };
    loop {
        let data = poll_fn(|context| next(&mut socket, &mut rest, context)).await?;
        if data.is_empty() {
            break;
        }
        let mut line = [0; SIZE_LINE_BYTES];
        let mut free = line.as_mut_slice();
        write!(free, "{:x}\r\n", data.len())?;
        let written = SIZE_LINE_BYTES - free.len();
        let mut chunk = line[..written].chain(data).chain(LINE_END);
        while chunk.has_remaining() {
            // Each turn is some progress.
            let written = tokio::time::timeout(STALLED, socket.write_buf(&mut chunk)).await;
            if written.map_err(|_| stalled())?? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        tokio::time::timeout(STALLED, socket.flush()).await.map_err(|_| stalled())??;
    }
    rest.ended.unwrap_or(Ok(()))?;
    socket.write_all(LAST_CHUNK).await?;
    socket.shutdown().await
}

/// What is to be written next; empty: the body has ended. An error is the peer's.
fn next<S: AsyncRead + Unpin>(
    socket: &mut S,
    rest: &mut Rest,
    context: &mut Context<'_>,
) -> Poll<io::Result<Bytes>> {
    if let Poll::Ready(gone) = gone(socket, context) {
        return Poll::Ready(Err(gone));
    }
    rest.some(context).map(Ok)
}

/// What is left of a body.
struct Rest {
    body: Body,
    /// How it ended.
    ended: Option<io::Result<()>>,
}

impl Rest {
    /// What there is, small pieces put together: each write is a call of the system. Empty: the body has ended.
    fn some(&mut self, context: &mut Context<'_>) -> Poll<Bytes> {
        let mut first = Bytes::new();
        let mut all = Vec::new();
        while self.ended.is_none() && first.len().max(all.len()) < GATHERED_BYTES {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Pending if first.is_empty() => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(None) => self.ended = Some(Ok(())),
                Poll::Ready(Some(Err(error))) => self.ended = Some(Err(io::Error::other(error))),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if first.is_empty() => first = data,
                    Ok(data) => {
                        if all.is_empty() {
                            all.extend_from_slice(&first);
                        }
                        all.extend_from_slice(&data);
                    }
                    // Trailers were not announced.
                    Err(_) => {}
                },
            }
        }
        Poll::Ready(if all.is_empty() { first } else { all.into() })
    }
}

/// Resolves when the peer has closed the connection or broken it; what it sends is passed over.
fn gone<S: AsyncRead + Unpin>(socket: &mut S, context: &mut Context<'_>) -> Poll<io::Error> {
    loop {
        let mut bytes = [0; PASSED_OVER_BYTES];
        let mut buffer = ReadBuf::new(&mut bytes);
        match ready!(Pin::new(&mut *socket).poll_read(context, &mut buffer)) {
            Ok(()) if buffer.filled().is_empty() => {
                return Poll::Ready(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(()) => {}
            Err(error) => return Poll::Ready(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::{StreamExt, stream};
    use tokio::io::AsyncReadExt;

    fn body_of(chunks: &'static [&'static str]) -> Body {
        Body::from_stream(stream::iter(chunks).map(|chunk| Ok::<_, Infallible>(*chunk)))
    }

    #[tokio::test]
    async fn pieces_make_a_chunk_and_empty_ones_are_left_out() {
        let (socket, mut peer) = tokio::io::duplex(1 << 10);
        let body = body_of(&["", "a", "", "0123456789abcdefg"]);
        relay(socket, body).await.unwrap();
        let mut written = String::new();
        peer.read_to_string(&mut written).await.unwrap();
        assert_eq!(written, "12\r\na0123456789abcdefg\r\n0\r\n\r\n");
    }

    #[tokio::test]
    async fn a_body_that_fails_has_no_last_chunk() {
        let (socket, mut peer) = tokio::io::duplex(1 << 10);
        let chunks = [Ok("a"), Err(io::Error::other("broken"))];
        assert!(relay(socket, Body::from_stream(stream::iter(chunks))).await.is_err());
        let mut written = String::new();
        peer.read_to_string(&mut written).await.unwrap();
        assert_eq!(written, "1\r\na\r\n");
    }

    #[tokio::test]
    async fn a_peer_that_leaves_ends_it_and_what_it_says_does_not() {
        let (socket, mut peer) = tokio::io::duplex(1 << 10);
        let silent = Body::from_stream(stream::pending::<io::Result<Bytes>>());
        let mut relayed = polled(relay(socket, silent));
        assert!(relayed().is_pending());
        for _ in 0..10 {
            peer.write_all(&[b'x'; 1 << 10]).await.unwrap();
            assert!(relayed().is_pending());
        }
        drop(peer);
        let Poll::Ready(Err(error)) = relayed() else { panic!("it goes on") };
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn nothing_is_taken_from_the_body_while_the_peer_does_not_read() {
        const ROOM: usize = GATHERED_BYTES;
        let (socket, mut peer) = tokio::io::duplex(ROOM);
        let taken = Arc::new(AtomicUsize::new(0));
        let endless = {
            let taken = Arc::clone(&taken);
            stream::repeat_with(move || {
                taken.fetch_add(1, Ordering::Relaxed);
                io::Result::Ok(Bytes::from_static(&[b'x'; ROOM]))
            })
        };
        let mut relayed = polled(relay(socket, Body::from_stream(endless)));
        for round in 1..5 {
            assert!(relayed().is_pending());
            assert!(taken.load(Ordering::Relaxed) <= round, "more than fits was taken");
            peer.read_exact(&mut [0; ROOM]).await.unwrap();
        }
    }

    /// Polls a future whenever it is asked.
    fn polled<F: Future>(future: F) -> impl FnMut() -> Poll<F::Output> {
        let mut future = Box::pin(future);
        move || future.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()))
    }
}
