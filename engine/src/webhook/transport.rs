//! The way out: how one attempt reaches a receiver. The engine knows no client; the faces' crate gives one.
//!
//! Guarantees asked of an implementation: one attempt and no more; redirects are not followed; it ends within the
//! timeout, reading at most 64 KiB of the answer; addresses that are not allowed are refused before a connection is made,
//! at every attempt anew.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

/// A future in a box.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One attempt to make.
#[derive(Clone, Debug)]
pub struct DeliveryRequest {
    /// Where to.
    pub url: Arc<str>,
    /// Every header: the content type, the signature's three, the webhook's own.
    pub headers: Vec<(String, String)>,
    /// What to send.
    pub body: Bytes,
    /// For the whole attempt, connecting and reading the answer included.
    pub timeout: Duration,
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It did not come in time.
    Timeout,
    /// There was no connection.
    Unreachable,
    /// No address of the receiver may be reached.
    AddressRefused,
    /// The connection ended, or what came was no answer.
    Broken,
}

/// What became of an attempt.
#[derive(Clone, Debug, Default)]
pub struct DeliveryResult {
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// How long the receiver asks to be left alone.
    pub retry_after: Option<Duration>,
    /// Up to which position the receiver says that it has everything already (`Headwater-Commit`).
    pub commit: Option<u64>,
    /// Why there was no answer.
    pub failure: Option<Failure>,
    /// The same, in a few words.
    pub error: Option<String>,
    /// How long it took.
    pub duration: Duration,
}

impl DeliveryResult {
    /// Whether the receiver took it.
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether the receiver wants no more deliveries at all.
    pub fn is_gone(&self) -> bool {
        self.status == Some(410)
    }
}

/// Why a url cannot be a receiver's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vetted {
    /// It cannot be read.
    Malformed(String),
    /// It leads to no address that may be reached.
    Refused(String),
}

/// Makes attempts.
pub trait Transport: Send + Sync + 'static {
    /// Makes one attempt.
    fn deliver(&self, request: DeliveryRequest) -> BoxFuture<'_, DeliveryResult>;

    /// Says why a url that somebody wants to register leads to no address that may be reached; a name that does not
    /// resolve now may do so later. Ends soon, and makes no attempt.
    fn vet<'a>(&'a self, _url: &'a str) -> BoxFuture<'a, Result<(), Vetted>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
