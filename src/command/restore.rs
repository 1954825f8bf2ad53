//! `headwater restore`: makes an empty directory a data directory from a backup.

use std::path::PathBuf;

use crate::{job, offline};

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    /// The directory to fill; it must be empty or missing
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The backup
    #[arg(long, value_name = "PATH")]
    input: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &RestoreArgs) -> anyhow::Result<()> {
    let result = offline::restore(&args.data, &args.input)?;
    job::print("restore", &result, args.json)
}
