//! The key set of a provider that publishes one (JWKS).
//!
//! Guarantees: fetched through the guard of outgoing requests, without redirects, at most [`BYTES_MAX`] within [`TIME`];
//! plain HTTP only where every address is in the networks that the operator allows. One fetch at a time; at most one in
//! [`PAUSE`], whatever tokens come; the last good set stays when a fetch fails. A key is used for its own algorithms alone.
//! When a set comes without a key that it had, what was made of the provider's tokens is void ([`Fetcher`] tells of it).
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
use crate::outbound::{client, describe, resolver};

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

/// What is told that a set has lost a key.
pub(crate) type Lost = Arc<dyn Fn() + Send + Sync>;

/// Fetches sets.
pub(crate) struct Fetcher {
    /// Told when a set has lost a key.
    lost: Lost,
    public: (Arc<Guard>, Client),
    /// For plain HTTP.
    allowed: (Arc<Guard>, Client),
}

impl Fetcher {
    /// A fetcher that reaches public addresses and those allowed.
    pub(crate) fn new(allowed: Vec<IpNet>, lost: Lost) -> Result<Self, Error> {
        let made = |guard: Guard| {
            let guard = Arc::new(guard);
            let client = client(&guard, &resolver::system()).build();
            let failed = |error| Error::internal(format!("make the client of key sets: {error}"));
            client.map(|client| (guard, client)).map_err(failed)
        };
        Ok(Self {
            lost,
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
    /// Of the key as it was published: another key is another digest.
    digest: blake3::Hash,
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
        self.fetch(fetcher, clock.monotonic(), &mut asked).await;
        match &*self.set.read() {
            Some(set) => Ok(set.matching(algorithm, kid)),
            None => {
                let message = "the keys of the token's issuer cannot be had now; try again";
                Err(Error::unavailable("provider_unreachable", message).into())
            }
        }
    }

    /// Whether a set that was used is due to be asked for again.
    pub(crate) fn is_due(&self, clock: &SharedClock) -> bool {
        let now = clock.monotonic();
        let is_old = self.set.read().as_ref().is_some_and(|set| !set.is_fresh(now));
        // While somebody asks for it, it is not due.
        is_old && self.asked.try_lock().is_ok_and(|asked| may_ask(*asked, now))
    }

    /// Asks for a set again that is due.
    pub(crate) async fn renew(&self, fetcher: &Fetcher, clock: &SharedClock) {
        let mut asked = self.asked.lock().await;
        let now = clock.monotonic();
        if self.set.read().as_ref().is_none_or(|set| set.is_fresh(now)) {
            return;
        }
        self.fetch(fetcher, now, &mut asked).await;
    }

    async fn fetch(&self, fetcher: &Fetcher, now: Duration, asked: &mut Option<Duration>) {
        if !may_ask(*asked, now) {
            return;
        }
        *asked = Some(now);
        match fetcher.fetch(&self.url).await {
            Ok(keys) => {
                let new = Set { keys: keys.into(), fetched: now };
                let has = |key: &Key| new.keys.iter().any(|one| one.digest == key.digest);
                let mut set = self.set.write();
                let lost = set.as_ref().is_some_and(|old| !old.keys.iter().all(has));
                *set = Some(new);
                drop(set);
                if lost {
                    (fetcher.lost)();
                }
            }
            Err(error) => {
                let host = self.url.host_str();
                tracing::warn!(host, error, "a key set could not be fetched; the last one stays");
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
        let set = set.as_ref().filter(|set| set.is_fresh(clock.monotonic()))?;
        let keys = set.matching(algorithm, kid);
        (!keys.is_empty()).then_some(keys)
    }
}

/// Whether a set may be asked for once more.
fn may_ask(asked: Option<Duration>, now: Duration) -> bool {
    asked.is_none_or(|last| now.saturating_sub(last) >= PAUSE)
}

impl Set {
    fn is_fresh(&self, now: Duration) -> bool {
        now.saturating_sub(self.fetched) < FRESH
    }

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
        let digest = blake3::hash(jwk.to_string().as_bytes());
        key.filter(|_| !algorithms.is_empty()).map(|key| Self { kid, algorithms, key, digest })
    }
}
