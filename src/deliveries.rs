//! Webhooks as the binary wires them: configuration, transport, the store of deliveries.

use std::sync::Arc;

use anyhow::Context;
use headwater_api::HttpTransport;
use headwater_engine::Engine;
use headwater_engine::webhook::{Options, Registry, Schedule, WebhookService};

use crate::config;

/// Hears of webhooks as the log tells of them.
pub(crate) fn registry() -> Arc<Registry> {
    Registry::shared()
}

/// Opens the deliveries of an engine.
pub(crate) async fn open(
    engine: &Engine,
    registry: Arc<Registry>,
    config: &config::Webhooks,
) -> anyhow::Result<WebhookService> {
    let transport = Arc::new(HttpTransport::new(config.allow_networks.clone())?);
    let options = Options {
        retry_schedule: Schedule::new(config.retry_schedule.clone())?,
        timeout: config.timeout,
        ..Options::default()
    };
    let opening = engine.clone();
    let opened = engine
        .tasks()
        .blocking(move || WebhookService::open(opening, registry, transport, options))
        .await;
    let service = opened.context("opening the deliveries panicked")??;
    let needs = service.clone();
    engine.add_retention_floor(move || needs.needs_from());
    Ok(service)
}
