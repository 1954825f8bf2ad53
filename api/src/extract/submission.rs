//! A write as it is submitted: its body, and the idempotency key that makes a retry safe.
//!
//! Guarantees: what the log keeps of a request is a digest under the operator's key, so that nobody who has the log alone
//! can try passwords against it.

use axum::body::Body;
use axum::extract::FromRequest;
use http::{HeaderName, Request};

use super::payload::Payload;
use crate::error::ApiError;
use crate::state::App;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const KEY_BYTES_MAX: usize = 255;

/// A body, with an idempotency key where one was given.
pub(crate) struct Submission {
    /// The body.
    pub(crate) payload: Payload,
    /// The key as the caller gave it, and the digest of the request.
    pub(crate) key: Option<(String, [u8; 32])>,
}

impl FromRequest<App> for Submission {
    type Rejection = ApiError;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Self, ApiError> {
        let Some(key) = idempotency_key(&request)? else {
            let payload = Payload::from_request(request, app).await?;
            return Ok(Self { payload, key: None });
        };
        let mut digest = blake3::Hasher::new_keyed(app.access.request_key());
        part(&mut digest, request.method().as_str().as_bytes());
        part(&mut digest, request.uri().path().as_bytes());
        part(&mut digest, meaning(request.uri().query()).as_bytes());
        let payload = Payload::from_request(request, app).await?;
        part(&mut digest, &[payload.format as u8]);
        part(&mut digest, &payload.bytes);
        Ok(Self { payload, key: Some((key, *digest.finalize().as_bytes())) })
    }
}

/// Each part with its length, so that no two requests run together to the same bytes.
fn part(digest: &mut blake3::Hasher, bytes: &[u8]) {
    digest.update(&(bytes.len() as u64).to_le_bytes());
    digest.update(bytes);
}

/// The query string without what says nothing about the request itself.
fn meaning(query: Option<&str>) -> String {
    let beside = |name: &str| matches!(name, "apikey" | "jwt" | "after_position");
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let kept = pairs.filter(|(name, _)| !beside(name));
    form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish()
}

fn idempotency_key(request: &Request<Body>) -> Result<Option<String>, ApiError> {
    let mut values = request.headers().get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let bytes = value.as_bytes();
    let printable = bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
    match value.to_str() {
        Ok(text)
            if printable
                && values.next().is_none()
                && (1..=KEY_BYTES_MAX).contains(&bytes.len()) =>
        {
            Ok(Some(text.to_owned()))
        }
        _ => Err(ApiError::bad_request(
            "invalid_idempotency_key",
            "Idempotency-Key must be given once, as 1 to 255 printable ASCII characters",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credential_is_no_part_of_what_is_asked() {
        assert_eq!(meaning(Some("apikey=x&upsert=true&after_position=3")), "upsert=true");
        assert_eq!(meaning(None), "");
    }

    #[test]
    fn keys_are_printable_and_short() {
        let read = |key: &str| {
            let request = Request::builder().header("Idempotency-Key", key).body(Body::empty());
            idempotency_key(&request.unwrap())
        };
        assert_eq!(read("abc").unwrap().as_deref(), Some("abc"));
        assert!(read("").is_err());
        assert!(read(&"k".repeat(256)).is_err());
        assert!(read("a\tb").is_err());
    }
}
