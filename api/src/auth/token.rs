//! Tokens that the server signs itself: access tokens of sessions, tokens made from keys, one-time tokens.
//!
//! Guarantees: HS256 under a key made from the operator's key, whatever the token's header says; a token of one use is none
//! of another; an end is an end, with no leeway.
//! Leaves to others: whether what a token names is still there (the directory, `people`).

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use headwater_engine::value::Raw;
use headwater_engine::vault::Vault;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use serde_json::json;

use super::jws::{EXPIRED, Jws, looks_like_one};
use super::refusal;
use crate::error::ApiError;

/// What the key is derived for.
const PURPOSE: &str = "headwater 2026-11 token signing";
/// The issuer of every token of this server; no provider may have it.
pub(crate) const ISSUER: &str = "headwater";

/// What a token is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Acts as a credential does (`POST /v1/tokens`). Dies with the key it was made from.
    Grant {
        /// The credential's id.
        credential: String,
        /// The beginning of the key's hash, in hex.
        key: String,
    },
    /// A user's session.
    Access {
        /// The session's id.
        session: String,
        /// The user's id.
        user: String,
    },
    /// A new password, once.
    Reset {
        /// The user's id.
        user: String,
        /// A digest of the present password: another password ends the token.
        mark: String,
    },
}

/// Signs and checks tokens.
pub(crate) struct TokenSigner {
    signing: EncodingKey,
    checking: DecodingKey,
    /// Makes tokens of one moment differ.
    signed: AtomicU64,
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSigner")
    }
}

impl TokenSigner {
    /// A signer under the operator's key.
    pub(crate) fn new(vault: &Vault) -> Self {
        let key = vault.derive(PURPOSE);
        Self {
            signing: EncodingKey::from_secret(&key),
            checking: DecodingKey::from_secret(&key),
            signed: AtomicU64::new(0),
        }
    }

    /// A token that ends at `expires_ms`, to the second below.
    pub(crate) fn sign(&self, purpose: &Use, now_ms: u64, expires_ms: u64) -> String {
        let mut claims = match purpose {
            Use::Grant { credential, key } => {
                json!({"use": "grant", "sub": credential, "key": key})
            }
            Use::Access { session, user } => json!({"use": "access", "sub": user, "sid": session}),
            Use::Reset { user, mark } => json!({"use": "reset", "sub": user, "mark": mark}),
        };
        claims["iss"] = json!(ISSUER);
        claims["iat"] = json!(now_ms / 1000);
        claims["exp"] = json!(expires_ms / 1000);
        let number = self.signed.fetch_add(1, Ordering::Relaxed);
        let seed = format!("{now_ms} {number} {claims}");
        claims["jti"] = json!(BASE64.encode(&blake3::hash(seed.as_bytes()).as_bytes()[..12]));
        let header = BASE64.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let message = format!("{header}.{}", BASE64.encode(claims.to_string()));
        let signature = crypto::sign(message.as_bytes(), &self.signing, Algorithm::HS256)
            .expect("HMAC takes any message");
        format!("{message}.{signature}")
    }

