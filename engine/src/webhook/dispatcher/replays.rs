//! Replays and single deliveries, as the service asks for them.

use std::sync::Arc;

use super::{Dispatcher, no_webhook};
use crate::error::{Error, ErrorKind, Result};
use crate::webhook::status::Status;
use crate::webhook::store::{ReplayState, ReplayStatus};
use crate::webhook::worker::{Item, Retry};

impl Dispatcher {
    /// Begins a replay.
    pub(in crate::webhook) fn begin_replay(&mut self, state: ReplayState) -> Result<u64> {
        let webhook = Arc::clone(&state.webhook);
        let newest = self.replays.keys().next_back().copied().unwrap_or(0);
        let running = self.workers.values().filter_map(|worker| worker.replay.as_ref());
        let newest = running.map(|replay| replay.id).max().unwrap_or(0).max(newest);
        // Numbers rise with time, and do not repeat after old replays were forgotten.
        let id = self.engine.clock().now_ms().max(newest + 1);
        let worker = self.worker(&webhook)?;
        if let Some(other) = &worker.replay {
            return Err(Error::new(
                ErrorKind::Conflict,
                "replay_running",
                format!("webhook `{webhook}` has the replay `{}` under way", other.id),
            )
            .with("replay", other.id.to_string()));
        }
        worker.begin_replay(id, state);
        Ok(id)
    }

    /// The replays of a webhook (of none: of all), the latest first.
    pub(in crate::webhook) fn replays(&self, webhook: Option<&str>) -> Vec<(u64, ReplayState)> {
        let running = self.workers.values().filter_map(|worker| worker.replay.as_ref());
        let running = running.map(|replay| (replay.id, &replay.state));
        let ended = self.replays.iter().map(|(id, state)| (*id, state));
        let wanted = running
            .chain(ended)
            .filter(|(_, state)| webhook.is_none_or(|webhook| *webhook == *state.webhook));
        let mut all: Vec<_> = wanted.map(|(id, state)| (id, state.clone())).collect();
        all.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
        all
    }

    /// How far a replay has come.
    pub(in crate::webhook) fn replay(&self, id: u64) -> Result<ReplayState> {
        let running = self.workers.values().filter_map(|worker| worker.replay.as_ref());
        let running = running.into_iter().find(|replay| replay.id == id);
        running
            .map(|replay| replay.state.clone())
            .or_else(|| self.replays.get(&id).cloned())
            .ok_or_else(|| no_replay(id))
    }

    /// Cancels a replay, if it is still under way.
    pub(in crate::webhook) fn cancel_replay(&mut self, id: u64) -> Result<ReplayState> {
        let of_it = |worker: &&mut crate::webhook::worker::Worker| {
            worker.replay.as_ref().is_some_and(|replay| {
                replay.id == id && replay.state.status == ReplayStatus::Running
            })
        };
        if let Some(worker) = self.workers.values_mut().find(of_it) {
            worker.end_replay(ReplayStatus::Cancelled);
            self.touched.insert(Arc::clone(&worker.registration.id));
            self.committing.urgent = true;
        }
        self.replay(id)
    }

    /// Sends one delivery again; whether its event has to be read first.
    pub(in crate::webhook) fn retry(&mut self, webhook: &str, position: u64) -> Result<Retry> {
        let now = self.engine.clock().monotonic();
        let worker = self.worker(webhook)?;
        if !worker.is_running() {
            return Err(inactive(webhook));
        }
        let retry = worker.retry(position, now);
        self.committing.urgent = true;
        Ok(retry)
    }

    /// Forgets dead deliveries; how many.
    pub(in crate::webhook) fn dismiss(
        &mut self,
        webhook: &str,
        dead: std::ops::Range<u64>,
    ) -> Result<u64> {
        let dismissed = self.worker(webhook)?.dismiss(dead);
        self.committing.urgent = true;
        Ok(dismissed)
    }

    /// Sends an event again that was settled.
    pub(in crate::webhook) fn resend(&mut self, webhook: &str, item: &Item) -> Result<()> {
        let now = self.engine.clock().monotonic();
        self.worker(webhook)?.resend(item, now);
        self.committing.urgent = true;
        Ok(())
    }

    /// The deliveries of a range that stand in one of these ways.
    pub(in crate::webhook) fn known_between(
        &self,
        webhook: &str,
        after: u64,
        to: u64,
        statuses: &[Status],
    ) -> Result<Vec<u64>> {
        let id: Arc<str> = Arc::from(webhook);
        let worker = self.workers.get(&id).ok_or_else(|| no_webhook(webhook))?;
        Ok(worker.known_between(after, to, statuses, usize::MAX))
    }
}

/// A webhook that is not active gets nothing.
pub(in crate::webhook) fn inactive(webhook: &str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        "webhook_inactive",
        format!("webhook `{webhook}` is not active; activate it first"),
    )
}

/// There is no such replay.
pub(in crate::webhook) fn no_replay(id: impl std::fmt::Display) -> Error {
    Error::not_found("replay_not_found", format!("there is no replay `{id}`"))
}
