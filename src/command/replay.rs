//! `headwater replay`: sends a webhook's events again, and follows the replay to its end, or cancels one.
//!
//! An interrupted command leaves the replay under way: it is the server's.

use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::client::{Client, ServerArgs};
use crate::{job, output, progress};

/// How often a replay is asked about.
const POLL: Duration = Duration::from_millis(200);

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The webhook's id
    #[arg(long, value_name = "ID")]
    webhook: String,
    #[command(flatten)]
    chosen: Chosen,
    /// Most deliveries in a second
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    /// Do not keep to the order of each document's deliveries
    #[arg(long)]
    overtake: bool,
    /// Only count what would be sent, and list the first of it
    #[arg(long)]
    dry_run: bool,
    /// How many events a dry run lists, at most 1000
    #[arg(long, value_name = "N", default_value_t = 20)]
    list: u32,
    /// Begin, print the replay's id, and do not wait for its end
    #[arg(long)]
    detach: bool,
    /// Cancel a replay of the webhook
    #[arg(
        long,
        value_name = "REPLAY",
        conflicts_with_all = ["from", "to", "statuses", "deliveries", "dry_run", "detach", "list_all"]
    )]
    cancel: Option<String>,
    /// List the webhook's replays
    #[arg(
        long = "list-replays",
        conflicts_with_all = ["from", "to", "statuses", "deliveries", "dry_run", "detach"]
    )]
    list_all: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Which events to send.
#[derive(Debug, clap::Args)]
struct Chosen {
    /// Events after this position (0: all), or at and after this time
    #[arg(
        long,
        value_name = "P|TIME",
        required_unless_present_any = ["statuses", "deliveries", "cancel", "list_all"]
    )]
    from: Option<String>,
    /// Events up to and including this position or time
    #[arg(long, value_name = "P|TIME")]
    to: Option<String>,
    /// Only these collections, with commas between
    #[arg(long, value_name = "C,..", value_delimiter = ',')]
    collections: Vec<String>,
    /// Only events whose document, before or after, matches this filter
    #[arg(long, value_name = "JSON")]
    filter: Option<String>,
    /// Only deliveries that stand so: pending, failing, dead
    #[arg(long = "status", value_name = "STATUS,..", value_delimiter = ',')]
    statuses: Vec<String>,
    /// The webhook whose deliveries stand so, where it is another
    #[arg(long, value_name = "ID", requires = "statuses")]
    source: Option<String>,
    /// These deliveries, with commas between
    #[arg(
        long = "delivery",
        value_name = "ID,..",
        value_delimiter = ',',
        conflicts_with_all = ["from", "to", "statuses"]
    )]
    deliveries: Vec<String>,
}

impl Chosen {
    /// The members of a request that say so.
    fn into_members(self) -> anyhow::Result<Map<String, Value>> {
        let mut members = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                members.insert(name.to_owned(), value);
            }
        };
        let list = |list: Vec<String>| (!list.is_empty()).then(|| json!(list));
        set("from", self.from.as_deref().map(place));
        set("to", self.to.as_deref().map(place));
        set("collections", list(self.collections));
        set("statuses", list(self.statuses));
        set("source", self.source.map(Value::String));
        set("deliveries", list(self.deliveries));
        let filter = self.filter.as_deref().map(serde_json::from_str::<Value>).transpose();
        set("filter", filter.context("--filter is not JSON")?);
        Ok(members)
    }
}

#[derive(Deserialize)]
struct Progress {
    status: String,
    #[serde(default)]
    matched: u64,
    #[serde(default)]
    sent: u64,
    #[serde(default)]
    succeeded: u64,
    #[serde(default)]
    failed: u64,
}

