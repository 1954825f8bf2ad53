//! Headwater's engine: one durable, hash-chained log, and everything that follows it.
//!
//! What it is: the document model, the log, the sequencer that writes it, the views that materialize it, the
//! subscriptions and webhook deliveries that read it.
//! What it is not: it knows no HTTP, no wire dialect and no hosted product; the `headwater-api` crate speaks those.

pub mod clock;
pub mod error;
pub mod fs;
pub mod limits;
pub mod tasks;

pub use error::{Detail, Error, ErrorKind, Result};

mod backup;
mod engine;
mod erasure;
mod event;
pub mod event_json;
pub mod explain;
pub mod fields;
pub mod index;
pub mod log;
pub mod offline;
pub mod query;
mod rebuild;
pub mod restrict;
mod retention;
pub mod subscribe;
pub mod value;
pub mod vault;
pub mod view;
pub mod webhook;
pub mod write;

pub use backup::{BackedUp, restore};
pub use engine::{Components, Engine, Settings};
pub use erasure::Erased;
pub use event::{Content, Event, EventDraft, EventKind, Origin, RequestKey, TouchedPath};
pub use rebuild::{Rebuilt, Verified};
pub use retention::Retention;
