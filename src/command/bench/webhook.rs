//! What `bench webhook` can be asked for, and what does not go together.

use anyhow::ensure;

use super::{BenchArgs, Workload};
use crate::bench::webhook::{Scenario, WebhookPlan};

/// Options of the workload `webhook` alone.
#[derive(Debug, clap::Args)]
pub(super) struct WebhookArgs {
    /// webhook: write the documents first (default 100,000), register the webhook after them, measure their replay
    #[arg(long, conflicts_with_all = ["backlog", "creates", "receivers", "dead", "rate"])]
    replay: bool,
    /// webhook: write the documents (default 1,000,000) while the receiver does not answer; measure the server's memory and how
    /// fast they go out afterwards
    #[arg(long, conflicts_with_all = ["creates", "receivers", "dead", "rate"])]
    backlog: bool,
    /// webhook: measure single documents written, without webhooks and beside --dead ones in turns
    #[arg(long, requires = "dead", conflicts_with_all = ["receivers", "rate"])]
    creates: bool,
    /// webhook: receivers that work, each with a webhook of its own [default: 1]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    receivers: Option<u16>,
    /// webhook: measure in turns, without and beside webhooks whose receivers are dead: a third never answer, a third answer
    /// 500, a third refuse connections
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    dead: Option<u16>,
    /// webhook with --dead: how many times each is measured, --seconds at a time [default: 1]
    #[arg(long, requires = "dead", value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: Option<u16>,
}

impl WebhookArgs {
    /// The options as the workload knows them.
    pub(super) fn plan(&self) -> WebhookPlan {
        WebhookPlan {
            scenario: self.scenario(),
            receivers: self.receivers.unwrap_or(1).into(),
            dead: self.dead.unwrap_or(0).into(),
            rounds: self.rounds.unwrap_or(1).into(),
        }
    }

    fn scenario(&self) -> Scenario {
        match self {
            Self { replay: true, .. } => Scenario::Replay,
            Self { backlog: true, .. } => Scenario::Backlog,
            Self { creates: true, .. } => Scenario::Creates,
            _ => Scenario::Deliveries,
        }
    }

    /// The first option that was given.
    fn given(&self) -> Option<&'static str> {
        let options = [
            (self.replay, "--replay"),
            (self.backlog, "--backlog"),
            (self.creates, "--creates"),
            (self.receivers.is_some(), "--receivers"),
            (self.dead.is_some(), "--dead"),
            (self.rounds.is_some(), "--rounds"),
        ];
        options.into_iter().find_map(|(given, name)| given.then_some(name))
    }

    /// Documents, where none are named.
    pub(super) fn default_documents(&self) -> u32 {
        if self.backlog { 1_000_000 } else { 100_000 }
    }

    /// Writes a second, where none are named: few enough that latencies tell something beside dead receivers.
    pub(super) fn default_rate(&self) -> u64 {
        if self.dead.is_some() { 100 } else { 0 }
    }
}

/// Refuses what does not go together, by name.
pub(super) fn check(args: &BenchArgs) -> anyhow::Result<()> {
    if args.workload != Workload::Webhook {
        let given = args.webhook.given();
        ensure!(given.is_none(), "{} is for the workload webhook alone", given.unwrap_or_default());
        return Ok(());
    }
    let whole = matches!(args.webhook.scenario(), Scenario::Replay | Scenario::Backlog);
    ensure!(
        args.documents.is_none() || whole,
        "--documents goes with --replay or --backlog; webhook writes for --seconds otherwise"
    );
    ensure!(args.documents != Some(0), "--documents is 0; there is nothing to deliver");
    ensure!(args.filter.is_none(), "--filter is not for the workload webhook");
    ensure!(!args.own_filters, "--own-filters is not for the workload webhook");
    ensure!(args.path.is_none(), "--path is not for the workload webhook");
    Ok(())
}
