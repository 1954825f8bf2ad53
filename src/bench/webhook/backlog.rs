//! A backlog: the receiver answers nothing while documents are written, then everything; the server's memory meanwhile.
//!
//! Guarantees: memory is the server's own figure. It holds what writing takes, too: to tell that apart, run it twice on one
//! server, or compare with `bulk`.

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde_json::json;

use super::super::figures::Figures;
use super::super::writer::{self, Numbers, Pace, Tally};
use super::super::{Plan, Report};
use super::ARRAY_BEFORE;
use super::ledger::Ledger;
use super::receiver::{Receiver, serve_during, wait_for_all};
use super::registered::with_webhooks;

/// How long the server waits for an answer, so that no attempt fails while the backlog grows.
const TIMEOUT_MS: u64 = 60_000;
/// How often memory is looked at while the backlog goes out.
const LOOK: Duration = Duration::from_millis(250);
/// An end that no writer reaches.
const DAY: Duration = Duration::from_secs(86_400);

/// What was measured.
struct Outcome {
    writes: Tally,
    released: Instant,
    missing: u64,
    more: Vec<(&'static str, u64)>,
}

/// Runs the scenario.
pub(super) async fn run(plan: &Plan) -> anyhow::Result<Report> {
    let origin = Instant::now();
    let receivers = [Receiver::open(origin).await?];
    let [receiver] = &receivers;
    receiver.hold();
    let outcome = with_webhooks(plan, async |registered| {
        let mut wish = receiver.wish(plan)?;
        wish["timeout_ms"] = json!(TIMEOUT_MS);
        registered.register(&wish).await?;
        serve_during(&receivers, measure(plan, origin, &receivers)).await
    })
    .await?;
    let Outcome { writes, released, missing, more } = outcome;
    let words = format!("{missing} acknowledged documents were not delivered");
    Ok(Report {
        workload: plan.workload,
        concurrency: plan.concurrency,
        elapsed: receiver.last_after(released),
        operations: receiver.count(),
        unit: "deliveries",
        latencies: receiver.take_latencies(),
        more,
        errors: writes.errors + missing,
        first_error: writes.first_error.or((missing > 0).then_some(words)),
    })
}

async fn measure(plan: &Plan, origin: Instant, receivers: &[Receiver]) -> anyhow::Result<Outcome> {
    let ledger = Ledger::default();
    let before = Figures::read(plan).await?.bytes;
    let writes = write_all(plan, origin, &ledger).await;
    let waiting = Figures::read(plan).await?.bytes;
    let came: u64 = receivers.iter().map(Receiver::count).sum();
    anyhow::ensure!(came == 0, "{came} deliveries were answered while none was to be");
    receivers.iter().for_each(Receiver::release);
    let released = Instant::now();
    let most = Cell::new(waiting);
    let missing = tokio::select! {
        missing = wait_for_all(receivers, &ledger) => missing,
        failed = watch_memory(plan, &most) => return Err(failed),
    };
    let after = Figures::read(plan).await?.bytes;
    let more = vec![
        ("backlog", ledger.count()),
        ("server_bytes_before", before),
        ("server_bytes_backlog", waiting),
        ("server_bytes_most_while_draining", most.get().max(after)),
        ("server_bytes_after", after),
    ];
    Ok(Outcome { writes, released, missing, more })
}

/// Notes the most memory; ends only by a failure.
async fn watch_memory(plan: &Plan, most: &Cell<u64>) -> anyhow::Error {
    loop {
        match Figures::read(plan).await {
            Ok(figures) => most.set(most.get().max(figures.bytes)),
            Err(error) => return error,
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Writes `plan.documents`, rounded up to whole requests, as fast as answers come.
pub(super) async fn write_all(plan: &Plan, origin: Instant, ledger: &Ledger) -> Tally {
    let started = Instant::now();
    let pace = Pace {
        writers: plan.concurrency,
        rate: 0,
        started,
        deadline: started + DAY,
        origin,
        numbers: &Numbers::up_to(plan.documents as u64),
        written: &|numbers| ledger.add(numbers),
        may_go_on: &|| true,
    };
    writer::write(plan, ARRAY_BEFORE.min(plan.documents), &pace).await
}
