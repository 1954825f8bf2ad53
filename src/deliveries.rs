//! Webhooks as the binary wires them: configuration, transport, the store of deliveries.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use headwater_api::WebhookTransport;
use headwater_engine::Engine;
use headwater_engine::webhook::{MissingStore, Options, Registry, Schedule, Sight, WebhookService};

use crate::config;

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
        concurrency: config.concurrency,
        concurrency_total: config.concurrency_total,
        failing_per_second: config.failing_per_second,
        outstanding_max: config.outstanding_max,
        dead_max: config.dead_max,
        commit_interval: Duration::from_millis(config.commit_interval_ms),
        drain: Duration::from_millis(config.drain_ms),
        missing_store: match config.missing_store {
            config::MissingStore::Refuse => MissingStore::Refuse,
            config::MissingStore::FromStart => MissingStore::FromStart,
            config::MissingStore::FromEnd => MissingStore::FromEnd,
        },
        sight,
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
