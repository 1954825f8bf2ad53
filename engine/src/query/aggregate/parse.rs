//! Compiling pipelines: limits, nesting rules, and which stage is which.
//!
//! Guarantees: each stage document has exactly one key; more than `limits.query_clauses` stages (nested ones included) or
//! pipelines nested deeper than `limits.query_depth` are refused; a stage that is unknown, or not allowed where it stands,
//! is refused by name. Errors carry the stage and its place.
//! Leaves to others: the operands.

use std::cell::Cell;

use super::bucket::{Bucket, BucketAuto};
use super::densify::Densify;
use super::facet::Facet;
use super::flow;
use super::geo::GeoNear;
use super::group::Group;
use super::lookup::{GraphLookup, Lookup, UnionWith};
use super::matching::Match;
use super::operand::{invalid, unsupported};
use super::output::Output;
use super::redact::Redact;
use super::sort::SortStage;
use super::stage::Stage;
use super::unwind::Unwind;
use super::window::WindowFields;
use super::{fill, plan};
use crate::error::{Error, Result};
use crate::query::projection::Reshape;
use crate::query::{Context, Trust};
use crate::value::Raw;

/// Where a pipeline stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The pipeline of the request.
    Top,
    /// Inside `$lookup` or `$unionWith`.
    Nested,
    /// Inside `$facet`.
    Facet,
}

/// What compiling a pipeline needs.
#[derive(Clone, Copy)]
pub(super) struct Parser<'a> {
    pub(super) context: &'a Context<'a>,
    /// The names of variables from outside.
    pub(super) variables: &'a [String],
    pub(super) place: Place,
    depth: u32,
    stages: &'a Cell<u32>,
}

/// A compiled list of stages.
#[derive(Clone, Debug, Default)]
pub(super) struct Parsed {
    pub(super) stages: Vec<Stage>,
    pub(super) output: Option<Output>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(context: &'a Context<'a>, stages: &'a Cell<u32>) -> Self {
        Self { context, variables: &[], place: Place::Top, depth: 0, stages }
    }

    /// The parser of a pipeline inside this one, with its variables.
    pub(super) fn nested<'b>(&'b self, place: Place, variables: &'b [String]) -> Parser<'b>
    where
        'a: 'b,
    {
        // A pipeline of a lookup inside a facet is still inside the facet.
        let place = if self.place == Place::Facet { Place::Facet } else { place };
        Parser { variables, place, depth: self.depth + 1, ..*self }
    }

    /// Refuses what is nested too deep.
    pub(super) fn check_depth(&self, inner: u32) -> Result<()> {
        let limit = self.context.limits.query_depth;
        if self.depth.saturating_add(inner) <= limit {
            return Ok(());
        }
        Err(Error::limit(
            "limits.query_depth",
            u64::from(limit),
            format!("a pipeline is nested deeper than {limit} (limits.query_depth)"),
        ))
    }

    fn count_stage(&self) -> Result<()> {
        let count = self.stages.get() + 1;
        self.stages.set(count);
        let limit = self.context.limits.query_clauses;
        if count <= limit {
            return Ok(());
        }
        Err(Error::limit(
            "limits.query_clauses",
            u64::from(limit),
            format!("a pipeline has more than {limit} stages (limits.query_clauses)"),
        ))
    }

    /// Compiles the stages of `pipeline`, which stands at `owner`.
    pub(super) fn pipeline(&self, owner: &str, pipeline: Raw<'_>) -> Result<Parsed> {
        self.check_depth(0)?;
        let list = pipeline
            .as_array()
            .ok_or_else(|| invalid(owner, "pipeline", "must be an array of stages"))?;
        let last = pipeline.member_count().saturating_sub(1);
        let mut parsed = Parsed::default();
        for (index, stage) in list.enumerate() {
            self.count_stage()?;
            let mut members = stage
                .as_object()
                .ok_or_else(|| invalid(owner, &index.to_string(), "a stage must be an object"))?;
            let (Some((name, operand)), None) = (members.next(), members.next()) else {
                let message = "a stage must have exactly one key, its name";
                return Err(invalid(owner, &index.to_string(), message));
            };
            self.stage(name, operand, index, index == last, &mut parsed)
                .map_err(|error| placed(error, name, index))?;
        }
        plan::improve(&mut parsed.stages);
        Ok(parsed)
    }

