//! Webhooks as the binary wires them: configuration, transport, the store of deliveries.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use headwater_api::WebhookTransport;
use headwater_engine::Engine;
use headwater_engine::webhook::{Options, Registry, Schedule, Sight, WebhookService};

use crate::config;

/// Hears of webhooks as the log tells of them.
pub(crate) fn registry() -> Arc<Registry> {
    Registry::shared()
}

/// Opens the deliveries of an engine.
pub(crate) async fn open(
    engine: &Engine,
    registry: Arc<Registry>,
    sight: Arc<dyn Sight>,
    config: &config::Webhooks,
) -> anyhow::Result<WebhookService> {
    let clock = Arc::clone(engine.clock());
    let transport = Arc::new(WebhookTransport::new(config.allow_networks.clone(), clock)?);
    let options = Options {
        retry_schedule: Schedule::new(config.retry_schedule.clone()),
        timeout: Duration::from_millis(config.timeout_ms),
        sight,
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
