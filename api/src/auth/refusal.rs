//! How a credential is refused: always 401, with a code that says as much as whoever presents it may know.

use http::StatusCode;

use super::credential::Unfit;
use super::jws::{self, Flaw};
use crate::error::ApiError;

/// Nothing is known of what was presented.
pub(super) fn unknown() -> ApiError {
    ApiError::unauthorized("the credential is unknown")
}

/// Its time is over.
pub(super) fn expired() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "credential_expired", "the credential has expired")
}

/// It was revoked, or a rotation replaced it.
pub(super) fn revoked() -> ApiError {
    let message = "the credential was revoked, or replaced by a rotation";
    ApiError::new(StatusCode::UNAUTHORIZED, "credential_revoked", message)
}

/// The user that it stands for may not come in.
pub(super) fn disabled() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "user_disabled", "the user is disabled")
}

/// What is wrong with a signed token.
pub(super) fn of_token(flaw: Flaw) -> ApiError {
    if flaw == jws::EXPIRED {
        return ApiError::new(StatusCode::UNAUTHORIZED, "credential_expired", flaw);
    }
    ApiError::unauthorized(flaw)
}

/// What a secret lacks.
pub(super) fn of(unfit: Unfit) -> ApiError {
    match unfit {
        Unfit::Unknown => unknown(),
        Unfit::Expired => expired(),
        Unfit::Revoked => revoked(),
    }
}
