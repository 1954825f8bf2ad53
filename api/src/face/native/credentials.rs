//! Credentials: `/v1/credentials`.

use axum::extract::{Path, State};
use headwater_engine::Engine;
use headwater_engine::value::Raw;
use http::StatusCode;
use serde_json::json;

use super::documents::mark_repeated;
use super::list;
use crate::auth::{Kind, document};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Parameters, Submission, invalid};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{At, Changes, Issued, Session, Sort};
use crate::state::App;

const LABEL_BYTES_MAX: usize = 255;
const DESCRIPTION_BYTES_MAX: usize = 4096;
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
    let (sort, asked) = read_new(&app.engine, Raw::trusted(&body))?;
    Ok(show(session.issue(&app.access, sort, asked, key).await?, StatusCode::CREATED))
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
    let asked = read_changes(&app.engine, Raw::trusted(&body))?;
    let (credential, committed) = session.change_credential(&app.access, &id, asked, key).await?;
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

/// A credential with its key or password, once.
pub(super) fn show(issued: Issued, status: StatusCode) -> axum::response::Response {
    let Issued { mut shown, secret, committed } = issued;
    if let Some(secret) = secret {
        shown[secret.name] = json!(secret.text);
    }
    mark_repeated(reply::value(status, committed.position, &shown), &committed)
}

/// Reads the body of a new credential.
fn read_new(engine: &Engine, body: Raw<'_>) -> ApiResult<(Sort, Changes)> {
    let mut sort = Sort { kind: Kind::Key, user: None };
    let mut asked = Changes::default();
    for (name, value) in body.object_iter() {
        match name {
            "kind" => {
                let kind = value.as_str().and_then(document::kind_of);
                sort.kind = kind.ok_or_else(|| invalid("kind", "key, web or basic"))?;
            }
            "user" => {
                let user = value.as_str().ok_or_else(|| invalid("user", "the id of a user"))?;
                sort.user = Some(user.to_owned());
            }
            _ => read_member(engine, name, value, &mut asked)?,
        }
    }
    check_end(body)?;
    Ok((sort, asked))
}

/// Reads the body of a credential that is changed, or of a key that can only be of one sort.
pub(super) fn read_changes(engine: &Engine, body: Raw<'_>) -> ApiResult<Changes> {
    let mut asked = Changes::default();
    for (name, value) in body.object_iter() {
        read_member(engine, name, value, &mut asked)?;
    }
    check_end(body)?;
    Ok(asked)
}

fn read_member(engine: &Engine, name: &str, value: Raw<'_>, asked: &mut Changes) -> ApiResult<()> {
    match name {
        "label" => asked.label = Some(text("label", value, LABEL_BYTES_MAX)?),
        "description" => {
            asked.description = Some(text("description", value, DESCRIPTION_BYTES_MAX)?);
        }
        "grant" => asked.grant = Some(value.to_value()),
        "expires_at" => asked.expires_ms = Some(expires_at(value)?),
        "ttl_seconds" => {
            let seconds = value.as_i64().and_then(|seconds| u64::try_from(seconds).ok());
            let seconds = seconds
                .filter(|seconds| *seconds <= SECONDS_MAX)
                .ok_or_else(|| invalid("ttl_seconds", "a number of seconds"))?;
            asked.expires_ms = Some(Some(engine.clock().now_ms() + seconds * 1000));
        }
        "kind" | "user" => {
            let message = format!("`{name}` cannot be set here: make another credential");
            return Err(ApiError::bad_request("immutable_member", message).with("member", name));
        }
        _ => {
            let message = format!("a credential has no member `{name}` to set");
            return Err(ApiError::bad_request("unknown_member", message).with("member", name));
        }
    }
    Ok(())
}

fn check_end(body: Raw<'_>) -> ApiResult<()> {
    if body.get("expires_at").is_some() && body.get("ttl_seconds").is_some() {
        return Err(invalid("ttl_seconds", "absent where `expires_at` is given"));
    }
    Ok(())
}

fn text(name: &'static str, value: Raw<'_>, most: usize) -> ApiResult<String> {
    match value.as_str() {
        Some(text) if text.len() <= most => Ok(text.to_owned()),
        _ => Err(invalid(name, &format!("a text of at most {most} bytes"))),
    }
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