/// Runs the command.
pub(crate) async fn run(args: ReplayArgs) -> anyhow::Result<()> {
    let client = Client::new(&args.server)?;
    let path = ["v1", "webhooks", &args.webhook, "replay"];
    if let Some(id) = &args.cancel {
        return cancel(&client, &[&path[..], &[id]].concat()).await;
    }
    if args.list_all {
        return list_all(&client, &path, args.json).await;
    }
    let mut wish = args.chosen.into_members()?;
    let members = [
        ("rate_per_second", args.rate.map(|rate| json!(rate))),
        ("overtake", args.overtake.then_some(Value::Bool(true))),
        ("dry_run", args.dry_run.then_some(Value::Bool(true))),
        ("limit", args.dry_run.then(|| json!(args.list))),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            wish.insert(name.to_owned(), value);
        }
    }
    let answer: Value = client.post(&path, &Value::Object(wish)).await?;
    if args.dry_run {
        return print_plan(&answer, args.json);
    }
    let id = job::id_text(&answer["replay"]);
    if args.detach {
        return print_started(&id, &answer, args.json);
    }
    let of_it = [&path[..], &[&id]].concat();
    let progress = follow(&client, &of_it, answer["matched"].as_u64()).await?;
    print_end(&id, &progress, args.json)
}

async fn cancel(client: &Client, path: &[&str]) -> anyhow::Result<()> {
    client.delete(path).await?;
    let replay: Value = client.get(path, &[]).await?;
    output::line(format_args!("replay {} is {}", text(&replay["id"]), text(&replay["status"])))?;
    Ok(())
}

async fn list_all(client: &Client, path: &[&str], json: bool) -> anyhow::Result<()> {
    let page: Value = client.get(path, &[]).await?;
    for replay in page["replays"].as_array().into_iter().flatten() {
        if json {
            output::line(replay)?;
            continue;
        }
        let (id, status, started) = (&replay["id"], &replay["status"], &replay["started"]);
        let (id, status, started) = (text(id), text(status), text(started));
        let (matched, succeeded) = (&replay["matched"], &replay["succeeded"]);
        let failed = &replay["failed"];
        output::line(format_args!(
            "{id}\t{started}\t{status}\t{matched} matched, {succeeded} succeeded, {failed} failed"
        ))?;
    }
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn print_started(id: &str, answer: &Value, json: bool) -> anyhow::Result<()> {
    match json {
        true => output::line(answer)?,
        false => output::line(id)?,
    }
    Ok(())
}

/// A position is a number, anything else a time for the server to read.
fn place(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| json!(text), |position| json!(position))
}

async fn follow(client: &Client, path: &[&str], matched: Option<u64>) -> anyhow::Result<Progress> {
    let bar = progress::count("replay", matched);
    loop {
        let progress: Progress = client.get(path, &[]).await?;
        bar.set_position(progress.succeeded + progress.failed);
        if progress.status != "running" {
            bar.finish_and_clear();
            return Ok(progress);
        }
        tokio::time::sleep(POLL).await;
    }
}

fn print_plan(answer: &Value, json: bool) -> anyhow::Result<()> {
    if json {
        output::line(answer)?;
        return Ok(());
    }
    let (matched, first, last) = (&answer["matched"], &answer["first"], &answer["last"]);
    output::line(format_args!("would send {matched} events, positions {first} to {last}"))?;
    for event in answer["events"].as_array().into_iter().flatten() {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let (position, id) = (&event["position"], &event["id"]);
        let (time, kind, collection) = (text("time"), text("kind"), text("collection"));
        output::line(format_args!("{position}\t{time}\t{kind}\t{collection}\t{id}"))?;
    }
    Ok(())
}

fn print_end(id: &str, progress: &Progress, json: bool) -> anyhow::Result<()> {
    let Progress { status, matched, sent, succeeded, failed } = progress;
    if json {
        output::line(json!({
            "replay": id, "status": status, "matched": matched, "sent": sent,
            "succeeded": succeeded, "failed": failed,
        }))?;
    } else {
        output::line(format_args!(
            "replay {id} {status}: {matched} matched, {sent} sent, {succeeded} succeeded, {failed} failed"
        ))?;
    }
    anyhow::ensure!(status == "done" && *failed == 0, "replay {id} is {status}, {failed} failed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_a_position_and_the_rest_a_time() {
        assert_eq!(place("42"), json!(42));
        assert_eq!(place("2026-01-02T03:04:05Z"), json!("2026-01-02T03:04:05Z"));
    }
}
