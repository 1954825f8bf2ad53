//! Deliveries of what is being written: to one receiver or several, and beside dead ones if there are any.
//!
//! Guarantees: with dead receivers each round measures once without them and once beside them, in changing order, with the
//! same receivers.

use std::time::{Duration, Instant};

use super::super::histogram::Histogram;
use super::super::writer::{self, Numbers, Pace, Tally};
use super::super::{Plan, Report};
use super::dead::beside_dead;
use super::ledger::Ledger;
use super::receiver::{Receiver, serve_during, wait_for_all};
use super::registered::with_webhooks;
use super::{ARRAY, percent};

/// Deliveries outstanding at a receiver over which the writers wait.
const OUTSTANDING_MAX: u64 = 20_000;

/// The receivers, and what is counted beside them.
struct Scene {
    receivers: Vec<Receiver>,
    origin: Instant,
    numbers: Numbers,
    ledger: Ledger,
}

/// What came of some turns.
struct Sum {
    deliveries: u64,
    elapsed: Duration,
    latencies: Histogram,
    writes: Tally,
    missing: u64,
}

impl Sum {
    fn new() -> Self {
        Self {
            deliveries: 0,
            elapsed: Duration::ZERO,
            latencies: Histogram::new(),
            writes: Tally::new(),
            missing: 0,
        }
    }

    fn merge(&mut self, other: Self) {
        self.deliveries += other.deliveries;
        self.elapsed += other.elapsed;
        self.latencies.merge(&other.latencies);
        self.writes.merge(other.writes);
        // What one turn misses, the next ones miss, too.
        self.missing = self.missing.max(other.missing);
    }
}

/// Runs the scenario.
pub(super) async fn run(plan: &Plan) -> anyhow::Result<Report> {
    let origin = Instant::now();
    let mut scene = Scene {
        receivers: Vec::new(),
        origin,
        numbers: Numbers::endless(),
        ledger: Ledger::default(),
    };
    for _ in 0..plan.webhook.receivers {
        scene.receivers.push(Receiver::open(origin).await?);
    }
    with_webhooks(plan, async |registered| {
        for receiver in &scene.receivers {
            registered.register(&receiver.wish(plan)?).await?;
        }
        serve_during(&scene.receivers, async {
            if plan.webhook.dead == 0 {
                return Ok(report(plan, turn(plan, &scene).await, Vec::new()));
            }
            compare(plan, &scene).await
        })
        .await
    })
    .await
}

async fn compare(plan: &Plan, scene: &Scene) -> anyhow::Result<Report> {
    let (mut alone, mut beside, mut attempts) = (Sum::new(), Sum::new(), 0);
    for round in 0..plan.webhook.rounds {
        for dead in [round % 2 == 1, round % 2 == 0] {
            if !dead {
                alone.merge(turn(plan, scene).await);
                continue;
            }
            let (sum, reached) = beside_dead(plan, async { Ok(turn(plan, scene).await) }).await?;
            beside.merge(sum);
            attempts += reached;
        }
    }
    let (p99_alone, p99) = (alone.latencies.quantile(990), beside.latencies.quantile(990));
    let more = vec![
        ("p50_alone_us", alone.latencies.quantile(500)),
        ("p99_alone_us", p99_alone),
        ("p99_beside_dead_us", p99),
        ("p99_percent_of_alone", percent(p99 as f64, p99_alone as f64)),
        ("deliveries_alone", alone.deliveries),
        ("attempts_at_dead", attempts),
    ];
    beside.writes.errors += alone.writes.errors;
    beside.writes.first_error = beside.writes.first_error.or(alone.writes.first_error);
    beside.missing = beside.missing.max(alone.missing);
    Ok(report(plan, beside, more))
}

/// Writes for the plan's time, then waits for the last deliveries.
async fn turn(plan: &Plan, scene: &Scene) -> Sum {
    let Scene { receivers, ledger, .. } = scene;
    let counts = || receivers.iter().map(Receiver::count);
    let (started, before) = (Instant::now(), counts().sum::<u64>());
    let slowest = || counts().min().unwrap_or_default();
    let pace = Pace {
        writers: plan.concurrency,
        rate: plan.rate,
        started,
        deadline: started + plan.duration,
        origin: scene.origin,
        numbers: &scene.numbers,
        written: &|numbers| ledger.add(numbers),
        may_go_on: &|| ledger.count().saturating_sub(slowest()) < OUTSTANDING_MAX,
    };
    let documents = if plan.rate == 0 { ARRAY } else { 1 };
    let writes = writer::write(plan, documents, &pace).await;
    let missing = wait_for_all(receivers, ledger).await;
    let mut latencies = Histogram::new();
    receivers.iter().for_each(|receiver| latencies.merge(&receiver.take_latencies()));
    let last = receivers.iter().map(|receiver| receiver.last_after(started)).max();
    Sum {
        deliveries: counts().sum::<u64>() - before,
        elapsed: last.unwrap_or_default(),
        latencies,
        writes,
        missing,
    }
}

fn report(plan: &Plan, sum: Sum, mut more: Vec<(&'static str, u64)>) -> Report {
    let words = format!("{} deliveries of acknowledged documents did not come", sum.missing);
    more.push(("write_p99_us", sum.writes.latencies.quantile(990)));
    Report {
        workload: plan.workload,
        concurrency: plan.concurrency,
        elapsed: sum.elapsed,
        operations: sum.deliveries,
        unit: "deliveries",
        latencies: sum.latencies,
        more,
        errors: sum.writes.errors + sum.missing,
        first_error: sum.writes.first_error.or((sum.missing > 0).then_some(words)),
    }
}
