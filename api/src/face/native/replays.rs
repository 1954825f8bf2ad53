//! Replays: `/v1/webhooks/{id}/replay` for those who manage the webhook, `/v1/admin/replay` for all of them.

use axum::extract::{Path, State};
use axum::response::Response;
use headwater_engine::Error;
use headwater_engine::value::Raw;
use headwater_engine::webhook::{Listed, ReplayAnswer, ReplayRequest, ReplayView};
use http::StatusCode;
use serde_json::{Value, json};

use super::list;
use super::webhooks::time;
use crate::audit::target;
use crate::auth::{Acl, Action};
use crate::error::ApiResult;
use crate::extract::{Parameters, Payload};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{Session, to_json};
use crate::state::App;

/// The routes of replays.
pub(super) fn routes() -> Routes {
    const ALL: &str = "/v1/admin/replay";
    const ANY: &str = "/v1/admin/replay/{id}";
    const OF_ONE: &str = "/v1/webhooks/{id}/replay";
    const ONE: &str = "/v1/webhooks/{id}/replay/{replay}";
    const SETTINGS: Needs = Needs::Somewhere(Action::Settings, &[Acl::Settings]);
    Routes::new()
        .add("post", OF_ONE, SETTINGS, begin_of)
        .add("get", OF_ONE, SETTINGS, all_of)
        .add("get", ONE, SETTINGS, status_of)
        .add("delete", ONE, SETTINGS, cancel_of)
        .add("post", ALL, Needs::FullAccess, begin)
        .add("get", ALL, Needs::FullAccess, all)
        .add("get", ANY, Needs::FullAccess, status)
        .add("delete", ANY, Needs::FullAccess, cancel)
}

async fn begin_of(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    payload: Payload,
) -> ApiResult {
    session.webhook(&app.webhooks, &id)?;
    begin_replay(&app, &session, payload, Some(&id)).await
}

async fn begin(State(app): State<App>, session: Session, payload: Payload) -> ApiResult {
    session.full_access()?;
    begin_replay(&app, &session, payload, None).await
}

async fn begin_replay(
    app: &App,
    session: &Session,
    payload: Payload,
    webhook: Option<&str>,
) -> ApiResult {
    let given = payload.document(&app.engine).await?;
    let request = ReplayRequest::parse(Raw::trusted(&given), webhook)?;
    if let Some(source) = &request.source {
        session.webhook(&app.webhooks, source)?;
    }
    let lists = request.list_max > 0;
    let answer: ReplayAnswer = app.webhooks.replay(request).await?;
    let position = app.engine.position();
    Ok(match answer.id {
        Some(id) => {
            app.audit.note(session.audit_entry("replay.started", target("replay", &id)));
            let body = json!({"replay": id, "matched": answer.matched});
            reply::value(StatusCode::ACCEPTED, position, &body)
        }
        None => {
            let mut body = json!({
                "matched": answer.matched, "first": answer.first, "last": answer.last,
            });
            if lists {
                body["events"] = answer.listed.iter().map(listed).collect();
            }
            reply::value(StatusCode::OK, position, &body)
        }
    })
}

async fn all_of(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    parameters: Parameters,
) -> ApiResult {
    session.webhook(&app.webhooks, &id)?;
    list_of(&app, Some(&id), &parameters).await
}

async fn all(State(app): State<App>, session: Session, parameters: Parameters) -> ApiResult {
    session.full_access()?;
    list_of(&app, None, &parameters).await
}

/// A page of replays, the latest first.
async fn list_of(app: &App, webhook: Option<&str>, parameters: &Parameters) -> ApiResult {
    let (limit, before) = (parameters.limit()?, parameters.number("cursor")?);
    let replays = app.webhooks.replays(webhook).await?;
    let earlier = |view: &&ReplayView| {
        before.is_none_or(|before| view.id.parse::<u64>().is_ok_and(|id| id < before))
    };
    let mut page: Vec<&ReplayView> = replays.iter().filter(earlier).take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|last| last.id.clone());
    let entries = page.into_iter().map(shown).collect();
    Ok(list::page("replays", (entries, next, app.engine.position())))
}

async fn status_of(
    State(app): State<App>,
    session: Session,
    Path((id, replay)): Path<(String, String)>,
) -> ApiResult {
    session.webhook(&app.webhooks, &id)?;
    let view = of_webhook(&app, &id, &replay).await?;
    Ok(answer(&app, &view))
}

async fn status(State(app): State<App>, session: Session, Path(id): Path<String>) -> ApiResult {
    session.full_access()?;
    let view = app.webhooks.replay_status(&id).await?;
    Ok(answer(&app, &view))
}

async fn cancel_of(
    State(app): State<App>,
    session: Session,
    Path((id, replay)): Path<(String, String)>,
) -> ApiResult {
    session.webhook(&app.webhooks, &id)?;
    of_webhook(&app, &id, &replay).await?;
    end(&app, &session, &replay).await
}

async fn cancel(State(app): State<App>, session: Session, Path(id): Path<String>) -> ApiResult {
    session.full_access()?;
    end(&app, &session, &id).await
}

async fn end(app: &App, session: &Session, replay: &str) -> ApiResult {
    let before = app.webhooks.replay_status(replay).await?;
    let view = app.webhooks.cancel_replay(replay).await?;
    if before.status == "running" && view.status == "cancelled" {
        app.audit.note(session.audit_entry("replay.cancelled", target("replay", replay)));
    }
    Ok(answer(app, &view))
}

/// A replay, if it goes to that webhook.
async fn of_webhook(app: &App, webhook: &str, replay: &str) -> Result<ReplayView, Error> {
    let view = app.webhooks.replay_status(replay).await?;
    if *view.webhook == *webhook {
        return Ok(view);
    }
    Err(Error::not_found("replay_not_found", format!("there is no replay `{replay}`")))
}

fn answer(app: &App, view: &ReplayView) -> Response {
    reply::value(StatusCode::OK, app.engine.position(), &shown(view))
}

fn shown(view: &ReplayView) -> Value {
    json!({
        "id": view.id,
        "webhook": *view.webhook,
        "status": view.status,
        "matched": view.matched,
        "sent": view.sent,
        "succeeded": view.succeeded,
        "failed": view.failed,
        "cursor": view.cursor,
        "to": view.to,
        "started": time(view.started_ms),
    })
}

fn listed(event: &Listed) -> Value {
    json!({
        "position": event.position,
        "time": time(event.time_ms),
        "kind": event.kind.as_str(),
        "collection": event.collection,
        "id": event.id.as_ref().map(|id| to_json(Raw::trusted(id))),
    })
}
