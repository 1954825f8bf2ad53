//! The directory: from what is presented to a principal, compiled once and kept until something it rests on changes.

use std::sync::{Arc, OnceLock};

use headwater_engine::Engine;
use headwater_engine::clock::SharedClock;
use headwater_engine::vault::Vault;
use headwater_engine::view::SystemFollower;
use headwater_engine::webhook::Sight;

use super::options::AccessOptions;
use super::owners::Owners;
use super::presented::Presented;
use super::principal::{Kind, Principal};
use super::registry::CredentialRegistry;
use crate::error::ApiError;

/// Everybody who is known.
pub(crate) struct Directory {
    registry: Arc<CredentialRegistry>,
    owners: Arc<Owners>,
    engine: OnceLock<Engine>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) options: AccessOptions,
}

impl Directory {
    pub(super) fn new(
        root_key: Option<&str>,
        clock: SharedClock,
        vault: Arc<Vault>,
        options: AccessOptions,
    ) -> Self {
        let owners = Arc::new(Owners::new(Arc::clone(&clock)));
        let registry = Arc::new(CredentialRegistry::new(root_key, clock));
        Self { registry, owners, engine: OnceLock::new(), vault, options }
    }

    pub(super) fn followers(&self) -> Vec<Arc<dyn SystemFollower>> {
        vec![Arc::clone(&self.registry) as _, Arc::clone(&self.owners) as _]
    }

    pub(super) fn sight(&self) -> Arc<dyn Sight> {
        Arc::clone(&self.owners) as Arc<dyn Sight>
    }

    pub(super) fn attach(&self, engine: &Engine) {
        // Told once; a second time it is the same.
        drop(self.engine.set(engine.clone()));
    }

    pub(super) fn has_any(&self) -> bool {
        self.registry.has_any()
    }

    /// The principal of what is presented; refused where that is not valid.
    pub(super) async fn find(&self, presented: Presented) -> Result<Arc<Principal>, ApiError> {
        let refused = || ApiError::unauthorized("the credential is unknown, revoked or expired");
        let Presented::Token(text) = &presented else { return Err(refused()) };
        let credential = self.registry.find(text).ok_or_else(refused)?;
        Ok(Arc::new(Principal {
            id: Arc::clone(&credential.id),
            kind: Kind::Key,
            presented,
            credential: Some(Arc::clone(&credential.id)),
            session: None,
            user: None,
            grant: Arc::clone(&credential.grant),
            parts: Arc::default(),
            expires_ms: credential.expires_ms,
            serial: 0,
            retired: credential.retired.clone(),
        }))
    }
}
