//! Documents: `/rest/{collection}` and `/rest/{collection}/{id}`, but for lists.
//!
//! Guarantees: PUT and PATCH merge; several documents are written all or none; system fields in bodies change nothing.

use axum::extract::Path;
use axum::response::Response;
use headwater_engine::value::document::IdRule;
use headwater_engine::value::{Object, Raw, Value, object_id};
use headwater_engine::write::Committed;
use http::StatusCode;

use super::body::{Documents, Sent};
use super::import::Rows;
use super::query::{self, Asking};
use super::system;
use super::writing::{self, Shown};
use crate::auth::{Acl, Action};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Condition, Format, Parameters};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{Asked, At, ListQuery, Patch, Session, prepare_all};

/// What stands for several documents in place of an id.
const SEVERAL: &str = "*";

/// The routes of documents.
pub(super) fn routes() -> Routes {
    const MANY: &str = "/rest/{collection}";
    const ONE: &str = "/rest/{collection}/{id}";
    Routes::new()
        .add("post", MANY, Needs::Collection(Action::Create, &[Acl::Index, Acl::Bulk]), create)
        .add("get", ONE, Needs::Collection(Action::Read, &[Acl::Get]), get)
        .add("put", ONE, Needs::Collection(Action::Update, &[Acl::Index]), update)
        .add("patch", ONE, Needs::Collection(Action::Update, &[Acl::Index]), update)
        .add("delete", ONE, Needs::Collection(Action::Delete, &[Acl::Delete]), delete)
}

async fn create(session: Session, Path(collection): Path<String>, sent: Sent) -> ApiResult {
    if let Some(rows) = sent.rows(session.engine(), &collection).await? {
        return create_rows(&session, &collection, rows).await;
    }
    let (documents, is_one) = match sent.documents(session.engine()).await? {
        Documents::One(document) => (vec![document], true),
        Documents::Many(documents) => (documents, false),
    };
    if documents.is_empty() {
        return Ok(reply::json(StatusCode::CREATED, session.engine().position(), "[]"));
    }
    let encoded = documents.into_iter().map(|document| of_create(document).to_bytes()).collect();
    let prepared = prepare_all(session.engine(), encoded, IdRule::PlainJson)?;
    let committed = session.create(&collection, prepared, None).await?;
    let written = session.written_with(&collection, &committed, &system::of_writes(&session))?;
    let mut bodies = written.iter().map(|body| Raw::trusted(body));
    let mut out = Vec::new();
    match is_one {
        true => Shown::written().write(bodies.next().unwrap_or(Raw::NULL), &mut out),
        false => Shown::written().write_all(bodies, &mut out),
    }
    Ok(reply::json(StatusCode::CREATED, committed.position, out))
}

/// What is stored of a new document: its own id only if it could be one of the face's.
/// Documents of a file, all or none; a refusal names the line.
async fn create_rows(session: &Session, collection: &str, rows: Rows) -> ApiResult {
    let lines = rows.lines();
    let documents = rows.documents;
    if documents.is_empty() {
        return Ok(reply::json(StatusCode::CREATED, session.engine().position(), "[]"));
    }
    let written = async {
        let encoded = documents.into_iter().map(|one| of_create(one).to_bytes()).collect();
        let prepared = prepare_all(session.engine(), encoded, IdRule::PlainJson)?;
        session.create(collection, prepared, None).await
    };
    let committed = written.await.map_err(|error| Rows::named(&lines, error))?;
    let written = session.written_with(collection, &committed, &system::of_writes(session))?;
    let mut out = Vec::new();
    Shown::written().write_all(written.iter().map(|body| Raw::trusted(body)), &mut out);
    Ok(reply::json(StatusCode::CREATED, committed.position, out))
}

fn of_create(document: Object) -> Object {
    system::without(document, |id| id.as_str().is_some_and(|id| object_id::parse(id).is_some()))
}

async fn get(
    session: Session,
    Path((collection, id)): Path<(String, String)>,
    parameters: Parameters,
) -> ApiResult {
    session.check_exists(&collection)?;
    let all = query::flag(&parameters, "metafields")?;
    let session = system::shown_to(&session, |_| all);
    let found = session.get(&collection, &id, At::Now).await?;
    let mut out = Vec::with_capacity(found.body.len() * 5 / 4 + 64);
    Shown { all, named: Vec::new() }.write(Raw::trusted(&found.body), &mut out);
    Ok(reply::json(StatusCode::OK, found.position, out))
}

async fn update(
    session: Session,
    Path((collection, id)): Path<(String, String)>,
    sent: Sent,
) -> ApiResult {
    let body = of_update(sent.object(session.engine()).await?)?.to_bytes();
    let body = Raw::trusted(&body);
    let patch = Patch::new(body, Patch::has_operators(body).then_some(body))?;
    let place = (collection.as_str(), id.as_str());
    let patch = (patch, IdRule::PlainJson);
    let committed = session.patch(place, patch, Condition::None, None).await?;
    one(&session, &collection, &committed)
}

