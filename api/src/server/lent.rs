//! A socket on loan to hyper, until the head of an endless answer is written.
//!
//! Guarantees: the socket comes back only when every byte that hyper had for it is in the kernel or in the TLS session,
//! and not before hyper is gone. What the peer sent after its request is lost with hyper: such an answer says
//! `connection: close`, so nothing after the request is answered anyway.
//! Leaves to others: which answers are worth it, and writing the rest of them.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};
use http_body::Frame;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};

/// The lender's side.
pub(super) struct Loan<S>(Arc<Mutex<Lent<S>>>);

/// hyper's side.
pub(super) struct Borrowed<S>(Arc<Mutex<Lent<S>>>);

struct Lent<S> {
    /// Empty once it was taken back.
    socket: Option<TokioIo<S>>,
    answer: Answer,
}

/// How far an answer has come that hyper writes the head of.
enum Answer {
    /// There is none.
    None,
    /// The service gave it.
    Given(Body),
    /// hyper asked for its body, so the head is in hyper's buffer.
    Begun(Body),
    /// hyper emptied that buffer.
    HeadWritten(Body),
}

/// Stands for the body while hyper writes the head; never has anything.
struct Nothing<S>(Arc<Mutex<Lent<S>>>);

impl<S: Send + 'static> Loan<S> {
    /// Lends a socket.
    pub(super) fn new(socket: S) -> Self {
        let socket = Some(TokioIo::new(socket));
        Self(Arc::new(Mutex::new(Lent { socket, answer: Answer::None })))
    }

    /// What hyper reads and writes.
    pub(super) fn borrowed(&self) -> Borrowed<S> {
        Borrowed(Arc::clone(&self.0))
    }

    /// Keeps the answer's body back, and gives the answer of which hyper is to write the head in chunked encoding.
    pub(super) fn keep_body(&self, mut response: Response) -> Response {
        let nothing = Body::new(Nothing(Arc::clone(&self.0)));
        let body = std::mem::replace(response.body_mut(), nothing);
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        self.0.lock().answer = Answer::Given(body);
        response
    }

    /// Whether the head is written of an answer whose body was kept back.
    pub(super) fn is_due(&self) -> bool {
        matches!(self.0.lock().answer, Answer::HeadWritten(_))
    }

    /// Takes the socket back with the body that is still to be written.
    pub(super) fn take_back(&self) -> Option<(S, Body)> {
        let mut lent = self.0.lock();
        let Answer::HeadWritten(body) = lent.answer.take() else { return None };
        Some((lent.socket.take()?.into_inner(), body))
    }
}

impl<S> Clone for Loan<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> Lent<S> {
    fn socket(&mut self) -> io::Result<Pin<&mut TokioIo<S>>>
    where
        S: Unpin,
    {
        self.socket.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Answer {
    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::None)
    }
}

impl<S: Send> http_body::Body for Nothing<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut lent = self.0.lock();
        lent.answer = match lent.answer.take() {
            Answer::Given(body) => Answer::Begun(body),
            other => other,
        };
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> Read for Borrowed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.lock().socket()?.poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> Write for Borrowed<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().socket()?.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().socket()?.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.lock().socket().is_ok_and(|socket| socket.is_write_vectored())
    }

    /// hyper flushes the socket when it has written all that it had.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut lent = self.0.lock();
        let flushed = lent.socket()?.poll_flush(context);
        lent.answer = match lent.answer.take() {
            Answer::Begun(body) if matches!(flushed, Poll::Ready(Ok(()))) => {
                Answer::HeadWritten(body)
            }
            other => other,
        };
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().socket()?.poll_shutdown(context)
    }
}
