//! Reading by filter: `query`, `aggregate` and `distinct` of `/v1/collections/{c}`.

use axum::extract::Path;
use headwater_engine::value::{Object, Raw};
use http::StatusCode;
use serde_json::json;

use super::body::Members;
use super::list;
use crate::auth::{Acl, Action};
use crate::error::{ApiError, ApiResult};
use crate::extract::{Format, Parameters, Payload, Submission, page_limit};
use crate::reply::{self, write_number};
use crate::router::{Needs, Routes};
use crate::session::{Aggregated, Asked, Cursor, ListQuery, Session, ids_read, to_json};

/// The routes of queries.
pub(super) fn routes() -> Routes {
    Routes::new()
        .add(
            "post",
            "/v1/collections/{collection}/query",
            Needs::Collection(Action::Read, &[Acl::Search]),
            query,
        )
        .add(
            "post",
            "/v1/collections/{collection}/aggregate",
            Needs::Collection(Action::Read, &[Acl::Search]),
            aggregate,
        )
        .add(
            "post",
            "/v1/collections/{collection}/distinct",
            Needs::Collection(Action::Read, &[Acl::Search]),
            distinct,
        )
}

async fn query(
    session: Session,
    Path(collection): Path<String>,
    parameters: Parameters,
    format: Format,
    payload: Payload,
) -> ApiResult {
    parameters.only(&[])?;
    let body = payload.query(session.engine()).await?;
    let query = read(Raw::trusted(&body), payload.format)?;
    let explain = query.explain;
    let listing = session.list(&collection, query).await?;
    if !explain {
        return Ok(list::listing(session.engine(), listing, format).await?);
    }
    let bounds = to_json(Raw::trusted(&listing.plan.bounds.to_bytes()));
    let plan = json!({"plan": {
        "index": listing.plan.index,
        "bounds": bounds,
        "examined": listing.plan.examined,
        "returned": listing.plan.returned,
    }});
    Ok(reply::value(StatusCode::OK, listing.position, &plan))
}

/// Reads the body of a query.
fn read(body: Raw<'_>, format: Format) -> ApiResult<ListQuery> {
    const KNOWN: [&str; 9] =
        ["filter", "sort", "projection", "limit", "skip", "cursor", "at", "count", "explain"];
    let members = Members::of(body, "a query", &KNOWN)?;
    let filter = members.object("filter")?;
    let (sort, projection) = (members.object("sort")?, members.object("projection")?);
    Ok(ListQuery {
        asked: Asked::new(filter, sort, projection, format),
        limit: page_limit(members.number("limit")?)?,
        skip: usize::try_from(members.number("skip")?.unwrap_or(0)).unwrap_or(usize::MAX),
        cursor: members.text("cursor")?.map(Cursor::decode).transpose()?,
        at: members.at()?,
        count: members.flag("count")?,
        explain: members.flag("explain")?,
    })
}

async fn aggregate(
    session: Session,
    Path(collection): Path<String>,
    parameters: Parameters,
    format: Format,
    Submission { payload, key }: Submission,
) -> ApiResult {
    parameters.only(&[])?;
    let body = payload.query(session.engine()).await?;
    let members = Members::of(Raw::trusted(&body), "an aggregation", &["pipeline", "at"])?;
    let pipeline = members.required("pipeline")?;
    if pipeline.as_array().is_none() {
        return Err(crate::extract::invalid("pipeline", "an array of stages"));
    }
    let pipeline = ids_read(pipeline, payload.format).into_owned();
    let aggregated = session.aggregate(&collection, (pipeline, members.at()?), key).await?;
    answer(&session, "documents", aggregated, format).await
}

async fn distinct(
    session: Session,
    Path(collection): Path<String>,
    parameters: Parameters,
    format: Format,
    payload: Payload,
) -> ApiResult {
    parameters.only(&[])?;
    let body = payload.query(session.engine()).await?;
    let members = Members::of(Raw::trusted(&body), "a distinct query", &["field", "filter", "at"])?;
    members.required("field")?;
    let field = members.text("field")?.unwrap_or_default();
    let filter = filter_of(&members, payload.format)?;
    let distinct = session.distinct(&collection, (field, filter), members.at()?).await?;
    answer(&session, "values", distinct, format).await
}

/// The filter of a body as it is meant; none is `{}`.
pub(super) fn filter_of(members: &Members<'_>, format: Format) -> Result<Vec<u8>, ApiError> {
    let filter = members.object("filter")?;
    Ok(filter
        .map_or_else(|| Object::new().to_bytes(), |filter| ids_read(filter, format).into_owned()))
}

/// `{"<plural>":[..],"position"}`.
async fn answer(
    session: &Session,
    plural: &'static str,
    aggregated: Aggregated,
    format: Format,
) -> ApiResult {
    let Aggregated { values, position, repeated } = aggregated;
    let bytes = list::size(&values);
    let write = move |out: &mut Vec<u8>| {
        out.extend_from_slice(format!("{{\"{plural}\":").as_bytes());
        list::write_array(values.iter().map(|value| Raw::trusted(value)), format, out);
        out.extend_from_slice(b",\"position\":");
        write_number(position, out);
        out.push(b'}');
    };
    let body = list::written(session.engine(), bytes, write).await?;
    let response = reply::json(StatusCode::OK, position, body);
    Ok(super::documents::mark_if(response, repeated))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::At;
    use headwater_engine::limits::Limits;
    use headwater_engine::value::json;

    fn read_text(text: &str) -> ApiResult<ListQuery> {
        let bytes = json::parse_value(text.as_bytes(), &Limits::default()).unwrap();
        read(Raw::trusted(&bytes), Format::Plain)
    }

    #[test]
    fn queries_are_read() {
        let query = read_text(r#"{"filter":{},"limit":5,"skip":2,"at":9,"count":true}"#).unwrap();
        assert_eq!((query.limit, query.skip, query.count), (5, 2, true));
        assert_eq!(query.at, At::Position(9));
        assert_eq!(read_text("{}").unwrap().limit, 100);
        assert!(read_text(r#"{"filter":{"a":1},"sort":null,"explain":true}"#).unwrap().explain);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for wrong in [
            r#"{"filter":[]}"#,
            r#"{"explain":1}"#,
            r#"{"limit":1001}"#,
            r#"{"limit":-1}"#,
            r#"{"fliter":{}}"#,
            r#"{"cursor":"x"}"#,
            "[]",
        ] {
            assert!(read_text(wrong).is_err(), "{wrong}");
        }
    }
}
