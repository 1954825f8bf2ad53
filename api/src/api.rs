//! The faces as a whole, for the binary and for tests.

use std::sync::Arc;
use std::time::Duration;

use headwater_engine::Engine;
use headwater_engine::webhook::WebhookService;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::auth::Access;
use crate::face::{native, restdb};
use crate::options::ApiOptions;
use crate::server::Server;
use crate::service::Service;
use crate::state::App;

/// All faces over one engine.
pub struct Api {
    server: Arc<Server>,
}

impl Api {
    /// The faces over an open engine that `access` follows.
    pub fn new(
        engine: Engine,
        access: Access,
        webhooks: WebhookService,
        options: ApiOptions,
    ) -> Self {
        native::remove_old_backups(engine.data());
        access.attach(&engine);
        let routes = native::routes().with(restdb::routes());
        let table = routes.table().to_vec();
        let app = App::new(engine, access, webhooks, (options, table));
        let router = routes.into_router(app.clone());
        let service = Service::new(app.clone(), router);
        Self { server: Arc::new(Server::new(app, service)) }
    }

    /// The service behind the connections, to be called without a socket.
    pub fn service(&self) -> Service {
        self.server.service.clone()
    }

    /// Serves connections from a listener, in the background; may be called for several.
    pub fn serve(&self, listener: TcpListener, tls: Option<TlsAcceptor>) {
        self.server.accept(listener, tls);
    }

    /// Stops accepting, finishes requests, ends streams so that they can be resumed; what is still open at the deadline
    /// is closed. The engine may be stopped afterwards.
    pub async fn stop(&self, deadline: Duration) {
        self.server.stop(deadline).await;
    }
}
