//! The server's start and stop, in one order each.
//!
//! Start: listener, engine (lock, log, views), deliveries, the first key, faces, then the line on stdout.
//! Stop: refuse new work and finish requests, end streams so that they can be resumed, settle attempts, flush and close
//! the log; all within [`STOP`]. A background task that panics stops the process with a failure.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use headwater_api::{Access, AccessOptions, Api, ApiOptions, load_tls, webhook_formats};
use headwater_engine::clock::SystemClock;
use headwater_engine::fs::SystemFileSystem;
use headwater_engine::log::{self, LogOptions};
use headwater_engine::tasks::Tasks;
use headwater_engine::vault::Vault;
use headwater_engine::view::{MaintenanceOptions, StoreOptions};
use headwater_engine::webhook::Registry;
use headwater_engine::write::Strictness;
use headwater_engine::{Components, Engine, Retention, Settings};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, Durability};

/// Longest stop.
const STOP: Duration = Duration::from_secs(9);
/// The part of it that requests and streams get.
const STOP_REQUESTS: Duration = Duration::from_secs(3);

/// The part of it that attempts under way get.
const STOP_DELIVERIES: Duration = Duration::from_secs(5);

/// A root key shorter than this is warned of.
const ROOT_KEY_SHORT: usize = 16;

/// Everything that runs.
struct Running {
    engine: Engine,
    api: Api,
    tasks: Tasks,
}

/// Serves until a signal or a failure; the exit code says which.
pub(crate) async fn serve(config: Config) -> ExitCode {
    let tasks = Tasks::new(tokio::runtime::Handle::current());
    let running = match start(&config, tasks.clone()).await {
        Ok(running) => running,
        Err(error) => {
            eprintln!("error: {error:#}");
            tasks.stop(STOP).await;
            return ExitCode::FAILURE;
        }
    };
    let failed = tokio::select! {
        () = asked_to_stop() => None,
        name = running.tasks.failed() => Some(name),
    };
    let clean = stop(running).await;
    match failed {
        Some(name) => tracing::error!(task = name, "stopped because a background task panicked"),
        None if clean => return ExitCode::SUCCESS,
        None => {}
    }
    ExitCode::FAILURE
}

async fn start(config: &Config, tasks: Tasks) -> anyhow::Result<Running> {
    // First, so that nothing that fails comes after the generated key is stored.
    let listen = config.server.listen;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("listen on {listen}"))?;
    let address = listener.local_addr().context("ask for the address")?;
    let tls = match config.tls.files() {
        Some((cert, key)) => Some(load_tls(cert, key, config.server.http2_streams > 0)?),
        None => None,
    };
    let clock = SystemClock::shared();
    let root_key = config.server.root_key.as_ref().map(|key| key.expose());
    if root_key.is_some_and(|key| key.len() < ROOT_KEY_SHORT) {
        tracing::warn!(
            "server.root_key is shorter than {ROOT_KEY_SHORT} characters; it can be guessed"
        );
    }
    let fs = SystemFileSystem::shared();
    let key = config.security.key();
    let vault = Vault::open(&config.server.data, key, Arc::clone(&fs), Arc::clone(&clock))?;
    let allow_networks = config.webhooks.allow_networks.clone();
    let auth = AccessOptions { allow_networks, ..config.auth.options() };
    let access = Access::new(root_key, Arc::clone(&clock), Arc::clone(&vault), auth);
    let webhooks = Registry::shared(vault, webhook_formats(&access, &config.restdb.database));
    let mut followers = access.followers();
    followers.push(Arc::clone(&webhooks) as _);
    if config.log.durability == Durability::Relaxed {
        tracing::warn!(
            "log.durability is relaxed: an acknowledged write survives the end of the process, but not of the machine"
        );
    }
    let settings = settings(config);
    let components = Components { fs, clock, tasks: tasks.clone(), followers };
    let opened = tasks.blocking(move || Engine::open(settings, components)).await;
    let engine = opened.context("opening the data directory panicked")??;
    access.attach(&engine);
    let service =
        crate::deliveries::open(&engine, webhooks, access.sight(), &config.webhooks).await?;
    if let Some(key) = access.bootstrap(&engine).await? {
        println!("root key: {key}");
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    let options = ApiOptions {
        relaxed_durability: config.log.durability == Durability::Relaxed,
        heartbeat: Duration::from_millis(config.server.heartbeat_ms),
        trusted_proxies: config.server.trusted_proxies.clone(),
        http2_streams: config.server.http2_streams,
    };
    let api = Api::new(engine.clone(), access, service.clone(), options);
    service.start()?;
    api.serve(listener, tls);
    println!("listening on {scheme}://{address}");
    Ok(Running { engine, api, tasks })
}

fn settings(config: &Config) -> Settings {
    let durability = match config.log.durability {
        Durability::Sync => log::Durability::Sync,
        Durability::Relaxed => log::Durability::Relaxed,
    };
    Settings {
        data: config.server.data.clone(),
        log: LogOptions {
            segment_bytes: config.log.segment_bytes,
            durability,
            ..LogOptions::default()
        },
        limits: config.limits.clone(),
        strictness: if config.collections.strict {
            Strictness::Strict
        } else {
            Strictness::Implicit
        },
        store: StoreOptions {
            cache_bytes: config.views.cache_bytes,
            table_bytes: config.views.table_bytes,
        },
        maintenance: MaintenanceOptions { memtable_bytes: config.views.memtable_bytes },
        retention: Retention {
            seconds: config.log.retention_seconds,
            bytes: config.log.retention_bytes,
        },
    }
}

/// Resolves at SIGTERM or SIGINT.
async fn asked_to_stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be received; the server stops only by being killed");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Whether everything ended in time and the log was closed cleanly.
async fn stop(running: Running) -> bool {
    let started = tokio::time::Instant::now();
    tracing::info!("stopping");
    let Running { engine, api, tasks } = running;
    api.stop(STOP_REQUESTS).await;
    drop(api);
    if !tasks.settle(STOP_DELIVERIES).await {
        tracing::warn!("attempts were still under way; they are made again after the start");
    }
    let closed = tasks.blocking(move || engine.stop()).await;
    let late = tasks.stop(STOP.saturating_sub(started.elapsed())).await;
    if !late.is_empty() {
        tracing::error!(?late, "did not end in time");
    }
    match closed {
        Some(Ok(())) => late.is_empty(),
        Some(Err(error)) => {
            tracing::error!(%error, "the log was not closed cleanly");
            false
        }
        None => false,
    }
}
