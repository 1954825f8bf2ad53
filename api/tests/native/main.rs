//! The native face, driven without a socket, over an engine on real files.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod access;
mod credentials;
mod documents;
mod events;
mod limits;
mod people;
mod served;
mod support;
mod transactions;
mod webhooks;