/// What of the body of an update changes something.
fn of_update(body: Object) -> ApiResult<Object> {
    let mut kept = Object::new();
    for (name, value) in system::without(body, |_| false) {
        if !name.starts_with('$') {
            kept.insert(name, value);
            continue;
        }
        let Value::Object(fields) = value else {
            let message = format!("{name} must be an object of fields");
            return Err(ApiError::bad_request("invalid_operator", message));
        };
        let is_number = matches!(name.as_str(), "$inc" | "$mul");
        let fields: Object = fields
            .into_iter()
            .filter(|(path, _)| !system::is_ignored(path))
            .map(|(path, value)| (path, if is_number { number(value) } else { value }))
            .collect();
        if !fields.is_empty() {
            kept.insert(name, fields);
        }
    }
    Ok(kept)
}

/// A number that may be written as a text.
fn number(value: Value) -> Value {
    let Some(text) = value.as_str() else { return value };
    let whole = text.trim().parse().ok().map(Value::integer);
    let number = whole
        .or_else(|| text.trim().parse().ok().filter(|n: &f64| n.is_finite()).map(Value::Double));
    number.unwrap_or(value)
}

async fn delete(
    session: Session,
    Path((collection, id)): Path<(String, String)>,
    parameters: Parameters,
    sent: Sent,
) -> ApiResult {
    if id != SEVERAL {
        let committed = session.delete(&collection, &id, Condition::None, None).await?;
        let ids = committed.outcomes.iter().map(|outcome| Raw::trusted(&outcome.id));
        return Ok(reply::json(StatusCode::OK, committed.position, writing::result(ids)));
    }
    session.check_exists(&collection)?;
    let removed = match sent.ids(session.engine()).await? {
        Some(ids) => {
            let ids: Vec<_> = ids.iter().map(|id| query::id(id).to_bytes()).collect();
            session.remove(&collection, &ids, None).await?
        }
        None if parameters.get("q").is_some() => {
            session.full_access()?;
            let mut asking = Asking::filter_alone(&parameters, session.engine())?;
            asking.filter = session.typed(&collection, asking.filter);
            let ids = found(&session, &collection, &asking).await?;
            session.remove(&collection, &ids, asking.stored_filter().as_deref()).await?
        }
        None => {
            let message =
                "a deletion of several documents needs an array of ids or the parameter q";
            return Err(ApiError::bad_request("nothing_named", message));
        }
    };
    let ids = removed.ids.iter().map(|id| Raw::trusted(id));
    Ok(reply::json(StatusCode::OK, removed.position, writing::result(ids)))
}

/// The ids of what a filter finds, encoded.
async fn found(session: &Session, collection: &str, asking: &Asking) -> ApiResult<Vec<Vec<u8>>> {
    let ids_alone: Object = [("_id".to_owned(), Value::Int32(1))].into_iter().collect();
    let (filter, ids_alone) = (asking.filter.to_bytes(), ids_alone.to_bytes());
    let (filter, ids_alone) = (Raw::trusted(&filter), Raw::trusted(&ids_alone));
    let query = ListQuery {
        asked: Asked::new(Some(filter), None, Some(ids_alone), Format::Extended),
        limit: usize::MAX,
        skip: 0,
        cursor: None,
        at: At::Now,
        count: false,
        explain: false,
    };
    let session = system::shown_to(session, |name| asking.mentions(name));
    let listing = session.list(collection, query).await?;
    let id = |document: &bytes::Bytes| {
        let id = Raw::trusted(document).get("_id")?;
        Some(id.as_bytes().to_vec())
    };
    Ok(listing.documents.iter().filter_map(id).collect())
}

/// The document after a write.
fn one(session: &Session, collection: &str, committed: &Committed) -> ApiResult<Response> {
    let written = session.written_with(collection, committed, &system::of_writes(session))?;
    let mut out = Vec::new();
    let body = written.first().map_or(Raw::NULL, |body| Raw::trusted(body));
    Shown::written().write(body, &mut out);
    Ok(reply::json(StatusCode::OK, committed.position, out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::limits::Limits;
    use headwater_engine::value::json;

    fn shown(text: &str) -> String {
        let bytes = json::parse_value(text.as_bytes(), &Limits::default()).unwrap();
        let Value::Object(body) = Raw::trusted(&bytes).to_value() else { panic!("{text}") };
        let mut out = Vec::new();
        json::write(Raw::trusted(&of_update(body).unwrap().to_bytes()), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn system_fields_of_a_body_are_ignored() {
        let rows = [
            (
                r#"{"_id":"x","a":1,"_created":"y","_version":9,"_parent_id":"p"}"#,
                r#"{"a":1,"_parent_id":"p"}"#,
            ),
            (r#"{"$set":{"_changed":1,"b":2},"$inc":{"_version":1}}"#, r#"{"$set":{"b":2}}"#),
            (r#"{"$inc":{"n":"1","m":"-2.5","t":"x"}}"#, r#"{"$inc":{"n":1,"m":-2.5,"t":"x"}}"#),
        ];
        for (sent, wanted) in rows {
            assert_eq!(shown(sent), wanted);
        }
    }
}
