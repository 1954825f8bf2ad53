//! The stages of a pipeline, and running them one after another.
//!
//! Guarantees: a stage pulls what it needs from the one before it; the budget is looked at for every document.
//! Leaves to others: each stage's own work.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::Documents;
use super::bucket::{Bucket, BucketAuto};
use super::densify::Densify;
use super::facet::Facet;
use super::flow;
use super::geo::GeoNear;
use super::group::Group;
use super::lookup::{GraphLookup, Lookup, UnionWith};
use super::matching::Match;
use super::redact::Redact;
use super::sort::SortStage;
use super::stream::Env;
use super::unwind::Unwind;
use super::window::WindowFields;
use crate::error::Result;
use crate::query::expression::Expression;
use crate::query::projection::Reshape;
use crate::value::Raw;

/// One compiled stage.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    Match(Match),
    Reshape(Box<Reshape>),
    Group(Box<Group>),
    Sort(SortStage),
    Limit(u64),
    Skip(u64),
    Count(String),
    Sample(u64),
    Documents(Box<Expression>),
    Unwind(Unwind),
    Redact(Box<Redact>),
    Facet(Facet),
    Bucket(Box<Bucket>),
    BucketAuto(Box<BucketAuto>),
    Lookup(Box<Lookup>),
    GraphLookup(Box<GraphLookup>),
    UnionWith(Box<UnionWith>),
    WindowFields(Box<WindowFields>),
    Densify(Box<Densify>),
    GeoNear(Box<GeoNear>),
}

/// Runs `stages` over `input`.
pub(super) fn run<'a>(
    stages: &'a [Stage],
    input: Documents<'a>,
    env: Env<'a>,
) -> Result<Documents<'a>> {
    stages.iter().try_fold(input, |input, stage| stage.run(input, env))
}

impl Stage {
    fn run<'a>(&'a self, input: Documents<'a>, env: Env<'a>) -> Result<Documents<'a>> {
        Ok(match self {
            Self::Match(test) => run_match(test, input, env),
            Self::Reshape(reshape) => run_reshape(reshape, input, env),
            Self::Group(group) => group.run(input, env),
            Self::Sort(sort) => sort.run(input, env),
            Self::Limit(limit) => flow::limit(*limit, input, env),
            Self::Skip(skip) => flow::skip(*skip, input, env),
            Self::Count(name) => flow::count(name, input, env),
            Self::Sample(size) => flow::sample(*size, input, env),
            Self::Documents(list) => flow::documents(list, env),
            Self::Unwind(unwind) => unwind.run(input, env),
            Self::Redact(redact) => redact.run(input, env),
            Self::Facet(facet) => facet.run(input, env),
            Self::Bucket(bucket) => bucket.run(input, env),
            Self::BucketAuto(bucket) => bucket.run(input, env),
            Self::Lookup(lookup) => lookup.run(input, env),
            Self::GraphLookup(lookup) => lookup.run(input, env),
            Self::UnionWith(union) => union.run(input, env),
            Self::WindowFields(window) => window.run(input, env),
            Self::Densify(densify) => densify.run(input, env),
            Self::GeoNear(near) => near.run(input, env),
        })
    }

    /// Adds the names of the other collections that it reads.
    pub(super) fn collections(&self, names: &mut BTreeSet<String>) {
        match self {
            Self::Facet(facet) => facet.collections(names),
            Self::Lookup(lookup) => lookup.collections(names),
            Self::GraphLookup(lookup) => lookup.collections(names),
            Self::UnionWith(union) => union.collections(names),
            _ => {}
        }
    }
}

fn run_match<'a>(test: &'a Match, mut input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
    Box::new(std::iter::from_fn(move || {
        loop {
            let document = match input.next()? {
                Ok(document) => document,
                Err(error) => return Some(Err(error)),
            };
            let matched =
                env.budget.check().and_then(|()| test.matches(Raw::trusted(&document), &env));
            match matched {
                Ok(true) => return Some(Ok(document)),
                Ok(false) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }))
}

fn run_reshape<'a>(reshape: &'a Reshape, input: Documents<'a>, env: Env<'a>) -> Documents<'a> {
    Box::new(input.map(move |document| {
        env.budget.check()?;
        let document = document?;
        let mut out = Vec::with_capacity(document.len());
        reshape.apply(&env.scope(Raw::trusted(&document)), &mut out)?;
        Ok(Bytes::from(out))
    }))
}
