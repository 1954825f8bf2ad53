//! What handlers share: one cheap handle.

use std::sync::Arc;

use headwater_engine::Engine;
use headwater_engine::webhook::WebhookService;
use tokio_util::sync::CancellationToken;

use crate::audit::Audit;
use crate::auth::Access;
use crate::figures::Figures;
use crate::jobs::Jobs;
use crate::options::ApiOptions;
use crate::rates::Rates;
use crate::router::Route;
use crate::stream::{Channels, Streams, Windows};

/// The state of the faces; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

/// What is behind an [`App`].
pub(crate) struct Shared {
    /// The engine; handlers reach it through a session alone.
    pub(crate) engine: Engine,
    /// Who may do what.
    pub(crate) access: Access,
    /// Deliveries to webhooks.
    pub(crate) webhooks: WebhookService,
    /// How many requests are let in.
    pub(crate) rates: Rates,
    /// The audit trail.
    pub(crate) audit: Arc<Audit>,
    /// Settings.
    pub(crate) options: ApiOptions,
    /// The authorization table of every face.
    pub(crate) routes: Vec<Route>,
    /// Counters of requests.
    pub(crate) figures: Figures,
    /// Open streams.
    pub(crate) streams: Arc<Streams>,
    /// Channels: who is present, and what passes.
    pub(crate) channels: Arc<Channels>,
    /// Windows of live queries that somebody looks at.
    pub(crate) windows: Arc<Windows>,
    /// Long work of administrators.
    pub(crate) jobs: Jobs,
    /// Cancelled when the stop begins: streams end.
    pub(crate) stopping: CancellationToken,
}

impl App {
    /// The state over an open engine.
    pub(crate) fn new(
        engine: Engine,
        access: Access,
        webhooks: WebhookService,
        (options, routes): (ApiOptions, Vec<Route>),
    ) -> Self {
        Self(Arc::new(Shared {
            rates: Rates::new(access.options()),
            audit: Audit::start(&engine),
            engine,
            access,
            webhooks,
            options,
            routes,
            figures: Figures::default(),
            streams: Arc::default(),
            channels: Arc::default(),
            windows: Arc::default(),
            jobs: Jobs::default(),
            stopping: CancellationToken::new(),
        }))
    }
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
