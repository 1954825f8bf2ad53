//! Webhooks: `/v1/webhooks` and their deliveries.

use axum::extract::{Path, State};
use axum::response::Response;
use headwater_engine::value::date;
use headwater_engine::webhook::{Attempt, DeliveryView, Figures, Status};
use http::StatusCode;
use serde_json::{Value, json};

use super::documents::mark_repeated;
use super::list;
use crate::audit::target;
use crate::auth::{Acl, Action};
use crate::error::ApiResult;
use crate::extract::{Parameters, Submission, invalid};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{Session, describe_webhook};
use crate::state::App;

/// The routes of webhooks.
pub(super) fn routes() -> Routes {
    const ALL: &str = "/v1/webhooks";
    const ONE: &str = "/v1/webhooks/{id}";
    const SETTINGS: Needs = Needs::Somewhere(Action::Settings, &[Acl::Settings]);
    Routes::new()
        .add("get", ALL, SETTINGS, all)
        .add("post", ALL, SETTINGS, register)
        .add("get", ONE, SETTINGS, get)
        .add("patch", ONE, SETTINGS, change)
        .add("delete", ONE, SETTINGS, remove)
        .add("get", "/v1/webhooks/{id}/deliveries", SETTINGS, deliveries)
        .add("delete", "/v1/webhooks/{id}/deliveries", SETTINGS, dismiss_all)
        .add("get", "/v1/webhooks/{id}/deliveries/{delivery}", SETTINGS, delivery_by_id)
        .add("delete", "/v1/webhooks/{id}/deliveries/{delivery}", SETTINGS, dismiss)
        .add("post", "/v1/webhooks/{id}/deliveries/{delivery}/retry", SETTINGS, retry)
        .add("post", "/v1/webhooks/{id}/test", SETTINGS, test)
        .add("post", "/v1/webhooks/{id}/rotate-secret", SETTINGS, rotate_secret)
}

async fn all(State(app): State<App>, session: Session, parameters: Parameters) -> ApiResult {
    let (page, next) =
        session.webhooks(&app.webhooks, parameters.get("cursor"), parameters.limit()?)?;
    let figures = app.webhooks.all_figures().await?;
    let entries = page
        .iter()
        .map(|registration| {
            let mut shown = describe_webhook(registration);
            if let Some(figures) = figures.get(&registration.id) {
                add_figures(&mut shown, figures);
            }
            shown
        })
        .collect();
    Ok(list::page("webhooks", (entries, next, app.engine.position())))
}

async fn register(
    State(app): State<App>,
    session: Session,
    Submission { payload, key }: Submission,
) -> ApiResult {
    let given = payload.document(&app.engine).await?;
    let registered = session.register(&app.webhooks, &given, key).await?;
    let position = registered.committed.position;
    let response = reply::value(StatusCode::CREATED, position, &registered.shown);
    Ok(mark_repeated(response, &registered.committed))
}

async fn get(State(app): State<App>, session: Session, Path(id): Path<String>) -> ApiResult {
    let registration = session.webhook(&app.webhooks, &id)?;
    let mut shown = describe_webhook(&registration);
    add_figures(&mut shown, &app.webhooks.figures(&id).await?);
    Ok(reply::value(StatusCode::OK, app.engine.position(), &shown))
}

async fn change(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    Submission { payload, key }: Submission,
) -> ApiResult {
    let given = payload.document(&app.engine).await?;
    let (shown, committed) = session.change_webhook(&app.webhooks, &id, &given, key).await?;
    let response = reply::value(StatusCode::OK, committed.position, &shown);
    Ok(mark_repeated(response, &committed))
}

async fn remove(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    Submission { key, .. }: Submission,
) -> ApiResult {
    let committed = session.remove_webhook(&app.webhooks, &id, key).await?;
    let body = json!({"deleted": 1, "position": committed.position});
    let response = reply::value(StatusCode::OK, committed.position, &body);
    Ok(mark_repeated(response, &committed))
}

fn add_figures(shown: &mut Value, figures: &Figures) {
    shown["state"] = json!(figures.state);
    shown["lag_events"] = json!(figures.lag_events);
    shown["lag_seconds"] = json!(figures.lag_seconds);
    shown["cursor"] = json!(figures.cursor);
    shown["outstanding"] = json!(figures.outstanding);
    shown["failing"] = json!(figures.failing);
    shown["parked"] = json!(figures.parked);
    shown["dead"] = json!(figures.dead);
    shown["attempts"] =
        json!({"succeeded": figures.outcomes.succeeded, "failed": figures.outcomes.failed});
    let outcomes: serde_json::Map<String, Value> = figures
        .outcomes
        .by_outcome()
        .map(|(name, count)| (name.to_owned(), json!(count)))
        .collect();
    shown["outcomes"] = Value::Object(outcomes);
    let latencies = &figures.latencies;
    shown["latency_ms"] = json!({"p50": latencies.p50_ms, "p99": latencies.p99_ms});
    shown["in_flight"] = json!(figures.in_flight);
    shown["stalled"] = json!(figures.stalled);
    shown["quiet_until"] = json!(figures.quiet_until_ms.map(time));
    shown["oldest_outstanding"] = json!(figures.oldest_ms.map(time));
}

