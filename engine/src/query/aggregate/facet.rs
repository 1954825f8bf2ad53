//! `$facet`: several pipelines over the same documents, in one document.
//!
//! Guarantees: each pipeline sees all documents in their order. Everything is kept in memory, which the budget counts.
//! Leaves to others: the pipelines' stages.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::Documents;
use super::operand::{check_name, invalid, members};
use super::parse::{Parser, Place};
use super::stage::{self, Stage};
use super::stream::{Env, Held, collect, lazy};
use crate::error::Result;
use crate::value::{Raw, encode};

const STAGE: &str = "$facet";

/// A compiled `$facet`.
#[derive(Clone, Debug)]
pub(super) struct Facet {
    pipelines: Vec<(String, Vec<Stage>)>,
}

impl Facet {
    pub(super) fn parse(raw: Raw<'_>, parser: &Parser<'_>) -> Result<Self> {
        let mut pipelines = Vec::new();
        let inner = parser.nested(Place::Facet, parser.variables);
        for (name, pipeline) in members(STAGE, "", raw)? {
            check_name(STAGE, name, name)?;
            if name.contains('.') {
                return Err(invalid(STAGE, name, "a name may not have dots"));
            }
            let parsed = inner.pipeline(STAGE, pipeline)?;
            pipelines.push((name.to_owned(), parsed.stages));
        }
        if pipelines.is_empty() {
            return Err(invalid(STAGE, "", "needs at least one pipeline"));
        }
        Ok(Self { pipelines })
    }

    pub(super) fn collections(&self, names: &mut BTreeSet<String>) {
        self.pipelines.iter().flat_map(|(_, stages)| stages).for_each(|stage| {
            stage.collections(names);
        });
    }

    pub(super) fn run<'a>(&'a self, input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
        lazy(move || {
            let mut held = Held::new(env.budget);
            let documents = collect(input, env.budget, &mut held)?;
            let mut out = Vec::new();
            encode::write_object_header(self.pipelines.len(), &mut out);
            for (name, stages) in &self.pipelines {
                encode::write_str(name, &mut out);
                let input = Box::new(documents.iter().cloned().map(Ok));
                let start = encode::open(&mut out);
                let mut len = 0;
                for document in stage::run(stages, input, env)? {
                    env.budget.check()?;
                    let document = document?;
                    held.take(document.len())?;
                    out.extend_from_slice(&document);
                    len += 1;
                }
                encode::close_array(start, len, &mut out);
            }
            Ok(Box::new(std::iter::once(Ok(Bytes::from(out)))))
        })
    }
}
