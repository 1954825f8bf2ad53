//! Collapsing: while catching up, events of a document that a newer event of it replaces are passed over.
//!
//! Guarantees: whoever puts what comes over what it had ends with the same documents as without collapsing. An event is
//! passed over only if the document is there, has a newer event, and its newest state is one that the subscriber is told of:
//! an event that might be the last to say that a document left the filter, or was deleted, always comes.
//! Leaves to others: live events, of which none is passed over.

use headwater_engine::value::{Raw, key};
use headwater_engine::{Engine, Event, EventKind, Result};

use super::super::follow::Reader;
use super::super::topic::EventTopic;
use crate::session::Sight;

/// Looks for newer states of the documents of events.
pub(super) struct Collapse {
    engine: Engine,
    topic: EventTopic,
    sight: Sight,
}

impl Collapse {
    pub(super) fn new(engine: &Engine, topic: &EventTopic, sight: &Sight) -> Self {
        Self { engine: engine.clone(), topic: topic.clone(), sight: sight.clone() }
    }
}

impl Reader for Collapse {
    fn interruption(&self, _event: &Event<'_>) -> Option<&'static str> {
        None
    }

    fn passes_over(&self, event: &Event<'_>) -> Result<bool> {
        let is_of_document = matches!(
            event.kind,
            EventKind::DocumentCreated | EventKind::DocumentUpdated | EventKind::DocumentDeleted
        );
        let Some(id) = event.id().filter(|_| is_of_document) else { return Ok(false) };
        let snapshot = self.engine.snapshot();
        let Some(number) = snapshot.collections().number(event.collection) else {
            return Ok(false);
        };
        let Some(row) = snapshot.get(number, &key::encode(id))? else { return Ok(false) };
        if row.position() <= event.position {
            return Ok(false);
        }
        let shown = self.sight.shows(event.collection, row.subject());
        let filter = self.topic.filter.body.as_ref();
        let time_ms = row.changed_ms();
        let matches = |shown: &[u8]| {
            filter.is_none_or(|filter| filter.matches_state(Raw::trusted(shown), time_ms))
        };
        Ok(shown.is_some_and(|shown| matches(&shown)))
    }

    fn is_slow(&self) -> bool {
        true
    }
}
