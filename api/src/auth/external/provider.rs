//! Providers: documents of `_providers`, checked when they are made and compiled when they are followed.
//!
//! Guarantees: a provider's keys fit its algorithms, so that no key is ever used for an algorithm of another family; its
//! secret is sealed at rest.
//! Leaves to others: the routes, and fetching keys (`jwks`).

use std::collections::BTreeSet;
use std::sync::Arc;

use headwater_engine::Error;
use headwater_engine::value::{Object, Raw, Value};
use headwater_engine::vault::Vault;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};

use super::jwks::Jwks;
use crate::auth::jws;
use crate::auth::token::ISSUER;
use crate::error::ApiError;

/// Most seconds that clocks may differ.
const LEEWAY_MAX: u64 = 60;
/// Fewest bytes of a secret.
const SECRET_BYTES_MIN: usize = 16;
/// Most bytes of a text.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// Most entries of a list.
const LIST_MAX: usize = 100;
const MEMBERS: [&str; 14] = [
    "type",
    "algorithms",
    "secret",
    "public_key",
    "jwks_url",
    "issuer",
    "audience",
    "required_claims",
    "user_fields",
    "roles_claim",
    "default_roles",
    "create_users",
    "leeway_seconds",
    "_id",
];

/// Where keys come from.
#[derive(Clone, Debug)]
pub(crate) enum Keys {
    /// One key.
    Fixed(DecodingKey),
    /// A set that is fetched.
    Fetched(Arc<Jwks>),
}

/// A provider, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    /// Its name.
    pub(crate) name: String,
    /// The position that last wrote it.
    pub(crate) position: u64,
    /// The algorithms that its tokens may have.
    pub(crate) algorithms: Vec<Algorithm>,
    /// Its keys.
    pub(crate) keys: Keys,
    /// Signs in the provider's place, where its key is a shared secret.
    pub(crate) signing: Option<EncodingKey>,
    /// What `iss` must be.
    pub(crate) issuer: Option<String>,
    /// One of these must be in `aud`; none: anything goes.
    pub(crate) audience: Vec<String>,
    /// Claims that must be there, with their values where those are fixed.
    pub(crate) required: Vec<(String, Option<Value>)>,
    /// Members of the user by claims.
    pub(crate) user_fields: Vec<(String, String)>,
    /// The claim with the roles.
    pub(crate) roles_claim: Option<String>,
    /// The roles of users who have none.
    pub(crate) default_roles: Vec<String>,
    /// Whether unknown users are made.
    pub(crate) create_users: bool,
    /// Seconds that clocks may differ.
    pub(crate) leeway_seconds: u64,
}

/// Checks what is asked for a provider, and gives it as it is stored: with its secret sealed.
pub(crate) fn checked(name: &str, raw: Raw<'_>, vault: &Vault) -> Result<Object, ApiError> {
    let secret = raw.get("secret").and_then(Raw::as_str).map(str::to_owned);
    compile(name, raw, secret.clone())?;
    let Value::Object(mut object) = raw.to_value() else {
        return Err(invalid("provider", "an object"));
    };
    object.remove("_id");
    if let Some(secret) = secret {
        object.insert("secret", vault.seal(&secret, &owner(name)));
    }
    object.insert("type", "jwt");
    Ok(object)
}

/// Reads a provider as it is stored.
pub(super) fn read(name: &str, stored: Raw<'_>, vault: &Vault) -> Result<Provider, Error> {
    let sealed = stored.get("secret").and_then(Raw::as_str);
    let secret = sealed.map(|sealed| vault.unseal(sealed, &owner(name))).transpose()?;
    compile(name, stored, secret).map_err(|_| {
        Error::damaged("provider_undecodable", format!("the provider `{name}` is not sound"))
    })
}

fn owner(name: &str) -> String {
    format!("provider {name}")
}

