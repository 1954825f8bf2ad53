//! The load generator behind `headwater bench`: cheap enough to share the server's cores.
//!
//! Guarantees: one thread; requests are bytes made before the clock starts; a latency is from the first byte written to
//! the answer's last byte read, and nothing is left out. Leaves to others: starting the server.

pub(crate) mod catchup;
mod connection;
mod document;
pub(crate) mod fanout;
mod figures;
mod histogram;
pub(crate) mod idle;
pub(crate) mod live;
mod report;
pub(crate) mod requests;
mod stream;
pub(crate) mod webhook;
mod writer;

use std::time::Duration;

use self::webhook::WebhookPlan;
use crate::client::Client;

pub(crate) use connection::Target;
pub(crate) use report::Report;

/// What to measure, and on whom.
pub(crate) struct Plan {
    /// The server, for the load.
    pub(crate) target: Target,
    /// The server, for everything before and after.
    pub(crate) client: Client,
    /// The workload's name.
    pub(crate) workload: &'static str,
    /// Connections with a request under way each; subscribers for `fanout`, streams for `idle`.
    pub(crate) concurrency: usize,
    /// How long.
    pub(crate) duration: Duration,
    /// The collection to work in.
    pub(crate) collection: String,
    /// A path instead of the native face's, for the limits.
    pub(crate) path: Option<String>,
    /// How many documents `read` and `query` choose from, and `webhook` writes for a replay or a backlog.
    pub(crate) documents: usize,
    /// A filter of `query`, where `{n}` stands for a group's number.
    pub(crate) filter: Option<String>,
    /// Writes a second in `fanout` and `webhook`; 0 is as fast as it goes.
    pub(crate) rate: u64,
    /// Whether each subscriber of `fanout` has a filter of its own.
    pub(crate) own_filters: bool,
    /// Options of `webhook`.
    pub(crate) webhook: WebhookPlan,
}
