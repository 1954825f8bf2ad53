//! Why an event is not seen by one who may see that much and asks with that filter.
//!
//! The filter has its say before rights have: what it passes over on all that happened was not asked for. Where only hidden
//! states or hidden fields make it match, what hides them is the reason.

use std::borrow::Cow;

use crate::event::{Event, EventKind};
use crate::restrict::{Restriction, Seen, Visibility, judge};
use crate::subscribe::BodyFilter;
use crate::value::Raw;

/// What hides an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is a matter of the system.
    System,
    /// The collection may not be seen.
    Collection,
    /// The channel may not be followed, or custom events without one.
    Channel,
    /// The document is not among those that may be seen.
    ReadFilter,
    /// Somebody else made the document, and only the maker may see it.
    Private,
    /// The filter matches by fields that are hidden.
    Fields,
}

impl Rule {
    /// The public name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Collection => "collection",
            Self::Channel => "channel",
            Self::ReadFilter => "read_filter",
            Self::Private => "private",
            Self::Fields => "fields",
        }
    }
}

/// Why an event does not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A clause of what was asked for passes it over.
    Clause(String),
    /// A rule hides it.
    Rule(Rule),
}

/// Why an event that was asked for by place and kind is not seen; `None`: it is.
pub fn reason(
    event: &Event<'_>,
    visibility: &Visibility,
    filter: Option<&BodyFilter>,
) -> Option<Reason> {
    if judge(event, visibility, filter) != Seen::Nothing {
        return None;
    }
    let states = states(event);
    let states: Vec<Raw<'_>> = states.iter().map(|state| Raw::trusted(state)).collect();
    let asks = Asks { event, filter };
    Some(match visibility {
        Visibility::Everything => asks.clause_on(&states).unwrap_or(Reason::Rule(Rule::System)),
        Visibility::Nothing if event.is_system() => Reason::Rule(Rule::System),
        Visibility::Nothing => asks.clause_on(&states).unwrap_or(Reason::Rule(place(event))),
        Visibility::Restricted(restriction) => asks.restricted(restriction, &states),
    })
}

/// What somebody asks for, of one event.
struct Asks<'a> {
    event: &'a Event<'a>,
    filter: Option<&'a BodyFilter>,
}

impl Asks<'_> {
    fn restricted(&self, restriction: &Restriction, states: &[Raw<'_>]) -> Reason {
        if matches!(
            self.event.kind,
            EventKind::EventPublished | EventKind::RequestRecorded | EventKind::WebhookDisabled
        ) {
            return Reason::Rule(Rule::System);
        }
        let maker = restriction.made_by.as_deref();
        if maker.is_some_and(|maker| !self.event.subject(Raw::NULL).is_of(maker)) {
            return self.clause_on(states).unwrap_or(Reason::Rule(Rule::Private));
        }
        let admits = |state: &Raw<'_>| restriction.admits(self.event.subject(*state));
        let admitted: Vec<Raw<'_>> = states.iter().copied().filter(admits).collect();
        if admitted.is_empty() {
            let erased = states.is_empty() && restriction.filter.is_some();
            let clause = if erased { None } else { self.clause_on(states) };
            return clause.unwrap_or(Reason::Rule(Rule::ReadFilter));
        }
        if self.clause_on(&admitted).is_none() {
            return Reason::Rule(Rule::Fields);
        }
        if self.clause_on(states).is_none() {
            return Reason::Rule(Rule::ReadFilter);
        }
        let shown: Vec<Cow<'_, [u8]>> =
            admitted.iter().map(|state| restriction.shown(*state)).collect();
        let shown: Vec<Raw<'_>> = shown.iter().map(|state| Raw::trusted(state)).collect();
        self.clause_on(&shown).unwrap_or(Reason::Rule(Rule::Fields))
    }

    /// The clause that passes all of these states over; `None` where one of them matches.
    fn clause_on(&self, states: &[Raw<'_>]) -> Option<Reason> {
        let (filter, time_ms) = (self.filter?, self.event.time_ms);
        if states.iter().any(|state| filter.matches_state(*state, time_ms)) {
            return None;
        }
        Some(Reason::Clause(filter.failing_clause(states, time_ms)))
    }
}

/// What hides all that happens where an event happened.
fn place(event: &Event<'_>) -> Rule {
    match event.kind {
        EventKind::EventPublished => Rule::Channel,
        _ => Rule::Collection,
    }
}

/// The states that an event is judged by, the one after it first; none where it was erased.
fn states<'a>(event: &Event<'a>) -> Vec<Cow<'a, [u8]>> {
    let mut states = Vec::new();
    if let Some(content) = &event.content
        && event.body().is_some()
    {
        states.push(Cow::Borrowed(content.body));
    }
    if event.kind == EventKind::DocumentUpdated {
        states.extend(event.body_before());
    }
    states
}
