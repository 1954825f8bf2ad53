//! Keys of users: `/v1/users/{id}/keys`; `me` is the user who asks.

use axum::extract::{Path, State};
use headwater_engine::value::Raw;
use http::StatusCode;

use super::credentials::{read_changes, show};
use super::documents::mark_repeated;
use super::list;
use crate::error::ApiResult;
use crate::extract::{Parameters, Submission};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{Changes, Session};
use crate::state::App;

/// The routes of users' keys.
pub(super) fn routes() -> Routes {
    const ALL: &str = "/v1/users/{id}/keys";
    const NEEDS: Needs = Needs::Credential;
    Routes::new().add("get", ALL, NEEDS, all).add("post", ALL, NEEDS, issue).add(
        "delete",
        "/v1/users/{id}/keys/{key}",
        NEEDS,
        revoke,
    )
}

async fn all(
    State(app): State<App>,
    session: Session,
    Path(user): Path<String>,
    parameters: Parameters,
) -> ApiResult {
    parameters.only(&["limit", "cursor"])?;
    let (cursor, limit) = (parameters.get("cursor"), parameters.limit()?);
    Ok(list::page("keys", session.user_keys(&app.access, &user, cursor, limit)?))
}

async fn issue(
    State(app): State<App>,
    session: Session,
    Path(user): Path<String>,
    Submission { payload, key }: Submission,
) -> ApiResult {
    let body = match payload.bytes.is_empty() {
        true => None,
        false => Some(payload.document(&app.engine).await?),
    };
    let asked = match &body {
        Some(body) => read_changes(&app.engine, Raw::trusted(body))?,
        None => Changes::default(),
    };
    let issued = session.issue_user_key(&app.access, &user, asked, key).await?;
    Ok(show(issued, StatusCode::CREATED))
}

async fn revoke(
    State(app): State<App>,
    session: Session,
    Path((user, id)): Path<(String, String)>,
    Submission { key, .. }: Submission,
) -> ApiResult {
    let committed = session.revoke_user_key(&app.access, (&user, &id), key).await?;
    let body = serde_json::json!({"deleted": 1, "position": committed.position});
    let response = reply::value(StatusCode::OK, committed.position, &body);
    Ok(mark_repeated(response, &committed))
}
