//! Lists: `GET /rest/{collection}`, with everything that a query string can ask of one.
//!
//! Guarantees: one answer comes from one position, but for grand totals, whose levels are asked for one after another, and
//! for what is embedded in documents, which is read after them;
//! without totals, documents are not counted.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use headwater_engine::fields::Fields;
use headwater_engine::value::Raw;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value};

use super::answer::{Shown, sized};
use super::export::Export;
use super::markup::Markup;
use super::query::{ListRequest, nested};
use super::relations::{self, Base, Expansion, ParentScope};
use super::system;
use crate::audit::target as audited;
use crate::auth::{Acl, Action, Kind};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Format, Parameters};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{Asked, At, ListQuery, Listing, Session, blocking};
use crate::state::App;

const PAGINATION: HeaderName = HeaderName::from_static("x-pagination");

/// The route of lists.
pub(super) fn routes() -> Routes {
    let needs = Needs::Collection(Action::Read, &[Acl::Search]);
    Routes::new().add("get", "/rest/{collection}", needs, list)
}

async fn list(
    State(app): State<App>,
    session: Session,
    Path(collection): Path<String>,
    parameters: Parameters,
    base: Base,
    suffix: Option<Extension<Markup>>,
) -> ApiResult {
    let fields = session.existing(&collection)?;
    let suffix = suffix.map(|Extension(markup)| markup);
    answer(app, session, (&collection, fields.as_ref()), (&parameters, base, suffix), None).await
}

/// What a query string asks of a collection, within a list of children where that is asked.
pub(super) async fn answer(
    app: App,
    session: Session,
    (collection, fields): (&str, Option<&Arc<Fields>>),
    (parameters, base, suffix): (&Parameters, Base, Option<Markup>),
    within: Option<&ParentScope>,
) -> ApiResult {
    let markup = match (suffix, parameters.get("format")) {
        (Some(markup), _) => markup,
        (None, Some(name)) => Markup::named(name)?,
        (None, None) => Markup::Json,
    };
    if markup == Markup::Script && session.principal().kind == Kind::Cookie {
        // Any page may include a script, and the browser sends the cookie along.
        let message = "a session's cookie does not open scripts: send a key or a token";
        return Err(ApiError::forbidden(message));
    }
    let asking = ListRequest::read(parameters, session.engine())?;
    let typed = fields.map(|fields| &**fields);
    let mut asking = relations::asked_of(&session, typed, asking, within).await?;
    let shown = relations::take_paths(typed, &mut asking)?;
    let expansion = Expansion::read(parameters, base)?
        .showing_facts(asking.metafields)
        .of_fields(asking.fields.clone(), shown);
    let session = system::shown_to(&session, |name| asking.mentions(name));
    if let Markup::Export(format) = markup {
        let shown = Shown { all: false, named: shown_names(&asking) };
        let collection = collection.to_owned();
        app.audit.note(session.audit_entry("export", audited("collection", &collection)));
        return Export { app, session, collection, asking, shown, format }.answer().await;
    }
    let answer = match (&asking.distinct, &asking.grouping) {
        (Some(field), _) => distinct(&session, collection, field, &asking).await,
        (None, Some(_)) => grouped(&session, collection, asking.clone()).await,
        (None, None) => documents(&session, (collection, fields), &asking, &expansion).await,
    };
    let answer = answer.map_err(|error| asking.blamed(session.engine(), error))?;
    if markup == Markup::Json {
        return Ok(answer.into_response(markup));
    }
    Ok(blocking(session.engine(), move || Ok(answer.into_response(markup))).await?)
}

/// An answer before its format.
struct Answer {
    position: u64,
    body: Vec<u8>,
    pagination: Option<Value>,
}

impl Answer {
    fn into_response(self, markup: Markup) -> Response {
        let written = markup.of(&self.body);
        let mut response = match written {
            Some(response) => response,
            None => reply::json(StatusCode::OK, self.position, self.body),
        };
        let headers = response.headers_mut();
        headers.insert(reply::POSITION, HeaderValue::from(self.position));
        let pagination = self.pagination.map(|pagination| pagination.to_string());
        if let Some(Ok(pagination)) = pagination.map(HeaderValue::try_from) {
            headers.insert(PAGINATION, pagination);
        }
        response
    }
}

