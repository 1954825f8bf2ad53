//! What a stream under a credential would be told of an event.
//!
//! Guarantees: the same rights and filters decide as on a stream of that credential (`sight`), as they stand now.

use headwater_engine::Event;
use headwater_engine::explain::{Explained, Outcome, Rule, reason};
use headwater_engine::subscribe::BodyFilter;

use super::sight::visibility;
use crate::auth::{Acl, Action, Grant};

/// What is told of an event to one who follows every collection and kind with a filter.
pub(crate) fn explain_to(
    grant: &Grant,
    event: &Event<'_>,
    filter: Option<&BodyFilter>,
) -> Explained {
    if !grant.opens(Acl::Stream) {
        return Explained::hidden("acl");
    }
    if event.is_system() && !grant.is_full() {
        return Explained::hidden(Rule::System.as_str());
    }
    let visibility = visibility(grant, event, Action::Subscribe);
    match reason(event, &visibility, filter) {
        Some(reason) => reason.into(),
        None => Explained::new(Outcome::Delivered),
    }
}
