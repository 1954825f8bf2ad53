//! Views: everything materialized from the log. Documents, history, counters, remembered requests, the registry of
//! collections.
//!
//! Guarantees: the views always equal the fold of the log up to their position; readers see whole groups only; a view
//! that is lost, damaged or deleted comes back from the log.
//! Leaves to others: order and durability of events (the log), what a command means (the sequencer).

mod apply;
mod checkpoint;
mod collections;
mod compare;
mod fold;
mod generation;
mod indexer;
pub mod keys;
mod maintenance;
mod manifest;
mod row;
mod schema;
mod snapshot;
mod store;

pub use apply::{Applier, ApplierState, Counters, SystemFollower};
pub use collections::{Collection, Collections, NUMBER, VERSION_FLOOR};
pub use compare::{Comparison, compare};
pub use fold::{Progress, dump_base, fold};
pub use generation::{Generation, Views};
pub use keys::CollectionId;
pub use maintenance::{Maintenance, MaintenanceOptions};
pub use row::{Row, RowParts};
pub use schema::{CollectionSchema, SCHEMA};
pub use snapshot::{HistoryEntry, Page, Snapshot, Window, key_of_name};
pub use store::{Published, Store, StoreOptions, StoreSnapshot, Tree};

pub(crate) use checkpoint::replace as replace_file;
pub(crate) use fold::{base_position, erase_from_bases, finish_fold};
pub(crate) use indexer::{INDEXES, find_double};
pub(crate) use snapshot::decode_request;
