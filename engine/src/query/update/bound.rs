//! An update together with the filter that found the document, as the writer takes it.
//!
//! Guarantees: the filter is looked at again when the change is made; where it no longer holds, the document stays as it is
//! and no event is made.
//! Leaves to others: telling the caller that nothing changed.

use std::sync::Arc;

use super::Update;
use crate::error::Result;
use crate::query::Filter;
use crate::value::Raw;
use crate::write::Change;

/// An update of a document that a filter found.
#[derive(Clone, Debug)]
pub struct BoundUpdate {
    /// What changes.
    pub update: Arc<Update>,
    /// What the document must satisfy still; `None`: nothing.
    pub filter: Option<Arc<Filter>>,
}

impl Change for BoundUpdate {
    fn apply(&self, current: Raw<'_>) -> Result<Vec<u8>> {
        if let Some(filter) = &self.filter
            && !filter.matches(current)?
        {
            return Ok(current.as_bytes().to_vec());
        }
        self.update.apply(current, self.filter.as_deref())
    }
}
