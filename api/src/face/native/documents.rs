//! Documents: `/v1/collections/{c}/documents`.

use axum::extract::{Path, State};
use axum::response::Response;
use headwater_engine::Error;
use headwater_engine::value::Raw;
use headwater_engine::value::json::Parsed;
use headwater_engine::write::{Committed, Effect};
use http::header::ETAG;
use http::{HeaderName, HeaderValue, StatusCode};

use super::list;
use crate::audit::target as audited;
use crate::auth::{Acl, Action};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Condition, Format, Parameters, Submission};
use crate::reply::{self, write_number};
use crate::router::{Needs, Routes};
use crate::session::{
    self, Asked, At, Cursor, ListQuery, Patch, Session, Shown, Upsert, ids_read, prepare_all,
};
use crate::state::App;

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// From so many documents on, they are prepared off the async threads.
const BLOCKING_DOCUMENTS: usize = 1000;

/// The routes of documents.
pub(super) fn routes() -> Routes {
    const MANY: &str = "/v1/collections/{collection}/documents";
    const ONE: &str = "/v1/collections/{collection}/documents/{id}";
    const HISTORY: &str = "/v1/collections/{collection}/documents/{id}/history";
    Routes::new()
        .add("post", MANY, Needs::Collection(Action::Create, &[Acl::Index, Acl::Bulk]), create)
        .add("get", MANY, Needs::Collection(Action::Read, &[Acl::Search]), list)
        .add("get", ONE, Needs::Collection(Action::Read, &[Acl::Get]), get)
        .add("put", ONE, Needs::Collection(Action::Update, &[Acl::Index]), replace)
        .add("patch", ONE, Needs::Collection(Action::Update, &[Acl::Index]), patch)
        .add("delete", ONE, Needs::Collection(Action::Delete, &[Acl::Delete]), delete)
        .add("get", HISTORY, Needs::Collection(Action::Read, &[Acl::Get]), history)
}

async fn create(
    session: Session,
    Path(collection): Path<String>,
    parameters: Parameters,
    format: Format,
    Submission { payload, key }: Submission,
) -> ApiResult {
    parameters.only(&[])?;
    let documents = match payload.documents(session.engine()).await? {
        Parsed::One(document) => vec![document],
        Parsed::Many(documents) if documents.is_empty() => {
            return Err(ApiError::bad_request("no_documents", "the array has no documents"));
        }
        Parsed::Many(documents) => documents,
    };
    let (engine, rule) = (session.engine(), payload.id_rule());
    let prepared = if documents.len() < BLOCKING_DOCUMENTS {
        prepare_all(engine, documents, rule)?
    } else {
        let held = engine.clone();
        session::blocking(engine, move || prepare_all(&held, documents, rule)).await?
    };
    let committed = session.create(&collection, prepared, key).await?;
    let bodies: Vec<_> =
        committed.outcomes.iter().filter_map(|one| session.written(&collection, one)).collect();
    let mut out = Vec::with_capacity(payload.bytes.len() + 64 * committed.outcomes.len() + 64);
    list::write_documents(bodies.iter().map(|body| Raw::trusted(body)), format, &mut out);
    out.extend_from_slice(b",\"position\":");
    write_number(committed.position, &mut out);
    out.push(b'}');
    let response = reply::json(StatusCode::CREATED, committed.position, out);
    Ok(mark_repeated(response, &committed))
}

async fn list(
    State(app): State<App>,
    session: Session,
    Path(collection): Path<String>,
    parameters: Parameters,
    format: Format,
) -> ApiResult {
    const KNOWN: [&str; 8] =
        ["filter", "sort", "projection", "limit", "skip", "cursor", "at", "export"];
    parameters.only(&KNOWN)?;
    let part = |name| parameters.json(name, session.engine().limits());
    let (filter, sort, projection) = (part("filter")?, part("sort")?, part("projection")?);
    let raw = Raw::trusted;
    let (filter, sort) = (filter.as_deref().map(raw), sort.as_deref().map(raw));
    let query = ListQuery {
        asked: Asked::new(filter, sort, projection.as_deref().map(raw), Format::Plain),
        limit: parameters.limit()?,
        skip: usize::try_from(parameters.number("skip")?.unwrap_or(0)).unwrap_or(usize::MAX),
        cursor: parameters.get("cursor").map(Cursor::decode).transpose()?,
        at: At::parse(parameters.get("at"))?,
        count: false,
        explain: false,
    };
    // What says that it is an export is noted, at its first page.
    let is_export = parameters.flag("export")? && query.cursor.is_none();
    let page = session.list(&collection, query).await?;
    if is_export {
        app.audit.note(session.audit_entry("export", audited("collection", &collection)));
    }
    Ok(list::listing(session.engine(), page, format).await?)
}

