//! Aggregation pipelines: stages over a stream of encoded documents.
//!
//! Guarantees: documents are pulled one by one; only stages that have to keep documents do, within the memory of the
//! [`Budget`], and large sorts and groups go to spill files. The budget is looked at for every document in every loop, so
//! that products of collections end by the deadline. Unknown stages and malformed operands are refused when compiled.
//! Leaves to others: permission for [`Pipeline::collections`] and [`Pipeline::output`], carrying out the output, choosing
//! an index for [`Pipeline::prefix`], counting the bytes of the result.

mod bucket;
mod densify;
mod document;
mod facet;
mod fill;
mod flow;
mod geo;
mod group;
mod lookup;
mod matching;
mod needs;
mod operand;
mod output;
mod parse;
mod plan;
mod redact;
mod sort;
mod stage;
mod stream;
#[cfg(test)]
mod tests;
mod units;
mod unwind;
mod values;
mod window;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

pub use output::{Output, OutputMode, WhenMatched, WhenNotMatched};
pub use plan::Prefix;

use self::parse::{Parsed, Parser};
use self::stream::Env;
use super::{Budget, Context};
use crate::error::Result;
use crate::value::Raw;
use crate::value::path::Path;

/// A compiled pipeline.
#[derive(Clone, Debug)]
pub struct Pipeline {
    parsed: Parsed,
    needs: Option<Vec<String>>,
    now_ms: i64,
}

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
        let stages = Cell::new(0);
        let parsed = Parser::new(context, &stages).pipeline("a pipeline", pipeline)?;
        Ok(Self { parsed, needs: needs::of(pipeline), now_ms: context.now_ms })
    }

    /// The names of other collections that it reads, for the access layer; sorted, without doubles.
    pub fn collections(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        for stage in &self.parsed.stages {
            stage.collections(&mut names);
        }
        names.into_iter().collect()
    }

    /// Where the documents go that come out, if not to the caller: `$out` or `$merge`, which the caller carries out.
    pub fn output(&self) -> Option<&Output> {
        self.parsed.output.as_ref()
    }

    /// Whether it reads no input at all (it begins with `$documents`).
    pub fn reads_no_input(&self) -> bool {
        matches!(self.parsed.stages.first(), Some(stage::Stage::Documents(_)))
    }

    /// What its first stages ask for, so that an index can answer them.
    pub fn prefix(&self) -> Prefix<'_> {
        plan::prefix(&self.parsed.stages)
    }

    /// Tells a `$text` in the first stage the fields of the collection's text index; `$**` stands for all of them.
    pub fn bind_text(&mut self, fields: &[Path]) {
        if let Some(stage::Stage::Match(test)) = self.parsed.stages.first_mut() {
            test.bind_text(fields);
        }
    }

    /// The top-level fields that it reads of each input document; `None` means all of them.
    pub fn needs(&self) -> Option<&[String]> {
        self.needs.as_deref()
    }

    /// Runs it over `input`.
    pub fn run<'a>(
        &'a self,
        input: Documents<'a>,
        collections: &'a Arc<dyn Collections>,
        budget: &'a Budget,
    ) -> Result<Documents<'a>> {
        self.run_after(0, input, collections, budget)
    }

    /// Runs it without its first `consumed` stages (see [`Pipeline::prefix`]), whose work `input` has behind it.
    pub fn run_after<'a>(
        &'a self,
        consumed: usize,
        input: Documents<'a>,
        collections: &'a Arc<dyn Collections>,
        budget: &'a Budget,
    ) -> Result<Documents<'a>> {
        let env = Env { collections, budget, variables: &[], now_ms: self.now_ms };
        let stages = self.parsed.stages.get(consumed..).unwrap_or_default();
        stage::run(stages, input, env)
    }
}
