//! Collections: `/v1/collections`.

use axum::extract::Path;
use headwater_engine::value::Raw;
use headwater_engine::write::Effect;
use http::StatusCode;

use super::documents::mark_repeated;
use super::list;
use crate::auth::{Acl, Action};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Parameters, Submission, refuse_unless_empty};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::Session;

/// The routes of collections.
pub(super) fn routes() -> Routes {
    const ONE: &str = "/v1/collections/{collection}";
    Routes::new()
        .add("get", "/v1/collections", Needs::Any(&LISTING), all)
        .add("get", ONE, Needs::Collection(Action::Read, &[Acl::Get, Acl::Settings]), get)
        .add("put", ONE, Needs::Collection(Action::Settings, &[Acl::Settings]), define)
        .add("delete", ONE, Needs::Collection(Action::Settings, &[Acl::Settings]), drop_collection)
}

/// Which kinds of requests open the list; what is in it follows from what may be read.
const LISTING: [Acl; 4] = [Acl::Get, Acl::Search, Acl::Settings, Acl::Analytics];

async fn all(session: Session, parameters: Parameters) -> ApiResult {
    parameters.only(&["limit", "cursor"])?;
    let page = session.collections(parameters.get("cursor"), parameters.limit()?)?;
    Ok(list::page("collections", page))
}

async fn get(
    session: Session,
    Path(collection): Path<String>,
    parameters: Parameters,
) -> ApiResult {
    parameters.only(&[])?;
    let (description, position) = session.describe(&collection)?;
    Ok(reply::value(StatusCode::OK, position, &description))
}

async fn define(
    session: Session,
    Path(collection): Path<String>,
    parameters: Parameters,
    Submission { payload, key }: Submission,
) -> ApiResult {
    parameters.only(&[])?;
    let definition = payload.document(session.engine()).await?;
    check(Raw::trusted(&definition))?;
    let (committed, description) = session.define(&collection, definition, key).await?;
    let created = committed.outcomes.iter().any(|outcome| outcome.effect == Effect::Created);
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let response = reply::value(status, committed.position, &description);
    Ok(mark_repeated(response, &committed))
}

async fn drop_collection(
    session: Session,
    Path(collection): Path<String>,
    parameters: Parameters,
    Submission { key, .. }: Submission,
) -> ApiResult {
    parameters.only(&[])?;
    let committed = session.drop_collection(&collection, key).await?;
    let body = serde_json::json!({"deleted": 1, "position": committed.position});
    let response = reply::value(StatusCode::OK, committed.position, &body);
    Ok(mark_repeated(response, &committed))
}

/// Options are refused until there are any: storing one that does nothing would mislead.
fn check(definition: Raw<'_>) -> ApiResult<()> {
    for (name, value) in definition.object_iter() {
        match name {
            // The session compiles them.
            "schema" | "fields" => {}
            "options" => refuse_unless_empty("options", Some(value))?,
            _ => {
                let message = format!("a definition has no member `{name}`");
                return Err(ApiError::bad_request("unknown_member", message).with("member", name));
            }
        }
    }
    Ok(())
}
