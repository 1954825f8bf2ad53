//! What the native face answers when it refuses: one exhaustive match from the engine's kinds to statuses.
//!
//! Guarantees: nothing internal reaches a client; what went wrong inside is logged once, with the request's id.
//! Leaves to others: writing the body and giving the id ([`crate::service`]), the errors of other faces.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use headwater_engine::{Detail, Error, ErrorKind};
use http::{HeaderValue, StatusCode, header};

/// The fact that holds what a schema finds wrong, as the text of a JSON array of `{path, keyword, message}`.
const VIOLATIONS: &str = "violations";

/// A refusal.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    details: Vec<(&'static str, Detail)>,
    /// What went wrong inside; for the log alone.
    internal: Option<String>,
    retry_after_seconds: Option<u64>,
}

/// Characters of a name in a message: as many as a collection's name can have.
const SHORTENED: usize = 120;

/// The result of a handler.
pub(crate) type ApiResult<T = Response> = Result<T, ApiError>;

impl ApiError {
    /// A refusal with a status and its stable code.
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            details: Vec::new(),
            internal: None,
            retry_after_seconds: None,
        }
    }

    /// A malformed request.
    pub(crate) fn bad_request(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Something well known that this server does not do, by the name under which it was asked for.
    pub(crate) fn unsupported(member: &'static str) -> Self {
        Self::bad_request("unsupported", format!("`{member}` is not supported"))
            .with("member", member)
    }

    /// No credential, or no valid one.
    pub(crate) fn unauthorized(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// Not allowed to this credential.
    pub(crate) fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// Something that does not exist.
    pub(crate) fn not_found(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// The body is over `limits.body_bytes`.
    pub(crate) fn too_large(limit: u64) -> Self {
        let message = format!("the body is larger than limits.body_bytes ({limit})");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "limit_exceeded", message)
            .with("limit", "limits.body_bytes")
            .with("value", limit)
    }

    /// Too much at once; try again after some seconds.
    pub(crate) fn too_many(
        message: impl Into<Cow<'static, str>>,
        retry_after_seconds: u64,
    ) -> Self {
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message);
        error.retry_after_seconds = Some(retry_after_seconds);
        error
    }

    /// Adds a fact.
    pub(crate) fn with(mut self, name: &'static str, detail: impl Into<Detail>) -> Self {
        self.details.push((name, detail.into()));
        self
    }

    /// The same with another message, made of its own.
    pub(crate) fn about(mut self, message: impl FnOnce(&str) -> String) -> Self {
        self.message = Cow::Owned(message(&self.message));
        self
    }

    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// What went wrong, for people.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What went wrong inside, for the log.
    pub(crate) fn internal(&self) -> Option<&str> {
        self.internal.as_deref()
    }

    /// The facts.
    pub(crate) fn details(&self) -> serde_json::Map<String, serde_json::Value> {
        let member = |(name, detail): &(&'static str, Detail)| {
            let value = match detail {
                Detail::Text(text) if *name == VIOLATIONS => violations(text),
                Detail::Text(text) => serde_json::Value::from(text.as_str()),
                Detail::Number(number) => serde_json::Value::from(*number),
            };
            ((*name).to_owned(), value)
        };
        self.details.iter().map(member).collect()
    }

    /// The body of the native face.
    pub(crate) fn body(&self, request_id: &str) -> Vec<u8> {
        let details = self.details();
        let body = serde_json::json!({"error": {
            "code": self.code,
            "message": self.message,
            "details": details,
            "request_id": request_id,
        }});
        body.to_string().into_bytes()
    }
}

/// A name of the caller's as a message shows it: its beginning.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(SHORTENED).collect()
}

/// The list in the text, or the text itself.
fn violations(text: &str) -> serde_json::Value {
    serde_json::from_str(text)
        .ok()
        .filter(serde_json::Value::is_array)
        .unwrap_or_else(|| serde_json::Value::from(text))
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Invalid | ErrorKind::LimitExceeded => StatusCode::BAD_REQUEST,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Forbidden => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::VersionMismatch => StatusCode::PRECONDITION_FAILED,
            ErrorKind::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::Gone => StatusCode::GONE,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
            ErrorKind::Damaged | ErrorKind::Internal => {
                let message = "something went wrong inside the server; its log has the request_id";
                let mut hidden = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message);
                hidden.internal = Some(error.message().to_owned());
                return hidden;
            }
        };
        let retry_after_seconds = match (error.kind(), error.detail("retry_after_seconds")) {
            (_, Some(Detail::Number(seconds))) => Some(*seconds),
            (ErrorKind::Unavailable, _) => Some(1),
            _ => None,
        };
        Self {
            status,
            code: error.code(),
            message: Cow::Owned(error.message().to_owned()),
            details: error.details().to_vec(),
            internal: None,
            retry_after_seconds,
        }
    }
}

/// Headers alone; the outermost service writes the body, which has the request's id.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"headwater\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internals_stay_inside() {
        let error = ApiError::from(Error::internal("read /secret/path: broken"));
        assert_eq!(error.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = String::from_utf8(error.body("r1")).unwrap();
        assert!(!body.contains("secret"));
        assert!(body.contains("r1"));
        assert_eq!(error.internal(), Some("read /secret/path: broken"));
    }

    #[test]
    fn violations_are_a_list() {
        let list = r#"[{"path":"a","keyword":"type","message":"m"}]"#;
        let error = Error::new(ErrorKind::Unprocessable, "schema_violation", "wrong");
        let error = ApiError::from(error.with("violations", list));
        assert_eq!(error.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let body: serde_json::Value = serde_json::from_slice(&error.body("r")).unwrap();
        assert_eq!(body["error"]["details"]["violations"][0]["path"], "a");
    }

    #[test]
    fn what_may_pass_says_when_to_try_again() {
        let response = ApiError::from(Error::unavailable("queue_full", "full")).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
