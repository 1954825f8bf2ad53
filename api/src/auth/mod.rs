//! Access: from what a request presents to the principal, with its grant, that its session holds.
//!
//! Guarantees: keys are kept as hashes alone; what was revoked, has expired or was changed is noticed at once, and streams
//! that rest on it look again.
//! Leaves to others: enforcing the grant (the session).

mod action;
mod credential;
mod directory;
pub(crate) mod document;
pub(crate) mod external;
mod grant;
mod identity;
mod jws;
pub(crate) mod key;
mod options;
mod owners;
pub(crate) mod password;
pub(crate) mod people;
mod presented;
mod principal;
mod registry;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod throttle;
pub(crate) mod token;

use std::sync::Arc;

use headwater_engine::clock::SharedClock;
use headwater_engine::vault::Vault;
use headwater_engine::view::SystemFollower;
use headwater_engine::webhook::Sight;
use headwater_engine::{Engine, Result};
use http::request::Parts;

use crate::error::ApiError;

pub(crate) use action::Action;
pub(crate) use grant::{Acl, Grant, GrantSource, RequestFacts, Role, Visit};
pub use options::{AccessOptions, SignUp};
pub(crate) use presented::Presented;
pub(crate) use principal::{Kind, Principal};
pub(crate) use registry::{COLLECTION, shown};

use directory::Directory;
use people::People;

/// Who may do what; made before the engine is opened, so that it can follow it.
#[derive(Clone)]
pub struct Access {
    directory: Arc<Directory>,
    people: Arc<People>,
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
        Self { directory: Arc::new(Directory::new(root_key, clock, vault, options)), people }
    }

    /// What logging in takes.
    pub(crate) fn people(&self) -> &Arc<People> {
        &self.people
    }

    /// What has to follow the engine: goes into `Components::followers`.
    pub fn followers(&self) -> Vec<Arc<dyn SystemFollower>> {
        self.directory.followers()
    }

    /// What those who registered webhooks may see as they stand: goes into the webhooks' options.
    pub fn sight(&self) -> Arc<dyn Sight> {
        self.directory.sight()
    }

    /// Tells of the opened engine; before webhooks start, and before anybody is let in.
    pub fn attach(&self, engine: &Engine) {
        self.directory.attach(engine);
    }

    /// Makes what has to be there once: the unique indexes over users. Makes a full-access key where nobody could do
    /// anything otherwise, and gives it, to be printed once.
    pub async fn bootstrap(&self, engine: &Engine) -> Result<Option<String>> {
        self.attach(engine);
        if self.directory.has_any() {
            return Ok(None);
        }
        crate::session::create_root_key(engine).await.map(Some)
    }

    /// The principal of a request; refused where it presents no valid credential.
    pub(crate) async fn authenticate(&self, parts: &Parts) -> Result<Arc<Principal>, ApiError> {
        let Some(presented) = presented::presented(parts)? else {
            return Err(ApiError::unauthorized("no credential was presented"));
        };
        self.directory.find(presented).await
    }

    /// Whether a request presents a credential, valid or not.
    pub(crate) fn is_presented(parts: &Parts) -> Result<bool, ApiError> {
        Ok(presented::presented(parts)?.is_some())
    }

    /// A principal as it stands now; `None` once what it presented is revoked or expired.
    pub(crate) async fn current(&self, before: &Principal) -> Option<Arc<Principal>> {
        self.directory.find(before.presented.clone()).await.ok()
    }
}
