//! Named documents of the system: `/v1/roles`, `/v1/auth/providers`, `/v1/values`.

use axum::extract::{Path, State};
use headwater_engine::value::Raw;
use headwater_engine::write::Effect;
use http::StatusCode;

use super::documents::{mark_repeated, tagged};
use super::list::write_array;
use crate::error::ApiResult;
use crate::extract::{Condition, Format, Parameters, Submission};
use crate::reply::{self, write_text};
use crate::router::{Needs, Routes};
use crate::session::{Family, Session};
use crate::state::App;

/// The routes of named documents.
pub(super) fn routes() -> Routes {
    Routes::new()
        .with(of(Family::Roles, "roles", "/v1/roles", "/v1/roles/{name}"))
        .with(of(Family::Providers, "providers", "/v1/auth/providers", "/v1/auth/providers/{name}"))
        .with(of(Family::Values, "values", "/v1/values", "/v1/values/{name}"))
}

fn of(family: Family, plural: &'static str, all: &'static str, one: &'static str) -> Routes {
    Routes::new()
        .add("get", all, Needs::FullAccess, move |session, parameters, format| {
            page((family, plural), session, parameters, format)
        })
        .add("get", one, Needs::FullAccess, move |session, name, parameters, format| {
            get(family, session, name, parameters, format)
        })
        .add("put", one, Needs::FullAccess, move |app, asked, submission| {
            put(family, app, asked, submission)
        })
        .add("delete", one, Needs::FullAccess, move |asked, submission| {
            delete(family, asked, submission)
        })
}

/// What a write takes from its request, besides the body.
type Asked = (Session, Path<String>, Parameters, Condition, Format);

async fn page(
    (family, plural): (Family, &'static str),
    session: Session,
    parameters: Parameters,
    format: Format,
) -> ApiResult {
    parameters.only(&["limit", "cursor"])?;
    let page = session.named_page(family, parameters.get("cursor"), parameters.limit()?)?;
    let mut out = format!("{{\"{plural}\":").into_bytes();
    write_array(page.entries.iter().map(|entry| Raw::trusted(entry)), format, &mut out);
    out.extend_from_slice(b",\"next\":");
    match &page.next {
        Some(next) => write_text(next, &mut out),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
    Ok(reply::json(StatusCode::OK, page.position, out))
}

async fn get(
    family: Family,
    session: Session,
    Path(name): Path<String>,
    parameters: Parameters,
    format: Format,
) -> ApiResult {
    parameters.only(&[])?;
    let (document, version, position) = session.named(family, &name)?;
    Ok(tagged(reply::json(StatusCode::OK, position, written(&document, format)), version))
}

async fn put(
    family: Family,
    State(app): State<App>,
    (session, Path(name), parameters, condition, format): Asked,
    Submission { payload, key }: Submission,
) -> ApiResult {
    session.full_access()?;
    parameters.only(&[])?;
    let given = payload.document(&app.engine).await?;
    let place = (family, name.as_str());
    let (document, committed) =
        session.put_named(&app.access, place, &given, condition, key).await?;
    let outcome = committed.outcomes.first();
    let created = outcome.is_some_and(|outcome| outcome.effect == Effect::Created);
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let version = outcome.map_or(0, |outcome| outcome.version);
    let response = reply::json(status, committed.position, written(&document, format));
    Ok(mark_repeated(tagged(response, version), &committed))
}

async fn delete(
    family: Family,
    (session, Path(name), parameters, condition, _): Asked,
    Submission { key, .. }: Submission,
) -> ApiResult {
    session.full_access()?;
    parameters.only(&[])?;
    let committed = session.remove_named((family, &name), condition, key).await?;
    let body = serde_json::json!({"deleted": 1, "position": committed.position});
    let response = reply::value(StatusCode::OK, committed.position, &body);
    Ok(mark_repeated(response, &committed))
}

fn written(document: &[u8], format: Format) -> Vec<u8> {
    let mut out = Vec::with_capacity(document.len() + 64);
    format.write(Raw::trusted(document), &mut out);
    out
}
