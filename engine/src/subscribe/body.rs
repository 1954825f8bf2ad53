//! Filters over what an event is about: a document before or after the event, or the content of a custom event.
//!
//! Guarantees: an event matches if the state before or the state after does, so that a deletion or an update that takes a
//! document out of the filter comes, too. An erased event matches nothing. `$$NOW` is the time of the event. Two filters with
//! the same text are equal. Looking at a state takes a bounded number of steps; where it needs more, that is counted.
//! Leaves to others: what becomes of a subscription whose filter took too long.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::event::Event;
use crate::limits::Limits;
use crate::query::{Context, Filter, Trust};
use crate::value::{Raw, Value};

/// Steps that expressions of a filter may take on one state: everybody who follows waits for them. About 2 ms.
pub const STEPS_MAX: u64 = 10_000;

/// A filter with the text it came from.
#[derive(Clone, Debug)]
pub struct BodyFilter {
    source: Bytes,
    filter: Arc<Filter>,
    steps: u64,
    overruns: Arc<AtomicU32>,
}

/// Whether a failure is one of taking too long.
pub(super) fn took_long(error: &Error) -> bool {
    ["limit_exceeded", "regex_too_slow"].contains(&error.code())
}

impl BodyFilter {
    /// Compiles a filter; `None` for one that matches everything. What needs an index or an order is refused.
    pub fn parse(filter: Raw<'_>, limits: &Limits) -> Result<Option<Self>> {
        let context = Context { limits, now_ms: 0, trust: Trust::Ordinary };
        let compiled = Filter::parse(filter, &context)?;
        if compiled.is_empty() {
            return Ok(None);
        }
        if compiled.text().is_some() || compiled.near().is_some() {
            let message = "$text, $near and $nearSphere cannot be used to filter events";
            return Err(Error::invalid("unsupported_operator", message));
        }
        let source = Bytes::copy_from_slice(filter.as_bytes());
        let (filter, overruns) = (Arc::new(compiled), Arc::default());
        Ok(Some(Self { source, filter, steps: STEPS_MAX, overruns }))
    }

    /// Whether an event is about something that matches. A filter that fails on it (`$expr`) does not match.
    pub fn matches(&self, event: &Event<'_>) -> bool {
        let holds = |state: Raw<'_>| self.matches_state(state, event.time_ms);
        if event.body().is_some_and(holds) {
            return true;
        }
        // The last body of a deleted document was looked at already.
        event.kind == crate::event::EventKind::DocumentUpdated
            && event.body_before().is_some_and(|before| holds(Raw::trusted(&before)))
    }

    /// Whether one state, before or after an event of that time (UTC ms), matches. A filter that fails on it (`$expr`), or
    /// takes more than [`STEPS_MAX`] steps ([`BodyFilter::patient`]: more), does not match.
    pub fn matches_state(&self, state: Raw<'_>, time_ms: u64) -> bool {
        let now_ms = i64::try_from(time_ms).unwrap_or(i64::MAX);
        match self.filter.matches_at(state, now_ms, self.steps) {
            Ok(matches) => matches,
            Err(error) => {
                self.overruns.fetch_add(u32::from(took_long(&error)), Ordering::Relaxed);
                false
            }
        }
    }

    /// The same for one who does not keep others waiting: a hundred times the steps.
    #[must_use]
    pub fn patient(self) -> Self {
        Self { steps: 100 * STEPS_MAX, ..self }
    }

    /// The same for one whom others wait for.
    #[must_use]
    pub fn hasty(&self) -> Self {
        Self { steps: STEPS_MAX, ..self.clone() }
    }

    /// How often it took too long on one state, and was taken not to match, with all that were cloned from the same.
    pub fn overruns(&self) -> u32 {
        self.overruns.load(Ordering::Relaxed)
    }

    /// The compiled filter.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// The filter as it was given, encoded.
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// The filter as it was given.
    pub fn to_value(&self) -> Value {
        Raw::trusted(&self.source).to_value()
    }
}

impl PartialEq for BodyFilter {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for BodyFilter {}

impl Hash for BodyFilter {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source.hash(state);
    }
}
