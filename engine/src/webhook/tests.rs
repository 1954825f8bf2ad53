//! Webhooks on a real engine, with a receiver that a test owns.

mod delivery;
mod recovery;
mod replays;
mod sight;
mod support;
