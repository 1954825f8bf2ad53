//! What became of one event for one who follows: the answer, and why an event does not come.
//!
//! Guarantees: the reason is asked of the same filters and restrictions that decide ([`judge`](crate::restrict::judge)); an
//! event that would be seen now has no reason. What is said is for an operator with full access: it tells of what others
//! may not see.
//! Leaves to others: the state of deliveries (`webhook`), what somebody may see (the access layer).

mod reason;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::log::Block;

pub use reason::{Reason, Rule, reason};

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was delivered, or is told to whoever follows.
    Delivered,
    /// It is about to be delivered, or to be tried again.
    Pending,
    /// It was not asked for.
    Filtered,
    /// It may not be seen.
    NotVisible,
    /// It waits for a failing delivery of the same document.
    Parked,
    /// Its delivery was given up.
    Dead,
    /// Nothing is delivered of that part of the log, or now.
    Inactive,
}

impl Outcome {
    /// The public name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Pending => "pending",
            Self::Filtered => "filtered",
            Self::NotVisible => "not_visible",
            Self::Parked => "parked",
            Self::Dead => "dead",
            Self::Inactive => "inactive",
        }
    }
}

/// What became of an event, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What became of it.
    pub outcome: Outcome,
    /// Which part of what was asked for passes it over, or leaves it out.
    pub clause: Option<String>,
    /// What hides it.
    pub rule: Option<&'static str>,
    /// The position of the delivery that it waits for.
    pub behind: Option<u64>,
    /// The position of its own delivery, which is the delivery's id.
    pub delivery: Option<u64>,
}

impl Explained {
    /// An outcome that says all.
    pub fn new(outcome: Outcome) -> Self {
        Self { outcome, clause: None, rule: None, behind: None, delivery: None }
    }

    /// An event that a rule hides.
    pub fn hidden(rule: &'static str) -> Self {
        Self { rule: Some(rule), ..Self::new(Outcome::NotVisible) }
    }

    /// An event of a part of the log, or for a time, of which nothing is delivered; the clause says which.
    pub fn inactive(clause: &str) -> Self {
        Self { clause: Some(clause.to_owned()), ..Self::new(Outcome::Inactive) }
    }
}

impl From<Reason> for Explained {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Clause(clause) => Self { clause: Some(clause), ..Self::new(Outcome::Filtered) },
            Reason::Rule(rule) => Self::hidden(rule.as_str()),
        }
    }
}

/// The event at a position, as a block of one record; blocking. Not found (`event_not_found`) where there was none yet,
/// gone (`position_gone`) before retention.
pub fn block_at(engine: &Engine, position: u64) -> Result<Block> {
    if position == 0 || position > engine.position() {
        let message = format!("there is no event at position {position}");
        return Err(Error::not_found("event_not_found", message));
    }
    engine.log().get(position)
}
