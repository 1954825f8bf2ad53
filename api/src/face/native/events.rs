//! Events: `/v1/events`, a page or a stream.

use axum::extract::State;
use headwater_engine::Engine;
use headwater_engine::subscribe::Start;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::following;
use crate::auth::{Acl, Action};
use crate::error::ApiResult;
use crate::extract::{Format, Parameters, invalid};
use crate::reply::{self, write_number, write_text};
use crate::router::{Needs, Routes};
use crate::session::{At, Session, blocking};
use crate::state::App;
use crate::stream::{
    EPOCH, EventPage, EventTopic, EventsAsked, PageQuery, epoch_text, page, position_of, start_of,
};

/// Parameters of a stream of events, besides those of every stream. A stream has no end: `to` and `limit` are of pages.
const OF_EVENTS: [&str; 9] = [
    "collections",
    "kinds",
    "filter",
    "projection",
    "channel",
    "presence",
    "collapse",
    "to",
    "limit",
];

/// The routes of events.
pub(super) fn routes() -> Routes {
    const READ: Needs = Needs::Somewhere(Action::Subscribe, &[Acl::Stream]);
    Routes::new().add("get", "/v1/events", READ, read)
}

async fn read(
    State(app): State<App>,
    session: Session,
    parameters: Parameters,
    format: Format,
    headers: HeaderMap,
) -> ApiResult {
    let topic = asked(&session, &parameters)?.topic(&session, format)?;
    if following::wants_stream(&headers) {
        following::check_names(&parameters, &OF_EVENTS)?;
        return following::stream(app, &session, &parameters, &headers, topic).await;
    }
    events_page(&app.engine, &session, &parameters, topic).await
}

/// What the parameters ask for.
fn asked(session: &Session, parameters: &Parameters) -> ApiResult<EventsAsked> {
    let limits = session.engine().limits();
    let owned = |name| parameters.get(name).map(str::to_owned);
    Ok(EventsAsked {
        collections: parameters.list("collections").map(str::to_owned).collect(),
        kinds: parameters.list("kinds").map(str::to_owned).collect(),
        channel: owned("channel"),
        filter: parameters.json("filter", limits)?,
        projection: parameters.json("projection", limits)?,
        collapse: owned("collapse"),
        presence: owned("presence"),
    })
}

async fn events_page(
    engine: &Engine,
    session: &Session,
    parameters: &Parameters,
    topic: EventTopic,
) -> ApiResult {
    for name in ["presence", "collapse"] {
        if parameters.get(name).is_some() {
            return Err(invalid(name, "given on a stream alone"));
        }
    }
    let EventTopic { filter, projection, format, .. } = topic;
    let epoch = engine.epoch();
    let first = engine.log().first_position();
    let start = start_of(&following::wanted(parameters), epoch, first, Start::Earliest)?;
    let newest = engine.position();
    let last = end(engine, parameters.get("to"), newest).await?;
    let limit = parameters.limit()?;
    let from = position_of(engine, start).await?;
    let sight = session.sight();
    let query = PageQuery { from, to: last, limit, filter, projection, sight, format };
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
