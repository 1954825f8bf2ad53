//! `headwater bench`: measures a running server and prints rate and p50/p90/p99/max.

mod webhook;

use std::time::Duration;

use clap::ValueEnum;

use self::webhook::WebhookArgs;
use crate::bench::{self, Plan, Target, catchup, fanout, idle, live, requests};
use crate::client::{Client, ServerArgs};

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// What to measure
    #[arg(value_enum)]
    workload: Workload,
    /// Connections with a request under way each; subscribers for fanout, streams for idle
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    concurrency: u32,
    /// How long, seconds; the most that catchup takes; how long idle leaves the streams alone; not for webhook --replay and
    /// --backlog
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// The collection to work in
    #[arg(long, default_value = "bench")]
    collection: String,
    /// Documents that read and live (default 10,000) and query (default 100,000) choose from; what is missing is written first.
    /// Of webhook: see --replay and --backlog
    #[arg(long)]
    documents: Option<u32>,
    /// Filter of query (default '{"group":{n}}'), where {n} becomes a group's number
    #[arg(long)]
    filter: Option<String>,
    /// Writes a second in fanout (0: as fast as it goes; default 500) and webhook (default 0, with --dead 100)
    #[arg(long)]
    rate: Option<u64>,
    /// Give each subscriber of fanout a filter of its own
    #[arg(long)]
    own_filters: bool,
    #[command(flatten)]
    webhook: WebhookArgs,
    /// A path instead of the native face's, to measure something else
    #[arg(long, hide = true)]
    path: Option<String>,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// Single documents written.
    Create,
    /// Arrays of 500 documents written.
    Bulk,
    /// Documents read by id.
    Read,
    /// Lists of 20 documents that an index finds.
    Query,
    /// Deliveries to many subscribers.
    Fanout,
    /// One subscriber that reads the whole log.
    Catchup,
    /// Memory of streams with nothing to say.
    Idle,
    /// Live queries, each read to the end of its snapshot.
    Live,
    /// Deliveries to a webhook's receiver in this process.
    Webhook,
}

impl Workload {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Bulk => "bulk",
            Self::Read => "read",
            Self::Query => "query",
            Self::Fanout => "fanout",
            Self::Catchup => "catchup",
            Self::Idle => "idle",
            Self::Live => "live",
            Self::Webhook => "webhook",
        }
    }

    fn default_documents(self, webhook: &WebhookArgs) -> u32 {
        match self {
            Self::Query => 100_000,
            Self::Webhook => webhook.default_documents(),
            _ => 10_000,
        }
    }

    fn default_rate(self, webhook: &WebhookArgs) -> u64 {
        match self {
            Self::Fanout => 500,
            Self::Webhook => webhook.default_rate(),
            _ => 0,
        }
    }
}

/// Runs the command.
pub(crate) async fn run(args: BenchArgs) -> anyhow::Result<()> {
    webhook::check(&args)?;
    let workload = args.workload;
    let plan = Plan {
        target: Target::new(&args.server)?,
        client: Client::new(&args.server)?,
        workload: workload.name(),
        concurrency: args.concurrency as usize,
        duration: Duration::from_secs(args.seconds),
        collection: args.collection,
        path: args.path,
        documents: args.documents.unwrap_or_else(|| workload.default_documents(&args.webhook))
            as usize,
        filter: args.filter,
        rate: args.rate.unwrap_or_else(|| workload.default_rate(&args.webhook)),
        own_filters: args.own_filters,
        webhook: args.webhook.plan(),
    };
    let report = match workload {
        Workload::Create => requests::create(&plan).await,
        Workload::Bulk => requests::bulk(&plan).await,
        Workload::Read => requests::read(&plan).await?,
        Workload::Query => requests::query(&plan).await?,
        Workload::Fanout => fanout::run(&plan).await?,
        Workload::Catchup => catchup::run(&plan).await?,
        Workload::Idle => idle::run(&plan).await?,
        Workload::Live => live::run(&plan).await?,
        Workload::Webhook => bench::webhook::run(&plan).await?,
    };
    report.print(args.json)
}
