//! What of one collection's documents may be seen: a filter over whole documents, and a rule for their fields.
//!
//! Guarantees: the one place that decides whether a document may be seen, as it is now or as it was at a position; what
//! cannot be decided is not seen.
//! Leaves to others: reading documents (`query::find` does, and asks here for each), events, writes.

use std::borrow::Cow;
use std::sync::Arc;

use super::{FieldRule, Metadata};
use crate::query::Filter;
use crate::value::Raw;

/// What of a collection may be seen; without filter and fields, all of it.
#[derive(Clone, Debug, Default)]
pub struct Restriction {
    /// Which documents; looks at hidden fields, too.
    pub filter: Option<Arc<Filter>>,
    /// Which of their fields.
    pub fields: Option<Arc<FieldRule>>,
    /// What is added to them of what the engine knows; only queries add it.
    pub metadata: Option<Arc<Metadata>>,
}

impl Restriction {
    /// Whether a document may be seen. A filter that fails on it does not admit it.
    pub fn admits(&self, document: Raw<'_>) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(document).unwrap_or(false))
    }

    /// The part of a document that may be seen; `None` where nothing of it may.
    pub fn view<'a>(&self, document: Raw<'a>) -> Option<Cow<'a, [u8]>> {
        self.admits(document).then(|| self.shown(document))
    }

    /// The shown fields of a document that is admitted.
    pub fn shown<'a>(&self, document: Raw<'a>) -> Cow<'a, [u8]> {
        match &self.fields {
            Some(fields) => Cow::Owned(fields.cut(document)),
            None => Cow::Borrowed(document.as_bytes()),
        }
    }
}
