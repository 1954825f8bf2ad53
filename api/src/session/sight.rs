//! Which events a caller may see.

use std::sync::Arc;

use headwater_engine::{Event, EventKind};

use crate::auth::{Action, Credential};

/// The eyes of one credential.
#[derive(Clone)]
pub(crate) struct Sight(Arc<Credential>);

impl Sight {
    /// What `credential` sees.
    pub(crate) fn of(credential: Arc<Credential>) -> Self {
        Self(credential)
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
    pub(crate) fn credential(&self) -> &Arc<Credential> {
        &self.0
    }
}
