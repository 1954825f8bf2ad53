//! Headwater's faces: HTTP, server-sent events, and the access layer.
//!
//! What it is: the native face `/v1` over an authorized session, health and figures, and the serving of connections.
//! What it is not: it stores nothing and decides no order; the `headwater-engine` crate does.
//!
//! Starting: [`Access::new`], then the engine with [`Access::followers`] among its followers, then
//! [`Access::bootstrap`], [`Api::new`], [`Api::serve`]. Stopping: [`Api::stop`], then the engine, then its tasks.

mod api;
mod audit;
mod auth;
mod caller;
mod collection_name;
mod error;
mod extract;
mod face;
mod figures;
mod jobs;
mod options;
mod outbound;
mod percent;
mod process;
mod rates;
mod reply;
mod router;
mod server;
mod service;
mod session;
mod state;
mod stream;
mod webhook_transport;

pub use api::Api;
pub use auth::{Access, AccessOptions, SignUp};
pub use face::webhook_formats;
pub use options::ApiOptions;
pub use server::load_tls;
pub use service::Service;
pub use tokio_rustls::TlsAcceptor;
pub use webhook_transport::WebhookTransport;
