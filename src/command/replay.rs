//! `headwater replay`: sends a webhook's events again, and follows the replay to its end.

use std::time::Duration;

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
    /// Events after this position (0: all), or at and after this time
    #[arg(long, value_name = "P|TIME")]
    from: String,
    /// Events up to and including this position or time
    #[arg(long, value_name = "P|TIME")]
    to: Option<String>,
    /// Only count what would be sent
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
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
    let mut wish = Map::new();
    wish.insert("webhook".to_owned(), json!(args.webhook));
    wish.insert("from".to_owned(), place(&args.from));
    if let Some(to) = &args.to {
        wish.insert("to".to_owned(), place(to));
    }
    if args.dry_run {
        wish.insert("dry_run".to_owned(), json!(true));
    }
    let answer: Value = client.post(&["v1", "admin", "replay"], &Value::Object(wish)).await?;
    if args.dry_run {
        return print_plan(&answer, args.json);
    }
    let id = job::id_text(&answer["replay"]);
    let progress = follow(&client, &id, answer["matched"].as_u64()).await?;
    print_end(&id, &progress, args.json)
}

/// A position is a number, anything else a time for the server to read.
fn place(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| json!(text), |position| json!(position))
}

async fn follow(client: &Client, id: &str, matched: Option<u64>) -> anyhow::Result<Progress> {
    let bar = progress::count("replay", matched);
    loop {
        let progress: Progress = client.get(&["v1", "admin", "replay", id], &[]).await?;
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
    } else {
        let (matched, first, last) = (&answer["matched"], &answer["first"], &answer["last"]);
        output::line(format_args!("would send {matched} events, positions {first} to {last}"))?;
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
