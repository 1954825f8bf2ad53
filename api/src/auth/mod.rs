//! Access: from what a request presents to the principal, with its grant, that its session holds.
//!
//! Guarantees: keys are kept as hashes alone; what was revoked, has expired or was changed is noticed at once, and streams
//! that rest on it look again.
//! Leaves to others: enforcing the grant (the session).
//!
//! `presented` reads a request, `resolve` says what was presented, `directory` makes the principal of it and keeps it,
//! `watch` hears of changes and voids what rests on them. What is known in memory: `registry` (credentials), `rolebook`
//! (roles and values). What is read when it is asked for: `people`, `external`.

mod action;
mod actors;
mod address;
pub(crate) mod cors;
mod credential;
mod directory;
pub(crate) mod document;
pub(crate) mod external;
mod face_rules;
mod grant;
mod identity;
mod jws;
pub(crate) mod key;
mod known;
mod options;
mod owners;
pub(crate) mod password;
pub(crate) mod people;
mod presented;
mod principal;
mod rate;
mod refusal;
mod registry;
mod resolve;
mod rolebook;
mod root_key;
mod standing;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod throttle;
pub(crate) mod token;
mod watch;

use std::sync::Arc;

use headwater_engine::clock::SharedClock;
use headwater_engine::value::{Object, Raw};
use headwater_engine::vault::Vault;
use headwater_engine::view::SystemFollower;
use headwater_engine::webhook::Sight;
use headwater_engine::{Engine, Result};
use http::request::Parts;

use crate::error::ApiError;

pub(crate) use action::Action;
pub(crate) use actors::Actors;
pub(crate) use address::{client_address, limit_key};
pub(crate) use directory::logged_in;
pub(crate) use face_rules::FaceRules;
pub(crate) use grant::{Acl, Grant, GrantSource, Happened, RequestFacts, Role, Visit};
pub use options::{AccessOptions, SignUp};
pub(crate) use presented::{Conflict, Offered, SESSION_COOKIE};
pub(crate) use principal::{Kind, Principal};
pub(crate) use rate::{RateTable, Taken};
pub(crate) use registry::{COLLECTION, shown};
pub(crate) use rolebook::{ROLES, SETTINGS, VALUE_PREFIX};
pub(crate) use standing::Standing;

use directory::Directory;
pub(crate) use external::Signed;
use owners::Owners;
use people::People;
use people::StoredUser;
pub(crate) use people::check_cookie_origin;
pub(crate) use people::issued::Wanted;
use presented::Presented;

/// What the key of digests of requests is derived for.
const REQUESTS: &str = "headwater 2026-11 request digests";

/// Who may do what; made before the engine is opened, so that it can follow it.
#[derive(Clone)]
pub struct Access {
    directory: Arc<Directory>,
    people: Arc<People>,
    actors: Arc<Actors>,
    request_key: [u8; 32],
}

impl Access {
    /// Access with the root key of the configuration, if there is one (only its hash is kept), and the vault that holds the
    /// operator's key.
    pub fn new(
        root_key: Option<&str>,
        clock: SharedClock,
        vault: Arc<Vault>,
        options: AccessOptions,
    ) -> Self {
        let people = Arc::new(People::new(&vault, options.clone()));
        let request_key = vault.derive(REQUESTS);
        let directory = Arc::new(Directory::new(root_key, clock, vault, options));
        let watch = Arc::clone(&directory.watch);
        directory.external.tell_of_lost_keys(Arc::new(move || watch.keys_lost()));
        let actors = Arc::new(Actors::new(&directory));
        Self { directory, people, actors, request_key }
    }

    /// What logging in takes.
    pub(crate) fn people(&self) -> &Arc<People> {
        &self.people
    }

    /// Who made and changed documents.
    pub(crate) fn actors(&self) -> &Arc<Actors> {
        &self.actors
    }

    /// What digests of requests are made under.
    pub(crate) fn request_key(&self) -> &[u8; 32] {
        &self.request_key
    }

    /// What has to follow the engine: goes into `Components::followers`.
    pub fn followers(&self) -> Vec<Arc<dyn SystemFollower>> {
        self.directory.followers()
    }

    /// What those who registered webhooks may see as they stand: goes into the webhooks' options.
    pub fn sight(&self) -> Arc<dyn Sight> {
        Arc::new(Owners(Arc::clone(&self.directory)))
    }

    /// Tells of the opened engine; before webhooks start, and before anybody is let in.
    pub fn attach(&self, engine: &Engine) {
        self.directory.attach(engine);
    }

    /// Keeps the key that tokens are signed under. Makes a full-access key where nobody could do
    /// anything otherwise, and gives it, to be printed once.
    pub async fn bootstrap(&self, engine: &Engine) -> Result<Option<String>> {
        self.attach(engine);
        self.directory.vault.keep()?;
        if self.directory.has_any() {
            return Ok(None);
        }
        root_key::create(engine).await.map(Some)
    }

