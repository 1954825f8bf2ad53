//! The grant: what a principal may do, compiled once from a credential's grant, the roles that apply, and the facts that
//! their expansions stand for.
//!
//! Guarantees: what is not named is not allowed; what names a fact that is not there allows nothing. Whatever is asked of a
//! collection costs one look into a map.
//! Leaves to others: expiry (the principal), names of collections (the session), carrying it out (the session).

mod acl;
mod channels;
mod condition;
mod expansion;
mod facts;
mod fields;
mod fold;
mod glob;
mod heard;
mod origins;
mod paths;
mod reader;
mod realtime;
mod referers;
mod role;
mod rules;
mod source;
mod substitute;
mod surface;
mod template;
/// The refusal of a document that may be read but not touched so.
fn document_forbidden(collection: &str, touch: Touch) -> Error {
    let action = action_of(touch).as_str();
    let message =
        format!("the credential does not allow `{action}` on this document of `{collection}`");
    let error = Error::new(ErrorKind::Forbidden, "document_forbidden", message);
    error.with("action", action).with("collection", collection)
}

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use headwater_engine::limits::Limits;
use headwater_engine::query::Filter;
use headwater_engine::restrict::{FieldRule, Restriction, Subject};
use headwater_engine::value::Raw;
use headwater_engine::write::Touch;
use headwater_engine::{Error, ErrorKind, Result};

use super::action::Action;

use acl::Acls;
use channels::Channels;
use fold::Folded;
use realtime::Realtime;
use rules::{Compiler, Rules, action_of};

pub(crate) use acl::Acl;
pub(crate) use facts::{Facts, RequestFacts, UserFacts};
pub(crate) use origins::same_origin;
pub(crate) use realtime::Method as Happened;
pub(crate) use role::Role;
pub(crate) use source::GrantSource;
pub(crate) use surface::{Surface, Visit};

/// What a principal may do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grant {
    admin: bool,
    named: HashMap<String, Rules>,
    others: Rules,
    surface: Arc<Surface>,
    acls: Option<Acls>,
    channels: Channels,
    needs_request: bool,
    /// Whether channels may go no further than the roles.
    is_users: bool,
    /// Whether paths alone say which collections are meant.
    is_by_path: bool,
    /// What is heard and published by realtime; `None` where the rest decides.
    realtime: Option<Arc<Realtime>>,
    /// Whether the grant itself lists that, so that its methods and paths do not rule it.
    lists_realtime: bool,
    /// What is seen where nothing is allowed; `None` with full access.
    nothing: Option<Arc<Restriction>>,
}

impl Grant {
    /// Everything is allowed.
    #[cfg(test)]
    pub(crate) fn full() -> Self {
        Self { admin: true, ..Self::default() }
    }

    /// Compiles a grant. `roles` are the documents of the names in `source.roles`, in that order, without those that are
    /// not there. The limits are those for stored queries: the rules were accepted already.
    pub(crate) fn compile(
        source: &GrantSource,
        roles: &[Arc<Role>],
        facts: &Facts,
        limits: &Limits,
    ) -> Result<Self> {
        let mut grant = Self {
            surface: Arc::clone(&source.surface),
            acls: source.acls,
            channels: source.channels.clone(),
            is_users: source.is_users,
            is_by_path: source.is_by_path(),
            realtime: Realtime::of(
                source.realtime.as_ref(),
                source.is_users,
                facts.user.as_ref().map(|user| &user.data),
            )
            .map(Arc::new),
            lists_realtime: source.realtime.is_some(),
            needs_request: source.needs_request() || roles.iter().any(|role| role.needs_request()),
            ..Self::default()
        };
        let applying = roles.iter().map(|role| &**role);
        let applying: Vec<&Role> = applying.filter(|role| role.applies(facts, limits)).collect();
        let by_role =
            applying.first().is_some_and(|role| role.is_full() && source.admits_role(&role.name));
        if source.admin || by_role && source.leaves_all_to_roles() {
            grant.admin = true;
            grant.needs_request &= !source.admin;
            return Ok(grant);
        }
        let filter = Folded::Fixed(false).filter(limits)?;
        grant.nothing = Some(Arc::new(Restriction {
            filter: Some(Arc::new(filter)),
            ..Restriction::default()
        }));
        let compiler = Compiler { source, roles: &applying, facts, limits };
        let listed = source.collections.iter().flat_map(|collections| collections.named.keys());
        let names: HashSet<&str> = listed
            .map(String::as_str)
            .chain(applying.iter().flat_map(|role| role.names()))
            .collect();
        for name in names {
            grant.named.insert(name.to_owned(), compiler.rules(Some(name))?);
        }
        grant.others = compiler.rules(None)?;
        Ok(grant)
    }

    /// Whether everything is allowed.
    pub(crate) fn is_full(&self) -> bool {
        self.admin
    }

