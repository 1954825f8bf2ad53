//! Aggregation pipelines: stages over a stream of documents.

use std::sync::Arc;

use bytes::Bytes;

use super::{Budget, Context};
use crate::error::{Error, Result};
use crate::value::Raw;

/// A compiled pipeline.
#[derive(Clone, Debug)]
pub struct Pipeline {}

/// Documents on their way through the stages.
pub type Documents<'a> = Box<dyn Iterator<Item = Result<Bytes>> + 'a>;

/// Where the stages that name other collections find them, and where large sorts may spill.
pub trait Collections: Send + Sync {
    /// The documents of a collection, in `_id` order; none if there is no such collection. `filter` is a filter
    /// document (encoded) that the caller checks again: it may be used to look at fewer documents.
    fn documents(&self, collection: &str, filter: Option<Raw<'_>>) -> Result<Documents<'_>>;
    /// A new file for what does not fit into memory, already unlinked or removed when dropped; `None` where there is none.
    fn spill(&self) -> Option<std::io::Result<std::fs::File>>;
}

impl Pipeline {
    /// Compiles an array of stages.
    pub fn parse(pipeline: Raw<'_>, context: &Context<'_>) -> Result<Self> {
        let _ = (pipeline, context);
        Err(Error::invalid("unsupported", "pipelines are not there yet"))
    }

    /// The names of other collections that it reads, for the access layer; sorted, without doubles.
    pub fn collections(&self) -> Vec<String> {
        Vec::new()
    }

    /// Runs it over `input`.
    pub fn run<'a>(
        &'a self,
        input: Documents<'a>,
        collections: &'a Arc<dyn Collections>,
        budget: &'a Budget,
    ) -> Result<Documents<'a>> {
        let _ = (input, collections, budget);
        Err(Error::invalid("unsupported", "pipelines are not there yet"))
    }
}
