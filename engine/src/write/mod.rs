//! Writing: commands, and the one sequencer that turns them into events.
//!
//! Guarantees: a batch takes effect as a whole or not at all; a version check and the write it guards are one step; an
//! idempotency key makes a retry take effect once, also across restarts.
//! Leaves to others: parsing and permission (faces and the access layer), bytes on disk (the log).

mod answer;
mod command;
mod documents;
mod draft;
mod health;
mod indexes;
mod overlay;
mod queue;
mod repeat;
mod resolve;
mod seal;
mod sequencer;
mod unique_fields;

pub use command::{
    Absent, Change, Checks, Command, Committed, DocumentId, Effect, Guard, Operation, Outcome,
    RequestIdentity, Touch,
};
pub use health::{Health, WriteFigures};
pub use resolve::Strictness;

pub(crate) use answer::Answered;
pub(crate) use queue::{NotQueued, Queue, queue};
pub(crate) use repeat::repeat;
pub(crate) use seal::seal;
pub(crate) use sequencer::{Control, Parts, Request, Sequencer};
