//! Tokens of other issuers: providers (documents of `_providers`), their keys, and what a token must satisfy (promise S3).
//!
//! Guarantees: nothing that a token says decides how it is checked; no refusal repeats a word of it.
//! Leaves to others: remembering who a token stands for (the directory), the routes of providers.

mod claims;
mod holder;
mod issue;
mod jwks;
mod provider;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use headwater_engine::Engine;
use headwater_engine::clock::SharedClock;
use headwater_engine::value::{Object, Raw};
use headwater_engine::vault::Vault;
use headwater_engine::view::SystemFollower;
use parking_lot::RwLock;

use super::grant::{GrantSource, UserFacts};
use super::identity::{Dependency, Identity};
use super::jws::{EXPIRED, Flaw, Jws, looks_like_one};
use super::options::AccessOptions;
use super::people::user::User;
use super::principal::Kind;
use super::refusal;
use super::registry::shown;
use crate::error::ApiError;

pub(crate) use issue::Signed;
pub(crate) use provider::checked;

use jwks::{Fetcher, Jwks, Lost};
use provider::{Keys, Provider};

/// The system collection of providers.
pub(crate) const PROVIDERS: &str = "_providers";

/// All providers.
pub(crate) struct External {
    vault: Arc<Vault>,
    known: RwLock<Known>,
    fetcher: OnceLock<Fetcher>,
    lost: OnceLock<Lost>,
}

#[derive(Default)]
struct Known {
    providers: HashMap<String, Arc<Provider>>,
    /// The position of the newest change heard of.
    newest: u64,
    /// Those not told again since the views were made anew.
    stale: HashSet<String>,
}

impl External {
    /// No provider yet.
    pub(crate) fn new(vault: Arc<Vault>) -> Arc<Self> {
        let (fetcher, lost) = (OnceLock::new(), OnceLock::new());
        Arc::new(Self { vault, known: RwLock::default(), fetcher, lost })
    }

    /// Whom to tell when a provider no longer publishes a key: what was made of its tokens is void.
    pub(crate) fn tell_of_lost_keys(&self, lost: Lost) {
        // Told once; nobody else does.
        drop(self.lost.set(lost));
    }

    /// Asks again for the key sets that are in use and were not asked for lately, in the background. Cheap where none is.
    pub(crate) fn renew_keys(self: &Arc<Self>, engine: &Engine, options: &AccessOptions) {
        let clock = engine.clock();
        let due: Vec<Arc<Jwks>> = {
            let known = self.known.read();
            let sets = known.providers.values().filter_map(|provider| match &provider.keys {
                Keys::Fetched(set) => Some(set),
                Keys::Fixed(_) => None,
            });
            sets.filter(|set| set.is_due(clock)).map(Arc::clone).collect()
        };
        for set in due {
            let (external, clock, options) = (Arc::clone(self), Arc::clone(clock), options.clone());
            let stop = engine.tasks().token();
            engine.tasks().spawn("key set", async move {
                let Ok(fetcher) = external.fetcher(&options) else { return };
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = set.renew(fetcher, &clock) => {}
                }
            });
        }
    }

    /// Hears of providers.
    pub(crate) fn follower(self: &Arc<Self>) -> Option<Arc<dyn SystemFollower>> {
        Some(Arc::clone(self) as Arc<dyn SystemFollower>)
    }

    /// Who a token of another issuer stands for; `None` where no provider knows it. May fetch keys, and make or change the
    /// user.
    pub(crate) async fn identify(
        &self,
        engine: &Engine,
        token: &str,
        options: &AccessOptions,
    ) -> Result<Option<Identity>, ApiError> {
        if !looks_like_one(token) || self.known.read().providers.is_empty() {
            return Ok(None);
        }
        let jws = Jws::split(token).map_err(ApiError::unauthorized)?;
        // Before the providers are looked at: what changes after this is told of.
        let position = engine.snapshot().position();
        let candidates = self.candidates(jws.claims().get("iss").and_then(Raw::as_str));
        if candidates.is_empty() {
            return Ok(None);
        }
        let mut flaw = "the token was signed by nobody known";
        // One whose keys cannot be had does not keep the others from being asked.
        let mut unreachable = None;
        for provider in candidates {
            let fetcher = self.fetcher(options)?;
            match verify(&provider, &jws, fetcher, engine.clock()).await {
                Err(error) => unreachable = Some(error),
                Ok(Ok(expires_ms)) => {
                    let known = (position, expires_ms);
                    return holder(engine, &provider, jws.claims(), known, options).await.map(Some);
                }
                // Only a token that is rightly signed has expired: no other provider knows better.
                Ok(Err(_)) if flaw == EXPIRED => {}
                Ok(Err(found)) => flaw = found,
            }
        }
        Err(unreachable.unwrap_or_else(|| refusal::of_token(flaw)))
    }

    /// The providers of an issuer, then those of any.
    fn candidates(&self, issuer: Option<&str>) -> Vec<Arc<Provider>> {
        let known = self.known.read();
        let mut found: Vec<_> = known
            .providers
            .values()
            .filter(|one| one.issuer.is_none() || one.issuer.as_deref() == issuer)
            .map(Arc::clone)
            .collect();
        found.sort_by(|a, b| (a.issuer.is_none(), &a.name).cmp(&(b.issuer.is_none(), &b.name)));
        found
    }

    fn fetcher(&self, options: &AccessOptions) -> Result<&Fetcher, ApiError> {
        if let Some(fetcher) = self.fetcher.get() {
            return Ok(fetcher);
        }
        let lost = self.lost.get().map_or_else(|| Arc::new(|| {}) as Lost, Arc::clone);
        let fetcher = Fetcher::new(options.allow_networks.clone(), lost)?;
        Ok(self.fetcher.get_or_init(|| fetcher))
    }
}

