//! Webhooks.
pub mod identity;
pub mod registration;
pub mod registry;
pub mod schedule;
pub mod signature;
pub mod transport;
pub mod store;
mod worker;
