//! Live queries: `/v1/live/{collection}`.

use axum::extract::{Path, State};
use http::HeaderMap;

use super::following;
use crate::auth::{Acl, Action};
use crate::error::ApiResult;
use crate::extract::{Format, Parameters};
use crate::router::{Needs, Routes};
use crate::session::Session;
use crate::state::App;
use crate::stream::LiveAsked;

/// The route of live queries.
pub(super) fn routes() -> Routes {
    const FOLLOW: Needs = Needs::Collection(Action::Subscribe, &[Acl::Stream]);
    Routes::new().add("get", "/v1/live/{collection}", FOLLOW, follow)
}

async fn follow(
    State(app): State<App>,
    session: Session,
    Path(collection): Path<String>,
    parameters: Parameters,
    format: Format,
    headers: HeaderMap,
) -> ApiResult {
    following::check_names(&parameters, &["filter", "sort", "projection", "limit"])?;
    let limits = session.engine().limits();
    let asked = LiveAsked {
        collection,
        filter: parameters.json("filter", limits)?,
        sort: parameters.json("sort", limits)?,
        projection: parameters.json("projection", limits)?,
        limit: parameters.number("limit")?,
    };
    let topic = asked.topic(&session, format)?;
    following::stream(app, &session, &parameters, &headers, topic).await
}
