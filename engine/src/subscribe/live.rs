//! What an event does to the result of a live query: the documents of a collection that somebody sees and that match.
//!
//! Guarantees: a change follows from the event alone, by the state before it and the state after it, so that whoever reads
//! the same events comes to the same picture, from wherever it begins. Only states that are visible are looked at, with
//! hidden fields taken out.
//! Leaves to others: the snapshot that a picture begins with, windows, how it is told.

use std::borrow::Cow;

use super::BodyFilter;
use crate::error::{Error, Result};
use crate::event::{Event, EventKind};
use crate::restrict::{Subject, Visibility};
use crate::value::Raw;

/// The collection whose documents are the collections.
const COLLECTIONS: &str = "_collections";

/// The documents of a collection that match and may be seen.
#[derive(Clone, Debug)]
pub struct LiveQuery {
    /// The collection.
    pub collection: String,
    /// What documents must be like; `None`: anything.
    pub filter: Option<BodyFilter>,
    /// What of the collection is seen.
    pub visibility: Visibility,
}

/// What an event does to the result.
#[derive(Clone, Debug, PartialEq)]
pub enum Change<'a> {
    /// Nothing.
    Nothing,
    /// A document is in it that was not: the shown part of it.
    Enter(Cow<'a, [u8]>),
    /// A document that was in it has changed: the shown part of it.
    Update(Cow<'a, [u8]>),
    /// A document is in it no longer.
    Leave(Reason),
    /// The whole collection was dropped: nothing is left.
    Dropped,
    /// The event was erased, so that nothing can be said: the picture has to be begun again.
    Erased,
}

/// Why a document left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was deleted.
    Deleted,
    /// It does not match any more.
    Filter,
    /// It may not be seen any more.
    Access,
    /// Others come before it, and the window is full.
    Window,
}

impl Reason {
    /// The public name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Filter => "filter",
            Self::Access => "access",
            Self::Window => "window",
        }
    }
}

/// A state of a document, as the caller has it.
enum State<'a> {
    /// There is none.
    Missing,
    /// It is not seen.
    Hidden,
    /// It is seen, and does not match.
    Other,
    /// It is seen and matches.
    In(Cow<'a, [u8]>),
}

impl LiveQuery {
    /// Whether an event may change the result, by its place alone.
    pub fn concerns(&self, event: &Event<'_>) -> bool {
        event.collection == self.collection || event.collection == COLLECTIONS
    }

    /// What an event does to the result.
    pub fn change<'a>(&self, event: &'a Event<'_>) -> Change<'a> {
        if event.collection != self.collection {
            let dropped = self.is_dropped_by(event);
            return if dropped { Change::Dropped } else { Change::Nothing };
        }
        let after = match event.kind {
            EventKind::DocumentCreated | EventKind::DocumentUpdated => match event.body() {
                Some(body) => self.state(event.subject(body), event.time_ms),
                None => return Change::Erased,
            },
            EventKind::DocumentDeleted if event.erased() => return Change::Erased,
            EventKind::DocumentDeleted => State::Missing,
            _ => return Change::Nothing,
        };
        match (self.was_in(event), after) {
            (false, State::In(document)) => Change::Enter(document),
            (true, State::In(document)) if self.is_as_before(event, &document) => Change::Nothing,
            (true, State::In(document)) => Change::Update(document),
            (true, State::Missing) => Change::Leave(Reason::Deleted),
            (true, State::Hidden) => Change::Leave(Reason::Access),
            (true, State::Other) => Change::Leave(Reason::Filter),
            (false, _) => Change::Nothing,
        }
    }

    /// The shown part of the document before an event, if it was in the result.
    pub fn before(&self, event: &Event<'_>) -> Option<Vec<u8>> {
        let before = event.body_before()?;
        match self.state(event.subject(Raw::trusted(&before)), event.time_ms) {
            State::In(shown) => Some(shown.into_owned()),
            _ => None,
        }
    }

    /// Why a document is not told of any more, by its present state and the time (UTC ms) of that; `None`: there is none. One
    /// that is in the result can only have been pushed out of a window.
    pub fn absence(&self, document: Option<(Subject<'_>, u64)>) -> Reason {
        let state = document.map(|(document, time_ms)| self.state(document, time_ms));
        match state.unwrap_or(State::Missing) {
            State::Missing => Reason::Deleted,
            State::Hidden => Reason::Access,
            State::Other => Reason::Filter,
            State::In(_) => Reason::Window,
        }
    }

    /// Whether only what is hidden has changed.
    fn is_as_before(&self, event: &Event<'_>, shown: &[u8]) -> bool {
        let hides = match &self.visibility {
            Visibility::Restricted(restriction) => restriction.fields.is_some(),
            Visibility::Nothing | Visibility::Everything => false,
        };
        hides && self.before(event).as_deref() == Some(shown)
    }

    fn was_in(&self, event: &Event<'_>) -> bool {
        let before = event.body_before();
        let subject = |before| event.subject(Raw::trusted(before));
        let state = before.as_deref().map(|before| self.state(subject(before), event.time_ms));
        matches!(state, Some(State::In(_)))
    }

    fn state<'a>(&self, document: Subject<'a>, time_ms: u64) -> State<'a> {
        let shown = match &self.visibility {
            Visibility::Nothing => return State::Hidden,
            Visibility::Everything => Cow::Borrowed(document.body.as_bytes()),
            Visibility::Restricted(restriction) => match restriction.view(document) {
                Some(shown) => shown,
                None => return State::Hidden,
            },
        };
        let filter = self.filter.as_ref();
        let matches = filter.is_none_or(|one| one.matches_state(Raw::trusted(&shown), time_ms));
        if matches { State::In(shown) } else { State::Other }
    }

    fn is_dropped_by(&self, event: &Event<'_>) -> bool {
        event.kind == EventKind::DocumentDeleted
            && event.collection == COLLECTIONS
            && event.id().and_then(|id| id.as_str()) == Some(&self.collection)
    }
}

/// Refuses a filter whose answer changes with nothing but time or chance: no event would say so.
pub fn check_steady(part: Raw<'_>) -> Result<()> {
    const UNSTEADY: [&str; 2] = ["$rand", "$sampleRate"];
    if let Some(text) = part.as_str() {
        let name = text.strip_prefix("$$").and_then(|rest| rest.split('.').next());
        return match name {
            Some(name @ ("NOW" | "CLUSTER_TIME")) => Err(unsteady(&format!("$${name}"))),
            _ => Ok(()),
        };
    }
    if let Some(mut elements) = part.as_array() {
        return elements.try_for_each(check_steady);
    }
    part.object_iter().try_for_each(|(name, value)| {
        if UNSTEADY.contains(&name) { Err(unsteady(name)) } else { check_steady(value) }
    })
}

fn unsteady(operator: &str) -> Error {
    let message = format!("a live query cannot use {operator}: its result would change unnoticed");
    Error::invalid("unsupported_operator", message).with("operator", operator)
}
