//! Webhooks: every event that a receiver registered for, delivered at least once, in order per document.
//!
//! ```text
//! _webhooks --follow--> registry ---.
//! log --feed (shared pass, or a read of its own where one is behind)--> dispatcher --> worker per webhook (lanes)
//!                                        ^  |                              |
//!                        outcome --------'  '--> attempt --> transport     '--> store (DATA/deliveries/)
//! ```
//! Guarantees: each event that matches an active webhook, and that its owner sees, ends in a success or a visible dead
//! letter; the same `webhook-id` goes out at every attempt, restart and replay, and the same bytes as long as the owner
//! sees the same of the event and the registration projects it in the same way; of one document nothing is delivered while
//! an earlier delivery is not settled; a crash leads to repeated deliveries, never to missing ones. A webhook that fails
//! delays no other and nobody who writes.
//! Leaves to others: how a request travels and which addresses it may reach ([`Transport`]), who may register (the access
//! layer) and see what ([`Sight`]).
//!
//! The usual delivery is never written down: an event is read, attempted, and then the webhook's cursor moves on. What
//! fails, stands behind a failure, or takes long is saved as outstanding, by position alone.

mod attempt;
mod dispatcher;
mod explain;
mod feed;
mod format;
mod identity;
mod opening;
mod options;
pub mod registration;
pub mod registry;
pub mod replay;
mod sample;
mod schedule;
mod service;
mod sight;
mod signature;
mod signing_key;
mod status;
mod store;
mod transport;
mod worker;

pub use format::{Form, Format, Formats};
pub use options::{MissingStore, Options};
pub use registration::Registration;
pub use registry::Registry;
pub use replay::{Listed, ReplayAnswer, ReplayRequest, ReplayView};
pub use schedule::{RETRY_AFTER_MAX, Schedule};
pub use service::{Tested, WebhookService};
pub use sight::Sight;
pub use signature::{Secret, Versions, sign};
pub use signing_key::SigningKey;
pub use status::Status;
pub use store::Attempt;
pub use transport::{BoxFuture, DeliveryRequest, DeliveryResult, Failure, Transport, Vetted};
pub use worker::{BUCKETS_MS, DeliveryView, Figures, Latencies, Outcomes, Page};

#[cfg(test)]
mod tests;
