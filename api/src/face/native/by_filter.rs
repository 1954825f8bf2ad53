//! Writing by filter: `update` and `delete` of `/v1/collections/{c}`.

use axum::extract::Path;
use headwater_engine::value::Raw;
use http::StatusCode;
use serde_json::json;

use super::body::Members;
use super::documents::mark_if;
use super::query::filter_of;
use crate::auth::{Acl, Action};
use crate::error::ApiResult;
use crate::extract::{Format, Parameters, Submission, invalid};
use crate::reply::{self, write_number};
use crate::router::{Needs, Routes};
use crate::session::{Session, UpdateRequest, ids_read};

/// The routes of writes by filter.
pub(super) fn routes() -> Routes {
    Routes::new()
        .add(
            "post",
            "/v1/collections/{collection}/update",
            Needs::Collection(Action::Update, &[Acl::Index]),
            update,
        )
        .add(
            "post",
            "/v1/collections/{collection}/delete",
            Needs::Collection(Action::Delete, &[Acl::Delete]),
            delete,
        )
}

async fn update(
    session: Session,
    Path(collection): Path<String>,
    parameters: Parameters,
    format: Format,
    Submission { payload, key }: Submission,
) -> ApiResult {
    parameters.only(&[])?;
    let body = payload.query(session.engine()).await?;
    let request = read(Raw::trusted(&body), payload.format)?;
    let affected = session.update_by_filter(&collection, request, key).await?;
    let mut out = Vec::with_capacity(128);
    out.extend_from_slice(b"{\"matched\":");
    write_number(affected.matched, &mut out);
    out.extend_from_slice(b",\"modified\":");
    write_number(affected.modified, &mut out);
    out.extend_from_slice(b",\"upserted_id\":");
    match &affected.upserted_id {
        Some(id) => format.write(Raw::trusted(id), &mut out),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"position\":");
    write_number(affected.position, &mut out);
    out.push(b'}');
    let response = reply::json(StatusCode::OK, affected.position, out);
    Ok(mark_if(response, affected.repeated))
}

fn read(body: Raw<'_>, format: Format) -> ApiResult<UpdateRequest> {
    const KNOWN: [&str; 5] = ["filter", "update", "multi", "upsert", "array_filters"];
    let members = Members::of(body, "an update", &KNOWN)?;
    let array_filters = members.get("array_filters");
    if array_filters.is_some_and(|filters| filters.as_array().is_none()) {
        return Err(invalid("array_filters", "an array of filters"));
    }
    Ok(UpdateRequest {
        filter: filter_of(&members, format)?,
        update: ids_read(members.required("update")?, format).into_owned(),
        array_filters: array_filters.map(|filters| ids_read(filters, format).into_owned()),
        multi: members.flag("multi")?,
        upsert: members.flag("upsert")?,
    })
}

async fn delete(
    session: Session,
    Path(collection): Path<String>,
    parameters: Parameters,
    Submission { payload, key }: Submission,
) -> ApiResult {
    parameters.only(&[])?;
    let body = payload.query(session.engine()).await?;
    let members = Members::of(Raw::trusted(&body), "a deletion", &["filter", "multi"])?;
    let (filter, multi) = (filter_of(&members, payload.format)?, members.flag("multi")?);
    let affected = session.delete_by_filter(&collection, (filter, multi), key).await?;
    let body = json!({"deleted": affected.deleted, "position": affected.position});
    Ok(mark_if(reply::value(StatusCode::OK, affected.position, &body), affected.repeated))
}
