//! What a subscription is about, once it was checked.

use headwater_engine::EventKind;
use headwater_engine::query::Sort;
use headwater_engine::subscribe::live::LiveQuery;
use headwater_engine::subscribe::{BodyFilter, BodyProjection, EventFilter};

use super::channels::Passing;
use crate::auth::Action;
use crate::extract::Format;
use crate::session::{Asked, Hearing, Sight};

/// What a subscription is about.
#[derive(Clone, Debug)]
pub(crate) enum Topic {
    /// Events.
    Events(EventTopic),
    /// A live query.
    Live(LiveTopic),
}

/// The events that are asked for.
#[derive(Clone, Debug)]
pub(crate) struct EventTopic {
    /// Which.
    pub(crate) filter: EventFilter,
    /// What is shown of documents.
    pub(crate) projection: Option<BodyProjection>,
    /// Whether of several events of one document only the newest matters while catching up.
    pub(crate) collapse: bool,
    /// As whom the subscriber is on its channels.
    pub(crate) presence: Option<String>,
    /// The dialect of documents.
    pub(crate) format: Format,
    /// By which of the grant's words events are seen.
    pub(crate) hearing: Hearing,
}

/// A live query.
#[derive(Clone, Debug)]
pub(crate) struct LiveTopic {
    /// The collection.
    pub(crate) collection: String,
    /// Filter, sort and projection, for the snapshot.
    pub(crate) asked: Asked,
    /// The order, compiled.
    pub(crate) sort: Option<Sort>,
    /// The filter, for events.
    pub(crate) filter: Option<BodyFilter>,
    /// What is shown of documents.
    pub(crate) projection: Option<BodyProjection>,
    /// Most documents at once; `None`: all that match.
    pub(crate) window: Option<usize>,
    /// The dialect of documents.
    pub(crate) format: Format,
}

impl From<EventTopic> for Topic {
    fn from(topic: EventTopic) -> Self {
        Self::Events(topic)
    }
}

impl From<LiveTopic> for Topic {
    fn from(topic: LiveTopic) -> Self {
        Self::Live(topic)
    }
}

impl Topic {
    /// What it is, in a word.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Events(_) => "events",
            Self::Live(_) => "live",
        }
    }

    /// The collections that it names; none: all.
    pub(crate) fn collections(&self) -> Vec<String> {
        match self {
            Self::Events(topic) => topic.filter.collections.iter().cloned().collect(),
            Self::Live(topic) => vec![topic.collection.clone()],
        }
    }

    /// Whether a caller may still follow all that it names.
    pub(super) fn is_allowed(&self, sight: &Sight) -> bool {
        let grant = sight.grant();
        match self {
            Self::Live(topic) => grant.allows(&topic.collection, Action::Subscribe),
            Self::Events(EventTopic { hearing: Hearing::Realtime(_), .. }) => {
                grant.opens_realtime(Action::Subscribe)
            }
            Self::Events(topic) => {
                let EventFilter { collections, channels, .. } = &topic.filter;
                let channels =
                    channels.iter().all(|name| grant.allows_channel(Some(name), Action::Subscribe));
                let collections = match collections.is_empty() {
                    true => grant.allows_somewhere(Action::Subscribe),
                    false => collections.iter().all(|name| grant.allows(name, Action::Subscribe)),
                };
                channels && collections
            }
        }
    }
}

impl EventTopic {
    /// Whether something that passes on its channel is asked for. Joins and leaves have no content to filter by.
    pub(super) fn asks_for(&self, passing: &Passing) -> bool {
        let EventFilter { kinds, body, .. } = &self.filter;
        let kind = kinds.is_empty() || kinds.contains(&EventKind::EventPublished);
        let content = |filter: &BodyFilter| {
            passing.content().is_none_or(|body| filter.matches_state(body, passing.time_ms))
        };
        kind && body.as_ref().is_none_or(content)
    }
}

impl LiveTopic {
    /// The query as somebody sees it.
    pub(super) fn query(&self, sight: &Sight) -> LiveQuery {
        let visibility = sight.visibility(&self.collection);
        LiveQuery { collection: self.collection.clone(), filter: self.filter.clone(), visibility }
    }
}
