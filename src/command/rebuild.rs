//! `headwater rebuild`: on a running server, or on a stopped directory.

use std::path::PathBuf;

use crate::client::{Client, ServerArgs};
use crate::{job, offline};

/// Arguments of `rebuild`.
#[derive(Debug, clap::Args)]
pub(crate) struct RebuildArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// A stopped data directory, instead of a server
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn run(args: RebuildArgs) -> anyhow::Result<()> {
    let result = match &args.data {
        Some(directory) => offline::rebuild(directory)?,
        None => job::run(&Client::new(&args.server)?, "rebuild").await?.result,
    };
    job::print("rebuild", &result, args.json)?;
    job::ensure_ok("rebuild", &result)
}