async fn documents(
    session: &Session,
    (collection, fields): (&str, Option<&Arc<Fields>>),
    asking: &ListRequest,
    expansion: &Expansion,
) -> ApiResult<Answer> {
    let (filter, sort) = (asking.filter.to_bytes(), asking.sort.to_bytes());
    let projection = asking.fields.to_bytes();
    let (filter, sort) = (Raw::trusted(&filter), Raw::trusted(&sort));
    let asked =
        Asked::new(Some(filter), Some(sort), Some(Raw::trusted(&projection)), Format::Extended);
    let query = ListQuery {
        // One is looked for where none is wanted.
        limit: if asking.count_alone { 1 } else { asking.max().max(1) },
        skip: if asking.count_alone { 0 } else { asking.skip },
        count: asking.totals,
        ..ListQuery::new(asked)
    };
    let mut listing = session.list(collection, query).await?;
    if asking.count_alone || asking.max() == 0 {
        listing.documents.clear();
    }
    let pagination = pagination(&listing, asking);
    let totals = asking.totals.then(|| pagination.to_string());
    let shown = Shown { all: false, named: shown_names(asking) };
    let Listing { documents, position, .. } = listing;
    let documents = expansion.apply(session, (collection, fields), documents).await?;
    let body = written(session, documents, shown, totals).await?;
    Ok(Answer { position, body, pagination: Some(pagination) })
}

/// The system fields that an answer has.
fn shown_names(asking: &ListRequest) -> Vec<String> {
    if asking.metafields {
        return system::names().map(str::to_owned).collect();
    }
    asking.named_fields()
}

/// The numbers of a list; `total` where it is known.
fn pagination(listing: &Listing, asking: &ListRequest) -> Value {
    let count = listing.documents.len();
    let (skip, max) = (asking.skip, asking.max());
    // A page that is not full ends the list.
    let is_end = !asking.totals && count < max && (count > 0 || skip == 0);
    let total = listing.count.or_else(|| is_end.then_some((skip + count) as u64));
    let mut totals = Map::new();
    if let Some(total) = total {
        totals.insert("total".to_owned(), Value::from(total));
    }
    let (count, skip) = match total {
        Some(total) if asking.count_alone => (total, 0),
        _ => (count as u64, skip),
    };
    totals.insert("count".to_owned(), Value::from(count));
    totals.insert("skip".to_owned(), Value::from(skip));
    totals.insert("max".to_owned(), Value::from(max));
    Value::Object(totals)
}

/// An array, or an object with it and the totals.
async fn written(
    session: &Session,
    documents: Vec<Bytes>,
    shown: Shown,
    totals: Option<String>,
) -> ApiResult<Vec<u8>> {
    let bytes: usize = documents.iter().map(Bytes::len).sum();
    let write = move || {
        let mut out = Vec::with_capacity(bytes * 5 / 4 + 128);
        if totals.is_some() {
            out.extend_from_slice(b"{\"data\":");
        }
        shown.write_all(documents.iter().map(|one| Raw::trusted(one)), &mut out);
        if let Some(totals) = totals {
            out.extend_from_slice(format!(",\"totals\":{totals}}}").as_bytes());
        }
        Ok(out)
    };
    Ok(sized(session, bytes, write).await?)
}

async fn distinct(
    session: &Session,
    collection: &str,
    field: &str,
    asking: &ListRequest,
) -> ApiResult<Answer> {
    let found = session.distinct(collection, (field, asking.filter.to_bytes()), At::Now).await?;
    let mut values = found.values;
    // Values come upward; the first field of a sort says whether they are wanted downward.
    let is_down = asking.sort.iter().next().is_some_and(|(_, value)| value.as_i64() == Some(-1));
    if is_down {
        values.reverse();
    }
    let total = values.len() as u64;
    let page: Vec<_> = values.into_iter().skip(asking.skip).take(asking.max()).collect();
    let listing = Listing { documents: page, count: Some(total), ..Listing::default() };
    let pagination = pagination(&listing, asking);
    let totals = asking.totals.then(|| pagination.to_string());
    let documents = if asking.count_alone { Vec::new() } else { listing.documents };
    let body = written(session, documents, Shown::all(), totals).await?;
    Ok(Answer { position: found.position, body, pagination: Some(pagination) })
}

async fn grouped(session: &Session, collection: &str, asking: ListRequest) -> ApiResult<Answer> {
    let Some(grouping) = &asking.grouping else {
        return Err(headwater_engine::Error::internal("nothing to group by").into());
    };
    let mut groups = Vec::new();
    let mut position = 0;
    for depth in grouping.depths() {
        let pipeline = grouping.pipeline(&asking, depth);
        let found = session.aggregate(collection, (pipeline, At::Now), None).await?;
        position = found.position;
        groups.push((depth, found.values));
    }
    let asking = Arc::new(asking);
    let held = Arc::clone(&asking);
    let write = move || {
        let shown = Shown { all: false, named: shown_names(&held) };
        let grouping = held.grouping.as_ref();
        Ok(grouping.map(|grouping| nested(grouping, &groups, &shown)).unwrap_or_default())
    };
    let body = blocking(session.engine(), write).await?;
    Ok(Answer { position, body, pagination: None })
}
