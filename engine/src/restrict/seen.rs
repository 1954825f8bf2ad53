//! What of an event somebody sees, by a restriction and by what was asked for.
//!
//! Guarantees: only states that the restriction admits are looked at, with the hidden fields taken out, so that neither the
//! coming nor the absence of an event tells of what is hidden. Where nothing can be judged any more (an erased event, and a
//! restriction that looks at documents), nothing is seen. The state before an update is made only where it decides.
//! Leaves to others: place and kind ([`EventFilter::matches_place`](crate::subscribe::EventFilter::matches_place)); how
//! it is shown ([`event_json::write_seen`](crate::event_json::write_seen)).

use std::sync::Arc;

use super::{FieldRule, Restriction};
use crate::event::{Event, EventKind};
use crate::subscribe::BodyFilter;
use crate::value::Raw;

/// The kind of an event that says that a document has left the caller's sight.
const HIDDEN: &str = "document.hidden";

/// What somebody may see of the events of a collection.
#[derive(Clone, Debug)]
pub enum Visibility {
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
    /// What a restriction admits; nothing of events that are not about documents.
    Restricted(Arc<Restriction>),
}

/// What is seen of one event.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// Nothing: it does not come.
    Nothing,
    /// All of it.
    Whole,
    /// What the rule shows of it.
    Cut(Arc<FieldRule>),
    /// That the document has left the caller's sight: `document.hidden`.
    Gone,
}

impl Seen {
    /// The public name of the kind under which an event is seen.
    pub fn kind(&self, event: &Event<'_>) -> &'static str {
        match self {
            Self::Gone => HIDDEN,
            Self::Nothing | Self::Whole | Self::Cut(_) => event.kind.as_str(),
        }
    }
}

/// What is seen of an event that was asked for by place and kind.
///
/// The filter looks only at states that are visible, with hidden fields taken out, before the event or after it. An
/// update after which the document is not visible any more is `Gone` if it was visible, and matched, before.
pub fn judge(event: &Event<'_>, visibility: &Visibility, filter: Option<&BodyFilter>) -> Seen {
    match visibility {
        Visibility::Nothing => Seen::Nothing,
        Visibility::Everything if filter.is_none_or(|filter| filter.matches(event)) => Seen::Whole,
        Visibility::Everything => Seen::Nothing,
        Visibility::Restricted(restriction) => Judge { event, restriction, filter }.seen(),
    }
}

struct Judge<'a> {
    event: &'a Event<'a>,
    restriction: &'a Restriction,
    filter: Option<&'a BodyFilter>,
}

/// A state as the caller has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is not seen.
    Hidden,
    /// It is seen, and not what was asked for.
    Other,
    /// It is seen and asked for.
    Matching,
}

impl Judge<'_> {
    fn seen(&self) -> Seen {
        match self.event.kind {
            EventKind::EventPublished | EventKind::RequestRecorded | EventKind::WebhookDisabled => {
                Seen::Nothing
            }
            EventKind::DocumentErased if self.chooses() => Seen::Nothing,
            EventKind::DocumentErased => Seen::Whole,
            EventKind::DocumentCreated
            | EventKind::DocumentUpdated
            | EventKind::DocumentDeleted => self.of_document(),
        }
    }

    /// Whether an event without a state cannot be judged.
    fn looks_at_states(&self) -> bool {
        self.restriction.filter.is_some() || self.filter.is_some()
    }

    /// Whether an event that tells neither a state nor a maker cannot be judged.
    fn chooses(&self) -> bool {
        self.restriction.chooses() || self.filter.is_some()
    }

    /// Whether the document of an erased event is one that the restriction may show, by its maker alone.
    fn is_of_maker(&self) -> bool {
        let maker = self.restriction.made_by.as_deref();
        maker.is_none_or(|maker| self.event.subject(Raw::NULL).is_of(maker))
    }

    fn of_document(&self) -> Seen {
        let Some(state) = self.event.body() else {
            let is_hidden = self.looks_at_states() || !self.is_of_maker();
            return if is_hidden { Seen::Nothing } else { self.shown() };
        };
        // The last state of a deleted document is the one to judge, too.
        let after = self.state(state);
        if after == State::Matching {
            return self.shown();
        }
        if self.event.kind != EventKind::DocumentUpdated || self.before() != State::Matching {
            return Seen::Nothing;
        }
        if after == State::Hidden { Seen::Gone } else { self.shown() }
    }

    fn before(&self) -> State {
        match self.event.body_before() {
            Some(before) => self.state(Raw::trusted(&before)),
            None => State::Hidden,
        }
    }

    fn state(&self, document: Raw<'_>) -> State {
        if !self.restriction.admits(self.event.subject(document)) {
            return State::Hidden;
        }
        let Some(filter) = self.filter else { return State::Matching };
        let shown = self.restriction.shown(document);
        let matches = filter.matches_state(Raw::trusted(&shown), self.event.time_ms);
        if matches { State::Matching } else { State::Other }
    }

    fn shown(&self) -> Seen {
        match &self.restriction.fields {
            Some(fields) => Seen::Cut(Arc::clone(fields)),
            None => Seen::Whole,
        }
    }
}

#[cfg(test)]
mod tests;