    /// The principal of a request; refused where it presents no valid credential. What becomes of differing ones the
    /// face says.
    pub(crate) async fn authenticate(&self, parts: &Parts) -> Result<Arc<Principal>, ApiError> {
        let Some(presented) = presented::presented(parts, FaceRules::of(parts))? else {
            return Err(ApiError::unauthorized("no credential was presented"));
        };
        self.known(&presented).await
    }

    /// The principal of a key or token that came in a message; refused where it is not valid.
    pub(crate) async fn by_token(&self, text: &str) -> Result<Arc<Principal>, ApiError> {
        self.known(&presented::token(text)?).await
    }

    /// The principal of what another presented, as if it had been presented again.
    pub(crate) async fn again(&self, before: &Principal) -> Result<Arc<Principal>, ApiError> {
        self.known(&before.presented).await
    }

    async fn known(&self, presented: &Presented) -> Result<Arc<Principal>, ApiError> {
        let principal = self.directory.find(presented).await?;
        if principal.kind == Kind::External {
            // It may be known since before the key was taken back that it rests on.
            let directory = &self.directory;
            directory.external.renew_keys(directory.engine()?, &directory.options);
        }
        Ok(principal)
    }

    /// What sort of credential a request presents, valid or not, where the first place counts that has one.
    pub(crate) fn offered<B>(request: &http::Request<B>, rules: FaceRules) -> Offered {
        presented::offered(request.headers(), request.uri().query(), rules)
    }

    /// Whether a request presents a credential, valid or not, where a face's rules look for one.
    pub(crate) fn is_any_presented_in(parts: &Parts) -> bool {
        let (headers, query) = (&parts.headers, parts.uri.query());
        !matches!(presented::in_head(headers, query, FaceRules::of(parts)), Ok(None))
    }

    /// Whether a request presents a credential, valid or not.
    pub(crate) fn is_presented(parts: &Parts) -> Result<bool, ApiError> {
        Ok(presented::presented(parts, FaceRules::NATIVE)?.is_some())
    }

    /// Waits until the log shows every change of rights that principals of now were made by.
    pub(crate) async fn settled(&self) -> Result<(), ApiError> {
        self.directory.snapshot().await.map(drop)
    }

    /// A principal as it stands now; `None` once what it presented is revoked or expired.
    pub(crate) async fn current(&self, before: &Principal) -> Option<Arc<Principal>> {
        self.directory.find(&before.presented).await.ok()
    }

    /// Settings.
    pub(crate) fn options(&self) -> &AccessOptions {
        &self.directory.options
    }

    /// What seals secrets.
    pub(crate) fn vault(&self) -> &Vault {
        &self.directory.vault
    }

    /// The first of these roles that is not there.
    pub(crate) fn missing_role<'a>(&self, names: &'a [String]) -> Option<&'a str> {
        let book = &self.directory.watch.rolebook;
        names.iter().map(String::as_str).find(|name| !book.has_role(name))
    }

    /// A name for a password that no credential has.
    pub(crate) fn new_username(&self) -> String {
        let directory = &self.directory;
        loop {
            let name = key::username(&directory.clock);
            if directory.watch.registry.by_name(&name).is_none() {
                return name;
            }
        }
    }

    /// The ids of a user's keys, in order; one that is not visible yet may be among them.
    pub(crate) fn keys_of_user(&self, user: &str) -> Vec<Arc<str>> {
        self.directory.watch.registry.of_user(user)
    }

    /// A user, by the id as shown.
    pub(crate) async fn user(&self, id: &str) -> Result<Option<StoredUser>, ApiError> {
        self.directory.user(id).await
    }

    /// Signs a token in the place of a provider; what cannot be done is refused, naming the member.
    pub(crate) fn sign_as_provider(&self, wanted: &Wanted) -> Result<Signed, ApiError> {
        self.directory.external.sign(wanted, &self.directory.clock)
    }

    /// The same for the provider of that very name.
    pub(crate) fn sign_again(&self, wanted: &Wanted) -> Result<Signed, ApiError> {
        self.directory.external.sign_again(wanted, &self.directory.clock)
    }

    /// A token that acts as the credential whose key or password was presented, and when it ends, UTC ms; `None` where
    /// something else was presented.
    pub(crate) fn token_for(&self, principal: &Principal, ttl_ms: u64) -> Option<(String, u64)> {
        self.directory.token_for(principal, ttl_ms)
    }
}

/// A provider's document as it is stored, its secret sealed; malformed parts are refused by name.
pub(crate) fn checked_provider(
    name: &str,
    given: Raw<'_>,
    vault: &Vault,
) -> Result<Object, ApiError> {
    external::checked(name, given, vault)
}
