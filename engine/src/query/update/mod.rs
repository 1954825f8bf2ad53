//! Updates: operators, replacements and pipelines, compiled once.
//!
//! Guarantees: malformed updates and paths that conflict are refused when parsed, by operator and path. Applying gives a whole
//! new document or an error, never a part of the work; `_id` stays, and is the first member. Where nothing changes the same
//! bytes come back. What comes back obeys the limits on size, nesting and names.
//! Leaves to others: finding the document, whether an id is taken, and the event.

mod action;
mod bits;
mod bound;
pub(in crate::query) mod check;
mod filters;
mod ids;
mod node;
mod parse;
mod path;
mod pipeline;
mod plan;
mod pull;
mod push;
mod rename;
mod run;
mod set;
mod upsert;

pub(in crate::query) use action::integer;
pub use bound::BoundUpdate;
pub(in crate::query) use pull::wrap;

use super::expression::Work;
use super::{Context, Filter};
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::value::document::ID;
use crate::value::{Raw, encode};
use ids::Missing;
use node::{Node, Room};
use parse::Operators;
use pipeline::Stages;
use plan::{Branch, Step};
use run::{PADDING_MAX, Run};

/// A compiled update.
#[derive(Clone, Debug)]
pub struct Update {
    kind: Kind,
    limits: Limits,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Operators.
    Operators(Operators, Step),
    /// A whole new document, encoded.
    Replacement(Box<[u8]>),
    /// Stages.
    Pipeline(Stages),
}

impl Update {
    /// Compiles an update: an object of operators, a whole new document, or an array of stages. `array_filters` is the
    /// array of filters for `$[name]`, if there is one.
    pub fn parse(
        update: Raw<'_>,
        array_filters: Option<Raw<'_>>,
        context: &Context<'_>,
    ) -> Result<Self> {
        let limits = context.limits.clone();
        let first = update.object_iter().next().map(|(name, _)| name);
        if first.is_some_and(|name| name.starts_with('$')) {
            let mut operators = Operators::parse(update, array_filters, context)?;
            let plan = Step::Branch(std::mem::take(&mut operators.plan));
            return Ok(Self { kind: Kind::Operators(operators, plan), limits });
        }
        if array_filters.is_some_and(|filters| filters.member_count() > 0) {
            let message = "array filters go with an update of operators only";
            return Err(Error::invalid("invalid_array_filter", message));
        }
        if update.as_array().is_some() {
            return Ok(Self { kind: Kind::Pipeline(Stages::parse(update, context)?), limits });
        }
        let Some(mut members) = update.as_object() else {
            let message = "an update must be an object or an array of stages";
            return Err(Error::invalid("invalid_update", message));
        };
        if let Some((name, _)) = members.find(|(name, _)| name.starts_with('$')) {
            let message =
                format!("a new document cannot have the operator {name} beside its fields");
            return Err(Error::invalid("mixed_update", message).with("operator", name));
        }
        Ok(Self { kind: Kind::Replacement(update.as_bytes().into()), limits })
    }

    /// Whether it is a whole new document, which is refused for many documents at once.
    pub fn is_replacement(&self) -> bool {
        matches!(self.kind, Kind::Replacement(_))
    }

    /// Whether it uses the positional `$`, so that [`Update::apply`] needs the filter that found the document.
    pub fn is_positional(&self) -> bool {
        matches!(&self.kind, Kind::Operators(operators, _) if operators.positional)
    }

    /// The whole new document: `_id` first and unchanged. The same bytes where nothing changes. `filter` is the one that
    /// found the document, for the positional `$`.
    pub fn apply(&self, document: Raw<'_>, filter: Option<&Filter>) -> Result<Vec<u8>> {
        let _work = Work::begin();
        let position = match filter {
            Some(filter) if self.is_positional() => {
                filter.find_position(document)?.and_then(|position| position.element)
            }
            _ => None,
        };
        let (body, missing) = self.change(document, position, false)?;
        let new = ids::settle(document.get(ID), body, missing, None)?;
        if new != document.as_bytes() {
            check::document(&new, &self.limits)?;
        }
        Ok(new)
    }

    /// The document that an upsert makes: from the equalities of `filter`, then the operators with `$setOnInsert`. Where
    /// neither gives an `_id` it has `new_id`.
    pub fn upsert(&self, filter: &Filter, new_id: [u8; 12]) -> Result<Vec<u8>> {
        let start =
            self.write_plan(upsert::equalities(filter, self.is_replacement(), &self.limits)?)?;
        let start = Raw::trusted(&start);
        let (body, missing) = self.change(start, None, true)?;
        let new = ids::settle(start.get(ID), body, missing, Some(new_id))?;
        ids::check_new(&new, &self.limits)?;
        check::document(&new, &self.limits)?;
        Ok(new)
    }

    /// The changed document, whose `_id` is still to be judged.
    fn change(
        &self,
        document: Raw<'_>,
        position: Option<usize>,
        insert: bool,
    ) -> Result<(Vec<u8>, Missing)> {
        let (operators, plan) = match &self.kind {
            Kind::Replacement(body) => return Ok((body.to_vec(), Missing::Kept)),
            Kind::Pipeline(stages) => return Ok((stages.apply(document)?, Missing::Kept)),
            Kind::Operators(operators, plan) => (operators, plan),
        };
        let mut root = Node::Raw(document);
        let (sources, renames) = &operators.renames;
        let mut renamed = vec![None; *renames];
        if *renames > 0 {
            rename::take(sources, &mut root, &mut renamed)?;
        }
        let name = position.map(|index| index.to_string());
        let mut run = Run {
            insert,
            position: position.zip(name.as_deref()),
            filters: &operators.filters,
            renamed,
            padding: PADDING_MAX,
            room: Room::new(&self.limits),
        };
        run.apply(&[plan], &mut root)?;
        let mut out = Vec::with_capacity(document.as_bytes().len() + 64);
        root.write(&self.limits, &mut out)?;
        Ok((out, Missing::Refused))
    }

    /// The object that a plan makes of nothing.
    fn write_plan(&self, plan: Branch) -> Result<Vec<u8>> {
        let plan = Step::Branch(plan);
        let mut run = Run {
            insert: true,
            position: None,
            filters: &[],
            renamed: Vec::new(),
            padding: 0,
            room: Room::new(&self.limits),
        };
        let mut out = Vec::new();
        match run.make(&[&plan])? {
            Some(node) => node.write(&self.limits, &mut out)?,
            None => encode::write_object_header(0, &mut out),
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
