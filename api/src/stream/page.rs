//! A page of events as JSON.

use std::time::Duration;

use headwater_engine::restrict::Seen;
use headwater_engine::subscribe::{BodyProjection, EventFilter, Start};
use headwater_engine::{Engine, Error, ErrorKind, Event, Result};

use crate::extract::Format;
use crate::session::Sight;

/// Events looked through for one page at most; the next page goes on from there.
const SCAN_EVENTS_MAX: u64 = 200_000;
/// Nobody else on the thread waits longer than this for events to be looked at.
const TURN: Duration = Duration::from_millis(5);
/// Bytes of JSON in one page at most, one event aside.
const PAGE_BYTES_MAX: usize = 16 << 20;

/// Which events a page is of.
pub(crate) struct PageQuery {
    /// The position before the first event.
    pub(crate) from: u64,
    /// The last position to look at.
    pub(crate) to: u64,
    /// Most events to give.
    pub(crate) limit: usize,
    /// What was asked for.
    pub(crate) filter: EventFilter,
    /// What is shown of documents.
    pub(crate) projection: Option<BodyProjection>,
    /// What may be seen.
    pub(crate) sight: Sight,
    /// The dialect of documents.
    pub(crate) format: Format,
}

/// A page of events.
pub(crate) struct EventPage {
    /// The events, a JSON array.
    pub(crate) events: Vec<u8>,
    /// Where the next page begins.
    pub(crate) next: u64,
}

/// Reads a page.
pub(crate) async fn page(engine: &Engine, query: PageQuery) -> Result<EventPage> {
    let mut subscription = engine.subscribe(Start::After(query.from.min(engine.position())))?;
    let mut events = vec![b'['];
    let mut count = 0;
    let mut next = query.from;
    let end = query.to.min(query.from.saturating_add(SCAN_EVENTS_MAX));
    // A filter may take long on each event: what is found until then is a page, too.
    let clock = engine.clock();
    let deadline_ms = engine.limits().query_deadline_ms;
    let late = clock.monotonic() + Duration::from_millis(deadline_ms);
    let mut turn = clock.monotonic() + TURN;
    while next < end && clock.monotonic() < late {
        let Some(batch) = subscription.try_next().await? else { break };
        for record in batch.records() {
            if record.position() > end || count == query.limit || events.len() > PAGE_BYTES_MAX {
                events.push(b']');
                return Ok(EventPage { events, next });
            }
            let event = Event::decode(&record)?;
            let seen = query.sight.sees(&event, &query.filter);
            if query.filter.body.as_ref().is_some_and(|filter| filter.overruns() > 0) {
                let message = "the filter takes too many steps on a document";
                let error = Error::new(ErrorKind::LimitExceeded, "filter_too_slow", message);
                return Err(error.with("position", event.position));
            }
            if seen != Seen::Nothing {
                if count > 0 {
                    events.push(b',');
                }
                let projection = query.projection.as_ref();
                query.format.write_event(&event, &seen, projection, &mut events);
                count += 1;
            }
            next = event.position;
            if clock.monotonic() > turn {
                if clock.monotonic() > late {
                    break;
                }
                tokio::task::yield_now().await;
                turn = clock.monotonic() + TURN;
            }
        }
        tokio::task::consume_budget().await;
    }
    events.push(b']');
    Ok(EventPage { events, next })
}