    /// What a token is for, and when it ends; `None` where it is no token of this server. Refused where it is one and
    /// expired or forged.
    pub(crate) fn check(&self, token: &str, now_ms: u64) -> Result<Option<(Use, u64)>, ApiError> {
        if !looks_like_one(token) {
            return Ok(None);
        }
        let Ok(jws) = Jws::split(token) else { return Ok(None) };
        let claims = jws.claims();
        let text = |name: &str| claims.get(name).and_then(Raw::as_str).map(str::to_owned);
        if text("iss").as_deref() != Some(ISSUER) {
            return Ok(None);
        }
        let named = jws.named().map_err(ApiError::unauthorized)?;
        if named.algorithm != Algorithm::HS256
            || !jws.is_signed_with(&self.checking, Algorithm::HS256)
        {
            return Err(ApiError::unauthorized("the token was not signed by this server"));
        }
        let end = claims.get("exp").and_then(Raw::as_i64).and_then(|end| u64::try_from(end).ok());
        let end_ms = end.unwrap_or_default().saturating_mul(1000);
        if now_ms >= end_ms {
            return Err(refusal::of_token(EXPIRED));
        }
        let purpose = match (text("use").as_deref(), text("sub")) {
            (Some("grant"), Some(credential)) => {
                text("key").map(|key| Use::Grant { credential, key })
            }
            (Some("access"), Some(user)) => {
                text("sid").map(|session| Use::Access { session, user })
            }
            (Some("reset"), Some(user)) => text("mark").map(|mark| Use::Reset { user, mark }),
            _ => None,
        };
        let purpose =
            purpose.ok_or_else(|| ApiError::unauthorized("the token is not for this use"))?;
        Ok(Some((purpose, end_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headwater_engine::clock::ManualClock;
    use headwater_engine::fs::SystemFileSystem;
    use headwater_engine::vault::OperatorKey;

    fn signer(digit: &str) -> TokenSigner {
        let key = OperatorKey::parse(&digit.repeat(64));
        let dir = std::path::Path::new("nowhere");
        let fs = SystemFileSystem::shared();
        TokenSigner::new(&Vault::open(dir, key, fs, ManualClock::new(0, 1)).unwrap())
    }

    fn uses() -> [Use; 3] {
        let text = |text: &str| text.to_owned();
        [
            Use::Grant { credential: text("c"), key: text("k") },
            Use::Access { session: text("s"), user: text("u") },
            Use::Reset { user: text("u"), mark: text("m") },
        ]
    }

    #[test]
    fn every_use_comes_back_until_its_end() {
        let signer = signer("a");
        for purpose in uses() {
            let token = signer.sign(&purpose, 10_000, 20_999);
            assert_ne!(token, signer.sign(&purpose, 10_000, 20_999));
            assert_eq!(signer.check(&token, 19_999).unwrap(), Some((purpose, 20_000)));
            assert!(signer.check(&token, 20_000).is_err());
        }
        assert_eq!(format!("{signer:?}"), "TokenSigner");
    }

    #[test]
    fn what_is_no_token_of_this_server_is_for_others() {
        let signer = signer("a");
        let other = format!("{}.{}.x", BASE64.encode("{}"), BASE64.encode(r#"{"iss":"other"}"#));
        for text in ["", "hw_key", "a.b", "a.b.c", "a.b.c.d", &other] {
            assert_eq!(signer.check(text, 0).unwrap(), None, "{text}");
        }
    }

    #[test]
    fn forged_tokens_are_refused() {
        let signer = signer("a");
        let token = signer.sign(&uses()[1], 0, 10_000);
        assert!(signer.check(&self::signer("b").sign(&uses()[1], 0, 10_000), 1).is_err());
        let parts: Vec<&str> = token.split('.').collect();
        let header = |header: &str| format!("{}.{}.{}", BASE64.encode(header), parts[1], parts[2]);
        let claims = |claims: &str| format!("{}.{}.{}", parts[0], BASE64.encode(claims), parts[2]);
        let forged = [
            header(r#"{"alg":"none"}"#),
            header(r#"{"alg":"HS512"}"#),
            header(r#"{"alg":"HS256","crit":[]}"#),
            header(r#"{"alg":"HS256","jwk":{}}"#),
            header(r#"{"typ":"JWT"}"#),
            claims(r#"{"iss":"headwater","use":"access","sub":"x","sid":"s","exp":99}"#),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{token}="),
        ];
        for token in forged {
            assert!(signer.check(&token, 1).is_err(), "{token}");
        }
    }

    #[test]
    fn signed_claims_must_be_whole() {
        let signer = signer("a");
        let sign = |claims: &str| {
            let message =
                format!("{}.{}", BASE64.encode(r#"{"alg":"HS256"}"#), BASE64.encode(claims));
            let signature = crypto::sign(message.as_bytes(), &signer.signing, Algorithm::HS256);
            format!("{message}.{}", signature.unwrap())
        };
        let whole = r#"{"iss":"headwater","use":"access","sub":"u","sid":"s","exp":99}"#;
        assert!(signer.check(&sign(whole), 1).unwrap().is_some());
        for (from, to) in [
            (r#""exp":99"#, r#""exp":"99""#),
            (r#""exp":99"#, r#""x":99"#),
            (r#""exp":99"#, r#""exp":-1"#),
            (r#""sid":"s""#, r#""sid":1"#),
            (r#""access""#, r#""reset""#),
            (r#""access""#, r#""refresh""#),
        ] {
            assert!(signer.check(&sign(&whole.replace(from, to)), 1).is_err(), "{to}");
        }
    }
}
