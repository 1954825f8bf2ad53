//! Keeping workers in step with the registry, and disabling webhooks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Dispatcher;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Object, Raw};
use crate::webhook::Registry;
use crate::webhook::registration::{COLLECTION, Registration, document_id};
use crate::webhook::store::{Op, ReplayStatus};
use crate::webhook::worker::{Bounds, Worker};
use crate::write::{Absent, Change, Command, DocumentId, Operation};

/// How long to wait before a failed write is tried again.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How soon to look again for a webhook that seems to be gone.
const ABSENT_AGAIN: Duration = Duration::from_millis(50);
/// Who disables webhooks.
const ACTOR: &str = "system";

impl Dispatcher {
    /// Brings the workers up at the start.
    pub(super) fn begin(&mut self) {
        self.reconcile();
        // What is left belongs to webhooks that were removed.
        for (webhook, saved) in std::mem::take(&mut self.saved) {
            // One whose document cannot be read now may be read by another build.
            if is_stored(&self.engine, &document_id(&webhook)).unwrap_or(true) {
                self.saved.insert(webhook, saved);
                continue;
            }
            self.committing.ops.push(Op::Removed { webhook });
            self.committing.changed = true;
        }
        let orphans: Vec<u64> = self
            .replays
            .iter()
            .filter(|(_, state)| state.status == ReplayStatus::Running)
            .map(|(id, _)| *id)
            .collect();
        for id in orphans {
            let Some(mut state) = self.replays.remove(&id) else { continue };
            match self.workers.get_mut(&state.webhook).filter(|worker| worker.replay.is_none()) {
                Some(worker) => worker.begin_replay(id, state),
                None => {
                    state.status = ReplayStatus::Failed;
                    self.committing.ops.push(Op::Replay { id, state: state.clone() });
                    self.replays.insert(id, state);
                }
            }
        }
        self.publish_needs();
    }

    /// Brings the workers in step with the registry, if it changed.
    pub(super) fn keep_in_step(&mut self) {
        if self.registry.change_number() != self.reconciled {
            self.reconcile();
        }
    }

    fn reconcile(&mut self) {
        let (webhooks, change) = self.registry.all();
        self.reconciled = change;
        let now = self.engine.clock().monotonic();
        let bounds = Bounds {
            concurrency: self.options.concurrency as usize,
            outstanding: self.options.outstanding_max.max(1) as usize,
            dead: self.options.dead_max.max(1) as usize,
        };
        for (id, registered) in webhooks.iter() {
            match self.workers.get_mut(id) {
                Some(worker) if worker.change == registered.change => worker.absent = false,
                Some(worker) => {
                    worker.absent = false;
                    worker.update(registered);
                }
                None => {
                    let saved = self.saved.remove(id);
                    let worker = Worker::new(registered, saved.as_ref(), bounds, now);
                    self.workers.insert(Arc::clone(id), worker);
                }
            }
            self.touched.insert(Arc::clone(id));
        }
        for (id, worker) in &mut self.workers {
            worker.absent = !webhooks.contains_key(id);
        }
        self.committing.changed = true;
        self.confirm_absent();
    }

    /// Removes what is kept of webhooks whose document is gone. The registry alone is no proof: it is empty for a moment
    /// while views are rebuilt.
    pub(super) fn confirm_absent(&mut self) {
        let absent: Vec<Arc<str>> = self
            .workers
            .iter()
            .filter(|(_, worker)| worker.absent)
            .map(|(id, _)| Arc::clone(id))
            .collect();
        for id in absent {
            let Some(worker) = self.workers.get_mut(&id) else { continue };
            match is_stored(&self.engine, &worker.registration.document_id()) {
                Ok(false) => self.remove(&id),
                Ok(true) | Err(_) => {
                    let now = self.engine.clock().monotonic();
                    self.wake_within(now, ABSENT_AGAIN);
                }
            }
        }
    }

    fn remove(&mut self, id: &Arc<str>) {
        let Some(mut worker) = self.workers.remove(id) else { return };
        self.shared.full.set(id, false);
        if let Some(replay) = worker.replay.take() {
            let (id, mut state) = (replay.id, replay.state);
            state.status = ReplayStatus::Failed;
            self.committing.ops.push(Op::Replay { id, state: state.clone() });
            self.replays.insert(id, state);
        }
        self.committing.ops.push(Op::Removed { webhook: Arc::clone(id) });
        self.committing.urgent = true;
    }

    /// Has a webhook disabled: its document and the event about it in one batch. It has stopped already.
    pub(super) fn disable(&self, webhook: &Arc<str>, reason: &'static str) {
        let Some(worker) = self.workers.get(webhook) else { return };
        let registration = Arc::clone(&worker.registration);
        if !registration.active {
            return;
        }
        let (engine, registry) = (self.engine.clone(), Arc::clone(&self.registry));
        tracing::warn!(webhook = &**webhook, reason, "webhook disabled");
        self.engine.tasks().spawn("webhook-disable", async move {
            let token = engine.tasks().token();
            loop {
                let written =
                    engine.write(disabling(&registration, reason, Arc::clone(&registry))).await;
                match written {
                    Ok(_) => return,
                    Err(error) if error.kind() == ErrorKind::NotFound => return,
                    Err(error) => tracing::warn!(%error, "a webhook could not be disabled yet"),
                }
                tokio::select! {
                    () = tokio::time::sleep(AFTER_FAILURE) => {}
                    () = token.cancelled() => return,
                }
            }
        });
    }
}

/// Whether the document of a webhook is there.
fn is_stored(engine: &Engine, document: &DocumentId) -> Result<bool> {
    let snapshot = engine.snapshot();
    let Some(collection) = snapshot.collection(COLLECTION) else { return Ok(false) };
    Ok(snapshot.get(collection.number, &document.key)?.is_some())
}

struct Disabling {
    registry: Arc<Registry>,
    reason: &'static str,
    url: Arc<str>,
}

impl Change for Disabling {
    fn apply(&self, current: Raw<'_>) -> Result<Option<Vec<u8>>> {
        let id = current.get("_id").unwrap_or(Raw::trusted(&[]));
        let registration = self.registry.decode(id, current)?;
        // It was changed in the meantime: what the old receiver said does not count, and nothing is published either.
        if registration.url != self.url || !registration.active {
            return Err(Error::not_found("webhook_changed", "the webhook is another by now"));
        }
        Ok(Some(registration.disabled(self.reason).to_bytes(self.registry.vault())))
    }
}

fn disabling(
    registration: &Registration,
    reason: &'static str,
    registry: Arc<Registry>,
) -> Command {
    let mut body = Object::new();
    body.insert("webhook", &*registration.id);
    body.insert("reason", reason);
    Command {
        operations: vec![
            Operation::Change {
                collection: Arc::from(COLLECTION),
                id: registration.document_id(),
                change: Arc::new(Disabling {
                    registry,
                    reason,
                    url: Arc::clone(&registration.url),
                }),
                if_version: None,
                absent: Absent::Refuse,
            },
            Operation::WebhookDisabled { body: Bytes::from(body.to_bytes()) },
        ],
        actor: Arc::from(ACTOR),
        ..Command::default()
    }
}
