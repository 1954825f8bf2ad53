//! Answers that go on: subscriptions as server-sent events.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::error::ApiResult;
use crate::extract::{Parameters, invalid};
use crate::session::Session;
use crate::state::App;
use crate::stream::{EventStream, Feed, Topic, Wanted, Wire};

/// Whether a request asks for server-sent events.
pub(super) fn wants_stream(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().any(|value| {
        let text = value.to_str().unwrap_or_default();
        text.split(',').any(|kind| kind.trim_start().starts_with("text/event-stream"))
    })
}

/// Parameters of every stream; the last two are what clients of `EventSource` add by themselves.
const EVERY: [&str; 5] = ["from", "epoch", "last_event_id", "lastEventId", "_"];

/// Refuses parameters that are none of a stream's: a misspelt filter would show everything.
pub(super) fn check_names(parameters: &Parameters, own: &[&str]) -> ApiResult<()> {
    let known: Vec<&str> = EVERY.iter().chain(own).copied().collect();
    parameters.only(&known)
}

/// Where the parameters say that a page or stream begins.
pub(super) fn wanted(parameters: &Parameters) -> Wanted {
    let owned = |name| parameters.get(name).map(str::to_owned);
    Wanted { last_id: None, from: owned("from"), epoch: owned("epoch") }
}

/// Answers with a stream about a topic.
pub(super) async fn stream(
    app: App,
    session: &Session,
    parameters: &Parameters,
    headers: &HeaderMap,
    topic: impl Into<Topic>,
) -> ApiResult {
    let wanted = Wanted { last_id: last_id(headers, parameters)?, ..wanted(parameters) };
    let epoch = app.engine.epoch();
    let feed = Feed::open(&app, session, topic.into(), &wanted, Wire::events(epoch)).await?;
    Ok(EventStream::new(feed, app.options.heartbeat).into_response(epoch))
}

fn last_id(headers: &HeaderMap, parameters: &Parameters) -> ApiResult<Option<String>> {
    let header = match headers.get("last-event-id") {
        Some(value) => value.to_str().map_err(|_| invalid("Last-Event-ID", "a position"))?.trim(),
        None => "",
    };
    let given = if header.is_empty() { parameters.get("last_event_id") } else { Some(header) };
    Ok(given.map(str::to_owned))
}
