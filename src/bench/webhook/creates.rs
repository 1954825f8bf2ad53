//! Single documents written as fast as answers come: without webhooks, and beside webhooks whose receivers are dead.

use std::time::{Duration, Instant};

use super::super::writer::{self, Numbers, Pace, Tally};
use super::super::{Plan, Report};
use super::dead::beside_dead;
use super::percent;

/// What came of some turns.
struct Sum {
    writes: Tally,
    elapsed: Duration,
}

impl Sum {
    fn new() -> Self {
        Self { writes: Tally::new(), elapsed: Duration::ZERO }
    }

    fn merge(&mut self, other: Self) {
        self.writes.merge(other.writes);
        self.elapsed += other.elapsed;
    }

    fn rate(&self) -> f64 {
        self.writes.operations as f64 / self.elapsed.as_secs_f64().max(1e-6)
    }
}

/// Runs the scenario, each round in changing order.
pub(super) async fn run(plan: &Plan) -> anyhow::Result<Report> {
    let (mut alone, mut beside, mut attempts) = (Sum::new(), Sum::new(), 0);
    for round in 0..plan.webhook.rounds {
        for dead in [round % 2 == 1, round % 2 == 0] {
            if !dead {
                alone.merge(turn(plan).await);
                continue;
            }
            let (sum, reached) = beside_dead(plan, async { Ok(turn(plan).await) }).await?;
            beside.merge(sum);
            attempts += reached;
        }
    }
    let more = vec![
        ("creates_per_second_alone", alone.rate().round() as u64),
        ("creates_per_second_beside_dead", beside.rate().round() as u64),
        ("percent_of_alone", percent(beside.rate(), alone.rate())),
        ("p99_alone_us", alone.writes.latencies.quantile(990)),
        ("attempts_at_dead", attempts),
    ];
    Ok(Report {
        workload: plan.workload,
        concurrency: plan.concurrency,
        elapsed: beside.elapsed,
        operations: beside.writes.operations,
        unit: "documents",
        latencies: beside.writes.latencies,
        more,
        errors: alone.writes.errors + beside.writes.errors,
        first_error: beside.writes.first_error.or(alone.writes.first_error),
    })
}

async fn turn(plan: &Plan) -> Sum {
    let started = Instant::now();
    let pace = Pace {
        writers: plan.concurrency,
        rate: 0,
        started,
        deadline: started + plan.duration,
        origin: started,
        numbers: &Numbers::endless(),
        written: &|_| {},
        may_go_on: &|| true,
    };
    let writes = writer::write(plan, 1, &pace).await;
    Sum { writes, elapsed: started.elapsed() }
}