    /// Whether a rule looks at the request, so that the grant has to be compiled for each.
    pub(crate) fn needs_request(&self) -> bool {
        self.needs_request
    }

    /// What is demanded of every request.
    pub(crate) fn surface(&self) -> &Surface {
        &self.surface
    }

    /// Whether requests of a kind are open; all are where the grant has no `acls`.
    pub(crate) fn opens(&self, acl: Acl) -> bool {
        self.acls.is_none_or(|acls| acls.contains(acl))
    }

    /// Whether an action on a user's collection is allowed, on some documents at least.
    pub(crate) fn allows(&self, collection: &str, action: Action) -> bool {
        self.admin || self.rules(collection).actions.contains(action)
    }

    /// Whether an action outside collections is allowed by the `*` entry.
    pub(crate) fn allows_outside(&self, action: Action) -> bool {
        self.admin || self.others.outside.contains(action)
    }

    /// Whether an action is allowed on some collection or channel.
    pub(crate) fn allows_somewhere(&self, action: Action) -> bool {
        let somewhere = |rules: &Rules| rules.actions.contains(action);
        self.admin
            || somewhere(&self.others)
            || self.channels.allows_somewhere(action)
            || self.named.values().any(somewhere)
    }

    /// Whether custom events of a channel (`None`: of none) may be published or followed: as `channels` says where one of
    /// its patterns matches, and as the `*` entry of `collections` says otherwise.
    pub(crate) fn allows_channel(&self, channel: Option<&str>, action: Action) -> bool {
        let named = channel.and_then(|channel| self.channels.allows(channel, action));
        let outside = self.allows_outside(action);
        self.admin || named.map_or(outside, |named| named && (outside || !self.is_users))
    }

    /// What of a collection may be seen through an action that reads (`read`, `search`, `subscribe`); `None`: all of it.
    /// Nothing of it where the action is not allowed.
    pub(crate) fn restriction(&self, collection: &str, action: Action) -> Option<Arc<Restriction>> {
        if self.admin {
            return None;
        }
        let rules = self.rules(collection);
        if rules.actions.contains(action) { rules.sight(action) } else { self.nothing.clone() }
    }

    /// Which fields of a collection are shown, whether its documents may be read or not; `None`: all.
    pub(crate) fn shown_fields(&self, collection: &str) -> Option<Arc<FieldRule>> {
        if self.admin { None } else { self.rules(collection).shown_fields() }
    }

    /// Whether paths alone say which collections are meant: then each has to be within them.
    pub(crate) fn is_by_path(&self) -> bool {
        self.is_by_path
    }

    /// Which documents a write by filter may choose: those that the caller may touch, and may read where it may read some;
    /// `None`: all.
    pub(crate) fn choosable(&self, collection: &str, touch: Touch) -> Option<Arc<Filter>> {
        if self.admin {
            return None;
        }
        let rules = self.rules(collection);
        if rules.actions.contains(action_of(touch)) {
            return rules.choosable(touch);
        }
        self.nothing.as_ref().and_then(|nothing| nothing.filter.clone())
    }

    /// Who must have made the documents of a collection that are seen, changed or deleted; `None`: anybody.
    pub(crate) fn maker(&self, collection: &str) -> Option<Arc<str>> {
        if self.admin { None } else { self.rules(collection).maker() }
    }

    /// Whether writes to a collection depend on documents or fields, so that each has to be checked.
    pub(crate) fn is_guarded(&self, collection: &str) -> bool {
        !self.admin && self.rules(collection).is_guarded()
    }

    /// Refuses to touch a document as it is, before it is known what it will be. Rules of transition have their say then.
    pub(crate) fn check_touch(
        &self,
        collection: &str,
        touch: Touch,
        before: Subject<'_>,
    ) -> Result<()> {
        if self.admin || self.rules(collection).allows_touch(touch, before) {
            return Ok(());
        }
        Err(document_forbidden(collection, touch))
    }

    /// Refuses a write by what the document was and will be (403 `document_forbidden`). `before` and `after` are whole
    /// documents: `None` before a creation, and after a deletion.
    pub(crate) fn check_write(
        &self,
        collection: &str,
        touch: Touch,
        before: Option<Raw<'_>>,
        after: Option<Raw<'_>>,
    ) -> Result<()> {
        if self.admin || self.rules(collection).allows_write(touch, before, after) {
            return Ok(());
        }
        Err(document_forbidden(collection, touch))
    }

    /// Refuses what changes fields that are shown but not to be written, naming one. Hidden fields are not looked at here.
    pub(crate) fn check_written(
        &self,
        collection: &str,
        before: Option<Raw<'_>>,
        after: Raw<'_>,
    ) -> Result<()> {
        if self.admin {
            return Ok(());
        }
        let checked = self.rules(collection).check_fields(before, after);
        checked.map_err(|error| error.with("collection", collection))
    }

    fn rules(&self, collection: &str) -> &Rules {
        self.named.get(collection).unwrap_or(&self.others)
    }
}
