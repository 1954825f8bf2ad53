//! One connection: TLS if wanted, HTTP/1 or HTTP/2, timeouts.
//!
//! Guarantees: the task of a connection that only follows a stream of events over HTTP/1.1 holds the stream and the socket,
//! nothing of hyper.
//! Leaves to others: raw JSON in targets ([`super::request_line`]), which hyper refuses.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use headwater_engine::limits::Limits;
use headwater_engine::tasks::Tasks;
use http::{HeaderValue, Method, Request, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::lent::Loan;
use super::relay::relay;
use super::request_line::RequestLines;
use super::unread::Unread;
use super::{Admission, Server};
use crate::service::Service;

/// How often a silent HTTP/2 connection is asked whether it is there.
const PING: Duration = Duration::from_secs(20);
/// The buffer of a connection, bytes; headers are bounded apart from it.
const BUFFER_BYTES: usize = 128 << 10;

/// Where a request comes from; an extension of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Whether a request came over TLS that ends here; an extension of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IsEncrypted(pub(crate) bool);

/// Runs background work of HTTP/2 on the engine's tasks.
#[derive(Clone)]
struct Executor(Tasks);

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        self.0.spawn("http2", async move {
            future.await;
        });
    }
}

/// Where a connection comes from, whether it is encrypted, and its place among those that are open.
type Client = (Peer, IsEncrypted, Arc<Admission>);

/// Serves a connection to its end.
pub(super) async fn serve(
    server: Arc<Server>,
    socket: TcpStream,
    peer: Peer,
    tls: Option<TlsAcceptor>,
    admission: Admission,
) {
    let admission = Arc::new(admission);
    match tls {
        // Every task has room for the larger of the two.
        Some(tls) => {
            Box::pin(serve_tls(&server, socket, (peer, IsEncrypted(true), admission), tls)).await
        }
        None => serve_plain(&server, socket, (peer, IsEncrypted(false), admission)).await,
    }
}

async fn serve_tls(server: &Server, socket: TcpStream, client: Client, tls: TlsAcceptor) {
    let patience = Duration::from_millis(server.app.engine.limits().header_timeout_ms);
    let accepted = tokio::select! {
        accepted = tokio::time::timeout(patience, tls.accept(socket)) => accepted,
        () = server.app.stopping.cancelled() => return,
    };
    match accepted {
        Ok(Ok(stream)) => serve_plain(server, stream, client).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

/// HTTP until the end, or until an endless answer begins, which is written without hyper.
async fn serve_plain<S>(server: &Server, socket: S, client: Client)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // It counts until the socket closes.
    let _admission = Arc::clone(&client.2);
    let left = Box::pin(serve_http(server, socket, client)).await;
    let Some((socket, body)) = left else { return };
    let ended = tokio::select! {
        ended = relay(socket, body) => ended,
        () = server.abort.cancelled() => return,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a stream's connection ended early");
    }
}

/// Serves requests; gives the socket and a body when the head of an endless answer is written.
async fn serve_http<S>(server: &Server, socket: S, client: Client) -> Option<(S, Body)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = server.app.engine.limits();
    let builder = builder(server, limits);
    let heard = Arc::new(AtomicBool::new(false));
    let loan = Loan::new(RequestLines::new(socket));
    let service = {
        let (service, heard, loan) = (server.service.clone(), Arc::clone(&heard), loan.clone());
        service_fn(move |request| {
            heard.store(true, Ordering::Relaxed);
            answer(service.clone(), loan.clone(), request, client.clone())
        })
    };
    let mut connection = Box::pin(builder.serve_connection_with_upgrades(loan.borrowed(), service));
    // Before the first request the version of HTTP is not known, and hyper's own timeout does not run.
    let patience = Duration::from_millis(limits.header_timeout_ms);
    let mut silence = pin!(tokio::time::sleep(patience));
    let (mut listening, mut stopping) = (true, false);
    loop {
        let served = poll_fn(|context| match connection.as_mut().poll(context) {
            Poll::Pending if loan.is_due() => Poll::Ready(Ok(())),
            served => served,
        });
        let ended = tokio::select! {
            ended = served => ended,
            () = server.abort.cancelled() => return None,
            () = server.app.stopping.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
                continue;
            }
            () = silence.as_mut(), if listening => {
                listening = false;
                if heard.load(Ordering::Relaxed) {
                    continue;
                }
                return None;
            }
        };
        // hyper lets go before the socket is taken back.
        drop(connection);
        if let Err(error) = ended {
            tracing::debug!(error, "a connection ended early");
            return None;
        }
        return loan.take_back().map(|(socket, body)| (socket.into_inner(), body));
    }
}

/// Answers one request; the body of an endless answer over HTTP/1.1 is kept back.
async fn answer<S: Send + 'static>(
    service: Service,
    loan: Loan<S>,
    request: Request<Incoming>,
    (peer, is_encrypted, admission): Client,
) -> Result<Response, Infallible> {
    let may_leave = request.version() == Version::HTTP_11 && request.method() == Method::GET;
    let is_http1 = request.version() < Version::HTTP_2;
    let (head, body) = request.into_parts();
    let (body, unread) = Unread::lend(body, &head.headers);
    let mut request = Request::from_parts(head, body);
    request.extensions_mut().insert(peer);
    request.extensions_mut().insert(is_encrypted);
    // Whoever takes the connection over stays admitted.
    request.extensions_mut().insert(admission);
    let mut response = service.call(request).await;
    if let Some(unread) = unread
        && !unread.drain().await
        && is_http1
    {
        // hyper closes it, and does not say so.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(if may_leave && is_endless(&response) { loan.keep_body(response) } else { response })
}

/// Whether an answer is a stream of events.
fn is_endless(response: &Response) -> bool {
    response.status() == StatusCode::OK
        && response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

fn builder(server: &Server, limits: &Limits) -> Builder<Executor> {
    let mut builder = Builder::new(Executor(server.app.engine.tasks().clone()));
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.header_timeout_ms))
        .max_buf_size(BUFFER_BYTES.max(limits.header_bytes as usize));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(server.app.options.http2_streams)
        .max_header_list_size(limits.header_bytes)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    if server.app.options.http2_streams == 0 { builder.http1_only() } else { builder }
}
