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

#[cfg(test)]
mod tests {
    use super::*;

    use std::future::Future;
    use std::task::Waker;

    use http::Request;
    use hyper::body::Incoming;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    /// Serves over a pipe with so much room each way; what is read is passed on.
    async fn serve(room: usize, requests: &[u8]) -> (String, Loan<DuplexStream>) {
        let (socket, mut peer) = duplex(room);
        let loan = Loan::new(socket);
        let service = {
            let loan = loan.clone();
            service_fn(move |request: Request<Incoming>| {
                let response = Response::new(Body::from("body"));
                let leaves = request.uri().path() == "/stream";
                let response = if leaves { loan.keep_body(response) } else { response };
                async move { Ok::<_, Infallible>(response) }
            })
        };
        let mut connection =
            Box::pin(http1::Builder::new().serve_connection(loan.borrowed(), service));
        let mut context = Context::from_waker(Waker::noop());
        let (mut sent, mut text) = (0, String::new());
        for _ in 0..1 << 20 {
            if loan.is_due() {
                break;
            }
            tokio::task::yield_now().await;
            if sent < requests.len() {
                let mut write = std::pin::pin!(peer.write(&requests[sent..]));
                if let Poll::Ready(written) = write.as_mut().poll(&mut context) {
                    sent += written.unwrap();
                }
            }
            assert!(connection.as_mut().poll(&mut context).is_pending());
            let mut bytes = [0; 1];
            let mut read = std::pin::pin!(peer.read(&mut bytes));
            if read.as_mut().poll(&mut context).is_ready() {
                text.push(char::from(bytes[0]));
            }
        }
        assert!(loan.is_due(), "the head is not out: {text}");
        drop(connection);
        // What is in the pipe was written.
        loop {
            tokio::task::yield_now().await;
            let mut bytes = [0; 1];
            let mut read = std::pin::pin!(peer.read(&mut bytes));
            if read.as_mut().poll(&mut context).is_pending() {
                return (text, loan);
            }
            text.push(char::from(bytes[0]));
        }
    }

    #[tokio::test]
    async fn the_socket_comes_back_after_the_last_byte_of_the_head() {
        let requests = "GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(5)
            + "GET /stream HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n";
        for room in [1, 7, 64, 1 << 16] {
            let (text, loan) = serve(room, requests.as_bytes()).await;
            assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), 6, "{room}: {text}");
            assert_eq!(text.matches("\r\n\r\nbody").count(), 5, "{room}: {text}");
            let (_, head) = text.rsplit_once("HTTP/1.1 200 OK\r\n").unwrap();
            assert!(head.ends_with("\r\n\r\n") && head.contains("connection: close\r\n"), "{head}");
            assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
            let (_, body) = loan.take_back().unwrap();
            let body = axum::body::to_bytes(body, 10).await.unwrap();
            assert_eq!(body, "body");
            assert!(loan.take_back().is_none());
        }
    }
}