/// Holds a token against a provider; when it ends, or why it is refused.
async fn verify(
    provider: &Provider,
    jws: &Jws<'_>,
    fetcher: &Fetcher,
    clock: &SharedClock,
) -> Result<Result<u64, Flaw>, ApiError> {
    let named = match jws.named() {
        Ok(named) => named,
        Err(flaw) => return Ok(Err(flaw)),
    };
    if !provider.algorithms.contains(&named.algorithm) {
        return Ok(Err("the token's algorithm is not accepted"));
    }
    let keys = match &provider.keys {
        Keys::Fixed(key) => vec![key.clone()],
        Keys::Fetched(jwks) => {
            jwks.keys(fetcher, clock, named.algorithm, named.kid.as_deref()).await?
        }
    };
    if keys.is_empty() {
        return Ok(Err("the token names no key of its issuer"));
    }
    if !keys.iter().any(|key| jws.is_signed_with(key, named.algorithm)) {
        return Ok(Err("the token's signature is wrong"));
    }
    Ok(claims::check(provider, jws.claims(), clock.now_ms()))
}

async fn holder(
    engine: &Engine,
    provider: &Provider,
    claims: Raw<'_>,
    (position, expires_ms): (u64, u64),
    options: &AccessOptions,
) -> Result<Identity, ApiError> {
    let mapped = claims::mapped(provider, claims);
    let user = holder::find(engine, provider, claims, &mapped).await?;
    if user.as_ref().is_some_and(|user| user.disabled) {
        return Err(refusal::disabled());
    }
    let subject = holder::subject(claims);
    if user.is_none() && subject.is_none() {
        // Without a name, all of them would be one actor.
        let message = "the token's `sub` is not a text of 1 to 1,024 bytes, and it is no user's";
        return Err(ApiError::unauthorized(message));
    }
    let mut rests_on = vec![Dependency::Providers];
    let shown: Option<Arc<str>> = user.as_ref().map(|user| Arc::from(user.shown_id()));
    rests_on.extend(shown.clone().map(Dependency::User));
    let named = || Arc::from(format!("{}:{}", provider.name, subject.unwrap_or_default()));
    let actor = shown.clone().unwrap_or_else(named);
    let mut roles = claims::roles(provider, claims);
    if roles.is_empty() {
        roles = user.as_ref().map(|user| user.roles.clone()).unwrap_or_default();
    }
    if roles.is_empty() {
        roles = provider.default_roles.clone();
    }
    if roles.is_empty() {
        roles = options.default_roles.clone();
    }
    let facts = user.as_ref().map_or_else(|| without_user(mapped), User::facts);
    Ok(Identity {
        actor,
        kind: Kind::External,
        session: None,
        user: shown,
        facts: Some(facts),
        source: GrantSource::by_roles(roles),
        expires_ms: Some(expires_ms),
        rests_on,
        position,
    })
}

/// What rules see of somebody who is no user here: no id.
fn without_user(mapped: claims::Mapped) -> UserFacts {
    let mut data = Object::new();
    for (name, value) in mapped.data {
        data.insert(name, value);
    }
    UserFacts { id: Vec::new(), email: mapped.email, data }
}

impl SystemFollower for External {
    fn collections(&self) -> &[&'static str] {
        &[PROVIDERS]
    }

    fn reset(&self) {
        let mut known = self.known.write();
        known.stale = known.providers.keys().cloned().collect();
    }

    fn changed(&self, collection: &str, id: Raw<'_>, body: Option<Raw<'_>>, position: u64) {
        if collection != PROVIDERS {
            return;
        }
        let name = shown(id);
        let read = body.map(|body| provider::read(&name, body, &self.vault));
        let mut known = self.known.write();
        known.stale.remove(&name);
        if position > known.newest {
            known.newest = position;
            known.drop_stale();
        }
        match read {
            Some(Ok(mut provider)) => {
                provider.position = position;
                // The keys that were fetched stay good for the same url.
                if let (Keys::Fetched(new), Some(before)) =
                    (&provider.keys, known.providers.get(&name))
                    && let Keys::Fetched(old) = &before.keys
                    && old.url == new.url
                {
                    provider.keys = Keys::Fetched(Arc::clone(old));
                }
                known.providers.insert(name, Arc::new(provider));
            }
            Some(Err(error)) => {
                tracing::error!(provider = name, %error, "provider refused: its tokens are not accepted");
                known.providers.remove(&name);
            }
            None => drop(known.providers.remove(&name)),
        }
    }

    fn settled(&self) {
        self.known.write().drop_stale();
    }
}

impl Known {
    fn drop_stale(&mut self) {
        for gone in std::mem::take(&mut self.stale) {
            self.providers.remove(&gone);
        }
    }
}

#[cfg(test)]
mod tests;