async fn get(
    session: Session,
    Path((collection, id)): Path<(String, String)>,
    parameters: Parameters,
    format: Format,
) -> ApiResult {
    parameters.only(&["at"])?;
    let at = At::parse(parameters.get("at"))?;
    let Shown { body, version, position } = session.get(&collection, &id, at).await?;
    let body = Raw::trusted(&body);
    let mut out = Vec::with_capacity(body.as_bytes().len() * 5 / 4 + 64);
    format.write(body, &mut out);
    Ok(tagged(reply::json(StatusCode::OK, position, out), version))
}

async fn replace(
    session: Session,
    Path((collection, id)): Path<(String, String)>,
    parameters: Parameters,
    condition: Condition,
    format: Format,
    Submission { payload, key }: Submission,
) -> ApiResult {
    parameters.only(&["upsert"])?;
    let upsert = if parameters.flag("upsert")? { Upsert::Yes } else { Upsert::No };
    session.check_replace(&collection, upsert)?;
    let document = payload.document(session.engine()).await?;
    let document = (document, payload.id_rule());
    let place = (collection.as_str(), id.as_str());
    let committed = session.replace(place, document, (condition, upsert), key).await?;
    written(&session, &collection, &committed, format)
}

async fn patch(
    session: Session,
    Path((collection, id)): Path<(String, String)>,
    parameters: Parameters,
    condition: Condition,
    format: Format,
    Submission { payload, key }: Submission,
) -> ApiResult {
    parameters.only(&[])?;
    let data = payload.document(session.engine()).await?;
    let patch = if Patch::has_operators(Raw::trusted(&data)) {
        let query = payload.query(session.engine()).await?;
        let query = ids_read(Raw::trusted(&query), payload.format);
        Patch::new(Raw::trusted(&data), Some(Raw::trusted(&query)))?
    } else {
        Patch::new(Raw::trusted(&data), None)?
    };
    let (place, patch) = ((collection.as_str(), id.as_str()), (patch, payload.id_rule()));
    let committed = session.patch(place, patch, condition, key).await?;
    written(&session, &collection, &committed, format)
}

async fn delete(
    session: Session,
    Path((collection, id)): Path<(String, String)>,
    parameters: Parameters,
    condition: Condition,
    Submission { key, .. }: Submission,
) -> ApiResult {
    parameters.only(&[])?;
    let committed = session.delete(&collection, &id, condition, key).await?;
    let body = serde_json::json!({"deleted": 1, "position": committed.position});
    let response = reply::value(StatusCode::OK, committed.position, &body);
    Ok(mark_repeated(response, &committed))
}

async fn history(
    session: Session,
    Path((collection, id)): Path<(String, String)>,
    parameters: Parameters,
    format: Format,
) -> ApiResult {
    parameters.only(&["limit", "cursor"])?;
    let limit = parameters.limit()?;
    let before = parameters.number("cursor")?;
    let (blocks, next, position) = session.history(&collection, &id, before, limit).await?;
    let mut out = Vec::with_capacity(256 * blocks.len());
    out.extend_from_slice(b"{\"events\":[");
    for (index, (block, seen)) in blocks.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        for record in block.iter() {
            format.write_event(&headwater_engine::Event::decode(&record)?, seen, None, &mut out);
        }
    }
    out.extend_from_slice(b"],\"next\":");
    match next {
        Some(next) => out.extend_from_slice(format!("\"{next}\"").as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
    Ok(reply::json(StatusCode::OK, position, out))
}

/// The bare document after a write.
fn written(
    session: &Session,
    collection: &str,
    committed: &Committed,
    format: Format,
) -> ApiResult {
    let outcome = committed
        .outcomes
        .first()
        .ok_or_else(|| Error::internal("a write of one document had no outcome"))?;
    let mut out = Vec::new();
    if let Some(body) = session.written(collection, outcome) {
        format.write(Raw::trusted(&body), &mut out);
    }
    let created = outcome.effect == Effect::Created;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let response = tagged(reply::json(status, committed.position, out), outcome.version);
    Ok(mark_repeated(response, committed))
}

/// Says the version that a document has.
pub(super) fn tagged(mut response: Response, version: u64) -> Response {
    let mut tag = Vec::with_capacity(22);
    tag.push(b'"');
    write_number(version, &mut tag);
    tag.push(b'"');
    if let Ok(tag) = HeaderValue::from_bytes(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// Says that an answer is that of an earlier request with the same idempotency key.
pub(super) fn mark_repeated(response: Response, committed: &Committed) -> Response {
    mark_if(response, committed.repeated)
}

/// The same where it is known whether it is.
pub(super) fn mark_if(mut response: Response, repeated: bool) -> Response {
    if repeated {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
