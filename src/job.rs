//! The server's long jobs (`verify`, `rebuild`, `backup`): started, followed to their end with a progress bar.
//!
//! Guarantees: a failed job is an error with the server's words; an interrupted connection is tried for 30 s.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Client, Failure};
use crate::{output, progress};

/// How often a job is asked about.
const POLL: Duration = Duration::from_millis(200);
/// How long the server may stay silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// A job that has ended well.
pub(crate) struct Finished {
    /// The job's id.
    pub(crate) id: String,
    /// What came of it.
    pub(crate) result: Value,
}

#[derive(Deserialize)]
struct Started {
    job: Value,
}

#[derive(Deserialize)]
struct Report {
    status: String,
    #[serde(default)]
    progress: Option<f64>,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error: Value,
}

/// Starts the job `name` and waits for its end.
pub(crate) async fn run(client: &Client, name: &'static str) -> anyhow::Result<Finished> {
    let started: Started = client.post(&["v1", "admin", name], &json!({})).await?;
    let id = id_text(&started.job);
    let bar = progress::share(name);
    let mut silent_since = None;
    let result = loop {
        tokio::time::sleep(POLL).await;
        let report = match client.get::<Report>(&["v1", "admin", "jobs", &id], &[]).await {
            Ok(report) => report,
            Err(error) if is_passing(&error) => {
                let since = *silent_since.get_or_insert_with(Instant::now);
                anyhow::ensure!(since.elapsed() < PATIENCE, "{name} (job {id}): {error:#}");
                continue;
            }
            Err(error) => return Err(error.context(format!("{name} (job {id})"))),
        };
        silent_since = None;
        bar.set_position(thousandths(report.progress.unwrap_or_default()));
        match report.status.as_str() {
            "running" | "queued" => {}
            "done" => break report.result,
            other => anyhow::bail!("{name} (job {id}) {other}: {}", words(&report.error)),
        }
    };
    bar.finish_and_clear();
    Ok(Finished { id, result })
}

/// Prints what came of a job: as JSON, or a line for each member.
pub(crate) fn print(name: &str, result: &Value, json: bool) -> anyhow::Result<()> {
    if json {
        output::line(result)?;
        return Ok(());
    }
    output::line(format_args!("{name}: done"))?;
    for (member, value) in result.as_object().into_iter().flatten() {
        output::line(format_args!("  {member}: {}", words(value)))?;
    }
    Ok(())
}

/// An id as it stands in a path, be it text or a number.
pub(crate) fn id_text(id: &Value) -> String {
    words(id)
}

/// Text as it is, anything else as JSON; an error object by its message.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(members) => match members.get("message") {
            Some(Value::String(message)) => message.clone(),
            _ => value.to_string(),
        },
        other => other.to_string(),
    }
}

fn is_passing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Failure>().is_some_and(Failure::is_passing)
}

fn thousandths(share: f64) -> u64 {
    (share * 1000.0).clamp(0.0, 1000.0) as u64
}

/// The outcome of a check: a result that says `"ok": false` is a failure.
pub(crate) fn ensure_ok(name: &str, result: &Value) -> anyhow::Result<()> {
    let ok = result.get("ok").and_then(Value::as_bool).unwrap_or(true);
    (ok).then_some(()).with_context(|| format!("{name} found faults: {}", words(result)))
}
