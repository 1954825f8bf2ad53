//! One attempt: the event as the webhook's owner sees it, the signature, the transport.
//!
//! Guarantees: what is sent is what the owner may see and the registration asks for as they stand at the attempt.

use std::sync::Arc;
use std::time::Duration;

use super::feed;
use super::identity;
use super::registration::Registration;
use super::sight::{Sight, see_again};
use super::signature;
use super::transport::{DeliveryRequest, Transport};
use super::worker::{Ending, Job, Payload};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::restrict::Seen;

/// What attempts are made with.
pub(super) struct Means<'a> {
    pub(super) engine: &'a Engine,
    pub(super) transport: &'a dyn Transport,
    pub(super) sight: &'a Arc<dyn Sight>,
}

/// Makes the attempt of a job, unless the webhook's owner may not see the event any more.
pub(super) async fn run(
    means: &Means<'_>,
    registration: &Arc<Registration>,
    job: Job,
    timeout: Duration,
) -> Ending {
    let Means { engine, transport, sight } = *means;
    let same = job.standing.is_some() && sight.standing(&registration.owner) == job.standing;
    // Nor if its registration asks for another body by now.
    let usable = |made: &Arc<Payload>| same && made.is_of(registration);
    let payload = match job.payload.filter(usable) {
        Some(payload) => payload,
        None => match load(means, registration, job.position).await {
            Ok(Some(payload)) => Arc::new(payload),
            Ok(None) => return Ending::Hidden,
            Err(error) if error.kind() == ErrorKind::Gone => {
                return Ending::Lost(format!("the event is not kept any more: {error}"));
            }
            Err(error) => {
                return Ending::NotMade(format!("the event could not be read: {error}"));
            }
        },
    };
    let id = identity::message_id(&registration.id, &payload.digest);
    let request = request(registration, &id, &payload, engine.clock().now_ms(), timeout);
    Ending::Made(transport.deliver(request).await)
}

/// The signed request.
pub(super) fn request(
    registration: &Registration,
    id: &str,
    payload: &Payload,
    now_ms: u64,
    timeout: Duration,
) -> DeliveryRequest {
    let timestamp = (now_ms / 1000).to_string();
    let signature = signature::sign(
        registration.secrets(now_ms),
        registration.keys(now_ms),
        id,
        &timestamp,
        &payload.body,
    );
    let mut headers = Vec::with_capacity(4 + registration.headers.len());
    headers.push(("content-type".to_owned(), "application/json".to_owned()));
    headers.push(("webhook-id".to_owned(), id.to_owned()));
    headers.push(("webhook-timestamp".to_owned(), timestamp));
    headers.push(("webhook-signature".to_owned(), signature));
    headers
        .extend(registration.headers.iter().map(|(name, text)| (name.to_owned(), text.to_owned())));
    DeliveryRequest {
        url: Arc::clone(&registration.url),
        headers,
        body: payload.body.clone(),
        timeout: registration.timeout_ms.map_or(timeout, Duration::from_millis),
    }
}

/// Reads an event, as the webhook's owner sees it now; `None` where nothing of it is seen.
async fn load(
    means: &Means<'_>,
    registration: &Arc<Registration>,
    position: u64,
) -> Result<Option<Payload>> {
    let log = means.engine.log().clone();
    let (sight, registration) = (Arc::clone(means.sight), Arc::clone(registration));
    let read = means.engine.tasks().blocking(move || {
        let block = log.get(position)?;
        let record = block.get(position).ok_or_else(|| {
            Error::internal(format!("the log gave no record for position {position}"))
        })?;
        let event = Event::decode(&record)?;
        Ok(match see_again(&*sight, &registration, &event) {
            Seen::Nothing => None,
            seen => Some(feed::payload(&event, &seen, &registration)),
        })
    });
    read.await.ok_or_else(|| Error::internal("reading the log panicked"))?
}
