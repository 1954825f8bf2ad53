//! Tokens made from keys: `/v1/tokens`.

use axum::extract::State;
use headwater_engine::value::{Raw, date};
use http::StatusCode;
use serde_json::json;

use crate::error::{ApiError, ApiResult};
use crate::extract::{Payload, invalid};
use crate::reply;
use crate::router::{Needs, Routes};
use crate::session::Session;
use crate::state::App;

/// Longest life of a token that can be asked for, seconds.
const SECONDS_MAX: u64 = 24 * 3600;

/// The route of tokens.
pub(super) fn routes() -> Routes {
    Routes::new().add("post", "/v1/tokens", Needs::Credential, make)
}

/// Writes nothing, so it takes no idempotency key: every token is another one.
async fn make(State(app): State<App>, session: Session, payload: Payload) -> ApiResult {
    let seconds = match payload.bytes.is_empty() {
        true => None,
        false => seconds(Raw::trusted(&payload.document(&app.engine).await?))?,
    };
    let seconds = seconds.unwrap_or_else(|| app.access.options().token_seconds);
    let made = app.access.token_for(session.principal(), seconds.saturating_mul(1000));
    let (token, ends_ms) = made.ok_or_else(|| {
        let message = "a token is made from a key or a password, not from a token or a session";
        ApiError::new(StatusCode::FORBIDDEN, "key_needed", message)
    })?;
    let expires_at = date::format_ms(i64::try_from(ends_ms).unwrap_or(i64::MAX));
    let body = json!({"token": token, "expires_at": expires_at});
    Ok(reply::value(StatusCode::OK, app.engine.position(), &body))
}

fn seconds(body: Raw<'_>) -> ApiResult<Option<u64>> {
    let mut seconds = None;
    for (name, value) in body.object_iter() {
        if name != "ttl_seconds" {
            let message = format!("a token has no member `{name}` to set");
            return Err(ApiError::bad_request("unknown_member", message).with("member", name));
        }
        let given = value.as_i64().and_then(|seconds| u64::try_from(seconds).ok());
        let given = given.filter(|seconds| (1..=SECONDS_MAX).contains(seconds));
        seconds = Some(given.ok_or_else(|| invalid("ttl_seconds", "from 1 to 86,400 seconds"))?);
    }
    Ok(seconds)
}
