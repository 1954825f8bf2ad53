//! Documents: `/rest/{collection}` and `/rest/{collection}/{id}`, but for lists and deletions.
//!
//! Guarantees: PUT and PATCH merge; several documents are written all or none; system fields in bodies change nothing.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::Response;
use bytes::Bytes;
use headwater_engine::fields::Fields;
use headwater_engine::value::document::IdRule;
use headwater_engine::value::{Object, Raw, Value, object_id};
use headwater_engine::write::{Checks, Committed};
use http::StatusCode;

use super::answer::{self, Shown};
use super::body::{Documents, Sent};
use super::import::Rows;
use super::paths;
use super::query::{self, ListRequest};
use super::relations::{self, Base, Expansion, ParentScope};
use super::system;
use crate::auth::{Acl, Action};
use crate::error::{ApiError, ApiResult, shortened};
use crate::extract::{Condition, Parameters};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{At, Patch, Session, prepare_all};

/// The routes of documents.
pub(super) fn routes() -> Routes {
    const MANY: &str = "/rest/{collection}";
    const ONE: &str = "/rest/{collection}/{id}";
    Routes::new()
        .add("post", MANY, Needs::Collection(Action::Create, &[Acl::Index, Acl::Bulk]), create)
        .add("get", ONE, Needs::Collection(Action::Read, &[Acl::Get]), get)
        .add("put", ONE, Needs::Collection(Action::Update, &[Acl::Index]), update)
        .add("patch", ONE, Needs::Collection(Action::Update, &[Acl::Index]), update)
}

async fn create(
    session: Session,
    Path(collection): Path<String>,
    parameters: Parameters,
    sent: Sent,
) -> ApiResult {
    if let Some(rows) = sent.rows(session.engine(), &collection).await? {
        return create_rows(&session, &collection, (&parameters, rows)).await;
    }
    create_in(&session, &collection, (&parameters, &sent), |document| document).await
}

/// Stores new documents, each as `made` gives it.
pub(super) async fn create_in(
    session: &Session,
    collection: &str,
    (parameters, sent): (&Parameters, &Sent),
    made: impl Fn(Object) -> Object,
) -> ApiResult {
    session.check(collection, Action::Create)?;
    let checks = checks(session, collection, parameters)?;
    let (documents, is_one) = match sent.documents(session.engine()).await? {
        Documents::One(document) => (vec![document], true),
        Documents::Many(documents) => (documents, false),
    };
    if documents.is_empty() {
        return Ok(reply::json(StatusCode::CREATED, session.engine().position(), "[]"));
    }
    let encoded = of_create(session, documents, made)?;
    let prepared = prepare_all(session.engine(), encoded, IdRule::PlainJson)?;
    let committed = session.create_with(collection, prepared, None, checks).await?;
    let written = written(session, collection, &committed).await?;
    let out = answer::text(session, written, Shown::written(), !is_one).await?;
    Ok(reply::json(StatusCode::CREATED, committed.position, out))
}

/// Whether new documents are checked: `validate=false` counts for those who could change the rules themselves.
fn checks(session: &Session, collection: &str, parameters: &Parameters) -> ApiResult<Checks> {
    let is_unwanted = parameters.get("validate").is_some() && !query::flag(parameters, "validate")?;
    // Paths alone give every action, but do not lead to where rules are changed.
    let may = session.check(collection, Action::Settings).is_ok()
        && session.check_acl(Acl::Settings).is_ok()
        && !session.grant().is_by_path();
    Ok(if is_unwanted && may { Checks::Unchecked } else { Checks::All })
}

