//! Conditions: rules as filters with expansions, of a document or of what happens to one.
//!
//! Guarantees: a parsed condition compiles for whatever its expansions stand for; where an evaluation fails, it does not
//! hold. A condition that names `%%prevRoot` is one of a transition: it is asked once, of the document after (of a deletion:
//! before) together with the document before. Any other has to hold of each of them that is there.
//! Leaves to others: which condition goes with which action (`rules`).

use std::sync::Arc;

use headwater_engine::Result;
use headwater_engine::limits::Limits;
use headwater_engine::query::{Filter, Item};
use headwater_engine::value::Raw;

use super::facts::Facts;
use super::fold::{self, Folded};
use super::substitute::{BEFORE, Source};
use super::template::{self, Scope, Template};

/// An object without members, encoded.
const EMPTY: &[u8] = &[0x80];

/// A condition, checked but not compiled.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition(Arc<Template>);

/// What has to hold for a write.
#[derive(Clone, Debug)]
pub(super) enum Check {
    /// This, of the document before and after.
    States(Arc<Filter>),
    /// This, of both together.
    Transition(Arc<Transition>),
}

/// A condition of the document after and before.
#[derive(Debug)]
pub(super) enum Transition {
    Fixed(bool),
    All(Vec<Self>),
    Any(Vec<Self>),
    Neither(Vec<Self>),
    Now(Filter),
    Before(Filter),
    WasThere(bool),
}

impl Condition {
    /// Checks a condition under the limits for new ones.
    pub(super) fn parse(rule: Raw<'_>, scope: Scope, limits: &Limits) -> Result<Self> {
        let template = template::parse(&rule.to_value(), scope)?;
        let folded = fold::check(&template.root, limits)?;
        // All of it together keeps the limits, too.
        if template.names_before {
            Transition::compile(&folded, limits)?;
        } else {
            folded.filter(limits)?;
        }
        Ok(Self(Arc::new(template)))
    }

    /// With the facts put in.
    pub(super) fn fold(&self, facts: &Facts, limits: &Limits) -> Folded {
        fold::fold(&self.0.root, Source::Facts(facts), limits)
    }

    /// Whether a condition of facts alone holds.
    pub(super) fn holds(&self, facts: &Facts, limits: &Limits) -> bool {
        matches!(self.fold(facts, limits), Folded::Fixed(true))
    }

    /// Whether it is one of a transition.
    pub(super) fn is_of_transition(&self) -> bool {
        self.0.names_before
    }

    /// Whether it looks at the request.
    pub(super) fn needs_request(&self) -> bool {
        self.0.names_request
    }
}

impl Check {
    /// Compiles a folded condition.
    pub(super) fn compile(
        folded: &Folded,
        is_of_transition: bool,
        limits: &Limits,
    ) -> Result<Self> {
        if is_of_transition {
            return Transition::compile(folded, limits).map(Arc::new).map(Self::Transition);
        }
        folded.filter(limits).map(Arc::new).map(Self::States)
    }

    /// Whether it looks at what was and what will be together.
    pub(super) fn is_transition(&self) -> bool {
        matches!(self, Self::Transition(_))
    }

    /// Whether a write is allowed by the document before and after it.
    pub(super) fn allows(&self, before: Option<Raw<'_>>, after: Option<Raw<'_>>) -> bool {
        match self {
            Self::States(filter) => {
                let holds = |document: Raw<'_>| filter.matches(document).unwrap_or(false);
                before.is_none_or(holds) && after.is_none_or(holds)
            }
            Self::Transition(transition) => {
                let empty = Raw::trusted(EMPTY);
                let Some(now) = after.or(before) else { return false };
                let old = before.unwrap_or(empty);
                let variable = Item::made(|out| out.extend_from_slice(old.as_bytes()));
                let moment = Moment {
                    now,
                    before: old,
                    was_there: before.is_some(),
                    variables: [(BEFORE.to_owned(), variable)],
                };
                transition.holds(&moment).unwrap_or(false)
            }
        }
    }
}

struct Moment<'a> {
    now: Raw<'a>,
    before: Raw<'a>,
    was_there: bool,
    variables: [(String, Item<'static>); 1],
}

impl Transition {
    fn compile(folded: &Folded, limits: &Limits) -> Result<Self> {
        let list = |nodes: &[Folded]| -> Result<Vec<Self>> {
            nodes.iter().map(|node| Self::compile(node, limits)).collect()
        };
        Ok(match folded {
            Folded::Fixed(holds) => Self::Fixed(*holds),
            Folded::All(nodes) => Self::All(list(nodes)?),
            Folded::Any(nodes) => Self::Any(list(nodes)?),
            Folded::Neither(nodes) => Self::Neither(list(nodes)?),
            Folded::Now(filter) => Self::Now(fold::parse(filter, limits)?),
            Folded::Before(filter) => Self::Before(fold::parse(filter, limits)?),
            Folded::WasThere(wanted) => Self::WasThere(*wanted),
        })
    }

    fn holds(&self, moment: &Moment<'_>) -> Result<bool> {
        match self {
            Self::Fixed(holds) => Ok(*holds),
            Self::All(nodes) => {
                nodes.iter().try_fold(true, |all, node| Ok(all && node.holds(moment)?))
            }
            Self::Any(nodes) => any(nodes, moment),
            Self::Neither(nodes) => any(nodes, moment).map(|any| !any),
            Self::Now(filter) => filter.matches_with(moment.now, &moment.variables),
            Self::Before(filter) => filter.matches_with(moment.before, &moment.variables),
            Self::WasThere(wanted) => Ok(moment.was_there == *wanted),
        }
    }
}

fn any(nodes: &[Transition], moment: &Moment<'_>) -> Result<bool> {
    nodes.iter().try_fold(false, |any, node| Ok(any || node.holds(moment)?))
}