fn compile(name: &str, raw: Raw<'_>, secret: Option<String>) -> Result<Provider, ApiError> {
    let members = raw.as_object().ok_or_else(|| invalid("provider", "an object"))?;
    for (member, _) in members {
        if !MEMBERS.contains(&member) {
            let shown: String = member.chars().take(100).collect();
            let message = format!("a provider has no member `{shown}`");
            return Err(ApiError::bad_request("invalid_provider", message).with("member", shown));
        }
    }
    let get = |name: &str| raw.get(name).filter(|value| !value.is_null());
    if get("type").is_some_and(|kind| kind.as_str() != Some("jwt")) {
        return Err(invalid("type", "\"jwt\""));
    }
    let algorithms = algorithms(get("algorithms"))?;
    let signing = secret.as_ref().map(|secret| EncodingKey::from_secret(secret.as_bytes()));
    let keys = keys(raw, secret, &algorithms)?;
    let issuer = text("issuer", get("issuer"))?;
    if issuer.as_deref() == Some(ISSUER) {
        return Err(invalid("issuer", "another one than this server's own"));
    }
    let audience = match get("audience") {
        Some(one) if one.as_str().is_some() => text("audience", Some(one))?.into_iter().collect(),
        other => texts("audience", other)?,
    };
    let create_users = match get("create_users") {
        Some(flag) => flag.as_bool().ok_or_else(|| invalid("create_users", "true or false"))?,
        None => false,
    };
    let leeway_seconds = match get("leeway_seconds") {
        Some(number) => number
            .as_i64()
            .and_then(|number| u64::try_from(number).ok())
            .filter(|number| *number <= LEEWAY_MAX)
            .ok_or_else(|| invalid("leeway_seconds", "a whole number from 0 to 60"))?,
        None => LEEWAY_MAX,
    };
    Ok(Provider {
        name: name.to_owned(),
        position: 0,
        algorithms,
        keys,
        signing,
        issuer,
        audience,
        required: required(get("required_claims"))?,
        user_fields: user_fields(get("user_fields"))?,
        roles_claim: text("roles_claim", get("roles_claim"))?,
        default_roles: texts("default_roles", get("default_roles"))?,
        create_users,
        leeway_seconds,
    })
}

fn algorithms(given: Option<Raw<'_>>) -> Result<Vec<Algorithm>, ApiError> {
    let wanted = || {
        let names: Vec<_> = jws::ALGORITHMS.iter().map(|(name, _)| *name).collect();
        invalid("algorithms", &format!("a list of some of {}", names.join(", ")))
    };
    let list = given.and_then(Raw::as_array).ok_or_else(wanted)?;
    let known = |name: Raw<'_>| name.as_str().and_then(jws::algorithm);
    let found: Vec<Algorithm> = list.map(known).collect::<Option<_>>().ok_or_else(wanted)?;
    if found.is_empty() || found.len() > jws::ALGORITHMS.len() {
        return Err(wanted());
    }
    Ok(found)
}

fn keys(raw: Raw<'_>, secret: Option<String>, algorithms: &[Algorithm]) -> Result<Keys, ApiError> {
    let get = |name: &str| raw.get(name).filter(|value| !value.is_null());
    let given: Vec<_> = ["secret", "public_key", "jwks_url"]
        .into_iter()
        .filter(|name| get(name).is_some())
        .collect();
    let [source] = given[..] else {
        return Err(invalid("public_key", "given, or `secret`, or `jwks_url`: one of the three"));
    };
    let is_secret = |algorithm: &Algorithm| family(*algorithm) == AlgorithmFamily::Hmac;
    if algorithms.iter().any(|algorithm| is_secret(algorithm) != (source == "secret")) {
        let wanted =
            "HS256, HS384 and HS512 with `secret`, and others with `public_key` or `jwks_url`";
        return Err(invalid("algorithms", wanted));
    }
    match source {
        "secret" => {
            let long =
                |secret: &String| (SECRET_BYTES_MIN..=TEXT_BYTES_MAX).contains(&secret.len());
            let secret = secret.filter(long);
            let secret = secret.ok_or_else(|| invalid("secret", "a text of at least 16 bytes"))?;
            Ok(Keys::Fixed(DecodingKey::from_secret(secret.as_bytes())))
        }
        "public_key" => {
            let pem = text("public_key", get("public_key"))?.unwrap_or_default();
            public_key(&pem, algorithms).map(Keys::Fixed)
        }
        _ => {
            let url = text("jwks_url", get("jwks_url"))?.unwrap_or_default();
            let sound = reqwest::Url::parse(&url).ok().filter(|url| {
                ["https", "http"].contains(&url.scheme())
                    && url.host_str().is_some()
                    && url.username().is_empty()
                    && url.password().is_none()
            });
            let url = sound.ok_or_else(|| invalid("jwks_url", "an https url without a user"))?;
            Ok(Keys::Fetched(Arc::new(Jwks::new(url))))
        }
    }
}

