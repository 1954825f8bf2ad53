//! How webhook deliveries travel: the engine's transport over HTTP.
//!
//! Guarantees: one request and no more, redirects and the environment's proxies ignored; at most 64 KiB of the answer are
//! read, and none of it is shown to anybody; no connection to an address that the guard refuses ([`crate::outbound`]).
//! Leaves to others: what is sent, and what follows from the answer (the engine).

use std::sync::Arc;
use std::time::Duration;

use headwater_engine::Error;
use headwater_engine::clock::SharedClock;
use headwater_engine::value::date;
use headwater_engine::webhook::{
    BoxFuture, DeliveryRequest, DeliveryResult, Failure, Transport, Vetted,
};
use ipnet::IpNet;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, Url};

use crate::outbound::guard::{Guard, Refused};
use crate::outbound::resolver::{self, SharedResolver};
use crate::outbound::{self, describe, is_refused};

/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Time to read an answer's body, so that its connection can be used again.
const BODY_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a connection is kept without use: shorter than the 5 s of the servers that keep them least, so that an attempt
/// does not meet a connection that is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// Connections kept without use, per receiver.
const IDLE_MAX: usize = 64;

/// Time for a name to resolve when its url is registered.
const VET_TIMEOUT: Duration = Duration::from_secs(2);

/// Where a receiver says up to which position it has everything already.
const COMMIT: HeaderName = HeaderName::from_static("headwater-commit");

/// Why there was no answer, and in a few words.
type Failed = (Failure, String);

/// Delivers over HTTP.
pub struct WebhookTransport {
    client: Client,
    guard: Arc<Guard>,
    resolver: SharedResolver,
    clock: SharedClock,
}

impl WebhookTransport {
    /// A transport that reaches public addresses, and those in `allowed` (`webhooks.allow_networks`).
    pub fn new(allowed: Vec<IpNet>, clock: SharedClock) -> Result<Self, Error> {
        Self::with_resolver(allowed, clock, resolver::system())
    }

    fn with_resolver(
        allowed: Vec<IpNet>,
        clock: SharedClock,
        resolver: SharedResolver,
    ) -> Result<Self, Error> {
        let guard = Arc::new(Guard::new(allowed));
        let client = outbound::client(&guard, &resolver)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_MAX)
            .build()
            .map_err(|error| Error::internal(format!("make the webhooks' client: {error}")))?;
        Ok(Self { client, guard, resolver, clock })
    }

    async fn attempt(&self, request: DeliveryRequest) -> DeliveryResult {
        let began = self.clock.monotonic();
        let timeout = request.timeout;
        let sent = tokio::time::timeout(timeout, self.send(request)).await;
        let duration = self.clock.monotonic().saturating_sub(began);
        let mut result = DeliveryResult { duration, ..DeliveryResult::default() };
        match sent {
            Ok(Ok(response)) => {
                result.status = Some(response.status().as_u16());
                result.retry_after = self.retry_after(&response);
                result.commit = commit(&response);
                let left = timeout.saturating_sub(duration).min(BODY_TIMEOUT);
                // The status decides; what the body says, and whether it ends, does not.
                drop(tokio::time::timeout(left, read_body(response)).await);
            }
            Ok(Err((failure, why))) => {
                (result.failure, result.error) = (Some(failure), Some(why));
            }
            Err(_) => {
                result.failure = Some(Failure::Timeout);
                result.error = Some(format!("no answer within {} ms", timeout.as_millis()));
            }
        }
        result
    }

    async fn send(&self, request: DeliveryRequest) -> Result<Response, Failed> {
        let broken = |why: String| (Failure::Broken, why);
        let url = parse(&request.url).map_err(broken)?;
        let refused = |why: Refused| (Failure::AddressRefused, why.into());
        self.guard.check_literal(url.host_str().unwrap_or_default()).map_err(refused)?;
        let mut headers = HeaderMap::with_capacity(request.headers.len());
        for (name, value) in &request.headers {
            let name = HeaderName::try_from(name.as_str());
            let value = HeaderValue::try_from(value.as_str());
            headers.append(
                name.map_err(|error| broken(error.to_string()))?,
                value.map_err(|error| broken(error.to_string()))?,
            );
        }
        let sent = self.client.post(url).headers(headers).body(request.body).send();
        sent.await.map_err(|error| (failure(&error), describe(&error)))
    }

    fn retry_after(&self, response: &Response) -> Option<Duration> {
        let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
        parse_retry_after(text, self.clock.now_ms())
    }
}

impl Transport for WebhookTransport {
    fn deliver(&self, request: DeliveryRequest) -> BoxFuture<'_, DeliveryResult> {
        Box::pin(self.attempt(request))
    }

    fn vet<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<(), Vetted>> {
        Box::pin(async move {
            let url = parse(url).map_err(Vetted::Malformed)?;
            let vetted = outbound::vet(&self.guard, &self.resolver, &url, VET_TIMEOUT).await;
            vetted.map_err(|refused| Vetted::Refused(refused.into()))
        })
    }
}

fn parse(url: &str) -> Result<Url, String> {
    Url::parse(url).map_err(|error| format!("the url is invalid: {error}"))
}

fn failure(error: &reqwest::Error) -> Failure {
    match error.is_connect() {
        _ if is_refused(error) => Failure::AddressRefused,
        true => Failure::Unreachable,
        false => Failure::Broken,
    }
}

/// A position in decimal; anything else says nothing.
fn commit(response: &Response) -> Option<u64> {
    response.headers().get(COMMIT)?.to_str().ok()?.trim().parse().ok()
}

async fn read_body(mut response: Response) {
    let mut left = ANSWER_BYTES_MAX;
    while let Ok(Some(chunk)) = response.chunk().await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// Seconds, or a date in the preferred form.
fn parse_retry_after(text: &str, now_ms: u64) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number past all counting is a very long time.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    // `Sun, 06 Nov 1994 08:49:37 GMT`
    let (_, rest) = text.split_once(", ")?;
    let parts: Vec<&str> = rest.split(' ').collect();
    let [day, month, year, time, "GMT"] = parts[..] else { return None };
    let months =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|name| *name == month)? + 1;
    let at = date::parse_ms(&format!("{year}-{month:02}-{day}T{time}Z"))?;
    let at = u64::try_from(at).ok()?;
    Some(Duration::from_millis(at.saturating_sub(now_ms)))
}

#[cfg(test)]
mod tests;
