//! Access: from what a request presents to the grant that its session holds.
//!
//! Guarantees: keys are kept as hashes alone; a revoked or expired credential is refused at once, and its streams end.
//! Leaves to others: enforcing the grant (the session), vendor forms of credentials (the access issue).

mod action;
mod credential;
pub(crate) mod document;
mod grant;
pub(crate) mod key;
mod owners;
mod presented;
mod registry;

use std::sync::Arc;

use headwater_engine::clock::SharedClock;
use headwater_engine::view::SystemFollower;
use headwater_engine::webhook::Sight;
use headwater_engine::{Engine, Result};
use http::request::Parts;

use crate::error::ApiError;

pub(crate) use action::Action;
pub(crate) use credential::Credential;
pub(crate) use grant::Grant;
pub(crate) use registry::{COLLECTION, shown};

use owners::Owners;
use registry::CredentialRegistry;

/// Who may do what; made before the engine is opened, so that it can follow it.
#[derive(Clone)]
pub struct Access {
    registry: Arc<CredentialRegistry>,
    owners: Arc<Owners>,
}

impl Access {
    /// Access with the root key of the configuration, if there is one. Only its hash is kept.
    pub fn new(root_key: Option<&str>, clock: SharedClock) -> Self {
        let owners = Arc::new(Owners::new(Arc::clone(&clock)));
        Self { registry: Arc::new(CredentialRegistry::new(root_key, clock)), owners }
    }

    /// What has to follow the engine: goes into `Components::followers`.
    pub fn followers(&self) -> Vec<Arc<dyn SystemFollower>> {
        vec![Arc::clone(&self.registry) as _, Arc::clone(&self.owners) as _]
    }

    /// What the credentials that registered webhooks may see as they stand: goes into the webhooks' options.
    pub fn sight(&self) -> Arc<dyn Sight> {
        Arc::clone(&self.owners) as Arc<dyn Sight>
    }

    /// Makes a full-access key where nobody could do anything otherwise, and gives it, to be printed once.
    pub async fn bootstrap(&self, engine: &Engine) -> Result<Option<String>> {
        if self.registry.has_any() {
            return Ok(None);
        }
        crate::session::create_root_key(engine).await.map(Some)
    }

    /// The credential of a request, if it presents a valid one.
    pub(crate) fn authenticate(&self, parts: &Parts) -> Result<Arc<Credential>, ApiError> {
        let Some(key) = presented::presented(parts)? else {
            return Err(ApiError::unauthorized("no credential was presented"));
        };
        self.registry
            .find(&key)
            .ok_or_else(|| ApiError::unauthorized("the credential is unknown, revoked or expired"))
    }

    /// A credential as it stands now; `None` once its key is revoked or expired.
    pub(crate) fn current(&self, before: &Credential) -> Option<Arc<Credential>> {
        self.registry.current(before)
    }
}
