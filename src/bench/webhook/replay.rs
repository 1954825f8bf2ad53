//! The replay of documents that were written before the webhook was registered.
//!
//! Guarantees: the server must find exactly what was acknowledged, deliver it, and call the replay done.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::writer::Tally;
use super::super::{Plan, Report};
use super::backlog::write_all;
use super::ledger::Ledger;
use super::receiver::{Receiver, serve_during, wait_for_all};
use super::registered::with_webhooks;
use crate::job;

/// How long the server may take to call the replay done after the last delivery.
const DONE: Duration = Duration::from_secs(30);
/// How often it is asked.
const ASK: Duration = Duration::from_millis(20);

/// Runs the scenario.
pub(super) async fn run(plan: &Plan) -> anyhow::Result<Report> {
    let origin = Instant::now();
    let page: Value = plan.client.get(&["v1", "events"], &[("limit", "1")]).await?;
    let from = page["last"].as_u64().unwrap_or_default();
    let ledger = Ledger::default();
    let writes = write_all(plan, origin, &ledger).await;
    let receivers = [Receiver::open(origin).await?];
    let [receiver] = &receivers;
    let (started, missing) = with_webhooks(plan, async |registered| {
        let id = registered.register(&receiver.wish(plan)?).await?;
        serve_during(&receivers, async {
            receiver.count_from_now();
            let started = Instant::now();
            let segments = ["v1", "webhooks", id.as_str(), "replay"];
            let answer: Value = plan.client.post(&segments, &json!({"from": from})).await?;
            let (matched, written) = (answer["matched"].as_u64(), ledger.count());
            anyhow::ensure!(
                matched == Some(written) || writes.errors > 0,
                "the replay found {} events where {written} documents were written; does somebody else write?",
                answer["matched"],
            );
            let missing = wait_for_all(&receivers, &ledger).await;
            if missing == 0 {
                wait_until_done(plan, &job::id_text(&answer["replay"])).await?;
            }
            Ok((started, missing))
        })
        .await
    })
    .await?;
    Ok(report(plan, receiver, started, writes, missing))
}

/// Waits until the server calls the replay done.
async fn wait_until_done(plan: &Plan, id: &str) -> anyhow::Result<()> {
    let since = Instant::now();
    loop {
        let replay: Value = plan.client.get(&["v1", "admin", "replay", id], &[]).await?;
        if replay["status"] != "running" || since.elapsed() > DONE {
            let done = replay["status"] == "done" && replay["failed"] == 0;
            anyhow::ensure!(done, "everything came, but the replay is not done: {replay}");
            return Ok(());
        }
        tokio::time::sleep(ASK).await;
    }
}

fn report(
    plan: &Plan,
    receiver: &Receiver,
    started: Instant,
    writes: Tally,
    missing: u64,
) -> Report {
    let words = format!("{missing} acknowledged documents were not replayed");
    Report {
        workload: plan.workload,
        concurrency: plan.concurrency,
        elapsed: receiver.last_after(started),
        operations: receiver.count(),
        unit: "deliveries",
        latencies: receiver.take_latencies(),
        more: Vec::new(),
        errors: writes.errors + missing,
        first_error: writes.first_error.or((missing > 0).then_some(words)),
    }
}
