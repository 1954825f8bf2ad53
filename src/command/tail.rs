//! `headwater tail`: events as JSON Lines, up to now or for ever.
//!
//! Guarantees: with `--follow`, a broken connection is taken up again after the last event printed, so that none is
//! missed or doubled; a refusal or a closed credential ends the command with its reason.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use reqwest::{Method, Response, header};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::{Client, Failure, ServerArgs};
use crate::sse::{Frame, Parser};

/// Events asked for at once.
const PAGE: &str = "1000";
/// Pause before a reconnect where the server names none.
const RETRY: Duration = Duration::from_secs(1);
/// Silence after which a stream counts as broken; the server's heartbeats come every 15 s.
const SILENCE: Duration = Duration::from_secs(60);

/// Arguments of `tail`.
#[derive(Debug, clap::Args)]
pub(crate) struct TailArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Events after this position, `earliest`, `latest` or a time [default: earliest; latest with --follow]
    #[arg(long, value_name = "P")]
    from: Option<String>,
    /// Only events of these collections
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    collections: Vec<String>,
    /// Go on with events as they happen
    #[arg(long, short)]
    follow: bool,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    next: u64,
    last: u64,
}

/// Runs the command.
pub(crate) async fn run(args: TailArgs) -> anyhow::Result<()> {
    let client = Client::new(&args.server)?;
    let collections = args.collections.join(",");
    if args.follow {
        follow(&client, args.from.as_deref().unwrap_or("latest"), &collections).await
    } else {
        pages(&client, args.from.as_deref().unwrap_or("earliest"), &collections).await
    }
}

async fn pages(client: &Client, from: &str, collections: &str) -> anyhow::Result<()> {
    let mut from = from.to_owned();
    let mut end = None;
    loop {
        let mut query = vec![("from", from.as_str()), ("limit", PAGE)];
        if !collections.is_empty() {
            query.push(("collections", collections));
        }
        let request = client.request(Method::GET, &["v1", "events"], &query);
        let body = client.body(request).await?;
        let page: Page<'_> =
            serde_json::from_slice(&body).context("the server's page of events can't be read")?;
        let mut out = std::io::stdout().lock();
        for event in &page.events {
            writeln!(out, "{}", event.get())?;
        }
        // What is written while this runs is for the next run, or this one would chase a busy log for ever.
        let end = *end.get_or_insert(page.last);
        if page.next >= end || from == page.next.to_string() {
            return Ok(());
        }
        from = page.next.to_string();
    }
}

/// Where a stream is, so that it can be taken up again.
struct Place {
    from: String,
    last_id: Option<String>,
    epoch: Option<String>,
    pause: Duration,
}

async fn follow(client: &Client, from: &str, collections: &str) -> anyhow::Result<()> {
    let mut place = Place { from: from.to_owned(), last_id: None, epoch: None, pause: RETRY };
    loop {
        let broken = match connect(client, &place, collections).await {
            Ok(response) => read(response, &mut place).await?,
            Err(failure) if failure.is_passing() => failure.to_string(),
            Err(failure) => return Err(failure.into()),
        };
        eprintln!("{broken}; again in {} ms", place.pause.as_millis());
        tokio::time::sleep(place.pause).await;
    }
}

async fn connect(client: &Client, place: &Place, collections: &str) -> Result<Response, Failure> {
    let mut query = vec![("from", place.from.as_str())];
    if !collections.is_empty() {
        query.push(("collections", collections));
    }
    if let Some(epoch) = &place.epoch {
        query.push(("epoch", epoch));
    }
    let mut request = client
        .request(Method::GET, &["v1", "events"], &query)
        .header(header::ACCEPT, "text/event-stream");
    if let Some(id) = &place.last_id {
        request = request.header("last-event-id", id);
    }
    client.send(request).await
}

/// Prints events until the connection breaks, and says how it broke.
async fn read(mut response: Response, place: &mut Place) -> anyhow::Result<String> {
    remember_start(&response, place);
    let mut parser = Parser::default();
    let mut frames = Vec::new();
    loop {
        let chunk = match tokio::time::timeout(SILENCE, response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => return Ok("the server ended the stream".to_owned()),
            Ok(Err(error)) => return Ok(format!("the stream broke: {error}")),
            Err(_) => return Ok(format!("the stream was silent for {} s", SILENCE.as_secs())),
        };
        parser.feed(&chunk, &mut frames)?;
        place.pause = parser.retry_ms().map_or(RETRY, Duration::from_millis);
        print(&mut frames, place)?;
    }
}

/// Keeps the epoch, and turns `latest` into the position that the stream began at.
fn remember_start(response: &Response, place: &mut Place) {
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(epoch) = text("headwater-epoch") {
        place.epoch = Some(epoch.to_owned());
    }
    if place.from == "latest"
        && let Some(position) = text("headwater-position")
    {
        place.from = position.to_owned();
    }
}

fn print(frames: &mut Vec<Frame>, place: &mut Place) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for frame in frames.drain(..) {
        anyhow::ensure!(frame.event != "closed", "the server closed the stream: {}", frame.data);
        writeln!(out, "{}", frame.data)?;
        if !frame.id.is_empty() {
            place.last_id = Some(frame.id);
        }
    }
    out.flush()?;
    Ok(())
}
