//! Serving connections: from an open listener to the faces' service.
//!
//! Guarantees: connections are bounded in number, globally and per address; a connection whose first request does not
//! come in time is closed; a stop lets requests finish and streams end, until a deadline.
//! Leaves to others: opening the listener and printing where it listens.

mod caps;
mod connection;
mod lent;
mod relay;
mod request_line;
mod tls;
mod unread;

use std::sync::Arc;
use std::time::Duration;

use headwater_engine::tasks::Tasks;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::service::Service;
use crate::state::App;

pub(crate) use caps::{Admission, Caps};
pub(crate) use connection::{IsEncrypted, Peer};
pub use tls::load_tls;

/// How long accepting pauses when the system has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves connections; one of it per process or test.
pub(crate) struct Server {
    /// The application.
    pub(crate) app: App,
    /// What answers requests.
    pub(crate) service: Service,
    /// Open connections.
    pub(crate) caps: Arc<Caps>,
    /// Cancelled when connections must end at once.
    pub(crate) abort: CancellationToken,
}

impl Server {
    /// A server that listens nowhere yet.
    pub(crate) fn new(app: App, service: Service) -> Self {
        let caps = Arc::new(Caps::new(app.engine.limits()));
        Self { app, service, caps, abort: CancellationToken::new() }
    }

    fn tasks(&self) -> &Tasks {
        self.app.engine.tasks()
    }

    /// Accepts connections from a listener until the stop.
    pub(crate) fn accept(self: &Arc<Self>, listener: TcpListener, tls: Option<TlsAcceptor>) {
        let server = Arc::clone(self);
        self.tasks().spawn("accept", async move {
            loop {
                let accepted = tokio::select! {
                    () = server.app.stopping.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let (socket, address) = match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                };
                let Some(admission) = Caps::admit(&server.caps, &server.app, address.ip()) else {
                    continue;
                };
                // Without it answers would wait for more to send.
                drop(socket.set_nodelay(true));
                let connection = connection::serve(
                    Arc::clone(&server),
                    socket,
                    Peer(address),
                    tls.clone(),
                    admission,
                );
                // A task has room for its future twice; this one is large and there are many of it.
                server.tasks().spawn("connection", Box::pin(connection));
            }
        });
    }

    /// Stops accepting, lets requests finish and streams end; closes what is left at the deadline.
    pub(crate) async fn stop(&self, deadline: Duration) {
        self.app.stopping.cancel();
        if tokio::time::timeout(deadline, self.caps.empty()).await.is_err() {
            tracing::warn!("connections were still open at the stop's deadline");
            self.abort.cancel();
            // Dropping a connection takes one turn of its task.
            drop(tokio::time::timeout(Duration::from_secs(1), self.caps.empty()).await);
        }
    }
}
