//! Which events a caller may see.

use std::sync::Arc;

use headwater_engine::{Event, EventKind};

use crate::auth::{Action, Principal};

/// The eyes of one credential.
#[derive(Clone)]
pub(crate) struct Sight(Arc<Principal>);

impl Sight {
    /// What `credential` sees.
    pub(crate) fn of(principal: Arc<Principal>) -> Self {
        Self(principal)
    }

    /// Whether an event may be shown.
    pub(crate) fn sees(&self, event: &Event<'_>) -> bool {
        let grant = &self.0.grant;
        if grant.is_full() {
            return true;
        }
        if event.is_system() {
            return false;
        }
        if event.kind == EventKind::EventPublished {
            return grant.allows_outside(Action::Subscribe);
        }
        grant.allows(event.collection, Action::Subscribe)
    }

    /// The credential behind it.
    pub(crate) fn principal(&self) -> &Arc<Principal> {
        &self.0
    }
}
