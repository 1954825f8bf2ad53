//! Figures for Prometheus: `/metrics`. Full access alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use headwater_engine::webhook::{BUCKETS_MS, Figures};
use http::StatusCode;

use crate::error::ApiResult;
use crate::process;
use crate::router::{Needs, Routes};
use crate::service::text;
use crate::session::Session;
use crate::state::App;

/// The route of figures.
pub(super) fn routes() -> Routes {
    Routes::new().add("get", "/metrics", Needs::FullAccess, metrics)
}

async fn metrics(State(app): State<App>, session: Session) -> ApiResult {
    session.full_access()?;
    let mut out = String::with_capacity(16 << 10);
    app.figures.write(&mut out);
    for figure in figures(&app) {
        figure.write(&mut out);
    }
    of_process(&mut out);
    deliveries(&app.webhooks.all_figures().await?, &mut out);
    Ok(text(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", out))
}

/// A figure of a webhook: name, kind, labels beside the webhook's id, value.
type OfWebhook = (&'static str, &'static str, &'static str, fn(&Figures) -> u64);

const OF_WEBHOOKS: [OfWebhook; 9] = [
    ("webhook_lag_events", "gauge", "", |figures| figures.lag_events),
    ("webhook_lag_seconds", "gauge", "", |figures| figures.lag_seconds),
    ("webhook_outstanding", "gauge", "", |figures| figures.outstanding),
    ("webhook_parked", "gauge", "", |figures| figures.parked),
    ("webhook_in_flight", "gauge", "", |figures| figures.in_flight),
    ("webhook_dead", "gauge", "", |figures| figures.dead),
    ("webhook_stalled", "gauge", "", |figures| u64::from(figures.stalled.is_some())),
    ("webhook_failing", "gauge", "", |figures| figures.failing),
    ("webhook_given_up_total", "counter", "", |figures| figures.outcomes.dead),
];

/// The figures of all webhooks, each name together, labelled by the webhook's id.
fn deliveries(all: &BTreeMap<Arc<str>, Figures>, out: &mut String) {
    let mut before = "";
    for (name, kind, labels, value) in OF_WEBHOOKS {
        // Writing to a string does not fail.
        if name != before {
            let _written = writeln!(out, "# TYPE headwater_{name} {kind}");
            before = name;
        }
        for (webhook, figures) in all {
            let value = value(figures);
            let _written =
                writeln!(out, "headwater_{name}{{webhook=\"{webhook}\"{labels}}} {value}");
        }
    }
    attempts(all, out);
    latencies(all, out);
}

/// Attempts by outcome and reason; only those that there were.
fn attempts(all: &BTreeMap<Arc<str>, Figures>, out: &mut String) {
    // Writing to a string does not fail.
    let _written = writeln!(out, "# TYPE headwater_webhook_attempts_total counter");
    for (webhook, figures) in all {
        for (reason, count) in figures.outcomes.by_outcome().filter(|(_, count)| *count > 0) {
            let outcome = if reason == "2xx" { "succeeded" } else { "failed" };
            let labels = format!("webhook=\"{webhook}\",outcome=\"{outcome}\",reason=\"{reason}\"");
            let _written = writeln!(out, "headwater_webhook_attempts_total{{{labels}}} {count}");
        }
    }
}

/// How long attempts took.
fn latencies(all: &BTreeMap<Arc<str>, Figures>, out: &mut String) {
    const NAME: &str = "headwater_webhook_attempt_seconds";
    // Writing to a string does not fail.
    let _written = writeln!(out, "# TYPE {NAME} histogram");
    for (webhook, figures) in all {
        let mut sum = 0;
        let ends = BUCKETS_MS.iter().map(|ms| (*ms as f64 / 1000.0).to_string());
        let ends = ends.chain(["+Inf".to_owned()]);
        for (end, count) in ends.zip(figures.latencies.buckets) {
            sum += count;
            let _written =
                writeln!(out, "{NAME}_bucket{{webhook=\"{webhook}\",le=\"{end}\"}} {sum}");
        }
        let seconds = figures.latencies.sum_us as f64 / 1e6;
        let _written = writeln!(out, "{NAME}_sum{{webhook=\"{webhook}\"}} {seconds}");
        let _written = writeln!(out, "{NAME}_count{{webhook=\"{webhook}\"}} {sum}");
    }
}

/// One figure without labels.
struct Figure {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: f64,
}

impl Figure {
    fn write(&self, out: &mut String) {
        let Self { name, kind, help, value } = self;
        // Writing to a string does not fail.
        let _written = write!(
            out,
            "# HELP headwater_{name} {help}\n# TYPE headwater_{name} {kind}\nheadwater_{name} {value}\n"
        );
    }
}

fn figures(app: &App) -> Vec<Figure> {
    let counter =
        |name, value: u64, help| Figure { name, kind: "counter", help, value: value as f64 };
    let gauge = |name, value: u64, help| Figure { name, kind: "gauge", help, value: value as f64 };
    let engine = &app.engine;
    let write = engine.write_figures();
    let (streams, behind) = app.streams.furthest_behind();
    let position = engine.position();
    let lag = behind.map_or(0, |behind| position.saturating_sub(behind));
    let seconds = |us: u64| us as f64 / 1e6;
    let group_mean = write.events as f64 / write.groups.max(1) as f64;
    vec![
        gauge("position", position, "Newest visible position."),
        gauge("first_position", engine.log().first_position(), "First position that is kept."),
        counter("commit_groups_total", write.groups, "Groups committed with one sync each."),
        counter("events_total", write.events, "Events committed."),
        Figure {
            name: "commit_group_events_mean",
            kind: "gauge",
            help: "Events per group since the start.",
            value: group_mean,
        },
        Figure {
            name: "append_seconds_total",
            kind: "counter",
            help: "Time spent writing and syncing groups.",
            value: seconds(write.append_us),
        },
        Figure {
            name: "append_seconds_max",
            kind: "gauge",
            help: "The longest write and sync of a group.",
            value: seconds(write.append_us_max),
        },
        gauge("write_queue", engine.queue_len() as u64, "Writes waiting for the sequencer."),
        gauge("ready", u64::from(engine.unready().is_none()), "Whether writes are accepted."),
        gauge("view_bytes", engine.view_bytes(), "Bytes of the views on disk."),
        gauge("subscribers", streams as u64, "Streams open."),
        gauge("subscriber_lag_events", lag, "Events that the slowest stream is behind."),
        counter(
            "stream_events_total",
            app.figures.stream_events.load(Ordering::Relaxed),
            "Events written to streams.",
        ),
        gauge("connections", app.figures.connections.load(Ordering::Relaxed), "Connections open."),
        counter(
            "connections_refused_total",
            app.figures.connections_refused.load(Ordering::Relaxed),
            "Connections refused for a limit.",
        ),
        gauge(
            "resident_bytes",
            process::resident_bytes().unwrap_or(0),
            "Resident memory of the process.",
        ),
    ]
}

/// The figures of the process that Prometheus has names for, where the system tells them.
fn of_process(out: &mut String) {
    let figures = [
        ("resident_memory_bytes", "Resident memory size in bytes.", process::resident_bytes()),
        ("open_fds", "Number of open file descriptors.", process::open_descriptors()),
    ];
    for (name, help, value) in figures {
        let Some(value) = value else { continue };
        // Writing to a string does not fail.
        let _written = write!(
            out,
            "# HELP process_{name} {help}\n# TYPE process_{name} gauge\nprocess_{name} {value}\n"
        );
    }
}
