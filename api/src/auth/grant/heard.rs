//! What a grant lets its holder hear and publish by realtime.
//!
//! Where a list is in force, it alone says what is heard: see `realtime`. What is shown of documents is cut all the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use headwater_engine::restrict::Restriction;

use super::Grant;
use super::realtime::Method;
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
        match &self.realtime {
            None => self.allows_somewhere(action),
            Some(list) => {
                list.opens(action) && (list.gives(action) || self.allows_somewhere(action))
            }
        }
    }

    /// Whether something that happens to documents of a user's collection is heard, of some documents at least. A grant
    /// whose paths alone say which collections are meant hears those that its paths lead to, behind the face's prefix.
    pub(crate) fn hears(&self, happened: Method, collection: &str, prefix: &str) -> bool {
        let otherwise =
            || self.allows(collection, Action::Subscribe) && self.leads_to(collection, prefix);
        self.realtime.as_ref().map_or_else(otherwise, |list| {
            list.hears(happened, collection) && (list.gives_documents() || otherwise())
        })
    }

    fn leads_to(&self, collection: &str, prefix: &str) -> bool {
        // What cannot be read by a request is not followed either.
        !self.is_by_path()
            || self.surface().allows_method("GET")
                && self.surface().leads_to(&format!("{prefix}/{collection}"), prefix)
    }

    /// Whether documents are heard that could not be read by a request of their own, behind the face's prefix.
    pub(crate) fn hears_beyond_rights(&self, prefix: &str) -> bool {
        let Some(list) = self.realtime.as_ref().filter(|list| list.gives_documents()) else {
            return false;
        };
        let is_covered =
            |name: &&str| self.allows(name, Action::Subscribe) && self.leads_to(name, prefix);
        let covers_all = || !self.is_by_path() && self.allows_everywhere(Action::Subscribe);
        let covers_listed =
            list.collections().map_or_else(covers_all, |names| names.iter().all(is_covered));
        !(self.admin || covers_listed && self.surface().allows_method("GET"))
    }

    /// Whether an action is allowed on every collection.
    fn allows_everywhere(&self, action: Action) -> bool {
        let mut all = self.named.values().chain([&self.others]);
        self.admin || all.all(|rules| rules.actions.contains(action))
    }

    /// Whether custom events of a name, of a channel or of none, are heard (`subscribe`) or published.
    pub(crate) fn handles(&self, name: &str, channel: Option<&str>, action: Action) -> bool {
        let otherwise = || self.allows_channel(channel, action);
        self.realtime.as_ref().map_or_else(otherwise, |list| {
            // What passes on channels is their business: no list opens them.
            list.names_custom(name, action)
                && (list.gives_custom() && channel.is_none() || otherwise())
        })
    }

    /// What of a collection's documents is told; `None`: all of it.
    pub(crate) fn heard(&self, collection: &str) -> Option<Arc<Restriction>> {
        if self.admin {
            return None;
        }
        match &self.realtime {
            Some(list) if list.gives_documents() => self.rules(collection).heard.clone(),
            _ => self.restriction(collection, Action::Subscribe),
        }
    }

    /// The collections beyond which nothing is heard; `None` where any may be.
    pub(crate) fn heard_collections(&self) -> Option<BTreeSet<&str>> {
        self.realtime.as_ref().and_then(|list| list.collections())
    }
}
