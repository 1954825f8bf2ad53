//! The workload `fanout`: many subscribers, a few writers at a rate; from sending a write to its delivery.
//!
//! Guarantees: what each write owes to whom is counted; a delivery missing at the end is an error.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use memchr::memmem;
use tokio::task::unconstrained;

use super::document::{GROUPS, SENT, group_of, number_after};
use super::histogram::Histogram;
use super::requests::encoded;
use super::stream::EventStream;
use super::writer::{self, Numbers, Pace, Tally};
use super::{Plan, Report};

/// Connections that write.
const WRITERS: usize = 8;
/// How long the last deliveries may take.
const DRAIN: Duration = Duration::from_secs(10);
/// How long all subscribers may take to connect.
const CONNECT: Duration = Duration::from_secs(60);

/// What everyone counts together.
struct Shared {
    origin: Instant,
    connected: Cell<usize>,
    owed: Cell<u64>,
    delivered: Cell<u64>,
    latencies: RefCell<Histogram>,
}

/// Runs the workload.
pub(crate) async fn run(plan: &Plan) -> anyhow::Result<Report> {
    let shared = Shared {
        origin: Instant::now(),
        connected: Cell::new(0),
        owed: Cell::new(0),
        delivered: Cell::new(0),
        latencies: RefCell::new(Histogram::new()),
    };
    let mut subscribers: FuturesUnordered<_> =
        (0..plan.concurrency).map(|index| unconstrained(subscribe(plan, &shared, index))).collect();
    let (started, written) = tokio::select! {
        Some(error) = subscribers.next() => anyhow::bail!("a subscriber ended: {error}"),
        done = write(plan, &shared) => done?,
    };
    let (owed, delivered) = (shared.owed.get(), shared.delivered.get());
    let missing = owed.abs_diff(delivered);
    let words = format!("{delivered} deliveries where {owed} were owed");
    Ok(Report {
        workload: plan.workload,
        concurrency: plan.concurrency,
        elapsed: started.elapsed(),
        operations: delivered,
        unit: "deliveries",
        latencies: shared.latencies.replace(Histogram::new()),
        more: Vec::new(),
        errors: written.errors + missing,
        first_error: written.first_error.or((missing > 0).then_some(words)),
    })
}

/// Counts deliveries until something breaks.
async fn subscribe(plan: &Plan, shared: &Shared, index: usize) -> std::io::Error {
    let mut path = match &plan.path {
        Some(path) => path.clone(),
        None => format!(
            "/v1/events?from=latest&collections={}&kinds=document.created",
            encoded(&plan.collection)
        ),
    };
    if plan.own_filters {
        let filter = format!("{{\"group\":{}}}", group_of(index as u64));
        path.push_str(&format!("&filter={}", encoded(&filter)));
    }
    let mut stream = match EventStream::open(&plan.target, &path).await {
        Ok(stream) => stream,
        Err(error) => return error,
    };
    shared.connected.set(shared.connected.get() + 1);
    let sent = memmem::Finder::new(SENT);
    loop {
        let frames = match stream.frames().await {
            Ok(frames) => frames,
            Err(error) => return error,
        };
        let now = shared.origin.elapsed().as_micros() as u64;
        let mut latencies = shared.latencies.borrow_mut();
        let mut delivered = 0;
        for found in sent.find_iter(frames) {
            if let Some(sent_us) = number_after(frames, found, SENT) {
                latencies.record(now.saturating_sub(sent_us));
                delivered += 1;
            }
        }
        shared.delivered.set(shared.delivered.get() + delivered);
    }
}

/// Writes once everyone is connected, then waits for the last deliveries.
async fn write(plan: &Plan, shared: &Shared) -> anyhow::Result<(Instant, Tally)> {
    while shared.connected.get() < plan.concurrency {
        let connected = shared.connected.get();
        anyhow::ensure!(
            shared.origin.elapsed() < CONNECT,
            "only {connected} of {} subscribers are connected",
            plan.concurrency
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let started = Instant::now();
    let owes = |numbers: Range<u64>| {
        let owed: u64 = numbers.map(|number| subscribers_of(plan, number)).sum();
        shared.owed.set(shared.owed.get() + owed);
    };
    let pace = Pace {
        writers: WRITERS,
        rate: plan.rate,
        started,
        deadline: started + plan.duration,
        origin: shared.origin,
        numbers: &Numbers::endless(),
        written: &owes,
        may_go_on: &|| true,
    };
    let all = writer::write(plan, 1, &pace).await;
    let drained = Instant::now() + DRAIN;
    while shared.delivered.get() < shared.owed.get() && Instant::now() < drained {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok((started, all))
}

/// How many subscribers the document `number` is for.
fn subscribers_of(plan: &Plan, number: u64) -> u64 {
    let subscribers = plan.concurrency as u64;
    if !plan.own_filters {
        return subscribers;
    }
    let group = number % GROUPS;
    subscribers / GROUPS + u64::from(group < subscribers % GROUPS)
}