/// A public key in PEM, for algorithms of one family; elliptic curves each have one algorithm.
fn public_key(pem: &str, algorithms: &[Algorithm]) -> Result<DecodingKey, ApiError> {
    let wanted =
        || invalid("public_key", "a public key or certificate in PEM that fits `algorithms`");
    if pem.contains("PRIVATE KEY") {
        return Err(invalid("public_key", "a public key, not a private one"));
    }
    let families: BTreeSet<_> =
        algorithms.iter().map(|one| format!("{:?}", family(*one))).collect();
    let (Some(first), 1) = (algorithms.first(), families.len()) else {
        return Err(invalid("algorithms", "of one family, as one key is"));
    };
    let pem = pem.as_bytes();
    let key = match family(*first) {
        AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(pem),
        AlgorithmFamily::Ec => DecodingKey::from_ec_pem(pem),
        AlgorithmFamily::Ed => DecodingKey::from_ed_pem(pem),
        AlgorithmFamily::Hmac => return Err(wanted()),
    };
    let key = key.map_err(|_| wanted())?;
    let fits = |algorithm: &Algorithm| match (algorithm, key.try_get_as_bytes()) {
        // An uncompressed point.
        (Algorithm::ES256, Ok(bytes)) => bytes.len() == 65,
        (Algorithm::ES384, Ok(bytes)) => bytes.len() == 97,
        (Algorithm::EdDSA, Ok(bytes)) => bytes.len() == 32,
        (_, Ok(bytes)) => bytes.len() >= 256,
        (_, Err(_)) => false,
    };
    if algorithms.iter().all(fits) { Ok(key) } else { Err(wanted()) }
}

/// The family of an algorithm.
pub(super) fn family(algorithm: Algorithm) -> AlgorithmFamily {
    match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => AlgorithmFamily::Hmac,
        Algorithm::ES256 | Algorithm::ES384 => AlgorithmFamily::Ec,
        Algorithm::EdDSA => AlgorithmFamily::Ed,
        _ => AlgorithmFamily::Rsa,
    }
}

fn required(given: Option<Raw<'_>>) -> Result<Vec<(String, Option<Value>)>, ApiError> {
    let Some(given) = given else { return Ok(Vec::new()) };
    if let Some(members) = given.as_object() {
        let all = members.map(|(name, value)| (name.to_owned(), Some(value.to_value())));
        return Ok(all.collect());
    }
    let names = texts("required_claims", Some(given))?;
    Ok(names.into_iter().map(|name| (name, None)).collect())
}

fn user_fields(given: Option<Raw<'_>>) -> Result<Vec<(String, String)>, ApiError> {
    let Some(given) = given else { return Ok(Vec::new()) };
    let wanted = || invalid("user_fields", "an object of names of claims by names of fields");
    let mut fields = Vec::new();
    for (field, claim) in given.as_object().ok_or_else(wanted)? {
        let claim = claim.as_str().filter(|claim| !claim.is_empty()).ok_or_else(wanted)?;
        let plain = !field.is_empty() && !field.contains(['.', '$', '\0']) && field != "_id";
        if !plain || fields.len() == LIST_MAX {
            return Err(wanted());
        }
        fields.push((field.to_owned(), claim.to_owned()));
    }
    Ok(fields)
}

fn text(member: &'static str, given: Option<Raw<'_>>) -> Result<Option<String>, ApiError> {
    let Some(given) = given else { return Ok(None) };
    let text = given.as_str().filter(|text| !text.is_empty() && text.len() <= TEXT_BYTES_MAX);
    text.map(|text| Some(text.to_owned())).ok_or_else(|| invalid(member, "a text"))
}

fn texts(member: &'static str, given: Option<Raw<'_>>) -> Result<Vec<String>, ApiError> {
    let Some(given) = given else { return Ok(Vec::new()) };
    let list = given.as_array().ok_or_else(|| invalid(member, "a list of texts"))?;
    let mut texts = Vec::new();
    for one in list {
        texts.extend(text(member, Some(one))?);
    }
    if texts.len() > LIST_MAX {
        return Err(invalid(member, "a list of at most 100 texts"));
    }
    Ok(texts)
}

fn invalid(member: &'static str, wanted: &str) -> ApiError {
    let message = format!("`{member}` of a provider must be {wanted}");
    ApiError::bad_request("invalid_provider", message).with("member", member)
}
