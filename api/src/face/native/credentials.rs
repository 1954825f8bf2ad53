//! Credentials: `/v1/credentials`.

use axum::extract::{Path, State};
use headwater_engine::Engine;
use headwater_engine::value::Raw;
use http::StatusCode;
use serde_json::json;

use super::documents::mark_repeated;
use super::list;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Parameters, Submission, invalid};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{At, Changes, Issued, Session};
use crate::state::App;

const LABEL_BYTES_MAX: usize = 255;
/// Longest life or grace that can be asked for, seconds: a hundred years.
const SECONDS_MAX: u64 = 100 * 366 * 24 * 3600;

/// The routes of credentials.
pub(super) fn routes() -> Routes {
    const ALL: &str = "/v1/credentials";
    const ONE: &str = "/v1/credentials/{id}";
    Routes::new()
        .add("get", ALL, Needs::FullAccess, all)
        .add("post", ALL, Needs::FullAccess, issue)
        .add("get", ONE, Needs::FullAccess, get)
        .add("patch", ONE, Needs::FullAccess, change)
        .add("delete", ONE, Needs::FullAccess, revoke)
        .add("post", "/v1/credentials/{id}/rotate", Needs::FullAccess, rotate)
}

async fn all(session: Session, parameters: Parameters) -> ApiResult {
    let page = session.credentials(parameters.get("cursor"), parameters.limit()?)?;
    Ok(list::page("credentials", page))
}

async fn issue(
    State(app): State<App>,
    session: Session,
    Submission { payload, key }: Submission,
) -> ApiResult {
    session.full_access()?;
    let body = payload.document(&app.engine).await?;
    let asked = read(&app.engine, Raw::trusted(&body), Of::New)?;
    Ok(show(session.issue(asked, key).await?, StatusCode::CREATED))
}

async fn get(session: Session, Path(id): Path<String>) -> ApiResult {
    let (credential, position) = session.credential_by_id(&id)?;
    Ok(reply::value(StatusCode::OK, position, &credential))
}

async fn change(
    State(app): State<App>,
    session: Session,
    Path(id): Path<String>,
    Submission { payload, key }: Submission,
) -> ApiResult {
    session.full_access()?;
    let body = payload.document(&app.engine).await?;
    let asked = read(&app.engine, Raw::trusted(&body), Of::Known)?;
    let (credential, committed) = session.change_credential(&id, asked, key).await?;
    let response = reply::value(StatusCode::OK, committed.position, &credential);
    Ok(mark_repeated(response, &committed))
}

async fn revoke(
    session: Session,
    Path(id): Path<String>,
    Submission { key, .. }: Submission,
) -> ApiResult {
    let committed = session.revoke(&id, key).await?;
    let body = json!({"deleted": 1, "position": committed.position});
    let response = reply::value(StatusCode::OK, committed.position, &body);
    Ok(mark_repeated(response, &committed))
}

async fn rotate(
    session: Session,
    Path(id): Path<String>,
    parameters: Parameters,
    Submission { key, .. }: Submission,
) -> ApiResult {
    let grace_seconds = parameters.number("grace_seconds")?.unwrap_or(0);
    if grace_seconds > SECONDS_MAX {
        return Err(invalid("grace_seconds", "at most a hundred years"));
    }
    let issued = session.rotate_credential(&id, grace_seconds * 1000, key).await?;
    Ok(show(issued, StatusCode::OK))
}

/// A credential with its key, once.
fn show(issued: Issued, status: StatusCode) -> axum::response::Response {
    let Issued { mut shown, key, committed } = issued;
    if let Some(key) = key {
        shown["key"] = json!(key);
    }
    mark_repeated(reply::value(status, committed.position, &shown), &committed)
}

/// Which members a body may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    New,
    Known,
}

/// Reads the body of a credential that is made or changed.
fn read(engine: &Engine, body: Raw<'_>, of: Of) -> ApiResult<Changes> {
    let mut asked = Changes::default();
    for (name, value) in body.object_iter() {
        match name {
            "label" => match value.as_str() {
                Some(label) if label.len() <= LABEL_BYTES_MAX => {
                    asked.label = Some(label.to_owned());
                }
                _ => return Err(invalid("label", "a text of at most 255 bytes")),
            },
            "grant" => asked.grant = Some(value.to_value()),
            "expires_at" => asked.expires_ms = Some(expires_at(value)?),
            "ttl_seconds" => {
                let seconds = value.as_i64().and_then(|seconds| u64::try_from(seconds).ok());
                let seconds = seconds
                    .filter(|seconds| *seconds <= SECONDS_MAX)
                    .ok_or_else(|| invalid("ttl_seconds", "a number of seconds"))?;
                asked.expires_ms = Some(Some(engine.clock().now_ms() + seconds * 1000));
            }
            "kind" if of == Of::New => match value.as_str() {
                Some("key") => {}
                Some("web") => return Err(ApiError::unsupported("kind web")),
                Some("basic") => return Err(ApiError::unsupported("kind basic")),
                _ => return Err(invalid("kind", "key, web or basic")),
            },
            _ => {
                let message = format!("a credential has no member `{name}` to set");
                return Err(ApiError::bad_request("unknown_member", message).with("member", name));
            }
        }
    }
    if body.get("expires_at").is_some() && body.get("ttl_seconds").is_some() {
        return Err(invalid("ttl_seconds", "absent where `expires_at` is given"));
    }
    Ok(asked)
}

fn expires_at(value: Raw<'_>) -> ApiResult<Option<u64>> {
    if value.is_null() {
        return Ok(None);
    }
    match At::read(Some(value)) {
        Ok(At::Time(ms)) => Ok(Some(ms)),
        _ => Err(invalid("expires_at", "a time in RFC 3339, or null")),
    }
}
