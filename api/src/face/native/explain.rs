//! `/v1/admin/explain`: what became of an event for a webhook, or for a stream under a credential. Full access alone.

use axum::extract::State;
use headwater_engine::explain::{Explained, Outcome, block_at};
use headwater_engine::subscribe::BodyFilter;
use headwater_engine::{Error, Event};
use http::StatusCode;
use serde_json::{Value, json};

use crate::auth::Standing;
use crate::error::{ApiError, ApiResult};
use crate::extract::{Parameters, invalid};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::{Session, blocking, explain_to};
use crate::state::App;
use crate::stream::body_filter;

/// What hides everything from a credential that lets nobody in.
const CREDENTIAL: &str = "credential";

/// The routes of explanations.
pub(super) fn routes() -> Routes {
    Routes::new().add("get", "/v1/admin/explain", Needs::FullAccess, explain)
}

async fn explain(State(app): State<App>, session: Session, parameters: Parameters) -> ApiResult {
    session.full_access()?;
    parameters.only(&["position", "webhook", "credential", "filter"])?;
    let position = parameters.number("position")?;
    let position = position.ok_or_else(|| invalid("position", "the position of an event"))?;
    let explained = match (parameters.get("webhook"), parameters.get("credential")) {
        (Some(webhook), None) => {
            if parameters.get("filter").is_some() {
                return Err(invalid("filter", "given with `credential` alone"));
            }
            for_webhook(&app, webhook, position).await?
        }
        (None, Some(credential)) => {
            let given = parameters.json("filter", app.engine.limits())?;
            let filter = body_filter(&session, given.as_deref())?;
            for_credential(&app, credential, filter, position).await?
        }
        (Some(_), Some(_)) => return Err(invalid("credential", "given without `webhook`")),
        (None, None) => return Err(invalid("webhook", "given, or else `credential`")),
    };
    Ok(reply::value(StatusCode::OK, app.engine.position(), &shown(&explained)))
}

async fn for_webhook(app: &App, webhook: &str, position: u64) -> ApiResult<Explained> {
    let owner = app.webhooks.get(webhook)?.owner.clone();
    app.access.settled().await?;
    let explained = app.webhooks.explain(webhook, position).await?;
    if explained.outcome != Outcome::NotVisible {
        return Ok(explained);
    }
    let access = app.access.clone();
    let is_in = blocking(&app.engine, move || Ok(access.lets_owner_in(&owner))).await?;
    let rule = if is_in { explained.rule } else { Some(CREDENTIAL) };
    Ok(Explained { rule, ..explained })
}

async fn for_credential(
    app: &App,
    credential: &str,
    filter: Option<BodyFilter>,
    position: u64,
) -> ApiResult<Explained> {
    app.access.settled().await?;
    let (access, id) = (app.access.clone(), credential.to_owned());
    let standing = blocking(&app.engine, move || Ok(access.standing_of(&id))).await?;
    let grant = match standing {
        Standing::Unknown => return Err(no_credential(credential)),
        Standing::Void => None,
        Standing::Allows(grant) => Some(grant),
    };
    let engine = app.engine.clone();
    let explained = blocking(&app.engine, move || {
        let block = block_at(&engine, position)?;
        let record = block.get(position);
        let record = record.ok_or_else(|| Error::internal("a block without its record"))?;
        let event = Event::decode(&record)?;
        Ok(match grant {
            Some(grant) => explain_to(&grant, &event, filter.as_ref()),
            None => Explained::hidden(CREDENTIAL),
        })
    });
    Ok(explained.await?)
}

fn shown(explained: &Explained) -> Value {
    json!({
        "outcome": explained.outcome.as_str(),
        "clause": explained.clause,
        "rule": explained.rule,
        "behind": explained.behind,
        "delivery": explained.delivery.map(|position| position.to_string()),
    })
}

fn no_credential(id: &str) -> ApiError {
    let shown: String = id.chars().take(64).collect();
    ApiError::not_found("credential_not_found", format!("there is no credential {shown}"))
}
