//! The handshake of a WebSocket (RFC 6455), over HTTP/1.1.
//!
//! Guarantees: what is no handshake is refused with a reason; extensions and subprotocols are not agreed to.

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use headwater_engine::Error;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::connection::Entrance;
use crate::error::{ApiError, ApiResult};
use crate::state::App;

/// Bytes of a handshake's key.
const KEY_BYTES: usize = 16;

/// A request that becomes a WebSocket.
pub(crate) struct Upgrade {
    accept: HeaderValue,
    taken_over: OnUpgrade,
}

impl FromRequestParts<App> for Upgrade {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, ApiError> {
        let key = checked_key(&parts.headers)?;
        let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
            .map_err(|_| Error::internal("an answer to a WebSocket's key is no header"))?;
        let taken_over = parts.extensions.remove::<OnUpgrade>();
        let taken_over = taken_over.ok_or_else(|| refused("this connection cannot be upgraded"))?;
        Ok(Self { accept, taken_over })
    }
}

impl Upgrade {
    /// Answers the handshake; the connection is run in the background once the answer was sent.
    pub(crate) fn accept(self, app: &App, entrance: Entrance) -> ApiResult {
        let taken_over = self.taken_over;
        app.engine.tasks().spawn("socket", async move {
            match taken_over.await {
                Ok(upgraded) => entrance.run(upgraded).await,
                Err(error) => tracing::debug!(%error, "a WebSocket's handshake came to nothing"),
            }
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
        Ok(response)
    }
}

/// The key of a handshake that is one.
fn checked_key(headers: &HeaderMap) -> Result<&str, ApiError> {
    if !names(headers, CONNECTION, "upgrade") {
        return Err(refused("`Connection: Upgrade` is missing; this is a WebSocket"));
    }
    if !names(headers, UPGRADE, "websocket") {
        return Err(refused("`Upgrade: websocket` is missing; this is a WebSocket"));
    }
    if !names(headers, SEC_WEBSOCKET_VERSION, "13") {
        return Err(refused("`Sec-WebSocket-Version` must be 13"));
    }
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let key = keys.next().and_then(|key| key.to_str().ok()).map(str::trim);
    let is_key = |key: &&str| BASE64.decode(key).is_ok_and(|bytes| bytes.len() == KEY_BYTES);
    match (key.filter(is_key), keys.next()) {
        (Some(key), None) => Ok(key),
        _ => Err(refused("`Sec-WebSocket-Key` must be given once, 16 bytes in base64")),
    }
}

/// Whether a header's list has a word, in letters of any size.
fn names(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        let text = value.to_str().unwrap_or_default();
        text.split(',').any(|given| given.trim().eq_ignore_ascii_case(word))
    })
}

fn refused(why: &'static str) -> ApiError {
    ApiError::bad_request("invalid_handshake", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: [(&str, &str); 4] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn headers(changed: Option<(&'static str, &'static str)>) -> HeaderMap {
        let all = WHOLE.iter().map(|(name, value)| match changed {
            Some((other, value)) if other == *name => (*name, value),
            _ => (*name, *value),
        });
        all.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_handshake_is_known_by_its_headers() {
        let whole = headers(None);
        let key = checked_key(&whole).unwrap();
        // The example of RFC 6455.
        assert_eq!(derive_accept_key(key.as_bytes()), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for wrong in [
            ("connection", "close"),
            ("upgrade", "h2c"),
            ("sec-websocket-version", "8"),
            ("sec-websocket-key", "short"),
            ("sec-websocket-key", "c2hvcnQ="),
        ] {
            assert_eq!(checked_key(&headers(Some(wrong))).unwrap_err().status(), 400, "{wrong:?}");
        }
        let mut twice = headers(None);
        twice.append(SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(checked_key(&twice).is_err());
    }
}
