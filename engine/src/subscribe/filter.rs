//! Which events a subscriber asked for, by collection, kind, channel and content.

use std::collections::BTreeSet;

use super::body::BodyFilter;
use crate::event::{Event, EventKind};

/// A filter by collection, kind, channel and content. Empty sets ask for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventFilter {
    /// Collections asked for; none: all.
    pub collections: BTreeSet<String>,
    /// Kinds asked for; none: all.
    pub kinds: BTreeSet<EventKind>,
    /// Channels of custom events asked for; none: all.
    pub channels: BTreeSet<String>,
    /// What the document, before or after, must be like; none: anything.
    pub body: Option<BodyFilter>,
    /// Whether system events come too.
    pub system: bool,
}

impl EventFilter {
    /// Whether an event was asked for, by somebody who sees everything. For others: [`EventFilter::matches_place`], then
    /// [`judge`](crate::restrict::judge) with `body`.
    pub fn matches(&self, event: &Event<'_>) -> bool {
        self.matches_place(event) && self.body.as_ref().is_none_or(|body| body.matches(event))
    }

    /// Whether an event was asked for as far as its collection, its kind and its channel go; says nothing of the document.
    pub fn matches_place(&self, event: &Event<'_>) -> bool {
        if event.is_system() && !self.system {
            return false;
        }
        if !self.kinds.is_empty() && !self.kinds.contains(&event.kind) {
            return false;
        }
        if event.kind == EventKind::EventPublished {
            return self.matches_channel(event);
        }
        if !self.channels.is_empty() && self.collections.is_empty() {
            return false;
        }
        self.collections.is_empty() || self.collections.contains(event.collection)
    }

    /// Custom events stand outside collections: they come where a channel or their kind is asked for, or everything is.
    fn matches_channel(&self, event: &Event<'_>) -> bool {
        if self.channels.is_empty() {
            return self.collections.is_empty() || self.kinds.contains(&event.kind);
        }
        let channel = event.body().and_then(|body| body.get("channel")).and_then(|c| c.as_str());
        channel.is_some_and(|channel| self.channels.contains(channel))
    }
}
