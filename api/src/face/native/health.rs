//! Health: `/healthz` while the process lives, `/readyz` while writes are accepted.

use axum::extract::State;
use http::StatusCode;
use serde_json::json;

use crate::reply;
use crate::router::{Needs, Routes};
use crate::service::hint;
use crate::state::App;

/// The routes of health.
pub(super) fn routes() -> Routes {
    Routes::new()
        .add("get", "/", Needs::Nothing, hint)
        .add("get", "/healthz", Needs::Nothing, alive)
        .add("get", "/readyz", Needs::Nothing, ready)
}

async fn alive(State(app): State<App>) -> axum::response::Response {
    let body = json!({"status": "ok", "durability": durability(&app)});
    reply::value(StatusCode::OK, app.engine.position(), &body)
}

async fn ready(State(app): State<App>) -> axum::response::Response {
    let reason = if app.stopping.is_cancelled() {
        Some(("stopping", "the server is stopping".to_owned()))
    } else {
        app.engine.unready().map(|error| (error.code(), error.message().to_owned()))
    };
    let (status, body) = match reason {
        None => (StatusCode::OK, json!({"status": "ready", "durability": durability(&app)})),
        Some((code, reason)) => (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({"status": "unready", "code": code, "reason": reason}),
        ),
    };
    reply::value(status, app.engine.position(), &body)
}

fn durability(app: &App) -> &'static str {
    if app.options.relaxed_durability { "relaxed" } else { "sync" }
}