/// Documents of a file, all or none; a refusal names the line.
async fn create_rows(
    session: &Session,
    collection: &str,
    (parameters, rows): (&Parameters, Rows),
) -> ApiResult {
    let checks = checks(session, collection, parameters)?;
    let lines = rows.lines();
    let documents = rows.documents;
    if documents.is_empty() {
        return Ok(reply::json(StatusCode::CREATED, session.engine().position(), "[]"));
    }
    let committing = async {
        let encoded = of_create(session, documents, |document| document)?;
        let prepared = prepare_all(session.engine(), encoded, IdRule::PlainJson)?;
        session.create_with(collection, prepared, None, checks).await
    };
    let committed = committing.await.map_err(|error| Rows::named(&lines, error))?;
    let written = written(session, collection, &committed).await?;
    let out = answer::text(session, written, Shown::written(), true).await?;
    Ok(reply::json(StatusCode::CREATED, committed.position, out))
}

/// What is stored of new documents, encoded; a refusal says which of them it is about.
fn of_create(
    session: &Session,
    documents: Vec<Object>,
    made: impl Fn(Object) -> Object,
) -> ApiResult<Vec<Vec<u8>>> {
    let nesting = session.engine().limits().nesting;
    let each = |(place, document): (usize, Object)| {
        let stored = paths::unfolded(system::without(document, is_own_id), nesting);
        let stored = stored.map_err(|error| error.with("operation", place as u64))?;
        Ok(made(stored).to_bytes())
    };
    documents.into_iter().enumerate().map(each).collect()
}

/// Whether an `_id` could be one of the face's.
fn is_own_id(id: &Value) -> bool {
    id.as_str().is_some_and(|id| object_id::parse(id).is_some())
}

async fn get(
    session: Session,
    Path((collection, id)): Path<(String, String)>,
    parameters: Parameters,
    base: Base,
) -> ApiResult {
    let fields = session.existing(&collection)?;
    if query::flag(&parameters, "referencedby")? {
        return referring(session, (&collection, &id), (&parameters, base)).await;
    }
    let place = (collection.as_str(), fields.as_ref(), id.as_str());
    get_in(session, place, (&parameters, base), None).await
}

/// A document, if it is in a list of children where that is asked.
pub(super) async fn get_in(
    session: Session,
    (collection, fields, id): (&str, Option<&Arc<Fields>>, &str),
    (parameters, base): (&Parameters, Base),
    within: Option<&ParentScope>,
) -> ApiResult {
    let all = query::flag(parameters, "metafields")?;
    let expansion = Expansion::read(parameters, base)?.showing_facts(all);
    let session = system::shown_to(&session, |_| all);
    let found = session.get(collection, id, At::Now).await;
    let found = found.map_err(|error| match within {
        Some(scope) if error.status() == StatusCode::NOT_FOUND => scope.no_child(id),
        _ => error,
    })?;
    if let Some(scope) = within {
        scope.check(Raw::trusted(&found.body), id)?;
    }
    let expanded = expansion.apply(&session, (collection, fields), vec![found.body]).await?;
    let shown = Shown { all, named: Vec::new() };
    let out = answer::text(&session, expanded, shown, false).await?;
    Ok(reply::json(StatusCode::OK, found.position, out))
}

/// The documents that refer to one.
async fn referring(
    session: Session,
    (collection, id): (&str, &str),
    (parameters, base): (&Parameters, Base),
) -> ApiResult {
    let asking = ListRequest::read(parameters, session.engine())?;
    let all = asking.metafields;
    let expansion = Expansion::read(parameters, base)?.showing_facts(all);
    let session = system::shown_to(&session, |_| all);
    let found = session.get(collection, id, At::Now).await?;
    let id = Raw::trusted(&found.body).get("_id").unwrap_or(Raw::NULL);
    let max = asking.max();
    let referring = relations::referring(&session, (collection, id), &expansion, max).await?;
    let shown = Shown { all, named: Vec::new() };
    let out = answer::text(&session, referring, shown, true).await?;
    Ok(reply::json(StatusCode::OK, found.position, out))
}

async fn update(
    session: Session,
    Path((collection, id)): Path<(String, String)>,
    sent: Sent,
) -> ApiResult {
    update_in(&session, (&collection, &id), &sent, None).await
}

