//! The real binary over HTTP and from its command line: does it do what the contract says?
//!
//! One file per resource. A test whose name begins with `r` and a number proves that promise, as far as it is named.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]
#![allow(clippy::disallowed_methods, reason = "what these tests start are plain threads and tasks")]

mod access;
mod access_commands;
mod administration;
mod audit;
mod bad_input;
mod bench_webhook;
mod browser;
mod channels;
mod clients;
mod collections;
mod command_line;
mod documents;
mod endurance;
mod events;
mod explain;
mod harness;
mod holes;
mod hostile;
mod indexes;
mod live;
mod live_model;
mod live_windows;
mod main_job;
mod matrix;
mod network;
mod people;
mod process;
mod providers;
mod queries;
mod raw_query;
mod realtime;
mod receivers;
mod receiving;
mod recipes;
mod replay;
mod restdb;
mod rights;
mod schemas;
mod signatures;
mod socket;
mod streams;
mod streams_rights;
mod taken_over;
mod transactions;
mod typed_fields;
mod unread;
mod webhook_proof;
mod webhooks;
mod writes_by_filter;
