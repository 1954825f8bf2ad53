//! What of one collection's documents may be seen: those that somebody made, a filter over whole documents, and a rule for
//! their fields.
//!
//! Guarantees: the one place that decides whether a document may be seen, as it is now or as it was at a position; what
//! cannot be decided is not seen.
//! Leaves to others: reading documents (`query::find` does, and asks here for each), events, writes.

use std::borrow::Cow;
use std::sync::Arc;

use super::{FieldRule, Metadata};
use crate::query::Filter;
use crate::value::Raw;

/// What of a collection may be seen; without maker, filter and fields, all of it.
#[derive(Clone, Debug, Default)]
pub struct Restriction {
    /// Only documents that this actor made.
    pub made_by: Option<Arc<str>>,
    /// Which documents; looks at hidden fields, too.
    pub filter: Option<Arc<Filter>>,
    /// Which of their fields.
    pub fields: Option<Arc<FieldRule>>,
    /// What is added to them of what the engine knows; only queries add it.
    pub metadata: Option<Arc<Metadata>>,
}

/// A document's state, with who made the document: what a restriction decides by.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The whole body.
    pub body: Raw<'a>,
    /// The actor that made it; empty where nobody knows.
    pub made_by: &'a str,
}

impl Subject<'_> {
    /// Whether an actor made it; nobody made what nobody is known to have made.
    pub fn is_of(&self, actor: &str) -> bool {
        !actor.is_empty() && self.made_by == actor
    }
}

impl Restriction {
    /// Whether it leaves documents out, whatever of them it shows.
    pub fn chooses(&self) -> bool {
        self.made_by.is_some() || self.filter.is_some()
    }

    /// Whether a document may be seen. A filter that fails on it does not admit it.
    pub fn admits(&self, document: Subject<'_>) -> bool {
        self.made_by.as_ref().is_none_or(|maker| document.is_of(maker))
            && self
                .filter
                .as_ref()
                .is_none_or(|filter| filter.matches(document.body).unwrap_or(false))
    }

    /// The part of a document that may be seen; `None` where nothing of it may.
    pub fn view<'a>(&self, document: Subject<'a>) -> Option<Cow<'a, [u8]>> {
        self.admits(document).then(|| self.shown(document.body))
    }

    /// The shown fields of a document that is admitted.
    pub fn shown<'a>(&self, document: Raw<'a>) -> Cow<'a, [u8]> {
        match &self.fields {
            Some(fields) => Cow::Owned(fields.cut(document)),
            None => Cow::Borrowed(document.as_bytes()),
        }
    }
}