/// Changes a document, if it is in a list of children where that is asked; then it stays in it.
pub(super) async fn update_in(
    session: &Session,
    (collection, id): (&str, &str),
    sent: &Sent,
    within: Option<&ParentScope>,
) -> ApiResult {
    let mut body = of_update(sent.object(session.engine()).await?)?;
    if within.is_some() {
        body = ParentScope::without_parent(body);
    }
    let body = relations::with_ids(session, collection, body).to_bytes();
    let body = Raw::trusted(&body);
    let mut patch = Patch::new(body, Patch::has_operators(body).then_some(body))?;
    if let Some(scope) = within {
        patch = patch.held_to(scope.held());
    }
    let patch = (patch, IdRule::PlainJson);
    let committed = session.patch((collection, id), patch, Condition::None, None).await;
    let committed = committed.map_err(|error| match within {
        Some(scope) if error.status() == StatusCode::NOT_FOUND => scope.no_child(id),
        _ => error,
    })?;
    one(session, collection, &committed).await
}

/// What of the body of an update changes something.
fn of_update(body: Object) -> ApiResult<Object> {
    // Names come once each; setting them one by one would look at all of them each time.
    let mut kept = Vec::new();
    // A path is set where it leads, as `$set` has it; a name with a dot in it would be found by no query.
    let mut deep = Vec::new();
    for (name, value) in system::without(body, |_| false) {
        if !name.starts_with('$') {
            let place = if name.contains('.') { &mut deep } else { &mut kept };
            place.push((name, value));
            continue;
        }
        let Value::Object(fields) = value else {
            let message = format!("{name} must be an object of fields");
            return Err(ApiError::bad_request("invalid_operator", message));
        };
        if name == "$rename"
            && let Some((_, to)) =
                fields.iter().find(|(_, to)| to.as_str().is_some_and(system::is_ignored))
        {
            let to = to.as_str().unwrap_or_default();
            let message = format!("$rename: `{}` is a system field", shortened(to));
            return Err(ApiError::bad_request("invalid_operator", message));
        }
        let is_number = matches!(name.as_str(), "$inc" | "$mul");
        let fields: Object = fields
            .into_iter()
            .filter(|(path, _)| !system::is_ignored(path))
            .map(|(path, value)| (path, if is_number { number(value) } else { value }))
            .collect();
        if name == "$set" {
            deep.extend(fields);
        } else if !fields.is_empty() {
            kept.push((name, Value::Object(fields)));
        }
    }
    if !deep.is_empty() {
        kept.push(("$set".to_owned(), Value::Object(deep.into_iter().collect())));
    }
    Ok(kept.into_iter().collect())
}

/// A number that may be written as a text.
fn number(value: Value) -> Value {
    let Some(text) = value.as_str() else { return value };
    let whole = text.trim().parse().ok().map(Value::integer);
    let number = whole
        .or_else(|| text.trim().parse().ok().filter(|n: &f64| n.is_finite()).map(Value::Double));
    number.unwrap_or(value)
}

/// The document after a write.
async fn one(session: &Session, collection: &str, committed: &Committed) -> ApiResult<Response> {
    let written = written(session, collection, committed).await?;
    let out = answer::text(session, written, Shown::written(), false).await?;
    Ok(reply::json(StatusCode::OK, committed.position, out))
}

/// The documents after a write, as they are answered. What was written is so, even if embedding fails.
async fn written(
    session: &Session,
    collection: &str,
    committed: &Committed,
) -> ApiResult<Vec<Bytes>> {
    let written = session.written_with(collection, committed, &system::of_writes(session))?;
    let fields = session.fields(collection);
    let place = (collection, fields.as_ref());
    let expanded = Expansion::default().apply(session, place, written.clone()).await;
    Ok(expanded.unwrap_or_else(|error| {
        if error.status() != StatusCode::BAD_REQUEST {
            tracing::warn!(collection, ?error, "what documents refer to could not be read");
        }
        written
    }))
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
