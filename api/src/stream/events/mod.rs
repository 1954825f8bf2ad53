//! A stream of events: everything that happens after a position, as far as it is asked for and seen.

mod audience;
mod collapse;

use std::sync::Arc;

use super::follow::{Follow, Reader};
use super::topic::EventTopic;
use super::wire::Wire;
use crate::session::Sight;
use crate::state::App;
use audience::EventAudience;
use collapse::Collapse;

/// A place among those who follow the same events, after a position.
pub(super) fn follow(
    app: &App,
    topic: &EventTopic,
    sight: &Sight,
    wire: &Wire,
    cursor: u64,
) -> Follow {
    let audience = EventAudience::new(topic, sight, wire);
    let reader = topic
        .collapse
        .then(|| Arc::new(Collapse::new(&app.engine, topic, sight)) as Arc<dyn Reader>);
    Follow::new(&app.engine, audience.key(), cursor, audience, reader)
}
