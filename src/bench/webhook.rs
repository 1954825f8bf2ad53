//! The workload `webhook`: a receiver in this process, a webhook to it, writers; every document must come.
//!
//! Guarantees: what was acknowledged and never came is an error; what came twice is not (at least once is the promise).

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use memchr::memmem;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::unconstrained;

use super::connection::head_of;
use super::document::{NUMBER, SENT, number_after};
use super::histogram::Histogram;
use super::writer::{self, Pace, Tally};
use super::{Plan, Report};
use crate::job;

/// Documents in a request where no rate is given.
const ARRAY: usize = 100;
/// Deliveries outstanding over which the writers wait.
const OUTSTANDING_MAX: u64 = 20_000;
/// How long the last deliveries may take.
const DRAIN: Duration = Duration::from_secs(60);
/// The receiver's answer.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// What writers and receiver count together.
struct Shared {
    origin: Instant,
    written: Cell<u64>,
    received: RefCell<HashSet<u64>>,
    last: Cell<Duration>,
    latencies: RefCell<Histogram>,
}

/// Runs the workload, and takes the webhook away again.
pub(crate) async fn run(plan: &Plan) -> anyhow::Result<Report> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let wish = json!({
        "url": url, "collections": [plan.collection], "kinds": ["document.created"],
        "concurrency": plan.concurrency,
    });
    let webhook: Value = plan.client.post(&["v1", "webhooks"], &wish).await?;
    let shared = Shared {
        origin: Instant::now(),
        written: Cell::new(0),
        received: RefCell::new(HashSet::new()),
        last: Cell::new(Duration::ZERO),
        latencies: RefCell::new(Histogram::new()),
    };
    let written: anyhow::Result<Tally> = tokio::select! {
        error = receive(listener, &shared) => Err(error.into()),
        written = write(plan, &shared) => Ok(written),
    };
    plan.client.delete(&["v1", "webhooks", &job::id_text(&webhook["id"])]).await?;
    Ok(report(plan, &shared, written?))
}

fn report(plan: &Plan, shared: &Shared, written: Tally) -> Report {
    let received = shared.received.borrow().len() as u64;
    let missing = shared.written.get().saturating_sub(received);
    let words = format!("{missing} of {} documents were not delivered", shared.written.get());
    Report {
        workload: plan.workload,
        concurrency: plan.concurrency,
        elapsed: shared.last.get(),
        operations: received,
        unit: "deliveries",
        latencies: shared.latencies.replace(Histogram::new()),
        more: Vec::new(),
        errors: written.errors + missing,
        first_error: written.first_error.or((missing > 0).then_some(words)),
    }
}

/// Accepts connections and answers every delivery; ends only by an error.
async fn receive(listener: TcpListener, shared: &Shared) -> std::io::Error {
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => connections.push(unconstrained(answer(stream, shared))),
                Err(error) => return error,
            },
            // A connection that ends was closed by the server, or broke; its deliveries come again.
            Some(_) = connections.next() => {}
        }
    }
}

async fn answer(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8 << 10);
    loop {
        let end = match head_of(&buffer)? {
            Some(head) => head.bytes + head.length.unwrap_or_default(),
            None => usize::MAX,
        };
        if buffer.len() < end {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            continue;
        }
        count(&buffer[..end], shared);
        buffer.drain(..end);
        stream.write_all(ANSWER).await?;
    }
}

fn count(delivery: &[u8], shared: &Shared) {
    let number =
        memmem::find(delivery, NUMBER).and_then(|found| number_after(delivery, found, NUMBER));
    let sent_us =
        memmem::find(delivery, SENT).and_then(|found| number_after(delivery, found, SENT));
    if let (Some(number), Some(sent_us)) = (number, sent_us)
        && shared.received.borrow_mut().insert(number)
    {
        let now = shared.origin.elapsed();
        shared.last.set(now);
        let latency = (now.as_micros() as u64).saturating_sub(sent_us);
        shared.latencies.borrow_mut().record(latency);
    }
}

/// Writes for the plan's time, then waits for the last deliveries.
async fn write(plan: &Plan, shared: &Shared) -> Tally {
    let outstanding = || shared.written.get().saturating_sub(shared.received.borrow().len() as u64);
    let pace = Pace {
        deadline: shared.origin + plan.duration,
        period: match plan.rate {
            0 => Duration::ZERO,
            rate => Duration::from_secs(plan.concurrency as u64).div_f64(rate as f64),
        },
        origin: shared.origin,
        written: &|numbers: Range<u64>| {
            shared.written.set(shared.written.get() + (numbers.end - numbers.start));
        },
        may_go_on: &|| outstanding() < OUTSTANDING_MAX,
    };
    let documents = if plan.rate == 0 { ARRAY } else { 1 };
    let mut writers: FuturesUnordered<_> = (0..plan.concurrency as u64)
        .map(|index| unconstrained(writer::write(plan, index, documents, &pace)))
        .collect();
    let mut all = Tally::new();
    while let Some(tally) = writers.next().await {
        all.merge(tally);
    }
    let drained = Instant::now() + DRAIN;
    while outstanding() > 0 && Instant::now() < drained {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    all
}
