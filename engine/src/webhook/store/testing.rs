//! What a test needs to see of saved state.

use super::op::{Op, ReplayState, ReplayStatus};
use super::state::{SavedWebhook, State};

/// A state that operations are applied to.
#[derive(Debug, Default)]
pub(crate) struct Saved(State);

impl Saved {
    pub(crate) fn apply(&mut self, ops: Vec<Op>) {
        ops.into_iter().for_each(|op| self.0.apply(op));
    }

    pub(crate) fn webhook(&self, id: &str) -> SavedWebhook {
        self.0.webhooks.get(id).cloned().unwrap_or_default()
    }

    pub(crate) fn running_replay(&self) -> Option<(u64, ReplayState)> {
        let running = |(_, state): &(&u64, &ReplayState)| state.status == ReplayStatus::Running;
        self.0.replays.iter().find(running).map(|(id, state)| (*id, state.clone()))
    }
}