    fn stage(
        &self,
        name: &str,
        operand: Raw<'_>,
        index: usize,
        is_last: bool,
        parsed: &mut Parsed,
    ) -> Result<()> {
        self.check_place(name, index)?;
        let compiled = match name {
            "$match" => Stage::Match(Match::parse(operand, self, index == 0)?),
            "$project" | "$addFields" | "$set" | "$unset" | "$replaceRoot" | "$replaceWith" => {
                let reshape = Reshape::parse(name, operand, self.context, self.variables)?;
                Stage::Reshape(Box::new(reshape))
            }
            "$group" => Stage::Group(Box::new(Group::parse(operand, self)?)),
            "$sort" => Stage::Sort(SortStage::parse(operand, self)?),
            "$limit" => Stage::Limit(flow::parse_limit(operand)?),
            "$skip" => Stage::Skip(flow::parse_skip(operand)?),
            "$count" => Stage::Count(flow::parse_count(operand)?),
            "$sample" => Stage::Sample(flow::parse_sample(operand)?),
            "$documents" => Stage::Documents(Box::new(flow::parse_documents(operand, self)?)),
            "$unwind" => Stage::Unwind(Unwind::parse(operand)?),
            "$redact" => Stage::Redact(Box::new(Redact::parse(operand, self)?)),
            "$facet" => Stage::Facet(Facet::parse(operand, self)?),
            "$bucket" => Stage::Bucket(Box::new(Bucket::parse(operand, self)?)),
            "$bucketAuto" => Stage::BucketAuto(Box::new(BucketAuto::parse(operand, self)?)),
            "$lookup" => Stage::Lookup(Box::new(Lookup::parse(operand, self)?)),
            "$graphLookup" => Stage::GraphLookup(Box::new(GraphLookup::parse(operand, self)?)),
            "$unionWith" => Stage::UnionWith(Box::new(UnionWith::parse(operand, self)?)),
            "$setWindowFields" => {
                Stage::WindowFields(Box::new(WindowFields::parse(name, operand, self)?))
            }
            "$densify" => Stage::Densify(Box::new(Densify::parse(operand, self)?)),
            "$geoNear" => Stage::GeoNear(Box::new(GeoNear::parse(operand, self)?)),
            "$sortByCount" => {
                let (group, sort) = Group::sort_by_count(operand, self)?;
                parsed.stages.push(Stage::Group(Box::new(group)));
                Stage::Sort(sort)
            }
            "$fill" => {
                parsed.stages.extend(fill::parse(operand, self)?);
                return Ok(());
            }
            "$out" | "$merge" => {
                if !is_last {
                    return Err(invalid(name, "", "must be the last stage"));
                }
                parsed.output = Some(Output::parse(name, operand)?);
                return Ok(());
            }
            "$function" | "$where" | "$accumulator" => {
                return Err(unsupported(name, "needs JavaScript, which is not supported"));
            }
            _ => return Err(unsupported(name, "is not a supported stage")),
        };
        parsed.stages.push(compiled);
        Ok(())
    }

    fn check_place(&self, name: &str, index: usize) -> Result<()> {
        match name {
            "$facet" | "$geoNear" | "$documents" if self.place == Place::Facet => {
                Err(invalid(name, "", "is not allowed inside $facet"))
            }
            "$geoNear" | "$documents" if index > 0 => {
                Err(invalid(name, "", "must be the first stage"))
            }
            "$out" | "$merge" if self.context.trust != Trust::Admin => {
                Err(unsupported(name, "is not supported here"))
            }
            "$out" | "$merge" if self.place != Place::Top => {
                Err(invalid(name, "", "is not allowed inside another stage"))
            }
            _ => Ok(()),
        }
    }
}

/// The error with the stage and its place, where it does not have them yet.
fn placed(error: Error, stage: &str, index: usize) -> Error {
    if error.detail("stage").is_some() {
        return error;
    }
    let message = format!("{stage} (stage {index}): {}", error.message());
    let mut placed = Error::new(error.kind(), error.code(), message);
    for (name, detail) in error.details() {
        placed = placed.with(name, detail.clone());
    }
    placed.with("stage", stage)
}
