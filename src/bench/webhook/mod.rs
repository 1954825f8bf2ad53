//! The workload `webhook`: receivers in this process, webhooks to them, writers; every document must come.
//!
//! Guarantees: what was acknowledged and never came is an error; what came twice is not (at least once is the promise).
//! The webhooks are taken away at the end, also after an error.
//! Leaves to others: allowing the server to reach this machine (`webhooks.allow_networks`).
//!
//! A latency counts from before the first byte of the write is sent, so that it holds the commit, its answer and the
//! delivery. Where nobody writes meanwhile (`replay`, `backlog`), it counts from the moment that deliveries may begin.

mod backlog;
mod conversation;
mod creates;
mod dead;
mod deliveries;
mod ledger;
mod receiver;
mod registered;
mod replay;

use super::{Plan, Report};

/// Documents in a request where no rate is given.
const ARRAY: usize = 100;
/// Documents in a request that is written before the measurement.
const ARRAY_BEFORE: usize = 500;

/// What the workload measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Deliveries of what is being written.
    Deliveries,
    /// The replay of what was written before the webhook was registered.
    Replay,
    /// What waits for a receiver that does not answer, and how fast it goes out afterwards.
    Backlog,
    /// Writes, beside receivers that are dead.
    Creates,
}

/// Options of this workload alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WebhookPlan {
    /// What to measure.
    pub(crate) scenario: Scenario,
    /// Receivers that work, each with a webhook of its own.
    pub(crate) receivers: usize,
    /// Receivers that do not, each with a webhook of its own; 0 is no comparison.
    pub(crate) dead: usize,
    /// How many times it is measured without the dead receivers and beside them.
    pub(crate) rounds: usize,
}

/// Runs the workload.
pub(crate) async fn run(plan: &Plan) -> anyhow::Result<Report> {
    match plan.webhook.scenario {
        Scenario::Deliveries => deliveries::run(plan).await,
        Scenario::Replay => replay::run(plan).await,
        Scenario::Backlog => backlog::run(plan).await,
        Scenario::Creates => creates::run(plan).await,
    }
}

/// `part` in percent of `whole`, rounded.
fn percent(part: f64, whole: f64) -> u64 {
    (100.0 * part / whole.max(f64::MIN_POSITIVE)).round() as u64
}
