//! A socket whose request lines may have raw JSON in their targets: what the HTTP parser refuses there is percent-encoded
//! before the parser sees it.
//!
//! Guarantees: in the target of an HTTP/1 request, [`framing`] names the bytes that are encoded; every other byte passes as
//! it came, in the same order, and none is lost or held back. A read without such a byte is not copied. What is held is less than one
//! read of the caller's, in raw form.
//! Leaves to others: every limit. The parser counts what it sees, and that is up to three times as long as what was
//! sent. Writing goes to the socket as it is.

mod framing;
#[cfg(test)]
#[allow(unreachable_pub, reason = "shared with the engine's tests and the fuzz targets")]
mod tests;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use framing::Framing;

/// A socket whose request targets are encoded on their way in.
pub(super) struct RequestLines<S> {
    socket: S,
    framing: Framing,
    /// What is still to be given of a byte that is encoded.
    escape: &'static [u8],
    /// What was read, did not fit, and was not looked at yet.
    held: Bytes,
}

impl<S> RequestLines<S> {
    /// Begins with the first byte of a connection.
    pub(super) fn new(socket: S) -> Self {
        Self { socket, framing: Framing::new(), escape: &[], held: Bytes::new() }
    }

    /// The socket; what was read from it and not asked for is lost.
    pub(super) fn into_inner(self) -> S {
        self.socket
    }

    /// Gives what is held, as far as there is room.
    fn pour(&mut self, buffer: &mut ReadBuf<'_>) {
        loop {
            let (now, later) = self.escape.split_at(self.escape.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.escape = later;
            let room = self.held.len().min(buffer.remaining());
            if room == 0 {
                break;
            }
            let passes = self.framing.passes(&self.held[..room]);
            buffer.put_slice(&self.held[..passes]);
            self.held.advance(passes);
            if passes < room {
                self.escape = framing::escape(self.held.get_u8());
            }
        }
        if self.held.is_empty() {
            // An empty rest still has its memory.
            self.held = Bytes::new();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RequestLines<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.escape.is_empty() && this.held.is_empty() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.socket).poll_read(context, buffer))?;
            let read = &buffer.filled()[before..];
            let passes = this.framing.passes(read);
            if passes == read.len() {
                return Poll::Ready(Ok(()));
            }
            this.escape = framing::escape(read[passes]);
            this.held = Bytes::copy_from_slice(&read[passes + 1..]);
            buffer.set_filled(before + passes);
        }
        this.pour(buffer);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RequestLines<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
