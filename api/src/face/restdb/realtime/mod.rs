//! `/realtime`: what happens to documents as server-sent events, and custom events.
//!
//! Guarantees: every event that the caller may hear, once, in order, from where its reader was cut; a place that is gone is
//! refused (410), never passed over in silence.
//! Leaves to others: the frames (`encoder`), following the log (`stream`), who hears what (the grant).

mod encoder;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use headwater_engine::EventKind;
use headwater_engine::subscribe::EventFilter;
use headwater_engine::value::{Object, Raw, Value, json};
use http::{HeaderMap, StatusCode};

use super::PREFIX;
use super::body::Sent;
use super::entry::REALTIME;
use crate::auth::{Acl, Action};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Format, Parameters, invalid};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{Hearing, Session, blocking};
use crate::state::App;
use crate::stream::{EventStream, EventTopic, Feed, NAME_BYTES_MAX, Wanted, Wire};
use encoder::Realtime;

/// Between two pings. Programs look for a new connection when they hear none for 20 seconds.
const PING: Duration = Duration::from_secs(5);
/// How far back one comes who may not read documents, milliseconds.
const PAST_MS: u64 = 15 * 60 * 1000;
/// What is told of. Everything else has no word here.
const KINDS: [EventKind; 5] = [
    EventKind::DocumentCreated,
    EventKind::DocumentUpdated,
    EventKind::DocumentDeleted,
    EventKind::DocumentErased,
    EventKind::EventPublished,
];

/// The routes of realtime.
pub(super) fn routes() -> Routes {
    Routes::new()
        .add("get", REALTIME, Needs::Realtime(Action::Subscribe, &[Acl::Stream]), follow)
        .add("post", REALTIME, Needs::Realtime(Action::Publish, &[Acl::Index]), publish)
}

async fn follow(
    State(app): State<App>,
    session: Session,
    parameters: Parameters,
    headers: HeaderMap,
) -> ApiResult {
    let wanted = Wanted { last_id: last_id(&headers, &parameters)?, ..Wanted::default() };
    if session.grant().hears_beyond_rights(PREFIX)
        && let Some(id) = &wanted.last_id
    {
        check_recent(&app, id).await?;
    }
    let encoder = Arc::new(Realtime::new(&app.engine, &app.access));
    let epoch = app.engine.epoch();
    let wire = Wire::encoded_by(encoder, epoch);
    let feed = Feed::open(&app, &session, topic(&parameters).into(), &wanted, wire).await?;
    Ok(EventStream::new(feed, app.options.heartbeat.min(PING)).into_response(epoch))
}

/// Refuses to begin in the past for one who hears documents by a list alone: a list tells what happens, not what has
/// happened long ago. Whoever was cut comes back in time.
async fn check_recent(app: &App, id: &str) -> ApiResult<()> {
    let position = id.split('@').next().unwrap_or_default().parse::<u64>();
    let Ok(position) = position else { return Ok(()) };
    let since_ms = app.engine.clock().now_ms().saturating_sub(PAST_MS);
    let engine = app.engine.clone();
    let first = blocking(&app.engine, move || engine.log().position_at(since_ms)).await?;
    if position.saturating_add(1) >= first {
        return Ok(());
    }
    let message = "this key may follow documents, not read them: events of more than 15 minutes ago are not told again";
    Err(ApiError::new(StatusCode::GONE, "position_gone", message))
}

/// Everything, or the documents of the collections that are named; one that is not there yet is silent.
fn topic(parameters: &Parameters) -> EventTopic {
    let one_by_one = parameters.all("collection").map(str::to_owned);
    let listed = parameters.list("collections").map(str::to_owned);
    let filter = EventFilter {
        collections: one_by_one.chain(listed).collect(),
        kinds: BTreeSet::from(KINDS),
        ..EventFilter::default()
    };
    EventTopic {
        filter,
        projection: None,
        collapse: false,
        presence: None,
        format: Format::Plain,
        hearing: Hearing::Realtime(PREFIX),
    }
}

/// The last event that the reader had: browsers send a header, the script for old ones a parameter, which may be empty.
fn last_id(headers: &HeaderMap, parameters: &Parameters) -> ApiResult<Option<String>> {
    let header = match headers.get("last-event-id") {
        Some(value) => value.to_str().map_err(|_| invalid("Last-Event-ID", "a position"))?.trim(),
        None => "",
    };
    let header = Some(header).filter(|header| !header.is_empty());
    let given = header.or(parameters.get("lastEventId")).or(parameters.get("last_event_id"));
    Ok(given.map(str::to_owned))
}

async fn publish(session: Session, sent: Sent) -> ApiResult {
    let body = sent.object(session.engine()).await?;
    let name = name_of(&body)?;
    let data = body.get("data").cloned().unwrap_or(Value::Null);
    let mut echo = Object::new();
    echo.insert("event", Value::String(name.to_owned()));
    echo.insert("data", data.clone());
    let committed = session.publish_realtime(name, data).await?;
    let mut out = Vec::new();
    json::write(Raw::trusted(&echo.to_bytes()), &mut out);
    Ok(reply::json(StatusCode::OK, committed.position, out))
}

fn name_of(body: &Object) -> ApiResult<&str> {
    match body.get("event").and_then(Value::as_str) {
        Some(name) if (1..=NAME_BYTES_MAX).contains(&name.len()) => Ok(name),
        _ => Err(ApiError::bad_request(
            "invalid_event",
            "the body must have `event`, a text of 1 to 255 bytes",
        )),
    }
}
