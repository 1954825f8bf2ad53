//! A principal: who a caller is, what it may do, and until when.

use std::fmt;
use std::sync::Arc;

use headwater_engine::Event;
use headwater_engine::limits::Limits;
use tokio_util::sync::CancellationToken;

use super::grant::{Facts, Grant, GrantSource, RequestFacts, Role};
use super::identity::Dependency;
use super::known::Keepable;
use super::presented::Presented;
use super::registry::{self, shown};
use super::{rolebook, watch};

/// The actor of a root key that comes from configuration.
pub(crate) const ROOT: &str = "root";

/// What sort of credential a principal presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The root key of the configuration.
    Root,
    /// A key.
    Key,
    /// A key of web pages, bound to origins.
    Web,
    /// A name with a password.
    Basic,
    /// A session of a user, by bearer token.
    Session,
    /// A session of a user, by cookie.
    Cookie,
    /// A token of another issuer.
    External,
}

/// A caller, compiled. A change of anything that it rests on retires it.
pub(crate) struct Principal {
    /// The credential's or the user's id: the actor of what it does.
    pub(crate) id: Arc<str>,
    /// What it presented.
    pub(crate) kind: Kind,
    /// What it presented, to be found again by. A secret.
    pub(crate) presented: Presented,
    /// The id of the session, where there is one.
    pub(crate) session: Option<Arc<str>>,
    /// The id of the user, as faces show it, where there is one.
    pub(crate) user: Option<Arc<str>>,
    /// What it may do.
    pub(crate) grant: Arc<Grant>,
    /// What the grant was compiled from, to compile it again for a request.
    pub(crate) parts: Arc<Parts>,
    /// What its rights rest on, besides roles and settings.
    pub(super) rests_on: Vec<Dependency>,
    /// When it ends, UTC ms.
    pub(crate) expires_ms: Option<u64>,
    /// Cancelled when something that it rests on changes, so that streams look again.
    pub(crate) retired: CancellationToken,
}

/// What a grant is compiled from.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Parts {
    /// The grant as it was written.
    pub(crate) source: GrantSource,
    /// The roles that it names and that are there.
    pub(crate) roles: Vec<Arc<Role>>,
    /// Who it is, user and values.
    pub(crate) facts: Facts,
}

impl Principal {
    /// Whether it has ended.
    pub(crate) fn expired(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|end| now_ms >= end)
    }

    /// Whether an event of a system collection may have changed its rights. Sessions carry none.
    pub(crate) fn rests_on_event(&self, event: &Event<'_>) -> bool {
        let id = event.id().map(shown);
        let named = |dependency: fn(Arc<str>) -> Dependency| {
            let id = id.as_deref().map(Arc::from);
            id.is_none_or(|id| self.rests_on.contains(&dependency(id)))
        };
        match event.collection {
            registry::COLLECTION => named(Dependency::Credential),
            watch::USERS => named(Dependency::User),
            watch::PROVIDERS => self.rests_on.contains(&Dependency::Providers),
            rolebook::ROLES => {
                let roles = &self.parts.source.roles;
                id.is_none_or(|id| roles.iter().any(|role| **role == *id))
            }
            rolebook::SETTINGS => true,
            _ => false,
        }
    }

    /// Whether its rights are another's, whatever the request.
    pub(crate) fn has_rights_of(&self, other: &Self) -> bool {
        !self.grant.needs_request() && self.parts == other.parts
    }

    /// Its grant for one request; the same for all, unless a rule looks at the request.
    pub(crate) fn grant_for(
        &self,
        limits: &Limits,
        request: impl FnOnce() -> RequestFacts,
    ) -> headwater_engine::Result<Arc<Grant>> {
        if !self.grant.needs_request() {
            return Ok(Arc::clone(&self.grant));
        }
        let facts = Facts { request: Some(request()), ..self.parts.facts.clone() };
        Grant::compile(&self.parts.source, &self.parts.roles, &facts, limits).map(Arc::new)
    }
}

impl Keepable for Principal {
    fn expired(&self, now_ms: u64) -> bool {
        Self::expired(self, now_ms)
    }

    fn retire(&self) {
        self.retired.cancel();
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal").field("id", &self.id).field("kind", &self.kind).finish()
    }
}
