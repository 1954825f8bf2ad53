//! placeholder
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    workload: String,
    #[arg(long)]
    concurrency: usize,
    #[arg(long)]
    seconds: u64,
    #[arg(long)]
    json: bool,
}
pub(crate) async fn run(_args: BenchArgs) -> anyhow::Result<()> {
    Ok(())
}
