//! What of the events a caller sees.
//!
//! Guarantees: the caller's present rights, applied to each event's own body.
//! Leaves to others: noticing that rights have changed (the stream).

use std::borrow::Cow;
use std::sync::Arc;

use headwater_engine::limits::Limits;
use headwater_engine::restrict::{Restriction, Seen, Subject, Visibility, judge};
use headwater_engine::subscribe::EventFilter;
use headwater_engine::value::Raw;
use headwater_engine::{Event, EventKind};

use super::secrets;
use super::visitor::Visitor;
use crate::auth::{Acl, Action, Grant, Happened, Principal};
use crate::error::ApiError;

/// The eyes of one caller.
#[derive(Clone)]
pub(crate) struct Sight {
    principal: Arc<Principal>,
    grant: Arc<Grant>,
    visitor: Arc<Visitor>,
}

impl Sight {
    pub(super) fn new(principal: Arc<Principal>, grant: Arc<Grant>, visitor: Arc<Visitor>) -> Self {
        Self { principal, grant, visitor }
    }

    /// The same caller as another principal; refused where its grant does not cover the request any more.
    pub(crate) fn renewed(
        &self,
        principal: Arc<Principal>,
        limits: &Limits,
    ) -> Result<Self, ApiError> {
        let grant = self.visitor.admit(&principal, limits)?;
        if !grant.opens(Acl::Stream) {
            return Err(ApiError::forbidden("the credential does not open `stream`"));
        }
        Ok(Self { principal, grant, visitor: Arc::clone(&self.visitor) })
    }

    /// Whether nothing more and nothing less is seen than before; then it counts as the very same grant.
    pub(crate) fn equals(&mut self, before: &Self) -> bool {
        let same = self.principal.has_rights_of(&before.principal);
        if same {
            self.grant = Arc::clone(&before.grant);
        }
        same
    }

    /// What is seen of an event by one who asks with a filter.
    pub(crate) fn sees(&self, event: &Event<'_>, filter: &EventFilter) -> Seen {
        sees(&self.grant, event, filter)
    }

    /// What is seen of events of a collection.
    pub(crate) fn visibility(&self, collection: &str) -> Visibility {
        if !self.grant.allows(collection, Action::Subscribe) {
            return Visibility::Nothing;
        }
        self.restriction(collection).map_or(Visibility::Everything, Visibility::Restricted)
    }

    /// What of a collection's documents is seen; `None`: all of it.
    pub(crate) fn restriction(&self, collection: &str) -> Option<Arc<Restriction>> {
        if self.grant.is_full() {
            return secrets::secrets(collection);
        }
        self.grant.restriction(collection, Action::Subscribe)
    }

    /// What is seen of a state of a document; `None`: nothing.
    pub(crate) fn shows<'a>(
        &self,
        collection: &str,
        document: Subject<'a>,
    ) -> Option<Cow<'a, [u8]>> {
        match self.visibility(collection) {
            Visibility::Nothing => None,
            Visibility::Everything => Some(Cow::Borrowed(document.body.as_bytes())),
            Visibility::Restricted(restriction) => restriction.view(document),
        }
    }

    /// Who looks.
    pub(crate) fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// What it may do.
    pub(crate) fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The same, shared.
    pub(crate) fn shared_grant(&self) -> &Arc<Grant> {
        &self.grant
    }
}

/// What a grant shows of an event to one who asks with a filter.
pub(crate) fn sees(grant: &Grant, event: &Event<'_>, filter: &EventFilter) -> Seen {
    if !filter.matches_place(event) {
        return Seen::Nothing;
    }
    let visibility = visibility(grant, event, Action::Subscribe);
    judge(event, &visibility, filter.body.as_ref())
}

/// By which of a grant's words events are seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// By the action `subscribe`.
    #[default]
    Subscribe,
    /// By `realtime`, where it lists events; else as paths of a face with this prefix lead to collections.
    Realtime(&'static str),
}

impl Hearing {
    /// What a grant shows of an event to one who asks with a filter.
    pub(crate) fn sees(self, grant: &Grant, event: &Event<'_>, filter: &EventFilter) -> Seen {
        match self {
            Self::Subscribe => sees(grant, event, filter),
            Self::Realtime(prefix) => hears(grant, (event, filter), prefix),
        }
    }
}

/// The same by what realtime lists. Events of the system are never heard.
fn hears(grant: &Grant, (event, filter): (&Event<'_>, &EventFilter), prefix: &str) -> Seen {
    if event.is_system() || !filter.matches_place(event) {
        return Seen::Nothing;
    }
    let may_be: &[Happened] = match event.kind {
        EventKind::DocumentCreated => &[Happened::Post],
        // It may leave the caller's sight.
        EventKind::DocumentUpdated => &[Happened::Put, Happened::Delete],
        EventKind::DocumentDeleted | EventKind::DocumentErased => &[Happened::Delete],
        EventKind::EventPublished => return hears_custom(grant, event, filter),
        EventKind::RequestRecorded | EventKind::WebhookDisabled => return Seen::Nothing,
    };
    let heard = |happened: &Happened| grant.hears(*happened, event.collection, prefix);
    if !may_be.iter().any(heard) {
        return Seen::Nothing;
    }
    let restriction = grant.heard(event.collection);
    let visibility = restriction.map_or(Visibility::Everything, Visibility::Restricted);
    let seen = judge(event, &visibility, filter.body.as_ref());
    let happened = if seen == Seen::Gone { Happened::Delete } else { may_be[0] };
    if heard(&happened) { seen } else { Seen::Nothing }
}

fn hears_custom(grant: &Grant, event: &Event<'_>, filter: &EventFilter) -> Seen {
    let text = |member| event.body().and_then(|body| body.get(member)).and_then(Raw::as_str);
    let name = text("event").unwrap_or_default();
    if !grant.handles(name, text("channel"), Action::Subscribe) {
        return Seen::Nothing;
    }
    judge(event, &Visibility::Everything, filter.body.as_ref())
}

/// What a grant shows, by an action that reads, of the collection of an event, or of events like it.
pub(crate) fn visibility(grant: &Grant, event: &Event<'_>, action: Action) -> Visibility {
    if grant.is_full() {
        let restriction = secrets::secrets(event.collection).filter(|_| event.version > 0);
        return restriction.map_or(Visibility::Everything, Visibility::Restricted);
    }
    if event.is_system() {
        return Visibility::Nothing;
    }
    if event.kind == EventKind::EventPublished {
        let channel = event.body().and_then(|body| body.get("channel")).and_then(|c| c.as_str());
        let allowed = grant.allows_channel(channel, Action::Subscribe);
        return if allowed { Visibility::Everything } else { Visibility::Nothing };
    }
    if !grant.allows(event.collection, action) {
        return Visibility::Nothing;
    }
    match grant.restriction(event.collection, action) {
        Some(restriction) => Visibility::Restricted(restriction),
        None => Visibility::Everything,
    }
}
