//! `headwater backup`: a consistent copy of the log in one file, from a running server or a stopped directory.

use std::io::Write;
use std::path::PathBuf;

use futures_util::StreamExt;
use reqwest::Method;

use crate::client::{Client, ServerArgs};
use crate::output::Output;
use crate::{job, offline, progress};

/// Arguments of `backup`.
#[derive(Debug, clap::Args)]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// A stopped data directory, instead of a server
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The file to write
    #[arg(long, value_name = "PATH")]
    output: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn run(args: BackupArgs) -> anyhow::Result<()> {
    let result = match &args.data {
        Some(directory) => offline::backup(directory, &args.output)?,
        None => {
            let client = Client::new(&args.server)?;
            let finished = job::run(&client, "backup").await?;
            download(&client, &finished.id, &args.output).await?;
            finished.result
        }
    };
    job::print("backup", &result, args.json)
}

/// Fetches the job's file; it appears under its name only when it is whole and synced.
async fn download(client: &Client, id: &str, path: &std::path::Path) -> anyhow::Result<()> {
    let segments = ["v1", "admin", "jobs", id, "download"];
    let response = client.send(client.request(Method::GET, &segments, &[])).await?;
    let total = response.content_length();
    let bar = progress::bytes("download", total);
    let mut output = Output::open(Some(path))?;
    let mut received = 0;
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| {
            anyhow::anyhow!("the download broke off after {received} bytes: {error}")
        })?;
        output.write_all(&chunk)?;
        received += chunk.len() as u64;
        bar.set_position(received);
    }
    if let Some(total) = total {
        anyhow::ensure!(received == total, "the download has {received} of {total} bytes");
    }
    output.finish()?;
    bar.finish_and_clear();
    Ok(())
}
