//! Queries: `POST /v1/collections/{c}/query`. Filters come with the query language; until then they are refused by name.

use axum::extract::Path;
use headwater_engine::value::Raw;

use super::list::listing;
use crate::auth::Action;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Format, Payload, invalid, page_limit, refuse_unless_empty};
use crate::router::{Needs, Routes};
use crate::session::{At, ListQuery, Session};

/// The routes of queries.
pub(super) fn routes() -> Routes {
    Routes::new()
        .add("post", "/v1/collections/{collection}/query", Needs::Action("read"), query)
        .add("post", "/v1/collections/{collection}/update", Needs::Action("update"), update)
        .add("post", "/v1/collections/{collection}/delete", Needs::Action("delete"), delete)
        .add("post", "/v1/collections/{collection}/aggregate", Needs::Action("read"), aggregate)
        .add("post", "/v1/collections/{collection}/distinct", Needs::Action("read"), distinct)
}

async fn query(
    session: Session,
    Path(collection): Path<String>,
    format: Format,
    payload: Payload,
) -> ApiResult {
    session.check(&collection, Action::Read)?;
    let body = payload.value(session.engine()).await?;
    let query = read(Raw::trusted(&body))?;
    Ok(listing(&session.list(&collection, query).await?, format))
}

/// Reads the body of a query.
fn read(body: Raw<'_>) -> ApiResult<ListQuery> {
    let members = body
        .as_object()
        .ok_or_else(|| ApiError::bad_request("not_an_object", "a query must be an object"))?;
    let (mut limit, mut skip) = (None, None);
    let mut query = ListQuery { limit: 0, skip: 0, cursor: None, at: At::Now, count: false };
    for (name, value) in members {
        match name {
            "filter" => refuse_unless_empty("filter", Some(value))?,
            "sort" => refuse_unless_empty("sort", Some(value))?,
            "projection" => refuse_unless_empty("projection", Some(value))?,
            "limit" => limit = number("limit", value)?,
            "skip" => skip = number("skip", value)?,
            "cursor" => query.cursor = text("cursor", value)?,
            "at" => query.at = At::read(Some(value))?,
            "count" => query.count = flag("count", value)?,
            "explain" if flag("explain", value)? => return Err(ApiError::unsupported("explain")),
            "explain" => {}
            _ => {
                let message = format!("a query has no member `{name}`");
                return Err(ApiError::bad_request("unknown_member", message).with("member", name));
            }
        }
    }
    query.limit = page_limit(limit)?;
    query.skip = usize::try_from(skip.unwrap_or(0)).unwrap_or(usize::MAX);
    Ok(query)
}

fn number(name: &'static str, value: Raw<'_>) -> ApiResult<Option<u64>> {
    if value.is_null() {
        return Ok(None);
    }
    let number = value.as_i64().and_then(|number| u64::try_from(number).ok());
    number.map(Some).ok_or_else(|| invalid(name, "a whole number"))
}

fn text(name: &'static str, value: Raw<'_>) -> ApiResult<Option<String>> {
    if value.is_null() {
        return Ok(None);
    }
    value.as_str().map(|text| Some(text.to_owned())).ok_or_else(|| invalid(name, "a text"))
}

fn flag(name: &'static str, value: Raw<'_>) -> ApiResult<bool> {
    value.as_bool().ok_or_else(|| invalid(name, "true or false"))
}

async fn update(session: Session, Path(collection): Path<String>) -> ApiError {
    refuse(&session, &collection, Action::Update, "update by filter")
}

async fn delete(session: Session, Path(collection): Path<String>) -> ApiError {
    refuse(&session, &collection, Action::Delete, "delete by filter")
}

async fn aggregate(session: Session, Path(collection): Path<String>) -> ApiError {
    refuse(&session, &collection, Action::Read, "aggregate")
}

async fn distinct(session: Session, Path(collection): Path<String>) -> ApiError {
    refuse(&session, &collection, Action::Read, "distinct")
}

fn refuse(session: &Session, collection: &str, action: Action, what: &'static str) -> ApiError {
    session.check(collection, action).err().unwrap_or_else(|| ApiError::unsupported(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::limits::Limits;
    use headwater_engine::value::json;

    fn read_text(text: &str) -> ApiResult<ListQuery> {
        let bytes = json::parse_value(text.as_bytes(), &Limits::default()).unwrap();
        read(Raw::trusted(&bytes))
    }

    #[test]
    fn queries_are_read() {
        let query = read_text(r#"{"filter":{},"limit":5,"skip":2,"at":9,"count":true}"#).unwrap();
        assert_eq!((query.limit, query.skip, query.count), (5, 2, true));
        assert_eq!(query.at, At::Position(9));
        assert_eq!(read_text("{}").unwrap().limit, 100);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for wrong in [
            r#"{"filter":{"a":1}}"#,
            r#"{"explain":true}"#,
            r#"{"limit":1001}"#,
            r#"{"limit":-1}"#,
            r#"{"fliter":{}}"#,
            "[]",
        ] {
            assert!(read_text(wrong).is_err(), "{wrong}");
        }
    }
}
