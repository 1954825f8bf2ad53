//! What is asked of a collection, in its own terms: lookups are what is stored, texts are what typed fields hold, and within
//! a list of children nothing else is meant.

use headwater_engine::fields::Fields;
use headwater_engine::value::Value;

use super::ParentScope;
use super::filter::translated;
use crate::error::ApiResult;
use crate::face::restdb::query::{ListRequest, all_of};
use crate::session::Session;

/// A request in the terms of a collection with these fields, within a list of children where that is asked.
pub(in crate::face::restdb) async fn asked_of(
    session: &Session,
    fields: Option<&Fields>,
    mut asking: ListRequest,
    within: Option<&ParentScope>,
) -> ApiResult<ListRequest> {
    asking.filter = translated(session, fields, asking.filter).await?;
    if let Some(scope) = within {
        asking.filter = all_of(scope.filter(), vec![Value::Object(asking.filter)]);
    }
    Ok(asking)
}
