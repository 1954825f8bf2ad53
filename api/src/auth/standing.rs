//! What a credential allows as it stands now, whoever asks.
//!
//! Leaves to others: what a request with it is held to besides (addresses, origins, paths, rates).

use std::sync::Arc;

use super::principal::ROOT;
use super::{Access, Grant, resolve};

/// A credential as it stands now.
pub(crate) enum Standing {
    /// There is none of that id.
    Unknown,
    /// It lets nobody in: it has expired, or its user is disabled or gone.
    Void,
    /// It allows what the grant says.
    Allows(Arc<Grant>),
}

impl Access {
    /// A credential by its id, `root` being the root key of the configuration; blocking.
    pub(crate) fn standing_of(&self, credential: &str) -> Standing {
        let directory = &self.directory;
        let is_root = credential == ROOT && directory.root.is_some();
        if !is_root && directory.watch.registry.by_id(credential).is_none() {
            return Standing::Unknown;
        }
        let grant = if is_root {
            directory.compile(&resolve::root(None)).ok().map(|(grant, _)| grant)
        } else {
            directory.grant_of_owner(credential)
        };
        grant.map_or(Standing::Void, Standing::Allows)
    }

    /// Whether a credential or a user, by the actor that it is, has full access now; blocking.
    pub(crate) fn has_full_access(&self, actor: &str) -> bool {
        let directory = &self.directory;
        let is_root = actor == ROOT && directory.root.is_some();
        is_root || directory.grant_of_owner(actor).is_some_and(|grant| grant.is_full())
    }

    /// Whether whoever registered a webhook is let in now; blocking.
    pub(crate) fn lets_owner_in(&self, owner: &str) -> bool {
        owner == ROOT || self.directory.grant_of_owner(owner).is_some()
    }
}
