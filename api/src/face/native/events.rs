//! Events: `/v1/events`, a page, a stream, or a custom event published.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use headwater_engine::subscribe::{BodyFilter, EventFilter, Start};
use headwater_engine::value::{Object, Raw, Value};
use headwater_engine::{Engine, EventKind};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::documents::mark_repeated;
use crate::auth::{Acl, Action};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Format, Parameters, Submission, invalid};
use crate::reply::{self, write_number, write_text};
use crate::router::{Needs, Routes};
use crate::server::Peer;
use crate::session::{At, Session, blocking, ids_read};
use crate::state::App;
use crate::stream::{
    EventPage, EventStream, Follower, PageQuery, StreamQuery, Wanted, epoch_text, page,
    position_of, start_of,
};

const EPOCH: HeaderName = HeaderName::from_static("headwater-epoch");
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const NAME_BYTES_MAX: usize = 255;

/// The routes of events.
pub(super) fn routes() -> Routes {
    const READ: Needs = Needs::Somewhere(Action::Subscribe, &[Acl::Stream]);
    const PUBLISH: Needs = Needs::Somewhere(Action::Publish, &[Acl::Index]);
    Routes::new().add("get", "/v1/events", READ, read).add("post", "/v1/events", PUBLISH, publish)
}

async fn read(
    State(app): State<App>,
    session: Session,
    parameters: Parameters,
    format: Format,
    headers: HeaderMap,
    extensions: Extensions,
) -> ApiResult {
    let filter = filter(&session, &parameters)?;
    let streaming = headers.get_all(ACCEPT).iter().any(|value| {
        let text = value.to_str().unwrap_or_default();
        text.split(',').any(|kind| kind.trim_start().starts_with("text/event-stream"))
    });
    if streaming {
        let wanted = Wanted { last_id: last_id(&headers, &parameters)?, ..wanted(&parameters) };
        let remote = extensions.get::<Peer>().map(|peer| peer.0);
        return stream(app, &session, wanted, filter, format, remote).await;
    }
    events_page(&app.engine, &session, &parameters, filter, format).await
}

/// What a request asks for; every collection named must be allowed.
fn filter(session: &Session, parameters: &Parameters) -> ApiResult<EventFilter> {
    if parameters.get("presence").is_some() {
        return Err(ApiError::unsupported("presence"));
    }
    let collections: BTreeSet<String> = parameters.list("collections").map(str::to_owned).collect();
    for collection in &collections {
        session.check(collection, Action::Subscribe)?;
        session.check_there(collection)?;
    }
    let channels: BTreeSet<String> =
        parameters.get("channel").into_iter().map(str::to_owned).collect();
    for channel in &channels {
        session.check_channel(Some(channel), Action::Subscribe)?;
    }
    let mut kinds = BTreeSet::new();
    for name in parameters.list("kinds") {
        let kind = EventKind::parse(name).ok_or_else(|| {
            let message = format!("there is no kind of event `{name}`");
            ApiError::bad_request("unknown_kind", message).with("kind", name)
        })?;
        kinds.insert(kind);
    }
    let system = session.grant().is_full();
    let body = body_filter(session, parameters)?;
    Ok(EventFilter { collections, kinds, channels, body, system })
}

/// The filter over documents and the content of custom events.
fn body_filter(session: &Session, parameters: &Parameters) -> ApiResult<Option<BodyFilter>> {
    let limits = session.engine().limits();
    let Some(filter) = parameters.json("filter", limits)? else { return Ok(None) };
    let filter = ids_read(Raw::trusted(&filter), Format::Plain);
    Ok(BodyFilter::parse(Raw::trusted(&filter), limits)?)
}

fn wanted(parameters: &Parameters) -> Wanted {
    let owned = |name| parameters.get(name).map(str::to_owned);
    Wanted { last_id: None, from: owned("from"), epoch: owned("epoch") }
}

fn last_id(headers: &HeaderMap, parameters: &Parameters) -> ApiResult<Option<String>> {
    let header = match headers.get("last-event-id") {
        Some(value) => value.to_str().map_err(|_| invalid("Last-Event-ID", "a position"))?.trim(),
        None => "",
    };
    let given = if header.is_empty() { parameters.get("last_event_id") } else { Some(header) };
    Ok(given.map(str::to_owned))
}

