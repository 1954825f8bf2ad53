//! What of an event somebody sees, by a restriction and by what was asked for.

use std::sync::Arc;

use super::{FieldRule, Restriction};
use crate::event::Event;
use crate::subscribe::BodyFilter;

/// What somebody may see of the events of a collection.
#[derive(Clone, Debug)]
pub enum Visibility {
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
    /// What a restriction admits.
    Restricted(Arc<Restriction>),
}

/// What is seen of one event.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// Nothing: it does not come.
    Nothing,
    /// All of it.
    Whole,
    /// What the rule shows of it.
    Cut(Arc<FieldRule>),
    /// That the document has left the caller's sight: `document.hidden`.
    Gone,
}

/// What is seen of an event that was asked for by place and kind.
///
/// The filter looks only at states that are visible, with hidden fields taken out, before the event or after it. An
/// update after which the document is not visible any more is `Gone` if it was visible, and matched, before.
pub fn judge(event: &Event<'_>, visibility: &Visibility, filter: Option<&BodyFilter>) -> Seen {
    let matches = filter.is_none_or(|filter| filter.matches(event));
    match visibility {
        Visibility::Everything if matches => Seen::Whole,
        _ => Seen::Nothing,
    }
}
