//! One connection: TLS if wanted, HTTP/1 or HTTP/2, timeouts.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use headwater_engine::limits::Limits;
use headwater_engine::tasks::Tasks;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::{Admission, Server};

/// How often a silent HTTP/2 connection is asked whether it is there.
const PING: Duration = Duration::from_secs(20);
/// The buffer of a connection, bytes; headers are bounded apart from it.
const BUFFER_BYTES: usize = 128 << 10;

/// Where a request comes from; an extension of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

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

/// Serves a connection to its end.
pub(super) async fn serve(
    server: Arc<Server>,
    socket: TcpStream,
    peer: Peer,
    tls: Option<TlsAcceptor>,
    admission: Admission,
) {
    let admission = Arc::new(admission);
    let Some(tls) = tls else { return serve_http(&server, socket, peer, admission).await };
    let patience = Duration::from_millis(server.app.engine.limits().header_timeout_ms);
    let accepted = tokio::select! {
        accepted = tokio::time::timeout(patience, tls.accept(socket)) => accepted,
        () = server.app.stopping.cancelled() => return,
    };
    match accepted {
        Ok(Ok(stream)) => serve_http(&server, stream, peer, admission).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn serve_http(
    server: &Server,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    admission: Arc<Admission>,
) {
    let limits = server.app.engine.limits();
    let builder = builder(server, limits);
    let heard = Arc::new(AtomicBool::new(false));
    let service = {
        let (service, heard) = (server.service.clone(), Arc::clone(&heard));
        service_fn(move |request: Request<Incoming>| {
            heard.store(true, Ordering::Relaxed);
            let service = service.clone();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            // Whoever takes the connection over stays admitted.
            request.extensions_mut().insert(Arc::clone(&admission));
            async move { Ok::<_, Infallible>(service.call(request).await) }
        })
    };
    let mut connection =
        pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    // Before the first request the version of HTTP is not known, and hyper's own timeout does not run.
    let patience = Duration::from_millis(limits.header_timeout_ms);
    let mut silence = pin!(tokio::time::sleep(patience));
    let (mut listening, mut stopping) = (true, false);
    loop {
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = server.abort.cancelled() => return,
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
                return;
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error, "a connection ended early");
        }
        return;
    }
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
    builder
}
