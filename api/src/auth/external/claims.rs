//! Claims: what they must be, and what they say of a user.
//!
//! Guarantees: times are numbers and nothing else; what a provider demands must be there.
//! Leaves to others: the signature.

use headwater_engine::value::{Raw, Value};

use super::provider::Provider;
use crate::auth::jws::{EXPIRED, Flaw};

/// Seconds that a token may claim to have been issued ahead of now.
const AHEAD_SECONDS: f64 = 60.0;

/// Checks the claims of a provider's token; when it ends, UTC ms.
pub(super) fn check(provider: &Provider, claims: Raw<'_>, now_ms: u64) -> Result<u64, Flaw> {
    let (now, leeway) = (now_ms as f64 / 1000.0, provider.leeway_seconds as f64);
    let end =
        time(claims, "exp", "the token's `exp` is no number")?.ok_or("the token has no `exp`")?;
    if now >= end + leeway {
        return Err(EXPIRED);
    }
    if time(claims, "nbf", "the token's `nbf` is no number")?
        .is_some_and(|from| from > now + leeway)
    {
        return Err("the token is not yet valid");
    }
    let issued = time(claims, "iat", "the token's `iat` is no number")?;
    if issued.is_some_and(|issued| issued > now + leeway.max(AHEAD_SECONDS)) {
        return Err("the token was issued in the future");
    }
    if let Some(issuer) = &provider.issuer
        && claims.get("iss").and_then(Raw::as_str) != Some(issuer)
    {
        return Err("the token has another issuer");
    }
    if !provider.audience.is_empty() {
        let audience = claims.get("aud").ok_or("the token has no audience")?;
        let known = |one: &str| provider.audience.iter().any(|known| known == one);
        let found = match audience.as_str() {
            Some(one) => known(one),
            None => audience.array_iter().any(|one| one.as_str().is_some_and(known)),
        };
        if !found {
            return Err("the token is for another audience");
        }
    }
    for (path, wanted) in &provider.required {
        let claim = at(claims, path).ok_or("the token lacks a required claim")?;
        if wanted.as_ref().is_some_and(|wanted| claim.to_value() != *wanted) {
            return Err("a required claim of the token has another value");
        }
    }
    Ok(((end + leeway) * 1000.0) as u64)
}

fn time(claims: Raw<'_>, name: &str, flaw: Flaw) -> Result<Option<f64>, Flaw> {
    let Some(claim) = claims.get(name) else { return Ok(None) };
    let number = claim.as_i64().map(|number| number as f64).or_else(|| claim.as_double());
    number.filter(|number| number.is_finite() && *number >= 0.0).map(Some).ok_or(flaw)
}

/// A claim by its name, which may have dots in it, else by the path that the dots make; `\.` is a dot of a name.
pub(super) fn at<'a>(claims: Raw<'a>, path: &str) -> Option<Raw<'a>> {
    if let Some(claim) = claims.get(path) {
        return Some(claim);
    }
    let mut found = claims;
    for part in path.replace("\\.", "\0").split('.') {
        found = found.get(&part.replace('\0', "."))?;
    }
    Some(found)
}

/// The roles that a token brings: a list, or a text divided by blanks or commas.
pub(super) fn roles(provider: &Provider, claims: Raw<'_>) -> Vec<String> {
    let Some(claim) = provider.roles_claim.as_deref().and_then(|path| at(claims, path)) else {
        return Vec::new();
    };
    match claim.as_str() {
        Some(text) => {
            text.split([' ', ',']).filter(|role| !role.is_empty()).map(str::to_owned).collect()
        }
        None => claim.array_iter().filter_map(|role| role.as_str().map(str::to_owned)).collect(),
    }
}

/// What a token says of its user.
#[derive(Debug, Default)]
pub(super) struct Mapped {
    /// The address.
    pub(super) email: Option<String>,
    /// Members of `data`.
    pub(super) data: Vec<(String, Value)>,
}

/// What a token says of its user, by the fields that the provider maps.
pub(super) fn mapped(provider: &Provider, claims: Raw<'_>) -> Mapped {
    let mut mapped = Mapped::default();
    for (field, path) in &provider.user_fields {
        let Some(claim) = at(claims, path).filter(|claim| !claim.is_null()) else { continue };
        match field.as_str() {
            "email" => mapped.email = claim.as_str().map(str::to_owned),
            _ => mapped.data.push((field.clone(), claim.to_value())),
        }
    }
    mapped
}
