//! Custom events: published to be logged, or to pass through a channel; and who is present there.

use std::sync::Arc;

use axum::extract::{Path, State};
use headwater_engine::Error;
use headwater_engine::value::{Object, Raw, Value, date};
use http::StatusCode;

use super::documents::mark_repeated;
use super::list;
use crate::auth::{Acl, Action};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Parameters, Submission, invalid};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::Session;
use crate::state::App;
use crate::stream::{NAME_BYTES_MAX, Passing, What};

/// The routes of custom events and channels.
pub(super) fn routes() -> Routes {
    const READ: Needs = Needs::Somewhere(Action::Subscribe, &[Acl::Stream]);
    const PUBLISH: Needs = Needs::Somewhere(Action::Publish, &[Acl::Index]);
    Routes::new().add("post", "/v1/events", PUBLISH, publish).add(
        "get",
        "/v1/channels/{name}",
        READ,
        members,
    )
}

async fn publish(
    State(app): State<App>,
    session: Session,
    Submission { payload, key }: Submission,
) -> ApiResult {
    let body = payload.document(session.engine()).await?;
    let (body, is_ephemeral) = custom_event(Raw::trusted(&body))?;
    if is_ephemeral {
        return pass(&app, &session, body);
    }
    let committed = session.publish(body, key).await?;
    let answer = serde_json::json!({"position": committed.position});
    let response = reply::value(StatusCode::CREATED, committed.position, &answer);
    Ok(mark_repeated(response, &committed))
}

/// Hands an event that is not logged to those who listen to its channel now.
fn pass(app: &App, session: &Session, body: Vec<u8>) -> ApiResult {
    let channel = Raw::trusted(&body).get("channel").and_then(Raw::as_str).map(str::to_owned);
    let channel = channel.ok_or_else(|| {
        invalid("channel", "given for an ephemeral event: nobody else would hear it")
    })?;
    session.check_channel(Some(&channel), Action::Publish)?;
    let limit = app.engine.limits().ephemeral_bytes;
    if body.len() as u64 > limit {
        let message = format!("an ephemeral event is larger than limits.ephemeral_bytes ({limit})");
        return Err(Error::limit("limits.ephemeral_bytes", limit, message).into());
    }
    let what = What::Event(body.into(), Arc::clone(&session.principal().id));
    app.channels.pass(Passing { time_ms: app.engine.clock().now_ms(), channel, what });
    let answer = serde_json::json!({"position": null});
    Ok(reply::value(StatusCode::CREATED, app.engine.position(), &answer))
}

/// Checks a custom event and puts its members in order; whether it is ephemeral.
fn custom_event(body: Raw<'_>) -> ApiResult<(Vec<u8>, bool)> {
    let (mut name, mut data, mut channel, mut is_ephemeral) = (None, Value::Null, None, false);
    for (member, value) in body.object_iter() {
        match member {
            "event" => name = Some(short_text("event", value)?),
            "data" => data = value.to_value(),
            "channel" if value.is_null() => {}
            "channel" => channel = Some(short_text("channel", value)?),
            "ephemeral" if value.is_null() => {}
            "ephemeral" => {
                let given = value.as_bool();
                is_ephemeral = given.ok_or_else(|| invalid("ephemeral", "true or false"))?;
            }
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
    Ok((event.to_bytes(), is_ephemeral))
}

fn short_text(name: &'static str, value: Raw<'_>) -> ApiResult<String> {
    match value.as_str() {
        Some(text) if (1..=NAME_BYTES_MAX).contains(&text.len()) => Ok(text.to_owned()),
        _ => Err(invalid(name, "a text of 1 to 255 bytes")),
    }
}

/// Who is present on a channel.
async fn members(
    State(app): State<App>,
    session: Session,
    Path(name): Path<String>,
    parameters: Parameters,
) -> ApiResult {
    session.check_channel(Some(&name), Action::Subscribe)?;
    let (after, limit) = (parameters.get("cursor"), parameters.limit()?);
    let (page, more) = app.channels.members(&name, after, limit);
    let next = page.last().filter(|_| more).map(|last| last.who.clone());
    let entries = page.iter().map(|one| {
        let since = date::format_ms(i64::try_from(one.since_ms).unwrap_or(i64::MAX));
        serde_json::json!({"who": one.who, "since": since})
    });
    Ok(list::page("members", (entries.collect(), next, app.engine.position())))
}
