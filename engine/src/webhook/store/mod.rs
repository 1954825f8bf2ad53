//! What webhooks have outstanding, on disk: `DATA/deliveries/`.
//!
//! # On disk
//! One file, `{sequence:020}.journal`: a header, then records, each one commit (`journal`). The first records of a file
//! restate everything (a snapshot); later ones change it. Past a size the journal starts over: the next file is written
//! under a temporary name, synced, renamed, and the old one removed. Positions only, no bodies.
//!
//! # What it guarantees
//! - A commit is one synced record: cursors, outstanding deliveries, attempts, dead letters and replays change together.
//! - *Prefix safety*: every prefix of the journal is a state from which each event is still delivered at least once, with
//!   the same ids, because a cursor passes an event in the very record that names it as outstanding, or after it was
//!   delivered. So a bad record with no sound one behind it is a torn tail and is cut off. A bad record followed by a
//!   sound one is damage: it is refused with file and offset, and nothing on disk is changed.
//! - *A store that is missing is noticed*: it is made when webhooks first start, which is before one can be registered. So
//!   registered webhooks without a store mean that it was lost; going on would send everything since registration again,
//!   or leave out what was outstanding. That is the operator's choice (`webhooks.missing_store`), and without one it is
//!   refused. A store of another log, or ahead of its log, is refused too.
//!
//! # What it leaves to others
//! When to commit, and what a state means (the dispatcher).

mod journal;
mod op;
mod state;
mod writer;

pub use op::Attempt;
pub(crate) use op::{Op, Outstanding, ReplayState, ReplayStatus, Selection};
pub(crate) use state::{SavedWebhook, State};
pub(crate) use writer::{StoreWriter, open};

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
