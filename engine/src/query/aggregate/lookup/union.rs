//! `$unionWith`: the documents of another collection after those of this one.
//!
//! Guarantees: the other collection is read when the first documents are through.
//! Leaves to others: its pipeline's stages.

use std::collections::BTreeSet;

use super::super::operand::{invalid, options};
use super::super::parse::{Parser, Place};
use super::super::stage::{self, Stage};
use super::super::stream::{Env, lazy};
use super::super::{Documents, plan};
use super::collection_name;
use crate::error::Result;
use crate::value::Raw;

const STAGE: &str = "$unionWith";

/// A compiled `$unionWith`.
#[derive(Clone, Debug)]
pub(in super::super) struct UnionWith {
    from: Option<String>,
    pipeline: Vec<Stage>,
}

impl UnionWith {
    pub(in super::super) fn parse(raw: Raw<'_>, parser: &Parser<'_>) -> Result<Self> {
        if raw.as_object().is_none() {
            let from = Some(collection_name(STAGE, "", raw)?);
            return Ok(Self { from, pipeline: Vec::new() });
        }
        let [from, pipeline] = options(STAGE, "", raw, ["coll", "pipeline"])?;
        let from = from.map(|from| collection_name(STAGE, "coll", from)).transpose()?;
        let inner = parser.nested(Place::Nested, parser.variables);
        let pipeline = pipeline
            .map(|raw| inner.pipeline(STAGE, raw))
            .transpose()?
            .map(|parsed| parsed.stages)
            .unwrap_or_default();
        if from.is_none() && !matches!(pipeline.as_slice(), [Stage::Documents(_), ..]) {
            return Err(invalid(STAGE, "coll", "is missing"));
        }
        Ok(Self { from, pipeline })
    }

    pub(in super::super) fn collections(&self, names: &mut BTreeSet<String>) {
        names.extend(self.from.clone());
        self.pipeline.iter().for_each(|stage| stage.collections(names));
    }

    pub(in super::super) fn run<'a>(&'a self, input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
        let others = lazy(move || {
            let hint = plan::prefix(&self.pipeline).filter;
            let documents = match &self.from {
                Some(from) => env.collections.documents(from, hint.as_deref().map(Raw::trusted))?,
                None => super::super::stream::none(),
            };
            let checked = documents.map(move |document| {
                env.budget.check()?;
                document
            });
            stage::run(&self.pipeline, Box::new(checked), env)
        });
        Box::new(input.chain(others))
    }
}
