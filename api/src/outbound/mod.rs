//! Requests that the server makes itself: deliveries to webhooks, keys of token issuers (promise S8).
//!
//! Guarantees: no redirects, no proxies of the environment, no connection to an address that the guard refuses, literals
//! included: a name's addresses are vetted when it is resolved for the very connection, so that it cannot change its mind.
//! Leaves to others: timeouts of whole requests, and how much of an answer is read.

pub(crate) mod guard;
pub(crate) mod resolver;

use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{ClientBuilder, Url};

use self::guard::{Guard, Refused};
use self::resolver::SharedResolver;

/// Time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client that reaches what the guard permits; literal addresses are for the caller to check
/// ([`Guard::check_literal`]).
pub(crate) fn client(guard: &Arc<Guard>, resolver: &SharedResolver) -> ClientBuilder {
    let names = VettedNames { guard: Arc::clone(guard), resolver: Arc::clone(resolver) };
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .dns_resolver(names)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .user_agent(concat!("headwater/", env!("CARGO_PKG_VERSION")))
}

/// Says why a url leads nowhere that may be reached, as far as can be told within `time`: a name that does not resolve
/// now may do so later, and is vetted then. Nothing is connected to.
pub(crate) async fn vet(
    guard: &Guard,
    resolver: &SharedResolver,
    url: &Url,
    time: Duration,
) -> Result<(), Refused> {
    let host = url.host_str().unwrap_or_default();
    guard.check_literal(host)?;
    if url.domain().is_none() {
        return Ok(());
    }
    match tokio::time::timeout(time, resolver.lookup(host)).await {
        Ok(Ok(found)) if !found.is_empty() => guard.vet(host, found).map(drop),
        _ => Ok(()),
    }
}

/// The last cause, which names what happened; the url is left out.
pub(crate) fn describe(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        if cause.downcast_ref::<Refused>().is_some() {
            break;
        }
        cause = next;
    }
    let kind = if error.is_connect() { "connection failed" } else { "request failed" };
    format!("{kind}: {cause}")
}

/// Whether a request was not made because no address of its receiver may be reached.
pub(crate) fn is_refused(error: &reqwest::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(this) = cause {
        if this.downcast_ref::<Refused>().is_some() {
            return true;
        }
        cause = this.source();
    }
    false
}

/// Resolves names to addresses that may be reached.
struct VettedNames {
    guard: Arc<Guard>,
    resolver: SharedResolver,
}

impl Resolve for VettedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.guard);
        let found = self.resolver.lookup(name.as_str());
        Box::pin(async move {
            let vetted = guard.vet(name.as_str(), found.await?)?;
            Ok(Box::new(vetted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
#[path = "../../../engine/tests/fuzz/mutate.rs"]
#[allow(unreachable_pub, reason = "shared with the engine's tests")]
pub(crate) mod mutate;
#[cfg(test)]
#[path = "../../../engine/tests/support/seed.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with the engine's tests, which use other parts"
)]
pub(crate) mod seed;
#[cfg(test)]
#[allow(unreachable_pub, reason = "shared with the engine's tests and the fuzz targets")]
mod tests;
