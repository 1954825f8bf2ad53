//! An update together with the filter that found the document, as the writer takes it.
//!
//! Guarantees: the filter is looked at again when the change is made; a document that no longer satisfies it is passed over.

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
    fn apply(&self, current: Raw<'_>) -> Result<Option<Vec<u8>>> {
        if let Some(filter) = &self.filter
            && !filter.matches(current)?
        {
            return Ok(None);
        }
        self.update.apply(current, self.filter.as_deref()).map(Some)
    }
}
