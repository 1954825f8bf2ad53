//! Indexes: `/v1/collections/{c}/indexes`.

use axum::extract::Path;
use headwater_engine::value::Raw;
use http::StatusCode;
use serde_json::json;

use super::documents::mark_repeated;
use super::list;
use crate::auth::{Acl, Action};
use crate::error::ApiResult;
use crate::extract::{Parameters, Submission};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{Session, ids_read};

/// The routes of indexes.
pub(super) fn routes() -> Routes {
    const MANY: &str = "/v1/collections/{collection}/indexes";
    const ONE: &str = "/v1/collections/{collection}/indexes/{name}";
    Routes::new()
        .add("get", MANY, Needs::Collection(Action::Read, &[Acl::Get, Acl::Settings]), all)
        .add("get", ONE, Needs::Collection(Action::Read, &[Acl::Get, Acl::Settings]), get)
        .add("put", ONE, Needs::Collection(Action::Settings, &[Acl::Settings]), define)
        .add("delete", ONE, Needs::Collection(Action::Settings, &[Acl::Settings]), drop_index)
}

async fn all(
    session: Session,
    Path(collection): Path<String>,
    parameters: Parameters,
) -> ApiResult {
    parameters.only(&["limit", "cursor"])?;
    let page = session.indexes(&collection, parameters.get("cursor"), parameters.limit()?)?;
    Ok(list::page("indexes", page))
}

async fn get(
    session: Session,
    Path((collection, name)): Path<(String, String)>,
    parameters: Parameters,
) -> ApiResult {
    parameters.only(&[])?;
    let (description, position) = session.index(&collection, &name)?;
    Ok(reply::value(StatusCode::OK, position, &description))
}

async fn define(
    session: Session,
    Path((collection, name)): Path<(String, String)>,
    parameters: Parameters,
    Submission { payload, key }: Submission,
) -> ApiResult {
    parameters.only(&[])?;
    let body = payload.query(session.engine()).await?;
    let definition = ids_read(Raw::trusted(&body), payload.format);
    let defined = session.define_index(&collection, &name, &definition, key).await?;
    let status = if defined.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let position = defined.committed.position;
    let response = reply::value(status, position, &defined.description);
    Ok(mark_repeated(response, &defined.committed))
}

async fn drop_index(
    session: Session,
    Path((collection, name)): Path<(String, String)>,
    parameters: Parameters,
    Submission { key, .. }: Submission,
) -> ApiResult {
    parameters.only(&[])?;
    let committed = session.drop_index(&collection, &name, key).await?;
    let body = json!({"deleted": 1, "position": committed.position});
    let response = reply::value(StatusCode::OK, committed.position, &body);
    Ok(mark_repeated(response, &committed))
}