async fn stream(
    app: App,
    session: &Session,
    wanted: Wanted,
    filter: EventFilter,
    format: Format,
    remote: Option<std::net::SocketAddr>,
) -> ApiResult {
    let engine = &app.engine;
    let epoch = engine.epoch();
    let start = start_of(&wanted, epoch, engine.log().first_position(), Start::Latest)?;
    let from = position_of(engine, start).await?;
    let follower = Follower {
        actor: session.principal().id.clone(),
        from,
        cursor: AtomicU64::new(from),
        collections: filter.collections.iter().cloned().collect(),
        remote,
        since_ms: engine.clock().now_ms(),
    };
    let most = engine.limits().connections_per_key;
    let registration = app.streams.register(follower, most).ok_or_else(|| {
        let message =
            format!("the credential has limits.connections_per_key ({most}) streams open");
        ApiError::too_many(message, 5).with("limit", "limits.connections_per_key")
    })?;
    let epoch_text = epoch_text(epoch);
    let id_suffix = if epoch.start > 0 { format!("@{epoch_text}") } else { String::new() };
    let sight = session.sight();
    let query = StreamQuery { from, filter, sight, format, id_suffix, registration };
    let body = Body::from_stream(EventStream::new(app.clone(), query).into_chunks());
    Ok(stream_response(body, &epoch_text, from))
}

fn stream_response(body: Body, epoch: &str, from: u64) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(BUFFERING, HeaderValue::from_static("no"));
    headers.insert(reply::POSITION, HeaderValue::from(from));
    if let Ok(epoch) = HeaderValue::from_str(epoch) {
        headers.insert(EPOCH, epoch);
    }
    response
}

async fn events_page(
    engine: &Engine,
    session: &Session,
    parameters: &Parameters,
    filter: EventFilter,
    format: Format,
) -> ApiResult {
    let epoch = engine.epoch();
    let first = engine.log().first_position();
    let start = start_of(&wanted(parameters), epoch, first, Start::Earliest)?;
    let newest = engine.position();
    let last = end(engine, parameters.get("to"), newest).await?;
    let limit = parameters.limit()?;
    let from = position_of(engine, start).await?;
    let sight = session.sight();
    let query = PageQuery { from, to: last, limit, filter, sight, format };
    let EventPage { events, next } = page(engine, query).await?;
    let mut out = Vec::with_capacity(events.len() + 96);
    out.extend_from_slice(b"{\"events\":");
    out.extend_from_slice(&events);
    out.extend_from_slice(b",\"next\":");
    write_number(next, &mut out);
    out.extend_from_slice(b",\"last\":");
    write_number(last.max(from), &mut out);
    out.extend_from_slice(b",\"epoch\":");
    let epoch = epoch_text(epoch);
    write_text(&epoch, &mut out);
    out.push(b'}');
    let mut response = reply::json(StatusCode::OK, newest, out);
    if let Ok(epoch) = HeaderValue::from_str(&epoch) {
        response.headers_mut().insert(EPOCH, epoch);
    }
    Ok(response)
}

/// The last position of a range: `to`, where it is not past the newest.
async fn end(engine: &Engine, to: Option<&str>, newest: u64) -> ApiResult<u64> {
    match At::parse(to.filter(|to| *to != "latest"))
        .map_err(|_| invalid("to", "a position or a time"))?
    {
        At::Now => Ok(newest),
        At::Position(position) => Ok(position.min(newest)),
        At::Time(time_ms) => {
            let held = engine.clone();
            let after = blocking(engine, move || held.log().position_at(time_ms.saturating_add(1)));
            Ok(after.await?.saturating_sub(1).min(newest))
        }
    }
}

async fn publish(session: Session, Submission { payload, key }: Submission) -> ApiResult {
    let body = payload.document(session.engine()).await?;
    let body = custom_event(Raw::trusted(&body))?;
    let committed = session.publish(body, key).await?;
    let answer = serde_json::json!({"position": committed.position});
    let response = reply::value(StatusCode::CREATED, committed.position, &answer);
    Ok(mark_repeated(response, &committed))
}

/// Checks a custom event and puts its members in order.
fn custom_event(body: Raw<'_>) -> ApiResult<Vec<u8>> {
    let (mut name, mut data, mut channel) = (None, Value::Null, None);
    for (member, value) in body.object_iter() {
        match member {
            "event" => name = Some(short_text("event", value)?),
            "data" => data = value.to_value(),
            "channel" if value.is_null() => {}
            "channel" => channel = Some(short_text("channel", value)?),
            "ephemeral" if value.as_bool() == Some(false) => {}
            "ephemeral" => return Err(ApiError::unsupported("ephemeral")),
            _ => {
                let message = format!("a custom event has no member `{member}`");
                return Err(ApiError::bad_request("unknown_member", message).with("member", member));
            }
        }
    }
    let mut event = Object::new();
    event.insert("event", name.ok_or_else(|| invalid("event", "given"))?);
    event.insert("data", data);
    if let Some(channel) = channel {
        event.insert("channel", channel);
    }
    Ok(event.to_bytes())
}

fn short_text(name: &'static str, value: Raw<'_>) -> ApiResult<String> {
    match value.as_str() {
        Some(text) if (1..=NAME_BYTES_MAX).contains(&text.len()) => Ok(text.to_owned()),
        _ => Err(invalid(name, "a text of 1 to 255 bytes")),
    }
}
