//! The workload `catchup`: one client that reads the whole log as a stream.

use std::time::{Duration, Instant};

use memchr::memmem;
use serde_json::Value;

use super::histogram::Histogram;
use super::stream::EventStream;
use super::{Plan, Report};

/// Silence after which the log's visible end is reached.
const SILENCE: Duration = Duration::from_secs(2);

/// Runs the workload; it ends with the log or with the time.
pub(crate) async fn run(plan: &Plan) -> anyhow::Result<Report> {
    let page: Value = plan.client.get(&["v1", "events"], &[("limit", "1")]).await?;
    let last = page["last"].as_u64().unwrap_or_default();
    anyhow::ensure!(last > 0, "the log is empty; write something first (bench bulk)");
    let path = plan.path.as_deref().unwrap_or("/v1/events?from=earliest");
    let started = Instant::now();
    let mut stream = EventStream::open(&plan.target, path).await?;
    let data = memmem::Finder::new(b"data:");
    let (mut events, mut elapsed) = (0, Duration::ZERO);
    let mut latencies = Histogram::new();
    while started.elapsed() < plan.duration {
        let Ok(frames) = tokio::time::timeout(SILENCE, stream.frames()).await else { break };
        let frames = frames?;
        let starts_line = |at: &usize| *at == 0 || frames[at - 1] == b'\n';
        events += data.find_iter(frames).filter(starts_line).count() as u64;
        let now = started.elapsed();
        latencies.record((now - elapsed).as_micros() as u64);
        elapsed = now;
        if last_id(frames).is_some_and(|id| id >= last) {
            break;
        }
    }
    Ok(Report {
        workload: plan.workload,
        concurrency: 1,
        elapsed,
        operations: events,
        unit: "events",
        latencies,
        more: Vec::new(),
        errors: 0,
        first_error: None,
    })
}

/// The position in the last `id:` line.
fn last_id(frames: &[u8]) -> Option<u64> {
    let start = match memmem::rfind(frames, b"\nid:") {
        Some(at) => at + 4,
        None => frames.starts_with(b"id:").then_some(3)?,
    };
    let digits = frames[start..].trim_ascii_start();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_id_is_found_with_and_without_an_epoch() {
        assert_eq!(last_id(b"id: 7\ndata: {}\n\nid:8@abc\ndata: {}\n\n"), Some(8));
        assert_eq!(last_id(b"id: 7\ndata: {}\n\n"), Some(7));
        assert_eq!(last_id(b": heartbeat\n\n"), None);
    }
}
