//! What may be delivered to whom: the hook by which the access layer has its say.
//!
//! Guarantees: an event is asked about when it is taken in, for a replay too, and again right before an attempt unless
//! the owner's standing is known to be the same. What its owner may not see is passed over: it is not delivered, not
//! counted, and no dead letter; it does not come back when the owner may see it later, but for a replay.
//! Leaves to others: what an owner is, and what one may see (the access layer).

use std::fmt;

use crate::event::Event;

/// Who registered a webhook decides what it gets.
pub trait Sight: fmt::Debug + Send + Sync + 'static {
    /// Whether `owner`, as a registration names it, may see an event now.
    fn may_see(&self, owner: &str, event: &Event<'_>) -> bool;

    /// A number that is another one as soon as [`Sight::may_see`] may answer otherwise for `owner`, of an event that has
    /// been asked about; `None`: it has to be asked each time. It saves a read of the log at each attempt.
    fn standing(&self, _owner: &str) -> Option<u64> {
        None
    }
}

/// Sees everything, whoever asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Everything;

impl Sight for Everything {
    fn may_see(&self, _owner: &str, _event: &Event<'_>) -> bool {
        true
    }

    fn standing(&self, _owner: &str) -> Option<u64> {
        Some(0)
    }
}
