//! The grant: what a principal may do, compiled once from a credential's grant, the roles that apply, and the facts that
//! their expansions stand for.
//!
//! Guarantees: what is not named is not allowed; what names a fact that is not there allows nothing.
//! Leaves to others: expiry (the principal), names of collections (the session), carrying it out (the session).

mod acl;
mod facts;
mod role;
mod source;
mod surface;

use std::sync::Arc;

use headwater_engine::Result;
use headwater_engine::limits::Limits;
use headwater_engine::query::Filter;
use headwater_engine::restrict::Restriction;
use headwater_engine::value::Raw;
use headwater_engine::write::Touch;

use super::action::Action;

pub(crate) use acl::Acl;
pub(crate) use facts::{Facts, RequestFacts, UserFacts};
pub(crate) use role::Role;
pub(crate) use source::GrantSource;
pub(crate) use surface::{Surface, Visit};

/// What a principal may do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grant {
    admin: bool,
    surface: Surface,
}

impl Grant {
    /// Everything is allowed.
    pub(crate) fn full() -> Self {
        Self { admin: true, ..Self::default() }
    }

    /// Compiles a grant. `roles` are the documents of the names in `source.roles`, in that order, without those that are
    /// not there.
    pub(crate) fn compile(
        source: &GrantSource,
        _roles: &[Arc<Role>],
        _facts: &Facts,
        _limits: &Limits,
    ) -> Result<Self> {
        Ok(Self { admin: source.admin, ..Self::default() })
    }

    /// Whether everything is allowed.
    pub(crate) fn is_full(&self) -> bool {
        self.admin
    }

    /// Whether a rule looks at the request, so that the grant has to be compiled for each.
    pub(crate) fn needs_request(&self) -> bool {
        false
    }

    /// What is demanded of every request.
    pub(crate) fn surface(&self) -> &Surface {
        &self.surface
    }

    /// Whether requests of a kind are open; all are where the grant has no `acls`.
    pub(crate) fn opens(&self, _acl: Acl) -> bool {
        true
    }

    /// Whether an action on a user's collection is allowed, on some documents at least.
    pub(crate) fn allows(&self, _collection: &str, _action: Action) -> bool {
        self.admin
    }

    /// Whether an action outside collections is allowed by the `*` entry.
    pub(crate) fn allows_outside(&self, _action: Action) -> bool {
        self.admin
    }

    /// Whether an action is allowed on some collection or channel.
    pub(crate) fn allows_somewhere(&self, _action: Action) -> bool {
        self.admin
    }

    /// Whether custom events of a channel (`None`: of none) may be published or followed.
    pub(crate) fn allows_channel(&self, _channel: Option<&str>, _action: Action) -> bool {
        self.admin
    }

    /// What of a collection may be seen through an action that reads (`read`, `search`, `subscribe`); `None`: all of it.
    /// Only to be asked where the action is allowed.
    pub(crate) fn restriction(
        &self,
        _collection: &str,
        _action: Action,
    ) -> Option<Arc<Restriction>> {
        None
    }

    /// Which documents a write by filter may choose: those that the caller may touch; `None`: all.
    pub(crate) fn choosable(&self, _collection: &str, _touch: Touch) -> Option<Arc<Filter>> {
        None
    }

    /// Whether writes to a collection depend on documents or fields, so that each has to be checked.
    pub(crate) fn is_guarded(&self, _collection: &str) -> bool {
        false
    }

    /// Refuses a write by what the document was and will be (403 `document_forbidden`, or naming a field that may not be
    /// written). `before` and `after` are whole documents: `None` before a creation, and after a deletion. Hidden fields are
    /// not looked at here, only fields that are shown but not to be written.
    pub(crate) fn check_write(
        &self,
        _collection: &str,
        _touch: Touch,
        _before: Option<Raw<'_>>,
        _after: Option<Raw<'_>>,
    ) -> Result<()> {
        Ok(())
    }
}
