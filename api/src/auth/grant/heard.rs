//! What a grant lets its holder hear and publish by realtime.
//!
//! Where a list is in force, it alone says what is heard: see `realtime`. What is shown of documents is cut all the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use headwater_engine::restrict::Restriction;

use super::Grant;
use super::realtime::{Method, Realtime};
use crate::auth::action::Action;

impl Grant {
    /// Whether the grant has a list of its own, so that its methods and paths do not rule realtime.
    pub(crate) fn lists_realtime(&self) -> bool {
        self.lists_realtime
    }

    /// Whether a list is in force: full access does not hear everything then.
    pub(crate) fn is_listed(&self) -> bool {
        self.realtime.is_some()
    }

    /// Whether realtime is open for hearing (`subscribe`) or publishing something.
    pub(crate) fn opens_realtime(&self, action: Action) -> bool {
        self.listed(|list| list.opens(action), || self.allows_somewhere(action))
    }

    /// Whether something that happens to documents of a user's collection is heard, of some documents at least.
    pub(crate) fn hears(&self, happened: Method, collection: &str) -> bool {
        let otherwise = || self.allows(collection, Action::Subscribe);
        self.listed(|list| list.hears(happened, collection), otherwise)
    }

    /// Whether custom events of a name, of a channel or of none, are heard (`subscribe`) or published.
    pub(crate) fn handles(&self, name: &str, channel: Option<&str>, action: Action) -> bool {
        let otherwise = || self.allows_channel(channel, action);
        self.listed(|list| list.names_custom(name, action), otherwise)
    }

    /// What of a collection's documents is told; `None`: all of it.
    pub(crate) fn heard(&self, collection: &str) -> Option<Arc<Restriction>> {
        if self.admin {
            return None;
        }
        match &self.realtime {
            Some(list) if list.gives() => self.rules(collection).heard.clone(),
            _ => self.restriction(collection, Action::Subscribe),
        }
    }

    /// The collections beyond which nothing is heard; `None` where any may be.
    pub(crate) fn heard_collections(&self) -> Option<BTreeSet<&str>> {
        self.realtime.as_ref().and_then(|list| list.collections())
    }

    /// What a list says, and what holds otherwise where it does not give by itself, or there is none.
    fn listed(
        &self,
        says: impl FnOnce(&Realtime) -> bool,
        otherwise: impl FnOnce() -> bool,
    ) -> bool {
        match &self.realtime {
            None => otherwise(),
            Some(list) => says(list) && (list.gives() || otherwise()),
        }
    }
}
