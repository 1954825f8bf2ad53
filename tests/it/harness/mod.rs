//! What every test stands on: a server, its client, its command line, a receiver of webhooks.
//!
//! Guarantees: what a test starts is gone when the test ends; nothing waits for ever; nothing sleeps instead of looking.

mod browser;
mod client;
mod command;
mod packages;
mod program;
mod receiver;
mod server;
mod socket;
mod stream;
pub(crate) mod wire;

use std::future::Future;
use std::time::{Duration, Instant};

pub(crate) use browser::{Browser, Page};
pub(crate) use client::{Answer, Client};
pub(crate) use command::{Ended, headwater};
pub(crate) use packages::Packages;
pub(crate) use program::Program;
pub(crate) use receiver::{Received, Receiver, Reply};
pub(crate) use server::{ROOT, Server, ended, signal, text};
pub(crate) use socket::Socket;
pub(crate) use stream::{Frame, Stream};

/// Longest wait for anything; generous, since the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again and again until there is an answer; fails after [`PATIENCE`].
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
