//! Projections: which fields of a document an answer shows; and the stages that reshape documents.
//!
//! Guarantees: the rules of the reference, section 4, from encoded bytes to encoded bytes: members are copied, no tree is
//! built. `_id` is shown unless it is excluded.
//! Leaves to others: finding documents, expressions, conditions.

mod array;
mod compute;
mod fields;
mod parse;
mod reshape;
mod shape;

pub use reshape::Reshape;

use super::expression::{Scope, Work};
use super::update::check;
use super::{Context, Filter};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::value::Raw;
use compute::Compute;
use fields::Fields;
use parse::{Dialect, Parsed, Parser};
use shape::Mode;

/// A compiled projection of a find.
#[derive(Clone, Debug)]
pub struct Projection {
    shape: Shape,
    paths: Option<Vec<Box<str>>>,
    limits: Limits,
    now_ms: i64,
}

impl Projection {
    /// Compiles a find's projection; `{}` shows everything.
    pub fn parse(projection: Raw<'_>, context: &Context<'_>) -> Result<Self> {
        let parsed = Parser::parse(Dialect::Find, projection, context, &[])?;
        Ok(Self {
            paths: parsed.paths.clone(),
            shape: Shape::new(Dialect::Find, parsed),
            limits: context.limits.clone(),
            now_ms: context.now_ms,
        })
    }

    /// As [`Projection::apply`], within so many steps of its expressions.
    pub fn apply_within(&self, document: Raw<'_>, steps: u64, out: &mut Vec<u8>) -> Result<()> {
        let _work = Work::within(steps);
        self.apply(document, None, out)
    }

    /// Writes what a document shows. `filter` is the one that found it, for the positional `$`.
    pub fn apply(
        &self,
        document: Raw<'_>,
        filter: Option<&Filter>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let _work = Work::begin();
        let position = match filter {
            _ if !self.shape.fields.positional => None,
            Some(filter) => filter.find_position(document)?.and_then(|position| position.element),
            None => None,
        };
        if self.shape.fields.positional && position.is_none() {
            return Err(Error::invalid(
                "positional_without_array",
                "the positional `$` of a projection needs a filter that was satisfied by an element \
                 of an array",
            )
            .with("operator", "$"));
        }
        let scope =
            Scope { root: document, current: document, now_ms: self.now_ms, variables: &[] };
        self.shape.write(&scope, position, &self.limits, out)
    }

    /// The paths that it shows, where it is a plain inclusion: nothing else of a document is needed for it. `None` for
    /// anything else.
    pub fn paths(&self) -> Option<Vec<&str>> {
        self.paths.as_ref().map(|paths| paths.iter().map(|path| &**path).collect())
    }

    /// Whether it uses the positional `$`, so that [`Projection::apply`] needs the filter that found the document.
    pub fn is_positional(&self) -> bool {
        self.shape.fields.positional
    }
}

/// What is left of a document, and what is put into it.
#[derive(Clone, Debug)]
struct Shape {
    /// `None`: everything is left.
    mode: Option<Mode>,
    fields: Fields,
}

impl Shape {
    fn parse(
        dialect: Dialect,
        projection: Raw<'_>,
        context: &Context<'_>,
        variables: &[String],
    ) -> Result<Self> {
        Ok(Self::new(dialect, Parser::parse(dialect, projection, context, variables)?))
    }

    fn new(dialect: Dialect, parsed: Parsed) -> Self {
        let all =
            dialect == Dialect::Add || parsed.fields.len() == 0 && parsed.mode == Mode::Exclude;
        Self { mode: (!all).then_some(parsed.mode), fields: parsed.fields }
    }

    fn write(
        &self,
        scope: &Scope<'_>,
        position: Option<usize>,
        limits: &Limits,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = out.len();
        if !self.fields.computed {
            match self.mode {
                None => out.extend_from_slice(scope.root.as_bytes()),
                Some(mode) => {
                    shape::write_object(mode, &self.fields, scope.root, position, out)?;
                }
            }
            return Ok(());
        }
        let compute = Compute { scope, limits, start };
        match self.mode {
            None => compute.object(&self.fields, scope.root, out)?,
            Some(mode) => {
                let mut left = Vec::new();
                shape::write_object(mode, &self.fields, scope.root, position, &mut left)?;
                compute.object(&self.fields, Raw::trusted(&left), out)?;
            }
        }
        check::document(out.get(start..).unwrap_or_default(), limits)
    }
}

#[cfg(test)]
mod tests;