async fn deliveries(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    parameters: Parameters,
) -> ApiResult {
    session.webhook(&app.webhooks, &id)?;
    let status = match parameters.get("status") {
        Some(name) => Some(
            Status::parse(name)
                .ok_or_else(|| invalid("status", "pending, succeeded, failing or dead"))?,
        ),
        None => None,
    };
    let before = parameters.number("cursor")?;
    let page = app.webhooks.deliveries(&id, status, parameters.limit()?, before).await?;
    let entries = page.deliveries.iter().map(delivery).collect();
    let next = page.next.map(|next| next.to_string());
    Ok(list::page("deliveries", (entries, next, app.engine.position())))
}

fn delivery(view: &DeliveryView) -> Value {
    let attempts: Vec<Value> = view.attempts.iter().map(attempt).collect();
    json!({
        "id": view.position.to_string(),
        "position": view.position,
        "status": view.status.as_str(),
        "attempts": attempts,
        "next_attempt": view.next_attempt_ms.map(time),
        "behind": view.behind,
    })
}

fn attempt(attempt: &Attempt) -> Value {
    json!({
        "time": time(attempt.time_ms),
        "status_code": attempt.status,
        "duration_ms": attempt.duration_ms,
        "error": attempt.error,
    })
}

async fn delivery_by_id(
    State(app): State<App>,
    session: Session,
    Path((id, wanted)): Path<(String, String)>,
) -> ApiResult {
    session.webhook(&app.webhooks, &id)?;
    let found = app.webhooks.delivery(&id, &wanted).await?;
    Ok(reply::value(StatusCode::OK, app.engine.position(), &delivery(&found)))
}

async fn retry(
    State(app): State<App>,
    session: Session,
    Path((id, delivery)): Path<(String, String)>,
) -> ApiResult {
    session.webhook(&app.webhooks, &id)?;
    app.webhooks.retry(&id, &delivery).await?;
    app.audit.note(session.audit_entry("webhook.delivery_retried", target("webhook", &id)));
    let body = json!({"id": delivery});
    Ok(reply::value(StatusCode::ACCEPTED, app.engine.position(), &body))
}

async fn test(State(app): State<App>, session: Session, Path(id): Path<String>) -> ApiResult {
    session.webhook(&app.webhooks, &id)?;
    let tested = app.webhooks.test(&id).await?;
    app.audit.note(session.audit_entry("webhook.tested", target("webhook", &id)));
    let body = json!({
        "status_code": tested.status_code,
        "duration_ms": tested.duration_ms,
        "error": tested.error,
    });
    Ok(reply::value(StatusCode::OK, app.engine.position(), &body))
}

async fn rotate_secret(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    Submission { key, .. }: Submission,
) -> ApiResult {
    let (rotated, committed) = session.rotate_webhook(&app.webhooks, &id, key).await?;
    let mut body = json!({});
    if !committed.repeated {
        app.audit.note(session.audit_entry("webhook.secret_rotated", target("webhook", &id)));
        body["secret"] = json!(rotated.secret.reveal());
    }
    if let Some(key) = &rotated.key {
        body["public_key"] = json!(key.public_key());
    }
    let response = reply::value(StatusCode::OK, committed.position, &body);
    Ok(mark_repeated(response, &committed))
}

async fn dismiss(
    State(app): State<App>,
    session: Session,
    Path((id, delivery)): Path<(String, String)>,
) -> ApiResult {
    session.webhook(&app.webhooks, &id)?;
    let dismissed = app.webhooks.dismiss(&id, Some(&delivery), 0).await?;
    Ok(dismissed_answer(&app, &session, &id, dismissed))
}

async fn dismiss_all(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    parameters: Parameters,
) -> ApiResult {
    session.webhook(&app.webhooks, &id)?;
    if parameters.get("status") != Some("dead") {
        return Err(invalid("status", "`dead`: others are not for dismissing"));
    }
    let before = parameters.number("before")?.unwrap_or(u64::MAX);
    let dismissed = app.webhooks.dismiss(&id, None, before).await?;
    Ok(dismissed_answer(&app, &session, &id, dismissed))
}

fn dismissed_answer(app: &App, session: &Session, webhook: &str, dismissed: u64) -> Response {
    app.audit.note(session.audit_entry("webhook.dead_dismissed", target("webhook", webhook)));
    reply::value(StatusCode::OK, app.engine.position(), &json!({"dismissed": dismissed}))
}

/// A time in JSON.
pub(super) fn time(ms: u64) -> String {
    date::format_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}
