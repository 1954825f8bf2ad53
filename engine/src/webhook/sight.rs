//! What may be delivered to whom: the hook by which the access layer has its say.
//!
//! Guarantees: an event is asked about when it is taken in, for a replay too, and again right before an attempt unless
//! the owner's standing is known to be the same. What its owner may not see is passed over: it is not delivered, not
//! counted, and no dead letter; it does not come back when the owner may see it later, but for a replay.
//! Leaves to others: what an owner is, and what one may see (the access layer).

use std::fmt;

use crate::event::Event;
use crate::restrict::Visibility;

/// Who registered a webhook decides what it gets.
pub trait Sight: fmt::Debug + Send + Sync + 'static {
    /// What `owner`, as a registration names it, may see now of the collection that an event belongs to (of events like
    /// it, where it belongs to none).
    fn visibility(&self, owner: &str, event: &Event<'_>) -> Visibility;

    /// A number that is another one as soon as [`Sight::visibility`] may answer otherwise for `owner`, of an event that has
    /// been asked about; `None`: it has to be asked each time. It saves a read of the log at each attempt.
    fn standing(&self, _owner: &str) -> Option<u64> {
        None
    }
}

/// Sees everything, whoever asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Everything;

impl Sight for Everything {
    fn visibility(&self, _owner: &str, _event: &Event<'_>) -> Visibility {
        Visibility::Everything
    }

    fn standing(&self, _owner: &str) -> Option<u64> {
        Some(0)
    }
}

/// Whether all of an event may be seen.
pub(super) fn may_see(sight: &dyn Sight, owner: &str, event: &Event<'_>) -> bool {
    matches!(sight.visibility(owner, event), Visibility::Everything)
}
