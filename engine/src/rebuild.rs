//! Rebuilding the views beside the running ones, and proving that they equal the log.
//!
//! Guarantees: readers and writers go on during both; the switch to rebuilt views is one step between two groups; a
//! failed rebuild leaves everything as it was.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::log::LogReader;
use crate::view::{Applier, Comparison, Generation, Progress, Views, compare, finish_fold, fold};

/// A fold this close behind the log is finished between two groups.
const CLOSE: u64 = 2000;

/// Pause before damaged views are rebuilt when another job stood in the way.
const HEAL_WHEN_FREE: Duration = Duration::from_millis(200);
/// Pause before damaged views are rebuilt after that failed.
const HEAL_AGAIN: Duration = Duration::from_secs(30);

/// What a rebuild did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// The position that the new views were folded to before they took over.
    pub position: u64,
}

/// What a verification proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The last position whose chain digest was recomputed.
    pub position: u64,
    /// Events whose digests were recomputed.
    pub events: u64,
    /// What of the views was compared with the fold of the log.
    pub views: Comparison,
}

impl Engine {
    /// Folds the log into new views and switches to them. Blocking.
    pub fn rebuild(&self, progress: &Progress) -> Result<Rebuilt> {
        let _one = self.only_rewrite()?;
        self.rebuild_alone(progress)
    }

    /// Like [`Engine::rebuild`], for who holds off other rewrites already.
    pub(crate) fn rebuild_alone(&self, progress: &Progress) -> Result<Rebuilt> {
        let views = &self.shared().views;
        let (generation, mut applier) = fold(views, self.position(), progress)?;
        while self.log().durable_position() - applier.position() > CLOSE {
            finish_fold(self.log(), &mut applier, self.log().durable_position())?;
        }
        let position = applier.position();
        self.switch_to(generation, applier)?;
        Ok(Rebuilt { position })
    }

    /// Starts what rebuilds the views whenever they are found to be damaged, while the log goes on.
    pub(crate) fn start_healing(&self) {
        let engine = self.clone();
        let token = self.tasks().token();
        self.tasks().spawn("heal", async move {
            let views = Arc::clone(&engine.shared().views);
            let mut pause = Duration::ZERO;
            loop {
                let wait = async {
                    tokio::time::sleep(pause).await;
                    views.damaged().await;
                };
                if token.run_until_cancelled(wait).await.is_none() {
                    return;
                }
                tracing::warn!("the views are damaged; they are rebuilt from the log");
                let worker = engine.clone();
                let rebuilt =
                    engine.tasks().blocking(move || worker.rebuild(&Progress::default())).await;
                pause = match rebuilt {
                    Some(Ok(rebuilt)) => {
                        tracing::info!(rebuilt.position, "the views are whole again");
                        Duration::ZERO
                    }
                    Some(Err(error)) if error.code() == "job_running" => HEAL_WHEN_FREE,
                    Some(Err(error)) => {
                        tracing::error!(%error, "the damaged views could not be rebuilt");
                        HEAL_AGAIN
                    }
                    None => {
                        tracing::error!("rebuilding the damaged views panicked");
                        HEAL_AGAIN
                    }
                };
            }
        });
    }

    /// Makes a folded generation the one in use, durably, and removes the one before.
    pub(crate) fn switch_to(&self, generation: Generation, applier: Applier) -> Result<()> {
        let (before, current, state) = self.control(move |sequencer| {
            let before = sequencer.switch_views(generation, applier)?;
            let (current, state) = sequencer.rotate()?;
            Ok::<_, Error>((before, current, state))
        })??;
        let views = &self.shared().views;
        views.checkpoint(&current, &state)?;
        self.remove_unused(before);
        Ok(())
    }

    /// Recomputes the chain over the whole log and compares the views with its fold. Blocking.
    pub fn verify(&self, progress: &Progress) -> Result<Verified> {
        let _one = self.only_rewrite()?;
        let kept_ms = self.limits().idempotency_seconds.saturating_mul(1000);
        let snapshot = self.snapshot();
        let since_ms = snapshot.time_ms().saturating_sub(kept_ms);
        verify(&self.shared().views, self.log(), &snapshot, since_ms, progress)
    }

    pub(crate) fn only_rewrite(&self) -> Result<parking_lot::MutexGuard<'_, ()>> {
        self.shared().rewriting.try_lock().ok_or_else(|| {
            Error::new(
                ErrorKind::Conflict,
                "job_running",
                "another rebuild, verification, erasure or retention is running",
            )
        })
    }

    /// Removes a generation once its last reader is gone; what a stop interrupts is removed at the next open.
    fn remove_unused(&self, before: Arc<Generation>) {
        let token = self.tasks().token();
        while Arc::strong_count(&before) > 1 || Arc::strong_count(&before.store) > 1 {
            if token.is_cancelled() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        if let Some(generation) = Arc::into_inner(before) {
            self.shared().views.remove(generation);
        }
    }
}

/// Proves that a log's chain is whole and that views are its fold.
pub(crate) fn verify(
    views: &Views,
    log: &LogReader,
    snapshot: &crate::view::Snapshot,
    since_ms: u64,
    progress: &Progress,
) -> Result<Verified> {
    let to = snapshot.position();
    let chain = log.verify(|position, last| {
        progress.expect(2 * last);
        progress.reached(position);
    })?;
    let (generation, applier) = fold(views, to, progress)?;
    drop(applier);
    let compared = compare(snapshot, &views.snapshot_of(&generation), since_ms);
    views.remove(generation);
    Ok(Verified { position: chain.last_position, events: chain.records, views: compared? })
}
