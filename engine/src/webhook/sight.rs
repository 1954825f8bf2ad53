//! What may be delivered to whom: the hook by which the access layer has its say.
//!
//! Guarantees: an event is judged when it is taken in, for a replay too, and again right before an attempt unless the
//! owner's standing is known to be the same; what is sent is what was seen at the last judgement. What its owner may not
//! see is passed over: it is not delivered, not counted, and no dead letter; it does not come back when the owner may see
//! it later, but for a replay. A document that leaves the owner's sight is delivered once, as `document.hidden`, in the
//! place of the update that took it away.
//! Leaves to others: what an owner is, and what one may see (the access layer); what of an event follows from that
//! (`restrict`).

use std::fmt;

use super::registration::Registration;
use crate::event::Event;
use crate::restrict::{Seen, Visibility, judge};
use crate::subscribe::BodyFilter;

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

/// What the owner of a webhook sees now of an event that the webhook wants by its place.
pub(super) fn see(sight: &dyn Sight, registration: &Registration, event: &Event<'_>) -> Seen {
    see_matching(sight, registration, event, None)
}

/// As [`see`], if a further filter matches what the owner sees now.
pub(super) fn see_matching(
    sight: &dyn Sight,
    registration: &Registration,
    event: &Event<'_>,
    further: Option<&BodyFilter>,
) -> Seen {
    let visibility = sight.visibility(&registration.owner, event);
    if further.is_some() && judge(event, &visibility, further) == Seen::Nothing {
        return Seen::Nothing;
    }
    judge(event, &visibility, registration.filter.as_ref())
}

/// What the owner of a webhook sees now of an event that was wanted when it was taken in. What a registration asks for may
/// have changed since, which takes nothing back; but a filter still has its say where only a part is seen, because it
/// may have looked at what is hidden now.
pub(super) fn see_again(sight: &dyn Sight, registration: &Registration, event: &Event<'_>) -> Seen {
    match sight.visibility(&registration.owner, event) {
        Visibility::Everything => Seen::Whole,
        visibility => judge(event, &visibility, registration.filter.as_ref()),
    }
}
