//! Bare axum handlers, served by `axum::serve` as axum's own examples do.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json};
use axum::routing::{get, post};
use serde_json::Value;

/// Serves `router` on a free port of loopback, until killed.
pub(crate) fn serve(router: Router) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on http://{}", listener.local_addr()?);
        axum::serve(NoDelay(listener), router).await?;
        Ok(())
    })
}

/// `POST /` parses a JSON body into values and sends it back.
pub(crate) fn echo() -> Router {
    let echo = async |Json(body): Json<Value>| (StatusCode::CREATED, Json(body));
    Router::new().route("/", post(echo))
}

/// `GET /` answers the same 300 bytes of JSON every time.
pub(crate) fn answer() -> Router {
    let body = format!("{{\"_id\":\"0123456789abcdef01234567\",\"text\":\"{}\"}}", "x".repeat(253));
    let answer =
        async move || ([(header::CONTENT_TYPE, "application/json")], body.clone()).into_response();
    Router::new().route("/", get(answer))
}

/// A listener whose connections send at once.
struct NoDelay(tokio::net::TcpListener);

impl axum::serve::Listener for NoDelay {
    type Io = tokio::net::TcpStream;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = axum::serve::Listener::accept(&mut self.0).await;
        // A connection that can't be tuned still works.
        drop(stream.set_nodelay(true));
        (stream, address)
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}
