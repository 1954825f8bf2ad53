//! What the journal comes to: the state after applying its operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::op::{Op, Outstanding, ReplayState};

/// What is kept of one webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SavedWebhook {
    /// Every event up to here is settled or outstanding.
    pub cursor: u64,
    /// The backlog up to here was left out at its owner's wish.
    pub skipped_to: u64,
    /// Since when every attempt failed, UTC ms.
    pub failing_since_ms: Option<u64>,
    /// Deliveries still to be made, by position.
    pub outstanding: BTreeMap<u64, Arc<Outstanding>>,
    /// Deliveries given up, by position.
    pub dead: BTreeMap<u64, Arc<Outstanding>>,
}

/// Everything that the store keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Webhooks by id.
    pub webhooks: BTreeMap<Arc<str>, SavedWebhook>,
    /// Replays by number.
    pub replays: BTreeMap<u64, ReplayState>,
}

impl State {
    /// Applies a change.
    pub(crate) fn apply(&mut self, op: Op) {
        match op {
            Op::Cursor { webhook, cursor, skipped_to, failing_since_ms } => {
                let saved = self.webhooks.entry(webhook).or_default();
                saved.cursor = cursor;
                saved.skipped_to = skipped_to;
                saved.failing_since_ms = failing_since_ms;
            }
            Op::Outstanding { webhook, position, delivery } => {
                let saved = self.webhooks.entry(webhook).or_default();
                saved.dead.remove(&position);
                saved.outstanding.insert(position, delivery);
            }
            Op::Settled { webhook, position } => {
                let saved = self.webhooks.entry(webhook).or_default();
                saved.dead.remove(&position);
                saved.outstanding.remove(&position);
            }
            Op::Dead { webhook, position, delivery } => {
                let saved = self.webhooks.entry(webhook).or_default();
                saved.outstanding.remove(&position);
                saved.dead.insert(position, delivery);
            }
            Op::Removed { webhook } => {
                self.webhooks.remove(&webhook);
            }
            Op::Replay { id, state } => {
                self.replays.insert(id, state);
            }
            Op::ReplayForgotten { id } => {
                self.replays.remove(&id);
            }
        }
    }

    /// The operations that make this state out of nothing.
    pub(crate) fn to_ops(&self) -> Vec<Op> {
        let mut ops = Vec::new();
        for (webhook, saved) in &self.webhooks {
            ops.push(Op::Cursor {
                webhook: Arc::clone(webhook),
                cursor: saved.cursor,
                skipped_to: saved.skipped_to,
                failing_since_ms: saved.failing_since_ms,
            });
            for (position, delivery) in &saved.outstanding {
                let (webhook, delivery) = (Arc::clone(webhook), Arc::clone(delivery));
                ops.push(Op::Outstanding { webhook, position: *position, delivery });
            }
            for (position, delivery) in &saved.dead {
                let (webhook, delivery) = (Arc::clone(webhook), Arc::clone(delivery));
                ops.push(Op::Dead { webhook, position: *position, delivery });
            }
        }
        for (id, state) in &self.replays {
            ops.push(Op::Replay { id: *id, state: state.clone() });
        }
        ops
    }

    /// The furthest position that anything here speaks of.
    pub(crate) fn furthest(&self) -> u64 {
        let saved = self.webhooks.values().flat_map(|saved| {
            let outstanding = saved.outstanding.keys().next_back().copied();
            let dead = saved.dead.keys().next_back().copied();
            let skipped = Some(saved.skipped_to);
            [Some(saved.cursor), skipped, outstanding, dead].into_iter().flatten()
        });
        let replays = self.replays.values().map(|replay| replay.to);
        saved.chain(replays).max().unwrap_or(0)
    }
}
