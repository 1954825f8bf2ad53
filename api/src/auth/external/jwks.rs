//! The key set of a provider that publishes one (JWKS).
//!
//! Guarantees: fetched through the guard of outgoing requests, without redirects, at most [`BYTES_MAX`] within [`TIME`];
//! plain HTTP only where every address is in the networks that the operator allows. One fetch at a time; at most one in
//! [`PAUSE`], whatever tokens come; the last good set stays when a fetch fails. A key is used for its own algorithms alone.
//! Leaves to others: what a token must be besides (`claims`).

use std::sync::Arc;
use std::time::Duration;

use headwater_engine::Error;
use headwater_engine::clock::SharedClock;
use ipnet::IpNet;
use jsonwebtoken::{Algorithm, DecodingKey};
use parking_lot::RwLock;
use reqwest::{Client, Url};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::error::ApiError;
use crate::outbound::guard::Guard;
use crate::outbound::{client, describe};

/// Most bytes of a set.
const BYTES_MAX: usize = 256 << 10;
/// Most keys of a set.
const KEYS_MAX: usize = 100;
/// Time for a fetch.
const TIME: Duration = Duration::from_secs(5);
/// How long a set is good without being asked for again.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Least time between two fetches.
const PAUSE: Duration = Duration::from_secs(30);

/// Fetches sets.
#[derive(Debug)]
pub(crate) struct Fetcher {
    public: (Arc<Guard>, Client),
    /// For plain HTTP.
    allowed: (Arc<Guard>, Client),
}

impl Fetcher {
    /// A fetcher that reaches public addresses and those allowed.
    pub(crate) fn new(allowed: Vec<IpNet>) -> Result<Self, Error> {
        let made = |guard: Guard| {
            let guard = Arc::new(guard);
            let client = client(&guard).build();
            let failed = |error| Error::internal(format!("make the client of key sets: {error}"));
            client.map(|client| (guard, client)).map_err(failed)
        };
        Ok(Self {
            public: made(Guard::new(allowed.clone()))?,
            allowed: made(Guard::only(allowed))?,
        })
    }

    async fn fetch(&self, url: &Url) -> Result<Vec<Key>, String> {
        let bytes = tokio::time::timeout(TIME, self.read(url));
        let bytes = bytes.await.map_err(|_| format!("no answer within {} s", TIME.as_secs()))??;
        let set: Value =
            serde_json::from_slice(&bytes).map_err(|_| "the answer is no JSON".to_owned())?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or("the answer has no `keys`")?;
        if keys.len() > KEYS_MAX {
            return Err(format!("the set has more than {KEYS_MAX} keys"));
        }
        Ok(keys.iter().filter_map(Key::read).collect())
    }

    async fn read(&self, url: &Url) -> Result<Vec<u8>, String> {
        let (guard, client) = if url.scheme() == "https" { &self.public } else { &self.allowed };
        guard.check_literal(url.host_str().unwrap_or_default())?;
        let mut answer = client.get(url.clone()).send().await.map_err(|error| describe(&error))?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(format!("the answer has the status {}", answer.status().as_u16()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| describe(&error))? {
            if bytes.len() + chunk.len() > BYTES_MAX {
                return Err(format!("the answer is larger than {BYTES_MAX} bytes"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// The key set of one provider.
#[derive(Debug)]
pub(crate) struct Jwks {
    /// Where it is.
    pub(crate) url: Url,
    set: RwLock<Option<Set>>,
    /// When it was last asked for, of the monotonic clock; held while it is.
    asked: Mutex<Option<Duration>>,
}

#[derive(Clone, Debug)]
struct Set {
    keys: Arc<[Key]>,
    fetched: Duration,
}

/// One key with what it is for.
#[derive(Clone, Debug)]
struct Key {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl Jwks {
    /// Nothing is fetched yet.
    pub(crate) fn new(url: Url) -> Self {
        Self { url, set: RwLock::default(), asked: Mutex::default() }
    }

    /// The keys that a token of this algorithm and key name may be signed with.
    pub(crate) async fn keys(
        &self,
        fetcher: &Fetcher,
        clock: &SharedClock,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<Vec<DecodingKey>, ApiError> {
        if let Some(keys) = self.known(clock, algorithm, kid) {
            return Ok(keys);
        }
        let mut asked = self.asked.lock().await;
        // Whoever was here first may have fetched it.
        if let Some(keys) = self.known(clock, algorithm, kid) {
            return Ok(keys);
        }
        let now = clock.monotonic();
        if asked.is_none_or(|last| now.saturating_sub(last) >= PAUSE) {
            *asked = Some(now);
            match fetcher.fetch(&self.url).await {
                Ok(keys) => *self.set.write() = Some(Set { keys: keys.into(), fetched: now }),
                Err(error) => {
                    let host = self.url.host_str();
                    tracing::warn!(
                        host,
                        error,
                        "a key set could not be fetched; the last one stays"
                    );
                }
            }
        }
        match &*self.set.read() {
            Some(set) => Ok(set.matching(algorithm, kid)),
            None => {
                let message = "the keys of the token's issuer cannot be had now; try again";
                Err(Error::unavailable("provider_unreachable", message).into())
            }
        }
    }

    /// The keys of a fresh set; `None` where it must be fetched.
    fn known(
        &self,
        clock: &SharedClock,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Option<Vec<DecodingKey>> {
        let set = self.set.read();
        let set =
            set.as_ref().filter(|set| clock.monotonic().saturating_sub(set.fetched) < FRESH)?;
        let keys = set.matching(algorithm, kid);
        (!keys.is_empty()).then_some(keys)
    }
}

impl Set {
    fn matching(&self, algorithm: Algorithm, kid: Option<&str>) -> Vec<DecodingKey> {
        let meant = |key: &&Key| {
            key.algorithms.contains(&algorithm) && (kid.is_none() || key.kid.as_deref() == kid)
        };
        self.keys.iter().filter(meant).map(|key| key.key.clone()).collect()
    }
}

impl Key {
    /// A key of a set; `None` for one that is not understood, too weak, or not for signatures.
    fn read(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let operations = jwk.get("key_ops").and_then(Value::as_array);
        if operations.is_some_and(|list| !list.iter().any(|one| one == "verify")) {
            return None;
        }
        let (names, key): (&[&str], _) = match (text("kty")?, text("crv")) {
            ("RSA", None) => {
                let key = DecodingKey::from_rsa_components(text("n")?, text("e")?);
                // 2048 bits or more, in base64.
                let strong = text("n")?.len() >= 340;
                (
                    &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
                    key.ok().filter(|_| strong),
                )
            }
            ("EC", Some("P-256")) => {
                (&["ES256"], DecodingKey::from_ec_components(text("x")?, text("y")?).ok())
            }
            ("EC", Some("P-384")) => {
                (&["ES384"], DecodingKey::from_ec_components(text("x")?, text("y")?).ok())
            }
            ("OKP", Some("Ed25519")) => {
                (&["EdDSA"], DecodingKey::from_ed_components(text("x")?).ok())
            }
            _ => return None,
        };
        let named = text("alg");
        let names = names.iter().filter(|name| named.is_none_or(|named| named == **name));
        let algorithms: Vec<_> =
            names.filter_map(|name| crate::auth::jws::algorithm(name)).collect();
        let kid = text("kid").map(str::to_owned);
        key.filter(|_| !algorithms.is_empty()).map(|key| Self { kid, algorithms, key })
    }
}
