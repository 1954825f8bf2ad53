//! Tokens that this server signs in the place of a provider, with the secret that it shares with that one.
//!
//! Guarantees: what is signed is a token that this server takes itself: the provider's issuer and audience are filled in,
//! and what it would refuse is not made.
//! Leaves to others: who may ask for one, and refresh tokens (`crate::session`).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use headwater_engine::clock::SharedClock;
use headwater_engine::limits::Limits;
use headwater_engine::value::{Raw, json as encoded};
use jsonwebtoken::{Algorithm, crypto};
use serde_json::{Map, Value, json};

use super::provider::Provider;
use super::{External, claims};
use crate::auth::jws::{ALGORITHMS, TOKEN_BYTES_MAX, algorithm};
use crate::auth::people::issued::Wanted;
use crate::auth::people::user::checked_email;
use crate::auth::token::ISSUER;
use crate::error::ApiError;

/// A token that was signed.
pub(crate) struct Signed {
    /// The token.
    pub(crate) token: String,
    /// The address that it names.
    pub(crate) email: Option<String>,
    /// The provider's name.
    pub(crate) provider: String,
    /// The position that last wrote the provider: one that was replaced is another.
    pub(crate) provider_at: u64,
}

impl External {
    /// Signs a token that lives from now on; what cannot be done is refused, naming the member (400).
    pub(crate) fn sign(&self, wanted: &Wanted, clock: &SharedClock) -> Result<Signed, ApiError> {
        sign(self.named(&wanted.provider), wanted, clock)
    }

    /// The same for the provider of that very name, whatever another one is called.
    pub(crate) fn sign_again(
        &self,
        wanted: &Wanted,
        clock: &SharedClock,
    ) -> Result<Signed, ApiError> {
        let provider = self.known.read().providers.get(&wanted.provider).map(Arc::clone);
        sign(provider, wanted, clock)
    }

    /// The provider of a name, or of the last part of a dotted path.
    fn named(&self, path: &str) -> Option<Arc<Provider>> {
        let known = self.known.read();
        let last = path.rsplit('.').next().unwrap_or_default();
        let found = known.providers.get(path).or_else(|| known.providers.get(last));
        found.map(Arc::clone)
    }
}

fn sign(
    provider: Option<Arc<Provider>>,
    wanted: &Wanted,
    clock: &SharedClock,
) -> Result<Signed, ApiError> {
    let provider = provider.ok_or_else(|| {
        let message = "`secret` must name a provider of /v1/auth/providers";
        refused("secret", message.to_owned())
    })?;
    let secret = provider.signing.as_ref().ok_or_else(|| {
            let message = format!(
                "`secret`: the provider `{}` has a public key alone; only one with a `secret` (HS256, HS384, HS512) signs here",
                provider.name
            );
            refused("secret", message)
        })?;
    let algorithm = chosen(&provider, wanted.algorithm.as_deref())?;
    let now_ms = clock.now_ms();
    let claims = whole(&provider, wanted, clock)?;
    let text = Value::Object(claims).to_string();
    let read = encoded::parse_value(text.as_bytes(), &Limits::for_stored_queries())?;
    if let Err(flaw) = claims::check(&provider, Raw::trusted(&read), now_ms) {
        let message = format!("`payload`: this server would not take the token: {flaw}");
        return Err(refused("payload", message));
    }
    let email = claims::mapped(&provider, Raw::trusted(&read)).email;
    let header = json!({"alg": name_of(algorithm), "typ": "JWT"}).to_string();
    let message = format!("{}.{}", BASE64.encode(header), BASE64.encode(text));
    let signature = crypto::sign(message.as_bytes(), secret, algorithm);
    let signature =
        signature.map_err(|error| headwater_engine::Error::internal(error.to_string()))?;
    let token = format!("{message}.{signature}");
    if token.len() > TOKEN_BYTES_MAX {
        return Err(refused("payload", "`payload`: the token is longer than 8 KiB".to_owned()));
    }
    let email = email.as_deref().and_then(checked_email);
    Ok(Signed { token, email, provider: provider.name.clone(), provider_at: provider.position })
}

/// The algorithm: the one that is asked for, if the provider takes it, else the provider's first.
fn chosen(provider: &Provider, asked: Option<&str>) -> Result<Algorithm, ApiError> {
    let first = provider.algorithms.first().copied().unwrap_or_default();
    let Some(asked) = asked else { return Ok(first) };
    let found = algorithm(asked).filter(|found| provider.algorithms.contains(found));
    found.ok_or_else(|| {
        let names: Vec<_> = provider.algorithms.iter().map(|one| name_of(*one)).collect();
        let message = format!(
            "`algorithm`: the provider `{}` signs with {} alone",
            provider.name,
            names.join(", ")
        );
        refused("algorithm", message)
    })
}

/// The claims with their times, and with the provider's issuer and audience where they name none.
fn whole(
    provider: &Provider,
    wanted: &Wanted,
    clock: &SharedClock,
) -> Result<Map<String, Value>, ApiError> {
    let mut claims = wanted.claims.clone();
    if let Some(issuer) = &provider.issuer {
        let given = claims.entry("iss").or_insert_with(|| json!(issuer));
        if *given != json!(issuer) {
            let message = format!("`issuer`: the provider's tokens have the issuer `{issuer}`");
            return Err(refused("issuer", message));
        }
    }
    if claims.get("iss").and_then(Value::as_str) == Some(ISSUER) {
        let message = format!("`issuer`: `{ISSUER}` is this server's own");
        return Err(refused("issuer", message));
    }
    if let Some(audience) = provider.audience.first() {
        claims.entry("aud").or_insert_with(|| json!(audience));
    }
    let now = clock.now_ms() / 1000;
    let mut random = [0; 16];
    clock.fill_random(&mut random);
    claims.insert("iat".to_owned(), json!(now));
    claims.insert("exp".to_owned(), json!(now + wanted.seconds));
    claims.insert("jti".to_owned(), json!(BASE64.encode(random)));
    Ok(claims)
}

fn name_of(algorithm: Algorithm) -> &'static str {
    ALGORITHMS.iter().find(|(_, known)| *known == algorithm).map_or("", |(name, _)| name)
}

fn refused(member: &'static str, message: String) -> ApiError {
    ApiError::bad_request("invalid_token_request", message).with("member", member)
}
