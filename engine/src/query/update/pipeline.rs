//! Updates by a pipeline of stages.
//!
//! Guarantees: only stages that make one document of one are taken; the document between two stages is no larger than a
//! document may be.
//! Leaves to others: what the stages do (`projection`), and `_id`.

use crate::error::{Error, Result};
use crate::query::Context;
use crate::query::expression::Scope;
use crate::query::projection::Reshape;
use crate::value::Raw;

/// A compiled pipeline.
#[derive(Clone, Debug)]
pub(super) struct Stages {
    stages: Vec<Reshape>,
    now_ms: i64,
}

impl Stages {
    /// Reads an array of stages.
    pub(super) fn parse(pipeline: Raw<'_>, context: &Context<'_>) -> Result<Self> {
        let max = u64::from(context.limits.query_clauses);
        if pipeline.member_count() as u64 > max {
            let message = format!("a pipeline of more than {max} stages (limits.query_clauses)");
            return Err(Error::limit("limits.query_clauses", max, message));
        }
        let stages = pipeline
            .array_iter()
            .map(|stage| parse_stage(stage, context))
            .collect::<Result<_>>()?;
        Ok(Self { stages, now_ms: context.now_ms })
    }

    /// The document after all stages.
    pub(super) fn apply(&self, document: Raw<'_>) -> Result<Vec<u8>> {
        let mut bytes = document.as_bytes().to_vec();
        for stage in &self.stages {
            let root = Raw::trusted(&bytes);
            let scope = Scope { root, current: root, now_ms: self.now_ms, variables: &[] };
            let mut out = Vec::with_capacity(bytes.len() + 64);
            stage.apply(&scope, &mut out)?;
            bytes = out;
        }
        Ok(bytes)
    }
}

fn parse_stage(stage: Raw<'_>, context: &Context<'_>) -> Result<Reshape> {
    let mut members = stage.object_iter();
    let (Some((name, operand)), None) = (members.next(), members.next()) else {
        let message = "a stage of an update must be an object with one member";
        return Err(Error::invalid("invalid_stage", message));
    };
    let allowed = matches!(
        name,
        "$set" | "$addFields" | "$unset" | "$project" | "$replaceRoot" | "$replaceWith"
    );
    if !allowed {
        let message = format!("{name} is not a stage that an update can have");
        return Err(Error::invalid("unknown_operator", message).with("operator", name));
    }
    Reshape::parse(name, operand, context, &[])
}
