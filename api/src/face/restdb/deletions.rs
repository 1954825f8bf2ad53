//! Deletions: of one document, of several by their ids, of what a query finds; within a list of children where that is asked.
//!
//! Guarantees: all or none; the answer names what was deleted. Queries need full access.

use axum::extract::Path;
use axum::response::Response;
use headwater_engine::value::{Raw, Value};
use http::StatusCode;

use super::body::Sent;
use super::query::{self, ListRequest};
use super::relations::{self, ParentScope};
use super::{answer, system};
use crate::auth::{Acl, Action};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Condition, Format, Parameters};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{Asked, ListQuery, Removed, Session};

/// What stands for several documents in place of an id.
const SEVERAL: &str = "*";

/// The route of deletions.
pub(super) fn routes() -> Routes {
    let needs = Needs::Collection(Action::Delete, &[Acl::Delete]);
    Routes::new().add("delete", "/rest/{collection}/{id}", needs, delete)
}

async fn delete(
    session: Session,
    Path((collection, id)): Path<(String, String)>,
    parameters: Parameters,
    sent: Sent,
) -> ApiResult {
    if id == SEVERAL {
        session.existing(&collection)?;
        return several(&session, &collection, (&parameters, &sent), None).await;
    }
    let committed = session.delete(&collection, &id, Condition::None, None).await?;
    let ids = committed.outcomes.iter().map(|outcome| Raw::trusted(&outcome.id));
    Ok(reply::json(StatusCode::OK, committed.position, answer::result(ids)))
}

/// Deletes a child, or several, from a list of children.
pub(super) async fn delete_in(
    session: &Session,
    id: &str,
    request: (&Parameters, &Sent),
    scope: &ParentScope,
) -> ApiResult {
    let collection = scope.collection.as_str();
    session.check(collection, Action::Delete)?;
    if id == SEVERAL {
        return several(session, collection, request, Some(scope)).await;
    }
    let stored = session.stored_id(collection, id)?;
    let held = scope.filter().to_bytes();
    let removed = session.remove(collection, &[stored], Some(&held)).await?;
    if removed.ids.is_empty() {
        return Err(scope.no_child(id));
    }
    Ok(deleted(&removed))
}

/// Deletes the documents that a body or a query names.
async fn several(
    session: &Session,
    collection: &str,
    (parameters, sent): (&Parameters, &Sent),
    within: Option<&ParentScope>,
) -> ApiResult {
    let held = within.map(|scope| scope.filter().to_bytes());
    if let Some(ids) = sent.ids(session.engine()).await? {
        let ids: Vec<_> = ids.iter().map(|id| query::id(id).to_bytes()).collect();
        return Ok(deleted(&session.remove(collection, &ids, held.as_deref()).await?));
    }
    if parameters.get("q").is_none() {
        let message = "a deletion of several documents needs an array of ids or the parameter q";
        return Err(ApiError::bad_request("nothing_named", message));
    }
    session.full_access()?;
    let asking = ListRequest::of_deletion(parameters, session.engine())?;
    let fields = session.fields(collection);
    let asking = relations::asked_of(session, fields.as_deref(), asking, within).await?;
    let ids = found(session, collection, &asking).await?;
    let only_if = asking.stored_filter().or(held);
    Ok(deleted(&session.remove(collection, &ids, only_if.as_deref()).await?))
}

fn deleted(removed: &Removed) -> Response {
    let ids = removed.ids.iter().map(|id| Raw::trusted(id));
    reply::json(StatusCode::OK, removed.position, answer::result(ids))
}

/// The ids of what a filter finds, encoded.
async fn found(
    session: &Session,
    collection: &str,
    asking: &ListRequest,
) -> ApiResult<Vec<Vec<u8>>> {
    let (filter, ids_alone) =
        (asking.filter.to_bytes(), query::object("_id", Value::Int32(1)).to_bytes());
    let (filter, ids_alone) = (Raw::trusted(&filter), Raw::trusted(&ids_alone));
    let query = ListQuery::new(Asked::new(Some(filter), None, Some(ids_alone), Format::Extended));
    let session = system::shown_to(session, |name| asking.mentions(name));
    let listing = session.list(collection, query).await;
    let listing = listing.map_err(|error| asking.blamed(session.engine(), error))?;
    let id = |document: &bytes::Bytes| {
        let id = Raw::trusted(document).get("_id")?;
        Some(id.as_bytes().to_vec())
    };
    Ok(listing.documents.iter().filter_map(id).collect())
}
