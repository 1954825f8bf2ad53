//! The directory: from what is presented to a principal, compiled once and kept until something it rests on changes.
//!
//! Guarantees: what was presented before costs a hash and a look into a map. A principal is made of a state that shows
//! every change heard of, and whoever holds one hears (`retired`) when it is void.
//! Leaves to others: what a presented credential is (`resolve`), hearing of changes (`watch`), what a grant allows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use headwater_engine::clock::SharedClock;
use headwater_engine::limits::Limits;
use headwater_engine::vault::Vault;
use headwater_engine::view::{Snapshot, SystemFollower};
use headwater_engine::{Engine, Error};
use tokio_util::sync::CancellationToken;

use super::external::External;
use super::grant::{Facts, Grant};
use super::identity::Identity;
use super::key::{self, KeyHash};
use super::options::AccessOptions;
use super::presented::Presented;
use super::principal::{Kind, Parts, Principal, ROOT};
use super::token::{TokenSigner, Use};
use super::watch::{PresentedHash, Watch};
use crate::error::ApiError;

/// How often a principal is made again because something changed meanwhile.
const TRIES: usize = 8;

/// Everybody who is known.
pub(crate) struct Directory {
    pub(super) watch: Arc<Watch>,
    pub(super) external: Arc<External>,
    pub(super) signer: TokenSigner,
    pub(super) root: Option<KeyHash>,
    pub(super) clock: SharedClock,
    pub(super) options: Arc<AccessOptions>,
    pub(crate) vault: Arc<Vault>,
    engine: OnceLock<Engine>,
    serials: AtomicU64,
}

impl Directory {
    pub(super) fn new(
        root_key: Option<&str>,
        clock: SharedClock,
        vault: Arc<Vault>,
        options: AccessOptions,
    ) -> Self {
        Self {
            watch: Arc::new(Watch::new()),
            external: External::new(Arc::clone(&vault)),
            signer: TokenSigner::new(&vault),
            root: root_key.map(key::hash),
            clock,
            options: Arc::new(options),
            vault,
            engine: OnceLock::new(),
            serials: AtomicU64::new(1),
        }
    }

    /// The watch comes last: providers are known before what rests on them is void.
    pub(super) fn followers(&self) -> Vec<Arc<dyn SystemFollower>> {
        let watch = Arc::clone(&self.watch) as Arc<dyn SystemFollower>;
        self.external.follower().into_iter().chain([watch]).collect()
    }

    pub(super) fn attach(&self, engine: &Engine) {
        // Told once; a second time it is the same.
        drop(self.engine.set(engine.clone()));
    }

    pub(super) fn has_any(&self) -> bool {
        self.root.is_some() || self.watch.registry.has_any()
    }

    /// The engine, once it is known.
    pub(super) fn engine(&self) -> Result<&Engine, ApiError> {
        let starting = || Error::unavailable("starting", "the server is starting").into();
        self.engine.get().ok_or_else(starting)
    }

    /// A snapshot that shows every change heard of.
    pub(super) async fn snapshot(&self) -> Result<Snapshot, ApiError> {
        let engine = self.engine()?;
        engine.wait_for(self.watch.newest()).await?;
        Ok(engine.snapshot())
    }

    /// The principal of what is presented; refused where that is not valid.
    pub(super) async fn find(&self, presented: &Presented) -> Result<Arc<Principal>, ApiError> {
        let hash = PresentedHash::of(presented);
        if let Some(known) = self.watch.principals.get(&hash)
            && (known.expires_ms.is_none() || !known.expired(self.clock.now_ms()))
        {
            return Ok(known);
        }
        for _ in 0..TRIES {
            let mark = self.watch.principals.mark();
            let identity = self.identify(presented).await?;
            let rests_on = identity.rests_on.clone();
            let principal = self.principal(identity, presented)?;
            let now_ms = self.clock.now_ms();
            let kept = self.watch.principals.keep(hash, principal, rests_on, mark, now_ms);
            if let Some(principal) = kept {
                return Ok(principal);
            }
        }
        let message = "the rights of this credential change too fast; try again";
        Err(Error::unavailable("credential_contended", message).into())
    }

    fn principal(&self, identity: Identity, presented: &Presented) -> Result<Principal, ApiError> {
        let (grant, parts) = self.compile(&identity)?;
        Ok(Principal {
            id: identity.actor,
            kind: identity.kind,
            presented: presented.clone(),
            credential: identity.credential,
            session: identity.session,
            user: identity.user,
            grant,
            parts: Arc::new(parts),
            expires_ms: identity.expires_ms,
            serial: self.next_serial(),
            retired: CancellationToken::new(),
        })
    }

    /// What an identity may do, by the roles and values of now.
    pub(super) fn compile(&self, identity: &Identity) -> Result<(Arc<Grant>, Parts), ApiError> {
        let source = identity.source.clone();
        let (roles, values) = self.watch.rolebook.find(&source.roles);
        let facts = Facts { user: identity.facts.clone(), values, request: None };
        let limits = Limits::for_stored_queries();
        let compiled = Grant::compile(&source, &roles, &facts, &limits).map_err(|error| {
            tracing::error!(actor = &*identity.actor, %error, "a grant does not compile");
            ApiError::unauthorized("the grant of this credential is not understood")
        })?;
        Ok((Arc::new(compiled), Parts { source, roles, facts }))
    }

    pub(super) fn next_serial(&self) -> u64 {
        self.serials.fetch_add(1, Ordering::Relaxed)
    }

    /// A token that acts as the credential that a principal presented itself, and when it ends; `None` where it presented
    /// no key and no password.
    pub(super) fn token_for(&self, principal: &Principal, ttl_ms: u64) -> Option<(String, u64)> {
        let now_ms = self.clock.now_ms();
        let (credential, hash, key_ends) = self.secret_of(&principal.presented, now_ms)?;
        let ends = now_ms.saturating_add(ttl_ms);
        let ends = [principal.expires_ms, key_ends].into_iter().flatten().fold(ends, u64::min);
        let purpose = Use::Grant { credential, key: key::mark(&hash) };
        Some((self.signer.sign(&purpose, now_ms, ends), ends))
    }

    /// The credential that a key or password belongs to, the hash of the secret, and when that ends.
    fn secret_of(
        &self,
        presented: &Presented,
        now_ms: u64,
    ) -> Option<(String, KeyHash, Option<u64>)> {
        match presented {
            Presented::Token(text) => {
                let hash = key::hash(text);
                if self.is_root(&hash) {
                    return Some((ROOT.to_owned(), hash, None));
                }
                let (credential, ends) = self.watch.registry.by_key(&hash, now_ms).ok()?;
                Some((credential.id.to_string(), hash, ends))
            }
            Presented::Basic { username, password } => {
                let hash = key::hash(password);
                let credential = self.watch.registry.by_name(username)?;
                let ends = credential.admits_hash(now_ms, &hash).ok()?;
                Some((credential.id.to_string(), hash, ends))
            }
            Presented::Cookie(_) => None,
        }
    }

    pub(super) fn is_root(&self, hash: &KeyHash) -> bool {
        self.root.as_ref().is_some_and(|root| key::same(root, hash))
    }
}

/// Whether a principal may make keys for its user: it logged in, and is no key itself.
pub(crate) fn logged_in(principal: &Principal) -> Option<&Arc<str>> {
    let by_session = matches!(principal.kind, Kind::Session | Kind::Cookie | Kind::External);
    principal.user.as_ref().filter(|_| by_session)
}
