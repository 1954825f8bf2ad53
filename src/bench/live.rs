//! The workload `live`: live queries over a collection, each read to its `ready`, one after another.

use std::time::Instant;

use futures_util::future::join_all;
use memchr::memmem;

use super::histogram::Histogram;
use super::requests::ids;
use super::stream::EventStream;
use super::{Plan, Report};

/// Runs the workload: `plan.concurrency` live queries at a time, for the duration.
pub(crate) async fn run(plan: &Plan) -> anyhow::Result<Report> {
    ids(plan).await?;
    let path = match &plan.path {
        Some(path) => path.clone(),
        None => format!("/v1/live/{}", plan.collection),
    };
    let started = Instant::now();
    let tallies = join_all((0..plan.concurrency).map(|_| repeat(plan, &path, started))).await;
    let (mut operations, mut latencies) = (0, Histogram::new());
    for tally in tallies {
        let (count, of_one) = tally?;
        operations += count;
        latencies.merge(&of_one);
    }
    Ok(Report {
        workload: plan.workload,
        concurrency: plan.concurrency,
        elapsed: started.elapsed(),
        operations,
        unit: "snapshots",
        latencies,
        errors: 0,
        first_error: None,
        more: Vec::new(),
    })
}

async fn repeat(plan: &Plan, path: &str, started: Instant) -> anyhow::Result<(u64, Histogram)> {
    let (mut count, mut latencies) = (0, Histogram::new());
    while started.elapsed() < plan.duration {
        let asked = Instant::now();
        let documents = snapshot(plan, path).await?;
        anyhow::ensure!(documents > 0, "the snapshot of {path} is empty");
        latencies.record(asked.elapsed().as_micros() as u64);
        count += 1;
    }
    Ok((count, latencies))
}

/// Reads one snapshot; how many documents it has.
async fn snapshot(plan: &Plan, path: &str) -> anyhow::Result<usize> {
    let mut stream = EventStream::open(&plan.target, path).await?;
    let mut documents = 0;
    loop {
        let frames = stream.frames().await?;
        documents += memmem::find_iter(frames, b"event: snapshot\n").count();
        if memmem::find(frames, b"event: ready\n").is_some() {
            return Ok(documents);
        }
    }
}
