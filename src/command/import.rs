//! `headwater import`: a file's documents into a collection, as a stream of requests.
//!
//! Guarantees: a request that failed in passing (no connection, 429, 503) is sent again for up to 30 s under the same
//! idempotency key, so that it applies once; a run repeated within the server's memory of those keys does not write
//! twice, and says so. An error names the file, the document and how many were imported before it.

mod sender;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use headwater_engine::tasks::Tasks;
use indicatif::ProgressBar;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use sender::{Answer, Sender};

use crate::client::ServerArgs;
use crate::source::{self, Batch, Batches, Counted, Format, Stop};
use crate::{output, progress};

/// Requests under way at once.
const IN_FLIGHT: usize = 3;

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The collection to write to
    #[arg(long, short)]
    collection: String,
    /// The file's format; guessed from its name
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Take the array in this member of a JSON object
    #[arg(long, value_name = "MEMBER")]
    select: Option<String>,
    /// Use this member's value as `_id`; the member stays
    #[arg(long, value_name = "FIELD")]
    id_field: Option<String>,
    /// Write even what an earlier run of the same file has written within the last day
    #[arg(long)]
    again: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// The file, or - for stdin
    file: PathBuf,
}

/// What has been written so far.
#[derive(Default)]
struct Written {
    imported: u64,
    repeated: u64,
    position: u64,
}

/// Runs the command.
pub(crate) async fn run(args: ImportArgs) -> anyhow::Result<()> {
    let started = Instant::now();
    let format = match args.format.or_else(|| Format::of_name(&args.file)) {
        Some(format) => format,
        None => anyhow::bail!(
            "{}: the name does not say the format; add --format json, jsonl or csv",
            args.file.display()
        ),
    };
    anyhow::ensure!(
        args.select.is_none() || format == Format::Json,
        "--select chooses a member of a JSON object; this is another format"
    );
    let sender = Sender::new(&args).await?;
    let mut written = Written::default();
    let outcome = import(&sender, &args, format, &mut written).await;
    outcome.map_err(|error| {
        let (file, so_far) = (args.file.display(), written.imported);
        anyhow::anyhow!("{file}: {error:#} ({so_far} documents were imported)")
    })?;
    report(&args, &written, started.elapsed())
}

fn report(args: &ImportArgs, written: &Written, elapsed: Duration) -> anyhow::Result<()> {
    let Written { imported, repeated, position } = written;
    let seconds = elapsed.as_secs_f64();
    let rate = *imported as f64 / seconds.max(0.001);
    if *repeated > 0 {
        eprintln!(
            "{repeated} documents were written by an earlier run of the same import and not again; --again writes them"
        );
    }
    if args.json {
        output::line(json!({
            "collection": args.collection, "imported": imported, "repeated": repeated,
            "seconds": (seconds * 1000.0).round() / 1000.0, "rate_per_second": rate.round(),
            "position": position,
        }))?;
    } else {
        output::line(format_args!(
            "imported {imported} documents in {seconds:.1} s ({rate:.0}/s), last position {position}"
        ))?;
    }
    Ok(())
}

/// Reads and sends, both at once, until the file's end or the first fault.
async fn import(
    sender: &Sender,
    args: &ImportArgs,
    format: Format,
    written: &mut Written,
) -> anyhow::Result<()> {
    let bytes = Arc::new(AtomicU64::new(0));
    let (input, size) = open(&args.file)?;
    let bar = progress::bytes(args.collection.clone(), size);
    let reading = start_reading(args, format, Counted::new(input, Arc::clone(&bytes)))?;
    let (mut batches, fault) = reading;
    let mut in_flight = FuturesUnordered::new();
    let mut open = true;
    let mut refused = None;
    while open || !in_flight.is_empty() {
        tokio::select! {
            batch = batches.recv(), if open && in_flight.len() < IN_FLIGHT => match batch {
                Some(batch) => in_flight.push(sender.send(batch)),
                None => open = false,
            },
            Some(answer) = in_flight.next() => match answer {
                Ok(answer) => count(sender, &answer, written, &bytes, &bar),
                Err(error) => {
                    // What is under way is waited for, so that the count says what was written.
                    refused.get_or_insert(error);
                    open = false;
                    batches.close();
                }
            },
        }
    }
    bar.finish_and_clear();
    if let Some(error) = refused {
        return Err(error);
    }
    match fault.await {
        Ok(Err(Stop::Faulty(message))) => Err(anyhow::anyhow!(message)),
        Ok(_) => Ok(()),
        Err(_) => Err(anyhow::anyhow!("the reader ended unasked")),
    }
}

/// What an earlier run has written keeps its position, by which it is told from what is new.
fn count(
    sender: &Sender,
    answer: &Answer,
    written: &mut Written,
    bytes: &AtomicU64,
    bar: &ProgressBar,
) {
    let Answer { documents, position } = *answer;
    if sender.before.is_some_and(|before| position != 0 && position <= before) {
        written.repeated += documents;
    } else {
        written.imported += documents;
    }
    written.position = written.position.max(position);
    bar.set_position(bytes.load(Ordering::Relaxed));
}

type Reading = (mpsc::Receiver<Batch>, oneshot::Receiver<Result<(), Stop>>);

/// Reads on a thread of its own; the second receiver has how it ended.
fn start_reading(
    args: &ImportArgs,
    format: Format,
    input: impl Read + Send + 'static,
) -> anyhow::Result<Reading> {
    let (sender, batches) = mpsc::channel(2);
    let (ended, end) = oneshot::channel();
    let mut gather = Batches::new(sender, args.id_field.clone());
    let select = args.select.clone();
    let tasks = Tasks::new(tokio::runtime::Handle::current());
    tasks.spawn_thread("import-reader", move || {
        let outcome = source::read(input, format, select.as_deref(), &mut gather);
        drop(gather);
        // Nobody waits for the end any more when sending has failed.
        drop(ended.send(outcome));
    })?;
    Ok((batches, end))
}

fn open(path: &Path) -> anyhow::Result<(Box<dyn Read + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(std::io::stdin()), None));
    }
    let file = File::open(path).context("can't be opened")?;
    let metadata = file.metadata().context("can't be read")?;
    let size = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(file), size))
}
