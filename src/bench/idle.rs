//! The workload `idle`: many streams with nothing to say; what each costs the server, and whether all are still told.
//!
//! Guarantees: memory is the server's own figure, after all streams have their head and first bytes and were left alone
//! for the time given; a stream that breaks or misses the document is an error.
//! Leaves to others: limits of the server and of file descriptors, which both processes need one of for each stream.

use std::io::{Error, ErrorKind, Result};
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use memchr::memmem;
use serde_json::json;
use tokio::net::TcpStream;

use super::connection::status_of;
use super::figures::Figures;
use super::histogram::Histogram;
use super::requests::encoded;
use super::{Plan, Report};

/// Streams that are opened at a time.
const OPENING: usize = 64;
/// What every stream begins with.
const FIRST: &[u8] = b"retry: ";
/// What the document brings.
const DELIVERED: &[u8] = b"document.created";
/// How long the document may take to reach all streams.
const DELIVERY: Duration = Duration::from_secs(30);
/// How much is read at a time, bytes.
const READ_BYTES: usize = 4096;

/// Runs the workload.
pub(crate) async fn run(plan: &Plan) -> anyhow::Result<Report> {
    // The collection and everything that a first write needs is there before memory is looked at.
    write(plan).await?;
    let before = Figures::read(plan).await?;
    let started = Instant::now();
    let streams: Vec<TcpStream> = opening(plan).try_collect().await?;
    let opened = started.elapsed();
    tokio::time::sleep(plan.duration).await;
    let idle = Figures::read(plan).await?;
    let open = idle.descriptors.saturating_sub(before.descriptors);
    anyhow::ensure!(
        open >= plan.concurrency as u64,
        "only {open} of {} streams are still open",
        plan.concurrency
    );
    let sent = Instant::now();
    write(plan).await?;
    let Delivered { told, latencies, first_error } = deliver(&streams, sent).await;
    let elapsed = sent.elapsed();
    let after = Figures::read(plan).await?;
    let each =
        |figures: Figures| figures.bytes.saturating_sub(before.bytes) / plan.concurrency as u64;
    Ok(Report {
        workload: plan.workload,
        concurrency: plan.concurrency,
        elapsed,
        operations: told,
        unit: "deliveries",
        latencies,
        more: vec![
            ("bytes_per_stream", each(idle)),
            ("bytes_per_stream_after_delivery", each(after)),
            ("server_bytes_before", before.bytes),
            ("server_bytes_idle", idle.bytes),
            ("opened_in_ms", opened.as_millis() as u64),
        ],
        errors: plan.concurrency as u64 - told,
        first_error,
    })
}

async fn write(plan: &Plan) -> anyhow::Result<()> {
    let segments = ["v1", "collections", plan.collection.as_str(), "documents"];
    plan.client.post::<serde_json::Value>(&segments, &json!({"idle": true})).await?;
    Ok(())
}

/// Opens all streams; each comes with its head and first bytes read.
fn opening(plan: &Plan) -> impl Stream<Item = Result<TcpStream>> + '_ {
    let path = plan.path.clone().unwrap_or_else(|| {
        format!("/v1/events?from=latest&collections={}", encoded(&plan.collection))
    });
    let request = plan.target.head("GET", &path, None, "accept: text/event-stream\r\n");
    stream::iter(0..plan.concurrency)
        .map(move |_| open(plan, request.clone()))
        .buffer_unordered(OPENING)
}

async fn open(plan: &Plan, request: Vec<u8>) -> Result<TcpStream> {
    let mut stream = plan.target.connect().await?;
    tokio::io::AsyncWriteExt::write_all(&mut stream, &request).await?;
    let read = read_until(&stream, FIRST).await?;
    if status_of(&read)? != 200 {
        return Err(Error::other(String::from_utf8_lossy(&read).into_owned()));
    }
    Ok(stream)
}

/// To how many streams the document came, how long it took to each, and what went wrong first.
struct Delivered {
    told: u64,
    latencies: Histogram,
    first_error: Option<String>,
}

/// Waits until the document has come to every stream.
async fn deliver(streams: &[TcpStream], sent: Instant) -> Delivered {
    let deadline = tokio::time::Instant::now() + DELIVERY;
    let mut delivered = Delivered { told: 0, latencies: Histogram::new(), first_error: None };
    let waiting = streams.iter().map(|stream| async move {
        let read = tokio::time::timeout_at(deadline, read_until(stream, DELIVERED)).await;
        read.map_err(|_| ErrorKind::TimedOut.into()).and_then(|read| read).map(|_| sent.elapsed())
    });
    let mut waiting: stream::FuturesUnordered<_> = waiting.collect();
    while let Some(told) = waiting.next().await {
        match told {
            Ok(took) => {
                delivered.told += 1;
                delivered.latencies.record(took.as_micros() as u64);
            }
            Err(error) => {
                delivered.first_error.get_or_insert(error.to_string());
            }
        }
    }
    delivered
}

/// Reads until the bytes hold `wanted`, or say that they never will; takes no memory before there is something to read.
async fn read_until(stream: &TcpStream, wanted: &[u8]) -> Result<Vec<u8>> {
    let mut read = Vec::new();
    loop {
        stream.readable().await?;
        read.reserve(READ_BYTES);
        match stream.try_read_buf(&mut read) {
            Ok(0) => {
                return Err(Error::new(
                    ErrorKind::UnexpectedEof,
                    text_or(&read, "the stream ended"),
                ));
            }
            Ok(_) if memmem::find(&read, wanted).is_some() => return Ok(read),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// What was read, for a message, if it was anything.
fn text_or(read: &[u8], otherwise: &str) -> String {
    if read.is_empty() { otherwise.to_owned() } else { String::from_utf8_lossy(read).into_owned() }
}
