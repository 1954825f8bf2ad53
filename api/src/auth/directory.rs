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
            let newest = self.watch.newest();
            let identity = self.identify(presented).await?;
            // Read from a state that was older than what had been heard of; 0: not read from a snapshot.
            if (1..newest).contains(&identity.position) {
                continue;
            }
            let principal = self.principal(identity, presented)?;
            let rests_on = principal.rests_on.clone();
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
            session: identity.session,
            user: identity.user,
            grant,
            parts: Arc::new(parts),
            rests_on: identity.rests_on,
            expires_ms: identity.expires_ms,
            retired: CancellationToken::new(),
        })
    }

    /// What an identity may do, by the roles and values of now.
    pub(super) fn compile(&self, identity: &Identity) -> Result<(Arc<Grant>, Parts), ApiError> {
        let source = identity.source.clone();
        let (roles, values) = self.watch.rolebook.find(&source.roles);
        let (actor, user) = (Some(Arc::clone(&identity.actor)), identity.facts.clone());
        let facts = Facts { actor, user, values, request: None };
        let limits = Limits::for_stored_queries();
        let compiled = Grant::compile(&source, &roles, &facts, &limits).map_err(|error| {
            let roles: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
            tracing::error!(actor = &*identity.actor, ?roles, %error, "a grant does not compile");
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

/// The user for whom a principal may make keys: it logged in here, and is no key itself. The token of another issuer does
/// not do: the key would outlive it, and have the roles stored here instead of the token's.
pub(crate) fn logged_in(principal: &Principal) -> Option<&Arc<str>> {
    let by_session = matches!(principal.kind, Kind::Session | Kind::Cookie);
    principal.user.as_ref().filter(|_| by_session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::document::Draft;
    use headwater_engine::clock::ManualClock;
    use headwater_engine::fs::SystemFileSystem;
    use headwater_engine::value::{Object, Raw, Value};

    const ID: [u8; 12] = [7; 12];

    fn directory(clock: &Arc<ManualClock>) -> Directory {
        let (clock, fs) = (clock.clone() as SharedClock, SystemFileSystem::shared());
        let vault = Vault::open(std::path::Path::new("."), None, fs, clock.clone()).unwrap();
        Directory::new(Some("root key"), clock, vault, AccessOptions::default())
    }

    fn draft() -> Draft {
        Draft::key(ID, Value::Object(Object::new()))
    }

    fn tell(directory: &Directory, body: Option<Vec<u8>>, position: u64) {
        let id = Value::ObjectId(ID).to_bytes();
        let body = body.as_deref().map(Raw::trusted);
        directory.watch.changed("_credentials", Raw::trusted(&id), body, position);
    }

    fn token(text: &str) -> Presented {
        Presented::Token(text.to_owned())
    }

    async fn code(directory: &Directory, presented: &Presented) -> String {
        let refused = directory.find(presented).await.unwrap_err();
        assert_eq!(refused.status(), 401);
        let body: serde_json::Value = serde_json::from_slice(&refused.body("r")).unwrap();
        body["error"]["code"].as_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn a_principal_is_made_once_and_again_after_a_change() {
        let directory = directory(&ManualClock::new(1000, 1));
        tell(&directory, Some(draft().document(&key::hash("k"))), 1);
        let first = directory.find(&token("k")).await.unwrap();
        assert_eq!((&*first.id, first.kind), ("070707070707070707070707", Kind::Key));
        assert!(Arc::ptr_eq(&first, &directory.find(&token("k")).await.unwrap()));
        let changed = Draft { label: "x".to_owned(), ..draft() }.document(&key::hash("k"));
        tell(&directory, Some(changed), 2);
        assert!(first.retired.is_cancelled());
        let second = directory.find(&token("k")).await.unwrap();
        assert!(!second.retired.is_cancelled() && !Arc::ptr_eq(&first, &second));
        tell(&directory, None, 3);
        assert!(second.retired.is_cancelled());
        assert_eq!(code(&directory, &token("k")).await, "credential_revoked");
        assert_eq!(code(&directory, &token("other")).await, "unauthorized");
    }

    #[tokio::test]
    async fn what_is_kept_ends_at_its_time() {
        let clock = ManualClock::new(1000, 1);
        let directory = directory(&clock);
        let draft = Draft { expires_ms: Some(2000), ..draft() };
        tell(&directory, Some(draft.document(&key::hash("k"))), 1);
        let principal = directory.find(&token("k")).await.unwrap();
        assert_eq!(principal.expires_ms, Some(2000));
        clock.advance_ms(999);
        assert!(directory.find(&token("k")).await.is_ok());
        clock.advance_ms(1);
        assert_eq!(code(&directory, &token("k")).await, "credential_expired");
    }

    #[tokio::test]
    async fn a_replaced_key_ends_with_the_grace() {
        let clock = ManualClock::new(1000, 1);
        let directory = directory(&clock);
        let body = draft().document(&key::hash("old"));
        tell(&directory, Some(body.clone()), 1);
        let before = directory.find(&token("old")).await.unwrap();
        let rotate = crate::auth::document::rotated;
        let body = rotate(Raw::trusted(&body), &key::hash("new"), 1000, 2000).unwrap();
        tell(&directory, Some(body), 2);
        assert!(before.retired.is_cancelled());
        assert_eq!(directory.find(&token("old")).await.unwrap().expires_ms, Some(2000));
        assert_eq!(directory.find(&token("new")).await.unwrap().expires_ms, None);
        clock.advance_ms(1000);
        assert_eq!(code(&directory, &token("old")).await, "credential_revoked");
        assert!(directory.find(&token("new")).await.is_ok());
    }

    #[tokio::test]
    async fn a_name_needs_its_password() {
        let directory = directory(&ManualClock::new(1000, 1));
        let username = Some("abcdefghi".to_owned());
        let basic = Draft { kind: Kind::Basic, username, ..draft() };
        tell(&directory, Some(basic.document(&key::hash("pass"))), 1);
        let present = |username: &str, password: &str| Presented::Basic {
            username: username.to_owned(),
            password: password.to_owned(),
        };
        let principal = directory.find(&present("abcdefghi", "pass")).await.unwrap();
        assert_eq!(principal.kind, Kind::Basic);
        assert!(directory.token_for(&principal, 1000).is_some());
        for (username, password) in [("abcdefghi", "Pass"), ("other", "pass"), ("", "")] {
            assert_eq!(code(&directory, &present(username, password)).await, "unauthorized");
        }
        assert_eq!(code(&directory, &token("pass")).await, "unauthorized");
    }

    #[tokio::test]
    async fn the_root_key_of_the_configuration_has_full_access() {
        let directory = directory(&ManualClock::new(1000, 1));
        let root = directory.find(&token("root key")).await.unwrap();
        assert!(root.grant.is_full() && &*root.id == ROOT);
        assert_eq!(code(&directory, &token("Root key")).await, "unauthorized");
        let (_, ends) = directory.token_for(&root, 5000).unwrap();
        assert_eq!(ends, 6000);
        let cookie = Presented::Cookie("root key".to_owned());
        assert_eq!(directory.find(&cookie).await.unwrap_err().status(), 503, "not attached yet");
    }

    #[tokio::test]
    async fn tokens_are_made_from_keys_and_passwords_alone_and_end_with_them() {
        let directory = directory(&ManualClock::new(1000, 1));
        let draft = Draft { expires_ms: Some(2000), ..draft() };
        tell(&directory, Some(draft.document(&key::hash("k"))), 1);
        let principal = directory.find(&token("k")).await.unwrap();
        let (_, ends) = directory.token_for(&principal, 60_000).unwrap();
        assert_eq!(ends, 2000, "never beyond the credential's own end");
        for presented in [token("a.b.c"), Presented::Cookie("k".to_owned())] {
            let principal = Identity { expires_ms: None, ..identity() };
            let principal = directory.principal(principal, &presented).unwrap();
            assert!(directory.token_for(&principal, 1000).is_none());
        }
    }

    fn identity() -> Identity {
        Identity {
            actor: Arc::from("u"),
            kind: Kind::Session,
            session: None,
            user: Some(Arc::from("u")),
            facts: None,
            source: crate::auth::GrantSource::default(),
            expires_ms: None,
            rests_on: Vec::new(),
            position: 0,
        }
    }

    #[test]
    fn only_whoever_logged_in_makes_keys() {
        let directory = directory(&ManualClock::new(1000, 1));
        for (kind, may) in [
            (Kind::Session, true),
            (Kind::Cookie, true),
            (Kind::External, false),
            (Kind::Key, false),
            (Kind::Root, false),
        ] {
            let identity = Identity { kind, ..identity() };
            let principal = directory.principal(identity, &token("t")).unwrap();
            assert_eq!(logged_in(&principal).is_some(), may, "{kind:?}");
        }
    }
}
